//! How far the latest buckets are from what was expected: evidence per channel, direction and time scale.

mod breadth;
mod change;
mod drift;
mod share;
mod volume;

use std::f32::consts::LN_2;

pub(super) use breadth::{Breadth, Seen as Senders};
pub(super) use change::{Change, Factors};
pub(super) use drift::Drift;
pub(super) use share::Share;
pub(super) use volume::{Seen as Traffic, Volume};

/// Buckets over which a statistic looks back. A burst shows at the first, a slow shift at the last.
pub(super) const SCALES: [f32; 4] = [1.0, 3.0, 9.0, 30.0];
/// What is left of each sum after one bucket.
const KEPT: [f32; 4] = [0.0, 2.0 / 3.0, 8.0 / 9.0, 29.0 / 30.0];
/// What one bucket adds to the longer windows at most, in standard deviations: no single bucket fills them for hours after it.
const FAR: f32 = 5.0;
/// Buckets over which noise and shares are learned: four days.
const SLOW: f32 = 1152.0;

/// Decaying sums over the time scales.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Windows(pub(super) [f32; 4]);

impl Windows {
    pub(super) const fn new() -> Self {
        Self([0.0; 4])
    }

    /// Ages the sums by `buckets`, gaps included, then adds what came in the last of them: `first` to the shortest,
    /// `later` to the others.
    fn take(&mut self, buckets: u32, first: f32, later: f32) {
        self.add(kept(buckets), first, later);
    }

    /// Like `take`, for the variance of a sum, which decays twice as fast.
    fn take_variance(&mut self, buckets: u32, value: f32) {
        self.add(kept(buckets).map(|kept| kept * kept), value, value);
    }

    fn add(&mut self, kept: [f32; 4], first: f32, later: f32) {
        for ((sum, kept), value) in self.0.iter_mut().zip(kept).zip([first, later, later, later]) {
            *sum = *sum * kept + value;
        }
    }
}

fn kept(buckets: u32) -> [f32; 4] {
    match buckets {
        1 => KEPT,
        // After a week nothing is left that could be told from zero.
        _ => KEPT.map(|kept| kept.powi(i32::try_from(buckets.min(2016)).unwrap_or(2016))),
    }
}

/// Learns one more value into a decaying sum.
fn blend(sum: &mut f32, value: f32) {
    *sum += value - *sum * (1.0 / SLOW);
}

/// The natural logarithm of a normal positive number, to within rounding, without a branch: several at once take the time of
/// one. The series of the inverse hyperbolic tangent over a mantissa between the roots of 1/2 and 2.
fn ln(x: f32) -> f32 {
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let exponent = x.to_bits().wrapping_sub(ROOT_HALF).cast_signed() >> 23;
    let mantissa = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23).cast_unsigned()));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = 1.0 + square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
    whole(exponent) * LN_2 + 2.0 * s * series
}

#[expect(clippy::cast_precision_loss, reason = "the exponent of an f32 has eight bits")]
fn whole(exponent: i32) -> f32 {
    exponent as f32
}

/// Like `clamp`, but a bound or value that is not a number cannot panic.
fn within(value: f32, low: f32, high: f32) -> f32 {
    value.min(high).max(low)
}

#[cfg(test)]
#[test]
fn the_logarithm_is_that_of_the_library() {
    for x in [1e-30_f32, 0.1, 0.7, 0.71, 0.999, 1.0, 1.001, 1.4, 1.42, 2.0, 3.0, 1e6, 1e30] {
        assert!((ln(x) - x.ln()).abs() <= 2e-7 * x.ln().abs().max(1.0), "{x}");
    }
}

#[cfg(test)]
fn assert_close(actual: f32, expected: f32, what: &str) {
    assert!((actual - expected).abs() < 0.01, "{what}: {actual}, not {expected}");
}
