//! Documents of Word, Excel and PowerPoint 97 to 2003, messages of Outlook, and objects that other files embed.

use flate2::read::ZlibDecoder;
use gatepost::finding::Severity;
use memchr::{memchr_iter, memmem};

use super::{
    compound::{CompoundFile, MAGIC},
    field,
    macros::{Project, project},
    outlook, package,
    relations::is_elsewhere,
};
use crate::file::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::{slice, u16_at, usize_at, utf16_text},
};

/// Classes of objects that are documents themselves: charts, sheets, texts, slides, drawings.
const DOCUMENT_CLASSES: &[[u8; 4]] = &[
    [0x20, 0x08, 0x02, 0],
    [0x21, 0x08, 0x02, 0],
    [0x30, 0x08, 0x02, 0],
    [0x32, 0x08, 0x02, 0],
    [0x10, 0x08, 0x02, 0],
    [0x11, 0x08, 0x02, 0],
    [0x03, 0x08, 0x02, 0],
    [0x00, 0x09, 0x02, 0],
    [0x06, 0x09, 0x02, 0],
    [0x9b, 0x4c, 0x75, 0xf4],
    [0x10, 0x8d, 0x81, 0x64],
    [0x11, 0x8d, 0x81, 0x64],
    [0xf4, 0x55, 0x4f, 0xcf],
    [0x13, 0x1a, 0x02, 0],
    [0x14, 0x1a, 0x02, 0],
    [0x65, 0xca, 0x01, 0xb8],
];

const EQUATION_CLASS: [u8; 4] = [0x02, 0xce, 0x02, 0];

const EQUATION: &str = "the document embeds an object of the equation editor, which is no longer maintained";

/// Classes that load a page or a script of somebody else's when they are read: Shell.Explorer, an HTML document, a scriptlet, SOAP,
/// and the loader of ActiveX controls that switches off protections of memory.
const ATTACKED_CLASSES: &[[u8; 16]] = &[
    [0xc3, 0x2a, 0xb2, 0xea, 0xc1, 0x30, 0xcf, 0x11, 0xa7, 0xeb, 0, 0, 0xc0, 0x5b, 0xae, 0x0b],
    [0x20, 0x69, 0x33, 0x25, 0xf9, 0x03, 0xcf, 0x11, 0x8f, 0xd0, 0, 0xaa, 0, 0x68, 0x6f, 0x13],
    [0xd3, 0x0b, 0x29, 0x06, 0xaa, 0x48, 0xd2, 0x11, 0x84, 0x32, 0, 0x60, 0x08, 0xc3, 0xfb, 0xfc],
    [0xc7, 0xb0, 0xab, 0xec, 0x19, 0x7f, 0xd2, 0x11, 0x97, 0x8e, 0, 0, 0xf8, 0x75, 0x7e, 0x2a],
    [0xd0, 0x74, 0xf7, 0x0c, 0x77, 0xf0, 0xd1, 0x11, 0xb1, 0xbc, 0, 0xc0, 0x4f, 0x86, 0xc3, 0x24],
];

/// A link to a file: opening the document reads it, from a share as well.
const FILE_MONIKER: &[u8] = b"\x03\x03\0\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";

/// A link whose target is an address: opening the document fetches it.
const URL_MONIKER: &[u8] = b"\xe0\xc9\xea\x79\xf9\xba\xce\x11\x8c\x82\x00\xaa\x00\x4b\xa9\x0b";

/// What PowerPoint writes for a file that needs a password ([MS-PPT] §2.3.2).
const ENCRYPTED_SLIDES: &[u8] = b"\xdf\xc4\xd1\xf3";

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    let Some(file) = CompoundFile::parse(octets) else { return contents };
    if let Err(limit) = read_file(&file, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

fn read_file(file: &CompoundFile<'_>, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    if file.find("EncryptedPackage").is_some() {
        encrypted(contents);
        return Ok(());
    }
    macros(project(file, budget)?, contents);
    for object in file.objects.iter().filter(|object| object.is_stream) {
        match object.name.to_lowercase().as_str() {
            "worddocument" => word(&file.stream(object, budget)?, contents),
            "workbook" | "book" => excel(&file.stream(object, budget)?, contents),
            "powerpoint document" => powerpoint(&file.stream(object, budget)?, budget, contents)?,
            "current user" if memmem::find(&file.stream(object, budget)?, ENCRYPTED_SLIDES).is_some() => {
                encrypted(contents);
            }
            "\u{1}ole10native" => native(&file.stream(object, budget)?, contents),
            "equation native" => equation(&file.stream(object, budget)?, contents),
            "\u{1}ole" => link(&file.stream(object, budget)?, contents),
            _ => {}
        }
    }
    for (at, storage) in file.objects.iter().enumerate().filter(|(_, object)| !object.is_stream) {
        // Of the file itself, any class but these is that of the program that made it.
        let is_attack = storage.class.starts_with(&EQUATION_CLASS) || ATTACKED_CLASSES.contains(&storage.class);
        if at != 0 || is_attack {
            embedded(&storage.class, contents);
        }
    }
    let has_equation = file.objects.iter().any(|object| object.class.starts_with(&EQUATION_CLASS));
    if has_equation && file.find("\u{1}Ole10Native").is_some() && file.find("Equation Native").is_none() {
        let detail = "the document embeds an equation that is something else";
        contents.remark("embedded_object", Severity::Quarantine, detail);
    }
    outlook::read(file, budget, contents)
}

