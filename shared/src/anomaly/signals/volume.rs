//! The number of events against the weekly profile, and against the last hours.

#![expect(clippy::indexing_slicing, reason = "scales are counted modulo the length of their array")]

use super::{FAR, SLOW, Windows, ln, within};

/// Buckets over which the local level looks back: eight hours.
const LOCAL: f32 = 96.0;

/// Windows of what came and what was expected.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::anomaly) struct Volume {
    pub(in crate::anomaly) observed: Windows,
    pub(in crate::anomaly) expected: Windows,
    /// Decaying sums, per scale, of noise beyond Poisson and of the square of the expectation it belongs to.
    pub(in crate::anomaly) noise: [[f32; 4]; 2],
    /// Decaying sums of observed and expected over `LOCAL`.
    pub(in crate::anomaly) local: [f32; 2],
}

/// A bucket as the windows see it.
pub(in crate::anomaly) struct Seen {
    total: f32,
    expected: f32,
    /// Noise beyond Poisson by scale, as the square of a relative standard deviation.
    dispersions: [f32; 4],
    /// The total as it went into the longer windows.
    pub(in crate::anomaly) clipped: f32,
    /// In about standard deviations: four from the profile, then (but for the longest) three from the last hours.
    pub(in crate::anomaly) distances: [f32; 7],
}

impl Volume {
    pub(in crate::anomaly) const fn new() -> Self {
        Self { observed: Windows::new(), expected: Windows::new(), noise: [[0.1; 4], [1.0; 4]], local: [1.0; 2] }
    }

    /// Begins anew to look at the latest buckets.
    pub(in crate::anomaly) fn forget(&mut self) {
        self.observed = self.expected;
        self.local = [1.0; 2];
    }

    /// Distances of the windows that end with this bucket.
    pub(in crate::anomaly) fn observe(&mut self, elapsed: u32, total: f32, expected: f32) -> Seen {
        let dispersions = self.dispersions();
        let units = dispersions.map(unit);
        let off = distance(total, expected, dispersions[0], units[0]);
        let clipped = no_further_than(FAR, off, total, expected, dispersions[0]);
        self.observed.take(elapsed, total, clipped);
        self.expected.take(elapsed, expected, expected);
        let recent = self.recent();
        // Four at a time, also where one of them is known already or not asked for: it costs nothing.
        let from_profile = distances(&self.observed.0, &self.expected.0, &dispersions, &units);
        let of_late = distances(&self.observed.0, &self.expected.0.map(|usual| usual * recent), &dispersions, &units);
        let [_, quarter, hour, long] = from_profile;
        let [now, late_quarter, late_hour, _] = of_late;
        let distances = [off, quarter, hour, long, now, late_quarter, late_hour];
        Seen { total, expected, dispersions, clipped, distances }
    }

    /// Learns the bucket just observed, moved to within `reach` standard deviations of the expectation; answers what was learned.
    pub(in crate::anomaly) fn learn(&mut self, seen: &Seen, reach: f32) -> f32 {
        let Seen { total, expected, dispersions, distances: [off, ..], .. } = *seen;
        let learned = no_further_than(reach, off, total, expected, dispersions[0]);
        // One event is assumed in both, so that the ratio of a silent series is one.
        for (sum, value) in self.local.iter_mut().zip([learned, expected]) {
            *sum += value + 1.0 / LOCAL - *sum * (1.0 / LOCAL);
        }
        self.learn_noise(&dispersions, reach);
        learned
    }

    fn learn_noise(&mut self, dispersions: &[f32; 4], reach: f32) {
        let [excess, square] = &mut self.noise;
        for scale in 0..4 {
            let (seen, usual) = (self.observed.0[scale], self.expected.0[scale]);
            let limit = reach * (usual + dispersions[scale] * usual * usual).sqrt() + 1.0;
            let off = within(seen - usual, -limit, limit);
            excess[scale] += (off * off - usual).max(-usual * usual) - excess[scale] * (1.0 / SLOW);
            square[scale] += usual * usual - square[scale] * (1.0 / SLOW);
        }
    }

