//! The model of one series: distances, measured by their own extremes, into one judgement per bucket.

use serde::Deserialize;

use super::cold_start::{flood_level, is_limited_flood};
use super::evidence::{Evidence, Standout, Usual};
use super::extremes::BLOCK;
use super::profile::{Expectation, Profile, WEEK};
use super::signals::{Breadth, Change, Drift, Factors, Senders, Share, Traffic, Volume};
use super::state::Saved;
use super::{Band, Channel, Explained, Judgement, Kind, Measure, Observation, Reading};
use crate::bucket::Bucket;

/// Excess over the usual extremes, in their spreads, that scores one half.
const HALF_SCORE: f64 = 6.0;
/// Excess up to which nobody asks which time scale stands out.
const OF_NO_NOTE: f32 = 1.0;
/// Buckets of history at which the band is still twice as wide: one day.
const COLD_BUCKETS: f32 = 288.0;
/// The score of what needs no history.
const CERTAIN: f64 = 0.9;
/// How far a bucket may move what is learned, in standard deviations; less when it is in doubt.
const REACH: f32 = 3.0;
const REACH_IN_DOUBT: f32 = 1.0;
const DOUBT: f64 = 0.3;
/// Buckets after the end of an anomaly until it is forgotten: one hour.
const OVER: u8 = 12;
/// Traffic that is more than so many times the expected is a flood.
const MANY_TIMES: f32 = 4.0;
/// No counter of five minutes is larger, and its square fits an `f32`.
const LARGEST: f64 = 1e12;

/// Changes of a rate that are looked for: low and slow, and what is nearly gone.
const TRAFFIC: Factors = Factors { rise: 1.5, fall: 0.25 };
const FAILURES: Factors = Factors { rise: 3.0, fall: 0.5 };
const SENDERS: Factors = Factors { rise: 1.7, fall: 0.4 };

/// What is known of one series.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Model {
    pub(super) measure: Measure,
    pub(super) last: Option<Bucket>,
    /// Buckets observed, gaps not counted.
    pub(super) seen: u32,
    /// Minutes that the clock of the series is ahead of UTC.
    pub(super) ahead: i16,
    /// Buckets in a row in which an earlier anomaly lingers in the longer windows but does not go on.
    pub(super) stale: u8,
    /// The most that was learned from any bucket.
    pub(super) highest: f32,
    pub(super) profile: Profile,
    pub(super) volume: Volume,
    pub(super) auth_fail: Share,
    pub(super) top1: Share,
    pub(super) breadth: Breadth,
    pub(super) drift: Drift,
    /// Of total, failures, the first sender, and what comes from senders that came already.
    pub(super) changes: [Change; 4],
    pub(super) usual: Usual,
}

impl Model {
    #[must_use]
    pub const fn new(measure: Measure) -> Self {
        Self {
            measure,
            last: None,
            seen: 0,
            ahead: 0,
            stale: 0,
            highest: 0.0,
            profile: Profile::new(),
            volume: Volume::new(),
            auth_fail: Share::new(),
            top1: Share::new(),
            breadth: Breadth::new(),
            drift: Drift::new(),
            changes: [Change::new(); 4],
            usual: Usual::new(),
        }
    }

    /// Sets the clock that the rhythm of the series follows, in minutes ahead of UTC; to be called again when the clock changes.
    /// Where the offset is that of the time zone at each bucket, summer time begins and ends without a finding.
    pub fn set_clock(&mut self, minutes_ahead: i32) {
        const DAY: i32 = 24 * 60;
        self.ahead = i16::try_from(minutes_ahead.clamp(-DAY, DAY)).unwrap_or_default();
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
        let (evidence, traffic) = self.evidence(elapsed, &counted);
        let excess = self.usual.excess(&evidence);
        let largest = excess.largest();
        let judgement = self.judgement(&evidence, &excess, largest <= OF_NO_NOTE, &counted);
        let goes_on = judgement.score() >= DOUBT;
        self.learn(&counted, &traffic, goes_on);
        self.usual.watch(&evidence);
        self.forget_what_is_over(goes_on, self.score(largest) >= DOUBT);
        self.advance(bucket);
        judgement
    }

    /// What is expected of a bucket, and how far its total may be from that without a finding by itself. Learns nothing.
    #[must_use]
    pub fn band(&self, bucket: Bucket) -> Band {
        self.band_around(self.expected(bucket))
    }

