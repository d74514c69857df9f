//! The programs that are deployed, run as Lambda runs them, against the services of a stack: same table, bucket and topic.
//!
//! They ask the name server of the system, of which nothing is known here: no expectation depends on its answers.

mod inbound;
mod metrics;
mod scan;
mod validate;

use std::{
    process::Output,
    sync::{Arc, Mutex},
    time::Duration,
};

use gatepost::api_key::ApiKey;
use gatepost_local::{
    aws::lambda::{Lambda, Outcome},
    ses::Session,
};
use gatepost_verify_inbound::event::MessageId;
use serde_json::{Value, json};

use crate::{
    permissions::{Recorder, expect_granted},
    runtime_api::{Extensions, Function, Invoked, command},
    stack::{Stack, root},
};

const CALL: Duration = Duration::from_secs(30);
const NOBODY_LISTENS: &str = "http://127.0.0.1:9";

/// The message of `events/ses-receipt.json` and `events/inspect.json`.
const MESSAGE_ID: &str = "a11gnedk3v9q2m7t5c1x8r4b6n0d2f5h7j9l1p3s";

/// A stack whose services the bootstraps use, and the endpoint by which they invoke each other.
struct Account {
    stack: Stack,
    lambda: Lambda,
    /// What each function asked of table and bucket.
    asked: Mutex<Vec<(String, Recorder)>>,
}

impl Drop for Account {
    /// Nothing that works here may be refused in AWS.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let asked = self.asked.get_mut().expect("nobody panics with it");
            asked.iter().for_each(|(function, recorder)| expect_granted(function, recorder));
        }
    }
}

impl Account {
    async fn open(arguments: &[&str]) -> Self {
        let (stack, lambda) = tokio::join!(Stack::start_with(arguments, &[]), Lambda::start());
        Self { stack, lambda: lambda.expect("a Lambda endpoint"), asked: Mutex::default() }
    }

    async fn start(&self, program: &str) -> Arc<Function> {
        self.start_with(program, Extensions::Absent).await
    }

    async fn start_with(&self, program: &str, extensions: Extensions) -> Arc<Function> {
        let lambda = self.lambda.url();
        let (table, bucket) = tokio::join!(Recorder::start(&self.stack.dynamodb), Recorder::start(&self.stack.s3));
        let (table_url, bucket_url) = (table.url.clone(), bucket.url.clone());
        let recorders = [table, bucket].map(|recorder| (program.to_owned(), recorder));
        self.asked.lock().expect("nobody panics with it").extend(recorders);
        let environment = [
            ("AWS_ENDPOINT_URL_DYNAMODB", table_url.as_str()),
            ("AWS_ENDPOINT_URL_S3", &bucket_url),
            ("AWS_ENDPOINT_URL_SNS", &self.stack.sns),
            ("AWS_ENDPOINT_URL_LAMBDA", &lambda),
            ("GATEPOST_ALERT_TOPIC", "arn:aws:sns:us-east-1:000000000000:gatepost-alerts"),
            ("GATEPOST_AUTH_KEY_HASH_SECRET", "local-development-only"),
            ("GATEPOST_DNS_TIMEOUT_MS", "200"),
            ("GATEPOST_LIMITS_TIMEOUT_MS", "10000"),
        ];
        Arc::new(Function::start(program, &environment, extensions).await)
    }

    /// A bootstrap that the others can invoke.
    async fn deploy(&self, program: &'static str) -> Arc<Function> {
        let function = self.start(program).await;
        let invoked = Arc::clone(&function);
        self.lambda.register(program, CALL, move |payload| invoke(Arc::clone(&invoked), payload));
        function
    }
}

async fn invoke(function: Arc<Function>, payload: Vec<u8>) -> Outcome {
    match function.invoke(payload).await {
        Invoked::Answer(answer) => Ok(answer.to_string().into_bytes()),
        Invoked::Failure(failure) => Err(failure.to_string().into()),
    }
}

fn event(name: &str) -> Value {
    let text = std::fs::read(root().join("events").join(name)).expect("the event is there");
    serde_json::from_slice(&text).expect("the event is JSON")
}

/// The event with a key that the stack knows.
fn authenticated(name: &str, stack: &Stack) -> Value {
    let mut event = event(name);
    event["headers"]["x-api-key"] = json!(stack.api_key);
    event
}

fn id(stack: &Stack) -> String {
    ApiKey::parse(&stack.api_key).expect("the development key").id().to_owned()
}

