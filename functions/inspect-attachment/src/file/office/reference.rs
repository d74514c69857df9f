//! Addresses that stand in the parts of a document themselves, and not in its relations: those of OpenDocument, of drawings
//! (VML), of videos and of connections to data.

use gatepost::content::link::links_of_html;

use super::{
    binary::{linked_program, macros},
    formula,
    macros::Project,
    relations::{Target, remote},
};
use crate::file::{
    contents::Contents,
    markup::{Piece, Tag, pieces},
};

/// Attributes of an element that hold an address.
const ADDRESSES: [&str; 6] = ["href", "src", "althref", "url", "fixedpage.navigateuri", "link"];

/// Hosts of the videos that Word offers to embed.
const VIDEOS: [&str; 6] =
    ["youtube.com", "youtube-nocookie.com", "youtu.be", "vimeo.com", "microsoftstream.com", "sharepoint.com"];

/// Judges every address in a part.
pub(super) fn references(text: &str, contents: &mut Contents<'_>) {
    const SIGNS: [&str; 8] = ["href", "src=", "url=", "NavigateUri", "webVideoPr", "dde-", "formula", "script"];
    if SIGNS.iter().any(|sign| text.contains(sign)) {
        for piece in pieces(text) {
            if let Piece::Tag(tag) = piece {
                reference(&tag, contents);
            }
        }
    }
}

pub(super) fn reference(tag: &Tag<'_>, contents: &mut Contents<'_>) {
    let name = tag.name.as_str();
    for address in ADDRESSES.iter().filter_map(|attribute| tag.get(attribute)) {
        judge(name, address, contents);
    }
    if name == "dde-source" {
        linked_program(tag.get("dde-application").unwrap_or_default(), contents);
    }
    if let Some(formula) = tag.get("formula") {
        formula::judge(formula, contents);
    }
    if name == "webvideopr" {
        video(tag.get("embeddedhtml").unwrap_or_default(), contents);
    }
}

/// What is no element that loads is a link to be clicked.
fn judge(element: &str, address: &str, contents: &mut Contents<'_>) {
    let place = Target::of(address);
    if place == Target::Near {
        return;
    }
    contents.link(address);
    let loads_content = matches!(
        element,
        "section-source"
            | "floating-frame"
            | "object"
            | "object-ole"
            | "plugin"
            | "applet"
            | "table-source"
            | "cell-range-source"
            | "webpr"
            | "template"
            | "database-source-sql"
            | "connection-resource"
    );
    let loads_picture =
        matches!(element, "image" | "imagedata" | "fill" | "stroke" | "background-image" | "fill-image" | "sound");
    match place {
        Target::Runs => remote(contents, "a link or an event of the document runs something"),
        _ if loads_content => remote(contents, "the document loads an object from elsewhere when it is opened"),
        Target::Share if loads_picture => {
            remote(contents, "the document loads a picture from another's share when it is opened");
        }
        _ => {}
    }
}

/// The page that is shown in place of a video.
fn video(page: &str, contents: &mut Contents<'_>) {
    let lower = page.to_ascii_lowercase();
    let links = links_of_html(page).links;
    let is_known = |address: &str| {
        let rest = address.split("//").nth(1).unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        VIDEOS
            .iter()
            .any(|known| host == *known || host.strip_suffix(known).is_some_and(|before| before.ends_with('.')))
    };
    let runs = ["<script", "javascript:", "onerror", "onload", "data:", "\\\\"].iter().any(|sign| lower.contains(sign));
    if runs || links.iter().any(|link| !is_known(&link.target)) {
        remote(contents, "a video of the document is a page of somebody else's");
    }
    links.iter().for_each(|link| contents.link(&link.target));
}

/// A module of Basic in a document that is one file of XML.
pub(super) fn module(tag: &Tag<'_>, contents: &mut Contents<'_>) {
    if matches!(tag.name.as_str(), "source-code" | "module") {
        macros(Project::Code, contents);
    }
}
