//! verify-inbound invoked with what is not, or not quite, an event of SES, and while a service is down. SES takes
//! everything but a proper answer for CONTINUE, so there is always one.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gatepost::io::{
    authentication::Authenticator,
    contacts::Contacts,
    counters::MailCounters,
    dns::NameServer as Server,
    functions::Function,
    ledger::{Claim, Claimed, Decision, EntryKey, Ledger, Recorded},
    messages::{Messages, draft_key},
    table::{SK, Table, read_text},
};
use gatepost::{contact::Contact, disposition::Disposition};
use gatepost_inspect_attachment::Inspector;
use gatepost_local::{
    aws::{
        clients::{self, Clients, Endpoints},
        dynamodb::{DynamoDb, TABLE},
        lambda::{Lambda, Outcome},
        s3::{BUCKET, ObjectStore},
    },
    clock,
    commands::JUDGE_STDIN,
    name_server::NameServer,
    ses::Session,
};
use gatepost_verify_inbound::{
    SesDisposition::{self, Continue, StopRuleSet},
    Verifier, VerifierConfig,
    event::MessageId,
    handle,
    judge::Judge,
};
use serde_json::{Value, json};

use crate::{
    inbound::{Case, name_server},
    objects::{all_keys, keys, lying_in, object},
    stack::{program, root},
    table,
};

const CALL: Duration = Duration::from_secs(30);

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

const HOUR: Duration = Duration::from_secs(3600);

/// verify-inbound in this process, with services of its own.
pub(crate) struct Bench {
    verifier: Verifier,
    pub(crate) s3: String,
    pub(crate) dynamodb: String,
    lambda: Lambda,
    _services: (DynamoDb, ObjectStore, NameServer),
}

impl Bench {
    /// With the names of the examples, but for one that fails.
    async fn start(behaviour: &str) -> Self {
        Self::with_child(behaviour, program("gatepost")).await
    }

    /// With another program in place of the inspector's child.
    pub(crate) async fn with_child(behaviour: &str, child_program: PathBuf) -> Self {
        let dns = name_server(behaviour).await;
        let dynamodb = DynamoDb::start(None).await.expect("a port is free");
        let objects = ObjectStore::start(None).await.expect("a port is free");
        let lambda = Lambda::start().await.expect("a port is free");
        let (s3, table) = (objects.url(), dynamodb.url());
        let endpoints =
            Endpoints { dynamodb: table.clone(), s3: s3.clone(), sns: NOWHERE.to_owned(), lambda: lambda.url() };
        let clients = Clients::new(&endpoints, CALL);
        let inspector = Inspector {
            s3: clients.s3.clone(),
            child_program,
            child_argument: JUDGE_STDIN.to_owned(),
            bucket: BUCKET.to_owned(),
        };
        lambda.register("inspect-attachment", CALL, move |payload| inspect(inspector.clone(), payload));
        let config = VerifierConfig::read(|_| None).expect("the defaults are a configuration");
        let verifier = verifier(config, dns.address(), &clients);
        Self { verifier, s3, dynamodb: table, lambda, _services: (dynamodb, objects, dns) }
    }

    /// Stores an example as SES does, and answers the event that goes with it.
    pub(crate) async fn store(&self, case: &Case, message_id: &str) -> Value {
        let session = session(case, message_id);
        let put = self.verifier.messages.client.put_object().bucket(BUCKET).key(format!("inbound/{message_id}"));
        put.body(session.stored(&case.message).into()).send().await.expect("the bucket takes it");
        session.event()
    }

    pub(crate) async fn answer(&self, event: Value, now: SystemTime) -> SesDisposition {
        handle(&self.verifier, event, now).await.disposition
    }
}

