//! Series that the scan knows for weeks: what their parts, their clocks and their end lead to.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use gatepost::{
    anomaly::Observation,
    io::series_state::{Checkpoint, Saved, StoredProfile},
    recent::Point,
    series_state::SeriesState,
};

use super::*;

/// Stores a series as it is after `weeks` of `observation`, up to but without `end`, judged by the clock of `zone`.
async fn teach(bench: &Bench, series: &str, end: Bucket, weeks: u32, observation: impl Fn(Bucket) -> Observation) {
    let mut state = SeriesState::default();
    let clocks = Clocks::parse(&[BERLIN]).expect("a zone");
    for age in (1..=weeks * 2016).rev() {
        let observation = observation(end.minus(age));
        state.model.set_clock(clocks.minutes_ahead(series, observation.bucket));
        state.model.observe(&observation);
        state.remember(observation.bucket, Point { total: observation.total, expected: f64::NAN });
    }
    let (models, profile) = (Models { table: table::client(&bench.table.url()) }, StoredProfile::default());
    let checkpoint = Checkpoint { series, state: &state, found: None, profile: &profile };
    assert_eq!(models.checkpoint(&checkpoint).await.expect("stored"), Saved::Ours);
    scan_progress::reset(&models.table, end, end.minus(weeks * 2016)).await.expect("written");
}

const BERLIN: &str = "Europe/Berlin";

/// Sixty a bucket in Berlin's office hours, else four.
fn office_hours(bucket: Bucket) -> u64 {
    let clocks = Clocks::parse(&[BERLIN]).expect("a zone");
    let local = i64::from(bucket.minute_of_week()) + i64::from(clocks.minutes_ahead("any", bucket));
    let noise = u64::from(u32::from(bucket).wrapping_mul(2_654_435_761) >> 29);
    if (8 * 60..18 * 60).contains(&local.rem_euclid(24 * 60)) { 57 + noise } else { 3 + noise / 2 }
}

#[tokio::test]
async fn a_scan_goes_by_the_clock_of_the_series_through_the_change_to_summer_time() {
    let saturday = Bucket::parse("2026-03-28T00:00").expect("a time");
    for (zone, is_quiet) in [(BERLIN, true), ("*/k2=Asia/Tokyo,*/k1=Europe/Berlin", true), ("UTC", false)] {
        let (bench, _) = Bench::with_floods(&[]).await;
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let usual = |bucket| Observation {
            total: office_hours(bucket) as f64,
            auth_fail: Some(0.0),
            ..Observation { bucket, total: 0.0, auth_fail: None, top1: None, distinct: None, limited: None }
        };
        teach(&bench, "signup/k1", saturday, 5, usual).await;
        // The clock goes forward on Sunday.
        let days: Vec<_> = (0..3 * 288).map(|at| saturday.plus(at)).map(|at| (at, office_hours(at))).collect();
        bench.count("signup/k1", &days).await;
        let mut scanner = bench.scanner(&bench.sns.url());
        scanner.clocks = Clocks::parse(&zone.split(',').collect::<Vec<_>>()).expect("zones");
        let scanned = handle(&scanner, saturday.plus(3 * 288).start(), Duration::ZERO).await.expect("all is well");
        assert_eq!((scanned.series, scanned.alerts_opened == 0), (1, is_quiet), "{zone}: {:?}", bench.told());
    }
}

#[tokio::test]
async fn each_part_of_the_traffic_that_grows_has_an_incident_of_its_own_kind() {
    let now = Bucket::parse("2026-11-23T02:00").expect("a time");
    for (counted, tally, series, kind) in [
        ("signup/k1", [("accept", 20), ("reject", 80)].as_slice(), "rejected/k1", "rejection_surge"),
        ("signup/k1", &[("accept", 100), ("disposable", 60)], "disposable/k1", "disposable_surge"),
        ("validate/unknown", &[("auth_fail", 3_000)], "validate/unknown", "key_guessing"),
        ("inbound/a.example", &[("deliver", 100), ("auth_fail", 70)], "inbound/a.example", "auth_fail_surge"),
        ("inbound/a.example", &[("quarantine", 70)], "quarantined/a.example", "quarantine_surge"),
        ("inbound/a.example", &[("spf_fail", 70)], "inbound_spf/a.example", "auth_fail_surge"),
        ("inbound/a.example", &[("dkim_fail", 70)], "inbound_dkim/a.example", "auth_fail_surge"),
        ("inbound/a.example", &[("uninspected", 70)], "health/inspector", "inspector_failures"),
        ("sender/b.example", &[("auth_fail", 70)], "sender/b.example", "auth_fail_surge"),
        ("sender/b.example", &[("spf_fail", 70)], "sender_spf/b.example", "auth_fail_surge"),
        ("sender/b.example", &[("dkim_fail", 70)], "sender_dkim/b.example", "auth_fail_surge"),
    ] {
        let (bench, _) = Bench::with_floods(&[]).await;
        teach(&bench, series, now, 2, a_twentieth).await;
        let total = tally.iter().find(|(channel, _)| *channel == "auth_fail").map_or(100, |(_, count)| 100.max(*count));
        let tally = || tally.iter().copied().chain([("total", total)]).map(|(channel, n)| (channel.to_owned(), n));
        let trouble: Vec<_> = (0..3).map(|at| (now.plus(at), tally().collect::<Tally>())).collect();
        preload(&table::client(&bench.table.url()), counted, &trouble).await.expect("written");
        assert_eq!(bench.scan(now.plus(3)).await.alerts_opened, 1, "{series} {kind}");
        assert_eq!(bench.kinds(), [(kind.to_owned(), series.to_owned())]);
    }
}

