//! Text that tries to be more than an address: line breaks that would end a header field or an SMTP command.

/// The first control character or Unicode line break, which no mailbox contains (RFC 5321 §4.1.2).
pub(super) fn first_control(text: &str) -> Option<char> {
    if text.is_ascii() {
        return text.bytes().find(u8::is_ascii_control).map(char::from);
    }
    text.chars().find(|&c| is_control(c))
}

/// Whether a character is a control character, C1 included, or a line or paragraph separator.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a decoder of percent-encoding would find CR or LF (RFC 3986 §2.1).
pub(super) fn has_encoded_line_break(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| matches!(rest.as_bytes(), [b'0', b'a' | b'A' | b'd' | b'D', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_are_found_plain_and_percent_encoded() {
        for (text, control, encoded) in [
            ("ann@example.com", None, false),
            ("ann@example.com\r\nBcc: x@example.com", Some('\r'), false),
            ("a\tb@example.com", Some('\t'), false),
            ("a\0b@example.com", Some('\0'), false),
            ("a\u{85}b@example.com", Some('\u{85}'), false),
            ("a\u{2028}b@example.com", Some('\u{2028}'), false),
            ("ann%0Abcc@example.com", None, true),
            ("ann%0dbcc@example.com", None, true),
            ("100%0@example.com", None, false),
        ] {
            assert_eq!((first_control(text), has_encoded_line_break(text)), (control, encoded), "{text:?}");
        }
    }
}
