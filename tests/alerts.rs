//! A flood becomes one alert, whatever fails or is repeated on the way, and the alert ends when the flood does.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use gatepost::{
    activity::Tally,
    api_key::ApiKey,
    bucket::Bucket,
    io::{
        alerts::Outbox,
        counters::preload,
        functions::Function,
        ledger::Ledger,
        messages::Messages,
        scan_progress,
        series_state::Models,
    },
};
use gatepost_anomaly_scan::{ScanError, Scanned, Scanner, handle};
use gatepost_local::{
    aws::{
        clients::{Clients, Endpoints},
        dynamodb::DynamoDb,
        s3::{BUCKET, ObjectStore},
        sns::{Published, Sns},
    },
    clock,
};
use serde_json::{Value, json};

use crate::{
    stack::{Stack, root, scratch_file},
    table,
};

const CALL: Duration = Duration::from_secs(30);
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:gatepost-alerts";

/// Nearly everything is refused, which needs no history to be called a flood.
const TIGHT: [(&str, &str); 2] = [("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "1"), ("GATEPOST_LIMITS_BURST", "4")];

/// So many that even the half of them, if a bucket ends in between, is a flood.
const FLOOD: usize = 240;

async fn flooded() -> Stack {
    let stack = Stack::start_with(&[], &TIGHT).await;
    let asked = (0..FLOOD).map(|_| stack.validate(json!({"email": "nobody"})));
    let statuses: Vec<u16> =
        stream::iter(asked).buffer_unordered(16).map(|answer| answer.status.as_u16()).collect().await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    stack
}

fn id(stack: &Stack) -> String {
    ApiKey::parse(&stack.api_key).expect("the development key").id().to_owned()
}

fn default_text(message: &Value) -> Value {
    let message: Value = serde_json::from_str(message["Message"].as_str().expect("text")).expect("JSON");
    serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON in JSON")
}

fn scanned(series: usize, opened: usize, closed: usize, published: usize, pending: usize) -> Value {
    json!({
        "series": series, "alerts_opened": opened, "alerts_closed": closed, "alerts_published": published,
        "alerts_pending": pending, "messages_swept": 0,
    })
}

#[tokio::test]
async fn a_flood_opens_one_alert_and_an_hour_of_quiet_closes_it_once() {
    let stack = flooded().await;
    let current = Bucket::of(clock::now());
    let soon = current.plus(2).rfc3339();
    assert_eq!(stack.scan(&soon).await, scanned(1, 1, 0, 1, 0));
    assert_eq!(stack.scan(&soon).await, scanned(0, 0, 0, 0, 0));
    assert_eq!(stack.alerts().await.len(), 1);
    let later = current.plus(16).rfc3339();
    assert_eq!(stack.scan(&later).await, scanned(1, 0, 1, 1, 0));
    assert_eq!(stack.scan(&later).await, scanned(0, 0, 0, 0, 0));
    assert_eq!(stack.scan(&soon).await, scanned(0, 0, 0, 0, 0));
    let alerts = stack.alerts().await;
    let told: Vec<Value> = alerts.iter().map(default_text).collect();
    let states: Vec<&Value> = told.iter().map(|alert| &alert["state"]).collect();
    assert_eq!(states, ["opened", "closed"]);
    assert_eq!(told[0]["fingerprint"], told[1]["fingerprint"]);
    assert_ne!(told[0]["dedup_id"], told[1]["dedup_id"]);
    assert_eq!(alerts[1]["MessageAttributes"]["state"]["StringValue"], "closed");
}

#[tokio::test]
async fn an_alert_has_every_field_of_the_contract_for_machines_and_short_texts_for_people() {
    let stack = flooded().await;
    stack.scan(&Bucket::of(clock::now()).plus(1).rfc3339()).await;
    let alerts = stack.alerts().await;
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    let members: Vec<&String> = alert.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["Message", "MessageStructure", "Subject", "MessageAttributes"]);
    assert_eq!(alert["MessageStructure"], "json");
    let series = format!("signup/{}", id(&stack));
    assert_eq!(alert["Subject"], format!("[critical] flood opened: {series}"));
    let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
    let attributes = json!({
        "kind": attribute("flood"), "severity": attribute("critical"), "state": attribute("opened"),
        "flow": attribute("signup"),
    });
    assert_eq!(alert["MessageAttributes"], attributes);
    expect_machine_text(&default_text(alert), &series);
    expect_human_texts(alert, &series);
}

fn expect_machine_text(told: &Value, series: &str) {
    let members: Vec<&String> = told.as_object().expect("an object").keys().collect();
    assert_eq!(
        members,
        [
            "version",
            "dedup_id",
            "fingerprint",
            "state",
            "kind",
            "severity",
            "series",
            "channel",
            "window",
            "expected",
            "actual",
            "score",
            "first_seen",
            "contributors",
            "runbook",
            "page_key"
        ]
    );
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {told}"));
    let start = Bucket::parse(text("first_seen")).expect("a time");
    assert_eq!(told["window"], json!({"start": start.rfc3339(), "end": start.next().rfc3339()}));
    assert_eq!(text("first_seen"), start.rfc3339());
    let fingerprint = text("fingerprint");
    assert!(fingerprint.len() == 32 && fingerprint.bytes().all(|octet| octet.is_ascii_hexdigit()), "{fingerprint}");
    assert_eq!(text("dedup_id"), format!("{fingerprint}:opened:{}", u32::from(start)));
    let facts = json!([told["version"], told["state"], told["kind"], told["severity"], told["channel"], told["score"]]);
    assert_eq!(facts, json!([1, "opened", "flood", "critical", "limited", 0.9]));
    assert_eq!((text("series"), &told["expected"], &told["page_key"]), (series, &json!(0.0), &Value::Null));
    assert_eq!(text("runbook"), "docs/RUNBOOK.md#flood");
    let actual = told["actual"].as_f64().expect("a number");
    assert!((100.0..=FLOOD as f64).contains(&actual), "{actual}");
}

fn expect_human_texts(alert: &Value, series: &str) {
    let texts: Value = serde_json::from_str(alert["Message"].as_str().expect("text")).expect("JSON");
    let members: Vec<&String> = texts.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["default", "email", "sms"]);
    let (email, sms) = (texts["email"].as_str().expect("text"), texts["sms"].as_str().expect("text"));
    assert!(email.starts_with(&format!("flood opened, severity critical\n\nSeries:   {series}\n")), "{email}");
    assert!(sms.starts_with(&format!("critical flood opened: {series} limited ")), "{sms}");
    assert!(sms.chars().count() <= 160, "{sms}");
    assert!(email.contains('█') && sms.contains('█'), "no chart in {email} or {sms}");
}