/// The handler in the process of the test, where its clock can be wrong.
pub(crate) fn verifier(config: VerifierConfig, dns: SocketAddr, clients: &Clients) -> Verifier {
    let authenticator = Authenticator::new(Server::At(dns), config.dns_timeout).expect("an address");
    let table = Table { client: clients.dynamodb.clone(), name: TABLE.to_owned() };
    let contacts = Some(Arc::new(Contacts::new(table.clone())));
    Verifier {
        judge: Judge { authenticator, policy: config.policy, contacts },
        counters: Arc::new(MailCounters::new(TABLE.to_owned(), "in-test")),
        deadline: config.deadline,
        messages: Messages { client: clients.s3.clone(), bucket: config.bucket },
        ledger: Ledger { table },
        inspector: Function { client: clients.lambda.clone(), name: config.inspector },
        function: "verify-inbound".to_owned(),
        defer_for: config.defer_for,
    }
}

async fn inspect(inspector: Inspector, payload: Vec<u8>) -> Outcome {
    let request = serde_json::from_slice(&payload)?;
    Ok(serde_json::to_vec(&gatepost_inspect_attachment::handle(&inspector, request).await)?)
}

pub(crate) fn session(case: &Case, message_id: &str) -> Session {
    Session {
        message_id: MessageId::parse(message_id).expect("a plain name"),
        client_ip: case.word("client_ip").parse().expect("an address"),
        helo: case.word("helo").to_owned(),
        mail_from: case.word("mail_from").to_owned(),
        rcpt_to: case.words("rcpt_to").into_iter().map(str::to_owned).collect(),
        received_at: "2026-11-23T02:15:02.000Z".to_owned(),
        received_date: "Mon, 23 Nov 2026 02:15:02 +0000 (UTC)".to_owned(),
    }
}

pub(crate) const NO_FAULT: &str = "unused.example. * servfail";

#[tokio::test]
async fn an_event_that_names_no_stored_message_stops_the_rule_set() {
    let bench = Bench::start(NO_FAULT).await;
    let good = bench.store(&Case::named("aligned"), "good").await;
    let missing = session(&Case::named("aligned"), "missing").event();
    let with = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("the event has it") = value;
        event
    };
    let of_others = |name: &str| -> Value {
        let text = std::fs::read(root().join("events").join(name)).expect("an example");
        serde_json::from_slice(&text).expect("JSON")
    };
    for event in [
        Value::Null,
        json!(5),
        json!("Records"),
        json!([]),
        json!({}),
        json!({"Records": null}),
        json!({"Records": []}),
        json!({"Records": "none"}),
        json!({"Records": [{}]}),
        json!({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "inbound/good"}}}]}),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}"}}]}),
        json!({"Records": vec![good["Records"][0].clone(); 11]}),
        of_others("schedule.json"),
        of_others("validate.json"),
        of_others("inspect.json"),
        with("/Records/0/eventSource", json!("aws:sqs")),
        with("/Records/0/ses", Value::Null),
        with("/Records/0/ses/mail", Value::Null),
        with("/Records/0/ses/mail/messageId", Value::Null),
        with("/Records/0/ses/mail/messageId", json!(7)),
        with("/Records/0/ses/mail/messageId", json!("../delivered/good")),
        with("/Records/0/ses/mail/messageId", json!("")),
        with("/Records/0/ses/receipt/recipients", json!("ann@receiver.example")),
        with("/Records/0/ses/receipt/recipients", json!(vec!["ann@receiver.example"; 101])),
        json!({"sweep": {"message_id": "missing"}}),
        json!({"sweep": {"message_id": "../good"}}),
        json!({"sweep": {}}),
        missing.clone(),
        json!({"Records": [good["Records"][0], missing["Records"][0]]}),
    ] {
        let shown = event.to_string();
        let shown = &shown[..shown.len().min(300)];
        assert_eq!(bench.answer(event.clone(), clock::now()).await, StopRuleSet, "{shown}");
    }
    // The last event's first record was a proper one, and the message is where it belongs all the same.
    assert_eq!(keys(&bench.s3).await, lying_in(&["inbound", "delivered"], "good"));
}

