//! The model of one series: distances, measured by their own extremes, into one judgement per bucket.

#![expect(clippy::indexing_slicing, reason = "slots are constants or counted modulo the length of their array")]

use serde::{Deserialize, Serialize};

use super::cold_start::{flood_level, is_limited_flood};
use super::extremes::{BLOCK, Extremes};
use super::incident::THRESHOLD;
use super::signals::{Breadth, Distance, Drift, SCALES, Share, Volume};
use super::state::Saved;
use super::{Channel, Explained, Kind, Measure, Observation};
use crate::bucket::Bucket;

/// Statistics under watch: 7 of volume and 4 each of three other channels, in both directions, and their 4 sums.
pub(super) const STATISTICS: usize = 2 * (7 + 3 * 4) + 4;
/// Excess over the usual extremes, in their spreads, that scores one half.
const HALF_SCORE: f64 = 6.0;
/// Buckets of history at which the band is still twice as wide: one day.
const COLD_BUCKETS: f64 = 288.0;
/// The score of what needs no history.
const CERTAIN: f64 = 0.9;
/// How far a bucket may move what is learned, in standard deviations; less when it is in doubt.
const REACH: f64 = 3.0;
const REACH_IN_DOUBT: f64 = 1.0;
const DOUBT: f64 = 0.3;
/// No counter of five minutes is larger, and its square fits an `f32`.
const LARGEST: f64 = 1e12;

/// What is known of one series. Serialises to about 2 KB, versioned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Model {
    pub(super) measure: Measure,
    pub(super) last: Option<Bucket>,
    /// Buckets observed, gaps not counted.
    pub(super) seen: u32,
    /// The most that was learned from any bucket.
    pub(super) highest: f64,
    pub(super) volume: Volume,
    pub(super) auth_fail: Share,
    pub(super) top1: Share,
    pub(super) breadth: Breadth,
    pub(super) drift: Drift,
    pub(super) extremes: [Extremes; STATISTICS],
}

/// One channel of a bucket: what was expected, what came, and how unusual that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub channel: Channel,
    pub kind: Kind,
    pub expected: f64,
    pub actual: f64,
    /// Distance in about standard deviations, at the time scale that stood out most; negative = less than expected.
    pub z: f64,
    /// 0 to 1; one half is as far above the usual extremes as an alert asks for.
    pub score: f64,
}

/// What is to be thought of one bucket: one reading per channel, the most unusual first. Empty: nothing can be said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    pub readings: Vec<Reading>,
}

impl Judgement {
    /// 0 (as usual) to 1.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.readings.first().map_or(0.0, |reading| reading.score)
    }

    /// What to call it: a flood changes every share as well, so it gives its name even when another channel stands out more.
    #[must_use]
    pub fn headline(&self) -> Option<&Reading> {
        let flood = self.readings.iter().find(|reading| reading.kind == Kind::Flood && reading.score >= THRESHOLD);
        flood.or(self.readings.first())
    }
}

/// A statistic and the place of its extremes.
struct Statistic {
    slot: usize,
    distance: Distance,
    /// The distance in the direction under watch.
    value: f64,
}

impl Model {
    #[must_use]
    pub fn new(measure: Measure) -> Self {
        Self {
            measure,
            last: None,
            seen: 0,
            highest: 0.0,
            volume: Volume::new(),
            auth_fail: Share::new(Channel::AuthFail),
            top1: Share::new(Channel::Top1),
            breadth: Breadth::new(),
            drift: Drift::new(),
            extremes: [Extremes::new(); STATISTICS],
        }
    }

    /// The last bucket observed.
    #[must_use]
    pub fn last(&self) -> Option<Bucket> {
        self.last
    }

    /// Judges a bucket by what came before it, then learns from it. A bucket that is not later than the last one observed, or
    /// without a finite total, changes nothing and is not judged: a scan may be repeated.
    pub fn observe(&mut self, observation: &Observation) -> Judgement {
        self.observe_during(observation, Explained::default())
    }

    /// Like [`Model::observe`] in a bucket of which a part is explained by what was announced.
    pub fn observe_during(&mut self, observation: &Observation, explained: Explained) -> Judgement {
        let bucket = observation.bucket;
        if !observation.total.is_finite() || self.last.is_some_and(|last| bucket <= last) {
            return Judgement::default();
        }
        let elapsed = self.last.map_or(1, |last| bucket.since(last));
        let counted = self.count(observation, explained);
        let statistics = self.statistics(bucket, elapsed, &counted);
        let mut readings = self.readings(&statistics);
        readings.extend(self.certain(&counted));
        readings.retain(|reading| reading.z.is_finite() && reading.expected.is_finite());
        readings.sort_by(|a, b| b.score.total_cmp(&a.score));
        let judgement = Judgement { readings };
        self.learn(bucket, &counted, &judgement, &statistics);
        self.begin_anew_if_astray();
        judgement
    }

