//! Canonicalization (RFC 6376 §3.4): what a signature covers, whatever mail servers did to white space on the way.
//!
//! LF alone ends a line as CRLF does, because a message may have passed through a system that knows no other line end.
//! CR alone is an octet like any other.

use memchr::memchr;
use ring::digest::{Context, SHA256};

/// RFC 6376 §3.4, for header fields and body alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Canonicalization {
    #[default]
    Simple,
    Relaxed,
}

/// SHA-256.
pub type BodyHash = [u8; 32];

/// Octets that are collected before they are hashed: a digest is slow on many small pieces.
const PIECE: usize = 8 * 1024;

impl Canonicalization {
    /// Its name in `c=`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "simple" => Some(Self::Simple),
            "relaxed" => Some(Self::Relaxed),
            _ => None,
        }
    }

    /// Appends a header field without the CRLF that closes it (RFC 6376 §3.4.1, §3.4.2). `text` is the field as written,
    /// `name` and `value` are its parts.
    pub fn append_field(self, text: &[u8], name: &[u8], value: &[u8], to: &mut Vec<u8>) {
        match self {
            Self::Simple => append_lines(text, to),
            Self::Relaxed => {
                to.extend(name.iter().map(u8::to_ascii_lowercase));
                to.push(b':');
                append_words(value, to);
            }
        }
    }

    /// The hash of a body (RFC 6376 §3.4.3, §3.4.4). Linear in its length.
    #[must_use]
    pub fn body_hash(self, body: &[u8]) -> BodyHash {
        let mut canonical = CanonicalBody::new();
        lines(body).for_each(|line| canonical.push(self, line));
        // An empty body has one line in the one and none in the other.
        if self == Self::Simple && canonical.is_empty {
            canonical.end_line();
        }
        canonical.hash()
    }
}

struct CanonicalBody {
    digest: Context,
    piece: Vec<u8>,
    /// Written once it is known that something follows them: at the end they do not count.
    empty_lines: usize,
    is_empty: bool,
}

impl CanonicalBody {
    fn new() -> Self {
        Self { digest: Context::new(&SHA256), piece: Vec::with_capacity(PIECE), empty_lines: 0, is_empty: true }
    }

    fn push(&mut self, canonicalization: Canonicalization, line: &[u8]) {
        let line = match canonicalization {
            Canonicalization::Simple => line,
            Canonicalization::Relaxed => without_trailing_wsp(line),
        };
        if line.is_empty() {
            self.empty_lines += 1;
            return;
        }
        for _ in 0..std::mem::take(&mut self.empty_lines) {
            self.end_line();
        }
        match canonicalization {
            Canonicalization::Relaxed if has_more_than_spaces_between(line) => self.write_words(line),
            Canonicalization::Simple | Canonicalization::Relaxed => self.write(line),
        }
        self.end_line();
    }

    /// White space at the beginning of a line is reduced like any other, not dropped.
    fn write_words(&mut self, line: &[u8]) {
        let mut words = line.split(|&octet| is_wsp(octet));
        self.write(words.next().unwrap_or_default());
        for word in words.filter(|word| !word.is_empty()) {
            self.write(b" ");
            self.write(word);
        }
    }

    fn end_line(&mut self) {
        self.write(b"\r\n");
        self.is_empty = false;
    }

    fn write(&mut self, octets: &[u8]) {
        if PIECE < self.piece.len() + octets.len() {
            self.digest.update(&self.piece);
            self.piece.clear();
        }
        if PIECE < octets.len() {
            self.digest.update(octets);
        } else {
            self.piece.extend_from_slice(octets);
        }
    }

    fn hash(mut self) -> BodyHash {
        self.digest.update(&self.piece);
        let mut hash = BodyHash::default();
        hash.copy_from_slice(self.digest.finish().as_ref());
        hash
    }
}

/// Each line without its line end; what follows the last line end is a line unless it is empty.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (line, after) = match memchr(b'\n', rest) {
            Some(lf) => (rest.get(..lf)?, rest.get(lf + 1..)?),
            None if rest.is_empty() => return None,
            None => return Some(std::mem::take(&mut rest)),
        };
        rest = after;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

