//! What is wrong with one message below its header: its parts, its links and its files. A pure function of its octets.

use std::collections::HashSet;

use gatepost::author::Author;
use gatepost::content::link::{Judgement, Link, Linked, judge};
use gatepost::content::mime::{Leaf, walk};
use gatepost::content::{links_of, unread_text};
use gatepost::finding::Finding;
use gatepost::header_section::HeaderSection;
use gatepost::inspection::{Seen, failure};

use crate::file::{File, Inspected, Role, budget::Budget, inspect_file, name::FileName};

pub use gatepost::content::mime::Limits;

/// Findings returned for one message: the strictest when there are more.
pub const MAX_FINDINGS: usize = 100;

/// Judges every part of `message` (RFC 5322 with RFC 2045 to 2049): its links, and as a file by name, declared type and octets.
///
/// Locations are part paths as IMAP numbers them (RFC 9051 §6.4.5), followed by the file name or the address: `1.2 invoice.pdf`.
#[must_use]
pub fn inspect(message: &[u8], limits: Limits) -> Seen {
    let section = HeaderSection::parse(message);
    if section.fields.is_empty() {
        return Seen { findings: vec![failure("the message has no header field")], hosts: Vec::new() };
    }
    let linked = Linked { author_domain: Author::of(&section).ok().map(|author| author.domain) };
    let (mut files, mut links) = (Vec::new(), Judgement::default());
    let (mut budget, mut letter) = (Budget::default(), Letter::default());
    let structure = walk(message, limits, &mut |leaf| {
        let role = letter.role(leaf);
        let read = links_of(leaf);
        judge(&read.links, leaf.path, &linked, &mut links);
        if read.is_cut {
            links.unread(leaf.path);
        }
        let file = as_file(leaf, role, &mut budget);
        for in_one in file.links.chunk_by(|one, next| one.location == next.location) {
            let found: Vec<Link> = in_one.iter().map(|found| found.link.clone()).collect();
            judge(&found, in_one.first().map_or("", |first| &first.location), &linked, &mut links);
        }
        files.extend(file.findings);
        files.extend(unread_text(leaf));
    });
    let (of_links, hosts) = links.finish();
    Seen { findings: strictest(files.into_iter().chain(structure).chain(of_links).collect()), hosts }
}

/// What of the message the mail program shows as the letter itself.
#[derive(Debug, Default)]
struct Letter {
    /// Paths of messages that have shown a page.
    messages: HashSet<String>,
}

impl Letter {
    /// A page that is neither the first part nor one of several versions of the letter is shown by some programs and offered as
    /// a file, to be opened in a browser, by others; and so is every page after the first.
    fn role(&mut self, leaf: &Leaf<'_>) -> Role {
        let is_page = leaf.declared == "text/html";
        let is_first = !is_page || self.messages.insert(leaf.message.to_owned());
        let is_letter = leaf.is_body_text() && is_first && (!is_page || leaf.is_of_letter);
        if is_letter { Role::Body } else { Role::Attachment }
    }
}

fn as_file(leaf: &Leaf<'_>, role: Role, budget: &mut Budget) -> Inspected {
    let names: Vec<FileName> = leaf.names.iter().map(|name| FileName::new(name)).collect();
    let location = &leaf.location();
    inspect_file(&File { location, names: &names, declared: leaf.declared, content: leaf.octets, role }, budget)
}

