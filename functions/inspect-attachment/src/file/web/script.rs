//! What the scripts of a page do, by the words in them.

use super::source::each_reading;

/// Letters in a row that only encoded octets have.
const ENCODED_LETTERS: usize = 200;

/// Digits and commas in a row that only a list of numbers has that stand for a text.
const ENCODED_NUMBERS: usize = 100;

/// A script that is longer is a program, of which leading elsewhere is a part.
const SHORT_SCRIPT: usize = 2_000;

/// Scripts that are longer together are those of a library or an application, which has all of these words somewhere.
const SHORT_SCRIPTS: usize = 20_000;

/// Signs that a script may have without any letter.
const ENCODED_SIGNS: usize = 200;

/// Other names for the address of the page that are followed.
const MAX_ALIASES: usize = 20;

/// What the scripts of a page do, all together.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    pub(super) has_script: bool,
    pub(super) decodes: bool,
    pub(super) builds_file: bool,
    pub(super) saves: bool,
    pub(super) carries_octets: bool,
    pub(super) carries_numbers: bool,
    pub(super) runs_text: bool,
    pub(super) runs_decoded: bool,
    pub(super) leads_away: bool,
    pub(super) is_long: bool,
    /// It is written in signs only, which run all the same.
    pub(super) is_of_signs: bool,
    /// It sends a form or follows a link by itself.
    pub(super) submits: bool,
    pub(super) clicks: bool,
    pub(super) opens: bool,
    /// It loads a script or a text from elsewhere.
    pub(super) loads: bool,
    pub(super) asks_password: bool,
    /// Characters but blanks and encoded octets.
    pub(super) length: usize,
}

impl Scripts {
    /// What does nothing is no script.
    pub(super) fn note_address(&mut self, value: &str) {
        let target = super::address(value);
        let lower = target.get(..target.floor_char_boundary(40)).unwrap_or_default().to_ascii_lowercase();
        let is_script = ["javascript:", "vbscript:"].iter().any(|scheme| lower.starts_with(scheme));
        let is_idle =
            matches!(lower.as_str(), "javascript:" | "javascript:;" | "javascript:void(0)" | "javascript:void(0);");
        if is_script && !is_idle {
            self.has_script = true;
            self.note(&super::source::percent_decoded(value));
        }
    }

    pub(super) fn note(&mut self, script: &str) {
        let mut length = None;
        each_reading(script, |text| {
            let of_code = *length.get_or_insert_with(|| length_of_code(text));
            self.note_words(text);
            self.note_ways(text);
            self.note_octets(text);
            self.asks_password |= of_code < SHORT_SCRIPTS && builds_password_field(text);
        });
        let length = length.unwrap_or_default();
        self.has_script |= 0 < length || !script.trim().is_empty();
        self.is_long |= SHORT_SCRIPT < length;
        self.length += length;
    }

    /// `text` has no blanks.
    fn note_words(&mut self, text: &str) {
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        self.decodes |= has(&[
            "atob",
            "fromCharCode",
            "fromCodePoint",
            "Uint8Array",
            "decodeURIComponent",
            "unescape(",
            "base64",
            "charCodeAt",
            "TextDecoder",
            "CryptoJS",
            "fromBase64",
            "DecompressionStream",
            "subtle.decrypt",
        ]);
        self.builds_file |= has(&[
            "newBlob",
            ".Blob",
            "createObjectURL",
            "msSaveOrOpenBlob",
            "msSaveBlob",
            "newFile(",
            "showSaveFilePicker",
        ]);
        self.saves |= has(&[".download", "'download'", "\"download\"", "msSaveOrOpenBlob", "msSaveBlob", ".click("]);
        self.runs_text |= has(&[
            "eval(",
            "document.write",
            ".write(",
            "Function(",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "execScript",
            ".constructor(",
            "createContextualFragment",
            "DOMParser",
            "srcdoc",
            "setHTMLUnsafe",
        ]);
        self.runs_decoded |=
            ["eval(", "write(", "writeln(", "Function(", "innerHTML=", ".constructor("].iter().any(|runs| {
                ["atob(", "unescape(", "window.atob(", "decodeURIComponent(", "String.fromCharCode("]
                    .iter()
                    .any(|decodes| text.contains(&format!("{runs}{decodes}")))
            });
    }

    fn note_ways(&mut self, text: &str) {
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        self.leads_away |= leads_away(text);
        self.submits |= has(&[".submit(", ".requestSubmit("]);
        self.clicks |= has(&[".click(", "dispatchEvent("]);
        self.opens |= has(&["window.open(", "open(\"http", "open('http", "open(`http"]);
        let is_from_elsewhere = has(&["\"http", "'http", "`http", "\"//", "'//", "`//"]);
        let runs_elsewhere =
            has(&["import(", "importScripts(", "createElement(\"script\")", "createElement('script')"])
                || has(&["createElement(`script`)", "createElement(\"iframe\")", "createElement('iframe')"]);
        let fetches = has(&["fetch(", "XMLHttpRequest", ".ajax(", "$.get", ".load(", "newWebSocket("]);
        let shows =
            has(&["write(", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "Function(", ".html(", "append("]);
        self.loads |= is_from_elsewhere && (runs_elsewhere || fetches && shows);
    }

