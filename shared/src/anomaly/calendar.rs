//! Announced events: an expected surge or lull is no finding while it lasts, and teaches nothing.

use super::Channel;
use crate::bucket::Bucket;

/// What was announced, and so which findings it explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// More traffic, perhaps from other senders.
    Campaign,
    /// Less traffic.
    Holiday,
    /// Maintenance and anything else: explains everything.
    Other,
}

/// An announced event, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    pub first: Bucket,
    pub last: Bucket,
    pub occasion: Occasion,
}

/// What was to be expected in a bucket, whatever the history says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Explained {
    campaign: bool,
    holiday: bool,
    other: bool,
}

impl Occasion {
    /// Reads the `kind` of a calendar entry; words that are not known mean `Other`.
    #[must_use]
    pub fn named(kind: &str) -> Self {
        match kind {
            "campaign" => Self::Campaign,
            "holiday" => Self::Holiday,
            _ => Self::Other,
        }
    }
}

impl Explained {
    /// What the events that cover `bucket` explain together.
    #[must_use]
    pub fn by(announced: &[Announced], bucket: Bucket) -> Self {
        let current = announced.iter().filter(|event| event.first <= bucket && bucket <= event.last);
        current.fold(Self::default(), |explained, event| explained.and(event.occasion))
    }

    fn and(self, occasion: Occasion) -> Self {
        match occasion {
            Occasion::Campaign => Self { campaign: true, ..self },
            Occasion::Holiday => Self { holiday: true, ..self },
            Occasion::Other => Self { other: true, ..self },
        }
    }

    /// The total without what was announced, for a series that would otherwise have had `expected`.
    pub(super) fn total(self, total: f32, expected: f32) -> f32 {
        match total > expected {
            true if self.explains_more() => expected,
            false if self.holiday || self.other => expected,
            _ => total,
        }
    }

    /// Whether a channel says nothing now.
    pub(super) fn mutes(self, channel: Channel) -> bool {
        match channel {
            Channel::Total | Channel::AuthFail | Channel::Part => self.other,
            Channel::Top1 | Channel::Distinct => self.campaign || self.other,
            Channel::Limited => self.explains_more(),
        }
    }

    fn explains_more(self) -> bool {
        self.campaign || self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_984_640 + index).expect("in range")
    }

    #[test]
    fn an_event_explains_only_its_own_direction_and_only_while_it_lasts() {
        for (kind, at, of_90, of_5, failures_muted, mix_muted) in [
            ("campaign", 0, 20.0, 5.0, false, true),
            ("campaign", 9, 20.0, 5.0, false, true),
            ("campaign", 10, 90.0, 5.0, false, false),
            ("holiday", 5, 90.0, 20.0, false, false),
            ("maintenance", 5, 20.0, 20.0, true, true),
        ] {
            let announced = [Announced { first: bucket(0), last: bucket(9), occasion: Occasion::named(kind) }];
            let explained = Explained::by(&announced, bucket(at));
            let left = [explained.total(90.0, 20.0), explained.total(5.0, 20.0)];
            assert_eq!(left.map(f32::to_bits), [of_90, of_5].map(f32::to_bits), "{kind} {at}");
            assert_eq!(explained.mutes(Channel::AuthFail), failures_muted, "{kind} {at}");
            assert_eq!(explained.mutes(Channel::Top1), mix_muted, "{kind} {at}");
        }
    }
}
