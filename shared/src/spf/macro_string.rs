//! Macros (RFC 7208 §7): parsed once, expanded where they are used.

use super::{
    name::{dotted, reverse_zone},
    session::Identity,
};

/// Parts beyond this are refused. A name of 253 octets has no use for them, and each may stand for a long text.
const MAX_PARTS: usize = 500;

/// Where the text of a macro can be divided.
const DELIMITERS: &str = ".-+,/_=";

/// Text with macros in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroString {
    parts: Vec<Part>,
}

/// The first thing that keeps a text from being a [`MacroString`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MacroError {
    #[error("a domain is missing")]
    Empty,
    #[error("{} is not allowed here", .0.escape_unicode())]
    Character(char),
    #[error("a percent sign begins no macro")]
    Percent,
    #[error("there is no such macro")]
    Macro,
    #[error("the macros c, r and t are for explanations only")]
    ExplanationOnly,
    #[error("a name ends with a macro or with a dot and a top-level domain that is not all digits")]
    DomainEnd,
    #[error("there are too many macros")]
    TooMany,
}

/// What the macro letters stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'v> {
    pub(super) identity: &'v Identity,
    /// The domain whose policy is being evaluated.
    pub(super) domain: &'v str,
    /// `unknown` without one.
    pub(super) validated_name: &'v str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `%%`, `%_` and `%-`.
    Escape(&'static str),
    Macro(Macro),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro {
    letter: Letter,
    is_url_escaped: bool,
    /// So many of the right-hand parts stay.
    kept: usize,
    is_reversed: bool,
    /// Each at most once.
    delimiters: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Ip,
    ValidatedName,
    IpVersion,
    Helo,
    ReadableIp,
    Receiver,
    Time,
}

impl MacroString {
    /// A `domain-spec`: a `macro-string` that ends like a name.
    ///
    /// # Errors
    /// What breaks the grammar of RFC 7208 §7.1, or its limit on `c`, `r` and `t` in §7.2.
    pub fn domain_spec(text: &str) -> Result<Self, MacroError> {
        let spec = Self::modifier_value(text)?;
        match spec.parts.last() {
            None => Err(MacroError::Empty),
            Some(Part::Literal(end)) if !has_top_label(end) => Err(MacroError::DomainEnd),
            Some(_) => Ok(spec),
        }
    }

    /// The `macro-string` of an unknown modifier.
    ///
    /// # Errors
    /// As [`Self::domain_spec`], without its end.
    pub fn modifier_value(text: &str) -> Result<Self, MacroError> {
        if text.contains(' ') {
            return Err(MacroError::Character(' '));
        }
        let value = Self::explain_string(text)?;
        if value.parts.iter().any(Part::is_for_explanations) { Err(MacroError::ExplanationOnly) } else { Ok(value) }
    }

    /// An `explain-string` (RFC 7208 §6.2).
    ///
    /// # Errors
    /// What breaks the grammar of RFC 7208 §7.1.
    pub fn explain_string(text: &str) -> Result<Self, MacroError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            if parts.len() == MAX_PARTS {
                return Err(MacroError::TooMany);
            }
            let (part, after) = Part::parse(rest)?;
            parts.push(part);
            rest = after;
        }
        Ok(Self { parts })
    }

    /// The text that it always expands to; `None` when that depends on the message.
    pub(crate) fn literal(&self) -> Option<String> {
        self.parts.iter().map(Part::literal).collect()
    }

    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        self.parts.iter().fold(String::new(), |expansion, part| expansion + &part.expand(values))
    }

    /// Whether DNS has to be asked for the client's name before the expansion.
    pub(super) fn needs_validated_name(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Macro(found) if found.letter == Letter::ValidatedName))
    }
}

impl Part {
    /// The first part of the text, and what follows it. The text is not empty.
    fn parse(text: &str) -> Result<(Self, &str), MacroError> {
        let Some(escape) = text.strip_prefix('%') else { return Self::parse_literal(text) };
        let (Some(kind), rest) = (escape.chars().next(), escape.get(1..).unwrap_or_default()) else {
            return Err(MacroError::Percent);
        };
        match kind {
            '%' => Ok((Self::Escape("%"), rest)),
            '_' => Ok((Self::Escape(" "), rest)),
            '-' => Ok((Self::Escape("%20"), rest)),
            '{' => {
                let (body, rest) = rest.split_once('}').ok_or(MacroError::Macro)?;
                Ok((Self::Macro(Macro::parse(body)?), rest))
            }
            _ => Err(MacroError::Percent),
        }
    }

