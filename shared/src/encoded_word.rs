//! Encoded words: text beyond ASCII in header fields (RFC 2047).

#![expect(
    clippy::indexing_slicing,
    reason = "offsets come from a scan of the same slice, and property tests feed any octets"
)]

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const FORGIVING_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes encoded words wherever they stand: RFC 2047 §5 forbids them in quoted strings, mail programs show them. What
/// is not well-formed stays as it is. Linear.
#[must_use]
pub fn decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (gap, from_word) = rest.split_at(start);
        let word = encoded_word(from_word);
        // White space between two encoded words is not shown (RFC 2047 §6.2).
        if !(after_word && word.is_some() && gap.trim().is_empty()) {
            decoded.push_str(gap);
        }
        after_word = word.is_some();
        let (shown, tail) = word.unwrap_or_else(|| ("=?".to_owned(), &from_word[2..]));
        decoded.push_str(&shown);
        rest = tail;
    }
    decoded + rest
}

/// `=?charset?B or Q?text?=` and what follows it.
fn encoded_word(text: &str) -> Option<(String, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(4, '?');
    let (charset, encoding, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let tail = parts.next()?.strip_prefix('=')?;
    let octets = match encoding {
        "b" | "B" => FORGIVING_BASE64.decode(base64_characters(encoded)?).ok()?,
        "q" | "Q" => q_decoded(encoded.as_bytes()),
        _ => return None,
    };
    Some((in_charset(charset, &octets), tail))
}

/// Readers pass over what is not of the alphabet (RFC 2045 §6.8). `None` when nothing else is there.
fn base64_characters(text: &str) -> Option<String> {
    let characters: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')).collect();
    (text.is_empty() || !characters.is_empty()).then_some(characters)
}

/// The Q encoding (RFC 2047 §4.2). What is no escape stands for itself.
fn q_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'=', [high, low, ..]) => hex_octet(*high, *low),
            _ => None,
        };
        rest = if escaped.is_some() { &tail[2..] } else { tail };
        decoded.push(escaped.unwrap_or(if *first == b'_' { b' ' } else { *first }));
    }
    decoded
}

fn hex_octet(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// UTF-8 and Latin-1 exactly. Of others the ASCII part, which is what addresses are made of: all ASCII octets of a superset of
/// ASCII, and those of a stateful charset that stand in its ASCII state.
fn in_charset(charset: &str, octets: &[u8]) -> String {
    // RFC 2231 §5: a language may follow the charset.
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    match charset.as_str() {
        "utf-8" | "utf8" => String::from_utf8_lossy(octets).into_owned(),
        "iso-8859-1" | "windows-1252" => octets.iter().map(|&octet| latin_1(octet)).collect(),
        "hz" | "hz-gb-2312" => ascii_between(octets, b"~{", &[b"~}"]),
        "utf-7" => ascii_between(octets, b"+", &[b"-"]),
        _ if charset.starts_with("iso-2022") => ascii_between(octets, b"\x1b$", &[b"\x1b(B", b"\x1b(J"]),
        // Two or four octets a character: the ASCII ones have NUL beside them.
        _ if charset.starts_with("utf-16") || charset.starts_with("utf-32") => {
            octets.iter().filter(|octet| **octet != 0).map(|&octet| ascii(octet)).collect()
        }
        _ => octets.iter().map(|&octet| ascii(octet)).collect(),
    }
}

/// What stands outside of the parts between `enter` and one of `leave`, of each of which one U+FFFD is left.
fn ascii_between(octets: &[u8], enter: &[u8], leave: &[&[u8]]) -> String {
    let (mut text, mut rest, mut inside) = (String::new(), octets, false);
    while let [first, tail @ ..] = rest {
        let left = leave.iter().find(|leave| rest.starts_with(leave));
        match left {
            Some(leave) => (rest, inside) = (&rest[leave.len()..], false),
            None if !inside && rest.starts_with(enter) => {
                text.push(char::REPLACEMENT_CHARACTER);
                (rest, inside) = (&rest[enter.len()..], true);
            }
            None => {
                text.extend((!inside).then(|| ascii(*first)));
                rest = tail;
            }
        }
    }
    text
}

fn ascii(octet: u8) -> char {
    if octet.is_ascii() { octet.into() } else { char::REPLACEMENT_CHARACTER }
}

/// Without 0x80 to 0x9F, which are control characters in one charset and punctuation in the other.
fn latin_1(octet: u8) -> char {
    if (0x80..0xa0).contains(&octet) { char::REPLACEMENT_CHARACTER } else { octet.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_decoded_and_the_rest_stays() {
        for (text, expected) in [
            ("plain", "plain"),
            ("=?utf-8?q?Ren=C3=A9_=3C3?= x", "René <3 x"),
            ("=?utf-8?B?TGVlLCA=?= \t=?utf-8*en?b?QW5u?=", "Lee, Ann"),
            ("=?utf-8?b?QW5?=", "An"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("=?utf-8?q?a=4?=", "a=4"),
            ("=?utf-8?q?=FF?=", "\u{fffd}"),
            ("=?iso-8859-1?Q?Jos=E9=80?=", "José\u{fffd}"),
            ("=?shift_jis?Q?A=83B?=", "A\u{fffd}B"),
            ("=?iso-2022-jp?b?GyRCJDMbKEI=?=", "\u{fffd}"),
            ("=?iso-2022-jp?b?Y2VvQGJhbmsuZXhhbXBsZQ==?=", "ceo@bank.example"),
            ("=?utf-8?b?Y2VvQGJh bmsuZXh*hbXBsZQ==?=", "ceo@bank.example"),
            ("=?utf-7?q?ceo@+AGI-ank?=", "ceo@\u{fffd}ank"),
            ("=?hz-gb-2312?q?a~{VPND~}b?=", "a\u{fffd}b"),
            ("=?utf-16be?b?AGEAQABi?=", "a@b"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?b?***?=", "=?utf-8?b?***?="),
            ("=?utf-8?q?open", "=?utf-8?q?open"),
        ] {
            assert_eq!(decoded(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_without_a_panic(text in "[=?qQbBé_ u8A-F\\-]{0,60}") {
            prop_assert!(decoded(&text).len() <= 3 * text.len());
        }
    }
}
