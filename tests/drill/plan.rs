//! What goes wrong, and when: nothing but the seed decides it.

use std::{collections::BTreeMap, time::Duration};

/// Everything that fails, one after another in each lane, and lanes beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    DnsSlow,
    DnsSilent,
    DnsFailing,
    DnsTruncated,
    DnsTruncatedForGood,
    DnsCutShort,
    DnsLyingCounts,
    DnsLyingLengths,
    DnsGarbage,
    DnsForged,
    TableThrottled,
    TableKeyThrottled,
    TableDown,
    TableSilent,
    TableSlow,
    TableLosesAnswers,
    TableHoldsAnswers,
    BucketDown,
    BucketBusy,
    BucketSlow,
    BucketTruncates,
    BucketLosesAnswers,
    TopicDown,
    TopicFailing,
    TopicLosesAnswers,
    InvocationsThrottled,
    InvocationsCut,
    InspectorsKilled,
    InspectingChildrenKilled,
    VerifiersKilled,
    ClockAhead,
    ClockBehind,
}

use Kind::{
    BucketBusy, BucketDown, BucketLosesAnswers, BucketSlow, BucketTruncates, ClockAhead, ClockBehind, DnsCutShort,
    DnsFailing, DnsForged, DnsGarbage, DnsLyingCounts, DnsLyingLengths, DnsSilent, DnsSlow, DnsTruncated,
    DnsTruncatedForGood, InspectingChildrenKilled, InspectorsKilled, InvocationsCut, InvocationsThrottled, TableDown,
    TableHoldsAnswers, TableKeyThrottled, TableLosesAnswers, TableSilent, TableSlow, TableThrottled, TopicDown,
    TopicFailing, TopicLosesAnswers, VerifiersKilled,
};

/// What fails at one place, and so never twice at the same time.
const LANES: [&[Kind]; 7] = [
    &[
        DnsSlow,
        DnsSilent,
        DnsFailing,
        DnsTruncated,
        DnsTruncatedForGood,
        DnsCutShort,
        DnsLyingCounts,
        DnsLyingLengths,
        DnsGarbage,
        DnsForged,
    ],
    &[TableThrottled, TableKeyThrottled, TableDown, TableSilent, TableSlow, TableLosesAnswers, TableHoldsAnswers],
    &[BucketDown, BucketBusy, BucketSlow, BucketTruncates, BucketLosesAnswers],
    &[TopicDown, TopicFailing, TopicLosesAnswers],
    &[InvocationsThrottled, InvocationsCut],
    &[InspectorsKilled, InspectingChildrenKilled, VerifiersKilled],
    &[ClockAhead, ClockBehind],
];

/// One failure from its beginning, counted from that of the storm, to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Episode {
    pub(crate) kind: Kind,
    pub(crate) begins: Duration,
    pub(crate) lasts: Duration,
}

/// Numbers that depend on nothing but the seed (Vigna's splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Of one purpose, so that a throw more for one changes nothing for the others.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0xff51_afd7_ed55_8ccd));
        dice.throw();
        dice
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.throw() % limit as u64).expect("less than a usize")
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = usize::try_from((most - least).as_millis()).expect("a short time");
        least + Duration::from_millis(self.below(span + 1) as u64)
    }

    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    fn shuffle<T>(&mut self, cards: &mut [T]) {
        for last in (1..cards.len()).rev() {
            cards.swap(last, self.below(last + 1));
        }
    }
}

/// In the order of their beginnings. In each lane every kind comes once before one comes again, and between two of them all
/// is well for a while.
pub(crate) fn plan(seed: u64, storm: Duration) -> Vec<Episode> {
    let mut episodes: Vec<Episode> =
        (1..).zip(LANES).flat_map(|(purpose, lane)| episodes(&mut Dice::new(seed, purpose), lane, storm)).collect();
    episodes.sort_by_key(|episode| episode.begins);
    episodes
}

fn episodes(dice: &mut Dice, lane: &[Kind], storm: Duration) -> Vec<Episode> {
    // A storm of seconds has the same faults as one of minutes, each shorter.
    let scale = if storm < Duration::from_secs(60) { 3 } else { 1 };
    let [brief, pause, long] = [500, 3_000, 9_000].map(|millis| Duration::from_millis(millis) / scale);
    let mut episodes = Vec::new();
    let mut cards = Vec::new();
    let mut at = dice.between(brief, pause);
    loop {
        if cards.is_empty() {
            cards = lane.to_vec();
            dice.shuffle(&mut cards);
        }
        let lasts = dice.between(brief, pause * 2);
        if storm < at + lasts {
            return episodes;
        }
        let kind = cards.pop().expect("filled above");
        episodes.push(Episode { kind, begins: at, lasts });
        at += lasts + dice.between(brief, long);
    }
}

/// How many episodes there are of each kind.
pub(crate) fn census(episodes: &[Episode]) -> BTreeMap<Kind, usize> {
    let mut census = BTreeMap::new();
    for episode in episodes {
        *census.entry(episode.kind).or_default() += 1;
    }
    census
}

#[test]
fn a_seed_plans_the_same_storm_again_and_another_seed_another_one() {
    let minutes = Duration::from_mins(10);
    assert_eq!(plan(7, minutes), plan(7, minutes));
    assert_ne!(plan(7, minutes), plan(8, minutes));
    let kinds = LANES.concat();
    assert_eq!(census(&plan(7, minutes)).into_keys().collect::<Vec<_>>(), kinds, "each of them comes");
    for lane in LANES {
        let of_lane: Vec<_> = plan(7, minutes).into_iter().filter(|episode| lane.contains(&episode.kind)).collect();
        let apart = of_lane.windows(2).all(|two| two[0].begins + two[0].lasts < two[1].begins);
        assert!(apart, "{of_lane:?}");
    }
}
