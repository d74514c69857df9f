//! HTML pages and SVG drawings that are opened from disk: what they build, ask for and lead to.

use std::collections::HashSet;

use gatepost::content::{
    character_reference::resolved,
    data_url::DataUrl,
    link::links_of_markup,
    markup::{Piece, Pieces, Reading, Tag, expanded, local},
};
use gatepost::finding::Severity;
use memchr::memmem;

use super::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::text_of,
    picture::{Format, drawings_of_page, look_at_drawings},
};

/// Letters in a row that only encoded octets have.
const ENCODED_LETTERS: usize = 200;

/// A script that is longer is a program, of which leading elsewhere is a part.
const SHORT_SCRIPT: usize = 2_000;

/// Octets of the shortest address that holds a picture of a code.
const LEAST_PICTURE: usize = 100;

/// What the scripts of a page do, all together.
#[derive(Debug, Default)]
struct Scripts {
    has_script: bool,
    decodes: bool,
    builds_file: bool,
    saves: bool,
    carries_octets: bool,
    runs_text: bool,
    runs_decoded: bool,
    leads_away: bool,
    is_long: bool,
}

/// How a file is opened that a browser opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) is_html: bool,
    pub(crate) is_xml: bool,
    /// It is a picture to whoever sends it on: scripts are never expected in it.
    pub(crate) is_drawing: bool,
}

impl Page {
    /// Reads it in every way in which a browser may read it.
    pub(crate) fn read(self, octets: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) {
        let text = text_of(octets);
        let mut reader = Reader::default();
        if self.is_html {
            reader.read(&text, &Reading::of_page(&text), contents);
        }
        if self.is_xml && Reading::is_page_of_xml(&text) {
            let expanded = expanded(&text);
            if expanded.is_cut {
                contents.exceeded(Limit::Entities);
            }
            reader.read(&expanded.text, &[Reading::Xml], contents);
        }
        reader.scripts.judge(self.is_drawing, contents);
        look_at_drawings(&drawings_of_page(&text, &mut |_| {}), budget, contents);
    }
}

/// The codes of a letter, of which nothing runs: in pictures in its addresses, and drawn by its text and its tables.
pub(crate) fn codes_of_letter(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) {
    let mut reader = Reader::default();
    let drawings = drawings_of_page(&text_of(octets), &mut |value| reader.pictures(value, contents));
    look_at_drawings(&drawings, budget, contents);
}

/// What the readings of one page have found together.
#[derive(Debug, Default)]
struct Reader {
    scripts: Scripts,
    /// Pages within the page that are handed on.
    inner: HashSet<String>,
}

impl Reader {
    fn read(&mut self, text: &str, readings: &[Reading], contents: &mut Contents<'_>) {
        for reading in readings {
            self.read_as(text, *reading, contents);
        }
        contents.links.extend(links_of_markup(text, readings).links);
    }

    fn read_as(&mut self, text: &str, reading: Reading, contents: &mut Contents<'_>) {
        // A script within a drawing has its text in pieces.
        let mut script: Option<String> = None;
        for piece in Pieces::of(text, reading) {
            match piece {
                Piece::Open(tag) => {
                    let is_script = tag.local_name() == "script" && !is_data(&tag);
                    self.scripts.has_script |= is_script;
                    self.judge(&tag, contents);
                    if is_script && !tag.is_empty {
                        script.get_or_insert_default();
                    }
                }
                Piece::Text(text) => script.iter_mut().for_each(|script| script.push_str(&resolved(text))),
                Piece::Raw("style", text) => self.pictures(text, contents),
                Piece::Raw("script", text) => script.iter_mut().for_each(|script| script.push_str(text)),
                Piece::Close(name) if local(&name) == "script" => self.note(&mut script),
                Piece::Raw(..) | Piece::Close(_) | Piece::Comment(_) => {}
            }
        }
        self.note(&mut script);
    }

    fn note(&mut self, script: &mut Option<String>) {
        if let Some(script) = script.take() {
            self.scripts.note(&script);
        }
    }

