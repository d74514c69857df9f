//! HTML cut into tags, texts and comments, the way a browser cuts it (WHATWG HTML §13.2.5), as far as links need it.

use std::borrow::Cow;

use memchr::memmem;

use super::character_reference::resolved;

/// Attributes of one tag that are read.
pub(crate) const MAX_ATTRIBUTES: usize = 100;

/// Elements whose content is text, whatever looks like a tag in it.
const RAW_TEXT: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// A piece of markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'h> {
    Open(Tag<'h>),
    /// Name in lower case.
    Close(String),
    /// References not resolved.
    Text(&'h str),
    /// What an element of this name holds that is no markup.
    Raw(&'static str, &'h str),
    Comment(&'h str),
}

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag<'h> {
    /// Lower case.
    pub(crate) name: String,
    /// Of attributes with the same name the first counts.
    attributes: Vec<(&'h str, &'h str)>,
}

impl<'h> Tag<'h> {
    /// The value with its references resolved. Names in any case.
    #[must_use]
    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'h, str>> {
        self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| resolved(value))
    }

    /// Every attribute, references resolved.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (String, Cow<'h, str>)> {
        self.attributes.iter().map(|(name, value)| (name.to_ascii_lowercase(), resolved(value)))
    }
}

/// The pieces of a document. Linear, accepts everything.
#[derive(Debug, Clone)]
pub(crate) struct Pieces<'h> {
    rest: &'h str,
    /// The element whose raw text comes next.
    raw: Option<&'static str>,
}

impl<'h> Pieces<'h> {
    #[must_use]
    pub(crate) fn of(html: &'h str) -> Self {
        Self { rest: html, raw: None }
    }

    /// Up to the end tag of the element.
    fn raw_text(&mut self, element: &'static str) -> Piece<'h> {
        let mut from = 0;
        let end = loop {
            let Some(at) = memmem::find(self.rest.as_bytes().get(from..).unwrap_or_default(), b"</") else {
                break self.rest.len();
            };
            let name = self.rest.get(from + at + 2..).unwrap_or_default();
            let is_end = name.get(..element.len()).is_some_and(|name| name.eq_ignore_ascii_case(element));
            if is_end && name.get(element.len()..).is_some_and(|rest| !rest.starts_with(is_name)) {
                break from + at;
            }
            from += at + 2;
        };
        Piece::Raw(element, self.take(end))
    }

    /// `rest` begins with `<` and a letter.
    fn open(&mut self) -> Option<Piece<'h>> {
        self.take(1);
        let name = self.name();
        let mut attributes = Vec::new();
        loop {
            self.skip(|c| is_space(c) || c == '/');
            if self.rest.is_empty() {
                return None;
            }
            if self.rest.starts_with('>') {
                self.take(1);
                break;
            }
            let attribute = self.attribute();
            if attributes.len() < MAX_ATTRIBUTES {
                attributes.push(attribute);
            }
        }
        self.raw = RAW_TEXT.into_iter().find(|element| *element == name);
        Some(Piece::Open(Tag { name, attributes }))
    }

    /// `rest` is not empty and begins neither with white space nor with `>`.
    fn attribute(&mut self) -> (&'h str, &'h str) {
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let after_first = self.rest.get(first..).unwrap_or_default();
        let length = after_first.find(|c| is_space(c) || matches!(c, '/' | '>' | '=')).unwrap_or(after_first.len());
        let name = self.take(first + length);
        self.skip(is_space);
        if !self.rest.starts_with('=') {
            return (name, "");
        }
        self.take(1);
        self.skip(is_space);
        (name, self.value())
    }