fn strictest(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() > MAX_FINDINGS {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings.truncate(MAX_FINDINGS);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::build::{Entry, entry, zip, zip_of};

    /// A message of a short text and the given parts: header fields, then content that needs no encoding.
    fn mail(parts: &[(&str, &[u8])]) -> Vec<u8> {
        mail_with_boundary("edge", parts)
    }

    fn mail_with_boundary(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut mail = b"From: ann@example.com\r\nMIME-Version: 1.0\r\n".to_vec();
        mail.extend_from_slice(format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n").as_bytes());
        mail.extend_from_slice(format!("--{boundary}\r\nContent-Type: text/plain\r\n\r\nHello Bob,\r\n").as_bytes());
        for (fields, content) in parts {
            mail.extend_from_slice(format!("--{boundary}\r\n{fields}\r\n\r\n").as_bytes());
            mail.extend_from_slice(content);
            mail.extend_from_slice(b"\r\n");
        }
        mail.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        mail
    }

    fn codes(message: &[u8]) -> Vec<String> {
        let findings = inspect(message, Limits::DEFAULT).findings;
        findings.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect()
    }

    fn attached(name: &str) -> String {
        format!("Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"")
    }

    const PROGRAM: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0";
    const PDF: &[u8] = b"%PDF-1.7\n%%EOF\n";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn an_attachment_is_judged_by_name_and_content() {
        let plain = zip(&[("a.txt", b"hello")]);
        let locked = zip_of(&[Entry { is_encrypted: true, ..entry("a.txt", b"secret") }]);
        let nested = (0..9).fold(plain.clone(), |inner, _| zip(&[("inner.zip", &inner)]));
        let java = zip(&[("META-INF/MANIFEST.MF", b"")]);
        let iso = [vec![0; 0x8001], b"CD001".to_vec()].concat();
        for (name, content, expected) in [
            ("invoice.pdf", PROGRAM, &["reject executable_attachment"][..]),
            ("notes", b"\x7fELF\x02\x01\x01\0", &["reject executable_attachment"]),
            ("setup.exe", b"not even a program", &["reject executable_attachment"]),
            ("run.js", b"print('a')", &["quarantine script_attachment"]),
            ("fix.bat ", b"echo a", &["quarantine script_attachment"]),
            ("readme", b"#!/bin/sh\necho a\n", &["quarantine script_attachment"]),
            ("report.pdf", b"L\0\0\0\x01\x14\x02\0\0\0", &["quarantine script_attachment"]),
            ("library.zip", &java, &["quarantine script_attachment"]),
            ("disk.bin", &iso, &["quarantine disk_image_attachment"]),
            ("photos.img", b"raw sectors", &["quarantine disk_image_attachment"]),
            ("invoice.pdf.js", b"print('a')", &["quarantine script_attachment", "quarantine double_extension"]),
            ("photo.jpg    .exe", PROGRAM, &["reject executable_attachment", "quarantine double_extension"]),
            ("annexe\u{202e}fdp.exe", PROGRAM, &["reject executable_attachment", "quarantine rtlo_file_name"]),
            ("\u{202b}xslx.pdf", PDF, &["quarantine rtlo_file_name"]),
            ("files.zip", &locked, &["quarantine encrypted_archive"]),
            ("files.zip", &nested, &["quarantine archive_limit_exceeded"]),
            ("files", &locked, &["quarantine encrypted_archive"]),
            ("invoice.pdf", &plain, &["review type_mismatch"]),
            ("invoice.pdf", b"just text", &["review type_mismatch"]),
            ("invoice.txt", PDF, &["review type_mismatch"]),
            ("invoice.pdf", PDF, &[]),
            ("logo.jpg", PNG, &[]),
            ("letter.docx", &plain, &[]),
            ("letter.doc", b"{\\rtf1 hello}", &[]),
            ("archive.tar.gz", b"\x1f\x8b\x08\0", &[]),
            ("empty.pdf", b"", &[]),
        ] {
            assert_eq!(codes(&mail(&[(&attached(name), content)])), expected, "{name:?} {}", content.escape_ascii());
        }
    }

    #[test]
    fn names_are_found_wherever_a_mail_program_looks_for_them() {
        for (fields, expected) in [
            ("Content-Type: text/plain; name=run.vbs", &["quarantine script_attachment"][..]),
            ("Content-Disposition: attachment; filename*=utf-8''run%2Evbs", &["quarantine script_attachment"]),
            (
                "Content-Disposition: attachment; filename*0=run; filename*1=.v; filename*2=bs",
                &["quarantine script_attachment"],
            ),
            (
                "Content-Disposition: attachment; filename=\"=?utf-8?B?cnVuLnZicw==?=\"",
                &["quarantine script_attachment"],
            ),
            (
                "Content-Type: text/plain; name=run.vbs\r\nContent-Disposition: attachment; filename=a.txt",
                &["quarantine script_attachment"],
            ),
            (
                "Content-Disposition: attachment; filename=run.vbs\r\nContent-Disposition: attachment; filename=a.txt",
                &["quarantine script_attachment", "quarantine mime_duplicate_field"],
            ),
            ("Content-Disposition: attachment; filename=a.txt", &[]),
        ] {
            assert_eq!(codes(&mail(&[(fields, b"hello")])), expected, "{fields}");
        }
    }

    #[test]
    fn a_declared_type_is_a_claim_too() {
        for (fields, content, expected) in [
            ("Content-Type: application/pdf", PNG, &["review type_mismatch"][..]),
            ("Content-Type: image/png", b"GIF89a", &[]),
            ("Content-Type: text/plain", PROGRAM, &["reject executable_attachment"]),
            ("Content-Type: text/plain", b"#!/bin/sh is the first line of a shell script", &[]),
            ("Content-Type: application/pdf; name=a.pdf", PDF, &[]),
        ] {
            assert_eq!(codes(&mail(&[(fields, content)])), expected, "{fields}");
        }
    }

    #[test]
    fn an_encoding_that_mail_programs_forgive_hides_nothing() {
        let base64 = "Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: BASE64";
        let printable = "Content-Type: text/plain; name=a.txt\r\nContent-Transfer-Encoding: quoted-printable";
        for (fields, content) in [
            (base64, &b"TVqQAAMAAAAEAAAA//8AAA=="[..]),
            (base64, b"TVqQ!AAMA*AAAEAAAA//8AAA=="),
            (base64, b"TVqQAAMAAAAEAAAA\r\n\r\n//8AAA"),
            (printable, b"MZ=90=00=03=00=00=00"),
            (printable, b"=4D=\r\n=5A=90=00"),
        ] {
            let codes = codes(&mail(&[(fields, content)]));
            let first = codes.first().map(String::as_str);
            assert_eq!(first, Some("reject executable_attachment"), "{}", content.escape_ascii());
        }
    }

    #[test]
    fn attached_messages_are_opened() {
        let inner = mail_with_boundary("inner", &[(&attached("setup.exe"), PROGRAM)]);
        let outer = mail(&[("Content-Type: message/rfc822", &inner)]);
        let findings = inspect(&outer, Limits::DEFAULT).findings;
        let found: Vec<_> = findings.iter().map(|finding| (finding.code.as_ref(), finding.location.as_str())).collect();
        assert_eq!(found, [("executable_attachment", "2.2 setup.exe")]);
    }

    /// RFC 2046 §5.2.1 forbids to encode a message, and mail programs decode it all the same.
    #[test]
    fn an_attached_message_that_is_encoded_is_opened() {
        let inner = b"U3ViamVjdDogYQ0KQ29udGVudC1UeXBlOiB0ZXh0L3BsYWluOyBuYW1lPWEuanMNCg0KYQ==";
        let junk = b"U3ViamVjdDogYQ0KQ29udGVudC1UeXBlOiB0ZXh0L3BsYWluOy!BuYW1lPWEuanMNCg0KYQ==";
        let fields = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64";
        for (content, expected) in [
            (&inner[..], &["quarantine script_attachment"][..]),
            (junk, &["quarantine script_attachment", "quarantine mime_encoding_ambiguous"]),
        ] {
            assert_eq!(codes(&mail(&[(fields, content)])), expected, "{}", content.escape_ascii());
        }
        assert_eq!(
            codes(&mail(&[("Content-Type: message/rfc822", b"Subject: only a header, as in a bounce")])),
            [""; 0]
        );
    }

    #[test]
    fn links_are_judged_wherever_they_stand_and_their_hosts_are_told() {
        let html = b"<a href=http://192.0.2.1/login>Log in</a> <a href=https://shop.example/>Shop</a>";
        let seen = inspect(&mail(&[("Content-Type: text/html", html)]), Limits::DEFAULT);
        let found: Vec<_> = seen.findings.iter().map(|found| (found.code.as_ref(), found.location.as_str())).collect();
        assert_eq!(found, [("link_ip_host", "2 http://192.0.2.1/login")]);
        assert_eq!(seen.hosts, ["shop.example"]);
    }

    #[test]
    fn hosts_that_a_reader_is_led_to_come_before_those_of_pictures() {
        let pictures: String = (0..300).map(|n| format!("<img src=https://{n}.pictures.example/a.png>")).collect();
        let html = format!("{pictures}<a href=https://shop.example/>Shop</a>");
        let seen = inspect(&mail(&[("Content-Type: text/html", html.as_bytes())]), Limits::DEFAULT);
        assert_eq!(seen.hosts.first().map(String::as_str), Some("shop.example"));
        assert_eq!((seen.hosts.len(), seen.findings.len()), (200, 0));
        let links: String = (0..300).map(|n| format!("<a href=https://{n}.shop.example/>a</a>")).collect();
        assert_eq!(codes(&mail(&[("Content-Type: text/html", links.as_bytes())])), ["review link_limit_exceeded"]);
    }

    #[test]
    fn pages_beside_the_letter_are_files() {
        let page = ("Content-Type: text/html", &b"<html><script>location='http://a.example/'</script>"[..]);
        let letter = ("Content-Type: text/html", &b"<p>Hello Bob"[..]);
        let inner = mail_with_boundary("inner", &[]);
        let kept = ["quarantine page_redirect", "review html_script"];
        assert_eq!(codes(&mail(&[page])), kept, "behind a text");
        assert_eq!(codes(&mail(&[letter, page])), kept, "behind a page");
        let alone = [&b"From: ann@example.com\r\nContent-Type: text/html\r\n\r\n"[..], page.1].concat();
        assert_eq!(codes(&alone), [""; 0], "the letter itself");
        let attached = mail(&[("Content-Type: message/rfc822", &alone), ("Content-Type: message/rfc822", &inner)]);
        assert_eq!(codes(&attached), [""; 0], "the letter of an attached message");
    }

    #[test]
    fn what_lies_beyond_the_limits_is_a_finding() {
        let part = ("Content-Type: text/plain", &b"a"[..]);
        for (parts, expected) in [(998, &[][..]), (999, &["quarantine mime_limit_exceeded"])] {
            assert_eq!(codes(&mail(&vec![part; parts])), expected, "{parts} parts and the text and the multipart");
        }
        for (levels, expected) in [(16, &[][..]), (17, &["quarantine mime_limit_exceeded"])] {
            assert_eq!(codes(&multiparts(levels)), expected, "{levels} multiparts");
            assert_eq!(codes(&messages(levels)), expected, "{levels} messages");
        }
        let many_names: String = (0..9).map(|n| format!("; name=\"{n}.txt\"")).collect();
        let fields = format!("Content-Type: text/plain{many_names}");
        assert_eq!(codes(&mail(&[(&fields, b"a")])), ["quarantine mime_limit_exceeded"]);
    }

    #[test]
    fn a_nesting_of_a_hundred_thousand_messages_ends() {
        assert_eq!(codes(&messages(100_000)), ["quarantine mime_limit_exceeded"]);
    }

    #[test]
    fn the_strictest_findings_are_kept() {
        let script = attached("a.js");
        let mut parts = vec![(script.as_str(), &b"a"[..]); 150];
        let program = attached("a.exe");
        parts.push((&program, PROGRAM));
        let codes = codes(&mail(&parts));
        assert_eq!(codes.len(), 100);
        assert_eq!(codes.first().map(String::as_str), Some("reject executable_attachment"));
    }

    #[test]
    fn a_location_is_the_part_path_and_a_printable_name() {
        let related = "Content-Type: multipart/related; boundary=inner";
        let inner = format!(
            "--inner\r\nContent-Type: text/plain\r\n\r\na\r\n--inner\r\n{}\r\n\r\na\r\n--inner--",
            attached("a\tb.js")
        );
        for (message, expected) in [
            (mail(&[(&attached("a.js"), b"a")]), "2 a.js"),
            (mail(&[(related, inner.as_bytes())]), "2.2 a?b.js"),
            (
                format!("{}\r\n\r\na", attached(&"n".repeat(300).replace("nnn", "n.js"))).into_bytes(),
                &format!("1 {}", "n.js".repeat(25)),
            ),
        ] {
            let findings = inspect(&message, Limits::DEFAULT).findings;
            let locations: Vec<&str> = findings.iter().map(|finding| finding.location.as_str()).collect();
            assert_eq!(locations, [expected]);
        }
    }

    #[test]
    fn a_message_without_a_header_is_kept_back() {
        for message in [&b""[..], b"hello Bob\r\n"] {
            assert_eq!(codes(message), ["quarantine inspection_failed"], "{}", message.escape_ascii());
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_judged() {
        let whole = mail(&[
            (&attached("invoice.pdf.exe"), PROGRAM),
            ("Content-Type: message/rfc822", &mail_with_boundary("inner", &[])),
        ]);
        for cut in 0..whole.len() {
            let _ = inspect(&whole[..cut], Limits::DEFAULT);
        }
    }

    fn multiparts(levels: usize) -> Vec<u8> {
        let opened: String = (0..levels)
            .map(|level| format!("Content-Type: multipart/mixed; boundary=edge{level}x\r\n\r\n--edge{level}x\r\n"))
            .collect();
        let closed: String = (0..levels).rev().map(|level| format!("\r\n--edge{level}x--")).collect();
        format!("{opened}Content-Type: text/plain\r\n\r\nhello{closed}\r\n").into_bytes()
    }

    fn messages(levels: usize) -> Vec<u8> {
        format!("{}Subject: innermost\r\n\r\nhello\r\n", "Content-Type: message/rfc822\r\n\r\n".repeat(levels))
            .into_bytes()
    }
}