    fn parse_literal(text: &str) -> Result<(Self, &str), MacroError> {
        let (literal, rest) = text.split_at(text.find('%').unwrap_or(text.len()));
        match literal.chars().find(|character| !matches!(character, ' '..='~')) {
            Some(stray) => Err(MacroError::Character(stray)),
            None => Ok((Self::Literal(literal.to_owned()), rest)),
        }
    }

    fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Escape(text) => Some(text),
            Self::Macro(_) => None,
        }
    }

    fn is_for_explanations(&self) -> bool {
        let Self::Macro(found) = self else { return false };
        matches!(found.letter, Letter::ReadableIp | Letter::Receiver | Letter::Time)
    }

    fn expand(&self, values: &Values<'_>) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Escape(text) => (*text).to_owned(),
            Self::Macro(found) => found.expand(values),
        }
    }
}

impl Macro {
    /// What is between the braces: a letter, transformers, delimiters.
    fn parse(body: &str) -> Result<Self, MacroError> {
        let mut characters = body.chars();
        let letter = characters.next().ok_or(MacroError::Macro)?;
        let transformers = characters.as_str();
        let after_digits = transformers.trim_start_matches(|character: char| character.is_ascii_digit());
        let (digits, _) = transformers.split_at(transformers.len() - after_digits.len());
        let delimiters = after_digits.strip_prefix(['r', 'R']);
        let given = delimiters.unwrap_or(after_digits);
        if !given.chars().all(|character| DELIMITERS.contains(character)) {
            return Err(MacroError::Macro);
        }
        Ok(Self {
            letter: Letter::parse(letter.to_ascii_lowercase()).ok_or(MacroError::Macro)?,
            is_url_escaped: letter.is_ascii_uppercase(),
            kept: parse_kept(digits).ok_or(MacroError::Macro)?,
            is_reversed: delimiters.is_some(),
            delimiters: DELIMITERS.chars().filter(|delimiter| given.contains(*delimiter)).collect(),
        })
    }

    fn expand(&self, values: &Values<'_>) -> String {
        let text = self.transform(&self.letter.value(values));
        if self.is_url_escaped { url_escape(&text) } else { text }
    }

    /// RFC 7208 §7.3: divide, reverse, keep the right-hand parts, join with dots.
    fn transform(&self, value: &str) -> String {
        let delimiters = if self.delimiters.is_empty() { "." } else { &self.delimiters };
        let mut parts: Vec<&str> = value.split(|character| delimiters.contains(character)).collect();
        if self.is_reversed {
            parts.reverse();
        }
        parts.drain(..parts.len().saturating_sub(self.kept));
        parts.join(".")
    }
}

impl Letter {
    /// Expects lower case.
    fn parse(letter: char) -> Option<Self> {
        Some(match letter {
            's' => Self::Sender,
            'l' => Self::LocalPart,
            'o' => Self::SenderDomain,
            'd' => Self::Domain,
            'i' => Self::Ip,
            'p' => Self::ValidatedName,
            'v' => Self::IpVersion,
            'h' => Self::Helo,
            'c' => Self::ReadableIp,
            'r' => Self::Receiver,
            't' => Self::Time,
            _ => return None,
        })
    }

    fn value(self, values: &Values<'_>) -> String {
        let identity = values.identity;
        match self {
            Self::Sender => format!("{}@{}", identity.local_part, identity.domain),
            Self::LocalPart => identity.local_part.clone(),
            Self::SenderDomain => identity.domain.clone(),
            Self::Domain => values.domain.to_owned(),
            Self::Ip => dotted(identity.client_ip),
            Self::ValidatedName => values.validated_name.to_owned(),
            Self::IpVersion => reverse_zone(identity.client_ip).to_owned(),
            Self::Helo => identity.helo.clone(),
            Self::ReadableIp => identity.client_ip.to_string(),
            Self::Receiver => identity.receiver.clone(),
            Self::Time => identity.unix_s.to_string(),
        }
    }
}

/// `None` for zero. More parts than can be counted are all of them.
fn parse_kept(digits: &str) -> Option<usize> {
    let is_zero = !digits.is_empty() && digits.bytes().all(|digit| digit == b'0');
    (!is_zero).then(|| digits.parse().unwrap_or(usize::MAX))
}