#[tokio::test]
async fn what_ses_leaves_out_or_invents_changes_no_judgement() {
    let bench = Bench::start(NO_FAULT).await;
    let (good, forged) = (Case::named("aligned"), Case::named("dmarc-reject"));
    let verdict = "/Records/0/ses/receipt/spamVerdict";
    for (index, (pointer, value)) in [
        ("/Records/0/ses/mail/commonHeaders", Value::Null),
        ("/Records/0/ses/mail/commonHeaders", json!({"from": null, "date": 5})),
        ("/Records/0/ses/mail/headers", json!("truncated")),
        ("/Records/0/ses/mail/source", Value::Null),
        ("/Records/0/eventVersion", json!(2)),
        ("/Records/0/ses/receipt/action", Value::Null),
        ("/Records/0/ses/receipt/processingTimeMillis", json!("soon")),
        (verdict, Value::Null),
        (verdict, json!("PASS")),
        (verdict, json!({"status": "PROCESSING_FAILED"})),
        (verdict, json!({"status": "DISABLED"})),
        (verdict, json!({"status": "SOMETHING_NEW"})),
        (verdict, json!({"status": 1})),
    ]
    .into_iter()
    .enumerate()
    {
        for (case, expected) in [(&good, Continue), (&forged, StopRuleSet)] {
            let mut event = bench.store(case, &format!("{}-{index}", case.name)).await;
            *event.pointer_mut(pointer).expect("the event has it") = value.clone();
            assert_eq!(bench.answer(event, clock::now()).await, expected, "{}: {pointer} {value}", case.name);
        }
    }
}

#[tokio::test]
async fn nothing_is_delivered_while_the_table_or_the_bucket_or_the_inspector_is_down() {
    let bench = Bench::start(NO_FAULT).await;
    let event = bench.store(&Case::named("aligned"), "waits").await;
    let nowhere = Endpoints {
        dynamodb: NOWHERE.to_owned(),
        s3: NOWHERE.to_owned(),
        sns: NOWHERE.to_owned(),
        lambda: NOWHERE.to_owned(),
    };
    let down = Clients::new(&nowhere, CALL);
    let mut without_table = bench.verifier.clone();
    without_table.ledger.table.client = down.dynamodb;
    let mut without_bucket = bench.verifier.clone();
    without_bucket.messages.client = down.s3;
    for verifier in [without_table, without_bucket] {
        assert_eq!(handle(&verifier, event.clone(), clock::now()).await.disposition, StopRuleSet);
        assert_eq!(keys(&bench.s3).await, ["inbound/waits"]);
    }
    assert_eq!(bench.answer(event, clock::now()).await, Continue, "and then it is");
    let mut without_inspector = bench.verifier.clone();
    without_inspector.inspector.client = clients::lambda(NOWHERE, CALL);
    let event = bench.store(&Case::named("aligned"), "uninspected").await;
    assert_eq!(handle(&without_inspector, event, clock::now()).await.disposition, StopRuleSet);
    let expected = [lying_in(&["inbound", "delivered"], "waits"), lying_in(&["inbound"], "uninspected")];
    let mut expected = expected.concat();
    expected.sort_unstable();
    assert_eq!(keys(&bench.s3).await, expected);
}

#[tokio::test]
async fn a_message_deferred_for_too_long_is_quarantined() {
    let bench = Bench::start("_dmarc.bookshop.example. TXT servfail").await;
    let event = bench.store(&Case::named("aligned"), "deferred").await;
    let sweep = json!({"sweep": {"message_id": "deferred", "recipients": ["ann@receiver.example"]}});
    let first = clock::now();
    assert_eq!(bench.answer(event, first).await, StopRuleSet);
    assert_eq!(bench.answer(sweep.clone(), first + 23 * HOUR).await, StopRuleSet);
    assert_eq!(keys(&bench.s3).await, lying_in(&["inbound"], "deferred"));
    assert_eq!(bench.answer(sweep.clone(), first + 25 * HOUR).await, StopRuleSet);
    assert_eq!(keys(&bench.s3).await, lying_in(&["inbound", "quarantine"], "deferred"));
    let report = object(&bench.s3, "quarantine/deferred.report.json").await;
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let codes: Vec<_> = report["findings"].as_array().expect("a list").iter().map(|f| f["code"].as_str()).collect();
    assert_eq!(codes, [Some("deferral_expired"), Some("dmarc_temperror"), Some("first_contact")]);
    let counted = table::counted(&bench.dynamodb).await.into_iter().collect::<Vec<_>>();
    let expected = [("defer", 1), ("quarantine", 1), ("total", 1)];
    assert_eq!(counted, expected.map(|(channel, n)| (format!("inbound/receiver.example|{channel}"), n)));
}

