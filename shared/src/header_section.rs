//! The header section of a message (RFC 5322 §2.2), read the way the most permissive reader would and complaining
//! like the strictest one: whatever two readers could understand differently is a fault.

#![expect(
    clippy::indexing_slicing,
    reason = "offsets come from a scan of the same slice, and property tests feed any octets"
)]

use memchr::{memchr, memchr_iter};

/// More fields than this are counted but not kept. Real messages stay under 300.
pub const MAX_FIELDS: usize = 10_000;
/// Octets of one field, name and folding included.
pub const MAX_FIELD_OCTETS: usize = 1 << 20;

/// The fields before the first empty line, borrowed from the message.
///
/// Lines end in CRLF or in LF. A message, body included, that has only LF line ends reads the same to everybody: its fault
/// is [`HeaderFault::LfOnly`]. LF line ends in the header section of any other message are [`HeaderFault::BareLf`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderSection<'a> {
    pub fields: Vec<Field<'a>>,
    /// Where the body begins: after the empty line, or the length of a message without one.
    pub body_offset: usize,
    /// Each fault at most once, in the order of the first occurrence.
    pub faults: Vec<HeaderFault>,
}

/// One header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Without the white space that RFC 5322 §4.5 once allowed before the colon.
    pub name: &'a [u8],
    /// Everything between the colon and the line end that closes the field, folding included.
    pub value: &'a [u8],
    /// The whole field as written, without the line end that closes it.
    pub text: &'a [u8],
    /// Where the name begins in the message.
    pub offset: usize,
    /// Where the value begins in the message, right after the colon.
    pub value_offset: usize,
    /// Where the next line of the message begins.
    pub end: usize,
}

/// What is wrong with the shape of a header section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderFault {
    /// CR that no LF follows.
    BareCr,
    /// LF that no CR precedes, in a message that has CRLF too.
    BareLf,
    /// Every line of the message ends in LF alone.
    LfOnly,
    Nul,
    /// `From : ann@example.com` (RFC 5322 §4.5, to be read but not written).
    WhiteSpaceBeforeColon,
    LineWithoutColon,
    /// A field name with octets outside ftext (RFC 5322 §3.6.8), or an empty one.
    BadFieldName,
    /// The first line begins with white space, so it continues a field that is not there.
    FirstLineFolded,
    /// A continuation of nothing but white space, which some readers take for the end (RFC 5322 §4.2).
    WhiteSpaceLine,
    TooManyFields,
    FieldTooLong,
    /// The message ends with its header section. Legitimate: a body is optional (RFC 5322 §3.5).
    MissingBlankLine,
}

impl HeaderFault {
    /// Every fault.
    pub const ALL: [Self; 12] = [
        Self::BareCr,
        Self::BareLf,
        Self::LfOnly,
        Self::Nul,
        Self::WhiteSpaceBeforeColon,
        Self::LineWithoutColon,
        Self::BadFieldName,
        Self::FirstLineFolded,
        Self::WhiteSpaceLine,
        Self::TooManyFields,
        Self::FieldTooLong,
        Self::MissingBlankLine,
    ];

    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BareCr => "bare_cr",
            Self::BareLf => "bare_lf",
            Self::LfOnly => "lf_only",
            Self::Nul => "nul",
            Self::WhiteSpaceBeforeColon => "white_space_before_colon",
            Self::LineWithoutColon => "line_without_colon",
            Self::BadFieldName => "bad_field_name",
            Self::FirstLineFolded => "first_line_folded",
            Self::WhiteSpaceLine => "white_space_line",
            Self::TooManyFields => "too_many_fields",
            Self::FieldTooLong => "field_too_long",
            Self::MissingBlankLine => "missing_blank_line",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::BareCr => "The header section has a CR without LF.",
            Self::BareLf => "The header section has LF line ends in a message with CRLF.",
            Self::LfOnly => "The message has LF line ends only.",
            Self::Nul => "The header section has a NUL octet.",
            Self::WhiteSpaceBeforeColon => "A field name is separated from its colon by white space.",
            Self::LineWithoutColon => "A line of the header section has no colon.",
            Self::BadFieldName => "A field name has octets that field names must not have.",
            Self::FirstLineFolded => "The first line continues a field that is not there.",
            Self::WhiteSpaceLine => "A field is continued by a line of white space only.",
            Self::TooManyFields => "The header section has more than 10000 fields.",
            Self::FieldTooLong => "A field is longer than 1048576 octets.",
            Self::MissingBlankLine => "No empty line ends the header section.",
        }
    }

    /// Whether another reader may find fields here that we do not, or cut them differently, so that no field of the
    /// section is certain to say what a reader sees. The others at most hide fields from some readers.
    #[must_use]
    pub const fn blurs_fields(self) -> bool {
        match self {
            Self::BareCr
            | Self::BareLf
            | Self::Nul
            | Self::LineWithoutColon
            | Self::BadFieldName
            | Self::FirstLineFolded
            | Self::TooManyFields
            | Self::FieldTooLong => true,
            Self::LfOnly | Self::WhiteSpaceBeforeColon | Self::WhiteSpaceLine | Self::MissingBlankLine => false,
        }
    }
}

