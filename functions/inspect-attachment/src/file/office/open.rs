//! Documents in the form of zip archives: Office Open XML (ECMA-376) and OpenDocument.

use gatepost::finding::Severity;
use memchr::memmem;

use super::{
    binary::{class_of, dde, embedded, linked_program, macro_sheet, macros},
    compound::CompoundFile,
    macros::{Project, project},
};
use crate::file::{
    budget::{Budget, Limit, is_excessive},
    contents::Contents,
    markup::{Tag, tags},
    octets::{slice, text_of, u16_at, usize_at, utf16_text},
    zip::{Archive, Entry, Unpacked},
};

/// Parts that hold pictures, fonts, sound and numbers, and nothing that does anything.
const INERT_EXTENSIONS: [&str; 30] = [
    "xml", "rels", "vml", "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "emf", "wmf", "emz", "wmz", "wdp", "webp",
    "ico", "fntdata", "odttf", "ttf", "bin", "mp3", "mp4", "m4v", "m4a", "wav", "mov", "rdf", "thmx", "svm",
];

/// What a part may be that a link of a document points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// On the reader's own machine or network, as templates of a company are.
    Near,
    Web,
    /// Another machine is given the reader's credentials.
    Share,
    /// A scheme that runs something.
    Runs,
}

/// Whether the archive is a document of either kind.
pub(crate) fn is_document(archive: &Archive<'_>) -> bool {
    archive.has(b"[Content_Types].xml") || archive.entries.first().is_some_and(|entry| entry.name == b"mimetype")
}

pub(crate) fn read<'a>(archive: &Archive<'a>, budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    if archive.is_cut() {
        contents.exceeded(Limit::Entries);
    }
    for entry in archive.entries.iter().filter(|entry| !entry.is_folder()) {
        if let Err(limit) = read_part(archive, entry, budget, &mut contents) {
            contents.exceeded(limit);
            break;
        }
    }
    contents
}

fn read_part<'a>(
    archive: &Archive<'a>,
    entry: &Entry<'a>,
    budget: &mut Budget,
    contents: &mut Contents<'a>,
) -> Result<(), Limit> {
    let name = entry.text().replace('\\', "/");
    let path = name.to_ascii_lowercase();
    if !is_read(&path) {
        // What the directory states is enough here: Office refuses a part that unpacks to something else.
        let (packed, unpacked) = (entry.packed_size as u64, entry.unpacked_size as u64);
        return if is_excessive(packed, unpacked) { Err(Limit::Ratio) } else { Ok(()) };
    }
    let octets = match archive.unpack(entry, budget)? {
        Unpacked::Octets(octets) => octets,
        Unpacked::Encrypted => {
            contents.encrypted();
            return Ok(());
        }
        Unpacked::Unknown(method) => {
            contents.unopened(&format!("zip method {method}"));
            return Ok(());
        }
        Unpacked::Missing => return Ok(()),
    };
    match extension(&path) {
        "bin" if path.ends_with("vbaproject.bin") => vba(&octets, budget, contents)?,
        "bin" if path.contains("macrosheets/") => macro_sheet(contents),
        "bin" if path.contains("activex/") => control(contents),
        "bin" if path.contains("externallinks/") => binary_link(&octets, contents),
        "bin" => {
            match class_of(&octets) {
                Some(class) => embedded(&class, contents),
                None => contents.remark("embedded_object", Severity::Review, "the document embeds an object"),
            }
            contents.file(name, octets);
        }
        "rels" => relationships(&text_of(&octets), contents),
        "xml" => part(&path, &octets, contents),
        _ => {
            budget.take_entry()?;
            contents.file(name, octets);
        }
    }
    Ok(())
}

/// Parts that are looked into: those that can do something. Sheets and pictures cannot.
fn is_read(path: &str) -> bool {
    let extension = extension(path);
    match extension {
        "rels" => true,
        "bin" => ["vbaproject.bin", "macrosheets/", "activex/", "embeddings/", "externallinks/"]
            .iter()
            .any(|place| path.contains(place)),
        "xml" => {
            let places =
                ["macrosheets/", "externallinks/", "dialogsheets/", "word/", "ppt/slides/", "basic/", "meta-inf/"];
            let files = ["[content_types].xml", "content.xml", "styles.xml"];
            (places.iter().any(|place| path.contains(place)) && !path.contains("theme")) || files.contains(&path)
        }
        "" => false,
        _ => !INERT_EXTENSIONS.contains(&extension),
    }
}

