//! How octets travel (RFC 2045 §6): base64, quoted-printable and uuencode, decoded as the most forgiving mail program does.

use std::borrow::Cow;

use super::{field_value::hex_octet, uuencoded};

/// The encoding of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransferEncoding {
    /// 7bit, 8bit, binary, or none.
    Identity,
    Base64,
    QuotedPrintable,
    /// As before MIME, in a part of its own.
    Uuencode,
    /// Named in a way that some readers take for base64 or quoted-printable, and others for nothing.
    Ambiguous(Known),
    /// A word that nobody knows: the content is taken as it stands.
    Unknown,
}

/// What an ambiguous name is decoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Base64,
    QuotedPrintable,
}

/// Decoded octets, and where readers part on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded<'a> {
    pub(crate) octets: Cow<'a, [u8]>,
    /// Characters that base64 does not have: passed over by some, the end or an error for others.
    pub(crate) has_junk: bool,
    /// More base64 follows the padding: the end for some, more content for others.
    pub(crate) goes_on_after_padding: bool,
}

impl TransferEncoding {
    /// `value` is that of the field, unfolded.
    #[must_use]
    pub(crate) fn parse(value: &str) -> Self {
        let word = value.trim().to_ascii_lowercase();
        match word.as_str() {
            "" | "7bit" | "8bit" | "binary" => Self::Identity,
            // What careless programs write for none.
            "7-bit" | "8-bit" | "7bits" | "8bits" | "none" | "us-ascii" | "utf-8" | "utf8" | "plain" => Self::Identity,
            "x-uuencode" | "uuencode" | "x-uue" | "uue" | "x-uu" | "uu" => Self::Uuencode,
            "base64" => Self::Base64,
            "quoted-printable" => Self::QuotedPrintable,
            _ if word.contains("base64") => Self::Ambiguous(Known::Base64),
            _ if word.contains("quoted-printable") => Self::Ambiguous(Known::QuotedPrintable),
            _ => Self::Unknown,
        }
    }

    /// Linear, and never longer than the input.
    #[must_use]
    pub(crate) fn decode(self, raw: &[u8]) -> Decoded<'_> {
        match self {
            Self::Base64 | Self::Ambiguous(Known::Base64) => base64(raw),
            Self::QuotedPrintable | Self::Ambiguous(Known::QuotedPrintable) => plain(Cow::Owned(quoted_printable(raw))),
            Self::Uuencode => plain(
                uuencoded::files(raw).into_iter().next().map_or(Cow::Borrowed(raw), |file| Cow::Owned(file.octets)),
            ),
            Self::Identity | Self::Unknown => plain(Cow::Borrowed(raw)),
        }
    }
}

fn plain(octets: Cow<'_, [u8]>) -> Decoded<'_> {
    Decoded { octets, has_junk: false, goes_on_after_padding: false }
}

/// Goes on after padding, and passes over what is not of the alphabet (RFC 2045 §6.8).
fn base64(raw: &[u8]) -> Decoded<'static> {
    let mut octets = Vec::with_capacity(raw.len() / 4 * 3 + 3);
    let (mut has_junk, mut padded, mut goes_on_after_padding) = (false, false, false);
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut rest = raw;
    loop {
        if held == 0 {
            let after = whole_groups(rest, &mut octets);
            goes_on_after_padding |= padded && after.len() < rest.len();
            rest = after;
        }
        let Some((&octet, after)) = rest.split_first() else { break };
        rest = after;
        let sextet = sextet(octet);
        if sextet == NONE {
            if octet == b'=' {
                // What is held is less than an octet: a group begins anew.
                (padded, bits, held) = (true, 0, 0);
            } else {
                has_junk |= !octet.is_ascii_whitespace();
            }
            continue;
        }
        goes_on_after_padding |= padded;
        (bits, held) = ((bits << 6 | u32::from(sextet)) & 0xfff, held + 6);
        if 8 <= held {
            held -= 8;
            octets.push((bits >> held & 0xff) as u8);
        }
    }
    Decoded { octets: Cow::Owned(octets), has_junk, goes_on_after_padding }
}

/// Decodes groups of four characters for as long as there is nothing else; answers what follows.
fn whole_groups<'r>(raw: &'r [u8], octets: &mut Vec<u8>) -> &'r [u8] {
    let mut taken = 0;
    for group in raw.as_chunks::<4>().0 {
        let [first, second, third, fourth] = group.map(sextet);
        if (first | second | third | fourth) & NONE != 0 {
            break;
        }
        octets.extend_from_slice(&[first << 2 | second >> 4, second << 4 | third >> 2, third << 6 | fourth]);
        taken += group.len();
    }
    raw.get(taken..).unwrap_or_default()
}