    fn note_octets(&mut self, text: &str) {
        self.carries_octets |= has_encoded_octets(text);
        self.carries_numbers |= has_run(text, ENCODED_NUMBERS, |octet| octet.is_ascii_digit() || octet == b',');
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        self.is_of_signs |= ENCODED_SIGNS < text.len() && letters * 10 < text.len();
    }

    /// All of them together are no library or application.
    pub(super) fn are_short(&self) -> bool {
        self.length < SHORT_SCRIPTS
    }
}

/// Whether an address is assigned, not compared or read.
fn leads_away(text: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    is_assigned(text, "location")
        || has(&["location.replace(", "location.assign(", "navigation.navigate(", "window.navigate("])
        || has(&["Object.assign(location", "Object.assign(window.location", "Object.assign(document.location"])
        || has(&["Reflect.set(", "execCommand("]) && has(&["\"location\"", "'location'", "`location`"])
        || has(&["createElement(\"meta\")", "createElement('meta')", "createElement(`meta`)"]) && has(&["refresh"])
        || opens_here(text)
        || aliases(text)
            .any(|alias| [".href=", ".replace(", ".assign("].iter().any(|way| text.contains(&format!("{alias}{way}"))))
}

fn is_assigned(text: &str, name: &str) -> bool {
    let mut ends = text.match_indices(name).map(|(at, _)| text.get(at + name.len()..).unwrap_or_default());
    ends.any(|after| {
        let after = after.strip_prefix(".href").unwrap_or(after);
        after.starts_with('=') && !after.starts_with("==")
    })
}

/// `open(address, "_self")`
fn opens_here(text: &str) -> bool {
    const ARGUMENTS: usize = 500;
    let calls = text.match_indices("open(").map(|(at, _)| text.get(at..text.floor_char_boundary(at + ARGUMENTS)));
    calls.flatten().any(|call| {
        ["_self", "_top", "_parent"]
            .iter()
            .any(|place| call.find(place).is_some_and(|at| call.get(..at).is_some_and(|before| !before.contains(");"))))
    })
}

/// Names that the address of the page is given: `l=window.location;`
fn aliases(text: &str) -> impl Iterator<Item = &str> {
    let before = text.match_indices("location").filter_map(|(at, word)| {
        let is_whole = text.get(at + word.len()..)?.starts_with([';', ',', '}', '\n']);
        text.get(..at).filter(|_| is_whole)
    });
    const OWNERS: [&str; 6] = ["window.", "document.", "self.", "top.", "parent.", "globalThis."];
    let name = |before: &'_ str| -> Option<(usize, usize)> {
        let before = OWNERS.iter().find_map(|owner| before.strip_suffix(owner)).unwrap_or(before).strip_suffix('=')?;
        let letters =
            before.bytes().rev().take(40).take_while(|c| c.is_ascii_alphanumeric() || b"_$".contains(c)).count();
        (0 < letters).then_some((before.len() - letters, before.len()))
    };
    before.filter_map(name).take(MAX_ALIASES).filter_map(|(start, end)| {
        let name = text.get(start..end)?;
        // Blanks are gone, those behind a keyword as well.
        Some(
            ["const", "var", "let"]
                .iter()
                .find_map(|word| name.strip_prefix(word))
                .filter(|rest| !rest.is_empty())
                .unwrap_or(name),
        )
    })
}

/// `type=password`, however it is put. Not a selector, which finds such a field.
fn builds_password_field(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("password").any(|(at, _)| {
        let before = lower.get(..at).unwrap_or_default();
        let before = before.trim_end_matches(['"', '\'', '`', '\\', '=', ':', ',', '+']);
        let is_set = before.len() < at;
        is_set && before.strip_suffix("type").is_some_and(|before| !before.ends_with('['))
    })
}

/// Without what stands for octets.
fn length_of_code(text: &str) -> usize {
    let encoded: usize = runs(text).filter(|run| ENCODED_LETTERS < run.len()).map(str::len).sum();
    text.len() - encoded
}

/// Letters as base64, hexadecimal digits and percent encoding have them, as long as they go on.
pub(super) fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '%')))
}

pub(super) fn has_encoded_octets(text: &str) -> bool {
    runs(text).any(|run| ENCODED_LETTERS < run.len())
}

fn has_run(text: &str, most: usize, is_part: impl Fn(u8) -> bool) -> bool {
    let mut length = 0;
    text.bytes().any(|octet| {
        length = if is_part(octet) { length + 1 } else { 0 };
        most < length
    })
}
