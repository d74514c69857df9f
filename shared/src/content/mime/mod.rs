//! The parts of a message and of the messages in it (RFC 2045 to 2049), walked within limits.
//!
//! Mail programs forgive much, each in its own way. The walk reads as the most forgiving one does, and where two of them would
//! see different parts, that is a finding: whoever wants a scanner and a reader to disagree builds such a message.

mod ambiguity;
mod entity;

use std::borrow::Cow;

use self::entity::{Entity, Place};
use super::{boundary, transfer_encoding::TransferEncoding, uuencoded};
use crate::finding::{Finding, Severity};

/// How much of a message is looked at. What lies beyond is a finding, never silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Multiparts and attached messages around one part.
    pub depth: usize,
    /// Parts of the message and of all messages in it, multiparts included.
    pub parts: usize,
    /// Decoded octets of all parts together: an attached message may be encoded, and so may those in it.
    pub decoded_octets: usize,
    /// Octets of the header section of one part.
    pub header_octets: usize,
}

impl Limits {
    pub const DEFAULT: Self = Self { depth: 16, parts: 1_000, decoded_octets: 96 << 20, header_octets: 256 << 10 };
}

/// Different names of one part that are judged; one is usual, two happen.
pub const MAX_NAMES: usize = 8;

/// Findings about the structure of one message.
const MAX_FINDINGS: usize = 32;

/// One part that is neither multipart nor message, decoded.
#[derive(Debug)]
pub struct Leaf<'a> {
    /// As IMAP numbers it (RFC 9051 §6.4.5): `1.2`.
    pub path: &'a str,
    /// `type/subtype`, lower case; empty when nothing usable is declared.
    pub declared: &'a str,
    pub charset: &'a str,
    /// What the sender calls the file, most trusted first.
    pub names: &'a [String],
    /// The sender wants it to be saved, not shown.
    pub is_attached: bool,
    /// Path of the message that it is a part of; empty for the outermost.
    pub message: &'a str,
    /// It comes first in its message, or is one of several versions of the letter.
    pub is_of_letter: bool,
    pub octets: &'a [u8],
}

impl Leaf<'_> {
    /// A text that the mail program shows as part of the letter.
    #[must_use]
    pub fn is_body_text(&self) -> bool {
        let is_text = self.declared.is_empty() || self.declared.starts_with("text/");
        is_text && self.names.is_empty() && !self.is_attached
    }

    /// Where a finding about it is.
    #[must_use]
    pub fn location(&self) -> String {
        self.names.first().map_or_else(|| self.path.to_owned(), |name| format!("{} {}", self.path, shown(name)))
    }
}

/// Calls `visit` with every leaf within the limits; answers what is wrong with the structure.
pub fn walk(message: &[u8], limits: Limits, visit: &mut dyn FnMut(&Leaf<'_>)) -> Vec<Finding> {
    let mut walk = Walk { limits, parts: 0, octets: 0, findings: Vec::new(), visit };
    walk.entity(message, &Place::default());
    walk.findings
}

struct Walk<'v> {
    limits: Limits,
    parts: usize,
    octets: usize,
    findings: Vec<Finding>,
    visit: &'v mut dyn FnMut(&Leaf<'_>),
}

