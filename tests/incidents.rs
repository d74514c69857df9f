//! One name for each change of an incident, whatever overlaps, is repeated, fails or dies on the way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeSerializationInterceptorContextRef as Asked,
    },
    error::BoxError,
    operation::{query::QueryInput, transact_write_items::TransactWriteItemsInput},
    types::AttributeValue,
};
use gatepost::{
    activity::Tally,
    bucket::Bucket,
    calendar::{Entry, Pattern, Purpose},
    io::{
        alerts::Outbox,
        calendar::CalendarTable,
        counters::preload,
        functions::Function,
        ledger::Ledger,
        messages::Messages,
        scan_progress,
        series_state::{Models, shard_of},
        table::{Item, read_number},
    },
    local_time::Clocks,
};
use gatepost_anomaly_scan::{ScanError, Scanned, Scanner, handle};
use gatepost_local::aws::{
    clients::{Clients, Endpoints},
    dynamodb::DynamoDb,
    s3::{BUCKET, ObjectStore},
    sns::{Published, Sns},
};
use serde_json::Value;

use crate::table;

mod taught;

const CALL: Duration = Duration::from_secs(30);
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:gatepost-alerts";

/// The scan alone, over services of this process; SNS can be another one for each scan.
struct Bench {
    table: DynamoDb,
    objects: ObjectStore,
    sns: Sns,
}

impl Bench {
    /// A series that jumps from nothing to ten times what is plausible, in the bucket that is returned.
    async fn with_a_flood() -> (Self, Bucket) {
        Self::with_floods(&["signup/k1"]).await
    }

    /// The same of several series.
    async fn with_floods(series: &[&str]) -> (Self, Bucket) {
        let (table, objects) = tokio::join!(DynamoDb::start(None), ObjectStore::start(None));
        let sns = Sns::start(None).await.expect("a topic");
        let bench = Self { table: table.expect("a table"), objects: objects.expect("a bucket"), sns };
        let flood = Bucket::parse("2026-11-23T02:10").expect("a time");
        let table = table::client(&bench.table.url());
        for name in series {
            bench.count(name, &[(flood, 900)]).await;
        }
        scan_progress::reset(&table, flood, flood).await.expect("written");
        (bench, flood)
    }

    async fn count(&self, series: &str, totals: &[(Bucket, u64)]) {
        let tally = |total| Tally::from([("total".to_owned(), total), ("accept".to_owned(), total)]);
        let history: Vec<_> = totals.iter().map(|(bucket, total)| (*bucket, tally(*total))).collect();
        preload(&table::client(&self.table.url()), series, &history).await.expect("written");
    }

    /// What a scan by all means up does at the beginning of `now`.
    async fn scan(&self, now: Bucket) -> Scanned {
        handle(&self.scanner(&self.sns.url()), now.start(), Duration::ZERO).await.expect("all is well")
    }

    /// Fingerprint left out: state and bucket of every message, oldest first.
    fn told(&self) -> Vec<(String, u32)> {
        let ids = self.dedup_ids().into_iter();
        let parts = ids.map(|id| id.split(':').skip(1).map(str::to_owned).collect::<Vec<_>>());
        parts.map(|parts| (parts[0].clone(), parts[1].parse().expect("a sequence"))).collect()
    }

    /// Kind and series of every message, oldest first.
    fn kinds(&self) -> Vec<(String, String)> {
        let text = |told: &Value, name: &str| told[name].as_str().expect("text").to_owned();
        let told = self.sns.published();
        told.iter().map(default_text).map(|told| (text(&told, "kind"), text(&told, "series"))).collect()
    }

    async fn announce(&self, series: &str, (first, last): (Bucket, Bucket), kind: &str) {
        let (series, purpose) = (Pattern::parse(series).expect("a pattern"), Purpose::parse(kind).expect("a kind"));
        let entry = Entry { id: "e1".to_owned(), series, first, last, purpose, note: String::new() };
        CalendarTable { table: table::client(&self.table.url()) }.add(&entry).await.expect("stored");
    }

    fn scanner(&self, sns: &str) -> Scanner {
        let closed = "http://127.0.0.1:9".to_owned();
        let endpoints =
            Endpoints { dynamodb: self.table.url(), s3: self.objects.url(), sns: sns.to_owned(), lambda: closed };
        let clients = Clients::new(&endpoints, CALL);
        let table = table::client(&self.table.url());
        Scanner {
            models: Models { table: table.clone() },
            outbox: Outbox { table: table.clone(), sns: clients.sns, topic: TOPIC.to_owned() },
            messages: Messages { client: clients.s3, bucket: BUCKET.to_owned() },
            ledger: Ledger { table },
            verifier: Function { client: clients.lambda, name: "verify-inbound".to_owned() },
            clocks: Clocks::default(),
        }
    }