    /// The total that is expected of a bucket.
    #[must_use]
    pub fn expected(&self, bucket: Bucket) -> f64 {
        match self.measure {
            Measure::Gauge => self.drift.expected().into(),
            Measure::Count => self.profile.expect(self.minute(bucket)).mean.into(),
        }
    }

    /// The band of a bucket of late, of which that much was expected. Not a number around none.
    #[must_use]
    pub fn band_around(&self, expected: f64) -> Band {
        if !expected.is_finite() {
            return Band { expected: f64::NAN, low: f64::NAN, high: f64::NAN };
        }
        let excess = narrow(HALF_SCORE) * self.widening();
        let limits = [self.usual.less.first_at(excess), self.usual.more.first_at(excess)];
        let centre = narrow(expected.clamp(-LARGEST, LARGEST));
        let (lowest, [low, high]) = match self.measure {
            Measure::Gauge => (f32::NEG_INFINITY, self.drift.bounds(centre, limits)),
            Measure::Count => (0.0, self.volume.bounds(centre, limits)),
        };
        let low = low.min(centre).max(lowest);
        Band { expected, low: low.into(), high: high.max(centre).into() }
    }

    /// Local minutes since Monday 00:00.
    fn minute(&self, bucket: Bucket) -> u32 {
        let week = i64::from(WEEK);
        let local = (i64::from(bucket.minute_of_week()) + i64::from(self.ahead)).rem_euclid(week);
        u32::try_from(local).unwrap_or_default()
    }

    fn count(&self, observation: &Observation, explained: Explained) -> Counted {
        let expectation = self.profile.expect(self.minute(observation.bucket));
        let (lowest, expected) = match self.measure {
            Measure::Count => (0.0, expectation.mean),
            Measure::Gauge => (-LARGEST, self.drift.expected()),
        };
        let whole = narrow(observation.total.clamp(lowest, LARGEST));
        let heard = |channel: Channel, value: Option<f64>| {
            let value = value.filter(|value| value.is_finite() && !explained.mutes(channel))?;
            Some(narrow(value.clamp(0.0, LARGEST)))
        };
        let distinct = heard(Channel::Distinct, observation.distinct);
        Counted {
            whole,
            total: explained.total(whole, expected),
            expected,
            expectation,
            auth_fail: heard(Channel::AuthFail, observation.auth_fail),
            top1: heard(Channel::Top1, observation.top1),
            senders: distinct.map(|distinct| self.breadth.see(distinct, whole)),
            limited: heard(Channel::Limited, observation.limited),
        }
    }

    fn evidence(&mut self, elapsed: u32, counted: &Counted) -> (Evidence, Traffic) {
        let Counted { whole, total, expected, .. } = *counted;
        let mut evidence = Evidence::none();
        let [of_total, of_failures, of_first, of_repeats] = &mut self.changes;
        let traffic = self.volume.observe(elapsed, total, expected);
        match self.measure {
            Measure::Gauge => evidence.total(&self.drift.observe(elapsed, total), [f32::NAN; 2]),
            Measure::Count => {
                of_total.observe(traffic.clipped, expected, self.volume.weight(&traffic), &TRAFFIC);
                evidence.total(&traffic.distances, of_total.evidence());
            }
        }
        if let Some(part) = counted.auth_fail {
            let usual = self.auth_fail.share();
            of_failures.observe(part.min(whole), usual * whole, 1.0, &FAILURES);
            evidence.auth_fail(&self.auth_fail.observe(elapsed, part, whole, usual), of_failures.evidence());
        }
        if let Some(part) = counted.top1 {
            let usual = self.top1.share();
            of_first.observe(part.min(whole), usual * whole, 1.0, &SENDERS);
            evidence.top1(&self.top1.observe(elapsed, part, whole, usual), of_first.evidence());
        }
        if let Some(senders) = &counted.senders {
            let (repeats, usual) = (whole - senders.distinct, whole - senders.expected);
            of_repeats.observe(repeats.max(0.0), usual.max(0.0), 1.0, &SENDERS);
            // Fewer repeats are more senders.
            let [more_repeats, fewer_repeats] = of_repeats.evidence();
            evidence.distinct(&self.breadth.observe(elapsed, senders), [fewer_repeats, more_repeats]);
        }
        (evidence, traffic)
    }

