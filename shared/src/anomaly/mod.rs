//! Anomaly detection over the five-minute counters of one series: streaming, without look-ahead, in constant state.
//!
//! [`Observation`] -> [`Model::observe`] -> [`Judgement`] -> [`step`] -> [`AlertEvent`]. All of it is pure: a caller
//! loads the model and the incident, hands in the buckets in order, and stores what comes back.
//!
//! - `profile`: what an hour of the week usually carries, and the level of late
//! - `signals`: how far a bucket is from what was expected, per channel and time scale
//! - `extremes`: how far a quiet day goes by itself, so that one threshold fits every series
//! - `detector`: puts them together into a judgement
//! - `cold_start`: floods that need no history to be seen
//! - `calendar`: announced events, during which some findings are expected
//! - `incident`: judgements into incidents that open, grow and close

#[cfg(test)]
mod behaviour;
mod calendar;
mod cold_start;
mod detector;
mod evidence;
mod extremes;
mod incident;
mod judgement;
mod profile;
mod signals;
mod state;

pub use calendar::{Announced, Explained, Occasion};
pub use detector::Model;
pub(crate) use incident::fingerprint;
pub use incident::{AlertEvent, Incident, Severity, State, Step, THRESHOLD, Watch, step};
pub use judgement::{Band, Judgement, Reading};
pub use state::{ModelError, Packed};

use crate::bucket::Bucket;

/// What was counted in one bucket. `None` = not counted, which is not zero. A bucket without an observation is a gap.
///
/// Anything that is not a finite number is treated as not counted, so that it cannot reach a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    pub bucket: Bucket,
    /// Requests or messages, including those refused.
    pub total: f64,
    /// Those whose authentication failed.
    pub auth_fail: Option<f64>,
    /// Those of the sender (or recipient domain) that usually has the most.
    pub top1: Option<f64>,
    /// Different senders (or recipient domains).
    pub distinct: Option<f64>,
    /// Those refused by the rate limit.
    pub limited: Option<f64>,
}

/// What a series measures; it decides which noise is natural.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Events counted: never negative, at least Poisson noise, a weekly rhythm.
    Count,
    /// Any other number over time: no rhythm assumed, noise learned.
    Gauge,
}

/// A column of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Total,
    AuthFail,
    Top1,
    Distinct,
    Limited,
    /// The part of the total that a series of its own is about.
    Part,
}

/// What an anomaly looks like, and which runbook page helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Many times the usual traffic.
    Flood,
    /// More traffic than usual.
    Spike,
    /// A larger share fails authentication.
    AuthFailSurge,
    /// A larger share belongs to one sender.
    SingleSender,
    /// Other senders than usual.
    MixShift,
    /// Less traffic than usual: an outage, or a client that went away.
    Silence,
    /// A larger share of a client's addresses is rejected.
    RejectionSurge,
    /// A larger share of a client's addresses is thrown away after use.
    DisposableSurge,
    /// More credentials that nobody knows.
    KeyGuessing,
    /// A larger share of the mail is held back.
    QuarantineSurge,
    /// A larger share of the mail could not be looked into.
    InspectorFailures,
    /// Nothing is counted anywhere.
    CountersMissing,
}

impl Channel {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::AuthFail => "auth_fail",
            Self::Top1 => "top1",
            Self::Distinct => "distinct",
            Self::Limited => "limited",
            Self::Part => "part",
        }
    }
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Flood,
        Self::Spike,
        Self::AuthFailSurge,
        Self::SingleSender,
        Self::MixShift,
        Self::Silence,
        Self::RejectionSurge,
        Self::DisposableSurge,
        Self::KeyGuessing,
        Self::QuarantineSurge,
        Self::InspectorFailures,
        Self::CountersMissing,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::Spike => "spike",
            Self::AuthFailSurge => "auth_fail_surge",
            Self::SingleSender => "single_sender",
            Self::MixShift => "mix_shift",
            Self::Silence => "silence",
            Self::RejectionSurge => "rejection_surge",
            Self::DisposableSurge => "disposable_surge",
            Self::KeyGuessing => "key_guessing",
            Self::QuarantineSurge => "quarantine_surge",
            Self::InspectorFailures => "inspector_failures",
            Self::CountersMissing => "counters_missing",
        }
    }
}
