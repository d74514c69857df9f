//! Events of the schedule: alerts, and messages that were left behind.

use std::{path::PathBuf, time::Duration};

use gatepost::{
    activity::Tally,
    bucket::Bucket,
    io::{counters::preload, scan_progress},
};
use gatepost_local::{aws::s3::BUCKET, clock};
use serde_json::{Value, json};

use super::{Account, event, stored_message};
use crate::{
    objects::{keys, object, put},
    table,
};

#[tokio::test]
async fn anomaly_scan_turns_counters_into_one_alert_on_the_topic() {
    let account = Account::open(&[]).await;
    let scan = account.start("anomaly-scan").await;
    let table = table::client(&account.stack.dynamodb);
    let flood = Bucket::of(clock::now()).minus(3);
    let tally = Tally::from([("total".to_owned(), 900), ("accept".to_owned(), 900)]);
    preload(&table, "login/k1", &[(flood, tally)]).await.expect("written");
    scan_progress::reset(&table, flood, flood).await.expect("written");
    let event = event("schedule.json");
    let expected = json!({
        "series": 1, "alerts_opened": 1, "alerts_updated": 0, "alerts_closed": 0, "alerts_published": 1, "alerts_pending": 0,
        "messages_swept": 0,
    });
    assert_eq!(scan.answer(&event).await, expected);
    let again = scan.answer(&event).await;
    assert_eq!((&again["alerts_opened"], &again["alerts_published"]), (&json!(0), &json!(0)));
    let alerts = account.stack.alerts().await;
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(alert["Subject"], "[critical] flood opened: login/k1");
    assert_eq!(alert["MessageAttributes"]["flow"]["StringValue"], "login");
}

#[tokio::test]
async fn anomaly_scan_has_a_message_judged_that_was_left_behind_and_clears_it_when_it_is_placed() {
    let data = scratch_folder("left-behind");
    let account = Account::open(&["--data", data.to_str().expect("UTF-8")]).await;
    let _inspector = account.deploy("inspect-attachment").await;
    let _verifier = account.deploy("verify-inbound").await;
    let scan = account.start("anomaly-scan").await;
    for message_id in ["left-behind", "just-arrived"] {
        put(&account.stack.s3, &format!("inbound/{message_id}"), stored_message(message_id)).await;
    }
    let file = std::fs::File::options().write(true).open(data.join("s3").join(BUCKET).join("inbound/left-behind"));
    let an_hour_ago = clock::now() - Duration::from_hours(1);
    file.and_then(|file| file.set_modified(an_hour_ago)).expect("an object is a file");
    assert_eq!(scan.answer(&event("schedule.json")).await["messages_swept"], 1);
    let placed = ["rejected/left-behind", "rejected/left-behind.report.json"];
    let left = ["inbound/just-arrived", "inbound/left-behind", "inbound/left-behind.report.json"];
    assert_eq!(keys(&account.stack.s3).await, [&left[..], &placed].concat());
    let report: Value = serde_json::from_slice(&object(&account.stack.s3, placed[1]).await).expect("JSON");
    assert_eq!(report["envelope"]["rcpt_to"], json!(["inbox@receiver.example"]));
    assert_eq!(scan.answer(&event("schedule.json")).await["messages_swept"], 0);
    assert_eq!(keys(&account.stack.s3).await, [&left[..1], &placed].concat());
}

/// An empty folder in the build folder. `name` is unique among all tests.
fn scratch_folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("the build folder can be written to");
    }
    path
}
