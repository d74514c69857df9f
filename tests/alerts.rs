//! A flood becomes one alert, whatever fails or is repeated on the way, and the alert ends when the flood does.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use gatepost::{api_key::ApiKey, bucket::Bucket};
use gatepost_local::clock;
use serde_json::{Value, json};

use crate::stack::{Stack, program, root, scratch_file};

const CALL: Duration = Duration::from_secs(30);

/// Nearly everything is refused, which needs no history to be called a flood.
const TIGHT: [(&str, &str); 2] = [("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "1"), ("GATEPOST_LIMITS_BURST", "4")];

/// So many that even the half of them, if a bucket ends in between, is a flood.
const FLOOD: usize = 240;

async fn flooded() -> Stack {
    let stack = Stack::start_with(&[], &TIGHT).await;
    flood(&stack, "signup").await;
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
        "series": series, "alerts_opened": opened, "alerts_updated": 0, "alerts_closed": closed,
        "alerts_published": published, "alerts_pending": pending, "messages_swept": 0,
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
    let page_key = text("page_key");
    assert_eq!(page_key, format!("incidents/{fingerprint}-{}.html", u32::from(start)));
    let facts = json!([told["version"], told["state"], told["kind"], told["severity"], told["channel"], told["score"]]);
    assert_eq!(facts, json!([1, "opened", "flood", "critical", "limited", 0.9]));
    assert_eq!((text("series"), &told["expected"]), (series, &json!(0.0)));
    assert_eq!(text("runbook"), "docs/RUNBOOK.md#flood");
    let actual = told["actual"].as_f64().expect("a number");
    assert!((100.0..=FLOOD as f64).contains(&actual), "{actual}");
}

fn expect_human_texts(alert: &Value, series: &str) {
    let texts: Value = serde_json::from_str(alert["Message"].as_str().expect("text")).expect("JSON");
    let members: Vec<&String> = texts.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["default", "email", "sms"]);
    let (email, sms) = (texts["email"].as_str().expect("text"), texts["sms"].as_str().expect("text"));
    assert!(email.starts_with(&format!("Flood at {series}: it has begun, severity critical\n\nWhat:     ")), "{email}");
    for part in [
        format!("\nWhere:    {series}\n"),
        "\nDo first: ".to_owned(),
        "\nPage:     gatepost incident incidents/".to_owned(),
    ] {
        assert!(email.contains(&part), "{part:?} in {email}");
    }
    assert!(sms.starts_with(&format!("critical flood opened: {series} limited ")), "{sms}");
    assert!(sms.chars().count() <= 160, "{sms}");
    assert!(email.contains('█') && sms.contains('█'), "no chart in {email} or {sms}");
}

async fn flood(stack: &Stack, flow: &str) {
    let asked = (0..FLOOD).map(|_| stack.validate(json!({"email": "nobody", "flow": flow})));
    let statuses: Vec<u16> =
        stream::iter(asked).buffer_unordered(16).map(|answer| answer.status.as_u16()).collect().await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn a_flood_that_spreads_updates_its_incident_and_recovery_closes_it_and_nothing_else_is_told() {
    let stack = flooded().await;
    let current = Bucket::of(clock::now());
    assert_eq!(stack.scan(&current.plus(1).rfc3339()).await["alerts_opened"], 1);
    flood(&stack, "login").await;
    let spread = stack.scan(&current.plus(3).rfc3339()).await;
    assert_eq!((&spread["alerts_opened"], &spread["alerts_updated"]), (&json!(0), &json!(1)));
    assert_eq!(stack.scan(&current.plus(20).rfc3339()).await["alerts_closed"], 1);
    stack.scan(&current.plus(40).rfc3339()).await;
    let told: Vec<Value> = stack.alerts().await.iter().map(default_text).collect();
    let states: Vec<&Value> = told.iter().map(|alert| &alert["state"]).collect();
    assert_eq!(states, ["opened", "updated", "closed"]);
    assert!(told.iter().all(|alert| alert["fingerprint"] == told[0]["fingerprint"]), "{told:#?}");
    assert_eq!(told[1]["series"], format!("*/{}", id(&stack)));
}

/// Standard output of a command against the stack.
async fn gatepost(stack: &Stack, arguments: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::new(program("gatepost"));
    let output = command.args(arguments).args(["--url", &stack.url]).output().await.expect("it starts");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn the_page_of_an_incident_is_printed_by_its_key_and_follows_the_incident() {
    let stack = flooded().await;
    let current = Bucket::of(clock::now());
    stack.scan(&current.plus(1).rfc3339()).await;
    let key = default_text(&stack.alerts().await[0])["page_key"].as_str().expect("a key").to_owned();
    let page = gatepost(&stack, &["incident", &key]).await.expect("the page");
    assert!(page.starts_with("<!doctype html>") && page.contains("Open since") && page.contains("<svg"), "{page}");
    stack.scan(&current.plus(16).rfc3339()).await;
    let page = gatepost(&stack, &["incident", &key]).await.expect("the page");
    assert!(page.contains("Over: ") && page.contains("class=window"), "{page}");
    for wrong in ["incidents/../api-key.html", "inbound/x", "incidents/0.html"] {
        assert!(gatepost(&stack, &["incident", wrong]).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn what_operators_announce_is_listed_counts_and_can_be_taken_back() {
    let stack = Stack::start_with(&[], &TIGHT).await;
    let current = Bucket::of(clock::now());
    let (start, end) = (current.minus(1).to_string(), current.plus(30).to_string());
    let add = ["calendar", "add", "--series", "*", "--start", &start, "--end", &end, "--kind"];
    let added = gatepost(&stack, &[&add[..], &["silence", "--note", "night shift"]].concat()).await.expect("an entry");
    let entry: Value = serde_json::from_str(&added).expect("JSON");
    let expected = json!({
        "id": entry["id"], "series": "*", "start": start, "end": end, "kind": "silence", "note": "night shift"
    });
    assert_eq!(entry, expected);
    assert_eq!(gatepost(&stack, &["calendar", "list"]).await.expect("entries"), added);
    flood(&stack, "signup").await;
    assert_eq!(stack.scan(&current.plus(2).rfc3339()).await["alerts_opened"], 0);
    let id = entry["id"].as_str().expect("an id");
    gatepost(&stack, &["calendar", "remove", id]).await.expect("it was there");
    assert_eq!(
        gatepost(&stack, &["calendar", "remove", id]).await,
        Err("gatepost: there is no such entry\n".to_owned())
    );
    assert_eq!(gatepost(&stack, &["calendar", "list"]).await.expect("no entries"), "");
    assert_eq!(stack.scan(&current.plus(3).rfc3339()).await["alerts_opened"], 1);
    for (kind, at, told) in
        [("surge", &end, "a kind is campaign"), ("silence", &"1970-01-01".to_owned(), "before it begins")]
    {
        let wrong = ["calendar", "add", "--series", "*", "--start", &start, "--end", at, "--kind", kind];
        let error = gatepost(&stack, &wrong).await.expect_err("refused");
        assert!(error.contains(told), "{error}");
    }
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
    let mut command = tokio::process::Command::new(program("gatepost"));
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
