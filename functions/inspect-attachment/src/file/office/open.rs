//! Documents in the form of zip archives: Office Open XML (ECMA-376) and OpenDocument.

use std::borrow::Cow;

use gatepost::finding::Severity;
use memchr::memmem;

use super::{
    binary::{class_of, embedded, linked_program, macro_sheet, macros},
    compound::{CompoundFile, MAGIC},
    field, formula,
    macros::{Project, project},
    parts::{Parts, Use},
    reference::references,
};
use crate::file::{
    budget::{Budget, Limit, is_excessive},
    contents::{Contents, Inner},
    kind::{Danger, Kind},
    markup::{Piece, pieces},
    name::FileName,
    octets::{slice, text_of, u16_at, usize_at, utf16_text},
    picture::{self, Format},
    zip::{Archive, Entry, Unpacked},
};

/// Parts that hold pictures, fonts, sound and numbers, and nothing that does anything.
const INERT_EXTENSIONS: [&str; 30] = [
    "xml", "rels", "vml", "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "emf", "wmf", "emz", "wmz", "wdp", "webp",
    "ico", "fntdata", "odttf", "ttf", "bin", "mp3", "mp4", "m4v", "m4a", "wav", "mov", "rdf", "thmx", "svm",
];

/// Whether the archive is a document of either kind.
pub(crate) fn is_document(archive: &Archive<'_>) -> bool {
    archive.has(b"[Content_Types].xml") || archive.entries.first().is_some_and(|entry| entry.name == b"mimetype")
}

pub(crate) fn read<'a>(archive: &Archive<'a>, budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    if archive.is_cut() {
        contents.exceeded(Limit::Entries);
    }
    if let Err(limit) = read_parts(archive, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

fn read_parts<'a>(archive: &Archive<'a>, budget: &mut Budget, contents: &mut Contents<'a>) -> Result<(), Limit> {
    let mut parts = Parts::default();
    let files = || archive.entries.iter().filter(|entry| !entry.is_folder()).map(|entry| (entry, path_of(entry)));
    let says_what_parts_are = |path: &str| path == CONTENT_TYPES || extension(path) == "rels";
    for (entry, path) in files().filter(|(_, path)| says_what_parts_are(path)) {
        let Some(octets) = unpacked(archive, entry, budget, contents)? else { continue };
        match path.as_str() {
            CONTENT_TYPES => parts.note_types(&text_of(&octets), contents),
            _ => parts.note_relations(&path, &text_of(&octets), contents),
        }
    }
    for (entry, path) in files().filter(|(_, path)| !says_what_parts_are(path)) {
        read_part(archive, entry, &path, parts.uses(&path), budget, contents)?;
    }
    Ok(())
}

const CONTENT_TYPES: &str = "[content_types].xml";

fn path_of(entry: &Entry<'_>) -> String {
    entry.text().replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}

fn unpacked<'a>(
    archive: &Archive<'a>,
    entry: &Entry<'a>,
    budget: &mut Budget,
    contents: &mut Contents<'a>,
) -> Result<Option<Cow<'a, [u8]>>, Limit> {
    match archive.unpack(entry, budget)? {
        Unpacked::Octets(octets) => return Ok(Some(octets)),
        Unpacked::Encrypted => contents.encrypted(),
        Unpacked::Unknown(method) => contents.unopened(&format!("zip method {method}")),
        Unpacked::Missing => {}
    }
    Ok(None)
}

fn read_part<'a>(
    archive: &Archive<'a>,
    entry: &Entry<'a>,
    path: &str,
    uses: &[Use],
    budget: &mut Budget,
    contents: &mut Contents<'a>,
) -> Result<(), Limit> {
    let is_hidden = !is_read(path) && uses.is_empty();
    let head = if is_hidden { archive.head(entry) } else { Vec::new() };
    if is_hidden && !is_dangerous(&head) {
        deceptive_name(entry, contents);
        // What the directory states is enough here: Office refuses a part that unpacks to something else.
        let (packed, unpacked) = (entry.packed_size as u64, entry.unpacked_size as u64);
        if is_excessive(packed, unpacked) {
            return Err(Limit::Ratio);
        }
        if let Some(format) = Format::of(&head) {
            read_picture(format, archive, entry, budget, contents);
        }
        let is_sheet = extension(path) == "xml" && path.contains("sheets/");
        return if is_sheet { formulas(archive, entry, budget, contents) } else { Ok(()) };
    }
    let Some(octets) = unpacked(archive, entry, budget, contents)? else { return Ok(()) };
    for found in uses.iter().copied().chain(use_by_path(path)) {
        used(found, path, &octets, budget, contents)?;
    }
    match extension(path) {
        "xml" | "vml" | "fpage" if !is_hidden => part(path, &octets, contents),
        extension if is_hidden || !INERT_EXTENSIONS.contains(&extension) => {
            if octets.starts_with(MAGIC) {
                hidden_macros(&octets, budget, contents)?;
            }
            budget.take_entry()?;
            contents.inner.push(Inner::new(entry.names(), octets));
        }
        _ if is_object(path, uses) => contents.inner.push(Inner::new(entry.names(), octets)),
        _ => {}
    }
    Ok(())
}

