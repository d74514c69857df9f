//! What the rules do to real mail: `cargo bench --workspace --profile dev --bench real_mail -- FOLDER [LABELS]`
//!
//! Judges every `FOLDER/ID.eml` as `verify` does, the header included, and without DNS: only what is not about authentication counts.
//! Prints each message that is kept back with its findings, then how many there are of each severity. `LABELS` has one JSON object a
//! line, with `id` and `kind`; the counts are by kind then.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use gatepost::{
    disposition::Overrides,
    envelope::Envelope,
    io::{authentication::Authenticator, dns::NameServer as Server},
};
use gatepost_inspect_attachment::inspect::{Limits, inspect};
use gatepost_local::name_server::NameServer;
use gatepost_verify_inbound::{
    arrived::Arrived,
    judge::{Judge, Patience, Policy, Terms},
    report::Report,
};

const SEVERITIES: [&str; 5] = ["none", "info", "review", "quarantine", "reject"];

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let folder = arguments.next().expect("FOLDER");
    let kinds = arguments.next().map(|labels| kinds(Path::new(&labels))).unwrap_or_default();
    // A zone in which nobody publishes anything.
    let server = NameServer::start("", &[]).await.expect("a zone");
    let judge = judge(&server);
    let mut counts: BTreeMap<(String, usize), usize> = BTreeMap::new();
    for file in files(&folder) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let kind = kinds.get(&name).map_or("mail", String::as_str);
        let report = judged(&judge, &std::fs::read(&file).expect("a message")).await;
        let strictest = strictest(&report);
        *counts.entry((kind.to_owned(), strictest)).or_default() += 1;
        if 3 <= strictest {
            println!("{kind}\t{name}\t{}", told(&report).join("; "));
        }
    }
    for ((kind, rank), count) in counts {
        println!("{kind}\t{}\t{count}", SEVERITIES.get(rank).copied().unwrap_or_default());
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of messages");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

fn kinds(labels: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(labels).expect("labels");
    let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let word = |object: &serde_json::Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
    objects.map(|object| (word(&object, "id"), word(&object, "kind"))).collect()
}

fn judge(server: &NameServer) -> Judge {
    let policy = Policy {
        authserv_id: "mx.recipient.example".to_owned(),
        trusted_arc_sealers: Vec::new(),
        protected_domains: Vec::new(),
        overrides: Overrides::default(),
        block_lists: Vec::new(),
    };
    let authenticator = Authenticator::new(Server::At(server.address()), Duration::from_secs(1)).expect("an address");
    Judge { authenticator, policy, contacts: None }
}

async fn judged(judge: &Judge, message: &[u8]) -> Report {
    let client = "192.0.2.25".parse().expect("an address");
    let envelope = Envelope::new(client, "mail.sender.example", "bounce@sender.example", &[]).expect("within bounds");
    let arrived = Arrived::over_smtp(envelope, message);
    // The signatures of old mail have expired anyway.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let terms = Terms { patience: Patience::Left, within: Duration::from_secs(60), now };
    judge.report("message", &arrived, terms, async { inspect(message, Limits::DEFAULT) }).await
}

fn is_about_content(code: &str) -> bool {
    !["dmarc", "spf", "dkim", "arc"].contains(&code.split('_').next().unwrap_or_default())
}

fn strictest(report: &Report) -> usize {
    let counted = report.findings.iter().filter(|found| is_about_content(&found.code));
    let ranks = counted.filter_map(|found| SEVERITIES.iter().position(|severity| *severity == found.severity));
    ranks.max().unwrap_or_default()
}

fn told(report: &Report) -> Vec<String> {
    let kept = ["quarantine", "reject"];
    let counted = report.findings.iter().filter(|found| is_about_content(&found.code));
    let strict = counted.filter(|found| kept.contains(&found.severity));
    strict.map(|found| format!("{} {} {}: {}", found.severity, found.code, found.location, found.detail)).collect()
}
