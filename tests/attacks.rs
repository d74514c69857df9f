//! Attacks as data: one file each in `tests/attacks`, and adding one is adding a file.
//!
//! A case states what is to become of the message. `without` undoes the attack, and then the message has to pass: a case that
//! is stopped for another reason than the one it is about proves nothing.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{StreamExt, stream};
use gatepost::{
    dkim::Canonicalization::{self, Relaxed, Simple},
    header_section::HeaderSection,
};
use gatepost_local::name_server::NameServer;
use gatepost_verify_inbound::{
    judge::{Judge, Policy},
    report::Report,
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde::Deserialize;

use crate::{
    conformance::{judge, judged},
    stack::root,
};

/// Cases judged at the same time.
const AT_ONCE: usize = 8;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    #[serde(skip)]
    name: String,
    about: String,
    source: String,
    #[serde(default = "attacker_ip")]
    client_ip: String,
    #[serde(default = "attacker_helo")]
    helo: String,
    #[serde(default = "attacker_sender")]
    mail_from: String,
    /// Added to the names that every case knows, which are in `zone.txt`.
    #[serde(default)]
    zone: String,
    /// With LF for CRLF, unless it has a CR.
    message: String,
    /// Tags of `DKIM-Signature` fields, in the order in which they are added. `#bh` and `#b` are filled in.
    #[serde(default)]
    signed: Vec<String>,
    /// ARC sets, the first sealer's first.
    #[serde(default)]
    sealed: Vec<Sealed>,
    /// What happens to the message after it was signed.
    #[serde(default)]
    prepend: String,
    #[serde(default)]
    append: String,
    altered: Option<(String, String)>,
    #[serde(default)]
    trusted_arc_sealers: Vec<String>,
    /// Replacements, anywhere in the case, that undo the attack.
    #[serde(default)]
    without: Vec<(String, String)>,
    /// `deliver` where DMARC fails without the attack as well.
    #[serde(default)]
    control: String,
    expect: Expectation,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    results: String,
    signature: String,
    seal: String,
}

/// Words, of which one has to be found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expectation {
    disposition: String,
    dmarc: String,
    dkim: String,
    arc: String,
    spf: String,
    finding: String,
}

fn attacker_ip() -> String {
    "203.0.113.66".to_owned()
}

fn attacker_helo() -> String {
    "mail.evil.example".to_owned()
}

fn attacker_sender() -> String {
    "x@evil.example".to_owned()
}

impl Attack {
    fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(root().join("tests/attacks")).expect("the folder of the attacks");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let mut attacks: Vec<Self> = paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .map(|path| Self::read(&path))
            .collect();
        assert!(100 < attacks.len(), "{} attacks", attacks.len());
        attacks.sort_by(|one, other| one.name.cmp(&other.name));
        attacks
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("text");
        let attack: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        assert!(!attack.about.is_empty() && !attack.source.is_empty(), "{name} says what it is about, and who says so");
        Self { name, ..attack }
    }

    fn undone(&self) -> Option<Self> {
        let undo = |text: &String| self.without.iter().fold(text.clone(), |text, (from, to)| text.replace(from, to));
        let undone = Self {
            mail_from: undo(&self.mail_from),
            zone: undo(&self.zone),
            message: undo(&self.message),
            signed: self.signed.iter().map(undo).collect(),
            sealed: self.sealed.iter().map(|set| set.map(undo)).collect(),
            prepend: undo(&self.prepend),
            append: undo(&self.append),
            altered: self.altered.as_ref().map(|(from, to)| (from.clone(), undo(to))),
            ..self.clone()
        };
        (!self.without.is_empty()).then_some(undone)
    }

    async fn report(&self, key: &Key) -> Report {
        let names = std::fs::read_to_string(root().join("tests/attacks/zone.txt")).expect("names for all cases");
        let zone = format!("{names}{}", self.zone).replace("@key", &key.public());
        let server = NameServer::start(&zone, &[]).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let judge = judge(&server);
        let policy = Policy { trusted_arc_sealers: self.trusted_arc_sealers.clone(), ..judge.policy };
        let judge = Judge { policy, ..judge };
        judged(&judge, &self.travelled(key), &self.client_ip, &self.helo, &self.mail_from).await
    }

    /// The message as it arrives.
    fn travelled(&self, key: &Key) -> Vec<u8> {
        let mut message = as_sent(&self.message);
        for tags in &self.signed {
            message = format!("{}{message}", key.signature("DKIM-Signature", tags, &message));
        }
        message = format!("{}{message}", key.sets(&self.sealed, &message));
        if let Some((from, to)) = &self.altered {
            assert!(message.contains(from.as_str()), "{}: nothing to alter", self.name);
            message = message.replacen(from, to, 1);
        }
        format!("{}{message}{}", as_sent(&self.prepend), as_sent(&self.append)).into_bytes()
    }

    fn faults(&self, report: &Report) -> Vec<String> {
        let Expectation { disposition, dmarc, dkim, arc, spf, finding } = &self.expect;
        let codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
        let results = [
            ("disposition", report.disposition, disposition),
            ("dmarc", report.dmarc, dmarc),
            ("dkim", report.dkim, dkim),
            ("arc", report.arc, arc),
            ("spf", report.spf, spf),
        ];
        let unexpected =
            results.iter().filter(|(_, found, due)| !due.is_empty() && !due.split(' ').any(|due| due == *found));
        let mut faults: Vec<String> =
            unexpected.map(|(what, found, due)| format!("{what}={found} instead of {due}")).collect();
        if !finding.is_empty() && !finding.split(' ').any(|code| codes.contains(&code)) {
            faults.push(format!("no {finding} in {codes:?}"));
        }
        faults
    }
}

