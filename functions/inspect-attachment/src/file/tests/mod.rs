//! Every class of finding, each built in two ways at least, and what honest files look like. Nothing here does anything: programs
//! are headers without code, scripts show a letter.

mod archives;
pub(crate) mod build;
mod fields;
mod honest;
mod messages;
mod office;
mod pages;
mod pdf;
mod pdf_budget;
mod pictures;
mod unopened;

use super::{File, Inspected, Role, budget::Budget, inspect_file, name::FileName};

/// A header of a program, and nothing behind it.
const PROGRAM: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0";
/// An address that nobody has (RFC 5737).
const ADDRESS: &str = "http://192.0.2.7/a";

fn inspected(name: &str, content: &[u8]) -> Inspected {
    let names: Vec<FileName> = Some(name).filter(|name| !name.is_empty()).map(FileName::new).into_iter().collect();
    let file = File { location: "2", names: &names, declared: "", content, role: Role::Attachment };
    inspect_file(&file, &mut Budget::default())
}

/// `severity code` of each finding, without those that are worth a look only.
fn strict(name: &str, content: &[u8]) -> Vec<String> {
    all(name, content).into_iter().filter(|found| !found.starts_with("review")).collect()
}

fn all(name: &str, content: &[u8]) -> Vec<String> {
    let found = inspected(name, content).findings;
    found.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect()
}

fn links(name: &str, content: &[u8]) -> Vec<String> {
    inspected(name, content).links.into_iter().map(|found| found.link.target).collect()
}

/// Whatever is cut off or damaged is read to its end.
fn survives_damage(name: &str, content: &[u8]) {
    for at in (0..content.len()).step_by(content.len() / 100 + 1) {
        drop(inspected(name, &content[..at]));
        for flipped in [0xff, 0x01] {
            let mut damaged = content.to_vec();
            damaged[at] ^= flipped;
            drop(inspected(name, &damaged));
        }
    }
}
