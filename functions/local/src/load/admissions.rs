//! How many permits a caller was granted in the fullest window, seen from outside.

use std::{collections::BTreeMap, time::Duration};

/// Times are kept in steps of a tenth of a second.
const STEPS_PER_SECOND: u64 = 10;

/// Permits by when they were asked for and when they were granted, in steps since the start. When in between the decision
/// was made nobody outside knows.
#[derive(Debug, Clone, Default)]
pub struct Admissions {
    granted: BTreeMap<(u64, u64), u64>,
    total: u64,
}

impl Admissions {
    /// Times since the start.
    pub fn note(&mut self, asked: Duration, answered: Duration, permits: u64) {
        *self.granted.entry((step(asked), step(answered))).or_default() += permits;
        self.total += permits;
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The most permits that were both asked for and granted within one `window`: never more than were decided in it, so
    /// that whatever exceeds a bound really does.
    #[must_use]
    pub fn most_within(&self, window: Duration) -> u64 {
        let length = step(window);
        let granted: Vec<_> = self.granted.iter().map(|(times, permits)| (*times, *permits)).collect();
        let from = |index: usize| granted.get(index..).unwrap_or_default();
        let sum = |(index, ((start, _), _)): (usize, &((u64, u64), u64))| {
            let end = start + length;
            let asked = from(index).iter().take_while(|((asked, _), _)| *asked < end);
            asked.filter(|((_, answered), _)| *answered < end).map(|(_, permits)| permits).sum()
        };
        granted.iter().enumerate().map(sum).max().unwrap_or(0)
    }
}

fn step(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX) * STEPS_PER_SECOND / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn of(granted: &[(u64, u64, u64)]) -> Admissions {
        let mut admissions = Admissions::default();
        for (asked_ms, answered_ms, permits) in granted {
            admissions.note(Duration::from_millis(*asked_ms), Duration::from_millis(*answered_ms), *permits);
        }
        admissions
    }

    #[test]
    fn the_fullest_window_counts_wherever_it_begins() {
        let admissions =
            of(&[(0, 1, 5), (50_000, 50_001, 7), (70_000, 70_001, 11), (109_000, 109_001, 2), (111_000, 111_001, 9)]);
        assert_eq!(admissions.most_within(WINDOW), 11 + 2 + 9);
        assert_eq!(admissions.most_within(Duration::from_secs(41)), 7 + 11);
        assert_eq!(admissions.most_within(Duration::from_secs(1)), 11);
        assert_eq!(admissions.total(), 34);
        assert_eq!(of(&[]).most_within(WINDOW), 0);
    }

    #[test]
    fn what_may_have_been_decided_outside_does_not_count() {
        assert_eq!(of(&[(0, 1, 5), (59_000, 60_500, 7)]).most_within(WINDOW), 7);
        assert_eq!(of(&[(0, 1, 5), (59_000, 59_850, 7)]).most_within(WINDOW), 12);
        assert_eq!(of(&[(0, 61_000, 5)]).most_within(WINDOW), 0);
    }
}
