//! The statistics of one bucket side by side: which channel each belongs to, and how far each lies beyond its usual extremes.

#![expect(clippy::indexing_slicing, reason = "slots are constants within the length of their array")]

use std::ops::Range;

use super::Channel;
use super::extremes::{Extremes, larger};

/// Statistics in each direction: seven of volume, four each of three other channels, and the change of four rates; and one
/// that is never heard of, for a multiple of eight.
pub(super) const SIGNALS: usize = 7 + 3 * 4 + 4 + 1;
/// The slots of each channel: its distances, by time scale, and its change. Those of volume from the last hours come last.
const CHANNELS: [(Channel, Range<usize>, usize); 4] = [
    (Channel::Total, 0..7, 19),
    (Channel::AuthFail, 7..11, 20),
    (Channel::Top1, 11..15, 21),
    (Channel::Distinct, 15..19, 22),
];
/// Among the slots of a channel: the time scale of a quarter of an hour, and those that look further back.
const QUARTER_HOUR: usize = 1;
const FURTHER: [bool; 8] = [false, false, true, true, false, false, true, true];
/// The distance in the last quarter of an hour from which on an anomaly in the longer windows still goes on.
const GOES_ON: f32 = 0.5;

/// A number per statistic, once for more than expected and once for less; not a number = not heard of.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) more: [f32; SIGNALS],
    pub(super) less: [f32; SIGNALS],
}

/// The usual extremes of every statistic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usual {
    pub(super) more: Extremes<SIGNALS>,
    pub(super) less: Extremes<SIGNALS>,
}

/// The statistic of a channel that stands out most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standout {
    pub(super) channel: Channel,
    /// Negative = less than expected.
    pub(super) z: f32,
    /// Spreads above the usual extremes of a block.
    pub(super) excess: f32,
    /// Measured from the level of the last hours instead of the profile.
    pub(super) is_local: bool,
}

impl Evidence {
    pub(super) const fn none() -> Self {
        Self { more: [f32::NAN; SIGNALS], less: [f32::NAN; SIGNALS] }
    }

    pub(super) fn total(&mut self, distances: &[f32; 7], change: [f32; 2]) {
        self.put(0, distances, change);
    }

    /// Fewer failures than usual trouble nobody.
    pub(super) fn auth_fail(&mut self, distances: &[f32; 4], change: [f32; 2]) {
        self.put(1, distances, change);
        self.less[7..11].fill(f32::NAN);
        self.less[20] = f32::NAN;
    }

    pub(super) fn top1(&mut self, distances: &[f32; 4], change: [f32; 2]) {
        self.put(2, distances, change);
    }

    pub(super) fn distinct(&mut self, distances: &[f32; 4], change: [f32; 2]) {
        self.put(3, distances, change);
    }

    /// Signed distances of a channel, and the evidence that its rate has risen or fallen.
    fn put(&mut self, channel: usize, distances: &[f32], [risen, fallen]: [f32; 2]) {
        let (_, slots, change) = &CHANNELS[channel];
        for ((more, less), distance) in
            self.more[slots.clone()].iter_mut().zip(&mut self.less[slots.clone()]).zip(distances)
        {
            (*more, *less) = (*distance, -distance);
        }
        (self.more[*change], self.less[*change]) = (risen, fallen);
    }

    /// The largest number of all.
    pub(super) fn largest(&self) -> f32 {
        // Eight at a time, since each comparison in a single row would wait for the one before.
        let mut most = [f32::NEG_INFINITY; 8];
        for eight in self.more.as_chunks().0.iter().chain(self.less.as_chunks().0) {
            for (most, number) in most.iter_mut().zip(eight as &[f32; 8]) {
                *most = larger(*number, *most);
            }
        }
        most.into_iter().fold(f32::NEG_INFINITY, |most, number| larger(number, most))
    }

