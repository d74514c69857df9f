//! HTML and XML cut into tags, texts and comments, the way a browser cuts them (WHATWG HTML §13.2.5), as far as links and scripts
//! need it.

mod entity;
mod foreign;
mod raw;
mod reading;

use std::borrow::Cow;

pub use self::{
    entity::{Expanded, expanded},
    reading::Reading,
};
use self::{foreign::Foreign, raw::end_of_script};
use super::character_reference::resolved;

/// Attributes of one tag that are read. Beyond, [`Tag::is_cut`] says so.
pub const MAX_ATTRIBUTES: usize = 1_000;

/// A piece of markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'h> {
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
pub struct Tag<'h> {
    /// Lower case.
    pub name: String,
    /// Nothing stands in it: that is how XML, and drawings within HTML, read `<a/>`.
    pub is_empty: bool,
    /// It has more attributes than are read.
    pub is_cut: bool,
    /// Of attributes with the same name the first counts.
    attributes: Vec<(&'h str, &'h str)>,
}

impl<'h> Tag<'h> {
    /// Without the prefix of a namespace.
    #[must_use]
    pub fn local_name(&self) -> &str {
        local(&self.name)
    }

    /// The value with its references resolved. Names in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Cow<'h, str>> {
        self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| resolved(value))
    }

    /// The same by a name in lower case, whatever prefix of a namespace stands before it.
    #[must_use]
    pub fn local_attribute(&self, name: &str) -> Option<Cow<'h, str>> {
        let found = self.attributes.iter().find(|(known, _)| local(known).eq_ignore_ascii_case(name));
        found.map(|(_, value)| resolved(value))
    }

    /// Every attribute, names in lower case, references resolved.
    pub fn attributes(&self) -> impl Iterator<Item = (String, Cow<'h, str>)> {
        self.attributes.iter().map(|(name, value)| (name.to_ascii_lowercase(), resolved(value)))
    }
}

/// A name without the prefix of its namespace.
#[must_use]
pub fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The pieces of a document. Linear, accepts everything.
#[derive(Debug, Clone)]
pub struct Pieces<'h> {
    rest: &'h str,
    reading: Reading,
    foreign: Foreign<'h>,
    /// The element whose raw text comes next.
    raw: Option<&'static str>,
    /// A script went on to the end of the document behind what looks like a script in it; the next one is not searched so far.
    are_scripts_plain: bool,
    /// Its document type is behind; there is no second one.
    is_declared: bool,
}

impl<'h> Pieces<'h> {
    #[must_use]
    pub fn of(text: &'h str, reading: Reading) -> Self {
        Self {
            rest: text,
            reading,
            foreign: Foreign::default(),
            raw: None,
            are_scripts_plain: false,
            is_declared: false,
        }
    }

    /// Up to the end tag of the element.
    fn raw_text(&mut self, element: &'static str) -> Piece<'h> {
        let end = match element {
            "plaintext" => self.rest.len(),
            "script" if !self.are_scripts_plain => end_of_script(self.rest).unwrap_or_else(|| {
                self.are_scripts_plain = true;
                raw::end(self.rest, element)
            }),
            _ => raw::end(self.rest, element),
        };
        Piece::Raw(element, self.take(end))
    }

    /// `rest` begins with `<` and a letter.
    fn open(&mut self) -> Option<Piece<'h>> {
        self.take(1);
        let written = self.name();
        let mut tag =
            Tag { name: written.to_ascii_lowercase(), is_empty: false, is_cut: false, attributes: Vec::new() };
        tag.is_empty = self.attributes(|attribute| {
            tag.is_cut = tag.attributes.len() == MAX_ATTRIBUTES;
            if !tag.is_cut {
                tag.attributes.push(attribute);
            }
        })?;
        let is_foreign = self.reading.knows_drawings() && self.foreign.open(written, &tag);
        if !is_foreign {
            self.raw = self.reading.raw_text(&tag.name);
        }
        tag.is_empty &= is_foreign || self.reading == Reading::Xml;
        Some(Piece::Open(tag))
    }

    /// Up to the end of the tag, of which it tells whether a slash closes it. `None` when the document ends before.
    fn attributes(&mut self, mut keep: impl FnMut((&'h str, &'h str))) -> Option<bool> {
        loop {
            let before = self.rest;
            self.skip(|c| is_space(c) || c == '/');
            if self.rest.is_empty() {
                return None;
            }
            if self.rest.starts_with('>') {
                let skipped = before.get(..before.len() - self.rest.len()).unwrap_or_default();
                self.take(1);
                return Some(skipped.ends_with('/'));
            }
            keep(self.attribute());
        }
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

    /// What XML has beside tags and comments (XML 1.0 §2.6 to §2.8), and drawings have in part.
    fn declaration(&mut self) -> Option<Piece<'h>> {
        let is_xml = self.reading == Reading::Xml;
        if self.rest.starts_with("<![CDATA[") && (is_xml || self.foreign.is_within()) {
            self.take(9);
            return Some(Piece::Text(self.until("]]>")));
        }
        if is_xml && self.rest.starts_with("<?") {
            return Some(Piece::Comment(self.until("?>")));
        }
        if !is_xml || self.is_declared || !self.rest.starts_with("<!DOCTYPE") {
            return None;
        }
        self.is_declared = true;
        let length = entity::declaration_length(self.rest.get(1..)?)?;
        Some(Piece::Comment(self.take(length + 1)))
    }

    /// `rest` begins with `<!`, `<?` or `</` without a name.
    fn comment(&mut self) -> Piece<'h> {
        if let Some(declaration) = self.declaration() {
            return declaration;
        }
        let Some(comment) = self.rest.strip_prefix("<!--") else {
            self.take(2);
            let end = self.rest.find('>').unwrap_or(self.rest.len());
            let text = self.take(end);
            self.take(1);
            return Piece::Comment(text);
        };
        self.rest = comment;
        if self.reading == Reading::Xml {
            return Piece::Comment(self.until("-->"));
        }
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

    /// End tags have attributes too, that mean nothing. `None` when the document ends before.
    fn close(&mut self) -> Option<Piece<'h>> {
        self.take(2);
        let name = self.name();
        self.attributes(|_| {})?;
        self.foreign.close(name);
        Some(Piece::Close(name.to_ascii_lowercase()))
    }

    fn name(&mut self) -> &'h str {
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// What stands before the mark, which is taken too.
    fn until(&mut self, mark: &str) -> &'h str {
        let (before, after) = self.rest.split_once(mark).unwrap_or((self.rest, ""));
        self.rest = after;
        before
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
                Some(letter) if letter.is_ascii_alphabetic() => self.close(),
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
mod tests;