    fn judgement(&self, evidence: &Evidence, excess: &Evidence, is_calm: bool, counted: &Counted) -> Judgement {
        let mut readings = Vec::with_capacity(5);
        evidence.for_each_standout(excess, is_calm, |standout| {
            let reading = self.reading(&standout, counted);
            if reading.z.is_finite() && reading.expected.is_finite() {
                readings.push(reading);
            }
        });
        let certain = self.certain(counted);
        if !is_calm || certain.is_some() {
            readings.extend(certain);
            readings.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Judgement { readings }
    }

    fn reading(&self, standout: &Standout, counted: &Counted) -> Reading {
        let Standout { channel, z, excess, is_local } = *standout;
        let (expected, actual) = match channel {
            Channel::Total if is_local => (counted.expected * self.volume.recent(), counted.total),
            Channel::Total => (counted.expected, counted.total),
            Channel::AuthFail | Channel::Part => {
                (self.auth_fail.share() * counted.whole, counted.auth_fail.unwrap_or_default())
            }
            Channel::Top1 => (self.top1.share() * counted.whole, counted.top1.unwrap_or_default()),
            Channel::Distinct => counted.senders.map_or((0.0, 0.0), |senders| (senders.expected, senders.distinct)),
            Channel::Limited => (0.0, counted.limited.unwrap_or_default()),
        };
        let score = self.score(excess);
        let kind = Kind::of(channel, z > 0.0, actual > MANY_TIMES * expected);
        Reading { channel, kind, expected: expected.into(), actual: actual.into(), z: z.into(), score }
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
        let z = actual.sqrt().into();
        Some(Reading {
            channel,
            kind: Kind::Flood,
            expected: expected.into(),
            actual: actual.into(),
            z,
            score: CERTAIN,
        })
    }

    fn learn(&mut self, counted: &Counted, traffic: &Traffic, in_doubt: bool) {
        let (reach, trust) = if in_doubt { (REACH_IN_DOUBT, 0.1) } else { (REACH, 1.0) };
        let Counted { whole, total, .. } = *counted;
        match self.measure {
            Measure::Gauge => self.drift.learn(total, reach),
            Measure::Count => {
                let learned = self.volume.learn(traffic, reach);
                self.profile.learn(&counted.expectation, learned);
            }
        }
        if let Some(part) = counted.auth_fail {
            self.auth_fail.learn(part, whole, trust);
        }
        if let Some(part) = counted.top1 {
            self.top1.learn(part, whole, trust);
        }
        if let Some(senders) = &counted.senders {
            self.breadth.learn(senders, trust);
        }
        let highest = (self.seen > 0).then_some(self.highest);
        self.highest = self.highest.max(total.min(flood_level(highest)));
    }

    /// Evidence that was judged when it came is dropped an hour after its end; the longer windows would carry it for a day.
    fn forget_what_is_over(&mut self, goes_on: bool, lingers: bool) {
        self.stale = if lingers && !goes_on { self.stale.saturating_add(1) } else { 0 };
        if self.stale >= OVER {
            self.stale = 0;
            self.changes = [Change::new(); 4];
            self.volume.forget();
            self.auth_fail.forget();
            self.top1.forget();
            self.breadth.forget();
        }
    }

    /// How much wider the band is than later.
    fn widening(&self) -> f32 {
        1.0 + COLD_BUCKETS / count(self.seen.max(1))
    }

    fn score(&self, excess: f32) -> f64 {
        if excess <= 0.0 || excess.is_nan() {
            return 0.0;
        }
        let excess = f64::from(excess / self.widening());
        excess / (excess + HALF_SCORE)
    }

    fn advance(&mut self, bucket: Bucket) {
        self.last = Some(bucket);
        self.seen = self.seen.saturating_add(1);
        if self.seen.is_multiple_of(BLOCK) {
            self.usual.close_block(count(self.seen / BLOCK - 1));
            self.begin_anew_if_astray();
        }
    }
}

/// An observation without what was announced, and without numbers that could harm a model.
struct Counted {
    /// All that came, which is what the other channels are parts of.
    whole: f32,
    /// The part of it that was not announced.
    total: f32,
    expected: f32,
    expectation: Expectation,
    auth_fail: Option<f32>,
    top1: Option<f32>,
    senders: Option<Senders>,
    limited: Option<f32>,
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose; the clamp keeps it finite")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^24 a whole one more or less says nothing")]
fn count(buckets: u32) -> f32 {
    buckets as f32
}