#[tokio::test]
async fn recipients_of_a_decided_message_adopt_the_decision_and_nothing_is_delivered_twice() {
    let bench = Bench::start(NO_FAULT).await;
    let first = bench.store(&Case::named("aligned"), "shared").await;
    let mut second = first.clone();
    second["Records"][0]["ses"]["receipt"]["recipients"] = json!(["bob@receiver.example"]);
    assert_eq!(bench.answer(first.clone(), clock::now()).await, Continue);
    let messages = &bench.verifier.messages;
    let taken = messages.client.delete_object().bucket(&messages.bucket).key("delivered/shared").send().await;
    taken.expect("a consumer takes its message");
    for event in [second.clone(), first, second] {
        assert_eq!(bench.answer(event, clock::now()).await, Continue);
    }
    let expected = ["delivered/shared.report.json", "inbound/shared", "inbound/shared.report.json"];
    assert_eq!(keys(&bench.s3).await, expected);
    let counted = table::counted(&bench.dynamodb).await.into_iter().collect::<Vec<_>>();
    let expected = [("deliver", 2), ("total", 2)];
    assert_eq!(counted, expected.map(|(channel, n)| (format!("inbound/receiver.example|{channel}"), n)));
}

#[tokio::test]
async fn a_message_that_was_swept_and_deferred_before_its_event_came_is_counted_once() {
    let bench = Bench::start(NO_FAULT).await;
    let event = bench.store(&Case::named("aligned"), "late").await;
    let silent = name_server("_dmarc.bookshop.example. TXT servfail").await;
    let mut in_the_dark = bench.verifier.clone();
    in_the_dark.judge.authenticator =
        Authenticator::new(Server::At(silent.address()), Duration::from_millis(200)).expect("an address");
    let sweep = json!({"sweep": {"message_id": "late"}});
    assert_eq!(handle(&in_the_dark, sweep.clone(), clock::now()).await.disposition, StopRuleSet);
    assert_eq!(bench.answer(event, clock::now()).await, Continue);
    assert_eq!(bench.answer(sweep, clock::now()).await, Continue);
    let counted: Vec<_> = table::counted(&bench.dynamodb).await.into_iter().collect();
    let expected = [("defer", 1), ("deliver", 1), ("total", 1)];
    assert_eq!(counted, expected.map(|(channel, n)| (format!("inbound/receiver.example|{channel}"), n)));
}

#[tokio::test]
async fn of_two_that_decide_differently_for_other_recipients_at_the_same_time_one_does() {
    let table = DynamoDb::start(None).await.expect("a port is free");
    let ledger = Ledger { table: table::client(&table.url()) };
    let now = clock::now();
    let claim = async |recipient: &str| {
        let recipients = [recipient.to_owned()];
        let entry = EntryKey::new("shared", &recipients, "verify-inbound");
        match ledger.claim(&entry, &recipients, recipient, now).await.expect("the table answers") {
            Claimed::Ours(claim) => claim,
            other => panic!("{other:?}"),
        }
    };
    // The first looked before there was a second.
    let first = claim("ann@receiver.example").await;
    let first = first.beside(&ledger.entries("shared").await.expect("the table answers"));
    let second = claim("ben@receiver.example").await;
    let second = second.beside(&ledger.entries("shared").await.expect("the table answers"));
    let decide = async |claim: &Claim, disposition| {
        let decision = Decision { disposition, report_key: "report".to_owned(), is_placed: false };
        ledger.decide(claim, &decision, None, now).await.expect("the table answers") == Recorded::Ours
    };
    assert!(decide(&second, Disposition::Reject).await);
    assert!(!decide(&first, Disposition::Quarantine).await);
    // The other way round: what was seen undecided is decided by now.
    let third = claim("carol@receiver.example").await;
    let seen_before = ledger.entries("shared").await.expect("the table answers");
    let first = claim("ann@receiver.example").await;
    let third = third.beside(&seen_before);
    assert!(decide(&first, Disposition::Reject).await);
    assert!(!decide(&third, Disposition::Deliver).await);
}