    fn judge(&mut self, tag: &Tag<'_>, contents: &mut Contents<'_>) {
        if tag.is_cut {
            let detail = "a tag of the page has more attributes than are read";
            contents.remark("archive_limit_exceeded", Severity::Quarantine, detail);
        }
        let is = |name: &str, value: &str| {
            tag.attribute(name).is_some_and(|written| written.trim().eq_ignore_ascii_case(value))
        };
        match tag.local_name() {
            "input" if is("type", "password") => {
                contents.remark("credential_form", Severity::Quarantine, "the page asks for a password");
            }
            "meta" if is("http-equiv", "refresh") => {
                refresh(&tag.attribute("content").unwrap_or_default(), contents);
            }
            "a" if tag.attribute("download").is_some() => {
                self.scripts.saves = true;
                let target = address(&tag.local_attribute("href").unwrap_or_default()).to_ascii_lowercase();
                if target.starts_with("data:application/") {
                    smuggles(contents);
                }
            }
            _ => {}
        }
        for (name, value) in tag.attributes() {
            self.attribute(tag.local_name(), local(&name), &value, contents);
        }
    }

    fn attribute(&mut self, element: &str, name: &str, value: &str, contents: &mut Contents<'_>) {
        match name {
            _ if 2 < name.len() && name.starts_with("on") => {
                self.scripts.has_script = true;
                self.scripts.note(value);
            }
            "srcdoc" => self.hand_on("srcdoc.html", value, || value.as_bytes().to_vec(), contents),
            "href" | "src" | "action" | "formaction" | "data" | "background" | "poster" => {
                self.target(element, value, contents);
            }
            // Style sheets and lists of sources hold addresses among others.
            "style" | "srcset" => self.pictures(value, contents),
            // Drawings set the targets of their links by these.
            "values" | "to" | "from" | "by" => value.split(';').for_each(|value| self.scripts.note_address(value)),
            _ => {}
        }
    }

    fn target(&mut self, element: &str, value: &str, contents: &mut Contents<'_>) {
        self.scripts.note_address(value);
        let lower: String = address(value).chars().take(40).collect::<String>().to_ascii_lowercase();
        let is_active = ["data:text/html", "data:image/svg", "data:application/", "data:text/javascript"];
        self.scripts.carries_octets |= is_active.iter().any(|kind| lower.starts_with(kind));
        // A picture runs nothing.
        let is_opened = matches!(element, "a" | "area" | "iframe" | "frame" | "object" | "embed" | "form" | "base");
        if is_opened && let Some(data) = DataUrl::parse(value).filter(DataUrl::is_page) {
            let name = if data.media_type.contains("svg") { "data.svg" } else { "data.html" };
            self.hand_on(name, value, || data.octets, contents);
        }
        self.pictures(value, contents);
    }

    /// Pictures within addresses, where a value has any.
    fn pictures(&mut self, value: &str, contents: &mut Contents<'_>) {
        if value.len() < LEAST_PICTURE {
            return;
        }
        let starts: Vec<usize> = memmem::find_iter(value.to_ascii_lowercase().as_bytes(), b"data:").collect();
        for at in starts {
            let rest = value.get(at..).unwrap_or_default();
            let is_all = value.get(..at).is_some_and(|before| before.trim().is_empty());
            let end = if is_all { None } else { rest.find([')', '"', '\'', ' ']) };
            let address = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if let Some(data) = DataUrl::parse(address).filter(|data| Format::of(&data.octets).is_some()) {
                self.hand_on("picture", address, || data.octets, contents);
            }
            if is_all {
                return;
            }
        }
    }

    /// Another reading of the same page finds the same pages in it.
    fn hand_on(&mut self, name: &str, value: &str, octets: impl FnOnce() -> Vec<u8>, contents: &mut Contents<'_>) {
        if self.inner.insert(value.to_owned()) {
            contents.file(name, octets());
        }
    }
}

/// What the element holds is for scripts to read, and no script.
fn is_data(tag: &Tag<'_>) -> bool {
    let kind = tag.attribute("type").unwrap_or_default().to_ascii_lowercase();
    kind.contains("json") || kind.contains("template")
}

/// A value as a browser takes it for an address: without white space and control characters.
fn address(value: &str) -> String {
    value.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect()
}