/// An HTTP API answer of payload format 2.0: its status, and its body as JSON.
#[track_caller]
fn http(answer: &Value) -> (u64, Value) {
    assert_eq!(answer["isBase64Encoded"], false, "{answer}");
    assert_eq!(answer["headers"]["cache-control"], "no-store", "{answer}");
    let body = serde_json::from_str(answer["body"].as_str().expect("text")).expect("JSON");
    (answer["statusCode"].as_u64().expect("a status"), body)
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|item| item["code"].as_str()).collect()
}

/// What SES would have stored for the event files, with a program called invoice.pdf.
fn stored_message(message_id: &str) -> Vec<u8> {
    let session = Session {
        message_id: MessageId::parse(message_id).expect("a message id"),
        client_ip: "192.0.2.25".parse().expect("an address"),
        helo: "mail.sender.example".to_owned(),
        mail_from: "orders@sender.example".to_owned(),
        rcpt_to: vec!["inbox@receiver.example".to_owned()],
        received_at: "2026-11-23T02:15:02.000Z".to_owned(),
        received_date: "Mon, 23 Nov 2026 02:15:02 +0000 (UTC)".to_owned(),
    };
    let message =
        std::fs::read(root().join("events/messages/executable-attachment.eml")).expect("the message is there");
    session.stored(&message)
}

#[tokio::test]
async fn every_bootstrap_answers_when_nothing_else_does() {
    let environment = [
        ("AWS_ENDPOINT_URL", NOBODY_LISTENS),
        ("GATEPOST_ALERT_TOPIC", "arn:aws:sns:us-east-1:000000000000:gatepost-alerts"),
        ("GATEPOST_AUTH_KEY_HASH_SECRET", "local-development-only"),
    ];
    let validate = Function::start("validate", &environment, Extensions::Served).await;
    let (status, problem) = http(&validate.answer(&event("validate.json")).await);
    assert_eq!((status, &problem["type"]), (503, &json!("urn:gatepost:problem:unavailable")));
    validate.may_be_frozen().await;
    let verifier = Function::start("verify-inbound", &environment, Extensions::Absent).await;
    assert_eq!(verifier.answer(&event("ses-receipt.json")).await, json!({"disposition": "STOP_RULE_SET"}));
    let inspector = Function::start("inspect-attachment", &environment, Extensions::Absent).await;
    assert_eq!(codes(&inspector.answer(&event("inspect.json")).await["findings"]), ["inspection_failed"]);
    // The schedule tries again what failed.
    let scan = Function::start("anomaly-scan", &environment, Extensions::Absent).await;
    let failure = scan.invoke(event("schedule.json").to_string()).await;
    assert!(matches!(failure, Invoked::Failure(_)), "{failure:?}");
}

#[tokio::test]
async fn a_bootstrap_with_wrong_settings_ends_at_once_and_names_them_all() {
    for (program, environment, faults) in [
        ("validate", &[][..], &["GATEPOST_AUTH_KEY_HASH_SECRET is not set"][..]),
        (
            "validate",
            &[("GATEPOST_LIMITS_BURST", "0"), ("GATEPOST_DNS_TIMEOUT_MS", "soon"), ("GATEPOST_TABLE", "")],
            &["GATEPOST_AUTH_KEY_HASH_SECRET", "GATEPOST_LIMITS_BURST", "GATEPOST_DNS_TIMEOUT_MS", "GATEPOST_TABLE"],
        ),
        ("anomaly-scan", &[("GATEPOST_BUCKET", "")], &["GATEPOST_ALERT_TOPIC", "GATEPOST_BUCKET"]),
        (
            "verify-inbound",
            &[("GATEPOST_INBOUND_DEADLINE_MS", "-1"), ("GATEPOST_DNS_SERVER", "localhost")],
            &["GATEPOST_INBOUND_DEADLINE_MS", "GATEPOST_DNS_SERVER"],
        ),
        ("inspect-attachment", &[("GATEPOST_BUCKET", "")], &["GATEPOST_BUCKET"]),
    ] {
        let Output { status, stderr, .. } = ended(program, environment).await;
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(!status.success(), "{program} {environment:?}");
        for fault in faults {
            assert!(stderr.contains(fault), "{fault} is not in {stderr}");
        }
    }
}

async fn ended(program: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = command(program, environment);
    command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9");
    tokio::time::timeout(CALL, command.output()).await.expect("it ends").expect("it starts")
}
