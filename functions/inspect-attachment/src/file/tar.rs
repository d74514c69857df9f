//! Tar archives (POSIX.1-1988 ustar, and the long names of GNU and of pax).

use gatepost::finding::Severity;

use super::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::slice,
};

const BLOCK: usize = 512;

/// What the archive holds, as far as it can be followed.
pub(crate) fn read<'a>(archive: &'a [u8], budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    if let Err(limit) = read_files(archive, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

fn read_files<'a>(archive: &'a [u8], budget: &mut Budget, contents: &mut Contents<'a>) -> Result<(), Limit> {
    let (mut at, mut long_name) = (0, None);
    while let Some(header) = slice(archive, at, BLOCK).filter(|header| header.first() != Some(&0)) {
        let Some(size) = size_of(header) else {
            contents.remark("archive_not_opened", Severity::Review, "a header of the archive is damaged");
            return Ok(());
        };
        let data = archive.get(at + BLOCK..).unwrap_or_default();
        let data = data.get(..size).unwrap_or(data);
        budget.take_entry()?;
        match header.get(156) {
            Some(b'L') => long_name = Some(until_zero(data)),
            Some(b'x') => long_name = pax_path(data),
            Some(b'0' | 0 | b'7') => {
                budget.take_octets(data.len())?;
                contents.file(long_name.take().unwrap_or_else(|| name_of(header)), data);
            }
            _ => long_name = None,
        }
        at = at.saturating_add(BLOCK).saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK));
    }
    Ok(())
}

/// In octal, or in base 256 where the first bit says so.
fn size_of(header: &[u8]) -> Option<usize> {
    let field = slice(header, 124, 12)?;
    if field.first()? & 0x80 != 0 {
        return usize::try_from(u64::from_be_bytes(field.get(4..)?.try_into().ok()?)).ok();
    }
    let digits = field.split(|octet| matches!(octet, 0 | b' ')).find(|digits| !digits.is_empty()).unwrap_or(b"0");
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

fn name_of(header: &[u8]) -> String {
    let [name, prefix] =
        [(0, 100), (345, 155)].map(|(at, length)| until_zero(slice(header, at, length).unwrap_or_default()));
    if prefix.is_empty() || slice(header, 257, 6) != Some(b"ustar\0") { name } else { format!("{prefix}/{name}") }
}

fn until_zero(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets.split(|&octet| octet == 0).next().unwrap_or_default()).into_owned()
}

/// Records of pax: `LENGTH path=NAME\n`.
fn pax_path(records: &[u8]) -> Option<String> {
    let mut lines = records.split(|&octet| octet == b'\n');
    let path = lines.find_map(|line| line.get(memchr::memmem::find(line, b" path=")? + 6..))?;
    Some(String::from_utf8_lossy(path).into_owned())
}
