//! Values with parameters: `Content-Type`, `Content-Disposition` (RFC 2045 §5.1, RFC 2183), their parameters also in the forms
//! of RFC 2231 and RFC 2047. Read as the most permissive reader would, and every point where readers part is told.

use std::collections::BTreeMap;

use crate::encoded_word;

/// Parameters that are read; honest parts have fewer than ten.
pub(crate) const MAX_PARAMETERS: usize = 64;

/// `token; name=value; ..`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldValue {
    /// What stands before the first semicolon, lower case, without comments.
    pub(crate) token: String,
    /// In the order of the text. Continuations (RFC 2231 §3) are one parameter, at the place of the first piece.
    pub(crate) parameters: Vec<Parameter>,
    /// Text stands where only a semicolon, a parameter or a comment may, so that readers differ on what belongs to what.
    pub(crate) is_malformed: bool,
}

/// One parameter with its value decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Lower case, without the marks of RFC 2231.
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) form: Form,
}

/// How a value was written. Readers that know only the first ignore the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it stands, or with encoded words (RFC 2047), which mail programs decode although it is forbidden.
    Plain,
    /// RFC 2231: with a charset, in pieces, or both.
    Extended,
}

impl FieldValue {
    /// Linear in the value. Accepts everything.
    #[must_use]
    pub(crate) fn parse(unfolded: &str) -> Self {
        let mut sections = sections(unfolded).into_iter();
        let mut value = Self::default();
        if let Some(first) = sections.next() {
            value.token = first.text.trim().to_ascii_lowercase();
            value.is_malformed = value.token.contains([' ', '\t', '=', '"']) || first.is_unclosed;
        }
        let mut pieces = Pieces::default();
        for section in sections.take(MAX_PARAMETERS) {
            value.is_malformed |= section.is_unclosed;
            value.take(&section.text, &mut pieces);
        }
        value.parameters.extend(pieces.joined());
        value
    }

    /// All values of a parameter, those that readers prefer first.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(move |parameter| parameter.name == name)
    }

    /// The value that most readers take.
    #[must_use]
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next().map(|parameter| parameter.value.as_str())
    }

    fn take(&mut self, text: &str, pieces: &mut Pieces) {
        let Some((name, written)) = text.split_once('=') else {
            self.is_malformed |= !text.trim().is_empty();
            return;
        };
        let name = name.trim().to_ascii_lowercase();
        let (unquoted, rest) = unquoted(written.trim());
        self.is_malformed |= !rest.trim().is_empty();
        match name.split_once('*') {
            None => {
                let value = encoded_word::decoded(&unquoted);
                self.parameters.push(Parameter { name, value, form: Form::Plain });
            }
            Some((name, mark)) => pieces.take(name, mark, unquoted),
        }
    }
}

/// The pieces of extended parameters, by name and number.
#[derive(Default)]
struct Pieces(BTreeMap<String, BTreeMap<u32, (bool, String)>>);

impl Pieces {
    /// `mark` is what follows the first asterisk: nothing, a number, or a number and an asterisk.
    fn take(&mut self, name: &str, mark: &str, text: String) {
        let is_encoded = mark.is_empty() || mark.ends_with('*');
        let number = mark.trim_end_matches('*').parse().unwrap_or_default();
        self.0.entry(name.to_owned()).or_default().entry(number).or_insert((is_encoded, text));
    }

    fn joined(self) -> impl Iterator<Item = Parameter> {
        self.0.into_iter().map(|(name, pieces)| Parameter { name, value: joined(pieces), form: Form::Extended })
    }
}

/// RFC 2231 §4.1: the charset is named in the first piece, each piece says whether it is encoded.
fn joined(pieces: BTreeMap<u32, (bool, String)>) -> String {
    let mut octets = Vec::new();
    let mut charset = String::new();
    for (place, (is_encoded, text)) in pieces.into_values().enumerate() {
        let mut text = text.as_str();
        if place == 0 && is_encoded {
            let mut parts = text.splitn(3, '\'');
            if let (Some(named), Some(_), Some(rest)) = (parts.next(), parts.next(), parts.next()) {
                charset = named.to_ascii_lowercase();
                text = rest;
            }
        }
        if is_encoded { octets.extend(percent_decoded(text.as_bytes())) } else { octets.extend(text.as_bytes()) }
    }
    super::charset::decoded(&charset, &octets)
}

