//! Whole messages with one thing wrong in their content, and honest ones that look like them.
//!
//! They are read from beside the project where they are, and skipped where not; what is expected is described there.
//! Authentication is out of the way: SPF passes, and nobody has a DMARC policy.

use std::path::PathBuf;

use gatepost_local::name_server::NameServer;
use gatepost_verify_inbound::{
    judge::{Judge, Policy},
    report::{Report, ReportedFinding},
};
use serde_json::Value;

use super::{Score, json, judge, judged, list, text};
use crate::stack::root;

/// By what is expected: how many are as they should be today, of how many.
const PASSED: [(&str, usize, usize); 3] = [("caught", 30, 30), ("flagged", 4, 4), ("clean", 22, 22)];

const ZONE: &str = "sender.example. 300 IN TXT \"v=spf1 ip4:192.0.2.25 -all\"\n";

#[tokio::test]
async fn what_is_wrong_with_content_is_found_and_honest_mail_is_let_through() {
    let Some(folder) = cases() else { return };
    let server = NameServer::start(ZONE, &[]).await.expect("a zone");
    let protected = ["recipient.example", "paypal.com", "google.com", "microsoft.com", "apple.com", "amazon.com"];
    let judge = judge(&server);
    let policy = Policy {
        authserv_id: "mx.recipient.example".to_owned(),
        protected_domains: protected.map(str::to_owned).to_vec(),
        ..judge.policy
    };
    let judge = Judge { policy, ..judge };
    let index = json(&folder.join("cases-dev.json"));
    for (expected, passed, of) in PASSED {
        let mut score = Score::default();
        for case in list(&index).iter().filter(|case| text(&case["expect"]) == expected) {
            let report = report(&folder, case, &judge).await;
            score.add(text(&case["id"]), &faults(expected, &report));
        }
        score.expect(&format!("content {expected}"), passed, of);
    }
}

fn cases() -> Option<PathBuf> {
    let folder = root().join("../shared/data/content");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the content cases are not beside this project (../shared/data/content)");
    None
}

async fn report(folder: &std::path::Path, case: &Value, judge: &Judge) -> Report {
    let file = folder.join("cases-dev").join(format!("{}.eml", text(&case["id"])));
    let message = std::fs::read(&file).expect("every case has a message");
    let envelope = &case["envelope"];
    judged(judge, &message, text(&envelope["client_ip"]), text(&envelope["helo"]), text(&envelope["mail_from"])).await
}

fn faults(expected: &str, report: &Report) -> Vec<String> {
    let about_content = |finding: &&ReportedFinding| {
        let kind = finding.code.split('_').next().unwrap_or_default();
        finding.severity != "info" && !["dmarc", "spf", "dkim", "arc"].contains(&kind)
    };
    let found: Vec<&ReportedFinding> = report.findings.iter().filter(about_content).collect();
    let is_strict = |finding: &&ReportedFinding| ["quarantine", "reject"].contains(&finding.severity);
    let is_as_expected = match expected {
        "caught" => found.iter().any(is_strict),
        "flagged" => !found.is_empty(),
        _ => found.is_empty() && report.disposition == "deliver",
    };
    let told = |finding: &&ReportedFinding| format!("{} {} ({})", finding.severity, finding.code, finding.detail);
    let told: Vec<String> = found.iter().map(told).collect();
    if is_as_expected { Vec::new() } else { vec![format!("{} with {told:?}", report.disposition)] }
}
