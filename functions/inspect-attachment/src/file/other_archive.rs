//! Archives whose methods are not opened here: what stands in clear in them is read all the same (cpio, and the headers of LZH and
//! ARJ).

use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    octets::{slice, u16_at, usize_at},
};

/// What comes next in an archive.
struct Entry<'a> {
    name: String,
    /// `None` for what is packed.
    content: Option<&'a [u8]>,
    is_encrypted: bool,
    /// Where the next one begins.
    next: usize,
}

/// What the archive holds, as far as it can be followed.
pub(crate) fn read<'a>(archive: &'a [u8], budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    let read = match archive {
        _ if is_lzh(archive) => entries(archive, 0, lzh, budget, &mut contents),
        [0x60, 0xea, ..] => {
            let first = arj(archive, 0).map_or(archive.len(), |main| main.next);
            entries(archive, first, arj, budget, &mut contents)
        }
        _ if is_cpio(archive) => entries(archive, 0, cpio, budget, &mut contents),
        _ => Ok(()),
    };
    if let Err(limit) = read {
        contents.exceeded(limit);
    }
    if contents.inner.is_empty() || contents.inner.iter().any(|inner| inner.content.is_none()) {
        contents.unopened("a format that is not known here");
    }
    contents
}

fn entries<'a>(
    archive: &'a [u8],
    mut at: usize,
    entry: impl Fn(&'a [u8], usize) -> Option<Entry<'a>>,
    budget: &mut Budget,
    contents: &mut Contents<'a>,
) -> Result<(), Limit> {
    while let Some(Entry { name, content, is_encrypted, next }) = entry(archive, at) {
        budget.take_entry()?;
        if is_encrypted {
            contents.encrypted();
        }
        let content = content.map(Into::into);
        contents.inner.push(Inner { content, ..Inner::named(vec![name]) });
        at = next.max(at.saturating_add(1));
    }
    Ok(())
}

/// `-lh5-` and its kin behind the size and the sum of the header.
pub(crate) fn is_lzh(octets: &[u8]) -> bool {
    matches!(slice(octets, 2, 5), Some([b'-', b'l' | b'p', b'h' | b'z' | b'm', _, b'-']))
}

/// Headers of level 0, 1 and 2 (the notes of LHa for UNIX).
fn lzh(archive: &[u8], at: usize) -> Option<Entry<'_>> {
    let header = archive.get(at..).filter(|header| is_lzh(header))?;
    let (packed, level) = (usize_at(header, 7)?, *header.get(20)?);
    let (name, size, more) = match level {
        2 | 3 => {
            let size = usize::from(u16_at(header, 0)?);
            (Vec::new(), size, header.get(24..size)?)
        }
        _ => {
            let size = usize::from(*header.first()?) + 2;
            let name = slice(header, 22, usize::from(*header.get(21)?))?.to_vec();
            let more = if level == 1 { header.get(size - 2..)? } else { &[] };
            (name, size, more)
        }
    };
    let (long, extra) = name_in_extension(more);
    let name = long.unwrap_or(name);
    let data_at = at.checked_add(size)?.checked_add(if level == 1 { extra } else { 0 })?;
    let end = at.checked_add(size)?.checked_add(packed)?;
    let is_stored = matches!(slice(header, 2, 5)?, b"-lh0-" | b"-lz4-" | b"-pm0-");
    let content = archive.get(data_at..end.min(archive.len())).filter(|_| is_stored);
    Some(Entry { name: String::from_utf8_lossy(&name).into_owned(), content, is_encrypted: false, next: end })
}

/// Each has its length in front, its type, and what it is; the file name has type 1. With the octets of all of them.
fn name_in_extension(mut rest: &[u8]) -> (Option<Vec<u8>>, usize) {
    let (mut name, mut total) = (None, 0);
    while let Some(size @ 3..) = u16_at(rest, 0).map(usize::from) {
        let Some(extension) = slice(rest, 2, size) else { break };
        if extension.first() == Some(&1) {
            name = extension.get(1..size - 2).map(<[u8]>::to_vec);
        }
        total += size;
        rest = rest.get(size..).unwrap_or_default();
    }
    (name, total)
}

/// A header with its size, a sum, headers that nobody writes, and what is packed.
fn arj(archive: &[u8], at: usize) -> Option<Entry<'_>> {
    const MAIN: u8 = 2;
    let header = archive.get(at..)?.strip_prefix(b"\x60\xea")?;
    let size = usize::from(u16_at(header, 0)?);
    let body = slice(header, 2, size).filter(|body| !body.is_empty())?;
    let (flags, method, kind) = (*body.get(4)?, *body.get(5)?, *body.get(6)?);
    let packed = if kind == MAIN { 0 } else { usize_at(body, 12)? };
    let name = body.get(usize::from(*body.first()?)..)?.split(|octet| *octet == 0).next()?;
    let mut data_at = at.checked_add(4 + size + 4)?;
    while let Some(more @ 1..) = u16_at(archive, data_at).map(usize::from) {
        data_at = data_at.checked_add(2 + more + 4)?;
    }
    data_at = data_at.checked_add(2)?;
    let next = data_at.checked_add(packed)?;
    let content = archive.get(data_at..next.min(archive.len())).filter(|_| method == 0 && flags & 1 == 0);
    let name = String::from_utf8_lossy(name).into_owned();
    Some(Entry { name, content, is_encrypted: flags & 1 != 0, next })
}

/// In ASCII, with or without a sum, or in octets.
pub(crate) fn is_cpio(octets: &[u8]) -> bool {
    matches!(octets.get(..6), Some(b"070701" | b"070702" | b"070707"))
        || octets.starts_with(b"\xc7\x71") && cpio(octets, 0).is_some()
}

fn cpio(archive: &[u8], at: usize) -> Option<Entry<'_>> {
    let header = archive.get(at..)?;
    let number = |at: usize, length: usize, radix| {
        usize::from_str_radix(std::str::from_utf8(slice(header, at, length)?).ok()?, radix).ok()
    };
    let (length, name_size, size, step) = match header.get(..6)? {
        b"070701" | b"070702" => (110, number(94, 8, 16)?, number(54, 8, 16)?, 4),
        b"070707" => (76, number(59, 6, 8)?, number(65, 11, 8)?, 1),
        [0xc7, 0x71, ..] => {
            let size = usize::from(u16_at(header, 22)?) << 16 | usize::from(u16_at(header, 24)?);
            (26, usize::from(u16_at(header, 20)?), size, 2)
        }
        _ => return None,
    };
    let name = slice(header, length, name_size)?.split(|octet| *octet == 0).next()?;
    if name == b"TRAILER!!!" {
        return None;
    }
    let data_at = (length + name_size).checked_next_multiple_of(step)?;
    let end = data_at.checked_add(size)?;
    let content = header.get(data_at..end.min(header.len()))?;
    let next = at.checked_add(end.checked_next_multiple_of(step)?)?;
    let name = String::from_utf8_lossy(name).into_owned();
    Some(Entry { name, content: Some(content), is_encrypted: false, next })
}
