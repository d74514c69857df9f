//! The `Authentication-Results` field (RFC 8601): writing ours, and recognising one that pretends to be.

use std::fmt::Write;

use crate::{authentication::Authentication, author::Author, envelope::Envelope, header_section::HeaderSection};

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

/// How many fields below the trust boundary carry our own authserv-id: nobody but us may write it (RFC 8601 §5).
#[must_use]
pub fn count_forged(section: &HeaderSection<'_>, authserv_id: &str) -> usize {
    let fields = section.fields_named("authentication-results");
    fields.filter(|field| starts_with_id(&field.unfolded(), authserv_id)).count()
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

fn starts_with_id(value: &str, authserv_id: &str) -> bool {
    let id = value.trim_start().split(|c: char| c == ';' || c.is_ascii_whitespace()).next();
    id.is_some_and(|id| id.eq_ignore_ascii_case(authserv_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authentication::{Arc, DkimResult, DkimSignature, Dmarc, DmarcPolicy, DmarcResult},
        spf::SpfResult,
    };

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
    fn a_selector_cannot_add_a_result() {
        assert!(!written("s; dmarc=pass header.from=victim.example").contains("victim"));
    }

    #[test]
    fn only_our_own_id_counts_as_forged() {
        let message =
            b"Authentication-Results: mx.example; dmarc=pass\r\nAuthentication-Results: MX.Example 1;\r\n spf=pass\r\n\
            Authentication-Results: mx.example.org; spf=pass\r\n\r\n";
        assert_eq!(count_forged(&HeaderSection::parse(message), "mx.example"), 2);
    }
}
