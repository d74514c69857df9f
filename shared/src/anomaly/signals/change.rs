//! A lasting change of a rate, however small: cumulative sums of the likelihood of a changed Poisson rate (Page 1954).

use super::ln;

/// Nats of evidence kept at most, so that the end of a change is seen soon after it.
const MOST: f32 = 60.0;

/// Nats of contrary evidence that end a change.
const OVER: f32 = 5.0;

/// Evidence that a rate has risen, and that it has fallen, by given factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::anomaly) struct Change {
    pub(in crate::anomaly) risen: f32,
    pub(in crate::anomaly) fallen: f32,
    /// The most of each since it was nothing.
    pub(in crate::anomaly) peaks: [f32; 2],
}

/// Factors of a rise and a fall, with their logarithms.
pub(in crate::anomaly) struct Factors {
    pub(in crate::anomaly) rise: f32,
    pub(in crate::anomaly) fall: f32,
}

impl Change {
    pub(in crate::anomaly) const fn new() -> Self {
        Self { risen: 0.0, fallen: 0.0, peaks: [0.0; 2] }
    }

    /// Evidence of a rise and of a fall, in units close to standard deviations: a Gaussian `z` is worth `z * z / 2` nats.
    pub(in crate::anomaly) fn evidence(&self) -> [f32; 2] {
        [(2.0 * self.risen).sqrt(), (2.0 * self.fallen).sqrt()]
    }

    /// Adds a bucket of `seen` events where `usual` were expected. `weight` below one says that its noise is larger than that of
    /// a Poisson count.
    #[inline]
    pub(in crate::anomaly) fn observe(&mut self, seen: f32, usual: f32, weight: f32, factors: &Factors) {
        let gain = |factor: f32| weight * (seen * ln(factor) - (factor - 1.0) * usual);
        let [most_risen, most_fallen] = &mut self.peaks;
        gather(&mut self.risen, most_risen, gain(factors.rise));
        gather(&mut self.fallen, most_fallen, gain(factors.fall));
    }
}

fn gather(sum: &mut f32, peak: &mut f32, gain: f32) {
    *sum = (*sum + gain).clamp(0.0, MOST);
    *peak = peak.max(*sum);
    if *peak - *sum > OVER {
        (*sum, *peak) = (0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTORS: Factors = Factors { rise: 2.0, fall: 0.5 };

    #[test]
    fn a_lasting_change_gathers_evidence_and_its_end_takes_it_away() {
        let mut change = Change::new();
        (0..100).for_each(|_| change.observe(1.0, 1.0, 1.0, &FACTORS));
        assert!(change.risen < 1.0 && change.fallen < 1.0, "{change:?}");
        (0..40).for_each(|_| change.observe(2.0, 1.0, 1.0, &FACTORS));
        assert!(change.risen > 10.0 && change.fallen < 1.0, "{change:?}");
        (0..100).for_each(|_| change.observe(0.0, 1.0, 1.0, &FACTORS));
        assert!(change.risen < 1.0 && change.fallen > 30.0, "{change:?}");
    }
}
