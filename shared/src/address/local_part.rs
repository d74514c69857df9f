//! What precedes the `@` (RFC 5321 §4.1.2 `Local-part`, RFC 6531 §3.3).

use std::borrow::Cow;
use std::fmt::{self, Write};

use icu_normalizer::ComposingNormalizerBorrowed;

use super::injection;

/// A local-part is at most this many octets of UTF-8, written and normalized (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART_OCTETS: usize = 64;

/// A local-part by meaning: unquoted, in Normalization Form C. `Display` quotes it again where it has to be.
///
/// `"joe"@example.com` and `joe@example.com` are one mailbox (RFC 5321 §4.1.2), so they are one value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart {
    content: String,
    /// Follows from the content; kept because every use asks for it.
    needs_quotes: bool,
}

/// The first thing that keeps a text from being a [`LocalPart`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalPartError {
    /// No text at all.
    #[error("the local-part is empty")]
    Empty,
    /// More than 64 octets as it would be sent.
    #[error("the local-part is longer than 64 octets")]
    TooLong,
    /// A leading or trailing dot, or two in a row.
    #[error("a dot of the local-part has nothing beside it")]
    MisplacedDot,
    /// A character that is not `atext`, or not allowed inside quotes.
    #[error("{} is not allowed in a local-part", .0.escape_unicode())]
    Character(char),
    /// No closing quote, or text after it.
    #[error("the quoted local-part is not closed at its end")]
    MalformedQuotedString,
    /// Words of which some are quoted, joined by dots (RFC 5322 §4.4).
    #[error("the local-part joins quoted words with dots")]
    Obsolete,
}

impl LocalPart {
    /// Reads a `Dot-string` or a `Quoted-string`.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, LocalPartError> {
        let local_part = match text.strip_prefix('"') {
            Some(rest) => Self::quoted(&unquote(rest)?),
            None => Self::dot_string(text)?,
        };
        // As written too: either form may be sent.
        if text.len().max(local_part.wire_octets()) > MAX_LOCAL_PART_OCTETS {
            return Err(LocalPartError::TooLong);
        }
        Ok(local_part)
    }

    /// The meaning, without quotes and backslashes.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Whether SMTP needs quotes to carry it.
    #[must_use]
    pub const fn needs_quotes(&self) -> bool {
        self.needs_quotes
    }

    /// Octets of the form that `Display` writes.
    #[must_use]
    pub fn wire_octets(&self) -> usize {
        if !self.needs_quotes {
            return self.content.len();
        }
        let escapes = self.content.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.content.len() + escapes + 2
    }

    fn dot_string(text: &str) -> Result<Self, LocalPartError> {
        check_dot_string(text)?;
        let content = to_nfc(text);
        // Composition can turn a letter into a special: U+037E becomes a semicolon.
        if !text.is_ascii() {
            check_dot_string(&content)?;
        }
        Ok(Self { content: content.into_owned(), needs_quotes: false })
    }

    fn quoted(unquoted: &str) -> Self {
        let content = to_nfc(unquoted).into_owned();
        Self { needs_quotes: check_dot_string(&content).is_err(), content }
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.needs_quotes {
            return f.write_str(&self.content);
        }
        f.write_char('"')?;
        for c in self.content.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// `atext` of RFC 5322 §3.2.3, by octet.
#[expect(clippy::indexing_slicing, reason = "filled at compile time, where a wrong place is an error of the build")]
const ATEXT: [bool; 128] = {
    let mut table = [false; 128];
    let mut rest = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~".as_slice();
    while let [octet, tail @ ..] = rest {
        table[*octet as usize] = true;
        rest = tail;
    }
    table
};

/// `atext`, with the non-ASCII characters that RFC 6531 §3.3 adds; C1 controls and line separators stay out.
fn is_atext(c: char) -> bool {
    match u8::try_from(c).ok().and_then(|octet| ATEXT.get(usize::from(octet))) {
        Some(&is_atext) => is_atext,
        None => !injection::is_control(c),
    }
}

fn check_dot_string(text: &str) -> Result<(), LocalPartError> {
    let mut previous = '.';
    for c in text.chars() {
        match c {
            c if is_atext(c) => {}
            '.' if previous == '.' => return Err(LocalPartError::MisplacedDot),
            '"' if previous == '.' => return Err(LocalPartError::Obsolete),
            '.' => {}
            c => return Err(LocalPartError::Character(c)),
        }
        previous = c;
    }
    match previous {
        _ if text.is_empty() => Err(LocalPartError::Empty),
        '.' => Err(LocalPartError::MisplacedDot),
        _ => Ok(()),
    }
}

/// The content of a `Quoted-string` whose opening quote is already gone.
fn unquote(text: &str) -> Result<String, LocalPartError> {
    let mut content = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return after_closing_quote(rest.as_str(), content),
            '\\' => match rest.next() {
                Some(escaped @ ' '..='~') => content.push(escaped),
                Some(stray) => return Err(LocalPartError::Character(stray)),
                None => return Err(LocalPartError::MalformedQuotedString),
            },
            c if injection::is_control(c) => return Err(LocalPartError::Character(c)),
            c => content.push(c),
        }
    }
    Err(LocalPartError::MalformedQuotedString)
}

