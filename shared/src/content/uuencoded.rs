//! Files within a text, as they were sent before MIME (POSIX uuencode). Some mail programs still show them as attachments.

use memchr::memmem;

/// Files that are read from one text.
pub const MAX_FILES: usize = 20;

/// One file with the name that it is saved by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UuFile {
    pub name: String,
    pub octets: Vec<u8>,
}

/// The files in a text, at most [`MAX_FILES`]. Linear.
#[must_use]
pub fn files(text: &[u8]) -> Vec<UuFile> {
    let mut files = Vec::new();
    let mut rest = text;
    while files.len() < MAX_FILES
        && let Some(at) = memmem::find(rest, b"begin ")
    {
        let is_line_start = at == 0 || rest.get(at - 1) == Some(&b'\n');
        let (_, from) = rest.split_at(at);
        let (line, body) = line_of(from);
        rest = from.get(6..).unwrap_or_default();
        if let Some(name) = name_of(line).filter(|_| is_line_start) {
            let (octets, after) = decoded(body);
            rest = after;
            files.extend((!octets.is_empty()).then_some(UuFile { name, octets }));
        }
    }
    files
}

/// `begin 644 name`
fn name_of(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (mode, name) = line.strip_prefix("begin ")?.trim().split_once(' ')?;
    let is_mode = (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    (is_mode && !name.trim().is_empty()).then(|| name.trim().to_owned())
}

/// Up to `end`, or the first line that cannot be one of a file.
fn decoded(body: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut octets, mut rest) = (Vec::new(), body);
    loop {
        let (line, after) = line_of(rest);
        let Some((&length, characters)) = line.split_first() else { return (octets, after) };
        let length = usize::from(length.wrapping_sub(b' ') & 63);
        let is_line =
            line.iter().all(|octet| (b' '..=b'`').contains(octet)) && length.div_ceil(3) * 4 <= characters.len() + 3;
        if !is_line || length == 0 {
            return (octets, after);
        }
        let groups = characters.chunks(4).map(|group| {
            let bits = (0..4).map(|place| group.get(place).map_or(0, |octet| u32::from(octet.wrapping_sub(b' ') & 63)));
            bits.fold(0, |bits, sextet| bits << 6 | sextet)
        });
        let decoded = groups.flat_map(|bits| [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]);
        octets.extend(decoded.take(length));
        if after.is_empty() {
            return (octets, after);
        }
        rest = after;
    }
}

/// The first line without its end, and what follows it.
fn line_of(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let (line, rest) = text.split_at(end);
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_are_found_where_a_line_begins_one() {
        let file = |name: &str, octets: &[u8]| UuFile { name: name.to_owned(), octets: octets.to_vec() };
        for (text, expected) in [
            (&b"hello\r\nbegin 644 a b.txt\r\n#0V%T\r\n`\r\nend\r\nbye"[..], vec![file("a b.txt", b"Cat")]),
            (b"begin 0755 a\n#0V%T\n \nend\nbegin 600 b\n#0V%T\n", vec![file("a", b"Cat"), file("b", b"Cat")]),
            (b"we begin 644 things\n#0V%T\n", vec![]),
            (b"begin with a word\n#0V%T\n", vec![]),
            (b"begin 644 a\nplain text follows\n", vec![]),
        ] {
            assert_eq!(files(text), expected, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(begin 644 a\n)?[ -b\n]{0,60}") {
            prop_assert!(files(text.as_bytes()).len() <= MAX_FILES);
        }
    }
}
