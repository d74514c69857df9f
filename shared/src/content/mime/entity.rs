//! One part with its header fields, and where it stands.

use super::MAX_NAMES;
use crate::{
    content::{field_value::FieldValue, transfer_encoding::TransferEncoding},
    header_section::{Field, HeaderSection},
};

/// Where an entity stands. `path` is empty for the outermost message.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) path: String,
    /// Path of the message around it.
    pub(super) message: String,
    pub(super) depth: usize,
    /// The boundaries around it, the outermost first.
    pub(super) boundaries: Vec<String>,
    /// It is a part of a multipart, and no message.
    is_part: bool,
    /// The multipart around it holds one letter: in several versions, or with what belongs to it.
    is_in_letter: bool,
}

impl Place {
    /// A part that is all of a message has the number 1.
    pub(super) fn of_leaf(&self) -> String {
        match (self.is_part, self.path.is_empty()) {
            (true, _) => self.path.clone(),
            (false, true) => "1".to_owned(),
            (false, false) => format!("{}.1", self.path),
        }
    }

    /// Of a message with one part, or the first of its parts, or of what is one letter.
    pub(super) fn is_of_letter(&self) -> bool {
        let numbers = self.path.strip_prefix(&self.message).unwrap_or(&self.path);
        self.is_in_letter || numbers.split('.').all(|number| matches!(number, "" | "1"))
    }

    /// The message that stands here.
    pub(super) fn within(&self) -> Self {
        Self { message: self.path.clone(), depth: self.depth + 1, is_part: false, is_in_letter: false, ..self.clone() }
    }

    /// The part of this number of the multipart `entity`, which stands here.
    pub(super) fn below(&self, number: usize, boundary: &str, entity: &Entity<'_>) -> Self {
        let path = if self.path.is_empty() { number.to_string() } else { format!("{}.{number}", self.path) };
        let mut boundaries = self.boundaries.clone();
        boundaries.push(boundary.to_owned());
        let is_in_letter = matches!(entity.content_type.token.as_str(), "multipart/alternative" | "multipart/related");
        let message = self.message.clone();
        Self { path, message, depth: self.depth + 1, boundaries, is_part: true, is_in_letter }
    }

    /// As a finding shows it.
    pub(super) fn location(&self) -> &str {
        if self.path.is_empty() { "body" } else { &self.path }
    }
}

/// What the fields of a part say about it.
pub(super) struct Entity<'e> {
    pub(super) section: HeaderSection<'e>,
    pub(super) content_type: FieldValue,
    pub(super) disposition: FieldValue,
    pub(super) encoding: TransferEncoding,
    pub(super) body: &'e [u8],
}

impl<'e> Entity<'e> {
    pub(super) fn parse(raw: &'e [u8]) -> Self {
        let section = HeaderSection::parse(raw);
        let value = |name: &str| section.fields_named(name).next().map(Field::unfolded).unwrap_or_default();
        Self {
            content_type: FieldValue::parse(&value("Content-Type")),
            disposition: FieldValue::parse(&value("Content-Disposition")),
            encoding: TransferEncoding::parse(&value("Content-Transfer-Encoding")),
            body: raw.get(section.body_offset..).unwrap_or_default(),
            section,
        }
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.content_type.token.starts_with("multipart/")
    }

    /// It is neither a group of parts nor a text that is shown.
    pub(super) fn is_file(&self) -> bool {
        let token = self.content_type.token.as_str();
        let is_text = token.is_empty() || token.starts_with("text/");
        !self.is_multipart() && (!is_text || self.disposition.token == "attachment" || !self.names().is_empty())
    }

    /// Names of all fields, those of `Content-Disposition` first; one more than the limit at most.
    pub(super) fn names(&self) -> Vec<String> {
        let of = |field: &str, parameter: &str| -> Vec<String> {
            let values = self.section.fields_named(field).map(|field| FieldValue::parse(&field.unfolded()));
            values.flat_map(|value| value.all(parameter).map(|found| found.value.clone()).collect::<Vec<_>>()).collect()
        };
        let mut names: Vec<String> = Vec::new();
        for name in of("Content-Disposition", "filename").into_iter().chain(of("Content-Type", "name")) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
            if MAX_NAMES < names.len() {
                break;
            }
        }
        names
    }
}
