//! Attacks on sender authentication, honest mail that looks odd, and messages that cost much.
//!
//! The cases are too large to ship. They are read from beside the project where they are, and skipped where not; the
//! format, and the scorer that also measures time and memory, are described there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use gatepost::{disposition::Overrides, envelope::Envelope};
use gatepost_inspect_attachment::inspect::{Limits, inspect};
use gatepost_local::ses::Session;
use gatepost_verify_inbound::{
    arrived::Arrived,
    event::{Inbound, MessageId},
    judge::{Judge, Policy},
    report::Report,
    unjudged,
};
use serde_json::Value;

use super::{Score, json, judge, list, served, terms, text, texts, unless_among};
use crate::stack::root;

/// By kind of case and what it needs: how many pass today, of how many.
const PASSED: [(&str, usize, usize); 5] = [
    ("attack on authentication", 36, 36),
    ("attack through SES", 1, 1),
    ("attack by content", 6, 6),
    ("legitimate", 15, 15),
    ("resource", 8, 8),
];

#[tokio::test]
async fn no_attack_passes_and_no_honest_message_is_kept_back() {
    let Some(folder) = cases() else { return };
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for entry in list(&json(&folder.join("index.json"))) {
        let folder = folder.join(text(&entry["id"]));
        let case = json(&folder.join("case.json"));
        let report = report(&folder, &case).await;
        scores.entry(group(&case)).or_default().add(text(&case["id"]), &faults(&case, &report));
    }
    for (group, passed, of) in PASSED {
        scores.remove(group).unwrap_or_default().expect(group, passed, of);
    }
}

fn cases() -> Option<PathBuf> {
    let folder = root().join("../shared/data/adversarial/dev");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the adversarial cases are not beside this project (../shared/data/adversarial)");
    None
}

fn group(case: &Value) -> &'static str {
    match (text(&case["kind"]), text(&case["requires"])) {
        ("attack", "ses") => "attack through SES",
        ("attack", "content") => "attack by content",
        ("attack", _) => "attack on authentication",
        ("legit", _) => "legitimate",
        _ => "resource",
    }
}

async fn report(folder: &Path, case: &Value) -> Report {
    let server = served(&json(&folder.join("zone.json"))).await;
    let judge = Judge { policy: policy(&case["config"]), ..judge(&server) };
    let message = std::fs::read(folder.join("message.eml")).expect("every case has a message");
    let session = session(case);
    let stored = session.stored(&message);
    let arrived = match text(&case["requires"]) {
        "ses" => {
            let receipt = Inbound::parse(session.event()).expect("a receipt").remove(0);
            Arrived::read(&stored, &receipt, &receipt.recipients)
        }
        _ => Ok(Arrived::over_smtp(envelope(&session), &message)),
    };
    match arrived {
        Ok(arrived) => {
            let inspection = async { inspect(arrived.written_by_sender, Limits::DEFAULT) };
            judge.report(text(&case["id"]), &arrived, terms(), inspection).await
        }
        Err(finding) => unjudged(text(&case["config"]["authserv_id"]), text(&case["id"]), finding),
    }
}

fn policy(config: &Value) -> Policy {
    Policy {
        authserv_id: text(&config["authserv_id"]).to_owned(),
        trusted_arc_sealers: texts(&config["trusted_arc_sealers"]),
        protected_domains: texts(&config["protected_domains"]),
        overrides: Overrides::default(),
        block_lists: Vec::new(),
    }
}

fn session(case: &Value) -> Session {
    let envelope = &case["envelope"];
    Session {
        message_id: MessageId::parse(text(&case["id"])).expect("case names are plain"),
        client_ip: text(&envelope["client_ip"]).parse().expect("an address"),
        helo: text(&envelope["helo"]).to_owned(),
        mail_from: text(&envelope["mail_from"]).to_owned(),
        rcpt_to: texts(&envelope["rcpt_to"]),
        received_at: "2026-11-23T02:15:02.000Z".to_owned(),
        received_date: "Mon, 23 Nov 2026 02:15:02 +0000 (UTC)".to_owned(),
    }
}

fn envelope(session: &Session) -> Envelope {
    let Session { client_ip, helo, mail_from, rcpt_to, .. } = session;
    Envelope::new(*client_ip, helo, mail_from, rcpt_to).expect("within the bounds")
}

/// As the scorer beside the cases sees it.
fn faults(case: &Value, report: &Report) -> Vec<String> {
    let expect = &case["expect"];
    let from_domain = report.from_domain.as_deref().unwrap_or_default();
    let passes = report.dmarc == "pass";
    let mut faults = Vec::new();
    if passes && expect["must_not_pass"] == true {
        faults.push("dmarc=pass".to_owned());
    }
    if passes && texts(&expect["not_authenticated_as"]).iter().any(|domain| domain == from_domain) {
        faults.push(format!("authenticated as {from_domain}"));
    }
    let results = [("spf", report.spf), ("dkim", report.dkim), ("dmarc", report.dmarc), ("arc", report.arc)];
    let scored = results.iter().filter(|(what, _)| match text(&case["kind"]) {
        "legit" => expect.get(what).is_some(),
        "resource" => matches!(*what, "spf" | "dmarc") && expect.get(what).is_some(),
        _ => false,
    });
    faults.extend(scored.filter_map(|(what, found)| unless_among(what, found, &texts(&expect[what]))));
    let author = expect["from_domain"].as_str().filter(|_| text(&case["kind"]) == "legit" && report.dmarc != "none");
    let due = author.filter(|due| *due != from_domain);
    faults.extend(due.map(|due| format!("from_domain={from_domain} instead of {due}")));
    let most = case["limits"]["max_dns_queries"].as_u64().filter(|most| *most < report.dns_queries as u64);
    faults.extend(most.map(|most| format!("{} DNS queries, more than {most}", report.dns_queries)));
    faults.extend(unless_among("disposition", report.disposition, &texts(&expect["disposition"])));
    faults
}