    fn dispersions(&self) -> [f32; 4] {
        std::array::from_fn(|scale| within(self.noise[0][scale] / self.noise[1][scale], 1e-4, 4.0))
    }

    /// The level of the last hours, in parts of the profile.
    pub(in crate::anomaly) fn recent(&self) -> f32 {
        self.local[0] / self.local[1]
    }

    /// The totals of one bucket that lie so many standard deviations below and above the expectation; the lower may be negative.
    pub(in crate::anomaly) fn bounds(&self, expected: f32, [below, above]: [f32; 2]) -> [f32; 2] {
        let [dispersion, ..] = self.dispersions();
        let centre = stabilised(expected, dispersion);
        [centre - below, centre + above].map(|value| unstabilised(value, dispersion))
    }

    /// How much a bucket says about a lasting change, as part of what it would say if its noise was Poisson.
    pub(in crate::anomaly) fn weight(&self, seen: &Seen) -> f32 {
        1.0 / (1.0 + seen.dispersions[2] * self.expected.0[2])
    }
}

/// `total`, which is `off` from the expectation, moved to within `reach`, though never below one event more than expected.
fn no_further_than(reach: f32, off: f32, total: f32, expected: f32, dispersion: f32) -> f32 {
    if off.abs() <= reach {
        return total;
    }
    let bound = unstabilised(stabilised(expected, dispersion) + reach.copysign(off), dispersion);
    if off > 0.0 { total.min(bound.max(expected + 1.0)) } else { total.max(bound.min(expected)) }
}

/// The difference of two stabilised counts, with one logarithm for both.
fn distance(seen: f32, usual: f32, dispersion: f32, unit: f32) -> f32 {
    let grown = |count: f32| {
        let square = dispersion * (count.max(0.0) + 0.375);
        square.sqrt() + (square + 1.0).sqrt()
    };
    unit * ln(grown(seen) / grown(usual))
}

fn distances(seen: &[f32; 4], usual: &[f32; 4], dispersions: &[f32; 4], units: &[f32; 4]) -> [f32; 4] {
    std::array::from_fn(|scale| distance(seen[scale], usual[scale], dispersions[scale], units[scale]))
}

/// What a stabilised count has to be multiplied with so that its noise is one.
fn unit(dispersion: f32) -> f32 {
    2.0 / dispersion.sqrt()
}

/// Makes the noise of a negative binomial count about one: a square root for small counts, a logarithm for large ones.
fn stabilised(count: f32, dispersion: f32) -> f32 {
    unit(dispersion) * (dispersion * (count.max(0.0) + 0.375)).sqrt().asinh()
}

fn unstabilised(value: f32, dispersion: f32) -> f32 {
    let root = (value.max(0.0) * dispersion.sqrt() / 2.0).min(40.0).sinh();
    root * root / dispersion - 0.375
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn stabilising_makes_small_counts_roots_and_large_ones_logarithms_and_can_be_undone() {
        for (count, dispersion, value) in [(0.0, 1e-4, 1.22), (100.0, 1e-4, 20.0), (1e6, 1.0, 15.2), (2e6, 1.0, 15.89)]
        {
            assert_close(stabilised(count, dispersion), value, "stabilised");
            assert_close(
                unstabilised(stabilised(count, dispersion), dispersion) / (count + 1.0),
                count / (count + 1.0),
                "undone",
            );
            assert_close(
                distance(count, 10.0, dispersion, unit(dispersion)),
                value - stabilised(10.0, dispersion),
                "distance",
            );
        }
    }

    #[test]
    fn one_bucket_fills_the_longer_windows_only_so_far() {
        let mut volume = Volume::new();
        volume.observe(1, 1e6, 10.0);
        assert!(volume.observed.0[0] > 9e5 && volume.observed.0[3] < 1000.0, "{volume:?}");
    }
}
