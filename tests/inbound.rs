//! Mail as SES hands it over, through the running stack: what is reported, answered, counted, and where it ends.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gatepost::{bucket::Bucket, io::table::read_text};
use gatepost_local::{clock, name_server::NameServer};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    objects::{keys, keys_of, lying_in, object},
    stack::{Answer, Stack, root},
    table,
};

const SERIES: &str = "inbound/receiver.example";

/// How often somebody looks whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A message of `events/messages`, and what is stated beside it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) message: Vec<u8>,
    facts: Value,
}

impl Case {
    pub(crate) fn named(name: &str) -> Self {
        let file = |extension: &str| {
            let path = root().join("events/messages").join(name).with_extension(extension);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let facts = serde_json::from_slice(&file("json")).expect("JSON");
        Self { name: name.to_owned(), message: file("eml"), facts }
    }

    fn all() -> Vec<Self> {
        let files = std::fs::read_dir(root().join("events/messages")).expect("there are examples");
        let paths = files.map(|file| file.expect("readable").path());
        let messages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        messages.map(|path| Self::named(&path.file_stem().expect("a name").to_string_lossy())).collect()
    }

    /// The disposition that is due.
    pub(crate) fn disposition(&self) -> &str {
        self.facts["expect"]["disposition"].as_str().expect("it is stated")
    }

    pub(crate) fn word(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        self.facts[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub(crate) fn session<'a>(&'a self, message_id: &'a str) -> Vec<(&'a str, &'a str)> {
        let said = ["client_ip", "helo", "mail_from"].map(|name| (name, self.word(name)));
        let recipients = self.words("rcpt_to").into_iter().map(|recipient| ("rcpt_to", recipient));
        said.into_iter().chain(recipients).chain([("message_id", message_id)]).collect()
    }

    pub(crate) async fn post(&self, stack: &Stack, message_id: &str) -> Answer {
        stack.inbound(&self.session(message_id), self.message.clone()).await
    }
}

#[tokio::test]
async fn every_example_gets_the_results_stated_beside_it_and_lies_in_its_place() {
    let mut stacks: HashMap<String, Stack> = HashMap::new();
    for case in Case::all() {
        let sealers = case.words("trusted_arc_sealers").join(",");
        if !stacks.contains_key(&sealers) {
            let stack = Stack::start_with(&[], &[("GATEPOST_TRUSTED_ARC_SEALERS", &sealers)]).await;
            stacks.insert(sealers.clone(), stack);
        }
        let stack = &stacks[&sealers];
        let answer = case.post(stack, &case.name).await.expect_status(200).json();
        for (result, expected) in case.facts["expect"].as_object().expect("results by name") {
            assert_eq!(&answer["report"][result], expected, "{}: {result} in {answer}", case.name);
        }
        assert_eq!(answer["ses_answer"], ses_answer(&answer["report"]["disposition"]), "{}", case.name);
        check_objects(stack, &case, &answer["report"]).await;
    }
}

fn ses_answer(disposition: &Value) -> Value {
    json!({"disposition": if disposition == "deliver" { "CONTINUE" } else { "STOP_RULE_SET" }})
}

async fn check_objects(stack: &Stack, case: &Case, report: &Value) {
    let place = match report["disposition"].as_str() {
        Some("deliver") => "delivered",
        Some("quarantine") => "quarantine",
        Some("reject") => "rejected",
        other => panic!("{}: {other:?} has no place", case.name),
    };
    assert_eq!(keys_of(&stack.s3, &case.name).await, lying_in(&["inbound", place], &case.name));
    let stored = object(&stack.s3, &format!("inbound/{}", case.name)).await;
    assert!(stored.starts_with(format!("Return-Path: <{}>\r\n", case.word("mail_from")).as_bytes()), "{}", case.name);
    assert!(stored.ends_with(&case.message), "{}", case.name);
    let placed = object(&stack.s3, &format!("{place}/{}", case.name)).await;
    let ours = if place == "delivered" { stamp(report) } else { Vec::new() };
    assert!(placed == [ours, stored].concat(), "{}: another message", case.name);
    let kept = object(&stack.s3, &format!("{place}/{}.report.json", case.name)).await;
    assert_eq!(&serde_json::from_slice::<Value>(&kept).expect("JSON"), report);
}

/// What a delivered message has on top.
fn stamp(report: &Value) -> Vec<u8> {
    let value = report["authentication_results"].as_str().expect("a field value");
    format!("Authentication-Results: {}\r\n", value.replace("; ", ";\r\n ")).into_bytes()
}

#[tokio::test]
async fn results_in_our_name_that_the_sender_wrote_are_not_delivered() {
    let stack = Stack::start().await;
    let case = Case::named("aligned");
    let forged = b"Authentication-Results: (hi) \"GATEPOST.invalid\"; dmarc=pass header.from=bank.example\r\n";
    let message = [forged, case.message.as_slice()].concat();
    let answer = stack.inbound(&case.session("forged"), message.clone()).await.expect_status(200).json();
    assert_eq!(answer["report"]["findings"][0]["code"], "forged_authentication_results", "{answer}");
    let delivered = object(&stack.s3, "delivered/forged").await;
    assert!(delivered.starts_with(&stamp(&answer["report"])) && delivered.ends_with(&case.message));
    assert!(!delivered.escape_ascii().to_string().contains("header.from=bank.example"));
    assert!(object(&stack.s3, "inbound/forged").await.ends_with(&message), "the evidence is as it came");
}

#[tokio::test]
async fn a_seal_that_nobody_trusts_overrides_nothing() {
    let stack = Stack::start().await;
    let answer = Case::named("forwarded-arc").post(&stack, "untrusted").await.expect_status(200).json();
    let report = &answer["report"];
    assert_eq!(
        (&report["arc"], &report["dmarc"], &report["disposition"]),
        (&"pass".into(), &"fail".into(), &"reject".into())
    );
    assert_eq!(keys_of(&stack.s3, "untrusted").await, lying_in(&["inbound", "rejected"], "untrusted"));
}

#[tokio::test]
async fn a_message_that_comes_again_is_decided_and_counted_once() {
    let stack = Stack::start().await;
    let case = Case::named("aligned");
    let (one, other) = tokio::join!(case.post(&stack, "again"), case.post(&stack, "again"));
    let first = one.expect_status(200).json();
    assert_eq!(first, other.expect_status(200).json());
    assert_eq!(first, case.post(&stack, "again").await.expect_status(200).json());
    assert_decided_once(&stack, "again", "deliver", &[("deliver", 1), ("total", 1)]).await;
    assert_eq!(keys(&stack.s3).await, lying_in(&["inbound", "delivered"], "again"));
    assert_eq!(
        [stamp(&first["report"]), object(&stack.s3, "inbound/again").await].concat().escape_ascii().to_string(),
        object(&stack.s3, "delivered/again").await.escape_ascii().to_string()
    );
}

/// One entry in the ledger and these counts, of the one message that this stack has seen.
async fn assert_decided_once(stack: &Stack, message_id: &str, disposition: &str, counts: &[(&str, u64)]) {
    let entries = table::items(&stack.dynamodb, "message#").await;
    let decided: Vec<_> =
        entries.iter().map(|entry| (read_text(entry, "pk"), read_text(entry, "disposition"))).collect();
    assert_eq!(decided, [(Some(format!("message#{message_id}")), Some(disposition.to_owned()))]);
    let expected: BTreeMap<String, u64> =
        counts.iter().map(|(channel, n)| (format!("{SERIES}|{channel}"), *n)).collect();
    assert_eq!(table::counted(&stack.dynamodb).await, expected);
}

#[tokio::test]
async fn a_message_whose_judge_was_killed_is_judged_when_it_comes_again() {
    let folder = folder("killed-and-redelivered");
    let case = Case::named("aligned");
    kill_while_judging(&folder, &case, "killed").await;
    let stack = Stack::start_with(&["--data", &folder], &[]).await;
    assert_eq!(keys(&stack.s3).await, ["inbound/killed"]);
    let answer = case.post(&stack, "killed").await.expect_status(200).json();
    assert_eq!((&answer["report"]["dmarc"], &answer["report"]["disposition"]), (&"pass".into(), &"deliver".into()));
    assert_eq!(answer["ses_answer"], json!({"disposition": "CONTINUE"}));
    assert_decided_once(&stack, "killed", "deliver", &[("deliver", 1), ("total", 1)]).await;
    assert_eq!(keys(&stack.s3).await, lying_in(&["inbound", "delivered"], "killed"));
}

#[tokio::test]
async fn a_message_whose_judge_was_killed_is_judged_by_the_sweep_when_it_does_not_come_again() {
    let folder = folder("killed-and-swept");
    kill_while_judging(&folder, &Case::named("aligned"), "killed").await;
    let stack = Stack::start_with(&["--data", &folder], &[]).await;
    assert_eq!(stack.scan(&in_minutes(0)).await["messages_swept"], 0, "it may still be under way");
    assert_eq!(stack.scan(&in_minutes(15)).await["messages_swept"], 1);
    assert_decided_once(&stack, "killed", "deliver", &[("deliver", 1), ("total", 1)]).await;
    assert_eq!(keys(&stack.s3).await, lying_in(&["inbound", "delivered"], "killed"));
    assert_eq!(stack.scan(&in_minutes(30)).await["messages_swept"], 0);
    assert_eq!(keys(&stack.s3).await, lying_in(&["delivered"], "killed"), "what is placed is cleared");
    assert_decided_once(&stack, "killed", "deliver", &[("deliver", 1), ("total", 1)]).await;
}

/// `kill -9` after the message was claimed, while its author domain's name server does not answer.
async fn kill_while_judging(folder: &str, case: &Case, message_id: &str) {
    let dns = name_server("bookshop.example. * timeout").await;
    let arguments = ["--data", folder, "--dns", &dns.address().to_string()];
    let stack = Arc::new(Stack::start_with(&arguments, &[("GATEPOST_DNS_TIMEOUT_MS", "60000")]).await);
    let posting = tokio::spawn({
        let (stack, session, message) = (Arc::clone(&stack), owned(&case.session(message_id)), case.message.clone());
        async move {
            let session: Vec<(&str, &str)> =
                session.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            stack.inbound(&session, message).await
        }
    });
    while table::items(&stack.dynamodb, "message#").await.is_empty() {
        assert!(!posting.is_finished(), "it was judged without its name server");
        sleep(LOOK_EVERY).await;
    }
    stack.kill_meanwhile().await;
    assert!(posting.await.is_err(), "nobody is left to answer");
}

fn owned(session: &[(&str, &str)]) -> Vec<(String, String)> {
    session.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The names of the examples, but for one that fails.
pub(crate) async fn name_server(behaviour: &str) -> NameServer {
    let zone = std::fs::read_to_string(root().join("events/dns.zone")).expect("the zone of the examples");
    NameServer::start(&format!("{zone}\n;behaviour {behaviour}\n"), &[]).await.expect("a port is free")
}

/// An empty folder of this test.
fn folder(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
    folder.to_str().expect("the build folder has a plain name").to_owned()
}

/// At least so many minutes from now, less five, in the form of RFC 3339.
fn in_minutes(minutes: u64) -> String {
    format!("{}:00Z", Bucket::of(clock::now() + Duration::from_secs(60 * minutes)))
}

#[tokio::test]
async fn a_message_deferred_for_want_of_dns_is_judged_by_the_sweep_when_dns_answers() {
    let folder = folder("deferred");
    let dns = name_server("_dmarc.bookshop.example. TXT servfail").await;
    let stack = Stack::start_with(&["--data", &folder, "--dns", &dns.address().to_string()], &[]).await;
    let answer = Case::named("aligned").post(&stack, "later").await.expect_status(200).json();
    assert_eq!((&answer["report"]["dmarc"], &answer["report"]["disposition"]), (&"temperror".into(), &"defer".into()));
    assert_eq!(answer["ses_answer"], json!({"disposition": "STOP_RULE_SET"}));
    assert_decided_once(&stack, "later", "defer", &[("defer", 1), ("total", 1)]).await;
    assert_eq!(stack.scan(&in_minutes(15)).await["messages_swept"], 1);
    assert_eq!(keys(&stack.s3).await, lying_in(&["inbound"], "later"), "nobody answers yet");
    stack.kill().await;
    let stack = Stack::start_with(&["--data", &folder], &[]).await;
    assert_eq!(stack.scan(&in_minutes(15)).await["messages_swept"], 1);
    assert_eq!(keys(&stack.s3).await, lying_in(&["inbound", "delivered"], "later"));
    assert_decided_once(&stack, "later", "deliver", &[("defer", 1), ("deliver", 1), ("total", 1)]).await;
}

#[tokio::test]
async fn what_is_no_proper_message_is_answered_and_never_delivered_for_a_forged_author() {
    let stack = Stack::start().await;
    let forger = Case::named("dmarc-reject");
    for (name, message, dmarc, disposition) in [
        ("empty", Vec::new(), "permerror", "reject"),
        ("line-ends-only", b"\r\n\r\n\r\n".to_vec(), "permerror", "reject"),
        ("noise", noise(1 << 20), "permerror", "reject"),
        ("no-from", b"Subject: hello\r\nTo: ann@receiver.example\r\n\r\nhello\r\n".to_vec(), "permerror", "reject"),
        ("bare-header", b"From: Bank <service@bank.example>".to_vec(), "fail", "reject"),
        ("header-only", b"From: Bank <service@bank.example>\r\nSubject: x\r\n".to_vec(), "fail", "reject"),
        ("nul", b"From: Bank <service@bank.example>\r\nX: \0\r\n\r\n\0".to_vec(), "permerror", "reject"),
        ("long-line", [b"From: service@bank.example\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]].concat(), "fail", "reject"),
    ] {
        let answer = stack.inbound(&forger.session(name), message).await.expect_status(200).json();
        let report = &answer["report"];
        assert_eq!(
            (report["dmarc"].as_str(), report["disposition"].as_str()),
            (Some(dmarc), Some(disposition)),
            "{name}"
        );
        assert_eq!(answer["ses_answer"], json!({"disposition": "STOP_RULE_SET"}), "{name}");
        assert_eq!(keys_of(&stack.s3, name).await, lying_in(&["inbound", "rejected"], name));
    }
}

/// The same octets each time, and no pattern in them (xorshift).
fn noise(octets: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(octets).collect()
}

#[tokio::test]
async fn a_message_of_40_mb_is_judged_and_a_larger_one_is_quarantined() {
    let stack = Stack::start().await;
    let forger = Case::named("dmarc-reject");
    for (name, octets, finding, place) in
        [("of-40-mb", 40 << 20, "dmarc_fail", "rejected"), ("of-42-mb", 42 << 20, "message_too_large", "quarantine")]
    {
        let mut message = forger.message.clone();
        message.resize(octets, b'\n');
        let answer = stack.inbound(&forger.session(name), message).await.expect_status(200).json();
        let codes: Vec<_> =
            answer["report"]["findings"].as_array().expect("a list").iter().map(|f| &f["code"]).collect();
        assert!(codes.contains(&&json!(finding)), "{name}: {codes:?}");
        assert_eq!(answer["ses_answer"], json!({"disposition": "STOP_RULE_SET"}), "{name}");
        assert_eq!(keys_of(&stack.s3, name).await, lying_in(&["inbound", place], name));
    }
    stack.inbound(&forger.session("of-50-mb"), vec![b'x'; 50 << 20]).await.expect_status(413);
    assert_eq!(keys_of(&stack.s3, "of-50-mb").await, [""; 0]);
}

#[tokio::test]
async fn a_session_that_smtp_could_not_have_carried_is_a_bad_request_and_stores_nothing() {
    let stack = Stack::start().await;
    for (query, expected) in [
        ("client_ip=localhost", "client_ip is not an IP address"),
        ("client_ip=", "client_ip is not an IP address"),
        ("client_ip=192.0.2.1&helo=a%0D%0AX-Forged:%20b", "helo, mail_from and rcpt_to cannot hold control characters"),
        ("mail_from=a@example.com%0A", "helo, mail_from and rcpt_to cannot hold control characters"),
        ("rcpt_to=ok@receiver.example&rcpt_to=%00", "helo, mail_from and rcpt_to cannot hold control characters"),
        ("message_id=..%2Fdelivered%2Fx", "the message id is missing or has characters of its own"),
        ("message_id=", "the message id is missing or has characters of its own"),
        ("mailfrom=a@example.com", "there is no parameter mailfrom"),
    ] {
        let answer = stack.send("POST", &format!("/local/inbound?{query}"), &[], "From: a@example.com\r\n\r\n").await;
        assert_eq!(answer.expect_status(400).json(), json!({"error": expected}), "{query}");
    }
    assert_eq!(keys(&stack.s3).await, [""; 0]);
}

#[tokio::test]
async fn an_envelope_out_of_bounds_is_answered_and_delivers_nothing() {
    let stack = Stack::start().await;
    let long = "x".repeat(600);
    let many = vec![("rcpt_to", "ann@receiver.example"); 101];
    let from = ("client_ip", "192.0.2.10");
    for (name, session) in [
        ("long-helo", vec![from, ("helo", &long)]),
        ("long-sender", vec![from, ("mail_from", &long)]),
        ("long-recipient", vec![from, ("rcpt_to", &long)]),
        ("many-recipients", [vec![from], many].concat()),
    ] {
        let session = [session, vec![("message_id", name)]].concat();
        let message = Case::named("aligned").message;
        let answer = stack.inbound(&session, message).await.expect_status(200).json();
        assert_eq!(answer["ses_answer"], json!({"disposition": "STOP_RULE_SET"}), "{name}");
        let placed = keys_of(&stack.s3, name).await;
        assert!(!placed.iter().any(|key| key.starts_with("delivered/")), "{placed:?}");
    }
}
