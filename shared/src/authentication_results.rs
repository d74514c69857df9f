//! The `Authentication-Results` field (RFC 8601): writing ours, and recognising one that pretends to be.

#![expect(
    clippy::indexing_slicing,
    reason = "offsets come from a scan of the same slice, and property tests feed any text"
)]

use std::fmt::Write;

use crate::{
    authentication::Authentication,
    author::Author,
    envelope::Envelope,
    header_section::{Field, HeaderSection},
};

/// The field's value for one message, without folding.
///
/// Only names that are plain domain names are repeated; anything else a sender could have put there is left out.
#[must_use]
pub fn write(authserv_id: &str, envelope: &Envelope, author: &Author, results: &Authentication) -> String {
    let mut value = authserv_id.to_owned();
    let identity = if envelope.mail_from.is_empty() { "smtp.helo" } else { "smtp.mailfrom" };
    append(&mut value, "spf", results.spf.as_str(), &[(identity, &results.spf_domain)]);
    for signature in &results.dkim {
        let properties = [("header.d", &*signature.domain), ("header.s", &*signature.selector)];
        append(&mut value, "dkim", signature.result.as_str(), &properties);
    }
    if results.dkim.is_empty() {
        append(&mut value, "dkim", "none", &[]);
    }
    append(&mut value, "arc", results.arc.result.as_str(), &[]);
    append(&mut value, "dmarc", results.dmarc.result.as_str(), &[("header.from", &author.domain)]);
    value
}

/// The value for a message of which nothing is known (RFC 8601 §2.2).
#[must_use]
pub fn none(authserv_id: &str) -> String {
    format!("{authserv_id}; none")
}

/// The fields that carry our own authserv-id: nobody but us may write it (RFC 8601 §5).
pub fn forged<'s>(section: &'s HeaderSection<'_>, authserv_id: &str) -> impl Iterator<Item = &'s Field<'s>> {
    let fields = section.fields_named("Authentication-Results");
    fields.filter(move |field| authserv_id_of(&field.unfolded()).eq_ignore_ascii_case(authserv_id))
}

/// Makes a stored message the one that is delivered: with our field of this value on top, and without those that somebody else
/// wrote under the authserv-id in it. Linear in the message.
pub fn stamp(stored: &mut Vec<u8>, value: &str) {
    let section = HeaderSection::parse(stored);
    let mut header = format!("Authentication-Results: {}\r\n", value.replace("; ", ";\r\n ")).into_bytes();
    let mut kept = 0;
    for field in forged(&section, &authserv_id_of(value)) {
        header.extend_from_slice(&stored[kept..field.offset]);
        kept = field.end;
    }
    header.extend_from_slice(&stored[kept..section.body_offset]);
    let body_offset = section.body_offset;
    stored.splice(..body_offset, header);
}

