//! A histogram of latencies in constant memory: 64 steps for each doubling, so that a quantile is at most 1.6 % too high.

use std::time::Duration;

const STEPS: u64 = 64;

/// More than this (19 hours) counts as this.
const LONGEST_US: u64 = (1 << 36) - 1;

/// Slots from zero to [`LONGEST_US`].
const SLOTS: usize = 2_048;

/// Latencies to the microsecond.
#[derive(Debug, Clone)]
pub struct Latencies {
    counts: Vec<u64>,
    count: u64,
    longest_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; SLOTS], count: 0, longest_us: 0 }
    }
}

impl Latencies {
    pub fn note(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min(LONGEST_US);
        if let Some(count) = self.counts.get_mut(slot(us)) {
            *count += 1;
        }
        self.count += 1;
        self.longest_us = self.longest_us.max(us);
    }

    /// Adds what another histogram counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.longest_us = self.longest_us.max(other.longest_us);
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latency that `per_mille` of all do not exceed; 1000 is the longest. Zero when there is none.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> Duration {
        let rank = (self.count * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            rank <= seen
        });
        let us = reached.map_or(0, |slot| highest_us(slot as u64).min(self.longest_us));
        Duration::from_micros(us)
    }
}

/// The seven highest bits, and how many were cut off.
fn slot(us: u64) -> usize {
    let cut = (u64::from(u64::BITS - us.leading_zeros())).saturating_sub(7);
    usize::try_from(cut * STEPS + (us >> cut)).unwrap_or(SLOTS)
}

fn highest_us(slot: u64) -> u64 {
    let cut = (slot / STEPS).saturating_sub(1);
    ((slot - cut * STEPS + 1) << cut) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        micros.into_iter().for_each(|us| latencies.note(Duration::from_micros(us)));
        latencies
    }

    #[test]
    fn quantiles_are_never_too_low_and_hardly_too_high() {
        let latencies = of((1..=1_000_000).map(|n| n * 7));
        for (per_mille, exact) in [(500, 3_500_000), (900, 6_300_000), (990, 6_930_000), (999, 6_993_000)] {
            let us = u64::try_from(latencies.quantile(per_mille).as_micros()).expect("it fits");
            assert!((exact..=exact + exact / 60).contains(&us), "{per_mille}: {us} for {exact}");
        }
        assert_eq!(latencies.quantile(1_000), Duration::from_secs(7));
    }

    #[test]
    fn small_numbers_are_exact() {
        let latencies = of([3, 1, 2, 100]);
        for (per_mille, us) in [(1, 1), (250, 1), (251, 2), (500, 2), (750, 3), (751, 100), (1_000, 100)] {
            assert_eq!(latencies.quantile(per_mille), Duration::from_micros(us), "{per_mille}");
        }
        assert_eq!(of([]).quantile(990), Duration::ZERO);
    }

    #[test]
    fn every_latency_has_a_slot_that_holds_it() {
        for shift in 0..36 {
            for us in [1_u64 << shift, (1 << shift) + 1, (1 << shift) * 2 - 1] {
                assert!(slot(us) < SLOTS, "{us}");
                let (highest, below) = (highest_us(slot(us) as u64), highest_us(slot(us) as u64 - 1));
                assert!(below < us && us <= highest, "{us} is not within {below} and {highest}");
            }
        }
        assert_eq!(of([u64::MAX]).quantile(500), Duration::from_micros(LONGEST_US));
    }

    #[test]
    fn two_histograms_add_up() {
        let (mut one, other) = (of([1, 2]), of([3, 4]));
        one.add(&other);
        assert_eq!(
            (one.count(), one.quantile(750), one.quantile(1_000)),
            (4, Duration::from_micros(3), Duration::from_micros(4))
        );
    }
}