#[tokio::test]
async fn who_is_overtaken_while_judging_answers_what_the_quicker_one_decided() {
    let bench = Bench::start(NO_FAULT).await;
    let quicker = bench.store(&Case::named("aligned"), "raced").await;
    let mut overtaken = quicker.clone();
    overtaken["Records"][0]["ses"]["receipt"]["recipients"] = json!(["bob@receiver.example"]);
    let (judges, event) = (bench.verifier.clone(), quicker.clone());
    bench.lambda.register("inspect-meanwhile", CALL, move |_| {
        let (judges, event) = (judges.clone(), event.clone());
        async move {
            handle(&judges, event, clock::now()).await;
            Err("the inspector ends without a result".into())
        }
    });
    let mut slower = bench.verifier.clone();
    slower.inspector.name = "inspect-meanwhile".to_owned();
    assert_eq!(handle(&slower, overtaken, clock::now()).await.disposition, Continue);
    assert_eq!(keys(&bench.s3).await, lying_in(&["inbound", "delivered"], "raced"));
    let entries = bench.verifier.ledger.entries("raced").await.expect("the table answers");
    let decisions: Vec<_> = entries.iter().map(|entry| (entry.disposition, entry.is_placed)).collect();
    assert_eq!(decisions, [(Some(Disposition::Deliver), true); 2], "{entries:?}");
    let counted: Vec<_> = table::counted(&bench.dynamodb).await.into_iter().collect();
    let expected = [("deliver", 2), ("total", 2)];
    assert_eq!(counted, expected.map(|(channel, n)| (format!("inbound/receiver.example|{channel}"), n)));
}

#[tokio::test]
async fn what_a_slower_judge_reports_is_not_what_the_decision_of_another_rests_on() {
    let bench = Bench::start(NO_FAULT).await;
    bench.store(&Case::named("aligned"), "raced").await;
    let messages = &bench.verifier.messages;
    let drafts = ["quicker", "slower"].map(|holder| draft_key("raced", holder));
    for (draft, report) in drafts.iter().zip(["quicker", "slower"]) {
        messages.put_json(draft, report.into()).await.expect("the bucket takes it");
    }
    messages.place("raced", Disposition::Reject, &drafts[0], None).await.expect("the bucket does it");
    assert_eq!(object(&bench.s3, "rejected/raced.report.json").await, b"quicker");
    messages.clear_inbound("raced").await.expect("the bucket does it");
    assert_eq!(keys(&bench.s3).await, lying_in(&["rejected"], "raced"));
}

