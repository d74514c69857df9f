//! What is watched beside the traffic itself: parts of it, as series of their own, which speak of nothing but that part.

use super::{Channel, Tally, series};
use crate::{
    anomaly::{self, Judgement, Kind, Reading},
    flow::Flow,
};

/// The flow of mail by recipient domain, and by author's domain.
pub const INBOUND: &str = "inbound";
pub const SENDER: &str = "sender";
/// Those who come to the door without a credential that is good.
pub const DOOR: &str = "validate";
pub const UNKNOWN: &str = "unknown";

/// The flow of what is watched of the product itself.
const HEALTH: &str = "health";
const COUNTERS: &str = "counters";
const INSPECTOR: &str = "inspector";

/// Where so many series count in one bucket, none of them ever stops alone, so that silence everywhere is ours.
const SERIES_OF_A_WHOLE: f64 = 5.0;

/// A part of the counts of a series that is watched by itself.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The flow of its series.
    name: &'static str,
    of: Source,
    part: Channel,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Verdicts, all flows of a client together.
    Verdicts,
    Recipients,
    Senders,
}

const PARTS: [Part; 7] = [
    Part { name: "rejected", of: Source::Verdicts, part: Channel::Reject, kind: Kind::RejectionSurge },
    Part { name: "disposable", of: Source::Verdicts, part: Channel::Disposable, kind: Kind::DisposableSurge },
    Part { name: "quarantined", of: Source::Recipients, part: Channel::Quarantine, kind: Kind::QuarantineSurge },
    Part { name: "inbound_spf", of: Source::Recipients, part: Channel::SpfFail, kind: Kind::AuthFailSurge },
    Part { name: "inbound_dkim", of: Source::Recipients, part: Channel::DkimFail, kind: Kind::AuthFailSurge },
    Part { name: "sender_spf", of: Source::Senders, part: Channel::SpfFail, kind: Kind::AuthFailSurge },
    Part { name: "sender_dkim", of: Source::Senders, part: Channel::DkimFail, kind: Kind::AuthFailSurge },
];

/// What one series adds in a bucket to one that is watched beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub series: String,
    pub whole: u64,
    pub part: u64,
    /// Series that add to it.
    pub members: u64,
}

/// What a series is about, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Traffic,
    /// Callers that nobody knows: whatever there is more of, it is guesses.
    Guesses,
    /// A part of other series' traffic.
    Part(Kind),
    /// All that arrives at all.
    Counters,
}

impl Subject {
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name.split_once('/') {
            Some((DOOR, UNKNOWN)) => Self::Guesses,
            Some((HEALTH, COUNTERS)) => Self::Counters,
            Some((HEALTH, INSPECTOR)) => Self::Part(Kind::InspectorFailures),
            Some((SENDER, _)) => Self::Part(Kind::AuthFailSurge),
            Some((flow, _)) => {
                PARTS.iter().find(|part| part.name == flow).map_or(Self::Traffic, |part| Self::Part(part.kind))
            }
            None => Self::Traffic,
        }
    }

    /// Whether it is made of the counts of others.
    #[must_use]
    pub fn is_derived(self) -> bool {
        matches!(self, Self::Part(_) | Self::Counters)
    }

    /// Whether a series of this subject begins with such an observation.
    #[must_use]
    pub fn begins_with(self, observation: &anomaly::Observation) -> bool {
        match self {
            Self::Traffic | Self::Guesses => true,
            Self::Part(_) => observation.auth_fail.is_some_and(|part| 0.0 < part),
            Self::Counters => observation.distinct.is_some_and(|members| SERIES_OF_A_WHOLE <= members),
        }
    }

    /// What a judgement says of this subject, by the name that it has here.
    #[must_use]
    pub fn heard(self, judgement: Judgement) -> Judgement {
        if self == Self::Traffic {
            return judgement;
        }
        Judgement { readings: judgement.readings.into_iter().filter_map(|reading| self.hear(reading)).collect() }
    }

    fn hear(self, reading: Reading) -> Option<Reading> {
        let kind = match (self, reading.kind) {
            (Self::Guesses, Kind::Flood | Kind::Spike | Kind::AuthFailSurge) => Kind::KeyGuessing,
            (Self::Part(kind), Kind::AuthFailSurge) => {
                return Some(Reading { kind, channel: anomaly::Channel::Part, ..reading });
            }
            (Self::Part(_), _) => return None,
            (Self::Counters, Kind::Silence) => Kind::CountersMissing,
            (Self::Counters, _) => return None,
            (Self::Traffic | Self::Guesses, kind) => kind,
        };
        Some(Reading { kind, ..reading })
    }
}

/// The flow that a series belongs to, as people filter alerts by it: of all mail it is one.
#[must_use]
pub fn flow_of(name: &str) -> &str {
    let flow = name.split('/').next().unwrap_or_default();
    let is_mail = |part: &Part| part.name == flow && part.of != Source::Verdicts;
    if flow == SENDER || name.strip_prefix(HEALTH) == Some("/inspector") || PARTS.iter().any(is_mail) {
        INBOUND
    } else {
        flow
    }
}

