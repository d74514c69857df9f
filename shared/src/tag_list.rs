//! Tag lists (RFC 6376 §3.2): `v=1; a=rsa-sha256; ..`, as DKIM and ARC fields and key records are written.

use std::ops::Range;

/// A longer list is not read. A signature with a 4096-bit key and 200 signed names has under 6,000 octets.
pub const MAX_TAG_LIST_OCTETS: usize = 16 * 1024;
/// A list with more tags is not read. RFC 6376 defines 13 for a signature.
pub const MAX_TAGS: usize = 100;

/// The tags in the order in which they were written. No name occurs twice; names are case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagList<'a> {
    tags: Vec<Tag<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag<'a> {
    name: &'a str,
    value: &'a str,
    /// Where the value stands in the text, with the white space around it.
    span: Range<usize>,
}

/// Why a tag list as a whole is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagListFault {
    TooLong,
    TooManyTags,
    NotUtf8,
    /// Nothing between two semicolons, or before the first.
    EmptyTag,
    MissingEquals,
    /// Other than a letter followed by letters, digits and underscores.
    BadName,
    /// A control character, or a line end that does not fold.
    BadValue,
    DuplicateTag,
}

impl TagListFault {
    pub const ALL: [Self; 8] = [
        Self::TooLong,
        Self::TooManyTags,
        Self::NotUtf8,
        Self::EmptyTag,
        Self::MissingEquals,
        Self::BadName,
        Self::BadValue,
        Self::DuplicateTag,
    ];

    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "tag_list_too_long",
            Self::TooManyTags => "tag_list_too_many_tags",
            Self::NotUtf8 => "tag_list_not_utf8",
            Self::EmptyTag => "tag_list_empty_tag",
            Self::MissingEquals => "tag_list_missing_equals",
            Self::BadName => "tag_list_bad_name",
            Self::BadValue => "tag_list_bad_value",
            Self::DuplicateTag => "tag_list_duplicate_tag",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::TooLong => "The tag list is longer than 16384 octets.",
            Self::TooManyTags => "The tag list has more than 100 tags.",
            Self::NotUtf8 => "The tag list has octets that are not UTF-8.",
            Self::EmptyTag => "The tag list has nothing between two semicolons.",
            Self::MissingEquals => "A tag has no equals sign.",
            Self::BadName => "The name of a tag has characters that such names must not have.",
            Self::BadValue => "The value of a tag has control characters.",
            Self::DuplicateTag => "A tag occurs twice.",
        }
    }
}

impl<'a> TagList<'a> {
    /// Reads a field value or a TXT record. Linear in its length, up to [`MAX_TAG_LIST_OCTETS`].
    ///
    /// Characters beyond ASCII may stand in values (RFC 8616 §3); folding is CRLF or LF before white space.
    ///
    /// # Errors
    /// A list with any fault is invalid as a whole (RFC 6376 §3.2): readers that skip different parts of it would see
    /// different signatures.
    pub fn parse(text: &'a str) -> Result<Self, TagListFault> {
        if MAX_TAG_LIST_OCTETS < text.len() {
            return Err(TagListFault::TooLong);
        }
        let mut list = Self::default();
        let mut offset = 0;
        for spec in specs(text) {
            list.add(spec, offset)?;
            offset += spec.len() + 1;
        }
        Ok(list)
    }

    /// [`TagList::parse`] for octets, such as the value of a header field.
    ///
    /// # Errors
    /// Those of [`TagList::parse`], and [`TagListFault::NotUtf8`].
    pub fn of(octets: &'a [u8]) -> Result<Self, TagListFault> {
        if MAX_TAG_LIST_OCTETS < octets.len() {
            return Err(TagListFault::TooLong);
        }
        Self::parse(std::str::from_utf8(octets).map_err(|_| TagListFault::NotUtf8)?)
    }

    /// The value as written, folding inside included, without the white space around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.tags.iter().find(|tag| tag.name == name).map(|tag| tag.value)
    }

    /// Where the value stands in the text that was parsed, with all white space around it.
    #[must_use]
    pub fn span(&self, name: &str) -> Option<Range<usize>> {
        self.tags.iter().find(|tag| tag.name == name).map(|tag| tag.span.clone())
    }

    /// Whether `name` is the tag that the list begins with.
    #[must_use]
    pub fn begins_with(&self, name: &str) -> bool {
        self.tags.first().is_some_and(|tag| tag.name == name)
    }

    /// `offset` is where `spec` stands in the text.
    fn add(&mut self, spec: &'a str, offset: usize) -> Result<(), TagListFault> {
        if !is_folded_text(spec) {
            return Err(TagListFault::BadValue);
        }
        if trimmed(spec).is_empty() {
            return Err(TagListFault::EmptyTag);
        }
        let (name, written) = spec.split_once('=').ok_or(TagListFault::MissingEquals)?;
        let (name, end) = (trimmed(name), offset + spec.len());
        if !is_tag_name(name) {
            return Err(TagListFault::BadName);
        }
        if self.get(name).is_some() {
            return Err(TagListFault::DuplicateTag);
        }
        if self.tags.len() == MAX_TAGS {
            return Err(TagListFault::TooManyTags);
        }
        self.tags.push(Tag { name, value: trimmed(written), span: end - written.len()..end });
        Ok(())
    }
}

/// Without spaces, tabs and line ends, wherever they are: what folding white space may interrupt, such as base64.
#[must_use]
pub fn without_white_space(value: &str) -> String {
    value.chars().filter(|&c| !is_white_space(c)).collect()
}