/// A sheet may be larger than all else that is unpacked, and what it has for us stands in single elements.
fn formulas<'a>(
    archive: &Archive<'a>,
    entry: &Entry<'a>,
    budget: &mut Budget,
    contents: &mut Contents<'a>,
) -> Result<(), Limit> {
    const MAX_ELEMENT: usize = 256 * 1024;
    let mut text = Vec::new();
    archive.scan(entry, budget, |piece| {
        text.extend_from_slice(piece);
        let end = memchr::memrchr(b'<', &text).filter(|end| text.len() - end < MAX_ELEMENT).unwrap_or(text.len());
        let whole: Vec<u8> = text.drain(..end).collect();
        formula::judge_all(&String::from_utf8_lossy(&whole), contents);
    })?;
    formula::judge_all(&String::from_utf8_lossy(&text), contents);
    Ok(())
}

fn read_picture(
    format: Format,
    archive: &Archive<'_>,
    entry: &Entry<'_>,
    budget: &mut Budget,
    contents: &mut Contents<'_>,
) {
    match budget.of_picture(|budget| archive.unpack(entry, budget)) {
        Ok(Unpacked::Octets(octets)) => contents.append(picture::read(format, &octets, budget)),
        Ok(Unpacked::Encrypted | Unpacked::Unknown(_) | Unpacked::Missing) => {}
        Err(limit) => picture::unread(limit, contents),
    }
}

/// A compound file may be a project of macros or an object, whatever refers to it, and no document has programs.
fn is_dangerous(head: &[u8]) -> bool {
    head.starts_with(MAGIC) || Kind::of(head).and_then(Kind::danger) == Some(Danger::Executable)
}

fn deceptive_name<'a>(entry: &Entry<'a>, contents: &mut Contents<'a>) {
    let names = entry.names();
    let deceives = |name: &String| {
        let name = FileName::new(name);
        name.danger().is_some() || name.turns_right_to_left() || name.hides_behind_blanks()
    };
    if names.iter().any(deceives) {
        contents.inner.push(Inner::named(names));
    }
}

fn is_object(path: &str, uses: &[Use]) -> bool {
    uses.contains(&Use::Object) || use_by_path(path) == Some(Use::Object)
}

/// What programs write under these names.
fn use_by_path(path: &str) -> Option<Use> {
    Some(match extension(path) {
        "bin" if path.ends_with("vbaproject.bin") => Use::Macros,
        "bin" if path.contains("activex/") => Use::Control,
        "bin" if path.contains("embeddings/") => Use::Object,
        "bin" | "xml" if path.contains("macrosheets/") || path.contains("dialogsheets/") => Use::MacroSheet,
        "bin" | "xml" if path.contains("externallinks/") => Use::ExternalLink,
        "xml" if path.starts_with("ppt/slides/") => Use::Slide,
        "xml" if path.starts_with("word/") => Use::Text,
        _ => return None,
    })
}

fn used(found: Use, path: &str, octets: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) -> Result<(), Limit> {
    match found {
        Use::Macros => vba(octets, budget, contents)?,
        Use::MacroSheet => macro_sheet(contents),
        Use::Control if octets.starts_with(b"<") => {}
        Use::Control => control(contents),
        Use::Object if INERT_EXTENSIONS.contains(&extension(path)) => match class_of(octets) {
            Some(class) => embedded(&class, contents),
            None => contents.remark("embedded_object", Severity::Review, "the document embeds an object"),
        },
        Use::Object => {}
        Use::ExternalLink if octets.starts_with(b"\xe8\x02") => binary_link(octets, contents),
        Use::ExternalLink => external_link(&text_of(octets), contents),
        Use::Text => fields(octets, contents),
        Use::Slide if memmem::find(octets, b"ppaction://program").is_some() => {
            let detail = "a click on a slide starts a program";
            contents.remark("remote_object", Severity::Quarantine, detail);
        }
        Use::Slide => {}
    }
    Ok(())
}

fn hidden_macros(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) -> Result<(), Limit> {
    if let Some(file) = CompoundFile::parse(octets) {
        macros(project(&file, budget)?, contents);
    }
    Ok(())
}

/// Parts that are looked into: those that can do something. Sheets and pictures cannot.
fn is_read(path: &str) -> bool {
    let extension = extension(path);
    match extension {
        "bin" => ["vbaproject.bin", "macrosheets/", "activex/", "embeddings/", "externallinks/"]
            .iter()
            .any(|place| path.contains(place)),
        "xml" => {
            let places =
                ["macrosheets/", "externallinks/", "dialogsheets/", "word/", "ppt/slides/", "basic/", "meta-inf/"];
            let files = ["content.xml", "styles.xml", "xl/connections.xml"];
            (places.iter().any(|place| path.contains(place)) && !path.contains("theme")) || files.contains(&path)
        }
        "vml" => true,
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

/// Parts of OpenDocument, and what a part says wherever it stands.
fn part(path: &str, octets: &[u8], contents: &mut Contents<'_>) {
    if path.contains("basic/") && !path.ends_with("-lb.xml") && !path.ends_with("-lc.xml") {
        contents.remark("macro_document", Severity::Quarantine, "the document has macros (Basic)");
    }
    if path.starts_with("meta-inf/") && memmem::find(octets, b"encryption-data").is_some() {
        super::binary::encrypted(contents);
    }
    fields(octets, contents);
}

fn fields(octets: &[u8], contents: &mut Contents<'_>) {
    let text = text_of(octets);
    field::fields(&text, contents);
    references(&text, contents);
}

fn external_link(text: &str, contents: &mut Contents<'_>) {
    for piece in pieces(text) {
        match piece {
            Piece::Tag(tag) if tag.name == "ddelink" => {
                linked_program(tag.get("ddeservice").unwrap_or_default(), contents);
            }
            _ => {}
        }
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
