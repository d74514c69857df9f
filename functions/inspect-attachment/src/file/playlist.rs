//! Lists of what is to be played. A player asks for all of it by itself, and another's share is asked with the reader's
//! credentials.

use gatepost::finding::Severity;

use super::{contents::Contents, octets::text_of, office::relations::Target};

pub(crate) const EXTENSIONS: &[&str] = &[
    "m3u", "m3u8", "pls", "asx", "wax", "wvx", "wmx", "wpl", "zpl", "xspf", "ram", "rmm", "smi", "smil", "b4s", "cue",
];

pub(crate) fn read(octets: &[u8]) -> Contents<'static> {
    let mut contents = Contents::default();
    let text = text_of(octets);
    let is_between = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '=' | ',');
    for word in text.split(is_between).filter(|word| 3 < word.len()) {
        let place = Target::of(word);
        if place != Target::Near {
            contents.link(word);
        }
        if matches!(place, Target::Share | Target::Runs) {
            let detail = "the list plays something from another's share, which is asked with the reader's credentials";
            contents.remark("remote_object", Severity::Quarantine, detail);
        }
    }
    contents
}