    async fn pending(&self) -> usize {
        table::items(&self.table.url(), "outbox").await.len()
    }

    fn dedup_ids(&self) -> Vec<String> {
        self.sns.published().iter().map(dedup_id).collect()
    }
}

fn dedup_id(published: &Published) -> String {
    default_text(published)["dedup_id"].as_str().expect("text").to_owned()
}

fn default_text(published: &Published) -> Value {
    let message: Value = serde_json::from_str(&published.message).expect("JSON");
    serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON in JSON")
}

#[tokio::test]
async fn while_sns_is_down_an_alert_stays_pending_and_goes_out_with_the_next_scan() {
    let (bench, flood) = Bench::with_a_flood().await;
    let now = flood.next().start();
    let down = bench.scanner("http://127.0.0.1:9");
    let first = handle(&down, now, Duration::ZERO).await.expect("SNS is no reason to fail");
    let expected = Scanned { series: 1, alerts_opened: 1, alerts_pending: 1, ..Scanned::default() };
    assert_eq!((first, bench.pending().await), (expected, 1));
    let again = handle(&down, now, Duration::ZERO).await.expect("SNS is no reason to fail");
    assert_eq!((again, bench.pending().await), (Scanned { alerts_pending: 1, ..Scanned::default() }, 1));
    let up = bench.scanner(&bench.sns.url());
    let third = handle(&up, now, Duration::ZERO).await.expect("all is well");
    assert_eq!((third, bench.pending().await), (Scanned { alerts_published: 1, ..Scanned::default() }, 0));
    assert_eq!(handle(&up, now, Duration::ZERO).await.expect("all is well"), Scanned::default());
    let ids = bench.dedup_ids();
    assert_eq!(ids.len(), 1);
    assert!(ids[0].ends_with(&format!(":opened:{}", u32::from(flood))), "{ids:?}");
}

