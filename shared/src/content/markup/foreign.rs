//! Drawings (SVG) and formulas (MathML) within HTML, where other rules hold (WHATWG HTML §13.2.6.5): a style sheet is markup
//! there, and a slash closes an element.

use super::Tag;

/// Elements within each other that are followed; browsers give up at 512.
const MAX_DEPTH: usize = 64;

/// Elements of HTML that end whatever drawing they stand in.
const ENDING: [&str; 44] = [
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strong",
    "strike",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
];

/// The foreign elements that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Foreign<'h> {
    open: Vec<Element<'h>>,
}

#[derive(Debug, Clone)]
struct Element<'h> {
    name: &'h str,
    holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Foreign,
    /// HTML begins anew in it.
    Html,
}

impl<'h> Foreign<'h> {
    /// What comes next is read by the rules of drawings and formulas.
    pub(super) fn is_within(&self) -> bool {
        self.open.last().is_some_and(|element| element.holds == Holds::Foreign)
    }

    /// Whether the element that begins here is a foreign one.
    pub(super) fn open(&mut self, name: &'h str, tag: &Tag<'_>) -> bool {
        if self.is_within() && ends_drawing(tag) {
            self.end();
        }
        let is_foreign = self.is_within() || matches!(tag.name.as_str(), "svg" | "math");
        if is_foreign && !tag.is_empty && self.open.len() < MAX_DEPTH {
            self.open.push(Element { name, holds: holds(tag) });
        }
        is_foreign
    }

    pub(super) fn close(&mut self, name: &str) {
        if self.is_within() && ["p", "br"].iter().any(|ending| ending.eq_ignore_ascii_case(name)) {
            self.end();
        }
        if let Some(at) = self.open.iter().rposition(|element| element.name.eq_ignore_ascii_case(name)) {
            self.open.truncate(at);
        }
    }

    fn end(&mut self) {
        while self.is_within() {
            self.open.pop();
        }
    }
}

fn ends_drawing(tag: &Tag<'_>) -> bool {
    let is_font = || tag.name == "font" && ["color", "face", "size"].iter().any(|name| tag.attribute(name).is_some());
    ENDING.contains(&tag.name.as_str()) || is_font()
}

fn holds(tag: &Tag<'_>) -> Holds {
    let encoding = || tag.attribute("encoding").unwrap_or_default().to_ascii_lowercase();
    match tag.name.as_str() {
        "foreignobject" | "desc" | "title" | "mi" | "mo" | "mn" | "ms" | "mtext" => Holds::Html,
        "annotation-xml" if matches!(encoding().as_str(), "text/html" | "application/xhtml+xml") => Holds::Html,
        _ => Holds::Foreign,
    }
}
