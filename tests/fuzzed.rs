//! What is fuzzed: anything that reads octets which a sender chose. Each function takes any octets and panics when a promise
//! is broken. `tests/fuzz` runs them under libFuzzer; the test binary runs them over the seeds and over all that ever broke one.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost::{
    arc::Chain,
    authentication_results,
    author::Author,
    bearer_token::{BearerToken, Issuer, JwksUrl, KeySet},
    client_certificate::ClientCertificate,
    content::{
        link::{Judgement, Link, Linked, MAX_LINKS, MAX_TARGET_OCTETS, Place, judge},
        link::{links_of_calendar, links_of_html, links_of_text},
        links_of,
        markup::{Pieces, Reading, expanded},
        mime,
    },
    display_name,
    dkim::{Algorithm, KeyRecords, SignatureFacts, SignedMessage, Signer, candidates, key_policy},
    header_section::{HeaderSection, smuggling_mark},
    spf::Record,
    tag_list::TagList,
};
use gatepost_inspect_attachment::{
    file::{File, Role, budget::Budget, inspect_file, name::FileName},
    inspect::{Limits, inspect},
};
use gatepost_verify_inbound::{boundary::Boundary, event::MessageId};

const NOW: u64 = 1_795_000_000;

type Target = (&'static str, fn(&[u8]));

/// Every target by the name of its folder of seeds.
pub(crate) const TARGETS: [Target; 13] = [
    ("header_section", header_section),
    ("from_field", from_field),
    ("spf_record", spf_record),
    ("tag_list", tag_list),
    ("trust_boundary", trust_boundary),
    ("message", message),
    ("bearer_token", bearer_token),
    ("mime_walk", mime_walk),
    ("links", links),
    ("archive", archive),
    ("ole", ole),
    ("pdf", pdf),
    ("picture", picture),
];

pub(crate) fn header_section(octets: &[u8]) {
    let section = HeaderSection::parse(octets);
    let mut end = 0;
    for field in &section.fields {
        assert!(end <= field.offset && field.offset < field.end && field.end <= section.body_offset, "fields in order");
        assert!(
            octets[field.offset..].starts_with(field.text) && field.text.ends_with(field.value),
            "a field is its text"
        );
        end = field.end;
    }
    assert!(smuggling_mark(octets).is_none_or(|dot| octets[dot] == b'.'), "a mark is a dot");
}

pub(crate) fn from_field(octets: &[u8]) {
    let Ok(author) = Author::parse(octets) else { return };
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'.');
    assert!(author.domain.contains('.') && author.domain.bytes().all(is_plain), "a domain of A-labels: {author:?}");
    assert!(!author.local_part.contains(['@', '<', '>']), "one mailbox: {author:?}");
    let _ = display_name::findings(&author, None, &["bank.example".to_owned()]);
}

pub(crate) fn spf_record(octets: &[u8]) {
    let _ = Record::parse(octets);
    let with_version = [b"v=spf1 ", octets].concat();
    let _ = Record::parse(&with_version);
}

pub(crate) fn tag_list(octets: &[u8]) {
    if let Ok(list) = TagList::of(octets)
        && let Some(span) = list.span("b")
    {
        assert_eq!(std::str::from_utf8(&octets[span]).map(str::trim), Ok(list.get("b").unwrap_or_default()));
    }
    let _ = SignatureFacts::of(octets, NOW);
    for algorithm in [Algorithm::RsaSha256, Algorithm::Ed25519Sha256] {
        let domain = "bank.example".to_owned();
        let signer = Signer { algorithm, selector: "s".to_owned(), identity_domain: domain.clone(), domain };
        let _ = key_policy(&String::from_utf8_lossy(octets), &signer);
    }
}

pub(crate) fn trust_boundary(octets: &[u8]) {
    let section = HeaderSection::parse(octets);
    let message_id = MessageId::parse("o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1").expect("a plain id");
    let Ok(boundary) = Boundary::of(&section, &message_id, None) else { return };
    assert!(boundary.sender_part_offset <= octets.len());
    let before = String::from_utf8_lossy(&octets[..boundary.sender_part_offset]);
    assert!(before.contains(message_id.as_str()), "only SES knows the id");
}

pub(crate) fn message(octets: &[u8]) {
    let section = HeaderSection::parse(octets);
    let signed = SignedMessage::new(octets, &section);
    let (candidates, _) = candidates(&signed, "bank.example", NOW);
    let keys = KeyRecords::default();
    for candidate in &candidates {
        assert_ne!(candidate.judge(&signed, &keys).result.as_str(), "pass", "nothing passes without a key");
    }
    if let Ok(Some(chain)) = Chain::of(&signed, NOW) {
        assert!(chain.verify(&signed, &keys).is_err(), "no chain holds without keys");
    }
    let _ = Author::of(&section);
    let mut stored = octets.to_vec();
    authentication_results::stamp(&mut stored, "mx.example; spf=none");
    let stamped = HeaderSection::parse(&stored);
    assert_eq!(authentication_results::forged(&stamped, "mx.example").count(), 1, "our results, once");
    drop(inspect(octets, Limits::DEFAULT));
}