#[tokio::test]
async fn opening_and_closing_that_both_had_to_wait_go_out_in_their_order() {
    let (bench, flood) = Bench::with_a_flood().await;
    let down = bench.scanner("http://127.0.0.1:9");
    handle(&down, flood.next().start(), Duration::ZERO).await.expect("SNS is no reason to fail");
    let closed = handle(&down, flood.plus(16).start(), Duration::ZERO).await.expect("SNS is no reason to fail");
    assert_eq!((closed.alerts_closed, closed.alerts_pending), (1, 2));
    let up = bench.scanner(&bench.sns.url());
    assert_eq!(handle(&up, flood.plus(16).start(), Duration::ZERO).await.expect("all is well").alerts_published, 2);
    let states: Vec<String> =
        bench.dedup_ids().iter().map(|id| id.split(':').nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(states, ["opened", "closed"]);
}

#[tokio::test]
async fn scans_at_the_same_time_open_one_alert_under_one_name() {
    let (bench, flood) = Bench::with_a_flood().await;
    let scanner = bench.scanner(&bench.sns.url());
    let scans = (0..8).map(|_| handle(&scanner, flood.plus(2).start(), Duration::ZERO));
    let opened = futures_util::future::join_all(scans).await.into_iter().map(|scanned| match scanned {
        Ok(scanned) => scanned.alerts_opened,
        Err(ScanError::Outrun { .. } | ScanError::Together { .. }) => 0,
        Err(error) => panic!("{error}"),
    });
    assert_eq!(opened.sum::<usize>(), 1);
    assert_eq!(
        handle(&scanner, flood.plus(2).start(), Duration::ZERO).await.expect("nobody else scans").alerts_opened,
        0
    );
    let mut ids = bench.dedup_ids();
    ids.dedup();
    assert_eq!((ids.len(), bench.pending().await), (1, 0));
}

#[tokio::test]
async fn a_scan_that_dies_anywhere_opens_and_closes_under_one_name_each() {
    let (bench, flood) = Bench::with_floods(&["signup/k1", "signup/k2", "login/k3"]).await;
    let scanner = bench.scanner(&bench.sns.url());
    for now in [flood.next(), flood.plus(16)] {
        // Dropped in the middle: what was sent to the table or to SNS may or may not have arrived.
        for micros in (0..40).map(|step: u64| step * step * 60) {
            let scan = handle(&scanner, now.start(), Duration::ZERO);
            let _ = tokio::time::timeout(Duration::from_micros(micros), scan).await;
        }
        bench.scan(now).await;
        bench.scan(now).await;
    }
    let mut ids = bench.dedup_ids();
    ids.sort();
    ids.dedup();
    let states: Vec<&str> = ids.iter().filter_map(|id| id.split(':').nth(1)).collect();
    assert_eq!((states.iter().filter(|it| **it == "opened").count(), states.len()), (2, 4), "{ids:?}");
    assert_eq!(bench.pending().await, 0);
}

#[tokio::test]
async fn what_dies_after_sns_took_the_alert_says_it_again_under_the_same_name() {
    let (bench, flood) = Bench::with_a_flood().await;
    let down = bench.scanner("http://127.0.0.1:9");
    handle(&down, flood.next().start(), Duration::ZERO).await.expect("SNS is no reason to fail");
    let outbox = table::items(&bench.table.url(), "outbox").await;
    bench.scan(flood.next()).await;
    // As if the process had died before the alert left the outbox.
    let table = table::client(&bench.table.url());
    let put = table.client.put_item().table_name(&table.name).set_item(outbox.into_iter().next());
    put.send().await.expect("stored");
    bench.scan(flood.next()).await;
    let ids = bench.dedup_ids();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test]
async fn series_that_move_together_are_one_incident_that_ends_with_the_last_of_them() {
    let (bench, flood) = Bench::with_floods(&["signup/k1", "signup/k3"]).await;
    // One of them comes, and goes, ten minutes later.
    bench.count("signup/k2", &[(flood.plus(2), 900)]).await;
    let opened = Scanned { series: 2, alerts_opened: 1, alerts_published: 1, ..Scanned::default() };
    assert_eq!(bench.scan(flood.next()).await, opened);
    assert_eq!(bench.scan(flood.plus(13)).await.alerts_closed, 0);
    assert_eq!(bench.scan(flood.plus(16)).await.alerts_closed, 1);
    let first = u32::from(flood);
    assert_eq!(bench.told(), [("opened".to_owned(), first), ("closed".to_owned(), first + 14)]);
    let message: Value = serde_json::from_str(&bench.sns.published()[0].message).expect("JSON");
    let told: Value = serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON in JSON");
    assert_eq!((&told["series"], told["contributors"].as_array().map(Vec::len)), (&"signup/*".into(), Some(1)));
}

/// Steady traffic with a flood in it, which is over after four buckets.
async fn with_history(bench: &Bench, start: Bucket, buckets: u32) {
    for number in 0..20_u64 {
        let usual = |at: u32| 20 + (u64::from(at) * (number + 3) * 7_919) % 9;
        let total = |at: u32| if number == 7 && (30..34).contains(&at) { 700 } else { usual(at) };
        let totals: Vec<_> = (0..buckets).map(|at| (start.plus(at), total(at))).collect();
        bench.count(&format!("signup/k{number}"), &totals).await;
    }
}

#[tokio::test]
async fn bucket_by_bucket_or_all_at_once_the_same_is_told_and_states_are_written_once_an_hour() {
    let start = Bucket::parse("2026-11-23T02:00").expect("a time");
    let buckets = 60;
    let mut told = Vec::new();
    for step in [1, 7, buckets] {
        let (bench, _) = Bench::with_floods(&[]).await;
        with_history(&bench, start, buckets).await;
        scan_progress::reset(&table::client(&bench.table.url()), start, start).await.expect("written");
        let mut now = start;
        while now < start.plus(buckets) {
            now = now.plus(step).min(start.plus(buckets));
            bench.scan(now).await;
        }
        let revisions: Vec<u64> =
            models(&bench).await.iter().filter_map(|item| read_number(item, "revision")).collect();
        // The first write has number 0: five hours make five writes, and two more belong to the incident. Beside the twenty series
        // one counts how many of them there are.
        assert!(revisions.len() == 21 && revisions.iter().all(|revision| *revision < 7), "{step}: {revisions:?}");
        for item in models(&bench).await {
            assert!(size(&item) <= 1024, "a write is one unit: {} octets in {item:?}", size(&item));
        }
        told.push(bench.dedup_ids());
    }
    assert_eq!(told[0].len(), 2, "{told:?}");
    assert!(told.iter().all(|ids| *ids == told[0]), "{told:#?}");
}

async fn models(bench: &Bench) -> Vec<Item> {
    table::items(&bench.table.url(), "model#").await
}

/// As the table counts it: names and values, digits in pairs.
fn size(item: &Item) -> usize {
    let octets = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::B(octets) => octets.as_ref().len(),
        other => panic!("{other:?}"),
    };
    item.iter().map(|(name, value)| name.len() + octets(value)).sum()
}

