//! Files that stand behind something else: archives behind another file's header, which programs open by their name, and files
//! in a text.

use gatepost::content::uuencoded;
use memchr::memmem;

use super::{Look, budget::Budget, contents::Contents, kind::Kind, rar, seven_zip, zip, zip_contents};

/// How far programs look for an archive that packs and unpacks itself.
const WITHIN: usize = 1 << 20;

impl<'a> Look<'_, 'a> {
    /// What the name promises, where the file begins as something else.
    pub(super) fn archive_behind(&self, budget: &mut Budget, contents: &mut Contents<'a>) {
        let octets: &'a [u8] = self.file.content;
        let is_zip = matches!(self.kind, Some(Kind::Zip | Kind::JavaProgram | Kind::AndroidProgram));
        if !is_zip && self.is_zip_by_name() && zip::has_directory(octets) {
            contents.append(zip_contents(octets, budget));
        }
        let is_named = |endings: &[&str]| self.file.names.iter().any(|name| name.ends_in(endings));
        let behind = |magic: &[u8]| {
            let head = octets.get(..WITHIN).unwrap_or(octets);
            memmem::find(head, magic).filter(|at| *at != 0).and_then(|at| octets.get(at..))
        };
        if is_named(&["7z"])
            && let Some(archive) = behind(b"7z\xbc\xaf\x27\x1c")
        {
            contents.append(seven_zip::read(archive, budget));
        }
        if is_named(&["rar"])
            && let Some(archive) = behind(b"Rar!\x1a\x07")
        {
            contents.append(rar::read(archive, budget));
        }
    }
}

/// `is_promised` by the name: there is nothing else to be found in it then.
pub(super) fn uuencoded_files(octets: &[u8], is_promised: bool, budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    for file in uuencoded::files(octets) {
        match budget.take_octets(file.octets.len()) {
            Ok(()) => contents.file(file.name, file.octets),
            Err(limit) => contents.exceeded(limit),
        }
    }
    if is_promised && contents.inner.is_empty() {
        contents.unopened("uuencode");
    }
    contents
}
