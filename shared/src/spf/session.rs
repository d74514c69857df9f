//! What is known of an SMTP session, and whose policy it makes us ask for.

use std::{borrow::Cow, net::IpAddr, time::SystemTime};

use super::name::{is_nameable, without_root_dot};
use crate::address::Domain;

/// Longer identities are malformed. An SMTP command line has at most 512 octets (RFC 5321 §4.5.3.1.4).
const MAX_IDENTITY_OCTETS: usize = 1_000;

/// One SMTP session at MAIL FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session<'s> {
    pub client_ip: IpAddr,
    /// What the client said in HELO or EHLO.
    pub helo: &'s str,
    /// The envelope sender without angle brackets. Empty for the null reverse-path, which checks `postmaster@HELO`.
    pub mail_from: &'s str,
    /// Who receives, for the macro `r`; empty when unknown.
    pub receiver: &'s str,
    /// For the macro `t`.
    pub now: SystemTime,
}

impl Session<'_> {
    /// The domain whose policy is asked for: lower-case A-labels, or as it was given when it is no domain.
    #[must_use]
    pub fn domain(&self) -> String {
        Identity::of(self).domain.to_ascii_lowercase()
    }
}

/// The session in the form in which macros want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Never an IPv4-mapped IPv6 address: the session is one over IPv4 then (RFC 7208 §5).
    pub(super) client_ip: IpAddr,
    pub(super) local_part: String,
    /// A-labels without trailing dot, unless it is no domain.
    pub(super) domain: String,
    pub(super) helo: String,
    pub(super) receiver: String,
    pub(super) unix_s: u64,
}

impl Identity {
    /// RFC 7208 §2.4 and §4.3; U-labels become A-labels (RFC 8616 §4).
    pub(super) fn of(session: &Session<'_>) -> Self {
        let Session { client_ip, helo, mail_from, receiver, now } = *session;
        let sender = mail_from.rsplit_once('@').unwrap_or(("", mail_from));
        let (local_part, domain) = if mail_from.is_empty() { ("", helo) } else { sender };
        Self {
            client_ip: client_ip.to_canonical(),
            local_part: or(local_part, "postmaster").to_owned(),
            domain: a_labels(domain).into_owned(),
            helo: a_labels(helo).into_owned(),
            receiver: or(receiver, "unknown").to_owned(),
            unix_s: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        }
    }

    /// Whether there is a domain that could have a policy, and nothing that the client said is absurdly long.
    pub(super) fn is_checkable(&self) -> bool {
        let texts = [&self.local_part, &self.domain, &self.helo];
        texts.into_iter().all(|text| text.len() <= MAX_IDENTITY_OCTETS) && is_domain(&self.domain)
    }
}

/// More than one label, of letters, digits, hyphens and underscores: no address literal, nothing that cannot be asked for.
fn is_domain(text: &str) -> bool {
    let is_expected = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    text.contains('.') && text.bytes().all(is_expected) && is_nameable(text)
}

fn a_labels(domain: &str) -> Cow<'_, str> {
    let domain = without_root_dot(domain);
    if domain.is_ascii() {
        return Cow::Borrowed(domain);
    }
    Domain::parse(domain).map_or(Cow::Borrowed(domain), |mapped| Cow::Owned(mapped.as_str().to_owned()))
}

fn or<'t>(text: &'t str, default: &'t str) -> &'t str {
    if text.is_empty() { default } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(helo: &str, mail_from: &str) -> Identity {
        let client_ip = "192.0.2.1".parse().expect("an address");
        Identity::of(&Session { client_ip, helo, mail_from, receiver: "", now: SystemTime::UNIX_EPOCH })
    }

    #[test]
    fn the_envelope_sender_is_checked_and_helo_when_there_is_none() {
        for (helo, mail_from, local_part, domain) in [
            ("mail.example.net", "ann@example.com", "ann", "example.com"),
            ("mail.example.net", "\"a@b\"@example.com", "\"a@b\"", "example.com"),
            ("mail.example.net", "@example.com", "postmaster", "example.com"),
            ("mail.example.net", "example.com", "postmaster", "example.com"),
            ("mail.example.net", "", "postmaster", "mail.example.net"),
            ("mail.example.net.", "", "postmaster", "mail.example.net"),
            ("mail.example.net", "ann@B\u{fc}cher.example", "ann", "xn--bcher-kva.example"),
        ] {
            let identity = identity(helo, mail_from);
            assert_eq!((identity.local_part.as_str(), identity.domain.as_str()), (local_part, domain), "{mail_from:?}");
            assert!(identity.is_checkable(), "{mail_from:?}");
        }
    }

    #[test]
    fn a_malformed_domain_a_single_label_and_a_literal_cannot_be_checked() {
        let long_label = "ann@".to_owned() + &"a".repeat(64) + ".example";
        let long_name = "ann@".to_owned() + &"a.".repeat(127) + "example";
        let long_local_part = "a".repeat(1_001) + "@example.com";
        for mail_from in [
            "ann@localhost",
            "ann@[192.0.2.1]",
            "ann@[IPv6:2001:db8::1]",
            "ann@a..example",
            "ann@.example",
            "ann@a.example..",
            "ann@a b.example",
            "ann@\u{2488}com",
            "ann@",
            long_label.as_str(),
            long_name.as_str(),
            long_local_part.as_str(),
        ] {
            assert!(!identity("mail.example.net", mail_from).is_checkable(), "{mail_from:?}");
        }
    }

    #[test]
    fn an_ipv4_mapped_address_is_an_ipv4_address() {
        let client_ip = "::ffff:192.0.2.1".parse().expect("an address");
        let now = SystemTime::UNIX_EPOCH;
        let identity = Identity::of(&Session { client_ip, helo: "", mail_from: "", receiver: "", now });
        assert_eq!(identity.client_ip.to_string(), "192.0.2.1");
    }
}
