//! Links in HTML: attributes, forms, refreshes, style sheets, and what hides in comments.

use std::collections::HashSet;

use super::{
    super::markup::{Piece, Pieces, Reading, Tag},
    Asks, Link, MAX_LINKS, MAX_SHOWN_CHARACTERS, MAX_TARGET_OCTETS, Place, Read, links_of_text,
};
use crate::content::character_reference::resolved;

/// Attributes whose value is fetched when the message is shown.
const RESOURCES: [&str; 10] =
    ["src", "background", "poster", "data", "dynsrc", "lowsrc", "codebase", "classid", "code", "archive"];

/// All links of a letter. Linear; of each way in which it may be read at most one more than [`MAX_LINKS`].
#[must_use]
pub fn links_of_html(html: &str) -> Read {
    links_of_markup(html, &Reading::of_mail(html))
}

/// The links that any of the readings finds, each at most as often as one of them does.
#[must_use]
pub fn links_of_markup(text: &str, readings: &[Reading]) -> Read {
    let mut found = Read::default();
    for reading in readings {
        let mut document = Document::new(*reading);
        document.read(text, Depth::Document);
        document.end_anchor();
        document.end_form();
        found.is_cut |= document.is_cut;
        let known: HashSet<Link> = found.links.iter().cloned().collect();
        found.links.extend(document.links.into_iter().filter(|link| !known.contains(link)));
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Document,
    /// Outlook reads conditional comments as markup, so links in comments count, and a frame may hold a page; comments in
    /// comments and frames in frames do not count.
    Within,
}

struct Document {
    reading: Reading,
    links: Vec<Link>,
    is_cut: bool,
    anchor: Option<Link>,
    form: Option<(String, Asks)>,
    base: Option<String>,
}

impl Document {
    fn new(reading: Reading) -> Self {
        Self { reading, links: Vec::new(), is_cut: false, anchor: None, form: None, base: None }
    }

    fn read(&mut self, html: &str, depth: Depth) {
        for piece in Pieces::of(html, self.reading) {
            if MAX_LINKS < self.links.len() {
                return;
            }
            match piece {
                Piece::Open(tag) => self.open(&tag, depth),
                Piece::Close(name) if name == "a" => self.end_anchor(),
                Piece::Close(name) if name == "form" => self.end_form(),
                Piece::Close(_) => {}
                Piece::Text(text) => self.text(&resolved(text)),
                Piece::Raw("style", text) => self.style(text),
                Piece::Raw("title", _) => {}
                Piece::Raw(_, text) => self.links.extend(links_of_text(text, Place::Text)),
                Piece::Comment(text) if depth == Depth::Document => self.read(text, Depth::Within),
                Piece::Comment(_) => {}
            }
        }
    }

    fn open(&mut self, tag: &Tag<'_>, depth: Depth) {
        self.is_cut |= tag.is_cut;
        match tag.name.as_str() {
            "a" => {
                self.end_anchor();
                let target = tag.attribute("href").or_else(|| tag.attribute("xlink:href"));
                self.anchor = target.map(|target| self.link(&target, Place::Anchor));
            }
            "base" => self.base = tag.attribute("href").map(std::borrow::Cow::into_owned),
            "form" => {
                self.end_form();
                self.form = Some((tag.attribute("action").unwrap_or_default().into_owned(), Asks::Nothing));
            }
            "img" | "image" => self.picture(tag),
            "input" | "textarea" => self.input(tag),
            "meta" => self.refresh(tag),
            _ => {}
        }
        for (name, value) in tag.attributes() {
            self.attribute(&tag.name, &name, &value, depth);
        }
    }

    fn attribute(&mut self, element: &str, name: &str, value: &str, depth: Depth) {
        match name {
            "href" | "xlink:href" if element == "link" => self.push(value, Place::Resource),
            "href" | "xlink:href" if !matches!(element, "a" | "base") => self.push(value, Place::Anchor),
            // Of both, a drawing follows the other.
            "xlink:href" if self.anchor.as_ref().is_some_and(|anchor| anchor.target == value.trim()) => {}
            "xlink:href" | "ping" => self.push(value, Place::Anchor),
            "action" | "formaction" if element != "form" => self.push(value, Place::Form(Asks::Nothing)),
            "srcset" | "imagesrcset" => {
                let candidates = value.split(", ").filter_map(|candidate| candidate.split_whitespace().next());
                candidates.for_each(|target| self.push(target, Place::Resource));
            }
            "style" => self.style(value),
            "srcdoc" if depth == Depth::Document => self.read(value, Depth::Within),
            _ if RESOURCES.contains(&name) => {
                let is_frame = matches!(element, "iframe" | "frame" | "embed" | "object");
                let place = if is_frame { Place::Frame } else { Place::Resource };
                self.push(value, place);
            }
            _ => {}
        }
    }

    /// A program that does not load pictures shows their text.
    fn picture(&mut self, tag: &Tag<'_>) {
        let text = tag.attribute("alt").filter(|_| self.anchor.is_some());
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            self.text(&format!(" {text} "));
        }
    }

    fn input(&mut self, tag: &Tag<'_>) {
        let kind = tag.attribute("type").unwrap_or_default().to_ascii_lowercase();
        let asks = match kind.trim() {
            "password" => Asks::Password,
            "hidden" | "submit" | "button" | "image" | "reset" | "checkbox" | "radio" => Asks::Nothing,
            _ => Asks::Text,
        };
        // Without a form, scripts or `form=` send it.
        let form = self.form.get_or_insert_with(|| (String::new(), Asks::Nothing));
        form.1 = form.1.max(asks);
    }

    /// `<meta http-equiv=refresh content="0;url=..">`
    fn refresh(&mut self, tag: &Tag<'_>) {
        let is_refresh = tag.attribute("http-equiv").is_some_and(|name| name.trim().eq_ignore_ascii_case("refresh"));
        let Some(content) = tag.attribute("content").filter(|_| is_refresh) else { return };
        let rest =
            content.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' ' | ';' | ',' | '\t'));
        let is_named = rest.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("url"));
        let target =
            if is_named { rest.get(3..).unwrap_or_default().trim_start().trim_start_matches('=') } else { rest };
        let target = target.trim().trim_matches(['"', '\'']);
        if !target.is_empty() {
            self.push(target, Place::Refresh);
        }
    }

    fn text(&mut self, text: &str) {
        match &mut self.anchor {
            Some(anchor) => {
                let room = MAX_SHOWN_CHARACTERS.saturating_sub(anchor.shown.chars().count());
                anchor.shown.extend(text.chars().take(room));
            }
            None => self.links.extend(links_of_text(text, Place::Text)),
        }
    }

    /// `url(..)` and `@import ".."` of a style sheet.
    fn style(&mut self, css: &str) {
        let lower = css.to_ascii_lowercase();
        for (mark, end) in [("url(", ')'), ("@import", ';')] {
            for (at, _) in lower.match_indices(mark).take(MAX_LINKS) {
                let tail = css.get(at + mark.len()..).unwrap_or_default();
                let tail = tail.get(..tail.floor_char_boundary(MAX_TARGET_OCTETS)).unwrap_or_default();
                let value = tail.get(..tail.find(end).unwrap_or(tail.len())).unwrap_or_default();
                let target = value.trim().trim_matches(['"', '\'']);
                if !target.is_empty() && !target.starts_with("url(") {
                    self.push(target, Place::Resource);
                }
            }
        }
    }

    fn push(&mut self, target: &str, place: Place) {
        let link = self.link(target, place);
        self.links.push(link);
    }

    /// Relative targets lead somewhere only with a base.
    fn link(&self, target: &str, place: Place) -> Link {
        let base = self.base.as_deref().filter(|base| !target.contains(':') && !base.is_empty());
        match base.and_then(|base| url::Url::parse(base).ok()?.join(target).ok()) {
            Some(joined) => Link::new(joined.as_str(), place),
            None => Link::new(target, place),
        }
    }

    fn end_anchor(&mut self) {
        self.links.extend(self.anchor.take());
    }

    fn end_form(&mut self) {
        if let Some((action, asks)) = self.form.take() {
            self.push(&action, Place::Form(asks));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(html: &str) -> Vec<(Place, String, String)> {
        links_of_html(html).links.into_iter().map(|link| (link.place, link.target, link.shown)).collect()
    }

    fn found(html: &str) -> Vec<(Place, String)> {
        links(html).into_iter().map(|(place, target, _)| (place, target)).collect()
    }

    #[test]
    fn links_are_found_wherever_html_has_them() {
        use Place::{Anchor, Form, Frame, Refresh, Resource, Text};
        for (html, expected) in [
            ("<a href=\"http://a.example/\">b</a>", vec![(Anchor, "http://a.example/")]),
            ("<area href=//a.example>", vec![(Anchor, "//a.example")]),
            ("<svg><a xlink:href='http://a.example'>", vec![(Anchor, "http://a.example")]),
            ("<v:roundrect href=http://a.example>", vec![(Anchor, "http://a.example")]),
            ("<!--[if mso]><a href=http://a.example>b</a><![endif]-->", vec![(Anchor, "http://a.example")]),
            ("<img src=http://a.example/b.png>", vec![(Resource, "http://a.example/b.png")]),
            (
                "<img srcset='http://a.example/1 1x, http://a.example/2 2x'>",
                vec![(Resource, "http://a.example/1"), (Resource, "http://a.example/2")],
            ),
            ("<td style=\"background:URL('http://a.example/b')\">", vec![(Resource, "http://a.example/b")]),
            (
                "<style>@import \"http://a.example\"; p{a:url(http://b.example)}</style>",
                vec![(Resource, "http://b.example"), (Resource, "http://a.example")],
            ),
            ("<iframe src=http://a.example></iframe>", vec![(Frame, "http://a.example")]),
            ("<svg><style><a href=http://a.example>", vec![(Anchor, "http://a.example")]),
            ("<svg><style/><a href=http://a.example></style></svg>", vec![(Anchor, "http://a.example")]),
            ("<select><style><a href=http://a.example></style>", vec![(Anchor, "http://a.example")]),
            ("<iframe srcdoc='<a href=http://a.example>'></iframe>", vec![(Anchor, "http://a.example")]),
            ("<noscript><a href=http://a.example>", vec![(Anchor, "http://a.example")]),
            ("<META HTTP-EQUIV=Refresh CONTENT=\"0; URL='http://a.example'\">", vec![(Refresh, "http://a.example")]),
            ("<meta http-equiv=refresh content=5>", vec![]),
            (
                "<form action=http://a.example><input type=PASSWORD></form>",
                vec![(Form(Asks::Password), "http://a.example")],
            ),
            ("<form action=http://a.example><input name=q></form>", vec![(Form(Asks::Text), "http://a.example")]),
            ("<form action=http://a.example><input type=submit>", vec![(Form(Asks::Nothing), "http://a.example")]),
            ("<button formaction=http://a.example>", vec![(Form(Asks::Nothing), "http://a.example")]),
            ("<p>see http://a.example/b</p>", vec![(Text, "http://a.example/b")]),
            ("<base href=http://a.example/><a href=b>c", vec![(Anchor, "http://a.example/b")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(place, target)| (place, target.to_owned())).collect();
            assert_eq!(found(html), expected, "{html}");
        }
    }

    #[test]
    fn what_an_anchor_shows_is_its_text_without_its_markup() {
        for (html, expected) in [
            ("<a href=x><b>www.</b>a&period;example</a>", "www.a.example"),
            ("<a href=x><img src=y>", ""),
            ("<a href=x><img src=y alt=www.a.example>", " www.a.example "),
            ("<svg><a xlink:href=x><text>www.a.example</text></a>", "www.a.example"),
            ("<a href=x>one<a href=y>two", "one"),
        ] {
            let shown = links(html).into_iter().find(|(place, ..)| *place == Place::Anchor).map(|(.., shown)| shown);
            assert_eq!(shown.as_deref(), Some(expected), "{html}");
        }
    }

    #[test]
    fn no_more_links_are_read_than_the_limit() {
        let html = "<a href=http://a.example></a>".repeat(MAX_LINKS + 100);
        assert_eq!(links_of_html(&html).links.len(), MAX_LINKS + 1);
    }
}
