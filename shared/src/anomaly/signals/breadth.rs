//! The number of different senders against what the total suggests: a line between their logarithms.

#![expect(clippy::indexing_slicing, reason = "scales are counted within the length of their array")]

use super::{FAR, Windows, blend, ln, within};

#[derive(Debug, Clone, PartialEq)]
pub(in crate::anomaly) struct Breadth {
    pub(in crate::anomaly) off: Windows,
    pub(in crate::anomaly) weight: Windows,
    /// Decaying sums of weight, x, y, xx, xy over `SLOW`.
    pub(in crate::anomaly) line: [f32; 5],
    /// Decaying sums of squared distance and weight.
    pub(in crate::anomaly) noise: [f32; 2],
}

/// A bucket against the line.
#[derive(Debug, Clone, Copy)]
pub(in crate::anomaly) struct Seen {
    pub(in crate::anomaly) distinct: f32,
    pub(in crate::anomaly) total: f32,
    /// The logarithm of one more than the total.
    magnitude: f32,
    pub(in crate::anomaly) expected: f32,
    deviation: f32,
    /// In deviations.
    off: f32,
}

impl Breadth {
    pub(in crate::anomaly) const fn new() -> Self {
        Self { off: Windows::new(), weight: Windows::new(), line: [0.0; 5], noise: [10.0, 10.0] }
    }

    /// Begins anew to look at the latest buckets.
    pub(in crate::anomaly) fn forget(&mut self) {
        self.off = Windows::new();
    }

    /// Distances from the expected number, in standard deviations of what was learned.
    pub(in crate::anomaly) fn observe(&mut self, elapsed: u32, seen: &Seen) -> [f32; 4] {
        let heard = if seen.total > 0.0 { 1.0 } else { 0.0 };
        let off = heard * seen.off.clamp(-2.0 * FAR, 2.0 * FAR);
        self.off.take(elapsed, off, off.clamp(-FAR, FAR));
        self.weight.take_variance(elapsed, heard);
        std::array::from_fn(|scale| self.off.0[scale] / self.weight.0[scale].max(1.0).sqrt())
    }

    pub(in crate::anomaly) fn learn(&mut self, seen: &Seen, trust: f32) {
        if seen.total <= 0.0 {
            return;
        }
        let off = seen.off.clamp(-3.0, 3.0) * seen.deviation;
        let (x, y) = (seen.magnitude, ln(1.0 + seen.distinct));
        for (sum, value) in self.line.iter_mut().zip([1.0, x, y, x * x, x * y]) {
            blend(sum, trust * value);
        }
        for (sum, value) in self.noise.iter_mut().zip([off * off, 1.0]) {
            blend(sum, trust * value);
        }
    }

    /// Looks at a bucket before it is observed.
    pub(in crate::anomaly) fn see(&self, distinct: f32, total: f32) -> Seen {
        let magnitude = ln(1.0 + total);
        let expected = self.expected(magnitude, total);
        // Never below what rounding to whole senders makes of small expectations.
        let deviation = (self.noise[0] / self.noise[1] + 1.0 / (1.0 + expected)).sqrt().max(0.05);
        let off = 2.0 * ((distinct + 0.375).sqrt() - (expected + 0.375).sqrt()) / deviation;
        Seen { distinct, total, magnitude, expected, deviation, off }
    }

    fn expected(&self, magnitude: f32, total: f32) -> f32 {
        let [weight, x, y, xx, xy] = self.line;
        let per_weight = 1.0 / (weight + 1.0);
        let (mean_x, mean_y) = (x * per_weight, y * per_weight);
        let slope = (xy * per_weight - mean_x * mean_y) / (xx * per_weight - mean_x * mean_x + 0.05).max(0.05);
        within((mean_y + slope.clamp(0.0, 1.0) * (magnitude - mean_x)).exp() - 1.0, 0.0, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_senders_is_expected_from_the_total() {
        let mut breadth = Breadth::new();
        for total in (0..60).flat_map(|_| 10_u8..100).map(f32::from) {
            breadth.learn(&breadth.see((total / 2.0).round(), total), 1.0);
        }
        for (total, low, high) in [(20.0, 9.0, 12.0), (90.0, 40.0, 48.0), (0.0, 0.0, 0.0)] {
            let expected = breadth.see(0.0, total).expected;
            assert!((low..=high).contains(&expected), "{total}: {expected}");
        }
    }
}
