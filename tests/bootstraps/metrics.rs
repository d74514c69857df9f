//! What CloudWatch counts is said in the events that are logged anyway.

use std::collections::BTreeMap;

use gatepost::{
    bucket::Bucket,
    io::scan_progress,
    metric::{FUNCTION, NAMESPACE},
};
use gatepost_local::clock;
use serde_json::{Value, json};

use super::{Account, MESSAGE_ID, authenticated, event, http, stored_message};
use crate::{
    objects::put,
    runtime_api::{Function, TRACE_ID},
    table,
};

/// The metrics of what a program wrote up to the line with `last`: by name, the values of the dimension besides the function.
async fn metrics(function: &Function, name: &str, last: &str) -> BTreeMap<String, Vec<Value>> {
    let mut metrics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in function.log_with(last).await {
        assert_eq!(line[FUNCTION], name, "{line}");
        let Some(directive) = line["_aws"]["CloudWatchMetrics"].get(0) else { continue };
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert!(line["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000), "{line}");
        assert_eq!(directive["Dimensions"][0], json!([FUNCTION]));
        let by = &line[directive["Dimensions"][1][1].as_str().unwrap_or_default()];
        for metric in directive["Metrics"].as_array().expect("a list") {
            let metric = metric["Name"].as_str().expect("a name");
            assert!(line[metric].is_number(), "{metric} in {line}");
            metrics.entry(metric.to_owned()).or_default().push(by.clone());
        }
    }
    metrics
}

/// As if the scan before had ended just now.
async fn begin_scans(account: &Account) {
    let now = Bucket::of(clock::now()).minus(2);
    scan_progress::reset(&table::client(&account.stack.dynamodb), now, now).await.expect("written");
}

#[tokio::test]
async fn validate_counts_starts_verdicts_and_refusals_with_how_long_they_took() {
    let account = Account::open(&[]).await;
    let validate = account.start("validate").await;
    assert_eq!(http(&validate.answer(&event("validate.json")).await).0, 401);
    let answer = http(&validate.answer(&authenticated("validate.json", &account.stack)).await);
    let metrics = metrics(&validate, "validate", "\"verdict\"").await;
    assert_eq!(metrics["init_ms"], [Value::Null]);
    assert_eq!(metrics["refused_ms"], [json!(401)]);
    assert_eq!((&metrics["took_ms"], &metrics["dns_ms"]), (&vec![answer.1["verdict"].clone()], &metrics["took_ms"]));
}

#[tokio::test]
async fn verify_inbound_counts_dispositions_and_failures_of_the_inspector() {
    let account = Account::open(&[]).await;
    let verifier = account.start("verify-inbound").await;
    put(&account.stack.s3, &format!("inbound/{MESSAGE_ID}"), stored_message(MESSAGE_ID)).await;
    verifier.answer(&event("ses-receipt.json")).await;
    let metrics = metrics(&verifier, "verify-inbound", "\"disposition\"").await;
    for metric in ["took_ms", "dns_ms", "dns.queries"] {
        assert_eq!(metrics[metric], [json!("defer")], "{metric}");
    }
    assert_eq!(metrics["inspector.failures"], [Value::Null]);
}

#[tokio::test]
async fn anomaly_scan_counts_series_alerts_and_how_far_it_is_behind() {
    let account = Account::open(&[]).await;
    let scan = account.start("anomaly-scan").await;
    begin_scans(&account).await;
    scan.answer(&event("schedule.json")).await;
    let metrics = metrics(&scan, "anomaly-scan", "\"scan_ms\"").await;
    let scanned = ["series", "scan_ms", "scan.lag_buckets", "alerts.opened", "alerts.pending", "messages.swept"];
    for metric in scanned {
        assert_eq!(metrics[metric], [Value::Null], "{metric}");
    }
}

#[tokio::test]
async fn every_line_of_an_invocation_names_it_and_its_trace() {
    let account = Account::open(&[]).await;
    let scan = account.start("anomaly-scan").await;
    begin_scans(&account).await;
    scan.answer(&event("schedule.json")).await;
    let lines = scan.log_with("\"scan_ms\"").await.into_iter();
    let of_the_invocation: Vec<Value> = lines.filter(|line| line["init_ms"].is_null()).collect();
    assert!(!of_the_invocation.is_empty());
    for line in of_the_invocation {
        assert_eq!(
            (&line["lambda.request_id"], &line["trace.id"]),
            (&json!("invocation-0"), &json!(TRACE_ID)),
            "{line}"
        );
    }
}
