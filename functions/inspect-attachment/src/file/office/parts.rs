//! What the parts of a package are for (ECMA-376-2): a part may have any name, and programs go by relations and content types.

use std::collections::HashMap;

use gatepost::finding::Severity;

use super::{
    binary::macro_sheet,
    relations::{Relation, relations},
};
use crate::file::{
    contents::Contents,
    markup::{Piece, pieces},
};

/// What a program does with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Macros,
    MacroSheet,
    Control,
    Object,
    ExternalLink,
    /// A text with fields.
    Text,
    Slide,
}

/// Becomes a finding of its own only where the name promises another kind.
pub(crate) const MACRO_ENABLED: &str = "macro_enabled_document";

/// The uses of parts, by their paths in lower case.
#[derive(Debug, Default)]
pub(super) struct Parts(HashMap<String, Vec<Use>>);

impl Parts {
    pub(super) fn uses(&self, path: &str) -> &[Use] {
        self.0.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    /// Reads the relations of one part, at `path`: `word/_rels/document.xml.rels` is about what `word/document.xml` refers to.
    pub(super) fn note_relations(&mut self, path: &str, text: &str, contents: &mut Contents<'_>) {
        let folder = path.rsplit_once("_rels/").map_or("", |(folder, _)| folder);
        for Relation { kind, target } in relations(text, contents) {
            if let Some(found) = use_by_relation(&kind) {
                self.0.entry(resolved(folder, &target)).or_default().push(found);
            }
        }
    }

    /// Reads `[Content_Types].xml`. A document without a macro that says it may have some was given another name.
    pub(super) fn note_types(&mut self, text: &str, contents: &mut Contents<'_>) {
        for piece in pieces(text) {
            let Piece::Tag(tag) = piece else { continue };
            let content_type = tag.get("contenttype").unwrap_or_default().to_ascii_lowercase();
            if content_type.contains(".macroenabled") && content_type.contains("main+xml") {
                contents.remark(MACRO_ENABLED, Severity::Info, "the document is of a kind that may have macros");
            }
            let found = use_by_type(&content_type);
            if found == Some(Use::MacroSheet) {
                macro_sheet(contents);
            }
            if let (Some(found), Some(part)) = (found, tag.get("partname")) {
                self.0.entry(resolved("", part)).or_default().push(found);
            }
        }
    }
}

fn use_by_relation(kind: &str) -> Option<Use> {
    Some(match kind {
        "vbaproject" => Use::Macros,
        "xlmacrosheet" | "xlintlmacrosheet" | "dialogsheet" => Use::MacroSheet,
        "control" | "activexcontrolbinary" => Use::Control,
        "oleobject" | "package" => Use::Object,
        "externallink" => Use::ExternalLink,
        "officedocument" | "header" | "footer" | "footnotes" | "endnotes" | "comments" | "glossarydocument"
        | "settings" => Use::Text,
        "slide" | "slidelayout" | "slidemaster" | "notesslide" => Use::Slide,
        _ => return None,
    })
}

fn use_by_type(content_type: &str) -> Option<Use> {
    let has = |word: &str| content_type.contains(word);
    Some(match content_type {
        _ if content_type.ends_with("vbaproject") => Use::Macros,
        _ if has("macrosheet") || has("dialogsheet") => Use::MacroSheet,
        _ if has("activex") => Use::Control,
        _ if has("oleobject") => Use::Object,
        _ if has("externallink") => Use::ExternalLink,
        _ if has("wordprocessingml") => Use::Text,
        _ if has("presentationml") => Use::Slide,
        _ => return None,
    })
}

/// The path that a reference in `folder` leads to, in lower case.
fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/").to_ascii_lowercase();
    let whole = if target.starts_with('/') { target } else { format!("{folder}{target}") };
    let mut path: Vec<&str> = Vec::new();
    for step in whole.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.join("/")
}
