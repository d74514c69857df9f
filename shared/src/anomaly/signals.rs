//! How far the latest buckets are from what was expected: one signed statistic per channel and time scale.

#![expect(clippy::indexing_slicing, reason = "slots are constants or counted modulo the length of their array")]

use super::Channel;
use super::profile::Profile;
use crate::bucket::Bucket;

/// Buckets over which a statistic looks back. A burst shows at the first, a slow shift at the last.
pub(super) const SCALES: [f64; 4] = [1.0, 3.0, 9.0, 30.0];
/// Buckets over which the local level looks back: eight hours.
const LOCAL: f64 = 96.0;
/// What one bucket adds to the longer windows at most, in standard deviations.
const FAR: f64 = 12.0;
/// Rows until a gauge is known well enough to clip what it learns.
const FIRST_ROWS: f64 = 12.0;
/// Buckets over which noise and shares are learned: four days.
const SLOW: f64 = 1152.0;

/// A distance from the expected in units that are close to standard deviations, positive = more than expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distance {
    pub(super) channel: Channel,
    pub(super) expected: f64,
    pub(super) actual: f64,
    pub(super) z: f64,
}

/// Decaying sums over the time scales.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Windows(pub(super) [f64; 4]);

impl Windows {
    pub(super) fn new() -> Self {
        Self([0.0; 4])
    }

    /// Ages the sums by `buckets`, gaps included.
    fn age(&mut self, buckets: u32) {
        for (sum, scale) in self.0.iter_mut().zip(SCALES) {
            *sum *= (1.0 - 1.0 / scale).powf(f64::from(buckets));
        }
    }

    fn add(&mut self, value: f64) {
        for sum in &mut self.0 {
            *sum += value;
        }
    }
}

/// The number of events against the weekly profile, and against the last hours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Volume {
    pub(super) profile: Profile,
    pub(super) observed: Windows,
    pub(super) expected: Windows,
    /// Decaying sums, per scale, of noise beyond Poisson and of the square of the expectation it belongs to.
    pub(super) noise: [[f64; 2]; 4],
    /// Decaying sums of observed and expected over `LOCAL`.
    pub(super) local: [f64; 2],
}

impl Volume {
    pub(super) fn new() -> Self {
        let none = Windows::new();
        Self { profile: Profile::new(), observed: none, expected: none, noise: [[0.1, 1.0]; 4], local: [1.0; 2] }
    }

    /// Distances of the windows that end with this bucket: from the profile, then (but for the longest) from the last hours.
    pub(super) fn observe(&mut self, bucket: Bucket, elapsed: u32, total: f64) -> [Distance; 7] {
        let expected = self.profile.expected(bucket);
        let clipped = self.clip_far(total, expected);
        for (windows, value) in [(&mut self.observed, clipped), (&mut self.expected, expected)] {
            windows.age(elapsed);
            windows.add(value);
        }
        let recent = self.local[0] / self.local[1];
        std::array::from_fn(|index| {
            let scale = index % 4;
            let level = if index < 4 { 1.0 } else { recent };
            let expected = expected * level;
            let (seen, usual) = (self.observed.0[scale], self.expected.0[scale] * level);
            let z = stabilised(seen, self.dispersion(scale)) - stabilised(usual, self.dispersion(scale));
            Distance { channel: Channel::Total, expected, actual: total, z }
        })
    }

    /// Learns the bucket just observed, moved to within `reach` standard deviations of the expectation.
    pub(super) fn learn(&mut self, bucket: Bucket, total: f64, reach: f64) {
        let expected = self.profile.expected(bucket);
        let centre = stabilised(expected, self.dispersion(0));
        let bound = |z: f64| unstabilised(centre + z, self.dispersion(0));
        let learned = within(total, bound(-reach).min(expected), bound(reach).max(expected + 1.0));
        self.profile.learn(bucket, learned);
        for (sum, value) in self.local.iter_mut().zip([learned, expected]) {
            // One event is assumed in both, so that the ratio of a silent series is one.
            *sum += value + 1.0 / LOCAL - *sum / LOCAL;
        }
        self.learn_noise(reach);
    }

    fn learn_noise(&mut self, reach: f64) {
        let dispersions: [f64; 4] = std::array::from_fn(|scale| self.dispersion(scale));
        for (scale, [excess, square]) in self.noise.iter_mut().enumerate() {
            let (seen, usual) = (self.observed.0[scale], self.expected.0[scale]);
            let limit = reach * (usual + dispersions[scale] * usual * usual).sqrt() + 1.0;
            let off = within(seen - usual, -limit, limit);
            *excess += (off * off - usual).max(-usual * usual) - *excess / SLOW;
            *square += usual * usual - *square / SLOW;
        }
    }

    /// Noise beyond Poisson, as the square of a relative standard deviation.
    fn dispersion(&self, scale: usize) -> f64 {
        within(self.noise[scale][0] / self.noise[scale][1], 1e-4, 4.0)
    }

