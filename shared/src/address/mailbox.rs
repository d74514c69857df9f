//! A local-part and a domain: what RFC 5321 §4.1.2 calls a `Mailbox`.

use std::fmt;

use super::provider;
use super::{Domain, DomainError, LocalPart, LocalPartError};

/// A forward path is at most 256 octets with its angle brackets (RFC 5321 §4.5.3.1.3, erratum 1690).
const MAX_MAILBOX_OCTETS: usize = 254;

/// An address that a message can be sent to. `Display` writes the normalized form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    /// What the mail host interprets.
    pub local_part: LocalPart,
    /// Where the mail host is found.
    pub domain: Domain,
}

/// The first thing that keeps a text from being a [`Mailbox`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// There is no `@` outside quotes.
    #[error("there is no @")]
    MissingAtSign,
    /// See the source.
    #[error(transparent)]
    LocalPart(#[from] LocalPartError),
    /// See the source; an address literal is not a domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// More than 254 octets.
    #[error("the address is longer than 254 octets")]
    TooLong,
}

impl Mailbox {
    /// Reads `local-part@domain`, nothing around it.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, MailboxError> {
        let (local_part, domain) = split(text).ok_or(MailboxError::MissingAtSign)?;
        let mailbox = Self::new(LocalPart::parse(local_part)?, Domain::parse(domain)?)?;
        if exceeds_limit(local_part.len(), &mailbox.domain) { Err(MailboxError::TooLong) } else { Ok(mailbox) }
    }

    /// Joins the two parts.
    ///
    /// # Errors
    /// [`MailboxError::TooLong`] when they exceed 254 octets together.
    pub fn new(local_part: LocalPart, domain: Domain) -> Result<Self, MailboxError> {
        let too_long = exceeds_limit(local_part.wire_octets(), &domain);
        if too_long { Err(MailboxError::TooLong) } else { Ok(Self { local_part, domain }) }
    }

    /// Whether a message to it needs the SMTPUTF8 extension (RFC 6531 §3.2); an internationalized domain alone does not.
    #[must_use]
    pub fn requires_smtputf8(&self) -> bool {
        !self.local_part.content().is_ascii()
    }

    /// The form to store and to send to, which `Display` writes too.
    #[must_use]
    pub fn normalized(&self) -> String {
        if self.local_part.needs_quotes() {
            return self.to_string();
        }
        [self.local_part.content(), "@", self.domain.as_str()].concat()
    }

    /// A key under which two addresses of the same person at the same provider compare equal; not for sending to.
    ///
    /// The local-part is lower-cased always. Dots, tags and second names of a domain are removed only where the
    /// provider is known to ignore them.
    #[must_use]
    pub fn canonical(&self) -> String {
        provider::canonical(self)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.local_part.fmt(f)?;
        f.write_str("@")?;
        f.write_str(self.domain.as_str())
    }
}

/// Whether a local-part of so many octets and a domain are too long together.
pub(super) fn exceeds_limit(local_part_octets: usize, domain: &Domain) -> bool {
    local_part_octets + 1 + domain.as_str().len() > MAX_MAILBOX_OCTETS
}

/// Splits at the first `@` outside quotes, or at the last one when a quote is never closed.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'@' if !quoted => return Some((text.get(..index)?, text.get(index + 1..)?)),
            _ => {}
        }
    }
    text.rsplit_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_at_sign_is_the_first_one_outside_quotes() {
        for (text, expected) in [
            ("a@b", Some(("a", "b"))),
            ("a@b@c", Some(("a", "b@c"))),
            (r#""a@b"@c"#, Some((r#""a@b""#, "c"))),
            (r#""a\"@b"@c"#, Some((r#""a\"@b""#, "c"))),
            (r#""a@b"#, Some((r#""a"#, "b"))),
            ("@", Some(("", ""))),
            ("ab", None),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn the_whole_mailbox_has_at_most_254_octets() {
        let domain = ["d".repeat(63).as_str(), "e".repeat(63).as_str(), "f".repeat(61).as_str()].join(".");
        assert_eq!(domain.len(), 189);
        assert_eq!(Mailbox::parse(&format!("{}@{domain}", "a".repeat(64))).map(|m| m.to_string().len()), Ok(254));
        assert_eq!(Mailbox::parse(&format!("{}@{domain}x", "a".repeat(64))), Err(MailboxError::TooLong));
    }

    #[test]
    fn only_a_local_part_beyond_ascii_requires_smtputf8() {
        for (text, expected) in [("ann@bücher.example", false), ("änne@example.com", true), ("ann@example.com", false)]
        {
            assert_eq!(Mailbox::parse(text).map(|mailbox| mailbox.requires_smtputf8()), Ok(expected), "{text}");
        }
    }
}