fn after_closing_quote(rest: &str, content: String) -> Result<String, LocalPartError> {
    match rest.chars().next() {
        None => Ok(content),
        Some('.') => Err(LocalPartError::Obsolete),
        Some(stray @ (' ' | '(')) => Err(LocalPartError::Character(stray)),
        Some(_) => Err(LocalPartError::MalformedQuotedString),
    }
}

fn to_nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { ComposingNormalizerBorrowed::new_nfc().normalize(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_part_is_kept_by_meaning_and_quoted_only_where_needed() {
        for (text, content, shown) in [
            ("ann.smith", "ann.smith", "ann.smith"),
            ("!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"),
            (r#""joe""#, "joe", "joe"),
            (r#""j\o\e""#, "joe", "joe"),
            (r#""a b""#, "a b", r#""a b""#),
            (r#""a\"b\\c""#, r#"a"b\c"#, r#""a\"b\\c""#),
            (r#""""#, "", r#""""#),
            (r#""a..b""#, "a..b", r#""a..b""#),
            ("s\u{323}\u{307}", "\u{1e69}", "\u{1e69}"),
            ("\u{212a}elvin", "Kelvin", "Kelvin"),
        ] {
            let local_part = LocalPart::parse(text).expect(text);
            assert_eq!((local_part.content(), local_part.to_string().as_str()), (content, shown), "{text}");
            assert_eq!(local_part.wire_octets(), shown.len(), "{text}");
        }
    }

    #[test]
    fn a_broken_local_part_names_the_rule_it_breaks() {
        for (text, expected) in [
            ("", LocalPartError::Empty),
            (".a", LocalPartError::MisplacedDot),
            ("a.", LocalPartError::MisplacedDot),
            ("a..b", LocalPartError::MisplacedDot),
            (".", LocalPartError::MisplacedDot),
            ("a b", LocalPartError::Character(' ')),
            ("a(c)", LocalPartError::Character('(')),
            ("a\\b", LocalPartError::Character('\\')),
            ("a\"b\"", LocalPartError::Character('"')),
            ("a\u{85}b", LocalPartError::Character('\u{85}')),
            ("a\u{2028}b", LocalPartError::Character('\u{2028}')),
            ("a\u{37e}b", LocalPartError::Character(';')),
            ("\"a", LocalPartError::MalformedQuotedString),
            ("\"a\\", LocalPartError::MalformedQuotedString),
            ("\"a\"b", LocalPartError::MalformedQuotedString),
            ("\"a\tb\"", LocalPartError::Character('\t')),
            ("\"a\\\u{e9}\"", LocalPartError::Character('\u{e9}')),
            ("\"a\".\"b\"", LocalPartError::Obsolete),
            ("a.\"b\"", LocalPartError::Obsolete),
        ] {
            assert_eq!(LocalPart::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_limit_of_64_octets_holds_for_the_written_and_the_normalized_form() {
        let ascii = "a".repeat(64);
        let letters = "\u{e9}".repeat(32);
        for (text, accepted) in [
            (ascii.clone(), true),
            (ascii + "a", false),
            (letters.clone(), true),
            (letters + "a", false),
            // Three octets as written, six after normalization; five as written, three after.
            ("s\u{323}\u{307}".to_owned() + &"1".repeat(59), true),
            ("s\u{323}\u{307}".to_owned() + &"1".repeat(60), false),
            ("\u{fb2c}".to_owned() + &"1".repeat(58), true),
            ("\u{fb2c}".to_owned() + &"1".repeat(59), false),
        ] {
            assert_eq!(LocalPart::parse(&text).is_ok(), accepted, "{text}");
        }
    }
}
