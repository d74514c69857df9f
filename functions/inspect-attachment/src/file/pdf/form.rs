//! Forms in XFA (ISO 32000-1 §12.7.8): XML that brings scripts of its own.

use gatepost::finding::Severity;

use crate::file::{
    contents::Contents,
    markup::{Piece, pieces},
};

/// What happens without a click or a key.
const UNASKED: [&str; 6] = ["initialize", "docready", "ready", "preopen", "docopen", "layout:ready"];

/// Calls that lead out of the form: to an address, to a file, to a script that is a text.
const LEADS_OUT: [&str; 6] = ["launchURL", "gotoURL", "exportDataObject", "importDataObject", "getURL", "eval("];

/// Nearly all such forms compute something, and few lead anywhere unasked.
pub(super) fn judge(form: &str, contents: &mut Contents<'_>) {
    let is_quoted_share =
        |quote: char| form.contains(&format!("{quote}\\\\")) || form.contains(&format!("{quote}file://"));
    if ['"', '\''].into_iter().any(is_quoted_share) {
        let detail = "the PDF form opens a share of another machine, which is given the reader's credentials";
        contents.remark("remote_object", Severity::Quarantine, detail);
    }
    let mut is_asked_for = false;
    for piece in pieces(form) {
        match piece {
            Piece::Script(script) if !script.trim().is_empty() => judge_script(&script, is_asked_for, contents),
            Piece::Script(_) => {}
            Piece::Tag(tag) if tag.name == "event" => {
                let activity = tag.get("activity").unwrap_or_default().to_ascii_lowercase();
                is_asked_for = !UNASKED.contains(&activity.as_str());
            }
            Piece::Tag(tag) if tag.name == "submit" => {
                tag.get("target").into_iter().for_each(|target| contents.link(target));
            }
            Piece::Tag(_) => {}
        }
    }
}

fn judge_script(script: &str, is_asked_for: bool, contents: &mut Contents<'_>) {
    if !is_asked_for && LEADS_OUT.iter().any(|call| script.contains(call)) {
        let detail = "the PDF form runs a script that leads elsewhere when it is opened";
        contents.remark("pdf_script", Severity::Quarantine, detail);
    } else {
        contents.remark("pdf_script", Severity::Review, "a field of the PDF form runs a script");
    }
}
