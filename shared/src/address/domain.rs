//! What follows the `@` when it is a name (RFC 5321 §4.1.2, RFC 5890).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Labels are at most this many octets (RFC 1035 §2.3.4).
const MAX_LABEL_OCTETS: usize = 63;
/// A name is at most this many octets in presentation form without the root dot (RFC 1035 §2.3.4).
const MAX_DOMAIN_OCTETS: usize = 253;
/// No text longer than this maps to a name of 253 octets: longer ones are refused before UTS 46 sees them.
const MAX_TEXT_OCTETS: usize = 1_000;

/// A domain name: lower-case A-labels of letters, digits and hyphens, no trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// The first thing that keeps a text from being a [`Domain`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// No text at all.
    #[error("the domain is empty")]
    Empty,
    /// A leading dot, or two in a row.
    #[error("a label of the domain is empty")]
    EmptyLabel,
    /// The root dot, which DNS allows and SMTP does not (RFC 5321 §2.3.5).
    #[error("the domain ends with a dot")]
    TrailingDot,
    /// Neither letter, digit, hyphen nor dot.
    #[error("{} is not allowed in a domain", .0.escape_unicode())]
    Character(char),
    /// A label begins or ends with a hyphen.
    #[error("a label of the domain begins or ends with a hyphen")]
    Hyphen,
    /// A label exceeds 63 octets as an A-label.
    #[error("a label of the domain is longer than 63 octets")]
    LabelTooLong,
    /// The name exceeds 253 octets as A-labels.
    #[error("the domain is longer than 253 octets")]
    TooLong,
    /// UTS 46 finds no valid U-label, or the A-label does not decode.
    #[error("a label of the domain is not a valid internationalized label")]
    Idn,
}

impl Domain {
    /// Maps (UTS 46, non-transitional, STD 3 rules) and checks a name.
    ///
    /// # Errors
    /// The first rule that the text breaks: characters before lengths.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        if text.len() > MAX_TEXT_OCTETS {
            return Err(DomainError::TooLong);
        }
        if is_plain(text) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let name = if text.is_ascii() { Cow::Owned(text.to_ascii_lowercase()) } else { to_a_labels(text)? };
        check_labels(&name)?;
        // ASCII text has not met UTS 46 yet; what claims to be an A-label has to decode.
        if text.is_ascii() && name.split('.').any(is_a_label) {
            to_a_labels(&name)?;
        }
        Ok(Self(name.into_owned()))
    }

    /// The A-label form, as it goes into DNS and onto the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The U-label form, for people to read.
    #[must_use]
    pub fn unicode(&self) -> Cow<'_, str> {
        if !self.labels().any(is_a_label) {
            return Cow::Borrowed(&self.0);
        }
        Uts46::new().to_unicode(self.0.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast).0
    }

    /// The labels from left to right, as A-labels.
    #[must_use]
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// The last label.
    #[must_use]
    pub fn top_level(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// The name itself, then each parent, the top-level domain last.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |name| name.split_once('.').map(|(_, parent)| parent))
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is nothing but ASCII labels, none of them an A-label, in one pass; `false` leaves the why to the rules
/// below.
fn is_plain(text: &str) -> bool {
    let (mut label, mut previous) = (0, b'.');
    for octet in text.bytes() {
        let is_label_start = label == 0;
        match octet {
            b'.' if is_label_start || previous == b'-' => return false,
            b'.' => label = 0,
            // Two hyphens in a row may be those of an A-label.
            b'-' if is_label_start || previous == b'-' => return false,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' if label < MAX_LABEL_OCTETS => label += 1,
            _ => return false,
        }
        previous = octet;
    }
    text.len() <= MAX_DOMAIN_OCTETS && previous != b'.' && previous != b'-'
}

fn to_a_labels(text: &str) -> Result<Cow<'_, str>, DomainError> {
    Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| DomainError::Idn)
}

fn is_a_label(label: &str) -> bool {
    label.starts_with("xn--")
}

/// Expects lower-case ASCII.
fn check_labels(name: &str) -> Result<(), DomainError> {
    let is_ldh = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    if let Some(stray) = name.bytes().find(|&byte| !is_ldh(byte)) {
        return Err(DomainError::Character(char::from(stray)));
    }
    if name.len() > 1 && name.ends_with('.') && !name.ends_with("..") {
        return Err(DomainError::TrailingDot);
    }
    name.split('.').try_for_each(check_label)?;
    if name.len() > MAX_DOMAIN_OCTETS { Err(DomainError::TooLong) } else { Ok(()) }
}

fn check_label(label: &str) -> Result<(), DomainError> {
    match label.len() {
        0 => Err(DomainError::EmptyLabel),
        octets if octets > MAX_LABEL_OCTETS => Err(DomainError::LabelTooLong),
        _ if label.starts_with('-') || label.ends_with('-') => Err(DomainError::Hyphen),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_domain_is_kept_as_lower_case_a_labels() {
        for (text, name, unicode) in [
            ("Example.COM", "example.com", "example.com"),
            ("bücher.example", "xn--bcher-kva.example", "bücher.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example", "bücher.example"),
            ("faß.example", "xn--fa-hia.example", "faß.example"),
            ("ｇｍａｉｌ．com", "gmail.com", "gmail.com"),
            ("例え。jp", "xn--r8jz45g.jp", "例え.jp"),
            ("localhost", "localhost", "localhost"),
        ] {
            let domain = Domain::parse(text).expect(text);
            assert_eq!((domain.as_str(), domain.unicode().as_ref()), (name, unicode), "{text}");
        }
    }

    #[test]
    fn a_broken_domain_names_the_rule_it_breaks() {
        let long_label = "a".repeat(64) + ".com";
        let long_name = ["a".repeat(63).as_str(); 4].join(".");
        for (text, expected) in [
            ("", DomainError::Empty),
            (".com", DomainError::EmptyLabel),
            (".", DomainError::EmptyLabel),
            ("a..com", DomainError::EmptyLabel),
            ("example.com.", DomainError::TrailingDot),
            ("a_b.com", DomainError::Character('_')),
            ("a b.com", DomainError::Character(' ')),
            ("a@b.com", DomainError::Character('@')),
            ("-a.com", DomainError::Hyphen),
            ("a-.com", DomainError::Hyphen),
            ("\u{ff0d}a.com", DomainError::Idn),
            (long_label.as_str(), DomainError::LabelTooLong),
            (long_name.as_str(), DomainError::TooLong),
            ("xn--example.com", DomainError::Idn),
            ("\u{200b}.com", DomainError::EmptyLabel),
            ("a\u{2488}com", DomainError::Idn),
        ] {
            assert_eq!(Domain::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_longest_allowed_name_parses() {
        let name = [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(61)].map(String::as_str).join(".");
        assert_eq!(name.len(), 253);
        assert_eq!(Domain::parse(&name).map(|domain| domain.to_string()), Ok(name));
    }

    #[test]
    fn ancestors_run_from_the_name_to_its_top_level() {
        let domain = Domain::parse("a.b.example").expect("a valid name");
        assert_eq!(domain.ancestors().collect::<Vec<_>>(), ["a.b.example", "b.example", "example"]);
        assert_eq!(domain.top_level(), "example");
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_rules(text in "[a-zA-Z0-9.-]{1,12}|([a-z0-9-]{0,70}\\.){1,5}[a-z]{0,3}") {
            if is_plain(&text) {
                prop_assert_eq!(check_labels(&text.to_ascii_lowercase()), Ok(()));
                prop_assert!(!text.to_ascii_lowercase().split('.').any(is_a_label));
            }
        }
    }
}
