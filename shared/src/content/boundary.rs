//! How a multipart falls apart (RFC 2046 §5.1.1), and where readers part on it.

use memchr::memmem;

/// Boundaries are at most this long (RFC 2046 §5.1.1); some readers cut longer ones off, others use them as they are.
pub(crate) const MAX_BOUNDARY_OCTETS: usize = 70;

/// Lines that begin like a delimiter and are none, of which so many are looked at.
const MOST_NEAR_DELIMITERS: usize = 16;

/// A multipart body, cut at its delimiters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces<'b> {
    /// Header section and body of each part, at most as many as were asked for.
    pub(crate) parts: Vec<&'b [u8]>,
    /// There are more parts than were asked for.
    pub(crate) is_cut: bool,
    pub(crate) ambiguity: Option<Ambiguity>,
}

/// Why two readers may see different parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ambiguity {
    /// A delimiter follows the closing one: the end for some, another part for others.
    AfterTheEnd,
    /// A line goes on after what could be a delimiter, or follows a bare CR.
    NearDelimiter,
}

impl Ambiguity {
    /// One clause for people.
    #[must_use]
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::AfterTheEnd => {
                "parts follow the line that ends them, which some mail programs show and others do not"
            }
            Self::NearDelimiter => "a line looks like the boundary to some mail programs and not to others",
        }
    }
}

/// What a line that begins with two hyphens and the boundary is.
#[derive(PartialEq, Eq)]
enum Line {
    Delimiter,
    Closing,
    Near,
}

/// Cuts `body` at the lines of `boundary`, into at most `most` parts. Linear in the body.
#[must_use]
pub(crate) fn pieces<'b>(body: &'b [u8], boundary: &str, most: usize) -> Pieces<'b> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut pieces = Pieces::default();
    let mut part_start = None;
    let mut near = 0;
    let mut is_closed = false;
    for at in memmem::find_iter(body, &delimiter) {
        let (before, line) = body.split_at(at);
        let Some((kind, length)) = kind_of_line(before, line, delimiter.len()) else { continue };
        if kind == Line::Near {
            near += 1;
            if near <= MOST_NEAR_DELIMITERS && !is_declared(body, line) {
                pieces.ambiguity = Some(Ambiguity::NearDelimiter);
            }
            continue;
        }
        if is_closed {
            pieces.ambiguity = Some(Ambiguity::AfterTheEnd);
            return pieces;
        }
        if let Some(start) = part_start.take() {
            if pieces.parts.len() == most {
                pieces.is_cut = true;
                return pieces;
            }
            pieces.parts.push(without_line_end(body.get(start..at).unwrap_or_default()));
        }
        is_closed = kind == Line::Closing;
        part_start = (!is_closed).then_some(at + length);
    }
    if let Some(rest) = part_start.and_then(|start| body.get(start..)) {
        if pieces.parts.len() < most { pieces.parts.push(rest) } else { pieces.is_cut = true }
    }
    pieces
}

/// And the length of the line with its end. `None` in the middle of a line.
fn kind_of_line(before: &[u8], line: &[u8], delimiter: usize) -> Option<(Line, usize)> {
    let end = memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1);
    let after = line.get(delimiter..end)?;
    match before.last() {
        None | Some(b'\n') => {}
        Some(b'\r') => return Some((Line::Near, end)),
        Some(_) => return None,
    }
    let kind = match after {
        _ if is_blank(after) => Line::Delimiter,
        [b'-', b'-', rest @ ..] if is_blank(rest) => Line::Closing,
        _ => Line::Near,
    };
    Some((kind, end))
}

fn is_blank(octets: &[u8]) -> bool {
    octets.iter().all(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether a multipart within says that this is its boundary: Apple Mail numbers them, so that one begins with another.
fn is_declared(body: &[u8], line: &[u8]) -> bool {
    let end = line.iter().position(|octet| matches!(octet, b'\r' | b'\n')).unwrap_or(line.len());
    let text = line.get(2..end).unwrap_or_default().trim_ascii_end();
    let names = [text, text.strip_suffix(b"--").unwrap_or(text)];
    let is_value = |name: &[u8]| {
        memmem::find_iter(body, name).any(|at| matches!(body.get(..at).and_then(<[u8]>::last), Some(b'"' | b'=')))
    };
    names.into_iter().any(|name| !name.is_empty() && is_value(name))
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(body: &str) -> Vec<String> {
        let pieces = pieces(body.as_bytes(), "b", 10);
        pieces.parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    #[test]
    fn a_body_falls_apart_at_its_delimiters() {
        for (body, expected) in [
            ("preamble\r\n--b\r\none\r\n--b \t\r\ntwo\r\n--b--\r\nepilogue", &["one", "two"][..]),
            ("--b\none\n--b\n\n--b--", &["one", ""]),
            ("--b\r\none\r\n", &["one\r\n"]),
            ("--b--\r\n", &[]),
            ("no delimiter", &[]),
            ("text --b\r\none", &[]),
        ] {
            assert_eq!(parts(body), expected, "{body:?}");
        }
    }

    #[test]
    fn readers_part_where_a_delimiter_is_not_certain() {
        for (body, expected) in [
            ("--b\r\none\r\n--b--\r\n--b\r\ntwo\r\n", Some(Ambiguity::AfterTheEnd)),
            ("--b\r\none\r\n--bc\r\ntwo\r\n--b--", Some(Ambiguity::NearDelimiter)),
            ("--b\r\none\r--b\r\ntwo\r\n--b--", Some(Ambiguity::NearDelimiter)),
            ("--b\r\nboundary=\"b1\"\r\n\r\n--b1\r\nx\r\n--b1--\r\n--b--", None),
            ("--b\r\none\r\n--b--\r\n--\r\na footer\r\n", None),
        ] {
            assert_eq!(pieces(body.as_bytes(), "b", 10).ambiguity, expected, "{body:?}");
        }
    }

    #[test]
    fn no_more_parts_are_cut_than_asked_for() {
        let body = "--b\r\na\r\n".repeat(11);
        for (most, expected) in [(10, (10, true)), (11, (11, false))] {
            let pieces = pieces(body.as_bytes(), "b", most);
            assert_eq!((pieces.parts.len(), pieces.is_cut), expected, "{most}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_cut_without_a_panic(body in "[-b\\r\\n a\"=]{0,60}") {
            let pieces = pieces(body.as_bytes(), "b", 3);
            prop_assert!(pieces.parts.len() <= 3);
        }
    }
}