impl<'a> HeaderSection<'a> {
    /// Reads up to the first empty line. Linear in the header section, copies nothing, accepts every input.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Self {
        let mut section = Self::default();
        let mut offset = 0;
        let ended = loop {
            let line = line_at(message, offset);
            if line.text.is_empty() {
                section.body_offset = line.end;
                break offset < line.end;
            }
            offset = section.take_field(message, line);
        };
        section.check_octets(message);
        if !ended {
            section.fault(HeaderFault::MissingBlankLine);
        }
        section
    }

    /// The fields of that name, in message order. Field names are case-insensitive.
    pub fn fields_named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.is_named(name))
    }

    /// Takes the field that begins at `first` with all its continuation lines; answers where the next one begins.
    fn take_field(&mut self, message: &'a [u8], first: Line<'a>) -> usize {
        let mut last = line_at(message, first.end);
        let mut text_end = first.offset + first.text.len();
        let mut end = first.end;
        while last.text.first().is_some_and(|&octet| is_wsp(octet)) {
            if last.text.iter().all(|&octet| is_wsp(octet)) {
                self.fault(HeaderFault::WhiteSpaceLine);
            }
            (text_end, end) = (last.offset + last.text.len(), last.end);
            last = line_at(message, end);
        }
        if MAX_FIELD_OCTETS < end - first.offset {
            self.fault(HeaderFault::FieldTooLong);
        }
        self.add(&message[first.offset..text_end], first.text.len(), first.offset, end);
        end
    }

    /// `text` is the whole field without its last line end; the colon has to be in the first `first_line` octets.
    fn add(&mut self, text: &'a [u8], first_line: usize, offset: usize, end: usize) {
        if text.first().is_some_and(|&octet| is_wsp(octet)) {
            return self.fault(HeaderFault::FirstLineFolded);
        }
        let Some(colon) = text[..first_line].iter().position(|&octet| octet == b':') else {
            return self.fault(HeaderFault::LineWithoutColon);
        };
        let name = trim_wsp_end(&text[..colon]);
        if name.len() < colon {
            self.fault(HeaderFault::WhiteSpaceBeforeColon);
        }
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            self.fault(HeaderFault::BadFieldName);
        }
        if self.fields.len() == MAX_FIELDS {
            return self.fault(HeaderFault::TooManyFields);
        }
        self.fields.push(Field {
            name,
            value: &text[colon + 1..],
            text,
            offset,
            value_offset: offset + colon + 1,
            end,
        });
    }

    fn check_octets(&mut self, message: &[u8]) {
        let (section, body) = message.split_at(self.body_offset);
        if section.contains(&0) {
            self.fault(HeaderFault::Nul);
        }
        let line_ends = LineEnds::count(section);
        if 0 < line_ends.bare_cr {
            self.fault(HeaderFault::BareCr);
        }
        match line_ends {
            LineEnds { bare_lf: 0, .. } => {}
            // To a reader who knows only CRLF, a body with CRLF in it belongs to the header section.
            LineEnds { crlf: 0, .. } if LineEnds::count(body).crlf == 0 => self.fault(HeaderFault::LfOnly),
            _ => self.fault(HeaderFault::BareLf),
        }
    }

    fn fault(&mut self, fault: HeaderFault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

impl Field<'_> {
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line: line ends dropped (RFC 5322 §2.2.3), white space around it trimmed, octets that are not
    /// UTF-8 replaced by U+FFFD. A CR that ends no line stays.
    #[must_use]
    pub fn unfolded(&self) -> String {
        let text = String::from_utf8_lossy(self.value).replace("\r\n", "").replace('\n', "");
        text.trim_matches([' ', '\t']).to_owned()
    }
}

