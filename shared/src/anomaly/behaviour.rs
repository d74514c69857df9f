//! What a model makes of whole histories.

use super::{Announced, Explained, Judgement, Kind, Measure, Model, Observation, Occasion, THRESHOLD};
use crate::bucket::Bucket;
use jiff::Timestamp;
use jiff::tz::TimeZone;

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
    let bare =
        |total, limited| Observation { total, limited, auth_fail: None, top1: None, distinct: None, bucket: monday() };
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
        assert!(model.is_sound(), "{value}");
    }
}

/// The score of every observation of a series, judged one after the other.
fn scores(observations: &[Observation]) -> Vec<f64> {
    let mut model = Model::new(Measure::Count);
    observations.iter().map(|observation| model.observe(observation).score()).collect()
}

#[test]
fn what_comes_later_changes_no_judgement() {
    let day = |offset: u32| usual(monday().plus(offset));
    let flood = |offset: u32| Observation { total: 900.0, auth_fail: Some(800.0), ..day(offset) };
    let history: Vec<Observation> =
        (0..16 * 288).map(|offset| if (4200..4212).contains(&offset) { flood(offset) } else { day(offset) }).collect();
    let all = scores(&history);
    assert!(all.iter().any(|score| *score >= THRESHOLD), "the history holds something to judge");
    for length in [1, 2, 287, 288, 2000, 4199, 4200, 4201, 4205, 4212, 4300] {
        let (until, after) = history.split_at(length);
        assert_eq!(scores(until), all[..length], "the first {length}");
        let other = after.iter().map(|it| Observation { total: 5.0 * it.total, top1: None, ..*it });
        assert_eq!(scores(&until.iter().copied().chain(other).collect::<Vec<_>>())[..length], all[..length]);
    }
}

/// Office hours in Berlin, where the clock went forward on 2026-03-29: 60 a bucket from 8 to 18, else 4.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a POSIX time zone")
}

fn minutes_ahead(zone: &TimeZone, bucket: Bucket) -> i32 {
    let seconds = i64::try_from(bucket.start_seconds()).expect("within jiff's range");
    zone.to_offset(Timestamp::from_second(seconds).expect("within jiff's range")).seconds() / 60
}

fn office_hours(bucket: Bucket) -> Observation {
    let minute = i64::from(bucket.minute_of_week()) + i64::from(minutes_ahead(&berlin(), bucket));
    let at_work = (8 * 60..18 * 60).contains(&minute.rem_euclid(1440));
    let total = if at_work { usual(bucket).total * 3.0 } else { usual(bucket).total / 5.0 };
    Observation { total: total.round(), auth_fail: None, top1: None, distinct: None, ..usual(bucket) }
}

/// The highest score in the three weeks around the change of the clock, after five weeks of history.
fn highest_at_the_change_of_the_clock(set_clock: impl Fn(&mut Model, Bucket)) -> f64 {
    let first = Bucket::parse("2026-02-23T00:00").expect("a time");
    let mut model = Model::new(Measure::Count);
    let mut highest: f64 = 0.0;
    for offset in 0..8 * 2016 {
        let bucket = first.plus(offset);
        set_clock(&mut model, bucket);
        let score = model.observe(&office_hours(bucket)).score();
        if offset > 4 * 2016 {
            highest = highest.max(score);
        }
    }
    highest
}

#[test]
fn summer_time_is_no_finding_on_the_clock_of_the_series() {
    let in_berlin =
        highest_at_the_change_of_the_clock(|model, bucket| model.set_clock(minutes_ahead(&berlin(), bucket)));
    assert!(in_berlin < THRESHOLD, "{in_berlin}");
    let in_utc = highest_at_the_change_of_the_clock(|_, _| {});
    assert!(in_utc > in_berlin, "{in_utc} shows that the change matters");
}

#[test]
fn a_clock_that_jumps_ahead_is_a_gap_and_one_that_jumps_back_is_ignored() {
    let (mut model, next) = after_days(15);
    let years_ahead = next.plus(10 * 365 * 288);
    assert!(model.observe(&usual(years_ahead)).score() < THRESHOLD);
    let before = model.clone();
    assert_eq!(model.observe(&Observation { total: 1e6, ..usual(next) }), Judgement::default());
    assert_eq!(model, before);
    assert_eq!(found(&mut model, (1..288).map(|offset| usual(years_ahead.plus(offset)))), None);
}

#[test]
fn a_new_series_that_grows_into_its_rhythm_is_no_finding() {
    for level in [0.05, 0.3, 2.0, 10.0] {
        let mut model = Model::new(Measure::Count);
        let new = |offset: u32| {
            let growth = (f64::from(offset) / 2016.0).min(1.0);
            let observation = usual(monday().plus(offset));
            let part = |value: Option<f64>| value.map(|value| (value * level * growth).floor());
            Observation {
                total: (observation.total * level * growth).floor(),
                auth_fail: part(observation.auth_fail),
                top1: part(observation.top1),
                distinct: part(observation.distinct),
                ..observation
            }
        };
        assert_eq!(found(&mut model, (0..21 * 288).map(new)), None, "{level}");
    }
}

#[test]
fn a_series_that_dies_is_silence_at_once_and_in_the_end_its_new_normal() {
    let (mut model, next) = after_days(21);
    let dead = |offset: u32| Observation {
        total: 0.0,
        auth_fail: Some(0.0),
        top1: Some(0.0),
        distinct: Some(0.0),
        ..usual(next.plus(offset))
    };
    assert_eq!(found(&mut model, (0..12).map(dead)), Some(Kind::Silence));
    (12..14 * 288).for_each(|offset| drop(model.observe(&dead(offset))));
    assert_eq!(found(&mut model, (14 * 288..21 * 288).map(dead)), None);
}

#[test]
fn the_band_holds_what_is_usual_and_never_goes_below_zero() {
    let (mut model, next) = after_days(15);
    for offset in 0..2016 {
        let (observation, band) = (usual(next.plus(offset)), model.band(next.plus(offset)));
        assert!(0.0 <= band.low && band.low <= band.expected && band.expected <= band.high, "{band:?}");
        assert!((band.low..=band.high).contains(&observation.total), "{observation:?} {band:?}");
        assert!(band.high < 10.0 * band.expected + 10.0, "wide enough for anything: {band:?}");
        model.observe(&observation);
    }
}
