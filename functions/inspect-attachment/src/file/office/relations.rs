//! Relations of the parts of a package (ECMA-376-2 §8.3): what a document refers to, within itself and elsewhere.

use gatepost::finding::Severity;

use crate::file::{
    contents::Contents,
    markup::{Piece, Tag, pieces},
};

/// What a part may be that a link of a document points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// On the reader's own machine or network, as templates of a company are.
    Near,
    Web,
    /// Another machine is given the reader's credentials.
    Share,
    /// A scheme that runs something.
    Runs,
}

/// One relation to another part of the package: what for, in lower case, and where from the part that has it.
pub(super) struct Relation {
    pub(super) kind: String,
    pub(super) target: String,
}

/// Judges the relations that lead out of the package, and answers with the others.
pub(super) fn relations(text: &str, contents: &mut Contents<'_>) -> Vec<Relation> {
    let mut within = Vec::new();
    for piece in pieces(text) {
        if let Piece::Tag(tag) = piece
            && tag.name == "relationship"
        {
            within.extend(relation(&tag, contents));
        }
    }
    within
}

fn relation(tag: &Tag<'_>, contents: &mut Contents<'_>) -> Option<Relation> {
    let kind = tag.get("type").and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_ascii_lowercase();
    let target = tag.get("target").unwrap_or_default();
    let is_external = tag.get("targetmode").is_some_and(|mode| mode.trim().eq_ignore_ascii_case("External"));
    if !is_external && !target.contains("://") {
        return Some(Relation { kind, target: target.to_owned() });
    }
    let place = Target::of(target);
    contents.link(target);
    match (kind.as_str(), place) {
        (_, Target::Runs) => remote(contents, "a link of the document runs something"),
        (_, Target::Near) | ("hyperlink", _) => {}
        ("attachedtemplate", _) => {
            let detail = "the document loads a template from elsewhere, with its macros, when it is opened";
            contents.remark("remote_template", Severity::Quarantine, detail);
        }
        ("oleobject" | "frame" | "subdocument" | "afchunk" | "package" | "control", _) | ("image", Target::Share) => {
            remote(contents, "the document loads an object from elsewhere when it is opened");
        }
        _ => {}
    }
    None
}

pub(super) fn remote(contents: &mut Contents<'_>, detail: &str) {
    contents.remark("remote_object", Severity::Quarantine, detail);
}

impl Target {
    pub(crate) fn of(target: &str) -> Self {
        let target: String = target.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
        let target = target.to_ascii_lowercase().replace('\\', "/");
        let scheme = target.split_once(':').map_or("", |(scheme, _)| scheme);
        let path = target.strip_prefix("file:").unwrap_or(&target);
        match scheme {
            "http" | "https" | "ftp" => Self::Web,
            "mhtml"
            | "script"
            | "javascript"
            | "vbscript"
            | "ms-msdt"
            | "search-ms"
            | "search"
            | "its"
            | "ms-its"
            | "mk"
            | "vnd.sun.star.script"
            | "macro"
            | "slot" => Self::Runs,
            _ => host_of_share(path).map_or(Self::Near, |_| Self::Share),
        }
    }
}

/// A host with a domain or an address: one without is on the reader's own network.
fn host_of_share(path: &str) -> Option<&str> {
    let host = path
        .strip_prefix("//")
        .map(|rest| rest.trim_start_matches('/').split(['/', '@']).next().unwrap_or_default())?;
    // `file:///C:/..` has a drive where a share has a host.
    (host.contains('.') && !host.contains(':')).then_some(host)
}

/// Whether a template that is given by name comes from elsewhere.
pub(crate) fn is_elsewhere(target: &str) -> bool {
    Target::of(target) != Target::Near
}