#[tokio::test]
async fn fourteen_days_of_ordinary_traffic_raise_no_alert() {
    let history = root().join("events/counters/signup.csv");
    let stack = Stack::start_with(&["--counters", history.to_str().expect("UTF-8")], &[]).await;
    assert_eq!(stack.scan("2026-11-23T00:00:00Z").await, scanned(1, 0, 0, 0, 0));
    assert_eq!(stack.alerts().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_flood_is_measured_by_the_history_that_the_stack_was_given() {
    let ordinary = std::fs::read_to_string(root().join("events/counters/signup.csv")).expect("the history");
    // Two years ago: what nobody counted since then is no silence.
    let history = ordinary.replace("2026-11-", "2024-11-") + "2024-11-23T00:00,260,9,4,30\n";
    let file = scratch_file("signup.csv", &history);
    let stack = Stack::start_with(&["--counters", file.to_str().expect("UTF-8")], &[]).await;
    assert_eq!(stack.scan("2024-11-23T00:05:00Z").await, scanned(1, 1, 0, 1, 0));
    let told = default_text(&stack.alerts().await[0]);
    let facts = json!([told["state"], told["kind"], told["channel"], told["actual"], told["first_seen"]]);
    assert_eq!(facts, json!(["opened", "flood", "total", 260.0, "2024-11-23T00:00:00Z"]));
    let expected = told["expected"].as_f64().expect("a number");
    assert!((1.0..20.0).contains(&expected), "{expected}");
    // Nobody counted after it: after three hours nobody can say that it goes on.
    assert_eq!(stack.scan("2024-11-23T03:00:00Z").await["alerts_closed"], 0);
    assert_eq!(stack.scan("2024-11-23T03:15:00Z").await["alerts_closed"], 1);
}

#[tokio::test]
async fn a_history_that_cannot_be_read_ends_the_start_with_its_line() {
    for (name, text, told) in [
        (
            "no-header.csv",
            "2026-11-23T00:00,1\n",
            "no-header.csv: the first line has to be a header that begins with `ts`",
        ),
        ("no-time.csv", "ts,total\nyesterday,1\n", "no-time.csv:2: not a UTC time"),
        (
            "no-count.csv",
            "ts,total\n2026-11-23T00:00,1\n2026-11-23T00:05,many\n",
            "no-count.csv:3: \"many\" is no count",
        ),
        ("negative.csv", "ts,total\n2026-11-23T00:00,-1\n", "negative.csv:2: \"-1\" is no count"),
    ] {
        let file = scratch_file(name, text);
        let (code, stderr) = serve(&["--counters", file.to_str().expect("UTF-8")]).await;
        assert_eq!(code, Some(1), "{name}: {stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }
}

/// A start that is expected to fail: exit status and standard error.
async fn serve(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(crate::stack::program("gatepost"));
    command.args(["serve", "--port", "0"]).args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(CALL, command.output()).await.expect("it ends").expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_scan_at_no_time_is_a_bad_request() {
    let stack = Stack::start().await;
    for now in ["", "yesterday", "2026-11-23T00:00:00", "2026-13-01T00:00:00Z", "%00"] {
        stack.send("POST", &format!("/local/scan?now={now}"), &[], "").await.expect_status(400);
    }
    for now in
        ["2026-11-23T00:00:00Z", "2026-11-23T00:00:00%2B01:00", "2026-11-23T00:00:00+01:00", "1970-01-01T00:00:00Z"]
    {
        assert_eq!(stack.scan(now).await, scanned(0, 0, 0, 0, 0), "{now}");
    }
}

/// The scan alone, over services of this process; SNS can be another one for each scan.
struct Bench {
    table: DynamoDb,
    objects: ObjectStore,
    sns: Sns,
}

impl Bench {
    /// A series that jumps from nothing to ten times what is plausible, in the bucket that is returned.
    async fn with_a_flood() -> (Self, Bucket) {
        let (table, objects) = tokio::join!(DynamoDb::start(None), ObjectStore::start(None));
        let sns = Sns::start(None).await.expect("a topic");
        let bench = Self { table: table.expect("a table"), objects: objects.expect("a bucket"), sns };
        let flood = Bucket::parse("2026-11-23T02:10").expect("a time");
        let table = table::client(&bench.table.url());
        let tally = Tally::from([("total".to_owned(), 900), ("accept".to_owned(), 900)]);
        preload(&table, "signup/k1", &[(flood, tally)]).await.expect("written");
            scan_progress::reset(&table, flood, flood).await.expect("written");
        (bench, flood)
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
    let message: Value = serde_json::from_str(&published.message).expect("JSON");
    let told: Value = serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON in JSON");
    told["dedup_id"].as_str().expect("text").to_owned()
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
        Err(ScanError::Outrun { .. }) => 0,
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