/// As a text, and line by line as what a token is encoded from.
pub(crate) fn bearer_token(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let encoded: Vec<String> = octets.split(|octet| *octet == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    let keys = KeySet::parse(octets).unwrap_or_default();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    for token in [&*text, &encoded.join(".")] {
        let Ok(token) = BearerToken::parse(token) else { continue };
        let issuer = Issuer { name: token.claimed_issuer().to_owned(), audience: "api".to_owned(), scope: None };
        if let Ok(checked) = token.checked(&issuer, now) {
            assert!(checked.verify(&keys, None).is_err(), "a token is believed that brought its own keys");
            assert!(checked.verify(&KeySet::default(), None).is_err(), "a token is believed without a key");
        }
    }
    assert!(ClientCertificate::parse(&text).is_none_or(|certificate| certificate.fingerprint().len() == 64));
    let _ = JwksUrl::parse(&text);
}

/// The walk keeps to its limits, hands out no more octets than there are, and always ends.
pub(crate) fn mime_walk(octets: &[u8]) {
    let limits = Limits { depth: 4, parts: 30, decoded_octets: 1 << 20, header_octets: 4 << 10 };
    let (mut leaves, mut handed_out) = (0, 0);
    let findings = mime::walk(octets, limits, &mut |leaf| {
        leaves += 1;
        handed_out += leaf.octets.len();
        assert!(leaf.names.len() <= mime::MAX_NAMES, "no more names than the limit");
        assert!(leaf.path.split('.').count() <= limits.depth + 1, "no path is deeper than the limit: {}", leaf.path);
        drop(links_of(leaf));
    });
    // Files in a text are handed out beside the text, 20 at most.
    assert!(leaves <= 21 * limits.parts, "{leaves} parts");
    assert!(handed_out <= 2 * limits.decoded_octets, "{handed_out} octets");
    assert!(findings.iter().all(|finding| !finding.detail.is_empty() && !finding.location.is_empty()));
}

/// As a page, as a text, as an invitation, and as the target of a link.
pub(crate) fn links(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let mut judgement = Judgement::default();
    for links in [links_of_html(&text).links, links_of_text(&text, Place::Text), links_of_calendar(&text)] {
        assert!(links.iter().all(|link| link.target.len() <= MAX_TARGET_OCTETS), "no target is longer than the limit");
        judge(&links, "1", &Linked::default(), &mut judgement);
    }
    for reading in [Reading::Browser, Reading::Xml] {
        assert!(Pieces::of(&text, reading).count() <= text.len(), "no more pieces than octets");
    }
    assert!(expanded(&text).text.len() <= text.len() + (1 << 20), "entities have an end");
    inspect_as("a.svg", octets);
    let links: Vec<Link> = text.lines().take(MAX_LINKS).map(|line| Link::new(line, Place::Anchor)).collect();
    judge(&links, "1", &Linked::default(), &mut judgement);
    let (_, hosts) = judgement.finish();
    assert!(hosts.len() <= gatepost::impersonation::MAX_HOSTS, "{} hosts", hosts.len());
}

/// Zip, tar, 7z, RAR, gzip, bzip2, xz and cabinets, and documents that are archives.
pub(crate) fn archive(octets: &[u8]) {
    inspect_as("a.zip", octets);
    inspect_as("a.docx", octets);
}

/// Compound files, and rich text, whose objects are compound files.
pub(crate) fn ole(octets: &[u8]) {
    inspect_as("a.doc", octets);
    let hexadecimal: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    inspect_as("a.rtf", format!("{{\\rtf1{{\\object{{\\*\\objdata {hexadecimal}}}}}}}").as_bytes());
}

pub(crate) fn pdf(octets: &[u8]) {
    inspect_as("a.pdf", octets);
}

/// As a file, and its bits as the points of a picture.
pub(crate) fn picture(octets: &[u8]) {
    inspect_as("a.png", octets);
    let rows = u8::try_from(octets.len() / 8).unwrap_or(u8::MAX);
    let header = [b"BM\0\0\0\0\0\0\0\0", &[62, 0, 0, 0, 40, 0, 0, 0, 64, 0, 0, 0, rows, 0, 0, 0, 1, 0, 1][..]].concat();
    inspect_as("a.bmp", &[&header[..], &[0; 25], &[0, 0, 0, 0, 255, 255, 255, 0], octets].concat());
}

fn inspect_as(name: &str, octets: &[u8]) {
    let names = [FileName::new(name)];
    let file = File { location: "1", names: &names, declared: "", content: octets, role: Role::Attachment };
    let inspected = inspect_file(&file, &mut Budget::default());
    for finding in &inspected.findings {
        assert!(
            finding.location.starts_with('1') && !finding.detail.is_empty(),
            "a finding says where and why: {finding:?}"
        );
        assert!(
            finding.location.chars().count() <= 300 && !finding.location.contains(['\r', '\n', '\0']),
            "printable: {finding:?}"
        );
    }
}
