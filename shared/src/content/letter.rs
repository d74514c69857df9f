//! The links of one part: of a letter, an invitation, or a text that is attached.

use super::{
    charset::{self, MAX_TEXT_OCTETS},
    link::{Link, Place, links_of_calendar, links_of_html, links_of_text},
    mime::Leaf,
};
use crate::finding::{Finding, Severity};

/// The links that a mail program, or the program that opens the file, would see in a part that is a text.
#[must_use]
pub fn links_of(leaf: &Leaf<'_>) -> Vec<Link> {
    let text = || charset::decoded(leaf.charset, leaf.octets);
    match Kind::of(leaf) {
        Some(Kind::Html) => links_of_html(&text()),
        Some(Kind::Calendar) => links_of_calendar(&text()),
        Some(Kind::Plain) => links_of_text(&text(), Place::Text),
        None => Vec::new(),
    }
}

/// What is said of a text that is longer than is read for links: the reader of a letter sees the rest, while few look for it in a
/// file of text.
#[must_use]
pub fn unread_text(leaf: &Leaf<'_>) -> Option<Finding> {
    let kind = Kind::of(leaf).filter(|_| MAX_TEXT_OCTETS < leaf.octets.len())?;
    let is_shown = leaf.is_body_text() || matches!(kind, Kind::Html | Kind::Calendar);
    let severity = if is_shown { Severity::Review } else { Severity::Info };
    let detail = format!("The text is longer than {} MB; links beyond that were not looked at.", MAX_TEXT_OCTETS >> 20);
    Some(Finding::new("text_limit_exceeded", severity, detail).at(leaf.location()))
}

enum Kind {
    Html,
    Calendar,
    Plain,
}

impl Kind {
    fn of(leaf: &Leaf<'_>) -> Option<Self> {
        let ends = |ending: &str| leaf.names.iter().any(|name| name.to_ascii_lowercase().ends_with(ending));
        match leaf.declared {
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "text/calendar" | "application/ics" => Some(Self::Calendar),
            _ if ends(".ics") || ends(".vcs") => Some(Self::Calendar),
            _ if ends(".htm") || ends(".html") => Some(Self::Html),
            "" => Some(Self::Plain),
            declared if declared.starts_with("text/") => Some(Self::Plain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(declared: &str, name: &str, octets: &[u8]) -> Vec<Place> {
        let names = [name.to_owned()];
        let leaf = Leaf { path: "1", declared, charset: "", names: &names, is_attached: false, octets };
        links_of(&leaf).into_iter().map(|link| link.place).collect()
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
            ("application/octet-stream", "a.bin", html, &[]),
        ] {
            assert_eq!(places(declared, name, octets), expected, "{declared} {name}");
        }
    }
}