/// The items of a colon-separated value, without the white space around them.
pub fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(trimmed)
}

/// What stands between the semicolons; one may close the list.
fn specs(text: &str) -> impl Iterator<Item = &str> {
    let closed = text.trim_end_matches(is_white_space);
    // A line end after the last semicolon that folds nothing is a fault, so only clean white space is dropped.
    let text = if is_folded_text(text) { closed.strip_suffix(';').unwrap_or(text) } else { text };
    text.split(';')
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(is_white_space)
}

const fn is_white_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_tag_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether every line end is CRLF or LF with white space after it, and there is no other control character but tab.
fn is_folded_text(text: &str) -> bool {
    // Most text is plain. Without an early exit, so that it is vectorised.
    if text.bytes().fold(true, |plain, octet| plain & (octet.wrapping_sub(b' ') < 0x5f)) {
        return true;
    }
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        let good = match c {
            '\r' => next == Some('\n'),
            '\n' => matches!(next, Some(' ' | '\t')),
            '\t' => true,
            _ => !c.is_control(),
        };
        if !good {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_read_with_the_white_space_that_folding_allows() {
        for (text, expected) in [
            ("v=1", &[("v", "1")][..]),
            (" v = 1 ;a= x ", &[("v", "1"), ("a", "x")]),
            ("v=1;\r\n\tb=ab\r\n cd ;", &[("v", "1"), ("b", "ab\r\n cd")]),
            ("v=1;\n b=", &[("v", "1"), ("b", "")]),
            ("v=1; a=x;", &[("v", "1"), ("a", "x")]),
            ("v=1; \t", &[("v", "1")]),
            ("p=a==; P=b", &[("p", "a=="), ("P", "b")]),
            ("a_1=\"x y\"", &[("a_1", "\"x y\"")]),
            ("d=bücher.example", &[("d", "bücher.example")]),
        ] {
            let pairs = |list: TagList<'static>| list.tags.iter().map(|tag| (tag.name, tag.value)).collect::<Vec<_>>();
            assert_eq!(TagList::parse(text).map(pairs), Ok(expected.to_vec()), "{text:?}");
        }
    }

    #[test]
    fn one_fault_makes_the_whole_list_invalid() {
        use TagListFault::*;
        let tags = |count: usize| (0..count).map(|n| format!("t{n}=1")).collect::<Vec<_>>().join(";");
        for (text, expected) in [
            ("", EmptyTag),
            (";", EmptyTag),
            (" ; v=1", EmptyTag),
            ("v=1;;a=x", EmptyTag),
            ("v=1; ;", EmptyTag),
            ("v", MissingEquals),
            ("v=1; a rsa", MissingEquals),
            ("=1", BadName),
            ("==", BadName),
            ("_=1", BadName),
            ("1a=1", BadName),
            ("a-b=1", BadName),
            ("a b=1", BadName),
            ("é=1", BadName),
            ("v=1; v=1", DuplicateTag),
            ("d=a.example; s=x; d = b.example", DuplicateTag),
            ("v=\0", BadValue),
            ("v=1\r", BadValue),
            ("v=1\r x", BadValue),
            ("v=1\r\nx=2", BadValue),
            ("v=1;\r\n", BadValue),
            ("v=1\u{7f}", BadValue),
            (&tags(MAX_TAGS + 1), TooManyTags),
            (&format!("v={}", "1".repeat(MAX_TAG_LIST_OCTETS)), TooLong),
        ] {
            assert_eq!(TagList::parse(text), Err(expected), "{:?}", text.get(..40).unwrap_or(text));
        }
        assert_eq!(TagList::of(b"v=\xff"), Err(NotUtf8));
        assert_eq!(TagList::parse(&tags(MAX_TAGS)).map(|list| list.tags.len()), Ok(MAX_TAGS));
    }

    #[test]
    fn a_span_is_where_the_value_stands_with_its_white_space() {
        for (text, expected) in [
            ("v=1; b= x y ; c=2", Some(" x y ")),
            ("v=1; b =\r\n\tx\r\n", None),
            ("v=1; b =\r\n\tx\r\n y ", Some("\r\n\tx\r\n y ")),
            ("b=;", Some("")),
            ("ü=1; b=x", None),
            ("u=ü; b=x;", Some("x")),
            ("v=1", None),
        ] {
            let span = TagList::parse(text).ok().and_then(|list| list.span("b"));
            assert_eq!(span.map(|span| &text[span]), expected, "{text:?}");
        }
    }

    #[test]
    fn names_are_case_sensitive() {
        let list = TagList::parse("S=a; d=b").expect("a tag list");
        assert_eq!(
            (list.get("s"), list.get("S"), list.begins_with("S"), list.begins_with("d")),
            (None, Some("a"), true, false)
        );
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = TagList::of(&octets);
        }

        #[test]
        fn what_was_written_is_what_is_read(
            tags in proptest::collection::btree_map("[a-zA-Z][a-zA-Z0-9_]{0,4}", "[!-:<-~]{0,9}", 1..20),
            space in "( |\t|\r\n |\n\t){0,3}",
        ) {
            let text: Vec<_> = tags.iter().map(|(n, v)| format!("{space}{n}{space}={space}{v}{space}")).collect();
            let text = text.join(";");
            let list = TagList::parse(&text).expect("a tag list");
            for (name, value) in &tags {
                prop_assert_eq!(list.get(name), Some(value.as_str()));
            }
        }
    }
}