/// What the counts of a series in one bucket add to those that are watched beside it.
#[must_use]
pub fn shares(name: &str, tally: &Tally) -> Vec<Share> {
    let Some((flow, of)) = name.split_once('/') else { return Vec::new() };
    let count = |channel: Channel| tally.get(channel.as_str()).copied().unwrap_or(0);
    let share = |series, whole, part| Share { series, whole, part, members: 1 };
    let total = count(Channel::Total);
    let source = match flow {
        INBOUND => Source::Recipients,
        SENDER => Source::Senders,
        flow if Flow::parse(flow).is_some() => Source::Verdicts,
        _ => return Vec::new(),
    };
    let whole = match source {
        Source::Verdicts => [Channel::Accept, Channel::Review, Channel::Reject].map(count).iter().sum(),
        Source::Recipients | Source::Senders => total,
    };
    let parts = PARTS.iter().filter(|part| part.of == source && 0 < whole);
    let mut shares: Vec<Share> = parts.map(|part| share(series(part.name, of), whole, count(part.part))).collect();
    if source == Source::Recipients {
        shares.push(share(series(HEALTH, INSPECTOR), total, count(Channel::Uninspected)));
    }
    if source != Source::Senders && 0 < total {
        shares.push(share(series(HEALTH, COUNTERS), total, 0));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(counts: &[(Channel, u64)]) -> Tally {
        counts.iter().map(|(channel, count)| (channel.as_str().to_owned(), *count)).collect()
    }

    fn told(name: &str, counts: &[(Channel, u64)]) -> Vec<(String, u64, u64)> {
        shares(name, &tally(counts)).into_iter().map(|share| (share.series, share.whole, share.part)).collect()
    }

    fn named(shares: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
        shares.iter().map(|(name, whole, part)| ((*name).to_owned(), *whole, *part)).collect()
    }

    #[test]
    fn every_part_is_watched_for_whom_it_concerns() {
        use Channel::{Accept, Disposable, DkimFail, Limited, Quarantine, Reject, SpfFail, Total, Uninspected};
        let verdicts = [(Total, 9), (Limited, 2), (Accept, 4), (Reject, 3), (Disposable, 1)];
        let expected = [("rejected/k1", 7, 3), ("disposable/k1", 7, 1), ("health/counters", 9, 0)];
        assert_eq!(told("signup/k1", &verdicts), named(&expected));
        let mail = [(Total, 9), (SpfFail, 2), (DkimFail, 1), (Quarantine, 3), (Uninspected, 4)];
        let expected = [
            ("quarantined/a.example", 9, 3),
            ("inbound_spf/a.example", 9, 2),
            ("inbound_dkim/a.example", 9, 1),
            ("health/inspector", 9, 4),
            ("health/counters", 9, 0),
        ];
        assert_eq!(told("inbound/a.example", &mail), named(&expected));
        let expected = [("sender_spf/b.example", 9, 2), ("sender_dkim/b.example", 9, 1)];
        assert_eq!(told("sender/b.example", &mail), named(&expected));
        for name in ["validate/unknown", "other", "rejected/k1", "health/counters"] {
            assert_eq!(told(name, &verdicts), [], "{name}");
        }
    }

    #[test]
    fn all_mail_is_one_flow() {
        for (name, flow) in [
            ("inbound/a.example", "inbound"),
            ("sender/b.example", "inbound"),
            ("quarantined/a.example", "inbound"),
            ("health/inspector", "inbound"),
            ("health/counters", "health"),
            ("rejected/k1", "rejected"),
            ("signup/k1", "signup"),
        ] {
            assert_eq!(flow_of(name), flow, "{name}");
        }
    }

    #[test]
    fn a_series_speaks_of_its_subject_and_of_nothing_else() {
        let kinds = [Kind::Flood, Kind::Spike, Kind::AuthFailSurge, Kind::SingleSender, Kind::MixShift, Kind::Silence];
        let channel = anomaly::Channel::AuthFail;
        let reading = |kind| Reading { channel, kind, expected: 1.0, actual: 9.0, z: 5.0, score: 0.7 };
        for (name, expected) in [
            ("signup/k1", kinds.to_vec()),
            ("inbound/a.example", kinds.to_vec()),
            ("rejected/k1", vec![Kind::RejectionSurge]),
            ("disposable/k1", vec![Kind::DisposableSurge]),
            ("quarantined/a.example", vec![Kind::QuarantineSurge]),
            ("inbound_spf/a.example", vec![Kind::AuthFailSurge]),
            ("sender/b.example", vec![Kind::AuthFailSurge]),
            ("sender_dkim/b.example", vec![Kind::AuthFailSurge]),
            ("health/inspector", vec![Kind::InspectorFailures]),
            ("health/counters", vec![Kind::CountersMissing]),
        ] {
            let heard = Subject::of(name).heard(Judgement { readings: kinds.map(reading).to_vec() });
            assert_eq!(heard.readings.iter().map(|reading| reading.kind).collect::<Vec<_>>(), expected, "{name}");
        }
        let guesses = Subject::of("validate/unknown").heard(Judgement { readings: kinds.map(reading).to_vec() });
        assert_eq!(guesses.readings.iter().filter(|reading| reading.kind == Kind::KeyGuessing).count(), 3);
    }
}
