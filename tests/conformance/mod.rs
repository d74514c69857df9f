//! Suites of cases as data. A suite states how many of its cases pass today, and fails when they get fewer.
//!
//! `cargo test conformance -- --nocapture` prints the cases that fail.

mod address;
mod adversarial;
mod arc;
mod content;
mod dkim_edge;
mod dmarc;
mod spf;
mod zone;

use std::{path::Path, time::Duration};

use gatepost::{
    disposition::Overrides,
    envelope::Envelope,
    io::{authentication::Authenticator, dns::NameServer as Server},
};
use gatepost_inspect_attachment::inspect::{Limits, inspect};
use gatepost_local::{clock, name_server::NameServer};
use gatepost_verify_inbound::{
    arrived::Arrived,
    judge::{Judge, Patience, Policy, Terms},
    report::Report,
};
use serde_json::Value;

use crate::stack::root;

/// A busy machine answers late, and a late answer is another result.
const DNS_TIMEOUT: Duration = Duration::from_secs(1);

const DEADLINE: Duration = Duration::from_secs(60);

/// Cases judged at the same time.
const AT_ONCE: usize = 8;

/// What came of a suite.
#[derive(Default)]
struct Score {
    passed: usize,
    failures: Vec<String>,
}

impl Score {
    /// `faults` says what was not as expected of a case; empty when it passed.
    fn add(&mut self, case: &str, faults: &[String]) {
        if faults.is_empty() {
            self.passed += 1;
        } else {
            self.failures.push(format!("{case}: {}", faults.join(", ")));
        }
    }

    /// `passed` is what was measured when this was last raised: a suite may only get better.
    #[track_caller]
    fn expect(&self, suite: &str, passed: usize, of: usize) {
        println!("{suite}: {} of {of}", self.passed);
        self.failures.iter().for_each(|failure| println!("  {failure}"));
        assert_eq!(self.passed + self.failures.len(), of, "{suite}: cases were lost");
        assert!(passed <= self.passed, "{suite}: {} of {of} pass, and {passed} did before", self.passed);
    }
}

fn data(path: &str) -> Value {
    json(&root().join("tests/data").join(path))
}

fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|item| text(item).to_owned()).collect()
}

async fn served(zone: &Value) -> NameServer {
    let zone = zone::master_file(zone);
    NameServer::start(&zone, &[]).await.unwrap_or_else(|error| panic!("{error} in\n{zone}"))
}

fn authenticator(server: &NameServer) -> Authenticator {
    Authenticator::new(Server::At(server.address()), DNS_TIMEOUT).expect("an address needs no system configuration")
}

pub(crate) fn judge(server: &NameServer) -> Judge {
    let policy = Policy {
        authserv_id: "mx.receiver.test".to_owned(),
        trusted_arc_sealers: Vec::new(),
        protected_domains: Vec::new(),
        overrides: Overrides::default(),
        block_lists: Vec::new(),
    };
    Judge { authenticator: authenticator(server), policy, contacts: None }
}

fn terms() -> Terms {
    Terms { patience: Patience::Left, within: DEADLINE, now: clock::now() }
}

/// What is said of a message that comes from `client_ip` over SMTP.
pub(crate) async fn judged(judge: &Judge, message: &[u8], client_ip: &str, helo: &str, mail_from: &str) -> Report {
    let client_ip = client_ip.parse().expect("an address");
    let envelope = Envelope::new(client_ip, helo, mail_from, &[]).expect("within the bounds");
    let arrived = Arrived::over_smtp(envelope, message);
    judge.report("case", &arrived, terms(), async { inspect(message, Limits::DEFAULT) }).await
}

/// One fault for a value that is not among the expected ones.
fn unless_among(what: &str, found: &str, expected: &[String]) -> Option<String> {
    let is_expected = expected.iter().any(|value| value == found);
    (!is_expected).then(|| format!("{what}={found} instead of {}", expected.join(" or ")))
}
