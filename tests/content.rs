//! Content as data: one file each in `tests/content`, and adding one is adding a file.
//!
//! A case states what is found in the message, apart from authentication. `without` undoes what is wrong, and then nothing may
//! be found: a finding that stays has another reason than the one that the case is about.

use std::{collections::BTreeMap, path::Path};

use gatepost_local::name_server::NameServer;
use gatepost_verify_inbound::{
    judge::{Judge, Policy},
    report::Report,
};
use serde::Deserialize;

use crate::{
    conformance::{judge, judged},
    stack::root,
};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(skip)]
    name: String,
    about: String,
    /// Fields that are added to the usual ones, or take their place.
    #[serde(default)]
    fields: String,
    /// With LF for CRLF.
    body: String,
    /// `severity code`, each once.
    expect: Vec<String>,
    #[serde(default)]
    without: Vec<(String, String)>,
}

const USUAL: [&str; 6] = [
    "From: Ann Lee <ann@sender.example>",
    "To: bob@receiver.example",
    "Subject: hello",
    "Date: Fri, 20 Nov 2026 10:00:00 +0000",
    "Message-ID: <1@sender.example>",
    "MIME-Version: 1.0",
];

/// Codes that each need two cases: what is claimed is a class, not an example.
const CLASSES: &[(&str, &str)] = gatepost::content::FINDING_CODES;

impl Case {
    fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(root().join("tests/content")).expect("the folder of the cases");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let mut cases: Vec<Self> = paths.map(|path| Self::read(&path)).collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("text");
        let case: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!case.about.is_empty(), "{}: what is it about?", path.display());
        Self { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), ..case }
    }

    fn undone(&self) -> Self {
        let undo = |text: &String| self.without.iter().fold(text.clone(), |text, (from, to)| text.replace(from, to));
        Self { fields: undo(&self.fields), body: undo(&self.body), expect: Vec::new(), ..self.clone() }
    }

    fn message(&self) -> Vec<u8> {
        let name = |field: &str| field.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let own: Vec<String> = self.fields.lines().map(name).collect();
        let usual: String =
            USUAL.iter().filter(|field| !own.contains(&name(field))).map(|field| format!("{field}\n")).collect();
        format!("{usual}{}\n{}", self.fields, self.body).replace('\n', "\r\n").into_bytes()
    }

    async fn fault(&self, judge: &Judge) -> Option<String> {
        let report = judged(judge, &self.message(), "192.0.2.25", "mail.sender.example", "ann@sender.example").await;
        let found = found(&report);
        let mut expected = self.expect.clone();
        expected.sort();
        (found != expected).then(|| format!("{}: {found:?} instead of {expected:?} ({})", self.name, self.about))
    }
}

/// `severity code` of what is not about authentication, in order and each once. What is only worth knowing is left out.
fn found(report: &Report) -> Vec<String> {
    let is_about_content =
        |code: &str| !["dmarc", "spf", "dkim", "arc"].contains(&code.split('_').next().unwrap_or_default());
    let findings = report.findings.iter().filter(|found| found.severity != "info" && is_about_content(&found.code));
    let mut found: Vec<String> = findings.map(|found| format!("{} {}", found.severity, found.code)).collect();
    found.sort();
    found.dedup();
    found
}

async fn faults(cases: Vec<Case>) -> Vec<String> {
    let server = NameServer::start("sender.example. 300 IN TXT \"v=spf1 -all\"\n", &[]).await.expect("a zone");
    let judge = judge(&server);
    let policy =
        Policy { protected_domains: vec!["fabrikam.example".to_owned(), "paypal.com".to_owned()], ..judge.policy };
    let judge = Judge { policy, ..judge };
    let mut faults = Vec::new();
    for case in cases {
        faults.extend(case.fault(&judge).await);
    }
    faults
}

#[tokio::test]
async fn every_case_of_content_is_found_as_its_file_says() {
    let faults = faults(Case::all()).await;
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[tokio::test]
async fn the_same_content_without_what_is_wrong_has_no_finding() {
    let faults = faults(Case::all().iter().filter(|case| !case.without.is_empty()).map(Case::undone).collect()).await;
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_class_has_two_cases_that_are_built_differently() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for case in Case::all() {
        for expected in &case.expect {
            *count.entry(expected.split(' ').next_back().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    // Floods are made by `content_limits`, not written down.
    let made = ["mime_limit_exceeded", "link_limit_exceeded", "text_limit_exceeded"];
    let codes = CLASSES.iter().chain(gatepost::impersonation::FINDING_CODES).map(|(code, _)| *code);
    let few: Vec<&str> =
        codes.filter(|code| count.get(*code).copied().unwrap_or_default() < 2 && !made.contains(code)).collect();
    assert_eq!(few, [""; 0]);
}