pub(crate) fn macros(project: Project, contents: &mut Contents<'_>) {
    if project == Project::Code {
        contents.remark("macro_document", Severity::Quarantine, "the document has macros (VBA)");
    }
}

pub(crate) fn encrypted(contents: &mut Contents<'_>) {
    let detail = "the document needs a password, so it cannot be inspected";
    contents.remark("encrypted_document", Severity::Quarantine, detail);
}

/// By the class of an embedded object. Charts and sheets are what documents are made of.
pub(crate) fn embedded(class: &[u8; 16], contents: &mut Contents<'_>) {
    let is = |first: &[u8; 4]| class.starts_with(first);
    if class.iter().all(|octet| *octet == 0) || DOCUMENT_CLASSES.iter().any(is) {
        return;
    }
    if ATTACKED_CLASSES.contains(class) {
        let detail = "the document embeds an object that loads a page or a script";
        return contents.remark("embedded_object", Severity::Quarantine, detail);
    }
    let detail = match is(&EQUATION_CLASS) {
        true => EQUATION,
        false => "the document embeds an object that another program opens",
    };
    contents.remark("embedded_object", Severity::Review, detail);
}

/// A file that a document brings along ([MS-OLEDS] §2.3.6).
pub(crate) fn native(stream: &[u8], contents: &mut Contents<'static>) {
    contents.remark("embedded_object", Severity::Review, "the document embeds a file");
    let data = stream.get(4..).unwrap_or_default();
    match package::parse(data) {
        Some((names, file)) => contents.inner.push(package::inner(names, file)),
        None => contents.file("", data.to_vec()),
    }
}

/// Letters of the name of a font that the equation editor has room for.
const MAX_FONT_NAME: usize = 32;

/// An equation names its fonts (MTEF 3, record 8); a name that is longer than any runs over the end of its place in memory.
fn equation(stream: &[u8], contents: &mut Contents<'_>) {
    const FONT: u8 = 8;
    const HEADERS: usize = 28 + 5;
    let records = stream.get(HEADERS..).unwrap_or_default();
    let font = records.iter().take(16).position(|record| *record == FONT).and_then(|at| records.get(at + 3..));
    let name_length = font.map_or(0, |font| font.iter().take_while(|octet| **octet != 0).count());
    if MAX_FONT_NAME < name_length {
        let detail = "the document embeds an equation that attacks the program that opens it";
        contents.remark("embedded_object", Severity::Quarantine, detail);
    } else {
        let detail = EQUATION;
        contents.remark("embedded_object", Severity::Review, detail);
    }
}

/// What an object is linked to ([MS-OLEDS] §2.3.3), by the monikers in it.
fn link(stream: &[u8], contents: &mut Contents<'_>) {
    let after = |moniker: &[u8]| memmem::find(stream, moniker).and_then(|at| stream.get(at + moniker.len()..));
    let url = after(URL_MONIKER).and_then(|rest| rest.get(4..)).map(utf16_text);
    let file = after(FILE_MONIKER).and_then(|rest| slice(rest, 6, usize_at(rest, 2)?));
    let file = file.map(|path| String::from_utf8_lossy(path).into_owned()).filter(|path| is_elsewhere(path));
    for target in url.into_iter().chain(file) {
        loads_from_elsewhere(contents);
        contents.link(target.split('\0').next().unwrap_or_default());
    }
    if ATTACKED_CLASSES.iter().any(|class| memmem::find(stream, class).is_some()) {
        loads_from_elsewhere(contents);
    }
}

/// What a cell leads to ([MS-XLS] §2.4.140), by the moniker in it.
fn hyperlink(record: &[u8], contents: &mut Contents<'_>) {
    let address = memmem::find(record, URL_MONIKER).and_then(|at| record.get(at + URL_MONIKER.len() + 4..));
    if let Some(address) = address.map(utf16_text) {
        contents.link(address.split('\0').next().unwrap_or_default());
    }
}

fn loads_from_elsewhere(contents: &mut Contents<'_>) {
    let detail = "the document loads an object from elsewhere when it is opened";
    contents.remark("remote_object", Severity::Quarantine, detail);
}

fn word(stream: &[u8], contents: &mut Contents<'_>) {
    const ENCRYPTED: u16 = 0x0100;
    if u16_at(stream, 10).is_some_and(|flags| flags & ENCRYPTED != 0) {
        encrypted(contents);
    }
    for at in memchr_iter(0x13, stream) {
        if let Some(text) = field_text(stream.get(at + 1..).unwrap_or_default()) {
            field::instruction(&text, contents);
        }
    }
}