    fn count(&self, observation: &Observation, explained: Explained) -> Counted {
        let (lowest, expected) = match self.measure {
            Measure::Count => (0.0, self.volume.profile.expected(observation.bucket)),
            Measure::Gauge => (-LARGEST, self.drift.expected()),
        };
        let whole = observation.total.clamp(lowest, LARGEST);
        let heard = |channel: Channel, value: Option<f64>| {
            value.filter(|value| value.is_finite() && !explained.mutes(channel)).map(|value| value.clamp(0.0, LARGEST))
        };
        Counted {
            whole,
            total: explained.total(whole, expected),
            auth_fail: heard(Channel::AuthFail, observation.auth_fail),
            top1: heard(Channel::Top1, observation.top1),
            distinct: heard(Channel::Distinct, observation.distinct),
            limited: heard(Channel::Limited, observation.limited),
        }
    }

    fn statistics(&mut self, bucket: Bucket, elapsed: u32, counted: &Counted) -> Vec<Statistic> {
        let Counted { whole, total, .. } = *counted;
        let mut watched = Watched::default();
        match self.measure {
            Measure::Gauge => watched.add(0, &self.drift.observe(elapsed, total)),
            Measure::Count => watched.add(0, &self.volume.observe(bucket, elapsed, total)),
        }
        if let Some(part) = counted.auth_fail {
            watched.add(7, &self.auth_fail.observe(elapsed, part, whole));
        }
        if let Some(part) = counted.top1 {
            watched.add(11, &self.top1.observe(elapsed, part, whole));
        }
        if let Some(distinct) = counted.distinct {
            watched.add(15, &self.breadth.observe(elapsed, distinct, whole));
        }
        watched.add_sums(&self.extremes);
        watched.0
    }

    /// The most unusual statistic of each channel.
    fn readings(&self, statistics: &[Statistic]) -> Vec<Reading> {
        let mut readings: Vec<Reading> = Vec::with_capacity(5);
        for statistic in statistics {
            let reading = self.reading(statistic);
            match readings.iter_mut().find(|known| known.channel == reading.channel) {
                Some(known) if known.score < reading.score => *known = reading,
                Some(_) => {}
                None => readings.push(reading),
            }
        }
        readings
    }

    fn reading(&self, statistic: &Statistic) -> Reading {
        let Distance { channel, expected, actual, z } = statistic.distance;
        let band = 1.0 + COLD_BUCKETS / f64::from(self.seen.max(1));
        let excess = self.extremes[statistic.slot].excess(statistic.value) / band;
        let score = if excess > 0.0 { excess / (excess + HALF_SCORE) } else { 0.0 };
        Reading { channel, kind: kind(&statistic.distance), expected, actual, z, score }
    }

    /// What needs no model: refusals by the rate limit, and an order of magnitude above a quiet past.
    fn certain(&self, counted: &Counted) -> Option<Reading> {
        let total = counted.total;
        let highest = (self.seen > 0).then_some(self.highest);
        let (channel, expected, actual) = match counted.limited {
            Some(limited) if is_limited_flood(limited, total) => (Channel::Limited, 0.0, limited),
            _ if self.measure == Measure::Count && total >= flood_level(highest) => {
                (Channel::Total, self.highest, total)
            }
            _ => return None,
        };
        Some(Reading { channel, kind: Kind::Flood, expected, actual, z: actual.sqrt(), score: CERTAIN })
    }

    fn learn(&mut self, bucket: Bucket, counted: &Counted, judgement: &Judgement, statistics: &[Statistic]) {
        let in_doubt = judgement.score() >= DOUBT;
        let (reach, trust) = if in_doubt { (REACH_IN_DOUBT, 0.1) } else { (REACH, 1.0) };
        let Counted { whole, total, .. } = *counted;
        match self.measure {
            Measure::Gauge => self.drift.learn(total, reach),
            Measure::Count => self.volume.learn(bucket, total, reach),
        }
        if let Some(part) = counted.auth_fail {
            self.auth_fail.learn(part, whole, trust);
        }
        if let Some(part) = counted.top1 {
            self.top1.learn(part, whole, trust);
        }
        if let Some(distinct) = counted.distinct {
            self.breadth.learn(distinct, whole, trust);
        }
        let highest = (self.seen > 0).then_some(self.highest);
        self.highest = self.highest.max(total.min(flood_level(highest)));
        for statistic in statistics {
            self.extremes[statistic.slot].watch(statistic.value);
        }
        self.advance(bucket);
    }