fn smuggles(contents: &mut Contents<'_>) {
    let detail = "the page builds a file on the reader's machine, out of the sight of every filter";
    contents.remark("html_smuggling", Severity::Quarantine, detail);
}

/// `0; url=..`
fn refresh(content: &str, contents: &mut Contents<'_>) {
    if content.contains([';', ',']) {
        let detail = "the page leads to another address as soon as it is opened";
        contents.remark("page_redirect", Severity::Quarantine, detail);
    }
}

impl Scripts {
    /// What does nothing is no script.
    fn note_address(&mut self, value: &str) {
        let target = address(value);
        let lower = target.get(..target.floor_char_boundary(40)).unwrap_or_default().to_ascii_lowercase();
        let is_script = ["javascript:", "vbscript:"].iter().any(|scheme| lower.starts_with(scheme));
        let is_idle =
            matches!(lower.as_str(), "javascript:" | "javascript:;" | "javascript:void(0)" | "javascript:void(0);");
        if is_script && !is_idle {
            self.has_script = true;
            self.note(value);
        }
    }

    fn note(&mut self, script: &str) {
        let compact: String = script.chars().filter(|c| !c.is_whitespace()).collect();
        let has = |words: &[&str]| words.iter().any(|word| compact.contains(word));
        self.has_script |= !compact.is_empty();
        self.is_long |= SHORT_SCRIPT < compact.len() && !has_encoded_octets(&compact);
        self.decodes |= has(&["atob", "fromCharCode", "Uint8Array", "decodeURIComponent", "unescape(", "base64"]);
        self.builds_file |=
            has(&["newBlob", "createObjectURL", "msSaveOrOpenBlob", "msSaveBlob", "newFile(", "showSaveFilePicker"]);
        self.saves |= has(&[".download", "'download'", "\"download\"", "msSaveOrOpenBlob", "msSaveBlob", ".click("]);
        self.runs_text |=
            has(&["eval(", "document.write", "Function(", "innerHTML", "insertAdjacentHTML", "execScript"]);
        self.runs_decoded |= ["eval(", "write(", "writeln(", "Function(", "innerHTML="].iter().any(|runs| {
            ["atob(", "unescape(", "window.atob(", "decodeURIComponent(", "String.fromCharCode("]
                .iter()
                .any(|decodes| compact.contains(&format!("{runs}{decodes}")))
        });
        self.leads_away |= leads_away(&compact);
        self.carries_octets |= has_encoded_octets(&compact);
    }

    fn judge(&self, is_drawing: bool, contents: &mut Contents<'_>) {
        if !self.has_script {
            return;
        }
        if self.builds_file && (self.carries_octets || self.decodes && self.saves) {
            smuggles(contents);
        }
        if self.runs_decoded || self.carries_octets && self.decodes && self.runs_text {
            let detail = "a script in the page hides what it writes or runs";
            contents.remark("obfuscated_script", Severity::Quarantine, detail);
        }
        if self.leads_away {
            let severity = if self.is_long { Severity::Review } else { Severity::Quarantine };
            contents.remark("page_redirect", severity, "a script in the page leads to another address");
        }
        if is_drawing {
            let detail = "the drawing has a script in it, which runs when it is opened";
            contents.remark("svg_script", Severity::Quarantine, detail);
        } else {
            contents.remark(
                "html_script",
                Severity::Review,
                "the page has a script in it, which runs when it is opened",
            );
        }
    }
}

/// Whether an address is assigned, not compared or read.
fn leads_away(compact: &str) -> bool {
    let assigned = |name: &str| {
        let mut ends = compact.match_indices(name).map(|(at, _)| compact.get(at + name.len()..).unwrap_or_default());
        ends.any(|after| {
            after.starts_with('=') && !after.starts_with("==")
                || after.starts_with(".href=") && !after.starts_with(".href==")
        })
    };
    assigned("location") || ["location.replace(", "location.assign("].iter().any(|call| compact.contains(call))
}

fn has_encoded_octets(script: &str) -> bool {
    let mut letters = 0;
    script.bytes().any(|octet| {
        letters =
            if octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=' | b'%') { letters + 1 } else { 0 };
        ENCODED_LETTERS < letters
    })
}
