//! How far a statistic goes by itself: mean and spread of its largest value per block of time.
//!
//! An alert asks about extremes, and the tail of a bursty series has little to do with its variance. Standardising by block
//! maxima (extreme value theory in constant state) is what lets one threshold serve every series.

/// Buckets in a block: eight hours.
pub(super) const BLOCK: u32 = 96;
/// What is assumed before a block has ended, in blocks.
const PRIOR_BLOCKS: f64 = 3.0;
const PRIOR_MEAN: f64 = 3.0;
const PRIOR_SPREAD: f64 = 1.0;
/// Blocks after which one forgets as fast as one learns: two weeks.
const MEMORY: f64 = 42.0;
/// A maximum counts for at most this many spreads above the mean, so that an attack teaches little.
const CLIP: f64 = 3.0;

/// The largest value of the running block, and mean and spread over the blocks before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extremes {
    pub(super) largest: f64,
    pub(super) mean: f64,
    pub(super) spread: f64,
}

impl Extremes {
    pub(super) fn new() -> Self {
        Self { largest: 0.0, mean: PRIOR_MEAN, spread: PRIOR_SPREAD }
    }

    /// Spreads above the usual largest value of a block; negative below it.
    pub(super) fn excess(&self, value: f64) -> f64 {
        (value - self.mean) / self.spread.max(0.3 + 0.1 * self.mean)
    }

    pub(super) fn watch(&mut self, value: f64) {
        self.largest = self.largest.max(value.min(self.mean + CLIP * self.spread));
    }

    /// Ends the block after `blocks` earlier ones.
    pub(super) fn close_block(&mut self, blocks: f64) {
        let gain = 1.0 / (blocks + PRIOR_BLOCKS + 1.0).min(MEMORY);
        let off = self.largest - self.mean;
        self.mean += gain * off;
        // The mean absolute deviation of a Gaussian is 0.8 of its standard deviation.
        self.spread += gain * (1.25 * off.abs() - self.spread);
        self.largest = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(maxima: &[f64]) -> Extremes {
        let mut extremes = Extremes::new();
        for (blocks, &largest) in (0..).zip(maxima) {
            extremes.watch(1.0);
            extremes.watch(largest);
            extremes.close_block(f64::from(blocks));
        }
        extremes
    }

    #[test]
    fn what_a_series_does_by_itself_every_day_is_no_excess() {
        let bursty = after(&[9.0, 11.0].repeat(40));
        assert!((9.5..10.5).contains(&bursty.mean), "{}", bursty.mean);
        assert!(bursty.excess(11.0) < 1.0 && bursty.excess(30.0) > 10.0);
    }

    #[test]
    fn an_attack_teaches_little() {
        let quiet = after(&[3.0; 40]);
        let attacked = after(&[vec![3.0; 40], vec![1000.0]].concat());
        assert!(attacked.mean - quiet.mean < 0.1, "{} {}", attacked.mean, quiet.mean);
    }
}
