//! One part of the total against its usual share.

use std::f32::consts::FRAC_PI_2;

use super::{FAR, Windows, blend};

/// Windows of the part and of the whole.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::anomaly) struct Share {
    pub(in crate::anomaly) part: Windows,
    pub(in crate::anomaly) whole: Windows,
    /// Decaying sums of part and whole over `SLOW`.
    pub(in crate::anomaly) usual: [f32; 2],
}

impl Share {
    pub(in crate::anomaly) const fn new() -> Self {
        Self { part: Windows::new(), whole: Windows::new(), usual: [0.0; 2] }
    }

    /// Begins anew to look at the latest buckets.
    pub(in crate::anomaly) fn forget(&mut self) {
        let usual = self.share();
        self.part = Windows(self.whole.0.map(|whole| usual * whole));
    }

    /// Distances from the usual share, in standard deviations of a binomial count.
    /// `usual` is [`Share::share`].
    pub(in crate::anomaly) fn observe(&mut self, elapsed: u32, part: f32, whole: f32, usual: f32) -> [f32; 4] {
        let part = part.min(whole);
        let expected = usual * whole;
        let far = FAR * (expected * (1.0 - usual) + 1.0).sqrt();
        self.part.take(elapsed, part, part.min(expected + far).max(expected - far));
        self.whole.take(elapsed, whole, whole);
        let mut distances = [0.0; 4];
        for ((distance, part), whole) in distances.iter_mut().zip(self.part.0).zip(self.whole.0) {
            *distance = 2.0 * whole.sqrt() * (angle(part, whole) - angle(usual * whole, whole));
        }
        distances
    }

    /// Learns a bucket. `trust` below one lets doubtful buckets teach less; the whole counts by its square root, so that the
    /// share is not that of the busiest hours alone.
    pub(in crate::anomaly) fn learn(&mut self, part: f32, whole: f32, trust: f32) {
        let weight = trust / whole.max(1.0).sqrt();
        blend(&mut self.usual[0], weight * part.min(whole));
        blend(&mut self.usual[1], weight * whole);
    }

    pub(in crate::anomaly) fn share(&self) -> f32 {
        ((self.usual[0] + 0.05) / (self.usual[1] + 1.0)).clamp(0.0, 1.0)
    }
}

/// The arcsine of the root of a share, which makes its noise the same everywhere. Abramowitz and Stegun 4.4.46.
fn angle(part: f32, whole: f32) -> f32 {
    const SERIES: [f32; 8] =
        [-0.001_262_49, 0.006_670_09, -0.017_088_13, 0.030_891_88, -0.050_174_3, 0.088_978_99, -0.214_598_8, FRAC_PI_2];
    let x = ((part + 0.375) / (whole + 0.75)).clamp(0.0, 1.0).sqrt();
    let mut sum = 0.0;
    for term in SERIES {
        sum = sum * x + term;
    }
    FRAC_PI_2 - (1.0 - x).sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn an_angle_is_the_arcsine_of_the_root() {
        for part in [0.0_f32, 1.0, 20.0, 50.0, 99.0, 100.0] {
            let exact = ((part + 0.375) / 100.75).sqrt().asin();
            assert!((angle(part, 100.0) - exact).abs() < 1e-6, "{part}");
        }
    }

    #[test]
    fn a_share_is_as_far_off_as_its_binomial_noise_says() {
        let mut share = Share::new();
        (0..5000).for_each(|_| share.learn(10.0, 100.0, 1.0));
        let [now, ..] = share.observe(1, 10.0, 100.0, share.share());
        assert_close(now, 0.0, "the usual tenth");
        assert_close(share.share() * 100.0, 10.0, "of 100");
        // Sixteen of a hundred are two standard deviations (3) above ten.
        assert!((1.7..2.1).contains(&share.observe(1, 16.0, 100.0, share.share())[0]));
        // One of one proves little.
        assert!(share.observe(1, 1.0, 1.0, share.share())[0] < 1.5);
    }
}