fn extension(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn vba(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) -> Result<(), Limit> {
    // One that cannot be read is taken for what it is called.
    let project = CompoundFile::parse(octets).map_or(Ok(Project::Code), |file| project(&file, budget))?;
    macros(if project == Project::None { Project::Code } else { project }, contents);
    Ok(())
}

fn control(contents: &mut Contents<'_>) {
    contents.remark("embedded_object", Severity::Review, "the document embeds a control that runs in it (ActiveX)");
}

fn part(path: &str, octets: &[u8], contents: &mut Contents<'_>) {
    if path == "[content_types].xml" {
        return content_types(&text_of(octets), contents);
    }
    if path.contains("macrosheets/") || path.contains("dialogsheets/") {
        return macro_sheet(contents);
    }
    if path.contains("externallinks/") {
        return external_link(&text_of(octets), contents);
    }
    if path.starts_with("ppt/slides/") && memmem::find(octets, b"ppaction://program").is_some() {
        let detail = "a click on a slide starts a program";
        contents.remark("remote_object", Severity::Quarantine, detail);
    }
    if path.contains("basic/") && !path.ends_with("-lb.xml") && !path.ends_with("-lc.xml") {
        contents.remark("macro_document", Severity::Quarantine, "the document has macros (Basic)");
    }
    if path.starts_with("meta-inf/") && memmem::find(octets, b"encryption-data").is_some() {
        super::binary::encrypted(contents);
    }
    if has_dde_field(&text_of(octets)) {
        dde(contents);
    }
}

/// A document without a macro that says it may have some was given another name.
fn content_types(text: &str, contents: &mut Contents<'_>) {
    for tag in tags(text) {
        let content_type = tag.get("contenttype").unwrap_or_default().to_ascii_lowercase();
        if content_type.contains("macrosheet+xml") {
            macro_sheet(contents);
        }
        if content_type.contains(".macroenabled") && content_type.contains("main+xml") {
            contents.remark(MACRO_ENABLED, Severity::Info, "the document is of a kind that may have macros");
        }
    }
}

/// Becomes a finding of its own only where the name promises another kind.
pub(crate) const MACRO_ENABLED: &str = "macro_enabled_document";

fn external_link(text: &str, contents: &mut Contents<'_>) {
    for tag in tags(text).filter(|tag| tag.name == "ddelink") {
        linked_program(tag.get("ddeservice").unwrap_or_default(), contents);
    }
}

/// The record that begins a link says of what kind it is ([MS-XLSB] §2.4.184).
fn binary_link(octets: &[u8], contents: &mut Contents<'_>) {
    const DDE: u16 = 1;
    let Some(rest) = octets.strip_prefix(b"\xe8\x02") else { return };
    let length = rest.iter().take_while(|octet| **octet & 0x80 != 0).count() + 1;
    let record = rest.get(length..).unwrap_or_default();
    if u16_at(record, 0) == Some(DDE) {
        let name = usize_at(record, 2).and_then(|letters| slice(record, 6, letters.checked_mul(2)?));
        linked_program(&utf16_text(name.unwrap_or_default()), contents);
    }
}

/// Instructions of fields may be cut into many runs, and may have comments of XML between their letters.
pub(super) fn has_dde_field(text: &str) -> bool {
    if !text.contains("instr") {
        return false;
    }
    let (mut rest, mut instruction) = (text, String::new());
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, text) = after.split_once('>').unwrap_or((after, ""));
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        if name.ends_with("instrText") {
            instruction.push_str(text.split('<').next().unwrap_or_default());
        } else if name.ends_with("fldSimple") && tags(&format!("<{tag}>")).any(|tag| is_dde_instruction(&tag)) {
            return true;
        } else if name.ends_with("fldChar")
            && (tag.contains("begin") || tag.contains("separate") || tag.contains("end"))
        {
            if is_dde(&instruction) {
                return true;
            }
            instruction.clear();
        }
        rest = text;
    }
    is_dde(&instruction)
}

fn is_dde_instruction(tag: &Tag) -> bool {
    tag.get("instr").is_some_and(is_dde)
}

fn is_dde(instruction: &str) -> bool {
    let word = instruction.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    matches!(word.as_str(), "DDE" | "DDEAUTO")
}

fn relationships(text: &str, contents: &mut Contents<'_>) {
    for tag in tags(text).filter(|tag| tag.name == "relationship") {
        relationship(&tag, contents);
    }
}

fn relationship(tag: &Tag, contents: &mut Contents<'_>) {
    let kind = tag.get("type").and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_ascii_lowercase();
    let target = tag.get("target").unwrap_or_default();
    let is_external = tag.get("targetmode").is_some_and(|mode| mode.eq_ignore_ascii_case("External"));
    if !is_external {
        return;
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
}

fn remote(contents: &mut Contents<'_>, detail: &str) {
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
            "mhtml" | "script" | "javascript" | "vbscript" | "ms-msdt" | "search-ms" | "search" | "its" | "ms-its"
            | "mk" => Self::Runs,
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