fn append(value: &mut String, method: &str, result: &str, properties: &[(&str, &str)]) {
    let _ = write!(value, "; {method}={result}");
    for (name, domain) in properties.iter().filter(|(_, domain)| is_plain(domain)) {
        let _ = write!(value, " {name}={domain}");
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(plain)
}

/// The first word after white space and comments, which may be quoted (RFC 8601 §2.2).
fn authserv_id_of(value: &str) -> String {
    let value = without_leading_cfws(value);
    match value.strip_prefix('"') {
        Some(quoted) => {
            let (mut id, mut characters) = (String::new(), quoted.chars());
            while let Some(character) = characters.next().filter(|character| *character != '"') {
                let character = if character == '\\' { characters.next() } else { Some(character) };
                id.extend(character);
            }
            id
        }
        None => value
            .split(|c: char| matches!(c, ';' | '(') || c.is_ascii_whitespace())
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

fn without_leading_cfws(text: &str) -> &str {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if 0 < depth => escaped = true,
            '(' => depth += 1,
            ')' if 0 < depth => depth -= 1,
            _ if 0 < depth || character.is_ascii_whitespace() => {}
            _ => return &text[at..],
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authentication::{Arc, DkimResult, DkimSignature, Dmarc, DmarcPolicy, DmarcResult},
        spf::SpfResult,
    };
    use proptest::prelude::*;

    fn results(selector: &str) -> Authentication {
        let domain = "bank.example".to_owned();
        Authentication {
            spf: SpfResult::Pass,
            spf_domain: "mail.bank.example".to_owned(),
            dkim: vec![DkimSignature {
                domain,
                selector: selector.to_owned(),
                result: DkimResult::Pass,
                detail: String::new(),
                weak_key_bits: None,
                unsigned_fields: Vec::new(),
            }],
            ignored_signatures: 0,
            arc: Arc::default(),
            dmarc: Dmarc { result: DmarcResult::Pass, policy: Some(DmarcPolicy::Reject) },
        }
    }

    fn written(selector: &str) -> String {
        let envelope = Envelope::new([192, 0, 2, 1].into(), "mail.bank.example", "bounce@mail.bank.example", &[])
            .expect("within all bounds");
        let author = Author { display_name: None, local_part: "ann".to_owned(), domain: "bank.example".to_owned() };
        write("mx.example", &envelope, &author, &results(selector))
    }

    #[test]
    fn the_field_says_what_was_checked_and_for_whom() {
        assert_eq!(
            written("s1"),
            "mx.example; spf=pass smtp.mailfrom=mail.bank.example; dkim=pass header.d=bank.example header.s=s1; \
             arc=none; dmarc=pass header.from=bank.example"
        );
    }

    #[test]
    fn a_message_without_signatures_says_so() {
        let envelope = Envelope::new([192, 0, 2, 1].into(), "mail.bank.example", "", &[]).expect("within all bounds");
        let author = Author { display_name: None, local_part: "ann".to_owned(), domain: "bank.example".to_owned() };
        let unsigned = Authentication { dkim: Vec::new(), spf_domain: "mail.bank.example".to_owned(), ..results("s") };
        assert_eq!(
            write("mx.example", &envelope, &author, &unsigned),
            "mx.example; spf=pass smtp.helo=mail.bank.example; dkim=none; arc=none; dmarc=pass header.from=bank.example"
        );
    }

    #[test]
    fn a_selector_cannot_add_a_result() {
        assert!(!written("s; dmarc=pass header.from=victim.example").contains("victim"));
    }

    #[test]
    fn only_our_own_id_counts_as_forged_however_it_is_written() {
        for (value, is_ours) in [
            ("mx.example; dmarc=pass", true),
            ("MX.Example 1;\r\n spf=pass", true),
            ("(a (b) \\) mx.other;) mx.example; dmarc=pass", true),
            ("\r\n\t\"mx.exa\\mple\"; dmarc=pass", true),
            ("mx.example(1); dmarc=pass", true),
            ("mx.example", true),
            ("mx.example.org; dmarc=pass", false),
            ("(mx.example;) mx.other; dmarc=pass", false),
            ("\"mx.example; mx.other\"; dmarc=pass", false),
            ("(mx.example", false),
            ("", false),
        ] {
            let message = format!("Authentication-Results: {value}\r\n\r\n");
            let section = HeaderSection::parse(message.as_bytes());
            assert_eq!(forged(&section, "mx.example").count(), usize::from(is_ours), "{value:?}");
        }
    }

    #[test]
    fn a_delivered_message_has_our_results_on_top_and_none_that_pretend_to_be_ours() {
        let mut stored = b"Return-Path: <a@b.example>\r\nAuthentication-Results: mx.example;\r\n dmarc=pass\r\n\
            Authentication-Results: other.example; spf=pass\r\nauthentication-results : MX.example; x=y\r\n\r\nbody\r\n"
            .to_vec();
        stamp(&mut stored, "mx.example; spf=fail smtp.mailfrom=b.example; dmarc=fail");
        assert_eq!(
            String::from_utf8(stored).expect("text"),
            "Authentication-Results: mx.example;\r\n spf=fail smtp.mailfrom=b.example;\r\n dmarc=fail\r\n\
             Return-Path: <a@b.example>\r\nAuthentication-Results: other.example; spf=pass\r\n\r\nbody\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_a_panic(value in "[ \t()\\\\\";a-zé]{0,40}") {
            let _ = authserv_id_of(&value);
        }

        #[test]
        fn a_stamped_message_has_one_field_of_ours(before in "(Authentication-Results: (mx.example|x)[;a ]{0,4}\r\n){0,4}") {
            let mut stored = format!("{before}\r\nbody").into_bytes();
            stamp(&mut stored, "mx.example; spf=none");
            prop_assert_eq!(forged(&HeaderSection::parse(&stored), "mx.example").count(), 1);
        }
    }
}