fn append_lines(text: &[u8], to: &mut Vec<u8>) {
    for (number, line) in lines(text).enumerate() {
        if 0 < number {
            to.extend_from_slice(b"\r\n");
        }
        to.extend_from_slice(line);
    }
}

/// Unfolded, each white space one space, none at either end.
fn append_words(value: &[u8], to: &mut Vec<u8>) {
    let words = value.split(|&octet| is_wsp(octet) || matches!(octet, b'\r' | b'\n'));
    for (number, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if 0 < number {
            to.push(b' ');
        }
        to.extend_from_slice(word);
    }
}

fn without_trailing_wsp(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&octet| !is_wsp(octet)).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

/// Whether white space in the line is anything but single spaces. Without an early exit, so that it is vectorised.
fn has_more_than_spaces_between(line: &[u8]) -> bool {
    let tabs = line.iter().fold(false, |found, octet| found | (*octet == b'\t'));
    let followed = line.iter().zip(line.iter().skip(1));
    tabs | followed.fold(false, |found, (one, next)| found | ((*one == b' ') & (*next == b' ')))
}

fn is_wsp(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use Canonicalization::{Relaxed, Simple};
    use proptest::prelude::*;
    use ring::digest::digest;

    fn hash_of(canonical: &str) -> BodyHash {
        digest(&SHA256, canonical.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 octets")
    }

    fn field(canonicalization: Canonicalization, text: &str) -> String {
        let (name, value) = text.split_once(':').expect("a field");
        let mut canonical = Vec::new();
        canonicalization.append_field(text.as_bytes(), name.trim_end().as_bytes(), value.as_bytes(), &mut canonical);
        String::from_utf8(canonical).expect("text")
    }

    #[test]
    fn a_body_is_reduced_as_rfc_6376_says() {
        for (body, simple, relaxed) in [
            ("", "\r\n", ""),
            ("\r\n\r\n", "\r\n", ""),
            (" \t\r\n\r\n", " \t\r\n", ""),
            (" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"),
            ("a", "a\r\n", "a\r\n"),
            ("a\r\n", "a\r\n", "a\r\n"),
            ("a\n\n\nb\n\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"),
            ("a\r\n \r\nb \t \r\n", "a\r\n \r\nb \t \r\n", "a\r\n\r\nb\r\n"),
            ("a\rb\r\r\n", "a\rb\r\r\n", "a\rb\r\r\n"),
            ("a\r", "a\r\r\n", "a\r\r\n"),
            ("\t\ta", "\t\ta\r\n", " a\r\n"),
        ] {
            assert_eq!(Simple.body_hash(body.as_bytes()), hash_of(simple), "simple {body:?}");
            assert_eq!(Relaxed.body_hash(body.as_bytes()), hash_of(relaxed), "relaxed {body:?}");
        }
    }

    #[test]
    fn a_field_is_reduced_as_rfc_6376_says() {
        for (text, simple, relaxed) in [
            ("A: X", "A: X", "a:X"),
            ("B : Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  ", "b:Y Z"),
            ("B : Y\t\n\tZ  ", "B : Y\t\r\n\tZ  ", "b:Y Z"),
            ("Subject:", "Subject:", "subject:"),
            ("SUBJect: \r\n \r\n a  b", "SUBJect: \r\n \r\n a  b", "subject:a b"),
        ] {
            assert_eq!((field(Simple, text).as_str(), field(Relaxed, text).as_str()), (simple, relaxed), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn white_space_and_line_ends_on_the_way_change_no_relaxed_hash(
            words in proptest::collection::vec("[!-~]{1,9}", 1..40), space in "[ \t]{1,3}", ends in "[ \t]{0,2}\r?\n",
            tail in "([ \t]{0,2}\r\n){0,3}",
        ) {
            let travelled = format!("{}{ends}{tail}", words.join(&space));
            let written = format!("{}\r\n", words.join(" "));
            prop_assert_eq!(Relaxed.body_hash(travelled.as_bytes()), hash_of(&written));
        }

        #[test]
        fn a_body_longer_than_a_piece_has_the_same_hash(line in "[a-z ]{0,90}[a-z]", count in 1_usize..400) {
            let body = format!("{line}\r\n").repeat(count);
            prop_assert_eq!(Simple.body_hash(body.as_bytes()), hash_of(&body));
        }
    }
}