#[tokio::test]
async fn the_first_mail_that_is_delivered_from_a_domain_is_said_to_be_that_and_only_what_is_proven_proves() {
    let bench = Bench::start(NO_FAULT).await;
    let says_first = async |name: &str, message_id: &str| {
        let case = Case::named(name);
        // An instance of its own, which remembers nothing.
        let mut verifier = bench.verifier.clone();
        verifier.judge.contacts = Some(Arc::new(Contacts::new(bench.verifier.ledger.table.clone())));
        handle(&verifier, bench.store(&case, message_id).await, clock::now()).await;
        let entries = verifier.ledger.entries(message_id).await.expect("the table answers");
        let report: Value = serde_json::from_slice(&object(&bench.s3, &entries[0].report_key).await).expect("JSON");
        report["findings"].as_array().expect("a list").iter().any(|finding| finding["code"] == "first_contact")
    };
    assert!(says_first("aligned", "first").await);
    assert!(!says_first("aligned", "second").await);
    assert!(says_first("dmarc-reject", "forged").await);
    assert!(says_first("dmarc-reject", "forged-again").await, "what is refused makes nobody known");
    // Of a domain without DMARC nothing is proven, and nothing of one that proves who it is is known by what is not.
    assert!(says_first("unsigned-no-policy", "claimed").await);
    assert!(!says_first("unsigned-no-policy", "claimed-again").await);
    let keys = table::items(&bench.dynamodb, "contact#").await;
    let keys: Vec<_> = keys.iter().map(|item| read_text(item, SK).expect("every item has one")).collect();
    assert_eq!(keys, ["claimed#village.example", "proven#bookshop.example"]);
}

#[tokio::test]
async fn a_forgery_is_a_first_contact_though_the_domain_that_it_claims_is_known() {
    let bench = Bench::start(NO_FAULT).await;
    let contacts = Contacts::new(bench.verifier.ledger.table.clone());
    let proven = Contact::between("bank.example", &["ann@receiver.example".to_owned()], true).expect("a contact");
    contacts.note(&proven, clock::now()).await.expect("the table takes it");
    assert!(!contacts.is_first(&proven).await.expect("the table answers"));
    let claimed = Contact { is_proven: false, ..proven };
    assert!(contacts.is_first(&claimed).await.expect("the table answers"));
}

#[tokio::test]
async fn a_message_that_is_judged_again_has_a_report_for_each_time_and_the_ledger_names_the_last() {
    let bench = Bench::start("_dmarc.bookshop.example. TXT servfail").await;
    let event = bench.store(&Case::named("aligned"), "deferred").await;
    let sweep = json!({"sweep": {"message_id": "deferred", "recipients": ["ann@receiver.example"]}});
    let mut named = Vec::new();
    for event in [event, sweep] {
        assert_eq!(bench.answer(event, clock::now()).await, StopRuleSet);
        let entries = bench.verifier.ledger.entries("deferred").await.expect("the table answers");
        named.push(entries[0].report_key.clone());
    }
    named.sort();
    let lying: Vec<_> = all_keys(&bench.s3).await.into_iter().filter(|key| key.ends_with(".report.json")).collect();
    assert_eq!(lying, named);
    assert_ne!(named[0], named[1]);
}

#[tokio::test]
async fn an_event_about_a_message_that_was_cleared_leaves_no_claim_behind_wherever_it_dies() {
    let bench = Bench::start(NO_FAULT).await;
    let event = bench.store(&Case::named("aligned"), "cleared").await;
    assert_eq!(bench.answer(json!({"sweep": {"message_id": "cleared"}}), clock::now()).await, Continue);
    bench.verifier.messages.clear_inbound("cleared").await.expect("the bucket does it");
    // Dropped in the middle: what was sent to the table may or may not have arrived.
    for step in 0..40_u64 {
        let mut event = event.clone();
        event["Records"][0]["ses"]["receipt"]["recipients"] = json!([format!("ann{step}@receiver.example")]);
        let answer = handle(&bench.verifier, event, clock::now());
        let _ = tokio::time::timeout(Duration::from_micros(step * step * 20), answer).await;
    }
    assert_eq!(bench.answer(event, clock::now()).await, Continue);
    let entries = bench.verifier.ledger.entries("cleared").await.expect("the table answers");
    assert!(1 < entries.len(), "at least the last one came to its end");
    let unsettled: Vec<_> = entries.iter().filter(|entry| entry.decided().is_none() || !entry.is_placed).collect();
    assert!(unsettled.is_empty(), "{unsettled:?}");
}
