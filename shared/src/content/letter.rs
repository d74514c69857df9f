//! The links of one part: of a letter, an invitation, or a text that is attached.

use super::{
    charset::{self, MAX_TEXT_OCTETS},
    link::{Place, Read, links_of_calendar, links_of_html, links_of_text},
    mime::Leaf,
};
use crate::finding::{Finding, Severity};

/// The links that a mail program, or the program that opens the file, would see in a part that is a text.
#[must_use]
pub fn links_of(leaf: &Leaf<'_>) -> Read {
    let kinds = Kind::of(leaf);
    if kinds.is_empty() {
        return Read::default();
    }
    let text = charset::decoded(leaf.charset, leaf.octets);
    let mut read = Read::default();
    for kind in kinds {
        match kind {
            Kind::Html => {
                let page = links_of_html(&text);
                read.links.extend(page.links);
                read.is_cut = page.is_cut;
            }
            Kind::Calendar => read.links.extend(links_of_calendar(&text)),
            Kind::Plain => read.links.extend(links_of_text(&text, Place::Text)),
        }
    }
    read
}

/// What is said of a text that is longer than is read for links: the reader of a letter sees the rest, while few look for it in a
/// file of text.
#[must_use]
pub fn unread_text(leaf: &Leaf<'_>) -> Option<Finding> {
    let kinds = Kind::of(leaf);
    if kinds.is_empty() || leaf.octets.len() <= MAX_TEXT_OCTETS {
        return None;
    }
    let severity = if leaf.is_body_text() {
        Severity::Quarantine
    } else if kinds.iter().any(|kind| matches!(kind, Kind::Html | Kind::Calendar)) {
        Severity::Review
    } else {
        Severity::Info
    };
    let detail = format!("The text is longer than {} MB; links beyond that were not looked at.", MAX_TEXT_OCTETS >> 20);
    Some(Finding::new("text_limit_exceeded", severity, detail).at(leaf.location()))
}

enum Kind {
    Html,
    Calendar,
    Plain,
}

impl Kind {
    /// By type and by name: a program may go by either.
    fn of(leaf: &Leaf<'_>) -> Vec<Self> {
        let is_named = |endings: &[&str]| {
            leaf.names.iter().any(|name| endings.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending)))
        };
        let is_html = matches!(leaf.declared, "text/html" | "application/xhtml+xml")
            || is_named(&[".htm", ".html", ".xhtml", ".xht", ".shtml"]);
        let is_calendar = matches!(leaf.declared, "text/calendar" | "application/ics") || is_named(&[".ics", ".vcs"]);
        let is_plain = !is_html && !is_calendar && (leaf.declared.is_empty() || leaf.declared.starts_with("text/"));
        let kinds = [(is_html, Self::Html), (is_calendar, Self::Calendar), (is_plain, Self::Plain)];
        kinds.into_iter().filter_map(|(is, kind)| is.then_some(kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(declared: &str, name: &str, octets: &[u8]) -> Vec<Place> {
        let names = [name.to_owned()];
        let leaf = Leaf {
            path: "1",
            declared,
            charset: "",
            names: &names,
            is_attached: false,
            message: "",
            is_of_letter: true,
            octets,
        };
        links_of(&leaf).links.into_iter().map(|link| link.place).collect()
    }

    #[test]
    fn a_part_is_read_as_what_it_is_opened_as() {
        let html = b"<a href=http://a.example/>b</a>";
        for (declared, name, octets, expected) in [
            ("text/html", "", &html[..], &[Place::Anchor][..]),
            ("application/octet-stream", "a.HTML", html, &[Place::Anchor]),
            ("text/plain", "", b"http://a.example/", &[Place::Text]),
            ("", "", b"http://a.example/", &[Place::Text]),
            ("text/calendar", "", b"URL:http://a.example/", &[Place::Calendar]),
            ("application/octet-stream", "a.ics", b"URL:http://a.example/", &[Place::Calendar]),
            (
                "text/html",
                "a.ics",
                b"URL:http://a.example/ <a href=http://b.example>",
                &[Place::Text, Place::Anchor, Place::Calendar, Place::Calendar, Place::Anchor],
            ),
            ("application/octet-stream", "a.bin", html, &[]),
        ] {
            assert_eq!(places(declared, name, octets), expected, "{declared} {name}");
        }
    }
}
