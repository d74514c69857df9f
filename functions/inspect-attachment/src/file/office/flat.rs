//! Documents of Office in one file of XML: Word and Excel 2003, flat packages, and flat OpenDocument.

use gatepost::finding::Severity;
use memchr::memmem;

use super::{
    binary::{linked_program, macros},
    field::fields,
    macros::Project,
    reference::{module, reference},
};
use crate::file::{
    contents::Contents,
    markup::{Piece, Tag, pieces},
    octets::text_of,
};

/// How far the instruction may stand that names the program.
const HEAD: usize = 4_096;

pub(crate) fn is_document(octets: &[u8]) -> bool {
    let head = text_of(octets.get(..HEAD).unwrap_or(octets));
    let has = |sign: &str| memmem::find(head.as_bytes(), sign.as_bytes()).is_some();
    let is_open_document = has(":document") && has("application/vnd.oasis.opendocument");
    head.trim_start().starts_with('<') && (has("<?mso-application") || is_open_document)
}

pub(crate) fn read(octets: &[u8]) -> Contents<'static> {
    let (mut contents, text) = (Contents::default(), text_of(octets));
    for piece in pieces(&text) {
        if let Piece::Tag(tag) = piece {
            judge(&tag, &mut contents);
            module(&tag, &mut contents);
            reference(&tag, &mut contents);
        }
    }
    fields(&text, &mut contents);
    contents
}

fn judge(tag: &Tag<'_>, contents: &mut Contents<'_>) {
    let name = tag.get("name").unwrap_or_default().to_ascii_lowercase();
    match tag.name.as_str() {
        "bindata" if name.ends_with("editdata.mso") => macros(Project::Code, contents),
        "part" if name.ends_with("vbaproject.bin") => macros(Project::Code, contents),
        "docoledata" | "oleobject" => {
            contents.remark(
                "embedded_object",
                Severity::Review,
                "the document embeds an object that another program opens",
            );
        }
        _ => {}
    }
    if let Some((program, _)) = tag.get("formula").and_then(|formula| formula.trim_start_matches('=').split_once('|')) {
        linked_program(program, contents);
    }
}