/// What stands for no sextet: the highest bit tells it apart.
const NONE: u8 = 0x80;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would say so")]
const SEXTETS: [u8; 256] = {
    let mut sextets = [NONE; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < alphabet.len() {
        sextets[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    sextets
};

fn sextet(octet: u8) -> u8 {
    SEXTETS.get(usize::from(octet)).copied().unwrap_or(NONE)
}

/// What is no escape stands for itself (RFC 2045 §6.7, notes for robust implementations).
fn quoted_printable(raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (plain, escaped) = rest.split_at(at);
        decoded.extend_from_slice(plain);
        let tail = escaped.get(1..).unwrap_or_default();
        rest = if let Some(octet) = hex_octet(tail) {
            decoded.push(octet);
            tail.get(2..).unwrap_or_default()
        } else if let Some(next_line) = soft_break(tail) {
            next_line
        } else {
            decoded.push(b'=');
            tail
        };
    }
    decoded.extend_from_slice(rest);
    decoded
}

/// What follows a soft line break, of which white space may be a part. At the end of the content, nothing.
fn soft_break(tail: &[u8]) -> Option<&[u8]> {
    /// A line has 76 characters; more white space than two lines is no part of a break.
    const MOST_BLANKS: usize = 152;
    let blanks = tail.iter().take(MOST_BLANKS).take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    let rest = tail.get(blanks..).unwrap_or_default();
    match rest {
        [] => Some(rest),
        [b'\r', b'\n', next @ ..] | [b'\n', next @ ..] => Some(next),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_encoding_is_known_by_its_name_alone() {
        for (value, expected) in [
            ("", TransferEncoding::Identity),
            ("8BIT", TransferEncoding::Identity),
            (" Base64 ", TransferEncoding::Base64),
            ("quoted-printable", TransferEncoding::QuotedPrintable),
            ("base64;", TransferEncoding::Ambiguous(Known::Base64)),
            ("x-base64", TransferEncoding::Ambiguous(Known::Base64)),
            ("\"quoted-printable\"", TransferEncoding::Ambiguous(Known::QuotedPrintable)),
            ("X-UUencode", TransferEncoding::Uuencode),
            ("8-bit", TransferEncoding::Identity),
            ("x-yencode", TransferEncoding::Unknown),
        ] {
            assert_eq!(TransferEncoding::parse(value), expected, "{value}");
        }
    }

    #[test]
    fn base64_is_decoded_whatever_stands_between() {
        for (raw, expected, has_junk, goes_on) in [
            (&b"aGVsbG8="[..], &b"hello"[..], false, false),
            (b"aGVs\r\nbG8", b"hello", false, false),
            (b"aG!Vs*bG8=", b"hello", true, false),
            (b"aGVsbG8=aGVsbG8=", b"hellohello", false, true),
            (b"aGVsbG8=\r\n____\r\nfooter", b"hello\x7e\x8a\x2d\x7a", true, true),
            (b"aGVsbG8=\r\naGVsbG9v", b"hellohelloo", false, true),
            (b"aGVs\xc3bG9v", b"helloo", true, false),
            (b"", b"", false, false),
        ] {
            let decoded = TransferEncoding::Base64.decode(raw);
            let name = raw.escape_ascii();
            assert_eq!(decoded.octets, expected, "{name}");
            assert_eq!((decoded.has_junk, decoded.goes_on_after_padding), (has_junk, goes_on), "{name}");
        }
    }

    #[test]
    fn quoted_printable_is_decoded_and_the_rest_stays() {
        for (raw, expected) in
            [(&b"a=3D=\r\nb=\n c"[..], &b"a=b c"[..]), (b"=4d= \t\r\n=5A", b"MZ"), (b"a=zz = b=", b"a=zz = b")]
        {
            assert_eq!(TransferEncoding::QuotedPrintable.decode(raw).octets, expected, "{}", raw.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            use base64::Engine as _;
            let encoded = base64::engine::general_purpose::STANDARD.encode(&octets);
            let decoded = TransferEncoding::Base64.decode(encoded.as_bytes());
            prop_assert_eq!(decoded.octets.as_ref(), octets.as_slice());
        }

        #[test]
        fn decoding_never_makes_more(raw in "[=A-F0-9 \\r\\n+/a]{0,80}") {
            for encoding in [TransferEncoding::Base64, TransferEncoding::QuotedPrintable] {
                prop_assert!(encoding.decode(raw.as_bytes()).octets.len() <= raw.len());
            }
        }
    }
}
