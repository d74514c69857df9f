//! Events of a receipt rule: verify-inbound and the inspector that it invokes.

use gatepost_local::aws::s3::BUCKET;
use serde_json::{Value, json};

use super::{Account, CALL, MESSAGE_ID, codes, event, stored_message};
use crate::{
    objects::{all_keys, keys, object, put},
    runtime_api::Invoked,
    table,
};

#[tokio::test]
async fn verify_inbound_asks_the_inspector_and_puts_a_dangerous_message_away_once() {
    let account = Account::open(&[]).await;
    let _inspector = account.deploy("inspect-attachment").await;
    let verifier = account.start("verify-inbound").await;
    let stored = stored_message(MESSAGE_ID);
    put(&account.stack.s3, &format!("inbound/{MESSAGE_ID}"), stored.clone()).await;
    for delivery in ["first", "again"] {
        let answer = verifier.answer(&event("ses-receipt.json")).await;
        assert_eq!(answer, json!({"disposition": "STOP_RULE_SET"}), "{delivery}");
    }
    let places = ["inbound", "rejected"]
        .map(|place| [format!("{place}/{MESSAGE_ID}"), format!("{place}/{MESSAGE_ID}.report.json")]);
    assert_eq!(keys(&account.stack.s3).await, places.concat());
    assert_eq!(object(&account.stack.s3, &places[1][0]).await, stored);
    let report: Value = serde_json::from_slice(&object(&account.stack.s3, &places[1][1]).await).expect("JSON");
    let envelope = json!({
        "client_ip": "192.0.2.25", "helo": "mail.sender.example", "mail_from": "orders@sender.example",
        "rcpt_to": ["inbox@receiver.example"],
    });
    let told = json!([report["message_id"], report["from_domain"], report["disposition"], report["envelope"]]);
    assert_eq!(told, json!([MESSAGE_ID, "supplier.example", "reject", envelope]));
    assert!(codes(&report["findings"]).contains(&"executable_attachment"), "{report}");
    let counted = table::of_series(table::counted(&account.stack.dynamodb).await, "inbound/receiver.example");
    assert_eq!((counted.get("total"), counted.get("reject")), (Some(&1), Some(&1)), "{counted:?}");
}

#[tokio::test]
async fn verify_inbound_defers_what_nobody_could_inspect_and_quarantines_what_the_inspector_fails_on() {
    for (fails, disposition, code, place) in
        [(false, "defer", "inspection_unavailable", "inbound"), (true, "quarantine", "inspection_failed", "quarantine")]
    {
        let account = Account::open(&[]).await;
        if fails {
            account.lambda.register("inspect-attachment", CALL, async |_| Err("out of memory".into()));
        }
        let verifier = account.start("verify-inbound").await;
        put(&account.stack.s3, &format!("inbound/{MESSAGE_ID}"), stored_message(MESSAGE_ID)).await;
        let answer = verifier.answer(&event("ses-receipt.json")).await;
        assert_eq!(answer, json!({"disposition": "STOP_RULE_SET"}), "{code}");
        let (inside, report) = (format!("{place}/{MESSAGE_ID}"), ".report.json");
        let key =
            all_keys(&account.stack.s3).await.into_iter().find(|key| key.starts_with(&inside) && key.ends_with(report));
        let report = object(&account.stack.s3, &key.expect("there is a report")).await;
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        assert_eq!(report["disposition"], disposition, "{report}");
        assert!(codes(&report["findings"]).contains(&code), "{report}");
        let delivered = keys(&account.stack.s3).await.into_iter().filter(|key| key.starts_with("delivered/"));
        assert_eq!(delivered.collect::<Vec<_>>(), Vec::<String>::new(), "{code}");
    }
}

#[tokio::test]
async fn verify_inbound_answers_whatever_it_is_given_and_never_lets_it_pass() {
    let account = Account::open(&[]).await;
    let verifier = account.start("verify-inbound").await;
    let mut other_source = event("ses-receipt.json");
    other_source["Records"][0]["eventSource"] = json!("aws:sns");
    let mut two = event("ses-receipt.json");
    let (of_a_missing_message, record) = (two.clone(), two["Records"][0].clone());
    two["Records"] = json!([record, {"eventSource": "aws:ses"}]);
    for event in [
        json!({}),
        json!(null),
        json!([]),
        json!("Records"),
        json!({"Records": []}),
        json!({"Records": null}),
        json!({"Records": [{}]}),
        json!({"Records": [{"eventSource": "aws:ses", "ses": {"mail": {"messageId": "../../delivered/x"}, "receipt": {}}}]}),
        json!({"sweep": {}}),
        json!({"sweep": {"message_id": "nobody-sent-this"}}),
        other_source,
        two,
        of_a_missing_message,
    ] {
        assert_eq!(verifier.answer(&event).await, json!({"disposition": "STOP_RULE_SET"}), "{event}");
    }
    let reachable = |key: &String| key.starts_with("delivered/");
    assert_eq!(keys(&account.stack.s3).await.iter().filter(|key| reachable(key)).count(), 0);
}

#[tokio::test]
async fn inspect_attachment_judges_the_message_of_its_event_in_a_child_process() {
    let account = Account::open(&[]).await;
    let inspector = account.start("inspect-attachment").await;
    put(&account.stack.s3, &format!("inbound/{MESSAGE_ID}"), stored_message(MESSAGE_ID)).await;
    let answer = inspector.answer(&event("inspect.json")).await;
    // Landlock is a matter of the kernel's configuration.
    for fence in ["child_process", "resource_limits", "seccomp"] {
        assert_eq!(answer["isolation"][fence], true, "{fence}");
    }
    let told: Vec<Value> = answer["findings"].as_array().expect("a list").iter().map(severity_and_place).collect();
    assert_eq!(told, [json!(["executable_attachment", "reject", "2 invoice.pdf"])]);
}

fn severity_and_place(finding: &Value) -> Value {
    json!([finding["code"], finding["severity"], finding["location"]])
}

#[tokio::test]
async fn inspect_attachment_says_of_what_it_cannot_read_that_it_was_not_inspected() {
    let account = Account::open(&[]).await;
    let inspector = account.start("inspect-attachment").await;
    for (bucket, key) in [
        (BUCKET, "inbound/nothing-is-here"),
        (BUCKET, "delivered/somebody-elses"),
        (BUCKET, ""),
        ("another-bucket", "inbound/nothing-is-here"),
    ] {
        let answer = inspector.answer(&json!({"bucket": bucket, "key": key})).await;
        assert_eq!(answer["isolation"]["child_process"], false);
        let told: Vec<Value> = answer["findings"].as_array().expect("a list").iter().map(severity_and_place).collect();
        assert_eq!(told, [json!(["inspection_failed", "quarantine", "body"])], "{bucket} {key}");
    }
    let failure = inspector.invoke("{}").await;
    assert!(matches!(failure, Invoked::Failure(_)), "{failure:?}");
    let answer = inspector.answer(&json!({"bucket": BUCKET, "key": "inbound/nothing-is-here"})).await;
    assert_eq!(codes(&answer["findings"]), ["inspection_failed"]);
}
