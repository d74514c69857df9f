//! Links in plain text, and in invitations (RFC 5545).

use memchr::memmem;

use super::{Link, MAX_LINKS, MAX_TARGET_OCTETS, Place};

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
        let is_bare = written.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
        let target = if is_bare { format!("http://{written}") } else { written.to_owned() };
        links.extend((mark_end < start + written.len()).then(|| Link::new(&target, place)));
    }
    links
}

/// Links in a calendar object: its folded lines joined, its escapes undone.
#[must_use]
pub fn links_of_calendar(text: &str) -> Vec<Link> {
    let unfolded = text.replace("\r\n ", "").replace("\r\n\t", "").replace("\n ", "").replace("\n\t", "");
    let unescaped = unfolded.replace("\\n", "\n").replace("\\N", "\n").replace("\\,", ",").replace("\\;", ";");
    let mut links = links_of_text(&unescaped, Place::Calendar);
    for line in unescaped.lines() {
        // `X-ALT-DESC;FMTTYPE=text/html:<html>..`: Outlook shows it instead of the description.
        if line.get(..10).is_some_and(|name| name.eq_ignore_ascii_case("X-ALT-DESC")) {
            links.extend(super::links_of_html(line).links);
        }
    }
    links
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
    let mut marks: Vec<_> = with_slashes.chain(bare).chain(plain).filter(|(start, end)| start + 3 < *end).collect();
    marks.sort_unstable();
    marks
}

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
            (
                "X-ALT-DESC;FMTTYPE=text/html:<a href=\"http://a.example/\">b</a>\r\n",
                &["http://a.example/", "http://a.example/"],
            ),
        ] {
            assert_eq!(targets(links_of_calendar(text)), expected, "{text}");
        }
    }
}