/// The offset of the first lone dot that some mail server takes for the end of the message and another does not:
/// `LF . CRLF`, `CRLF . LF`, `CR . CR` and so on, anything but `CRLF . CRLF` (SMTP smuggling, RFC 5321 §4.1.1.4).
///
/// NUL beside the dot counts as nothing, as it does for some. A message without any CR has LF line ends throughout, and its lone dots are plain lines.
#[must_use]
pub fn smuggling_mark(message: &[u8]) -> Option<usize> {
    let mark = memchr_iter(b'.', message).find(|&dot| {
        let before = without_nul_at_end(&message[..dot]);
        let after = without_nul_at_start(&message[dot + 1..]);
        let is_break = |octet: Option<&u8>| matches!(octet, Some(b'\r' | b'\n'));
        let has_nul = before.len() < dot || after.len() < message.len() - dot - 1;
        let is_plain = !has_nul && before.ends_with(b"\r\n") && after.starts_with(b"\r\n");
        is_break(before.last()) && is_break(after.first()) && !is_plain
    })?;
    message.contains(&b'\r').then_some(mark)
}

/// As many as anybody would put there; more keep a dot from being lone.
const MOST_NUL: usize = 8;

fn without_nul_at_end(text: &[u8]) -> &[u8] {
    let nul = text.iter().rev().take(MOST_NUL).take_while(|octet| **octet == 0).count();
    &text[..text.len() - nul]
}

fn without_nul_at_start(text: &[u8]) -> &[u8] {
    let nul = text.iter().take(MOST_NUL).take_while(|octet| **octet == 0).count();
    &text[nul..]
}

/// A line without its line end. `end` is where the next line begins.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a [u8],
    offset: usize,
    end: usize,
}

#[derive(Default)]
struct LineEnds {
    crlf: usize,
    bare_lf: usize,
    bare_cr: usize,
}

impl LineEnds {
    fn count(text: &[u8]) -> Self {
        let mut ends = Self::default();
        let mut previous = 0;
        for &octet in text {
            match (previous, octet) {
                (b'\r', b'\n') => ends.crlf += 1,
                (b'\r', _) => ends.bare_cr += 1,
                (_, b'\n') => ends.bare_lf += 1,
                _ => {}
            }
            previous = octet;
        }
        ends.bare_cr += usize::from(previous == b'\r');
        ends
    }
}

/// The line that begins at `offset`; at the end of the message an empty one of no length.
fn line_at(message: &[u8], offset: usize) -> Line<'_> {
    let rest = &message[offset..];
    let (text, end) = match memchr(b'\n', rest) {
        Some(lf) => (&rest[..lf], offset + lf + 1),
        None => (rest, message.len()),
    };
    let closed = end - offset != text.len();
    let text = if closed { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
    Line { text, offset, end }
}

