//! HTML pages and SVG drawings that are opened from disk: what they build, ask for and lead to.

mod encoded;
mod script;
mod shown;
mod source;

use std::collections::HashSet;

use gatepost::content::{
    character_reference::resolved,
    data_url::DataUrl,
    link::links_of_markup,
    markup::{Piece, Pieces, Reading, Tag, expanded, local},
};
use gatepost::finding::Severity;
use memchr::memmem;

use self::{
    encoded::{Decoded, Encoded},
    script::Scripts,
    shown::Shown,
};
use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    octets::text_of,
    picture::{Format, drawings_of_page, look_at_drawings},
};

/// A script that draws what a page shows has data of its own, and is longer.
const DRAWING_SCRIPT: usize = 1_000;

/// Files and pages that one page holds in letters.
const MAX_DECODED: usize = 100;

/// Octets of the shortest address that holds a picture of a code.
const LEAST_PICTURE: usize = 100;

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
        reader.finish(self.is_drawing, contents);
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
    shown: Shown,
    encoded: Encoded,
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
        let before = (std::mem::take(&mut self.scripts.length), self.shown.begin());
        // A script within a drawing has its text in pieces.
        let mut script: Option<String> = None;
        for piece in Pieces::of(text, reading) {
            match piece {
                Piece::Open(tag) => {
                    let is_script = tag.local_name() == "script" && !is_data(&tag);
                    self.scripts.has_script |= is_script;
                    self.judge(&tag, contents);
                    self.shown.open(&tag);
                    if is_script && !tag.is_empty {
                        script.get_or_insert_default();
                    }
                }
                Piece::Text(text) => match &mut script {
                    Some(script) => script.push_str(&resolved(text)),
                    None => {
                        self.shown.text(text);
                        self.encoded.note(text);
                    }
                },
                Piece::Raw("style", text) => self.pictures(text, contents),
                Piece::Raw("script", text) if script.is_some() => {
                    script.iter_mut().for_each(|script| script.push_str(text));
                }
                Piece::Close(name) if local(&name) == "script" => self.note(&mut script),
                Piece::Close(name) => self.shown.close(local(&name)),
                // What is no script is read by one.
                Piece::Raw(_, text) | Piece::Comment(text) => self.encoded.note(text),
            }
        }
        self.note(&mut script);
        // Another reading of the same page shows it once more.
        self.scripts.length = self.scripts.length.max(before.0);
        self.shown.end(before.1);
    }

    fn note(&mut self, script: &mut Option<String>) {
        if let Some(script) = script.take() {
            self.scripts.note(&script);
            self.encoded.note(&script);
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
        self.shown.targets(tag);
        for (name, value) in tag.attributes() {
            self.encoded.note(&value);
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

impl Reader {
    /// What all of it comes to, once all of it is read.
    fn finish(mut self, is_drawing: bool, contents: &mut Contents<'_>) {
        if self.scripts.has_script && self.scripts.decodes {
            self.bring_to_light(contents);
        }
        if self.is_anothers() {
            let detail = "the page has nothing of its own to show and loads what it shows from elsewhere";
            contents.remark("page_redirect", Severity::Quarantine, detail);
        }
        if self.scripts.has_script {
            self.judge_scripts(contents);
            script_runs(is_drawing, contents);
        }
    }

    /// What its scripts decode is judged as if it were written.
    fn bring_to_light(&mut self, contents: &mut Contents<'_>) {
        let mut files = 0;
        for decoded in self.encoded.decoded() {
            let inner = match decoded {
                Decoded::Text(text) => {
                    self.scripts.note(&text);
                    continue;
                }
                Decoded::Page(octets) => Inner { declared: "text/html".to_owned(), ..Inner::new(Vec::new(), octets) },
                Decoded::File(octets) => Inner::new(Vec::new(), octets),
            };
            files += 1;
            if MAX_DECODED < files {
                return contents.exceeded(Limit::Entries);
            }
            contents.inner.push(inner);
        }
    }

    /// Whoever opens it sees a page that nobody has sent.
    fn is_anothers(&self) -> bool {
        let (shown, scripts) = (&self.shown, &self.scripts);
        let draws = DRAWING_SCRIPT < scripts.length;
        !shown.has_text() && (shown.frames || !draws && (shown.loads_script || scripts.loads))
    }

    fn judge_scripts(&self, contents: &mut Contents<'_>) {
        let (scripts, has_text) = (&self.scripts, self.shown.has_text());
        // A program with much to show has all of these words, and so has a library.
        let is_bare = !has_text && scripts.are_short();
        let carries = scripts.carries_octets || is_bare && self.encoded.has_octets;
        if scripts.builds_file && (carries || scripts.decodes && scripts.saves) {
            smuggles(contents);
        }
        let runs_what_it_carries = scripts.decodes && scripts.runs_text;
        let hides = scripts.runs_decoded
            || scripts.is_of_signs
            || runs_what_it_carries && (scripts.carries_octets || is_bare)
            || runs_what_it_carries && scripts.carries_numbers && scripts.are_short();
        if hides {
            let detail = "a script in the page hides what it writes or runs";
            contents.remark("obfuscated_script", Severity::Quarantine, detail);
        }
        if scripts.asks_password {
            let detail = "a script in the page makes a field for a password";
            contents.remark("credential_form", Severity::Quarantine, detail);
        }
        let goes = scripts.submits && self.shown.has_form || scripts.clicks && self.shown.has_link || scripts.opens;
        if scripts.leads_away || is_bare && goes {
            let severity = if scripts.is_long && !is_bare { Severity::Review } else { Severity::Quarantine };
            contents.remark("page_redirect", severity, "a script in the page leads to another address");
        }
    }
}

fn script_runs(is_drawing: bool, contents: &mut Contents<'_>) {
    if is_drawing {
        let detail = "the drawing has a script in it, which runs when it is opened";
        contents.remark("svg_script", Severity::Quarantine, detail);
    } else {
        let detail = "the page has a script in it, which runs when it is opened";
        contents.remark("html_script", Severity::Review, detail);
    }
}