    fn advance(&mut self, bucket: Bucket) {
        self.last = Some(bucket);
        self.seen = self.seen.saturating_add(1);
        if self.seen.is_multiple_of(BLOCK) {
            let blocks = f64::from(self.seen / BLOCK - 1);
            self.extremes.iter_mut().for_each(|extremes| extremes.close_block(blocks));
        }
    }
}

/// An observation without what was announced, and without numbers that could harm a model.
struct Counted {
    /// All that came, which is what the other channels are parts of.
    whole: f64,
    /// The part of it that was not announced.
    total: f64,
    auth_fail: Option<f64>,
    top1: Option<f64>,
    distinct: Option<f64>,
    limited: Option<f64>,
}

#[derive(Default)]
struct Watched(Vec<Statistic>);

impl Watched {
    /// The directions of each distance that matter; `first` counts distances, not slots.
    fn add(&mut self, first: usize, distances: &[Distance]) {
        for (index, &distance) in distances.iter().enumerate() {
            let slot = 2 * (first + index);
            self.0.push(Statistic { slot, distance, value: distance.z });
            // Fewer failures than usual trouble nobody.
            if distance.channel != Channel::AuthFail {
                self.0.push(Statistic { slot: slot + 1, distance, value: -distance.z });
            }
        }
    }

    /// Per scale, the length of the vector of all channels, each in units of its usual extremes: an attack that is a little
    /// unusual everywhere. It is reported as the channel that contributes most.
    fn add_sums(&mut self, extremes: &[Extremes; STATISTICS]) {
        let relative = |statistic: &Statistic| (statistic.value / extremes[statistic.slot].mean.max(0.5)).max(0.0);
        for scale in 0..SCALES.len() {
            let slots = [0, 7, 11, 15].map(|first| 2 * (first + scale));
            let at_scale = self.0.iter().filter(|statistic| slots.contains(&(statistic.slot & !1)));
            let Some(most) = at_scale.clone().max_by(|a, b| relative(a).total_cmp(&relative(b))) else { continue };
            let sum: f64 = at_scale.map(|statistic| relative(statistic).powi(2)).sum();
            let slot = STATISTICS - SCALES.len() + scale;
            let statistic = Statistic { slot, distance: most.distance, value: 3.0 * sum.sqrt() };
            self.0.push(statistic);
        }
    }
}

