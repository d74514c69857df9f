//! Files that a OneNote notebook carries ([MS-ONESTORE] §2.6.13).

use memchr::memmem;

use super::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::{slice, u64_at},
};

const FILE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";

/// Behind the mark: the length, and 12 octets that say nothing.
const HEADER: usize = 20;

pub(crate) fn read<'a>(notebook: &'a [u8], budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    for at in memmem::find_iter(notebook, FILE) {
        let at = at + FILE.len();
        let length = u64_at(notebook, at).and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let Some(file) = slice(notebook, at + HEADER, length) else { continue };
        if let Err(limit) = take(file, budget) {
            contents.exceeded(limit);
            break;
        }
        contents.file("", file);
    }
    contents
}

fn take(file: &[u8], budget: &mut Budget) -> Result<(), Limit> {
    budget.take_entry()?;
    budget.take_octets(file.len())
}