    fn value(&mut self) -> &'h str {
        let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let end = self.rest.find(|c| is_space(c) || c == '>').unwrap_or(self.rest.len());
            return self.take(end);
        };
        self.take(1);
        let end = self.rest.find(quote).unwrap_or(self.rest.len());
        let value = self.take(end);
        self.take(1);
        value
    }

    /// `rest` begins with `<!`, `<?` or `</` without a name.
    fn comment(&mut self) -> Piece<'h> {
        let Some(comment) = self.rest.strip_prefix("<!--") else {
            self.take(2);
            let end = self.rest.find('>').unwrap_or(self.rest.len());
            let text = self.take(end);
            self.take(1);
            return Piece::Comment(text);
        };
        self.rest = comment;
        for empty in [">", "->"] {
            if let Some(rest) = self.rest.strip_prefix(empty) {
                self.rest = rest;
                return Piece::Comment("");
            }
        }
        let before_brackets = self.rest.match_indices('>').map(|(at, _)| self.rest.get(..at).unwrap_or_default());
        let ended =
            before_brackets.filter_map(|text| text.strip_suffix("--!").or_else(|| text.strip_suffix("--"))).next();
        let end = ended.map_or(self.rest.len(), str::len);
        let text = self.take(end);
        let closing = self.rest.find('>').map_or(0, |at| at + 1);
        self.take(closing);
        Piece::Comment(text)
    }

    fn close(&mut self) -> Piece<'h> {
        self.take(2);
        let name = self.name();
        let end = self.rest.find('>').map_or(self.rest.len(), |end| end + 1);
        self.take(end);
        Piece::Close(name)
    }

    fn name(&mut self) -> String {
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        self.take(end).to_ascii_lowercase()
    }

    fn text(&mut self) -> Piece<'h> {
        let after_first = self.rest.get(1..).and_then(|rest| rest.find('<'));
        let starts_with_bracket = self.rest.starts_with('<');
        let end = if starts_with_bracket { after_first.map(|at| at + 1) } else { self.rest.find('<') };
        Piece::Text(self.take(end.unwrap_or(self.rest.len())))
    }

    fn take(&mut self, octets: usize) -> &'h str {
        let (taken, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is_skipped);
    }
}

impl<'h> Iterator for Pieces<'h> {
    type Item = Piece<'h>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(element) = self.raw.take() {
            return Some(self.raw_text(element));
        }
        let mut first = self.rest.chars();
        match (first.next(), first.next()) {
            (Some('<'), Some(letter)) if letter.is_ascii_alphabetic() => self.open(),
            (Some('<'), Some('/')) => match first.next() {
                Some(letter) if letter.is_ascii_alphabetic() => Some(self.close()),
                Some(_) => Some(self.comment()),
                None => Some(self.text()),
            },
            (Some('<'), Some('!' | '?')) => Some(self.comment()),
            _ => Some(self.text()),
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

fn is_name(character: char) -> bool {
    !is_space(character) && !matches!(character, '/' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each piece as a text that is easy to compare.
    fn pieces(html: &str) -> Vec<String> {
        let shown = |piece: Piece<'_>| match piece {
            Piece::Open(tag) => {
                let attributes = tag.attributes().map(|(name, value)| format!(" {name}={value}"));
                format!("<{}{}>", tag.name, attributes.collect::<String>())
            }
            Piece::Close(name) => format!("</{name}>"),
            Piece::Text(text) => text.to_owned(),
            Piece::Raw(element, text) => format!("{element}: {text}"),
            Piece::Comment(text) => format!("<!{text}>"),
        };
        Pieces::of(html).map(shown).collect()
    }

    #[test]
    fn markup_is_cut_as_a_browser_cuts_it() {
        for (html, expected) in [
            ("<A HREF=x>y</A>", &["<a href=x>", "y", "</a>"][..]),
            ("<a href = 'x y'\ntitle=\"a>b\" b>", &["<a href=x y title=a>b b=>"]),
            ("<a/href=x/y>", &["<a href=x/y>"]),
            ("<a href=\"x\"href2=y>", &["<a href=x href2=y>"]),
            ("<a href=&#106;s>", &["<a href=js>"]),
            ("1 < 2 <3", &["1 ", "< 2 ", "<3"]),
            ("<!-- a --><b>", &["<! a >", "<b>"]),
            ("<!--> <b> --!>", &["<!>", " ", "<b>", " --!>"]),
            ("<!-- a --!><b>", &["<! a >", "<b>"]),
            ("<!doctype html><?php x?>", &["<!doctype html>", "<!php x?>"]),
            (
                "<script>if (a<b) '</scriptx'</script >c",
                &["<script>", "script: if (a<b) '</scriptx'", "</script>", "c"],
            ),
            ("<style>a</style>", &["<style>", "style: a", "</style>"]),
            ("<a href=x", &[]),
            ("</ a><b", &["<! a>"]),
        ] {
            assert_eq!(pieces(html), expected, "{html}");
        }
    }

    #[test]
    fn no_more_attributes_are_read_than_the_limit() {
        let html = format!("<a {}>", "b=c ".repeat(200));
        let Some(Piece::Open(tag)) = Pieces::of(&html).next() else { panic!("a tag") };
        assert_eq!(tag.attributes().count(), MAX_ATTRIBUTES);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_a_panic_and_without_end(html in "[<>/!?a-c =\"'\u{e9}-]{0,60}|<script>[</script> ]{0,30}") {
            prop_assert!(Pieces::of(&html).count() <= html.len());
        }
    }
}