/// A hundred a bucket, five of them of the sort that fails, is rejected or held back.
fn a_twentieth(bucket: Bucket) -> Observation {
    let total = 96.0 + f64::from(u32::from(bucket).wrapping_mul(2_654_435_761) >> 29);
    let part = Some(f64::from(3 + (u32::from(bucket).wrapping_mul(40_503) >> 5) % 5));
    Observation { bucket, total, auth_fail: part, top1: None, distinct: Some(9.0), limited: Some(0.0) }
}

#[tokio::test]
async fn where_nothing_is_counted_any_more_the_counters_are_missing() {
    let now = Bucket::parse("2026-11-23T02:00").expect("a time");
    let (bench, _) = Bench::with_floods(&[]).await;
    teach(&bench, "health/counters", now, 2, a_twentieth).await;
    for at in 1..=3 {
        bench.scan(now.plus(at)).await;
    }
    assert_eq!(bench.kinds(), [("counters_missing".to_owned(), "health/counters".to_owned())]);
}

#[tokio::test]
async fn of_a_few_series_nobody_says_that_counters_are_missing_and_a_part_that_never_came_is_no_series() {
    let now = Bucket::parse("2026-11-23T02:00").expect("a time");
    for (clients, expected) in [(4, 4), (5, 6)] {
        let (bench, _) = Bench::with_floods(&[]).await;
        for client in 0..clients {
            bench.count(&format!("signup/k{client}"), &[(now, 9), (now.plus(1), 9)]).await;
        }
        scan_progress::reset(&table::client(&bench.table.url()), now, now).await.expect("written");
        let judged = bench.scan(now.plus(13)).await.series;
        let stored = models(&bench).await.iter().filter(|item| read_number::<u64>(item, "revision").is_some()).count();
        assert_eq!((judged, stored), (clients, expected));
    }
}

#[tokio::test]
async fn what_an_earlier_version_stored_goes_on_and_is_stored_anew() {
    let now = Bucket::parse("2026-11-23T02:00").expect("a time");
    let (bench, _) = Bench::with_floods(&[]).await;
    teach(&bench, "signup/k1", now, 2, a_twentieth).await;
    make_earlier(&bench).await;
    let days: Vec<_> = (0..24).map(|at| (now.plus(at), 100)).collect();
    bench.count("signup/k1", &days).await;
    assert_eq!(bench.scan(now.plus(24)).await.alerts_opened, 0);
    let stored = models(&bench).await;
    assert!(stored.iter().all(|item| !item.contains_key("state")) && stored.len() == 2, "{stored:?}");
    // It knows what is usual: a fall to a fifth would be nothing new to a series that began two hours ago.
    let fall: Vec<_> = (24..30).map(|at| (now.plus(at), 12)).collect();
    bench.count("signup/k1", &fall).await;
    assert_eq!(bench.scan(now.plus(30)).await.alerts_opened, 1);
}

/// Replaces what is stored of the only series by what the version before would have stored.
async fn make_earlier(bench: &Bench) {
    let stored = models(bench).await;
    let octets = |item: &Item, name: &str| item[name].as_b().expect("octets").as_ref().to_vec();
    let (state, profile) = match stored.as_slice() {
        [one, other] if one.contains_key("revision") => (one, other),
        [one, other] => (other, one),
        _ => panic!("{stored:?}"),
    };
    let (model, recent) = (octets(state, "model"), octets(state, "recent"));
    // A profile stood beside every state, and no change of it behind.
    let hot = [&model[..3], &[0], &model[4..626]].concat();
    let last: u32 = read_number(state, "active").expect("a bucket");
    let text = |octets: &[u8]| STANDARD_NO_PAD.encode(octets);
    let json = serde_json::json!({
        "model": {"version": 2, "hot": text(&hot), "profile": text(&octets(profile, "model"))},
        "watch": null, "recent": [last, text(&recent[4..])], "last_active": last,
    });
    let mut earlier = state.clone();
    earlier.retain(|name, _| ["pk", "sk", "revision", "expires_at"].contains(&name.as_str()));
    earlier.insert("state".to_owned(), AttributeValue::B(Blob::new(json.to_string())));
    let table = table::client(&bench.table.url());
    let key = [profile].map(|item| HashMap::from(["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()))));
    let [key] = key;
    table.client.delete_item().table_name(&table.name).set_key(Some(key)).send().await.expect("gone");
    table.client.put_item().table_name(&table.name).set_item(Some(earlier)).send().await.expect("stored");
}

#[tokio::test]
async fn a_series_that_dies_is_told_of_within_the_hour_and_over_once_its_silence_is_usual() {
    let now = Bucket::parse("2026-11-23T02:00").expect("a time");
    let (bench, _) = Bench::with_floods(&[]).await;
    teach(&bench, "signup/k1", now, 2, a_twentieth).await;
    let mut closed_after = None;
    for day in 0..30 {
        bench.scan(now.plus(12)).await;
        assert_eq!(bench.kinds()[..1], [("silence".to_owned(), "signup/k1".to_owned())]);
        bench.scan(now.plus((day + 1) * 288)).await;
        if bench.told().len() == 2 {
            closed_after = Some(day + 1);
            break;
        }
    }
    assert!(closed_after.is_some_and(|days| (1..=15).contains(&days)), "{closed_after:?} {:?}", bench.told());
    let states: Vec<_> = bench.told().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["opened", "closed"]);
}