impl Sealed {
    fn map(&self, change: impl Fn(&String) -> String) -> Self {
        Self { results: change(&self.results), signature: change(&self.signature), seal: change(&self.seal) }
    }
}

fn as_sent(text: &str) -> String {
    if text.contains('\r') { text.to_owned() } else { text.replace('\n', "\r\n") }
}

/// Signs for everybody, with a key made for the run.
struct Key(Ed25519KeyPair);

impl Key {
    fn fresh() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the system has entropy");
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("just made"))
    }

    fn public(&self) -> String {
        BASE64_STANDARD.encode(self.0.public_key())
    }

    /// RFC 8463 §3.
    fn sign(&self, text: &[u8]) -> String {
        BASE64_STANDARD.encode(self.0.sign(digest(&SHA256, text).as_ref()))
    }

    /// A field that signs a message as its own tags say, whether or not that makes sense.
    fn signature(&self, name: &str, tags: &str, message: &str) -> String {
        let (of_fields, of_body) = canonicalization(tags);
        let section = HeaderSection::parse(message.as_bytes());
        let body = message.as_bytes().get(section.body_offset..).unwrap_or_default();
        let tags = tags.replace("#bh", &BASE64_STANDARD.encode(of_body.body_hash(body)));
        let mut text = Vec::new();
        let mut fields: Vec<_> = section.fields.iter().collect();
        for signed in tag(&tags, "h").split(':') {
            let Some(last) = fields.iter().rposition(|field| field.is_named(signed.trim())) else { continue };
            let field = fields.remove(last);
            of_fields.append_field(field.text, field.name, field.value, &mut text);
            text.extend_from_slice(b"\r\n");
        }
        append_own(name, &tags, of_fields, &mut text);
        format!("{name}: {}\r\n", tags.replace("#b", &self.sign(&text)))
    }

    fn sets(&self, sets: &[Sealed], message: &str) -> String {
        let (mut fields, mut text) = (String::new(), Vec::new());
        for Sealed { results, signature, seal } in sets {
            let signature = self.signature("ARC-Message-Signature", signature, message);
            let results = format!("ARC-Authentication-Results: {results}\r\n");
            append_lines(&results, &mut text);
            append_lines(&signature, &mut text);
            let mut sealed = text.clone();
            append_own("ARC-Seal", seal, Relaxed, &mut sealed);
            let seal = format!("ARC-Seal: {}\r\n", seal.replace("#b", &self.sign(&sealed)));
            append_lines(&seal, &mut text);
            fields = format!("{seal}{signature}{results}{fields}");
        }
        fields
    }
}

/// The field that is being made, without the signature in it.
fn append_own(name: &str, tags: &str, canonicalization: Canonicalization, to: &mut Vec<u8>) {
    let value = format!(" {}", tags.replace("#b", ""));
    let text = format!("{name}:{value}");
    canonicalization.append_field(text.as_bytes(), name.as_bytes(), value.as_bytes(), to);
}

fn append_lines(field: &str, to: &mut Vec<u8>) {
    let (name, value) = field.split_once(':').expect("a field");
    Relaxed.append_field(field.as_bytes(), name.as_bytes(), value.as_bytes(), to);
    to.extend_from_slice(b"\r\n");
}

fn canonicalization(tags: &str) -> (Canonicalization, Canonicalization) {
    let of = |name: Option<&str>| if name == Some("relaxed") { Relaxed } else { Simple };
    let mut names = tag(tags, "c").split('/');
    (of(names.next()), of(names.next()))
}

/// The last one, where there are several.
fn tag<'t>(tags: &'t str, name: &str) -> &'t str {
    let mut found = tags.split(';').filter_map(|tag| tag.split_once('=')).filter(|(tag, _)| tag.trim() == name);
    found.next_back().map(|(_, value)| value.trim()).unwrap_or_default()
}

async fn faults_of(attacks: Vec<Attack>, faults: impl Fn(&Attack, &Report) -> Vec<String>) -> Vec<String> {
    let key = Key::fresh();
    let reports = attacks.iter().map(|attack| attack.report(&key));
    let reports: Vec<Report> = stream::iter(reports).buffered(AT_ONCE).collect().await;
    let found = attacks.iter().zip(&reports).map(|(attack, report)| (attack, faults(attack, report)));
    let found = found.filter(|(_, faults)| !faults.is_empty());
    found
        .map(|(attack, faults)| format!("{}: {} ({}: {})", attack.name, faults.join(", "), attack.source, attack.about))
        .collect()
}

#[tokio::test]
async fn every_attack_is_stopped_as_its_file_says() {
    let faults = faults_of(Attack::all(), Attack::faults).await;
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[tokio::test]
async fn the_same_messages_without_the_attack_are_delivered() {
    let undone = Attack::all().iter().filter_map(Attack::undone).collect();
    let faults = faults_of(undone, |attack, report| {
        let passes = report.dmarc == "pass" || attack.control == "deliver";
        let codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
        let fault = || format!("dmarc={} disposition={} {codes:?}", report.dmarc, report.disposition);
        if passes && report.disposition == "deliver" { Vec::new() } else { vec![fault()] }
    });
    let faults = faults.await;
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
