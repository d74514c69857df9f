//! How far a statistic goes by itself: mean and spread of its largest value per block of time.
//!
//! An alert asks about extremes, and the tail of a bursty series has little to do with its variance. Standardising by block
//! maxima (extreme value theory in constant state) is what lets one threshold serve every series.

/// Buckets in a block: eight hours.
pub(super) const BLOCK: u32 = 96;
/// What is assumed before a block has ended, in blocks.
const PRIOR_BLOCKS: f32 = 3.0;
const PRIOR_MEAN: f32 = 3.0;
const PRIOR_SPREAD: f32 = 1.0;
/// Blocks after which one forgets as fast as one learns: two weeks.
const MEMORY: f32 = 42.0;
/// A maximum counts for at most this many spreads above the mean, so that an attack teaches little.
const CLIP: f32 = 3.0;
/// No series is steadier than that: the least mean, the least spread, and the least spread as part of the mean.
const LEAST_MEAN: f32 = 1.5;
const LEAST_SPREAD: f32 = 0.25;
const LEAST_RELATIVE_SPREAD: f32 = 0.08;
/// The largest of a block in which a statistic was not heard of. No statistic counts below zero.
pub(super) const UNHEARD: f32 = -1.0;

/// For each of `N` statistics the largest value of the running block, and mean and spread over the blocks before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extremes<const N: usize> {
    pub(super) largest: [f32; N],
    pub(super) mean: [f32; N],
    pub(super) spread: [f32; N],
    /// What follows from mean and spread, which change once a block: where excess begins, and how much of it a unit is.
    begins: [f32; N],
    per_unit: [f32; N],
}

impl<const N: usize> Extremes<N> {
    pub(super) const fn new() -> Self {
        Self {
            largest: [UNHEARD; N],
            mean: [PRIOR_MEAN; N],
            spread: [PRIOR_SPREAD; N],
            begins: [PRIOR_MEAN; N],
            per_unit: [1.0 / PRIOR_SPREAD; N],
        }
    }

    /// Spreads above the usual largest value of a block; negative below it. What is not a number was not heard of.
    pub(super) fn excess(&self, values: &[f32; N]) -> [f32; N] {
        let mut excess = *values;
        for ((value, begins), per_unit) in excess.iter_mut().zip(&self.begins).zip(&self.per_unit) {
            *value = (*value - begins) * per_unit;
        }
        excess
    }

    /// The value of the first statistic that is `excess` spreads above its usual largest one.
    pub(super) fn first_at(&self, excess: f32) -> f32 {
        self.begins[0] + excess / self.per_unit[0]
    }

    /// To be called whenever means and spreads were set.
    pub(super) fn settle(&mut self) {
        let known = self.mean.iter().zip(&self.spread);
        for ((begins, per_unit), (mean, spread)) in self.begins.iter_mut().zip(&mut self.per_unit).zip(known) {
            *begins = larger(*mean, LEAST_MEAN);
            *per_unit = 1.0 / larger(*spread, LEAST_SPREAD + LEAST_RELATIVE_SPREAD * *begins);
        }
    }

    pub(super) fn watch(&mut self, values: &[f32; N]) {
        let known = self.mean.iter().zip(&self.spread);
        for ((largest, value), (mean, spread)) in self.largest.iter_mut().zip(values).zip(known) {
            // What is not a number is not larger than zero, nor equal to itself.
            let clipped = -larger(-larger(*value, 0.0), -(mean + CLIP * spread));
            *largest = larger(if value.is_nan() { UNHEARD } else { clipped }, *largest);
        }
    }

    /// Ends the block after `blocks` earlier ones.
    pub(super) fn close_block(&mut self, blocks: f32) {
        let gain = 1.0 / (blocks + PRIOR_BLOCKS + 1.0).min(MEMORY);
        let known = self.mean.iter_mut().zip(&mut self.spread);
        for (largest, (mean, spread)) in self.largest.iter_mut().zip(known) {
            if *largest >= 0.0 {
                let off = *largest - *mean;
                *mean += gain * off;
                // The mean absolute deviation of a Gaussian is 0.8 of its standard deviation.
                *spread += gain * (1.25 * off.abs() - *spread);
            }
            *largest = UNHEARD;
        }
        self.settle();
    }
}

/// The larger of two numbers, `b` if `a` is none: one instruction, which `f32::max` is not.
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(maxima: &[f32]) -> Extremes<2> {
        let mut extremes = Extremes::new();
        for (blocks, &largest) in (0_u8..).zip(maxima) {
            extremes.watch(&[1.0, f32::NAN]);
            extremes.watch(&[largest, f32::NAN]);
            extremes.close_block(f32::from(blocks));
        }
        extremes
    }

    #[test]
    fn what_a_series_does_by_itself_every_day_is_no_excess() {
        let bursty = after(&[9.0, 11.0].repeat(40));
        assert!((9.5..10.5).contains(&bursty.mean[0]), "{bursty:?}");
        assert!(bursty.excess(&[11.0; 2])[0] < 1.0 && bursty.excess(&[30.0; 2])[0] > 10.0);
    }

    #[test]
    fn an_attack_teaches_little() {
        let quiet = after(&[3.0; 40]);
        let attacked = after(&[vec![3.0; 40], vec![1000.0]].concat());
        assert!(attacked.mean[0] - quiet.mean[0] < 0.1, "{attacked:?} {quiet:?}");
    }

    #[test]
    fn what_is_not_heard_of_teaches_nothing() {
        let extremes = after(&[9.0; 40]);
        assert_eq!((extremes.mean[1], extremes.spread[1]), (PRIOR_MEAN, PRIOR_SPREAD));
        assert!(extremes.excess(&[f32::NAN; 2])[1].is_nan());
    }
}
