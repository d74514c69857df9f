//! Messages that cost much: each is given up at a limit that the finding names, within bounds of memory and time that the
//! inspecting process has anyway.

use gatepost::finding::Severity;
use gatepost_inspect_attachment::inspect::{Limits, inspect};

const HEADER: &str = "From: ann@sender.example\r\nMIME-Version: 1.0\r\n";

/// Of what is kept back, the sentences that tell why.
fn kept_back(message: &str) -> Vec<String> {
    let seen = inspect(message.as_bytes(), Limits::DEFAULT);
    let kept = seen.findings.into_iter().filter(|finding| Severity::Quarantine <= finding.severity);
    kept.map(|finding| format!("{}: {}", finding.code, finding.detail)).collect()
}

fn multiparts(levels: usize) -> String {
    let opened: String = (0..levels)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=level{level}x\r\n\r\n--level{level}x\r\n"))
        .collect();
    let closed: String = (0..levels).rev().map(|level| format!("\r\n--level{level}x--")).collect();
    format!("{HEADER}{opened}Content-Type: text/plain\r\n\r\nhello{closed}\r\n")
}

#[test]
fn a_flood_is_given_up_at_a_limit_that_is_named() {
    let part = "--b\r\nContent-Type: text/plain\r\n\r\na\r\n";
    let mixed = format!("{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    let anchors: String = (0..20_000).map(|number| format!("<a href=https://shop.example/{number}>a</a>")).collect();
    let names: String = (0..100).map(|number| format!("; name*{number}=\"a\"; name=\"{number}.txt\"")).collect();
    let long_field = format!("X-Long: {}\r\n", "a".repeat(300 << 10));
    for (what, message, expected) in [
        ("10,000 parts", format!("{mixed}{}--b--\r\n", part.repeat(10_000)), "more than 1000 parts"),
        ("a part in each of 100 multiparts", multiparts(100), "deeper than 16"),
        (
            "100 messages in each other",
            format!("{HEADER}{}Subject: a\r\n\r\na", "Content-Type: message/rfc822\r\n\r\n".repeat(100)),
            "deeper than 16",
        ),
        (
            "a part with a long header",
            format!("{mixed}--b\r\n{long_field}Content-Type: text/plain\r\n\r\na\r\n--b--\r\n"),
            "longer than 256 kB",
        ),
        (
            "100 names",
            format!("{mixed}--b\r\nContent-Type: text/plain{names}\r\n\r\na\r\n--b--\r\n"),
            "more than 8 file names",
        ),
        ("20,000 links", format!("{HEADER}Content-Type: text/html\r\n\r\n{anchors}"), "more than 5000 different links"),
    ] {
        let kept = kept_back(&message);
        assert!(kept.iter().any(|detail| detail.contains(expected)), "{what}: {kept:?}");
    }
}

#[test]
fn a_line_of_20_mb_is_read_like_any_other() {
    let line = "QUJD".repeat(5 << 20);
    let file = "Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64";
    let harmless = format!("{HEADER}{file}\r\n\r\n{line}");
    assert_eq!(kept_back(&harmless), [""; 0]);
    let program = format!("{HEADER}{file}\r\n\r\nTVqQAAMAAAAEAAAA//8AALgA{line}");
    assert!(kept_back(&program).iter().any(|detail| detail.starts_with("executable_attachment")));
}

#[test]
fn what_is_encoded_again_and_again_is_given_up() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let mut message = format!("Content-Type: text/plain\r\n\r\n{}", "a".repeat(12 << 20));
    for _ in 0..5 {
        let fields = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        message = format!("{fields}{}", BASE64_STANDARD.encode(message));
    }
    let kept = kept_back(&format!("{HEADER}{message}"));
    assert!(kept.iter().any(|detail| detail.contains("decodes to more than 96 MB")), "{kept:?}");
}

/// `severity code` of all findings.
fn found(message: &[u8]) -> Vec<String> {
    let findings = inspect(message, Limits::DEFAULT).findings;
    findings.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect()
}

#[test]
fn a_text_that_is_longer_than_is_read_is_told() {
    let text = "hello\r\n".repeat(2 << 20);
    let named = "Content-Type: text/plain; name=a.txt";
    for (fields, text, expected) in [
        ("Content-Type: text/plain", &text[..], &["quarantine text_limit_exceeded"][..]),
        ("Content-Type: text/html; name=a.html", &text, &["review text_limit_exceeded"]),
        (named, &text, &["info text_limit_exceeded"]),
        (named, &text[..8 << 20], &[]),
    ] {
        assert_eq!(found(format!("{HEADER}{fields}\r\n\r\n{text}").as_bytes()), expected, "{fields}");
    }
}

/// Honest tables have as many links as rows. They neither hold a message back nor hide what its text has.
#[test]
fn many_links_in_a_file_are_worth_a_look_only() {
    let rows: String = (0..6_000)
        .map(|row| format!("{{\\field{{\\*\\fldinst HYPERLINK \"https://shop.example/{row}\"}}}}\r\n"))
        .collect();
    let message = format!(
        "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/rtf; name=a.rtf\r\n\r\n{{\\rtf1 {rows}}}\r\n--b\r\nContent-Type: text/html\r\n\r\n<a href=http://192.0.2.1/login>Log in</a>\r\n--b--\r\n"
    );
    assert_eq!(found(message.as_bytes()), ["review link_limit_exceeded", "quarantine link_ip_host"]);
}
