//! Who is to get DMARC reports, and whether a stranger among them agreed to it (RFC 9990 §4).

use crate::{address::Domain, dmarc::tags, spf::is_at_or_under};

/// Domains that are asked about; a record with more is rare, and none of the others is accused.
pub(super) const MAX_ASKED: usize = 4;
/// Recipients that are read.
const MAX_RECIPIENTS: usize = 50;

/// One item of `rua` or `ruf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    /// As written, without white space around it.
    pub(super) uri: String,
    /// Of the mailbox; `None` when it is no mailto URI with one.
    pub(super) domain: Option<Domain>,
}

/// The items of the value of a tag.
fn recipients(value: &[u8]) -> Vec<Recipient> {
    let text = String::from_utf8_lossy(value);
    let items = text.split(',').take(MAX_RECIPIENTS).map(str::trim);
    items.map(|uri| Recipient { uri: uri.to_owned(), domain: mailbox_domain(uri) }).collect()
}

/// The items of a tag of a DMARC record; none for one that cannot be read.
pub(super) fn reported_to(text: &[u8], tag: &str) -> Vec<Recipient> {
    tags(text).ok().and_then(|tags| tags.get(tag).map(|value| recipients(value))).unwrap_or_default()
}

/// The domains of the recipients, each once.
pub(super) fn domains(recipients: &[Recipient]) -> Vec<&str> {
    let mut domains = Vec::new();
    for domain in recipients.iter().filter_map(|recipient| recipient.domain.as_ref()).map(Domain::as_str) {
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    domains.truncate(MAX_ASKED);
    domains
}

/// Those of the domains that have to agree before reports go there: outside of the organizational domain.
pub(super) fn strangers<'r>(recipients: &'r [Recipient], organization: &str) -> Vec<&'r str> {
    let mut domains = domains(recipients);
    domains.retain(|domain| !is_at_or_under(domain, organization));
    domains
}

/// Where a stranger agrees.
pub(super) fn consent_name(policy_domain: &str, stranger: &str) -> String {
    format!("{policy_domain}._report._dmarc.{stranger}")
}

/// `mailto:` and a mailbox; a size limit after `!` is an old form (RFC 7489 §6.2).
fn mailbox_domain(uri: &str) -> Option<Domain> {
    let (scheme, rest) = uri.split_once(':')?;
    let mailbox = rest.split(['?', '!']).next()?;
    let (local_part, domain) = mailbox.rsplit_once('@')?;
    let is_mailbox = scheme.eq_ignore_ascii_case("mailto") && !local_part.is_empty();
    Domain::parse(domain).ok().filter(|_| is_mailbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_a_mailto_uri_with_a_mailbox() {
        for (uri, expected) in [
            ("mailto:a@x.example", Some("x.example")),
            ("MAILTO:a@X.example", Some("x.example")),
            ("mailto:a@x.example!10m", Some("x.example")),
            ("mailto:a@x.example?subject=b", Some("x.example")),
            ("mailto:x.example", None),
            ("mailto:@x.example", None),
            ("a@x.example", None),
            ("https://x.example/", None),
            ("mailto:a@x..example", None),
            ("", None),
        ] {
            let [recipient] = recipients(uri.as_bytes()).try_into().expect("one");
            assert_eq!(recipient.domain.as_ref().map(Domain::as_str), expected, "{uri}");
        }
    }

    #[test]
    fn strangers_are_outside_of_the_organizational_domain_each_once_and_not_many() {
        let list = "mailto:a@x.example, mailto:b@m.x.example,mailto:c@y.example,mailto:d@y.example,nobody";
        assert_eq!(strangers(&recipients(list.as_bytes()), "x.example"), ["y.example"]);
        let many: Vec<String> = (0..900).map(|n| format!("mailto:a@y{n}.example")).collect();
        assert_eq!(strangers(&recipients(many.join(",").as_bytes()), "x.example").len(), MAX_ASKED);
    }
}