fn kind(distance: &Distance) -> Kind {
    let more = distance.z > 0.0;
    match distance.channel {
        Channel::Total if !more => Kind::Silence,
        Channel::Total if distance.actual > 4.0 * distance.expected => Kind::Flood,
        Channel::Total => Kind::Spike,
        Channel::AuthFail => Kind::AuthFailSurge,
        Channel::Top1 if more => Kind::SingleSender,
        Channel::Top1 | Channel::Distinct => Kind::MixShift,
        Channel::Limited => Kind::Flood,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::{Announced, Occasion};

    /// A steady client: 20 requests a bucket, half as many at night, with a fixed pattern of noise.
    fn usual(bucket: Bucket) -> Observation {
        let hour = bucket.minute_of_week() / 60 % 24;
        let noise = f64::from(u32::from(bucket).wrapping_mul(2_654_435_761) >> 28) - 7.5;
        let total = (if hour < 6 { 10.0 } else { 20.0 } + noise * 0.5).round();
        let (auth_fail, top1, distinct) =
            (Some((total / 10.0).round()), Some((total / 2.0).round()), Some((total / 3.0).round()));
        Observation { bucket, total, auth_fail, top1, distinct, limited: Some(0.0) }
    }

    fn monday() -> Bucket {
        Bucket::parse("2026-01-05T00:00").expect("a time")
    }

    /// A model that has seen `days` of the steady client, and the bucket that comes next.
    fn after_days(days: u32) -> (Model, Bucket) {
        let mut model = Model::new(Measure::Count);
        let first = monday();
        for offset in 0..days * 288 {
            model.observe(&usual(first.plus(offset)));
        }
        (model, first.plus(days * 288))
    }

    fn found(model: &mut Model, observations: impl IntoIterator<Item = Observation>) -> Option<Kind> {
        let judgements = observations.into_iter().map(|observation| model.observe(&observation));
        judgements
            .filter(|judgement| judgement.score() >= 0.5)
            .last()
            .and_then(|judgement| Some(judgement.headline()?.kind))
    }

    #[test]
    fn a_steady_client_is_no_finding_in_five_weeks() {
        let mut model = Model::new(Measure::Count);
        assert_eq!(found(&mut model, (0..35 * 288).map(|offset| usual(monday().plus(offset)))), None);
    }

    #[test]
    fn each_kind_of_trouble_is_called_by_its_name_within_an_hour() {
        let with = |bucket: Bucket, change: fn(&mut Observation)| {
            let mut observation = usual(bucket);
            change(&mut observation);
            observation
        };
        for (kind, change) in [
            (Kind::Flood, (|it| it.total *= 20.0) as fn(&mut Observation)),
            (Kind::AuthFailSurge, |it| it.auth_fail = Some(it.total)),
            (Kind::SingleSender, |it| it.top1 = Some(it.total)),
            (Kind::MixShift, |it| it.distinct = Some(it.total)),
        ] {
            let (mut model, next) = after_days(15);
            let hour = (0..12).map(|offset| with(next.plus(96 + offset), change));
            assert_eq!(found(&mut model, hour), Some(kind));
        }
    }

    #[test]
    fn an_outage_is_silence_but_a_gap_is_nothing() {
        let nothing = |bucket| Observation { total: 0.0, auth_fail: None, top1: None, distinct: None, ..usual(bucket) };
        let (mut model, next) = after_days(15);
        let after_gap = (0..100).map(|offset| usual(next.plus(500 + offset)));
        assert_eq!(found(&mut model, after_gap), None);
        let outage = (0..12).map(|offset| nothing(next.plus(700 + offset)));
        assert_eq!(found(&mut model, outage), Some(Kind::Silence));
    }

    #[test]
    fn a_flood_is_seen_without_any_history() {
        let bare = |total, limited| Observation {
            total,
            limited,
            auth_fail: None,
            top1: None,
            distinct: None,
            bucket: monday(),
        };
        for (total, limited, kind) in
            [(499.0, None, None), (500.0, None, Some(Kind::Flood)), (200.0, Some(60.0), Some(Kind::Flood))]
        {
            assert_eq!(found(&mut Model::new(Measure::Count), [bare(total, limited)]), kind, "{total} {limited:?}");
        }
        let quiet = (0..3).map(|offset| Observation { bucket: monday().plus(offset), ..bare(2.0, None) });
        let burst = Observation { bucket: monday().plus(3), ..bare(120.0, None) };
        assert_eq!(found(&mut Model::new(Measure::Count), quiet.chain([burst])), Some(Kind::Flood));
    }

    #[test]
    fn an_announced_surge_is_no_finding_and_teaches_nothing() {
        let (mut model, next) = after_days(15);
        let campaign = [Announced { first: next, last: next.plus(11), occasion: Occasion::Campaign }];
        for offset in 0..12 {
            let bucket = next.plus(offset);
            let surge = Observation { total: 90.0, ..usual(bucket) };
            assert!(model.observe_during(&surge, Explained::by(&campaign, bucket)).score() < 0.5);
        }
        assert_eq!(found(&mut model, [Observation { total: 90.0, ..usual(next.plus(12)) }]), Some(Kind::Flood));
    }

    #[test]
    fn the_same_bucket_twice_changes_nothing() {
        let (mut model, next) = after_days(2);
        model.observe(&usual(next));
        let before = model.clone();
        assert_eq!(model.observe(&Observation { total: 1e6, ..usual(next) }), Judgement::default());
        assert_eq!(model, before);
    }

    #[test]
    fn numbers_that_are_none_never_reach_the_model() {
        let (mut model, next) = after_days(1);
        for (offset, value) in (0..).zip([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, f64::MAX, 1e-320]) {
            let bucket = next.plus(offset);
            let hostile = Some(value);
            model.observe(&Observation {
                auth_fail: hostile,
                top1: hostile,
                distinct: hostile,
                limited: hostile,
                ..usual(bucket)
            });
            model.observe(&Observation { total: value, ..usual(next.plus(10 + offset)) });
            assert!(model.is_finite(), "{value}");
        }
    }
}