/// What is no escape stands for itself.
#[must_use]
pub(crate) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let octet = (*first == b'%').then(|| hex_octet(tail)).flatten();
        decoded.push(octet.unwrap_or(*first));
        rest = tail.get(if octet.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decoded
}

/// The octet that two hexadecimal digits stand for.
#[must_use]
pub(crate) fn hex_octet(digits: &[u8]) -> Option<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    let [high, low, ..] = digits else { return None };
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// What stands between two semicolons, without comments.
#[derive(Default)]
struct Section {
    text: String,
    /// A quoted string or a comment does not end.
    is_unclosed: bool,
}

/// Semicolons in quoted strings and in comments separate nothing.
fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let (mut quoted, mut comments) = (false, 0_usize);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let section = sections.last_mut().expect("there is a first one");
        match character {
            '\\' if quoted || 0 < comments => {
                let escaped = characters.next();
                if comments == 0 {
                    section.text.push(character);
                    section.text.extend(escaped);
                }
            }
            '"' if comments == 0 => {
                quoted = !quoted;
                section.text.push(character);
            }
            '(' if !quoted => comments += 1,
            ')' if !quoted && 0 < comments => comments -= 1,
            _ if 0 < comments => {}
            ';' if !quoted => sections.push(Section::default()),
            _ => section.text.push(character),
        }
    }
    if let Some(last) = sections.last_mut() {
        last.is_unclosed = quoted || 0 < comments;
    }
    sections
}

/// The content of a quoted string and what follows it, or the text as it stands.
fn unquoted(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else { return (text.to_owned(), "") };
    let mut content = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (content, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => content.push(character),
        }
    }
    (content, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, name: &str) -> Option<String> {
        FieldValue::parse(text).first(name).map(str::to_owned)
    }

    #[test]
    fn a_parameter_is_read_in_every_form() {
        for (text, name, expected) in [
            ("text/plain; charset=utf-8", "charset", Some("utf-8")),
            ("TEXT/plain ; CharSet = \"utf-8\" (a; b)", "charset", Some("utf-8")),
            ("a/b; name=\"a \\\"b\\\"; c.pdf\"", "name", Some("a \"b\"; c.pdf")),
            ("a/b; name=\"=?utf-8?q?Ren=C3=A9.pdf?=\"", "name", Some("Ren\u{e9}.pdf")),
            ("attachment; filename*=utf-8'en'Ren%C3%A9.pdf", "filename", Some("Ren\u{e9}.pdf")),
            ("attachment; filename*=iso-8859-1''Ren%E9.pdf", "filename", Some("Ren\u{e9}.pdf")),
            ("attachment; filename*1=\"b.exe\"; filename*0=a", "filename", Some("ab.exe")),
            ("attachment; filename*0*=utf-8''a%2E; filename*1=e%78e", "filename", Some("a.e%78e")),
            ("multipart/mixed; boundary*=us-ascii''b", "boundary", Some("b")),
            ("multipart/mixed; boundary=a b", "boundary", Some("a b")),
            ("text/plain", "charset", None),
        ] {
            assert_eq!(value(text, name).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_readers_could_cut_differently_is_malformed() {
        for (text, expected) in [
            ("multipart/mixed; boundary=a", false),
            ("multipart/mixed; boundary=a;", false),
            ("text/plain (hello); charset=a", false),
            ("multipart/mixed boundary=a", true),
            ("multipart/mixed; boundary=\"a\"b", true),
            ("multipart/mixed; boundary=\"a", true),
            ("multipart/mixed; (boundary=a", true),
            ("multipart/mixed; boundary", true),
        ] {
            assert_eq!(FieldValue::parse(text).is_malformed, expected, "{text}");
        }
    }

    #[test]
    fn no_more_parameters_are_read_than_the_limit() {
        let text = format!("a/b{}", "; a=b".repeat(1_000));
        assert_eq!(FieldValue::parse(&text).parameters.len(), MAX_PARAMETERS);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-c;=\"\\\\()*0-2'% \u{e9}]{0,60}") {
            let value = FieldValue::parse(&text);
            prop_assert!(value.parameters.len() <= MAX_PARAMETERS);
        }
    }
}
