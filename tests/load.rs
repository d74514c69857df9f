//! `gatepost loadtest`, and what a stack tells of its calls.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    command_line::{COULD_NOT, answers, gatepost},
    stack::Stack,
};

async fn calls(stack: &Stack) -> BTreeMap<String, u64> {
    let told = stack.send("GET", "/local/calls", &[], "").await.expect_status(200).json();
    serde_json::from_value(told).expect("a number for each operation")
}

/// The report of a short run.
async fn report(stack: &Stack) -> Value {
    let url = stack.url.clone();
    let run = move || answers(&["loadtest", "--url", &url, "--rate", "10", "--seconds", "5", "--json"], b"");
    let reports = tokio::task::spawn_blocking(run).await.expect("the command answers");
    let [report] = reports.as_slice() else { panic!("{} reports", reports.len()) };
    report.clone()
}

/// Statuses of all answers to one kind of request, over all phases.
fn statuses(report: &Value, kind: &str) -> BTreeMap<String, u64> {
    let mut statuses = BTreeMap::new();
    let rows = report["phases"].as_array().expect("rows").iter().filter(|row| row["kind"] == kind);
    for (status, count) in rows.flat_map(|row| row["statuses"].as_object().expect("statuses")) {
        *statuses.entry(status.clone()).or_default() += count.as_u64().expect("a count");
    }
    statuses
}

#[tokio::test]
async fn each_decision_about_a_new_caller_is_one_write_and_is_told() {
    let stack = Stack::start().await;
    let before = calls(&stack).await;
    for _ in 0..3 {
        stack.validate(json!({"email": "nobody"})).await.expect_status(200);
    }
    let after = calls(&stack).await;
    let updates = |calls: &BTreeMap<String, u64>| calls.get("UpdateItem").copied().unwrap_or_default();
    assert_eq!(updates(&after) - updates(&before), 3, "{before:?}, then {after:?}");
}

#[tokio::test]
async fn a_load_test_tells_what_was_answered_written_and_admitted() {
    let stack = Stack::start().await;
    let report = report(&stack).await;
    assert_eq!(report["unexpected"], 0, "{report}");
    let phases: Vec<&Value> = report["phases"].as_array().expect("rows").iter().map(|row| &row["phase"]).collect();
    for phase in ["steady", "surge", "attack", "recovery"] {
        assert!(phases.iter().any(|found| **found == phase), "no {phase} in {phases:?}");
    }
    let of = |kind: &str| statuses(&report, kind).into_keys().collect::<Vec<_>>();
    assert_eq!([of("validate"), of("guessed_key"), of("header_flood")], [["200"], ["401"], ["431"]]);
    assert_eq!(of("hot_key"), ["200", "429"], "ten times its limit");
    let (limits, dynamodb) = (&report["limits"], &report["dynamodb"]);
    assert_eq!(limits["over_admitted"], 0);
    assert_eq!(limits["hot_key"]["bound"], 60 + 10);
    assert_eq!(limits["hot_key"]["admitted"], statuses(&report, "hot_key")["200"]);
    let writes = dynamodb["writes"].as_u64().expect("a number");
    assert!(
        0 < writes && writes <= dynamodb["by_operation"]["UpdateItem"].as_u64().expect("a number") + 40,
        "{dynamodb}"
    );
    assert!(0.0 < report["phases"][0]["p50_ms"].as_f64().expect("a number"));
}

#[tokio::test]
async fn the_keys_of_a_load_test_are_revoked_in_the_end() {
    let stack = Stack::start().await;
    report(&stack).await;
    let url = stack.url.clone();
    let listed = tokio::task::spawn_blocking(move || answers(&["keys", "list", "--url", &url], b"")).await;
    let (of_test, others): (Vec<Value>, Vec<Value>) =
        listed.expect("the command answers").into_iter().partition(|key| key["name"] == "load test");
    assert_eq!((of_test.len(), others.len()), (33, 1));
    assert!(of_test.iter().all(|key| key["revoked"].is_string()), "{of_test:?}");
    assert!(others.iter().all(|key| key["revoked"].is_null()), "{others:?}");
}

#[test]
fn without_a_stack_there_is_nothing_to_load() {
    let output = gatepost(&["loadtest", "--url", "http://127.0.0.1:1", "--seconds", "1"], b"");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), COULD_NOT);
    assert!(said.contains("no stack of gatepost answers at http://127.0.0.1:1"), "{said}");
}
