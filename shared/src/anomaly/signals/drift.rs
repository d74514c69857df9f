//! A number without assumptions: against its mean, in its own standard deviations.

#![expect(clippy::indexing_slicing, reason = "scales are counted within the length of their array")]

use super::{FAR, SCALES, SLOW, Windows, within};

/// Rows until a gauge is known well enough to clip what it learns.
const FIRST_ROWS: f32 = 12.0;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::anomaly) struct Drift {
    pub(in crate::anomaly) off: Windows,
    /// Weight, mean and variance over `SLOW`.
    pub(in crate::anomaly) moments: [f32; 3],
}

impl Drift {
    pub(in crate::anomaly) const fn new() -> Self {
        Self { off: Windows::new(), moments: [0.0; 3] }
    }

    pub(in crate::anomaly) fn observe(&mut self, elapsed: u32, value: f32) -> [f32; 7] {
        let off = ((value - self.expected()) / self.deviation()).clamp(-2.0 * FAR, 2.0 * FAR);
        self.off.take(elapsed, off, off);
        // What is expected of a gauge is its level of late already.
        let distance = |scale: usize| self.off.0[scale] / SCALES[scale].midpoint(1.0).sqrt();
        std::array::from_fn(|slot| if slot < 4 { distance(slot) } else { f32::NAN })
    }

    pub(in crate::anomaly) fn learn(&mut self, value: f32, reach: f32) {
        let [weight, mean, variance] = &mut self.moments;
        *weight = (*weight + 1.0).min(SLOW);
        if *weight <= 1.0 {
            *mean = value;
            return;
        }
        let limit = reach * variance.sqrt() + 1e-9 + if *weight < FIRST_ROWS { 1e13 } else { 1e-3 * mean.abs() };
        let off = within(value - *mean, -limit, limit);
        *mean += off / *weight;
        *variance += (off * off - *variance) / *weight;
    }

    pub(in crate::anomaly) fn expected(&self) -> f32 {
        self.moments[1]
    }

    /// The values that lie so many deviations below and above the expected one.
    pub(in crate::anomaly) fn bounds(&self, expected: f32, [below, above]: [f32; 2]) -> [f32; 2] {
        [expected - below * self.deviation(), expected + above * self.deviation()]
    }

    fn deviation(&self) -> f32 {
        let [_, mean, variance] = self.moments;
        variance.sqrt().max(1e-3 * mean.abs()).max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn a_gauge_is_measured_in_its_own_noise() {
        let mut drift = Drift::new();
        (0..1000).for_each(|index| drift.learn(if index % 2 == 0 { -48.0 } else { -52.0 }, 3.0));
        let [now, ..] = drift.observe(1, -44.0);
        assert_close(drift.expected(), -50.0, "mean");
        assert!((2.9..3.1).contains(&now), "six off, two of noise: {now}");
    }
}