fn is_wsp(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

fn trim_wsp_end(text: &[u8]) -> &[u8] {
    let kept = text.iter().rposition(|&octet| !is_wsp(octet)).map_or(0, |last| last + 1);
    &text[..kept]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names_and_values(message: &str) -> Vec<(String, String)> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        HeaderSection::parse(message.as_bytes()).fields.iter().map(|f| (text(f.name), text(f.value))).collect()
    }

    #[test]
    fn fields_are_cut_where_a_line_does_not_begin_with_white_space() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        for (message, expected) in [
            ("A: 1\r\nB:2\r\n\r\nC: body\r\n", pairs(&[("A", " 1"), ("B", "2")])),
            ("A: 1\r\n\t2\r\n 3\r\nB: 4\r\n\r\n", pairs(&[("A", " 1\r\n\t2\r\n 3"), ("B", " 4")])),
            ("A: 1\nB: 2\n\nbody", pairs(&[("A", " 1"), ("B", " 2")])),
            ("From : x\r\n\r\n", pairs(&[("From", " x")])),
            (" folded\r\nA: 1\r\n\r\n", pairs(&[("A", " 1")])),
            ("A: 1\r\nno colon\r\nB: 2\r\n\r\n", pairs(&[("A", " 1"), ("B", " 2")])),
            ("A: x:y", pairs(&[("A", " x:y")])),
            ("\r\nA: 1\r\n\r\n", pairs(&[])),
        ] {
            assert_eq!(names_and_values(message), expected, "{message:?}");
        }
    }

    #[test]
    fn every_departure_from_the_grammar_is_a_fault_of_its_own() {
        use HeaderFault::*;
        let too_many = "A: 1\r\n".repeat(MAX_FIELDS + 1) + "\r\n";
        let too_long = format!("A: {}\r\n\r\n", "x".repeat(MAX_FIELD_OCTETS));
        for (message, expected) in [
            ("A: 1\r\n\r\nbody\n", &[][..]),
            ("A: 1\n\nbody", &[LfOnly]),
            ("A: 1\nB: 2\r\n\r\n", &[BareLf]),
            ("A: 1\n\nbody\r\nB: 2\r\n\r\n", &[BareLf]),
            ("A: 1\rB: 2\r\n\r\n", &[BareCr]),
            ("A: 1\r\r\n\r\n", &[BareCr]),
            ("A: 1\0\r\n\r\n", &[Nul]),
            ("A : 1\r\n\r\n", &[WhiteSpaceBeforeColon]),
            ("A\r\n\r\n", &[LineWithoutColon]),
            ("A\r\n :1\r\n\r\n", &[LineWithoutColon]),
            ("\u{feff}A: 1\r\n\r\n", &[BadFieldName]),
            ("A B: 1\r\n\r\n", &[BadFieldName]),
            (": 1\r\n\r\n", &[BadFieldName]),
            (" A: 1\r\n\r\n", &[FirstLineFolded]),
            ("A: 1\r\n \t\r\n\r\n", &[WhiteSpaceLine]),
            ("A: 1\r\n", &[MissingBlankLine]),
            ("A: 1", &[MissingBlankLine]),
            ("", &[MissingBlankLine]),
            (&too_many, &[TooManyFields]),
            (&too_long, &[FieldTooLong]),
        ] {
            let section = HeaderSection::parse(message.as_bytes());
            assert_eq!(section.faults, expected, "{:?}", &message[..message.len().min(40)]);
        }
    }

    #[test]
    fn a_field_knows_where_it_begins_and_where_the_next_line_does() {
        let section = HeaderSection::parse(b"A: 1\r\nB: 2\r\n 3\r\n\r\nbody");
        let field = section.fields[1];
        assert_eq!((field.offset, field.value_offset, field.end, section.body_offset), (6, 8, 16, 18));
        assert_eq!(section.fields[1].unfolded(), "2 3");
        assert_eq!(HeaderSection::parse(b"A: 1\r2\r\n\t3\n 4\r\n\r\n").fields[0].unfolded(), "1\r2\t3 4");
    }

    #[test]
    fn names_are_found_in_any_case() {
        let section = HeaderSection::parse(b"FROM: a\r\nX-From: b\r\nfrom : c\r\n\r\n");
        let values: Vec<_> = section.fields_named("From").map(Field::unfolded).collect();
        assert_eq!(values, ["a", "c"]);
    }

    #[test]
    fn a_lone_dot_between_unequal_line_ends_is_a_smuggling_mark() {
        for (message, expected) in [
            ("A: 1\r\n\r\nhello\r\n.\r\nbye\r\n", None),
            ("A: 1\r\n\r\nhello\r\n.\nMAIL", Some(15)),
            ("A: 1\r\n\r\nhello\n.\r\nMAIL", Some(14)),
            ("A: 1\r\n\r\nhello\n.\nMAIL", Some(14)),
            ("A: 1\r\n\r\nhello\r.\r\nMAIL", Some(14)),
            ("A: 1\r\n\r\nhello\r\n.\rMAIL", Some(15)),
            ("A: 1\r\n\r\nhello\r.\rMAIL", Some(14)),
            ("A: 1\r\n\r\nhello\r\n\0.\r\nMAIL", Some(16)),
            ("A: 1\r\n\r\nhello\r\n.\0\r\nMAIL", Some(15)),
            ("A: 1\r\n\r\nhello.\0\r\nMAIL", None),
            ("A: 1\n\nhello\n.\nbye\n", None),
            ("A: 1\r\n\r\nend.\n", None),
        ] {
            assert_eq!(smuggling_mark(message.as_bytes()), expected, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(message in proptest::collection::vec(any::<u8>(), 0..400)) {
            let section = HeaderSection::parse(&message);
            prop_assert!(section.body_offset <= message.len());
            prop_assert!(smuggling_mark(&message).is_none_or(|dot| message[dot] == b'.'));
        }

        #[test]
        fn fields_never_overlap_and_stay_before_the_body(message in "[A-C:\\. \t\r\n\0]{0,200}") {
            let section = HeaderSection::parse(message.as_bytes());
            let mut previous = 0;
            for field in &section.fields {
                prop_assert!(previous <= field.offset && field.offset < field.end);
                previous = field.end;
            }
            prop_assert!(previous <= section.body_offset);
        }
    }
}