impl Walk<'_> {
    /// Recursive, and the limit of depth ends it.
    fn entity(&mut self, raw: &[u8], place: &Place) {
        self.parts += 1;
        if self.limits.parts < self.parts {
            return self.exceeded(&format!("has more than {} parts", self.limits.parts));
        }
        if self.limits.depth < place.depth {
            return self.exceeded(&format!("nests its parts deeper than {}", self.limits.depth));
        }
        let entity = Entity::parse(raw);
        if self.limits.header_octets < entity.section.body_offset && !place.path.is_empty() {
            let limit = self.limits.header_octets >> 10;
            return self.exceeded(&format!("has a part whose header fields are longer than {limit} kB"));
        }
        self.header_findings(&entity, place);
        match entity.content_type.token.as_str() {
            _ if entity.is_multipart() => self.multipart(&entity, place),
            "message/rfc822" | "message/global" | "message/news" => self.message(&entity, place),
            _ => self.leaf(&entity, place),
        }
    }

    fn multipart(&mut self, entity: &Entity<'_>, place: &Place) {
        let boundary = entity.content_type.first("boundary").unwrap_or_default();
        self.boundary_findings(entity, boundary, place);
        if boundary.is_empty() {
            return self.leaf(entity, place);
        }
        let body = self.multipart_body(entity, boundary);
        let pieces = boundary::pieces(&body, boundary, self.limits.parts - self.parts);
        if let Some(ambiguity) = pieces.ambiguity {
            self.ambiguous("mime_boundary_ambiguous", ambiguity.detail(), place);
        }
        for (number, part) in (1..).zip(&pieces.parts) {
            self.entity(part, &place.below(number, boundary, entity));
        }
        if pieces.is_cut {
            self.exceeded(&format!("has more than {} parts", self.limits.parts));
        }
    }

    /// RFC 2045 §6.4 forbids to encode a multipart. What is encoded all the same is decoded, as some programs do.
    fn multipart_body<'e>(&mut self, entity: &Entity<'e>, boundary: &str) -> Cow<'e, [u8]> {
        let is_plain = matches!(entity.encoding, TransferEncoding::Identity | TransferEncoding::Unknown);
        if is_plain || !boundary::pieces(entity.body, boundary, 1).parts.is_empty() {
            return Cow::Borrowed(entity.body);
        }
        let decoded = entity.encoding.decode(entity.body).octets;
        if self.takes(decoded.len()) { decoded } else { Cow::Borrowed(&[]) }
    }

    fn message(&mut self, entity: &Entity<'_>, place: &Place) {
        let decoded = entity.encoding.decode(entity.body);
        if decoded.has_junk || decoded.goes_on_after_padding {
            self.ambiguous(
                "mime_encoding_ambiguous",
                "an attached message has base64 that programs read differently",
                place,
            );
        }
        if self.takes(decoded.octets.len()) {
            self.entity(&decoded.octets, &place.within());
        }
    }

    fn leaf(&mut self, entity: &Entity<'_>, place: &Place) {
        let names = entity.names();
        let decoded = entity.encoding.decode(entity.body);
        if !self.takes(decoded.octets.len()) {
            return;
        }
        let path = place.of_leaf();
        let token = &entity.content_type.token;
        let leaf = Leaf {
            path: &path,
            declared: if is_media_type(token) { token } else { "" },
            charset: entity.content_type.first("charset").unwrap_or_default(),
            names: names.get(..MAX_NAMES).unwrap_or(&names),
            is_attached: entity.disposition.token == "attachment",
            message: &place.message,
            is_of_letter: place.is_of_letter(),
            octets: &decoded.octets,
        };
        let is_file = !leaf.is_body_text();
        if is_file && (decoded.has_junk || decoded.goes_on_after_padding) {
            let detail = "the file has characters that base64 does not have, or goes on after its end, so that programs decode different files";
            self.ambiguous("mime_encoding_ambiguous", detail, place);
        }
        self.charset_findings(entity, &leaf, place);
        (self.visit)(&leaf);
        match entity.encoding {
            TransferEncoding::Uuencode => self.files_in_text(entity.body, &leaf),
            _ if leaf.is_body_text() => self.files_in_text(leaf.octets, &leaf),
            _ => {}
        }
        if MAX_NAMES < names.len() {
            self.exceeded(&format!("has a part with more than {MAX_NAMES} file names"));
        }
    }

    /// They lie in the text, so they are counted already.
    fn files_in_text(&mut self, text: &[u8], leaf: &Leaf<'_>) {
        for uuencoded::UuFile { name, octets } in uuencoded::files(text) {
            let names = [name];
            (self.visit)(&Leaf { declared: "", names: &names, is_attached: true, octets: &octets, ..*leaf });
        }
    }

    /// Counts octets against the limit; `false` when it is reached.
    fn takes(&mut self, octets: usize) -> bool {
        self.octets = self.octets.saturating_add(octets);
        let is_within = self.octets <= self.limits.decoded_octets;
        if !is_within {
            self.exceeded(&format!("decodes to more than {} MB", self.limits.decoded_octets >> 20));
        }
        is_within
    }

    fn ambiguous(&mut self, code: &'static str, detail: &str, place: &Place) {
        let detail = format!("Mail programs see different parts: {detail}.");
        self.push(Finding::new(code, Severity::Quarantine, detail).at(place.location()));
    }

    fn exceeded(&mut self, what: &str) {
        let detail = format!("The message {what}; what lies beyond was not looked at.");
        self.push(Finding::new("mime_limit_exceeded", Severity::Quarantine, detail).at("body"));
    }

    fn push(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

fn is_media_type(token: &str) -> bool {
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/');
    token.split_once('/').is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}

/// A text of the sender as a finding shows it: at most 100 characters, nothing invisible.
#[must_use]
pub fn shown(text: &str) -> String {
    const SHOWN: usize = 100;
    text.chars().take(SHOWN).map(|c| if c.is_control() || is_invisible(c) { '?' } else { c }).collect()
}

/// Characters that take no room, or turn the direction in which others are read.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, type and names of every leaf.
    fn leaves(message: &str) -> Vec<String> {
        let mut leaves = Vec::new();
        let message = message.replace('\n', "\r\n");
        walk(message.as_bytes(), Limits::DEFAULT, &mut |leaf| {
            let text = String::from_utf8_lossy(leaf.octets).trim().to_owned();
            leaves.push(format!("{} {} {:?} {text}", leaf.path, leaf.declared, leaf.names));
        });
        leaves
    }

    #[test]
    fn parts_are_numbered_as_imap_numbers_them() {
        let inner = "Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/png\n\nd\n--c--";
        for (message, expected) in [
            ("Subject: a\n\nb", &["1  [] b"][..]),
            ("Content-Type: nonsense\n\nb", &["1  [] b"]),
            (
                "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b\nContent-Type: text/html\n\nc\n--b--",
                &["1  [] a", "2 text/html [] c"],
            ),
            (
                &format!(
                    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b\nContent-Type: message/rfc822\n\nSubject: a\n\ne\n--b--"
                ),
                &["1.1 image/png [] d", "2.1  [] e"],
            ),
            (
                "Content-Type: a/b; name=c\nContent-Disposition: attachment; filename=d\n\ne",
                &["1 a/b [\"d\", \"c\"] e"],
            ),
            (
                "Subject: a\n\nhello\nbegin 644 a.txt\n#0V%T\n`\nend\n",
                &["1  [] hello\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend", "1  [\"a.txt\"] Cat"],
            ),
        ] {
            assert_eq!(leaves(message), expected, "{message}");
        }
    }
}
