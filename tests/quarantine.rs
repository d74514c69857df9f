//! What an operator does with messages that were held back, through the commands.

use gatepost::io::table::read_text;
use serde_json::{Value, json};

use crate::{
    command_line::{COULD_NOT, answers, gatepost},
    inbound::Case,
    objects::{keys_of, lying_in, object},
    stack::Stack,
    table::{counted, items},
};

const RELEASE: [&str; 4] = ["--by", "dora", "--why", "the customer called"];

/// Runs the command beside the stack, which has to go on answering.
async fn quarantine(stack: &Stack, arguments: &[&str]) -> Vec<Value> {
    let arguments: Vec<String> = command(stack, arguments);
    let run = move || answers(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    tokio::task::spawn_blocking(run).await.expect("the command answers")
}

fn command(stack: &Stack, arguments: &[&str]) -> Vec<String> {
    ["quarantine", "--url", &stack.url].iter().chain(arguments).map(ToString::to_string).collect()
}

async fn hold(stack: &Stack, message_id: &str) -> Vec<u8> {
    let answer = Case::named("dmarc-quarantine").post(stack, message_id).await.expect_status(200).json();
    assert_eq!(answer["report"]["disposition"], "quarantine", "{answer}");
    object(&stack.s3, &format!("quarantine/{message_id}")).await
}

#[tokio::test]
async fn what_is_held_is_listed_and_shown() {
    let stack = Stack::start().await;
    let stored = hold(&stack, "held").await;
    let listed = quarantine(&stack, &["list"]).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["message_id"], "held");
    assert_eq!((&listed[0]["findings"], &listed[0]["released"]), (&json!(["dmarc_fail"]), &json!(false)));
    let report = &quarantine(&stack, &["show", "held"]).await[0];
    assert_eq!((&report["disposition"], &report["dmarc"]), (&json!("quarantine"), &json!("fail")));
    let arguments = command(&stack, &["show", "held", "--message"]);
    let run = move || gatepost(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    assert!(tokio::task::spawn_blocking(run).await.expect("it ends").stdout == stored);
}

#[tokio::test]
async fn a_released_message_is_delivered_with_who_and_why_and_only_once() {
    let stack = Stack::start().await;
    let stored = hold(&stack, "held").await;
    let released = quarantine(&stack, &[&["release", "held"][..], &RELEASE].concat()).await;
    assert_eq!((&released[0]["release"]["by"], &released[0]["release"]["why"]), (&json!("dora"), &json!(RELEASE[3])));
    assert_eq!(keys_of(&stack.s3, "held").await, lying_in(&["delivered", "inbound", "quarantine"], "held"));
    let delivered = object(&stack.s3, "delivered/held").await;
    assert!(delivered.starts_with(b"Authentication-Results: gatepost.invalid;") && delivered.ends_with(&stored));
    let kept: Value = serde_json::from_slice(&object(&stack.s3, "delivered/held.report.json").await).expect("JSON");
    assert_eq!(kept, released[0]);
    let entries = items(&stack.dynamodb, "message#held").await;
    let facts: Vec<_> =
        entries.iter().map(|entry| (read_text(entry, "disposition"), read_text(entry, "released_by"))).collect();
    assert_eq!(facts, [(Some("deliver".to_owned()), Some("dora".to_owned()))]);
    take_delivered(&stack, "held").await;
    let again = ["release", "held", "--by", "eve", "--why", "me too"];
    assert_eq!(quarantine(&stack, &again).await, released, "who let it go first stays");
    assert!(!keys_of(&stack.s3, "held").await.contains(&"delivered/held".to_owned()), "its consumer took it");
    assert_eq!(quarantine(&stack, &["list"]).await[0]["released"], true);
    let again = Case::named("dmarc-quarantine").post(&stack, "held").await.expect_status(200).json();
    assert_eq!(again["ses_answer"]["disposition"], "CONTINUE", "a redelivery meets the decision as it stands");
}

/// As a consumer does with what it has read.
async fn take_delivered(stack: &Stack, message_id: &str) {
    let s3 = gatepost_local::aws::clients::s3(&stack.s3, std::time::Duration::from_secs(30));
    let key = format!("delivered/{message_id}");
    s3.delete_object().bucket(gatepost_local::aws::s3::BUCKET).key(key).send().await.expect("the bucket answers");
}

#[tokio::test]
async fn a_message_that_nobody_could_judge_is_released_without_results_that_pretend_to_be_ours() {
    let stack = Stack::start().await;
    let forged = b"Authentication-Results: gatepost.invalid; dmarc=pass header.from=bank.example\r\n";
    let message = [forged, Case::named("aligned").message.as_slice()].concat();
    let long = "x".repeat(600);
    let session = [("client_ip", "192.0.2.10"), ("helo", long.as_str()), ("message_id", "held")];
    stack.inbound(&session, message).await.expect_status(200);
    quarantine(&stack, &[&["release", "held"][..], &RELEASE].concat()).await;
    let delivered = object(&stack.s3, "delivered/held").await.escape_ascii().to_string();
    assert!(delivered.starts_with("Authentication-Results: gatepost.invalid;\\r\\n none\\r\\n"), "{delivered}");
    assert!(!delivered.contains("header.from=bank.example"), "{delivered}");
}

#[tokio::test]
async fn a_message_is_judged_again_by_what_holds_today() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("rejudge");
    drop(std::fs::remove_dir_all(&folder));
    let data = ["--data", folder.to_str().expect("a plain name")];
    let stack = Stack::start_with(&data, &[]).await;
    hold(&stack, "held").await;
    let report = &quarantine(&stack, &["rejudge", "held"]).await[0];
    assert_eq!(report["disposition"], "quarantine", "nothing has changed");
    assert!(keys_of(&stack.s3, "held").await.contains(&"quarantine/held".to_owned()));
    stack.kill().await;
    let stack =
        Stack::start_with(&data, &[("GATEPOST_INBOUND_OVERRIDES", "dmarc_fail@bank.example=reject,dmarc_fail=review")])
            .await;
    let report = &quarantine(&stack, &["rejudge", "held"]).await[0];
    assert_eq!(report["disposition"], "deliver", "{report}");
    assert_eq!(keys_of(&stack.s3, "held").await, lying_in(&["delivered", "inbound"], "held"));
    let counts: Vec<(String, u64)> = counted(&stack.dynamodb).await.into_iter().collect();
    let channels: Vec<_> = counts.iter().filter_map(|(name, count)| Some((name.rsplit_once('|')?.1, *count))).collect();
    assert_eq!(channels, [("auth_fail", 1), ("quarantine", 1), ("total", 1)], "a message is counted once");
}

