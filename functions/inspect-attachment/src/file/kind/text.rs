//! Files that say what they are in letters.

use super::Kind;
use crate::file::octets::text_of;

/// How far an HTML application may put its tag.
const MARKUP_WITHIN: usize = 64 * 1024;

pub(super) fn by_text(content: &[u8]) -> Option<Kind> {
    let head = content.get(..MARKUP_WITHIN).unwrap_or(content);
    let text = text_of(head).trim_start().to_ascii_lowercase();
    if text.contains("<hta:application") {
        return Some(Kind::HtmlApplication);
    }
    if text.starts_with("begin:vcalendar") {
        return Some(Kind::Calendar);
    }
    if is_web_archive(&text) {
        return Some(Kind::WebArchive);
    }
    if is_message(&text) {
        return Some(Kind::Message);
    }
    match first_tag(&text)? {
        "svg" | "svg:svg" => Some(Kind::Svg),
        "html" | "head" | "body" | "script" | "!doctype html" | "!doctype" | "meta" | "title" => Some(Kind::Html),
        _ => None,
    }
}

/// The first element, behind declarations and comments. `text` begins with it and is in lower case.
fn first_tag(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
        } else if rest.starts_with("<?xml") || rest.starts_with("<!doctype svg") {
            rest = rest.split_once('>')?.1.trim_start_matches([']', '>']);
        } else if rest.starts_with("<!doctype") {
            return rest.get(1..9);
        } else {
            let tag = rest.strip_prefix('<')?;
            return tag.split(|end: char| end.is_ascii_whitespace() || matches!(end, '>' | '/')).next();
        }
    }
}

/// A message that no mail server has seen and whose parts say where they come from (RFC 2557).
fn is_web_archive(text: &str) -> bool {
    let Some((header, _)) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")) else { return false };
    let has = |name: &str| header.starts_with(name) || header.contains(&format!("\n{name}"));
    has("mime-version:")
        && text.contains("\ncontent-location:")
        && !["received:", "return-path:", "to:", "message-id:"].into_iter().any(has)
}

/// Fields that begin a message or a part of one.
const FIELDS: [&str; 14] = [
    "from",
    "to",
    "subject",
    "date",
    "received",
    "return-path",
    "message-id",
    "mime-version",
    "content-type",
    "reply-to",
    "sender",
    "content-transfer-encoding",
    "delivered-to",
    "cc",
];

/// Lines of a header section that are looked at.
const HEADER_LINES: usize = 1_000;

/// Nothing but fields up to an empty line, two of them known, or one that no letter begins with. `text` is in lower case.
fn is_message(text: &str) -> bool {
    let mut known = Vec::new();
    for (at, line) in text.lines().take(HEADER_LINES).enumerate() {
        if line.is_empty() {
            break;
        }
        if at != 0 && line.starts_with([' ', '\t']) {
            continue;
        }
        // The envelope line of a mailbox file.
        if at == 0 && line.starts_with("from ") {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { return false };
        let name = name.trim_end();
        if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
            return false;
        }
        known.extend(FIELDS.iter().find(|field| **field == name));
    }
    known.sort_unstable();
    known.dedup();
    let is_mime = known.iter().any(|name| ["mime-version", "content-type", "received"].contains(name));
    is_mime || known.contains(&"from") && 1 < known.len()
}
