//! Parts that mail programs read differently: in two of them a scanner and a reader would see different things.

use super::{
    Leaf, Walk,
    entity::{Entity, Place},
    is_invisible,
};
use crate::{
    content::{boundary::MAX_BOUNDARY_OCTETS, charset, field_value::Form, transfer_encoding::TransferEncoding},
    finding::{Finding, Severity},
    header_section::{Field, HeaderFault, HeaderSection},
};

impl Walk<'_> {
    pub(super) fn header_findings(&mut self, entity: &Entity<'_>, place: &Place) {
        let is_part = !place.path.is_empty();
        if is_part {
            let fields = ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"];
            for name in fields.into_iter().filter(|name| differ(&entity.section, name)) {
                let detail = format!("{name} is given twice and differently, and programs use one or the other");
                self.ambiguous("mime_duplicate_field", &detail, place);
            }
            let breaks = |fault: &&HeaderFault| matches!(fault, HeaderFault::Nul | HeaderFault::BareCr);
            if entity.section.faults.iter().any(|fault| breaks(&fault)) {
                let detail = "a header field has a NUL or a lone CR, where some programs see the end of it";
                self.ambiguous("mime_header_ambiguous", detail, place);
            }
        }
        self.encoding_findings(entity, place);
        self.name_findings(entity, place);
        if entity.content_type.token == "message/partial" {
            let detail = "The message is a piece of another one, which mail programs put together again after all have passed the scanner.";
            self.push(Finding::new("message_partial", Severity::Quarantine, detail).at(place.location()));
        }
    }

    fn encoding_findings(&mut self, entity: &Entity<'_>, place: &Place) {
        let detail = match entity.encoding {
            TransferEncoding::Ambiguous(_) => {
                "the name of the encoding is misspelt, so that some programs decode the part and others do not"
            }
            TransferEncoding::Unknown if looks_like_base64(entity.body) => {
                "the encoding is none that exists, and the content is base64, which some programs decode all the same"
            }
            TransferEncoding::Unknown if entity.is_file() => {
                "the encoding of the file is none that is known here, and the programs that know it see another file"
            }
            TransferEncoding::Base64 | TransferEncoding::QuotedPrintable if entity.is_multipart() => {
                "a group of parts is said to be encoded, which is forbidden: programs that decode it see other parts"
            }
            _ => return,
        };
        self.ambiguous("mime_encoding_ambiguous", detail, place);
    }

    pub(super) fn boundary_findings(&mut self, entity: &Entity<'_>, boundary: &str, place: &Place) {
        let mut given = entity.content_type.all("boundary");
        let detail = if boundary.trim().is_empty() {
            "a group of parts names no boundary, so that programs guess"
        } else if given.any(|other| other.value != boundary) {
            "a group of parts names two boundaries, and programs use one or the other"
        } else if entity.content_type.all("boundary").any(|other| other.form == Form::Extended) {
            "the boundary is written in a form (RFC 2231) that only some programs read"
        } else if place.boundaries.iter().any(|outer| outer == boundary) {
            "parts have the same boundary as the parts around them"
        } else if MAX_BOUNDARY_OCTETS < boundary.len() {
            "the boundary is longer than allowed, and some programs cut it off"
        } else if entity.content_type.is_malformed {
            "Content-Type is malformed, so that programs read different boundaries"
        } else {
            return;
        };
        self.ambiguous("mime_boundary_ambiguous", detail, place);
    }

    /// One parameter in two forms with two extensions: the program that knows one form saves another kind of file.
    fn name_findings(&mut self, entity: &Entity<'_>, place: &Place) {
        for (value, parameter) in [(&entity.disposition, "filename"), (&entity.content_type, "name")] {
            let mut extensions = value.all(parameter).map(|name| extension(&name.value));
            let first = extensions.next();
            if extensions.any(|other| Some(other) != first) {
                let detail = "the file has two names with different extensions, and programs use one or the other";
                self.ambiguous("mime_name_ambiguous", detail, place);
            }
        }
    }

    pub(super) fn charset_findings(&mut self, entity: &Entity<'_>, leaf: &Leaf<'_>, place: &Place) {
        if !leaf.declared.starts_with("text/") && !leaf.declared.is_empty() {
            return;
        }
        let mut named = entity.content_type.all("charset").map(|found| found.value.trim().to_ascii_lowercase());
        let first = named.next();
        let detail = if named.any(|other| Some(other) != first) {
            "the text names two charsets, and programs use one or the other"
        } else if charset::hides_ascii(leaf.charset) && leaf.declared == "text/html" {
            "the text is in a charset in which a scanner sees letters where a program sees markup"
        } else {
            return;
        };
        self.ambiguous("mime_charset_ambiguous", detail, place);
    }
}

fn differ(section: &HeaderSection<'_>, name: &str) -> bool {
    let mut values = section.fields_named(name).map(Field::unfolded);
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// The last extension as a system sees it, lower case.
fn extension(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    let name = visible.trim_end_matches(['.', ' ']);
    name.rsplit_once('.').map(|(_, extension)| extension.trim().to_lowercase()).unwrap_or_default()
}

/// At least four lines' worth of nothing but base64.
fn looks_like_base64(raw: &[u8]) -> bool {
    const LEAST: usize = 60;
    let mut octets = raw.iter().filter(|octet| !octet.is_ascii_whitespace()).take(4 * LEAST).peekable();
    let is_long = LEAST <= raw.len();
    is_long && octets.peek().is_some() && octets.all(|octet| octet.is_ascii_alphanumeric() || b"+/=".contains(octet))
}