#[test]
fn what_cannot_be_done_is_said_in_words() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stack = runtime.block_on(Stack::start());
    for (arguments, expected) in [
        (&["show", "nothing"][..], "there is no message nothing in quarantine"),
        (&["rejudge", "nothing"], "there is no message nothing in quarantine"),
        (&["release", "nothing", "--by", "dora", "--why", "x"], "there is no message nothing in quarantine"),
        (&["release", "nothing", "--by", " ", "--why", "x"], "--by is empty"),
        (&["show", "../x"], "the message id is missing or has characters of its own"),
    ] {
        let command = command(&stack, arguments);
        let output = gatepost(&command.iter().map(String::as_str).collect::<Vec<_>>(), b"");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr), (COULD_NOT, format!("gatepost: {expected}\n")), "{arguments:?}");
    }
    let output = gatepost(&["quarantine", "--aws", "list"], b"");
    assert_eq!(output.status.code(), COULD_NOT);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in ["GATEPOST_TABLE", "GATEPOST_BUCKET", "GATEPOST_VERIFIER"] {
        assert!(stderr.contains(&format!("{name} is not set")), "{stderr}");
    }
    let output = gatepost(&["quarantine", "--url", "http://127.0.0.1:1", "list"], b"");
    assert_eq!(output.status.code(), COULD_NOT);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("gatepost: no stack of gatepost answers at"));
}
