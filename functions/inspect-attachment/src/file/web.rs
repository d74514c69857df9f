//! HTML pages and SVG drawings that are opened from disk: what they build, ask for and lead to.

use gatepost::finding::Severity;

use super::{
    contents::Contents,
    kind::Kind,
    markup::{Piece, Tag, address, pieces},
    octets::text_of,
};

/// Letters in a row that only encoded octets have.
const ENCODED_LETTERS: usize = 200;

/// A script that is longer is a program, of which leading elsewhere is a part.
const SHORT_SCRIPT: usize = 2_000;

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

pub(crate) fn read(kind: Option<Kind>, octets: &[u8]) -> Contents<'static> {
    let text = text_of(octets);
    let (mut contents, mut scripts) = (Contents::default(), Scripts::default());
    let mut is_data = false;
    for piece in pieces(&text) {
        match piece {
            Piece::Script(script) if !is_data => scripts.note(script),
            Piece::Script(_) => {}
            Piece::Tag(tag) => {
                is_data = tag.get("type").is_some_and(|kind| kind.contains("json") || kind.contains("template"));
                judge_tag(&tag, is_data, &mut scripts, &mut contents);
            }
        }
    }
    scripts.judge(kind == Some(Kind::Svg), &mut contents);
    contents
}

fn judge_tag(tag: &Tag<'_>, is_data: bool, scripts: &mut Scripts, contents: &mut Contents<'static>) {
    match tag.name.as_str() {
        "script" => scripts.has_script |= !is_data,
        "input" if tag.get("type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("password")) => {
            let detail = "the page asks for a password";
            contents.remark("credential_form", Severity::Quarantine, detail);
        }
        "meta" if tag.get("http-equiv").is_some_and(|name| name.trim().eq_ignore_ascii_case("refresh")) => {
            refresh(tag.get("content").unwrap_or_default(), contents);
        }
        "a" if tag.get("download").is_some() => {
            scripts.saves = true;
            if address(tag.get("href").unwrap_or_default()).to_ascii_lowercase().starts_with("data:application/") {
                smuggles(contents);
            }
        }
        _ => {}
    }
    for (name, value) in tag.attributes() {
        if name.len() > 2 && name.starts_with("on") {
            scripts.has_script = true;
            scripts.note(value);
        } else if matches!(name, "href" | "src" | "action" | "formaction" | "data" | "srcdoc" | "background" | "poster")
        {
            target(name, value, scripts, contents);
        }
    }
}

fn smuggles(contents: &mut Contents<'_>) {
    let detail = "the page builds a file on the reader's machine, out of the sight of every filter";
    contents.remark("html_smuggling", Severity::Quarantine, detail);
}

fn target(name: &str, value: &str, scripts: &mut Scripts, contents: &mut Contents<'static>) {
    let target = address(value);
    let lower: String = target.chars().take(40).collect::<String>().to_ascii_lowercase();
    if let Some(script) =
        ["javascript:", "vbscript:"].into_iter().find_map(|scheme| lower.starts_with(scheme).then_some(value))
    {
        // What does nothing is no script.
        let is_idle =
            matches!(lower.as_str(), "javascript:" | "javascript:;" | "javascript:void(0)" | "javascript:void(0);");
        if !is_idle {
            scripts.has_script = true;
            scripts.note(script);
        }
    } else if lower.starts_with("data:") {
        let is_active = ["data:text/html", "data:image/svg", "data:application/", "data:text/javascript"];
        scripts.carries_octets |= is_active.iter().any(|kind| lower.starts_with(kind));
    } else if name == "srcdoc" {
        contents.file("srcdoc.html", value.to_owned().into_bytes());
    } else if !target.is_empty() && !target.starts_with('#') {
        contents.link(target);
    }
}

/// `0; url=..`
fn refresh(content: &str, contents: &mut Contents<'static>) {
    let Some((_, target)) = content.split_once([';', ',']) else { return };
    let target = target.trim();
    let target = target.split_once('=').map_or(target, |(_, target)| target).trim_matches(['"', '\'', ' ']);
    contents.remark("page_redirect", Severity::Quarantine, "the page leads to another address as soon as it is opened");
    contents.link(address(target));
}

impl Scripts {
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

    fn judge(&self, is_drawing: bool, contents: &mut Contents<'static>) {
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