    /// Hands over, per channel heard of, the statistic with the largest of the numbers in `excess` that still goes on; of a calm
    /// bucket that of the shortest time scale.
    pub(super) fn for_each_standout(&self, excess: &Self, is_calm: bool, mut tell: impl FnMut(Standout)) {
        for (channel, slots, change) in &CHANNELS {
            let first = slots.start;
            if !self.more[first].is_finite() {
                continue;
            }
            if is_calm {
                tell(Standout { channel: *channel, z: self.more[first], excess: excess.more[first], is_local: false });
                continue;
            }
            let more = strongest(&self.more, &excess.more, slots, *change);
            let less = strongest(&self.less, &excess.less, slots, *change);
            let (z, (slot, excess)) =
                if less.1 > more.1 { (-self.less[less.0], less) } else { (self.more[more.0], more) };
            let is_local = *channel == Channel::Total && (4..7).contains(&slot);
            tell(Standout { channel: *channel, z, excess, is_local });
        }
    }
}

/// The slot with the largest excess. What lies in the longer windows counts only while the last quarter of an hour shows it
/// as well: an anomaly that is over would else be reported until they have forgotten it.
fn strongest(values: &[f32; SIGNALS], excess: &[f32; SIGNALS], slots: &Range<usize>, change: usize) -> (usize, f32) {
    let goes_on = values[slots.start + QUARTER_HOUR] >= GOES_ON;
    let mut most = (slots.start, excess[slots.start]);
    for (slot, is_further) in slots.clone().zip(FURTHER) {
        if excess[slot] > most.1 && (goes_on || !is_further) {
            most = (slot, excess[slot]);
        }
    }
    if excess[change] > most.1 && goes_on { (change, excess[change]) } else { most }
}

impl Usual {
    pub(super) const fn new() -> Self {
        Self { more: Extremes::new(), less: Extremes::new() }
    }

    /// Spreads above the usual largest value of a block.
    pub(super) fn excess(&self, evidence: &Evidence) -> Evidence {
        Evidence { more: self.more.excess(&evidence.more), less: self.less.excess(&evidence.less) }
    }

    pub(super) fn watch(&mut self, evidence: &Evidence) {
        self.more.watch(&evidence.more);
        self.less.watch(&evidence.less);
    }

    pub(super) fn settle(&mut self) {
        self.more.settle();
        self.less.settle();
    }

    pub(super) fn close_block(&mut self, blocks: f32) {
        self.more.close_block(blocks);
        self.less.close_block(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(distances: &[f32; 4], change: [f32; 2]) -> Evidence {
        let mut evidence = Evidence::none();
        evidence.top1(distances, change);
        evidence
    }

    fn standouts(evidence: &Evidence, usual: &Usual) -> Vec<Standout> {
        let mut standouts = Vec::new();
        evidence.for_each_standout(&usual.excess(evidence), false, |standout| standouts.push(standout));
        standouts
    }

    #[test]
    fn the_direction_that_stands_out_gives_the_sign() {
        let usual = Usual::new();
        for (distances, z) in [([9.0, 1.0, 1.0, 1.0], 9.0), ([-9.0, 1.0, 1.0, 1.0], -9.0)] {
            let evidence = evidence(&distances, [0.0; 2]);
            let standouts = standouts(&evidence, &usual);
            assert_eq!(standouts.len(), 1, "only the channel that was heard of");
            assert_eq!((standouts[0].channel, standouts[0].z), (Channel::Top1, z));
        }
    }

    #[test]
    fn what_is_over_stands_out_no_longer_though_the_long_windows_remember_it() {
        let usual = Usual::new();
        for (quarter_hour, stands_out) in [(0.6, true), (0.4, false)] {
            let evidence = evidence(&[0.0, quarter_hour, 20.0, 20.0], [9.0, 0.0]);
            assert!(usual.excess(&evidence).largest() > 10.0);
            let standouts = standouts(&evidence, &usual);
            assert_eq!(standouts.iter().any(|it| it.excess > 0.0), stands_out, "{quarter_hour}");
        }
    }

    #[test]
    fn fewer_failures_trouble_nobody() {
        let mut evidence = Evidence::none();
        evidence.auth_fail(&[-20.0; 4], [0.0, 30.0]);
        assert!(standouts(&evidence, &Usual::new()).iter().all(|it| it.excess < 0.0));
    }
}
