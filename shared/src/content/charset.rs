//! Text of parts and parameters in the charsets that mail has (RFC 2046 §4.1.2).

use mail_parser::decoders::charsets::map::charset_decoder;

/// Octets of one text that are turned into characters. What lies beyond is not read for links; attached files are inspected as
/// octets, whatever their length.
pub(crate) const MAX_TEXT_OCTETS: usize = 8 << 20;

/// The text in the charset that is named; without one, and in one that nobody knows, as UTF-8. What cannot be decoded
/// becomes U+FFFD. The octets of ASCII mean the same in all but a few charsets, and those of links are ASCII.
#[must_use]
pub fn decoded(charset: &str, octets: &[u8]) -> String {
    let octets = octets.get(..MAX_TEXT_OCTETS).unwrap_or(octets);
    let name = charset.trim().to_ascii_lowercase();
    // Most mail that says ASCII and is not is UTF-8.
    let is_utf8 = matches!(name.as_str(), "" | "utf-8" | "utf8" | "us-ascii" | "ascii" | "unknown-8bit");
    match charset_decoder(name.as_bytes()).filter(|_| !is_utf8) {
        Some(decode) => decode(octets),
        None => String::from_utf8_lossy(octets).into_owned(),
    }
}

/// Charsets in which ASCII octets stand for other characters: what one reader shows as markup is a text of letters to another
/// (UTF-7, RFC 2152 §5; the others are forbidden in HTML by the Encoding standard).
#[must_use]
pub(crate) fn hides_ascii(charset: &str) -> bool {
    let name = charset.trim().to_ascii_lowercase();
    matches!(name.as_str(), "utf-7" | "utf7" | "unicode-1-1-utf-7" | "x-unicode20utf7" | "csunicode11utf7")
        || name.starts_with("utf-32")
        || name.starts_with("cp037")
        || name.starts_with("ibm037")
        || name.starts_with("ebcdic")
        || name == "hz-gb-2312"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_as_its_charset_says() {
        for (charset, octets, expected) in [
            ("", &b"Ren\xc3\xa9"[..], "Ren\u{e9}"),
            ("UTF-8", b"Ren\xc3\xa9 \xff", "Ren\u{e9} \u{fffd}"),
            ("us-ascii", b"Ren\xc3\xa9", "Ren\u{e9}"),
            ("ISO-8859-1", b"Ren\xe9", "Ren\u{e9}"),
            ("windows-1251", b"\xcf\xf0", "\u{41f}\u{440}"),
            ("utf-16le", b"a\0b\0", "ab"),
            ("no-such-charset", b"abc", "abc"),
        ] {
            assert_eq!(decoded(charset, octets), expected, "{charset}");
        }
    }

    #[test]
    fn charsets_in_which_ascii_means_something_else_are_known() {
        for (charset, expected) in
            [("UTF-7", true), ("unicode-1-1-utf-7", true), ("utf-32be", true), ("utf-8", false), ("iso-2022-jp", false)]
        {
            assert_eq!(hides_ascii(charset), expected, "{charset}");
        }
    }
}