    /// No single bucket may fill the longer windows for hours after it.
    fn clip_far(&self, total: f64, expected: f64) -> f64 {
        total.min(unstabilised(stabilised(expected, self.dispersion(0)) + FAR, self.dispersion(0)).max(10.0))
    }
}

/// One part of the total against its usual share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Share {
    pub(super) channel: Channel,
    pub(super) part: Windows,
    pub(super) whole: Windows,
    /// Decaying sums of part and whole over `SLOW`.
    pub(super) usual: [f64; 2],
}

impl Share {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, part: Windows::new(), whole: Windows::new(), usual: [0.0; 2] }
    }

    pub(super) fn observe(&mut self, elapsed: u32, part: f64, whole: f64) -> [Distance; 4] {
        for (windows, value) in [(&mut self.part, part.min(whole)), (&mut self.whole, whole)] {
            windows.age(elapsed);
            windows.add(value);
        }
        let usual = self.share();
        std::array::from_fn(|scale| {
            let (part_sum, whole_sum) = (self.part.0[scale], self.whole.0[scale]);
            let z = 2.0 * whole_sum.sqrt() * (angle(part_sum, whole_sum) - angle(usual * whole_sum, whole_sum));
            Distance { channel: self.channel, expected: usual * whole, actual: part, z }
        })
    }

    /// Learns a bucket. `trust` below one lets doubtful buckets teach less; the whole counts by its square root, so that the
    /// share is not that of the busiest hours alone.
    pub(super) fn learn(&mut self, part: f64, whole: f64, trust: f64) {
        let weight = trust / whole.max(1.0).sqrt();
        for (sum, value) in self.usual.iter_mut().zip([part.min(whole), whole]) {
            *sum += weight * value - *sum / SLOW;
        }
    }

    fn share(&self) -> f64 {
        ((self.usual[0] + 0.05) / (self.usual[1] + 1.0)).clamp(0.0, 1.0)
    }
}

/// The number of different senders against what the total suggests: a line between their logarithms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Breadth {
    pub(super) off: Windows,
    pub(super) weight: Windows,
    /// Decaying sums of weight, x, y, xx, xy over `SLOW`.
    pub(super) line: [f64; 5],
    /// Decaying sums of squared distance and weight.
    pub(super) noise: [f64; 2],
}

impl Breadth {
    pub(super) fn new() -> Self {
        Self { off: Windows::new(), weight: Windows::new(), line: [0.0; 5], noise: [10.0, 10.0] }
    }

    pub(super) fn observe(&mut self, elapsed: u32, distinct: f64, total: f64) -> [Distance; 4] {
        let expected = self.expected(total);
        let off = if total > 0.0 { self.off(distinct, expected).clamp(-FAR, FAR) } else { 0.0 };
        self.off.age(elapsed);
        self.off.add(off);
        // The variance of a decaying sum decays twice as fast.
        self.weight.age(elapsed.saturating_mul(2));
        self.weight.add(if total > 0.0 { 1.0 } else { 0.0 });
        std::array::from_fn(|scale| {
            let z = self.off.0[scale] / self.weight.0[scale].max(1.0).sqrt();
            Distance { channel: Channel::Distinct, expected, actual: distinct, z }
        })
    }

    pub(super) fn learn(&mut self, distinct: f64, total: f64, trust: f64) {
        if total <= 0.0 {
            return;
        }
        let expected = self.expected(total);
        let off = self.off(distinct, expected).clamp(-3.0, 3.0) * self.deviation(expected);
        let (x, y) = (total.ln_1p(), distinct.ln_1p());
        for (sum, value) in self.line.iter_mut().zip([1.0, x, y, x * x, x * y]) {
            *sum += trust * value - *sum / SLOW;
        }
        for (sum, value) in self.noise.iter_mut().zip([off * off, 1.0]) {
            *sum += trust * value - *sum / SLOW;
        }
    }

    fn expected(&self, total: f64) -> f64 {
        let [weight, x, y, xx, xy] = self.line;
        let weight = weight + 1.0;
        let (mean_x, mean_y) = (x / weight, y / weight);
        let slope = (xy / weight - mean_x * mean_y) / (xx / weight - mean_x * mean_x + 0.05).max(0.05);
        within((mean_y + slope.clamp(0.0, 1.0) * (total.ln_1p() - mean_x)).exp_m1(), 0.0, total)
    }

    fn off(&self, distinct: f64, expected: f64) -> f64 {
        2.0 * ((distinct + 0.375).sqrt() - (expected + 0.375).sqrt()) / self.deviation(expected)
    }

    /// Never below what rounding to whole senders makes of small expectations.
    fn deviation(&self, expected: f64) -> f64 {
        (self.noise[0] / self.noise[1] + 1.0 / (1.0 + expected)).sqrt().max(0.05)
    }
}

