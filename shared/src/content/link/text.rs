//! Links in plain text, and in invitations (RFC 5545).

use std::{borrow::Cow, net::Ipv4Addr};

use memchr::memmem;

use super::{
    Link, MAX_LINKS, MAX_TARGET_OCTETS, Place,
    shown::{FILE_ENDS, has_name},
};
use crate::content::field_value::percent_decoded;

/// Letters of the longest scheme that is looked for.
const MAX_SCHEME: usize = 24;

/// Schemes that need no slashes, and that programs make links of.
const WITHOUT_SLASHES: [&str; 2] = ["search-ms:", "ms-msdt:"];

/// The links that mail programs see in a text. Linear; at most one more than [`MAX_LINKS`].
#[must_use]
pub fn links_of_text(text: &str, place: Place) -> Vec<Link> {
    let mut links = Vec::new();
    let mut from = 0;
    for (start, mark_end) in marks(text) {
        if start < from || MAX_LINKS < links.len() {
            continue;
        }
        let tail = text.get(start..).unwrap_or_default();
        let tail = tail.get(..tail.floor_char_boundary(MAX_TARGET_OCTETS)).unwrap_or_default();
        let end = tail.find(ends_link).unwrap_or(tail.len());
        let written = without_punctuation(tail.get(..end).unwrap_or_default());
        from = (start + end).max(mark_end);
        let is_bare = mark_end == start || written.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
        let target = if is_bare { format!("http://{written}") } else { written.to_owned() };
        links.extend((mark_end < start + written.len()).then(|| Link::new(&target, place)));
    }
    links
}

/// Links in a calendar object: its folded lines joined, its encodings and escapes undone.
#[must_use]
pub fn links_of_calendar(text: &str) -> Vec<Link> {
    let unfolded = text.replace("\r\n ", "").replace("\r\n\t", "").replace("\n ", "").replace("\n\t", "");
    let mut links = Vec::new();
    for line in decoded_lines(&unfolded) {
        let value = line.replace("\\n", "\n").replace("\\N", "\n").replace("\\,", ",").replace("\\;", ";");
        links.extend(links_of_text(&value, Place::Calendar));
        // Programs show pages in DESCRIPTION, STYLED-DESCRIPTION (RFC 9073) and X-ALT-DESC.
        if value.contains('<') {
            let anchors = super::links_of_html(&value).links;
            links.extend(anchors.into_iter().filter(|link| link.place != Place::Text));
        }
        if MAX_LINKS < links.len() {
            break;
        }
    }
    links
}

/// The lines, those in quoted-printable decoded (vCalendar 1.0): such a line goes on where it ends in an equals sign.
fn decoded_lines(text: &str) -> Vec<Cow<'_, str>> {
    let mut lines = Vec::new();
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        let parameters = line.split(':').next().unwrap_or_default().to_ascii_uppercase();
        if !parameters.contains("QUOTED-PRINTABLE") {
            lines.push(Cow::Borrowed(line));
            continue;
        }
        let mut whole = line.trim_end().to_owned();
        while whole.ends_with('=') {
            whole.pop();
            let Some(next) = rest.next() else { break };
            whole.push_str(next.trim_end());
        }
        let octets = percent_decoded(whole.replace('%', "%25").replace('=', "%").as_bytes());
        lines.push(Cow::Owned(String::from_utf8_lossy(&octets).into_owned()));
    }
    lines
}

/// Where links may begin, and where the mark ends that gives each away; in the order of the text.
fn marks(text: &str) -> Vec<(usize, usize)> {
    let octets = text.as_bytes();
    let with_slashes = memmem::find_iter(octets, b"://").map(|at| (at - scheme_length(octets, at), at + 3));
    let bare = ["www.", "WWW."]
        .into_iter()
        .flat_map(|mark| memmem::find_iter(octets, mark).filter(|at| is_bare_host(text, *at)).map(|at| (at, at + 4)));
    let plain = WITHOUT_SLASHES
        .into_iter()
        .flat_map(|scheme| memmem::find_iter(octets, scheme).map(|at| (at, at + scheme.len())));
    let shares = memmem::find_iter(octets, b"\\\\").filter(|at| is_share(octets, *at)).map(|at| (at, at + 2));
    let marked = with_slashes.chain(bare).chain(plain).filter(|(start, end)| start + 3 < *end);
    let mut marks: Vec<_> = marked.chain(shares).chain(bare_hosts(text)).collect();
    marks.sort_unstable();
    marks
}

/// `\\192.0.2.1\share`: people write of shares by name, and programs open either.
fn is_share(octets: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| octets.get(before));
    let is_start = before.is_none_or(|octet| !octet.is_ascii_alphanumeric() && !b"\\/:.".contains(octet));
    let after = octets.get(at + 2..).unwrap_or_default();
    let host = after.split(|octet| !is_of_host(*octet)).next().unwrap_or_default();
    let is_path = after.get(host.len()) == Some(&b'\\');
    is_start && is_path && std::str::from_utf8(host).is_ok_and(|host| host.parse::<Ipv4Addr>().is_ok())
}

