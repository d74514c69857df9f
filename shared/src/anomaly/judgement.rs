//! What is to be thought of one bucket.

use super::incident::THRESHOLD;
use super::{Channel, Kind};

/// One channel of a bucket: what was expected, what came, and how unusual that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub channel: Channel,
    pub kind: Kind,
    pub expected: f64,
    pub actual: f64,
    /// Distance in about standard deviations, at the time scale that stood out most; negative = less than expected.
    pub z: f64,
    /// 0 to 1; one half is as far above the usual extremes as an alert asks for.
    pub score: f64,
}

/// What a series is expected to carry in one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub expected: f64,
    /// A total beyond these would by itself be as unusual as an alert asks for. Neither is ever below zero for a count.
    pub low: f64,
    pub high: f64,
}

/// What is to be thought of one bucket: one reading per channel, the most unusual first. Empty: nothing can be said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    pub readings: Vec<Reading>,
}

impl Judgement {
    /// 0 (as usual) to 1.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.readings.first().map_or(0.0, |reading| reading.score)
    }

    /// The judgement of a detector that takes everything for `factor` times as far from the usual: above one it alerts earlier.
    #[must_use]
    pub fn at_sensitivity(&self, factor: f64) -> Self {
        let scaled = |reading: &Reading| {
            let odds = factor * reading.score / (1.0 - reading.score).max(1e-9);
            Reading { score: odds / (1.0 + odds), ..*reading }
        };
        Self { readings: self.readings.iter().map(scaled).collect() }
    }

    /// What to call it: a flood changes every share as well, so it gives its name even when another channel stands out more.
    #[must_use]
    pub fn headline(&self) -> Option<&Reading> {
        let flood = self.readings.iter().find(|reading| reading.kind == Kind::Flood && reading.score >= THRESHOLD);
        flood.or(self.readings.first())
    }
}

impl Kind {
    /// What it is called when a channel carries more, or less, than expected.
    pub(super) fn of(channel: Channel, is_more: bool, is_many_times: bool) -> Self {
        match channel {
            Channel::Total if !is_more => Self::Silence,
            Channel::Total if is_many_times => Self::Flood,
            Channel::Total => Self::Spike,
            Channel::AuthFail | Channel::Part => Self::AuthFailSurge,
            Channel::Top1 if is_more => Self::SingleSender,
            Channel::Top1 | Channel::Distinct => Self::MixShift,
            Channel::Limited => Self::Flood,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(score: f64) -> Judgement {
        let (channel, kind) = (Channel::Total, Kind::Spike);
        Judgement { readings: vec![Reading { channel, kind, expected: 1.0, actual: 9.0, z: 5.0, score }] }
    }

    #[test]
    fn twice_as_sensitive_takes_half_the_distance_for_an_alert() {
        for (score, factor, scaled) in [(0.5, 1.0, 0.5), (1.0 / 3.0, 2.0, 0.5), (0.5, 0.5, 1.0 / 3.0), (0.0, 2.0, 0.0)]
        {
            let other = judged(score).at_sensitivity(factor).score();
            assert!((other - scaled).abs() < 1e-9, "{score} at {factor}: {other}");
        }
        assert!(judged(1.0).at_sensitivity(0.5).score() <= 1.0);
    }
}