#[tokio::test]
async fn a_campaign_is_no_incident_and_a_silence_is_told_of_when_it_ends() {
    for (kind, expected) in [("campaign", vec![]), ("maintenance", vec![]), ("silence", vec![("opened".to_owned(), 3)])]
    {
        let (bench, flood) = Bench::with_floods(&[]).await;
        let floods: Vec<_> =
            (0..5).map(|later| (flood.plus(later), if later < 3 || kind == "silence" { 900 } else { 0 })).collect();
        bench.count("signup/k1", &floods).await;
        bench.announce("signup/*", (flood, flood.plus(2)), kind).await;
        for later in 1..=5 {
            bench.scan(flood.plus(later)).await;
        }
        let told: Vec<_> = bench.told().into_iter().map(|(state, at)| (state, at - u32::from(flood))).collect();
        assert_eq!(told, expected, "{kind}");
    }
}

/// What is asked of the table and is not answered.
type IsBroken = Arc<dyn Fn(&Asked<'_>) -> bool + Send + Sync>;

struct Broken(IsBroken);

impl std::fmt::Debug for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Broken")
    }
}

impl Intercept for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn read_before_serialization(
        &self,
        context: &Asked<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if (self.0)(context) { Err("the table does not answer".into()) } else { Ok(()) }
    }
}

/// A scanner whose table fails where it is told to.
fn failing(bench: &Bench, is_broken: IsBroken) -> Scanner {
    let mut scanner = bench.scanner(&bench.sns.url());
    let config = scanner.models.table.client.config().to_builder().interceptor(Broken(is_broken));
    scanner.models.table.client = aws_sdk_dynamodb::Client::from_conf(config.build());
    scanner
}

#[tokio::test]
async fn an_alert_whose_first_write_failed_is_told_by_the_same_scan_and_once() {
    let (bench, flood) = Bench::with_a_flood().await;
    let was_broken = AtomicBool::new(false);
    let is_first = move |asked: &Asked<'_>| {
        asked.input().downcast_ref::<TransactWriteItemsInput>().is_some() && !was_broken.swap(true, Ordering::SeqCst)
    };
    let scanner = failing(&bench, Arc::new(is_first));
    let now = flood.next().start();
    let failed = handle(&scanner, now, Duration::ZERO).await;
    assert!(matches!(failed, Err(ScanError::Table(_))), "the series itself is judged again: {failed:?}");
    let opened = [("opened".to_owned(), u32::from(flood))];
    assert_eq!(bench.told(), opened);
    handle(&scanner, now, Duration::ZERO).await.expect("all is well");
    assert_eq!((bench.told(), bench.pending().await), (opened.to_vec(), 0));
}

#[tokio::test]
async fn a_shard_that_fails_is_repeated_alone_and_holds_up_no_other() {
    let (bench, flood) = Bench::with_floods(&["signup/k1", "login/k2", "newsletter/k3"]).await;
    let shards = ["signup/k1", "login/k2", "newsletter/k3"].map(shard_of);
    assert!(shards[0] != shards[1] && shards[0] != shards[2], "{shards:?}");
    let is_broken = Arc::new(AtomicBool::new(true));
    let (partition, while_broken) = (format!("model#{}", shards[0]), Arc::clone(&is_broken));
    let is_of_shard = move |asked: &Asked<'_>| {
        let values =
            asked.input().downcast_ref::<QueryInput>().and_then(|query| query.expression_attribute_values.as_ref());
        let is_ours = values.is_some_and(|values| values.values().any(|value| value.as_s() == Ok(&partition)));
        is_ours && while_broken.load(Ordering::SeqCst)
    };
    let scanner = failing(&bench, Arc::new(is_of_shard));
    let now = flood.next().start();
    let failed = handle(&scanner, now, Duration::ZERO).await;
    assert!(matches!(failed, Err(ScanError::Table(_))), "{failed:?}");
    assert_eq!(bench.told().len(), 2);
    is_broken.store(false, Ordering::SeqCst);
    let repeated = handle(&scanner, now, Duration::ZERO).await.expect("all is well");
    assert_eq!((repeated.series, repeated.alerts_opened), (1, 1));
    assert_eq!(bench.told().len(), 3);
}