/// Everything but `unreserved` of RFC 3986 §2.3.
fn url_escape(text: &str) -> String {
    let is_unreserved = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
    let escaped = |octet| if is_unreserved(octet) { char::from(octet).into() } else { format!("%{octet:02X}") };
    text.bytes().map(escaped).collect()
}

/// Whether a text ends with `"." toplabel [ "." ]`. Macros do not count: what they become is not known yet.
fn has_top_label(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let Some((_, label)) = name.rsplit_once('.') else { return false };
    let is_ldh = label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let is_numeric = label.bytes().all(|octet| octet.is_ascii_digit());
    is_ldh && !is_numeric && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{super::session::Session, *};

    fn expand(text: &str, client_ip: &str) -> String {
        let identity = Identity::of(&Session {
            client_ip: client_ip.parse().expect("an address"),
            helo: "mx.example.org",
            mail_from: "strong-bad@email.example.com",
            receiver: "",
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        });
        let values = Values { identity: &identity, domain: "email.example.com", validated_name: "unknown" };
        MacroString::explain_string(text).expect(text).expand(&values)
    }

    #[test]
    fn macros_expand_as_in_the_examples_of_rfc_7208_section_7_4() {
        for (text, expansion) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ] {
            assert_eq!(expand(text, "192.0.2.3"), expansion, "{text}");
        }
        let nibbles = "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2";
        assert_eq!(expand("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01"), format!("{nibbles}.ip6._spf.example.com"));
    }

    #[test]
    fn every_letter_and_escape_has_its_text() {
        for (text, expansion) in [
            ("%{h} %{p} %{r} %{t}", "mx.example.org unknown unknown 1700000000"),
            ("%{c} %{i}", "192.0.2.3 192.0.2.3"),
            ("%%%_%-", "% %20"),
            ("%{S}", "strong-bad%40email.example.com"),
            ("%{D0000002R}", "example.email"),
            ("%{d99999999999999999999999999}", "email.example.com"),
            ("%{l.-+,/_=}", "strong.bad"),
            ("%{l--}", "strong.bad"),
        ] {
            assert_eq!(expand(text, "192.0.2.3"), expansion, "{text}");
        }
        assert_eq!(expand("%{c}", "2001:DB8::1"), "2001:db8::1");
        assert_eq!(expand("%{c}", "::ffff:192.0.2.3"), "192.0.2.3");
    }

    #[test]
    fn a_text_that_is_no_domain_spec_names_the_rule_it_breaks() {
        let many = "%{d}".repeat(501);
        for (text, error) in [
            ("", MacroError::Empty),
            ("museum", MacroError::DomainEnd),
            ("museum.", MacroError::DomainEnd),
            ("foo-bar", MacroError::DomainEnd),
            ("abc.123", MacroError::DomainEnd),
            ("192.0.2.1", MacroError::DomainEnd),
            ("example.-com", MacroError::DomainEnd),
            ("example.com-", MacroError::DomainEnd),
            ("example.com:8080", MacroError::DomainEnd),
            ("example.com/24", MacroError::DomainEnd),
            ("example.com..", MacroError::DomainEnd),
            ("%{d}com", MacroError::DomainEnd),
            ("a b.example", MacroError::Character(' ')),
            ("a\tb.example", MacroError::Character('\t')),
            ("example.com\0", MacroError::Character('\0')),
            ("b\u{fc}cher.example", MacroError::Character('\u{fc}')),
            ("%(ir).example", MacroError::Percent),
            ("100%.example", MacroError::Percent),
            ("%", MacroError::Percent),
            ("%\u{fc}", MacroError::Percent),
            ("%{}", MacroError::Macro),
            ("%{d", MacroError::Macro),
            ("%{x}", MacroError::Macro),
            ("%{\u{fc}}", MacroError::Macro),
            ("%{d0}", MacroError::Macro),
            ("%{dr2}", MacroError::Macro),
            ("%{d*}", MacroError::Macro),
            ("%{c}.example", MacroError::ExplanationOnly),
            ("%{R}.example", MacroError::ExplanationOnly),
            ("%{t}", MacroError::ExplanationOnly),
            (many.as_str(), MacroError::TooMany),
        ] {
            assert_eq!(MacroString::domain_spec(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_domain_spec_ends_with_a_macro_or_a_top_level_domain() {
        for text in [
            "example.com",
            "example.com.",
            "foo.example.xn--zckzah",
            "%{d}",
            "a%%",
            "%{i}.b3.0a",
            "foo:bar/baz.example",
        ] {
            assert!(MacroString::domain_spec(text).is_ok(), "{text}");
        }
    }
}