/// A number without assumptions: against its mean, in its own standard deviations.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drift {
    pub(super) off: Windows,
    /// Weight, mean and variance over `SLOW`.
    pub(super) moments: [f64; 3],
}

impl Drift {
    pub(super) fn new() -> Self {
        Self { off: Windows::new(), moments: [0.0; 3] }
    }

    pub(super) fn observe(&mut self, elapsed: u32, value: f64) -> [Distance; 4] {
        let [_, mean, _] = self.moments;
        let off = ((value - mean) / self.deviation()).clamp(-FAR, FAR);
        self.off.age(elapsed);
        self.off.add(off);
        std::array::from_fn(|scale| {
            let z = self.off.0[scale] / SCALES[scale].midpoint(1.0).sqrt();
            Distance { channel: Channel::Total, expected: mean, actual: value, z }
        })
    }

    pub(super) fn learn(&mut self, value: f64, reach: f64) {
        let [weight, mean, variance] = &mut self.moments;
        *weight = (*weight + 1.0).min(SLOW);
        if *weight <= 1.0 {
            *mean = value;
            return;
        }
        let limit =
            reach * variance.sqrt() + 1e-9 + if *weight < FIRST_ROWS { f64::MAX / 4.0 } else { 1e-3 * mean.abs() };
        let off = within(value - *mean, -limit, limit);
        *mean += off / *weight;
        *variance += (off * off - *variance) / *weight;
    }

    pub(super) fn expected(&self) -> f64 {
        self.moments[1]
    }

    fn deviation(&self) -> f64 {
        let [_, mean, variance] = self.moments;
        variance.sqrt().max(1e-3 * mean.abs()).max(1e-9)
    }
}

/// Makes the noise of a negative binomial count about one: a square root for small counts, a logarithm for large ones.
fn stabilised(count: f64, dispersion: f64) -> f64 {
    2.0 / dispersion.sqrt() * (dispersion * (count.max(0.0) + 0.375)).sqrt().asinh()
}

fn unstabilised(value: f64, dispersion: f64) -> f64 {
    let root = (value.max(0.0) * dispersion.sqrt() / 2.0).min(300.0).sinh();
    root * root / dispersion - 0.375
}

fn angle(part: f64, whole: f64) -> f64 {
    ((part + 0.375) / (whole + 0.75)).clamp(0.0, 1.0).sqrt().asin()
}

/// Like `clamp`, but a bound or value that is not a number cannot panic.
fn within(value: f64, low: f64, high: f64) -> f64 {
    value.min(high).max(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: f64, expected: f64, what: &str) {
        assert!((actual - expected).abs() < 0.01, "{what}: {actual}, not {expected}");
    }

    #[test]
    fn stabilising_makes_small_counts_roots_and_large_ones_logarithms_and_can_be_undone() {
        for (count, dispersion, value) in [(0.0, 1e-4, 1.22), (100.0, 1e-4, 20.0), (1e6, 1.0, 15.2), (2e6, 1.0, 15.89)]
        {
            assert_close(stabilised(count, dispersion), value, "stabilised");
            assert_close(unstabilised(stabilised(count, dispersion), dispersion) - count, 0.0, "undone");
        }
    }

    #[test]
    fn a_share_is_as_far_off_as_its_binomial_noise_says() {
        let mut share = Share::new(Channel::AuthFail);
        (0..5000).for_each(|_| share.learn(10.0, 100.0, 1.0));
        let [now, ..] = share.observe(1, 10.0, 100.0);
        assert_close(now.z, 0.0, "the usual tenth");
        assert_close(now.expected, 10.0, "of 100");
        // Sixteen of a hundred are two standard deviations (3) above ten.
        assert!((1.7..2.1).contains(&share.observe(1, 16.0, 100.0)[0].z));
        // One of one proves little.
        assert!(share.observe(1, 1.0, 1.0)[0].z < 1.5);
    }

    #[test]
    fn the_number_of_senders_is_expected_from_the_total() {
        let mut breadth = Breadth::new();
        for total in (0..6000).map(|index| f64::from(10 + index % 90)) {
            breadth.learn((total / 2.0).round(), total, 1.0);
        }
        for (total, low, high) in [(20.0, 9.0, 12.0), (90.0, 40.0, 48.0), (0.0, 0.0, 0.0)] {
            let expected = breadth.observe(1, total / 2.0, total)[0].expected;
            assert!((low..=high).contains(&expected), "{total}: {expected}");
        }
    }

    #[test]
    fn a_gauge_is_measured_in_its_own_noise() {
        let mut drift = Drift::new();
        (0..1000).for_each(|index| drift.learn(if index % 2 == 0 { -48.0 } else { -52.0 }, 3.0));
        let [now, ..] = drift.observe(1, -44.0);
        assert_close(now.expected, -50.0, "mean");
        assert!((2.9..3.1).contains(&now.z), "six off, two of noise: {}", now.z);
    }
}