/// `example.com/login`: many programs make a link of it. Few enough that a text of paths is no flood.
fn bare_hosts(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let octets = text.as_bytes();
    let starts = memchr::memchr_iter(b'/', octets).filter_map(move |slash| {
        let before = octets.get(slash.saturating_sub(MAX_HOST)..slash)?;
        let length = before.iter().rev().take_while(|octet| is_of_host(**octet)).count();
        let host = text.get(slash - length..slash)?;
        let ahead = text.get(..slash - length)?.chars().next_back();
        let is_start = ahead.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '<' | '"' | '\'' | ',' | ';'));
        let is_name = 3 < host.len() && host.contains('.') && !host.starts_with(['.', '-']) && is_written_out(host);
        (is_start && is_name && has_name(&host.to_ascii_lowercase())).then_some((slash - length, slash - length))
    });
    starts.take(MOST_BARE)
}

/// Ends that are those of files, too, say nothing.
fn is_written_out(host: &str) -> bool {
    let top = host.rsplit('.').next().unwrap_or_default();
    !FILE_ENDS.iter().any(|end| top.eq_ignore_ascii_case(end))
}

fn is_of_host(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-.".contains(&octet)
}

/// Octets of a name (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;

/// Hosts without a scheme of one text that are taken for links.
const MOST_BARE: usize = 200;

/// Letters of the scheme before a colon.
fn scheme_length(octets: &[u8], colon: usize) -> usize {
    let before = octets.get(..colon).unwrap_or_default();
    let is_part = |octet: &&u8| octet.is_ascii_alphanumeric() || b"+.-".contains(octet);
    before.iter().rev().take(MAX_SCHEME).take_while(is_part).count()
}

fn is_bare_host(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at + 4..).and_then(|after| after.chars().next());
    let is_start = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '/' | '@' | '_'));
    is_start && after.is_some_and(char::is_alphanumeric)
}

fn ends_link(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '<' | '>' | '"' | '`' | '{' | '}' | '|' | '^')
        // Programs put these around what they insert into a text.
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What ends a sentence, or closes a bracket that was opened before the link, is no part of it.
fn without_punctuation(link: &str) -> &str {
    link.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '*', '_', '\u{201d}', '\u{bb}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(links: Vec<Link>) -> Vec<String> {
        links.into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn a_text_has_the_links_that_programs_see_in_it() {
        for (text, expected) in [
            ("See https://a.example/b?c=d#e.", &["https://a.example/b?c=d#e"][..]),
            ("(www.a.example), <HTTP://b.example>", &["http://www.a.example", "HTTP://b.example"]),
            ("http:\\\\a.example and file://b.example/c", &["file://b.example/c"]),
            ("http://pay\u{200b}pal.example/", &["http://pay\u{200b}pal.example/"]),
            ("search-ms:query=a&crumb=b", &["search-ms:query=a&crumb=b"]),
            ("no link: a://", &[]),
            ("log in at paypa1.com/login, now", &["http://paypa1.com/login"]),
            ("main.rs/a and/or 1.5/2 a.b/c src/a.com/b", &[]),
            ("open \\\\192.0.2.1\\a\\b.lnk now", &["\\\\192.0.2.1\\a\\b.lnk"]),
            ("open \\\\files01\\a or c:\\\\b", &[]),
            ("awww.example, e@www.example", &[]),
        ] {
            assert_eq!(targets(links_of_text(text, Place::Text)), expected, "{text}");
        }
    }

    #[test]
    fn an_invitation_hides_no_link_in_its_folds() {
        for (text, expected) in [
            ("DESCRIPTION:Keep http://192.0.\r\n 2.1/a\\, please\r\n", &["http://192.0.2.1/a"][..]),
            ("DESCRIPTION:a\\nhttps://a.example/b\\nc", &["https://a.example/b"]),
            ("DESCRIPTION:<a href=//a.example/>b</a>", &["//a.example/"]),
            ("STYLED-DESCRIPTION;VALUE=TEXT:<a href=//a.example/>b</a>", &["//a.example/"]),
            ("DESCRIPTION;ENCODING=QUOTED-PRINTABLE:see http=3A//a.ex=\r\nample/b\r\nURL:x", &["http://a.example/b"]),
            (
                "X-ALT-DESC;FMTTYPE=text/html:<a href=\"http://a.example/\">b</a>\r\n",
                &["http://a.example/", "http://a.example/"],
            ),
        ] {
            assert_eq!(targets(links_of_calendar(text)), expected, "{text}");
        }
    }
}
