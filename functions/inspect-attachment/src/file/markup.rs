//! The tags of HTML, SVG and XML, read as forgivingly as browsers do.

use std::borrow::Cow;

/// Attributes of one tag that are read.
const MAX_ATTRIBUTES: usize = 100;

/// A start tag, or the text of an element that holds no tags and may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Tag(Tag<'a>),
    Script(&'a str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    /// In lower case, without a prefix of a namespace.
    pub(crate) name: String,
    attributes: Vec<(String, Cow<'a, str>)>,
}

impl Tag<'_> {
    /// The value of an attribute by its name in lower case, with or without a prefix of a namespace.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| local(known) == name);
        found.map(|(_, value)| value.as_ref())
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (local(name), value.as_ref()))
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// All start tags in order. Linear in `text`.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let (mut rest, mut raw_until, mut are_comments_over) = (text, None, false);
    std::iter::from_fn(move || {
        if let Some(name) = raw_until.take() {
            let end = end_of_raw(rest, name);
            let (raw, after) = rest.split_at(end);
            rest = after;
            if name == "script" {
                return Some(Piece::Script(raw));
            }
        }
        let tag = next_tag(&mut rest, &mut are_comments_over)?;
        raw_until = ["script", "style"].into_iter().find(|name| *name == tag.name);
        Some(Piece::Tag(tag))
    })
}

fn end_of_raw(text: &str, name: &str) -> usize {
    let mut ends = memchr::memmem::find_iter(text.as_bytes(), b"</");
    let is_end = |at: &usize| {
        let after = text.as_bytes().get(at + 2..at + 2 + name.len());
        after.is_some_and(|after| after.eq_ignore_ascii_case(name.as_bytes()))
    };
    ends.find(is_end).unwrap_or(text.len())
}

/// `are_comments_over` is set by a comment that does not end: what follows is not searched for its end again.
fn next_tag<'a>(rest: &mut &'a str, are_comments_over: &mut bool) -> Option<Tag<'a>> {
    loop {
        let (_, after) = rest.split_once('<')?;
        *rest = after;
        if let Some(comment) = after.strip_prefix("!--") {
            // A comment that does not end hides nothing: what is in it is read as well.
            let end = if *are_comments_over { None } else { comment.split_once("-->") };
            *are_comments_over = end.is_none();
            *rest = end.map_or(comment, |(_, after)| after);
        } else if after.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Some(tag(rest));
        }
    }
}

fn tag<'a>(rest: &mut &'a str) -> Tag<'a> {
    let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/')).unwrap_or(rest.len());
    let (name, mut after) = rest.split_at(end);
    let mut attributes = Vec::new();
    while let Some(attribute) = attribute(&mut after) {
        if attributes.len() < MAX_ATTRIBUTES {
            attributes.push(attribute);
        }
    }
    *rest = after;
    Tag { name: local(&name.to_ascii_lowercase()).to_owned(), attributes }
}

fn attribute<'a>(rest: &mut &'a str) -> Option<(String, Cow<'a, str>)> {
    let text = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    if text.is_empty() || text.starts_with('>') {
        *rest = text.get(1..).unwrap_or_default();
        return None;
    }
    let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
    // An equals sign in front belongs to the name.
    let end = text.char_indices().skip(1).find(|(_, c)| is_end(*c)).map_or(text.len(), |(at, _)| at);
    let (name, after) = text.split_at(end);
    let spaced = after.trim_ascii_start();
    let Some(value) = spaced.strip_prefix('=') else {
        *rest = after;
        return Some((name.to_ascii_lowercase(), Cow::Borrowed("")));
    };
    let value = value.trim_ascii_start();
    let (value, after) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = value.get(1..).unwrap_or_default();
            inner.split_once(quote).unwrap_or((inner, ""))
        }
        _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len())),
    };
    *rest = after;
    Some((name.to_ascii_lowercase(), decoded(value)))
}

/// Character references, the few that matter by name.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let (mut decoded, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        match reference(after) {
            Some((character, after)) => {
                decoded.push(character);
                rest = after;
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn reference(text: &str) -> Option<(char, &str)> {
    if let Some(number) = text.strip_prefix('#') {
        let (radix, digits) = number.strip_prefix(['x', 'X']).map_or((10, number), |digits| (16, digits));
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let (digits, after) = digits.split_at(end);
        let character = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)?;
        return Some((character, after.strip_prefix(';').unwrap_or(after)));
    }
    let named = [
        ("amp;", '&'),
        ("lt;", '<'),
        ("gt;", '>'),
        ("quot;", '"'),
        ("apos;", '\''),
        ("colon;", ':'),
        ("tab;", '\t'),
        ("newline;", '\n'),
        ("sol;", '/'),
        ("lpar;", '('),
        ("rpar;", ')'),
        ("period;", '.'),
    ];
    let is = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    named
        .into_iter()
        .find(|(name, _)| is(name))
        .map(|(name, character)| (character, text.get(name.len()..).unwrap_or_default()))
}

/// A value as a browser takes it for an address: without white space and control characters.
pub(crate) fn address(value: &str) -> String {
    value.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Vec<String> {
        let shown = |piece| match piece {
            Piece::Tag(tag) => {
                let attributes: Vec<_> = tag.attributes().map(|(name, value)| format!(" {name}={value}")).collect();
                format!("{}{}", tag.name, attributes.concat())
            }
            Piece::Script(script) => format!("script: {script}"),
        };
        pieces(text).map(shown).collect()
    }

    #[test]
    fn tags_are_read_as_browsers_read_them() {
        for (text, expected) in [
            ("<A HREF='x'>text</a>", &["a href=x"][..]),
            ("<a\nhref = x/y title>b", &["a href=x/y title="]),
            ("<img/src=\"a>b\"/onload=f()>", &["img src=a>b onload=f()"]),
            ("a < b <p>", &["p"]),
            ("<!-- <a> --><b>", &["b"]),
            ("<!-- <a>", &["a"]),
            ("<script>if (a<b) x</SCRIPT><p>", &["script", "script: if (a<b) x", "p"]),
            ("<script>never ends", &["script", "script: never ends"]),
            ("<svg:a xlink:href='java&#x73;cript&colon;x'>", &["a href=javascript:x"]),
            ("<a href='", &["a href="]),
            ("<style>a>b{} <i></style><p>", &["style", "p"]),
            ("<", &[]),
            ("<a =b>", &["a =b="]),
        ] {
            assert_eq!(tags(text), expected, "{text}");
        }
    }
}