pub(crate) fn dde(contents: &mut Contents<'_>) {
    let detail = "a field of the document starts another program when it is updated (DDE)";
    contents.remark("dde_field", Severity::Quarantine, detail);
}

/// Octets of an instruction that are read.
const MAX_INSTRUCTION: usize = 4_096;

/// Behind the mark of a field and up to the next, in one octet a character or in two. `None` for what is no instruction.
fn field_text(octets: &[u8]) -> Option<String> {
    let is_wide = matches!(octets, [0, ..] | [_, 0, ..]);
    let octets = if is_wide { octets.strip_prefix(&[0]).unwrap_or(octets) } else { octets };
    let marks = octets.iter().take(MAX_INSTRUCTION).position(|octet| (0x13..=0x15).contains(octet));
    let text = octets.get(..marks.unwrap_or(MAX_INSTRUCTION.min(octets.len())))?;
    let text = if is_wide { utf16_text(text) } else { text.iter().copied().map(char::from).collect() };
    text.trim_start().starts_with(|c: char| c.is_ascii_alphabetic()).then_some(text)
}

/// Records of the workbook's globals and sheets ([MS-XLS] §2.4), to the end of the stream.
pub(crate) fn excel(stream: &[u8], contents: &mut Contents<'_>) {
    const FILE_PASS: u16 = 0x2f;
    const BOUND_SHEET: u16 = 0x85;
    const SUPPORTING_BOOK: u16 = 0x1ae;
    const HYPERLINK: u16 = 0x1b8;
    let mut rest = stream;
    while let (Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let record = slice(rest, 4, usize::from(length)).unwrap_or_default();
        match kind {
            FILE_PASS => {
                encrypted(contents);
                // The records that follow are unreadable, but for those that say where the sheets are.
            }
            HYPERLINK => hyperlink(record, contents),
            BOUND_SHEET if record.get(5) == Some(&1) => macro_sheet(contents),
            SUPPORTING_BOOK if record.contains(&3) && record.get(2..4) != Some(&[1, 4]) => {
                external_program(record, contents);
            }
            _ => {}
        }
        rest = rest.get(4 + usize::from(length)..).unwrap_or_default();
    }
}

pub(crate) fn macro_sheet(contents: &mut Contents<'_>) {
    contents.remark("macro_document", Severity::Quarantine, "the workbook has a sheet of macros (Excel 4.0)");
}

/// `program`, 0x03, `topic`: prices come this way too, and nobody gets those from a command line.
fn external_program(record: &[u8], contents: &mut Contents<'_>) {
    let letters: Vec<u8> = record.get(4..).unwrap_or_default().iter().copied().filter(|octet| *octet != 0).collect();
    let program = letters.split(|octet| *octet == 3).next().unwrap_or_default();
    linked_program(&String::from_utf8_lossy(program), contents);
}

/// Programs that start others.
const SHELLS: [&str; 12] = [
    "cmd",
    "powershell",
    "pwsh",
    "mshta",
    "rundll32",
    "regsvr32",
    "wscript",
    "cscript",
    "msiexec",
    "certutil",
    "bitsadmin",
    "msexcel",
];

pub(crate) fn linked_program(program: &str, contents: &mut Contents<'_>) {
    let program = program.to_ascii_lowercase();
    let name = program.rsplit(['\\', '/']).next().unwrap_or_default();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if SHELLS.contains(&name.strip_suffix(".exe").unwrap_or(name)) {
        dde(contents);
    } else {
        let detail = "the workbook takes values from another program (DDE)";
        contents.remark("dde_field", Severity::Review, detail);
    }
}

/// Records, of which some are containers of others; objects and macros are packed ([MS-PPT] §2.10.34).
fn powerpoint(stream: &[u8], budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    const OBJECT_STORAGE: u16 = 0x1011;
    let mut rest = stream;
    while let (Some(version), Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2), usize_at(rest, 4)) {
        let body = rest.get(8..).unwrap_or_default();
        if version & 0x0f == 0x0f {
            rest = body;
            continue;
        }
        let (record, next) = body.split_at_checked(length).unwrap_or((body, &[]));
        if kind == OBJECT_STORAGE {
            let storage = match version >> 4 {
                0 => record.to_vec(),
                _ => budget.unpack(record.len(), ZlibDecoder::new(record.get(4..).unwrap_or_default()))?,
            };
            if storage.starts_with(MAGIC) {
                contents.file("", storage);
            }
        }
        rest = next;
    }
    Ok(())
}

/// The class of the object that is a file of its own.
pub(crate) fn class_of(octets: &[u8]) -> Option<[u8; 16]> {
    CompoundFile::parse(octets)?.objects.first().map(|root| root.class)
}
