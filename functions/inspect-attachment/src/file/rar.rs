//! Names in RAR archives (RAR 5.0 archive format, and 1.5 to 4) and in cabinets ([MS-CAB]). Nothing is unpacked but what was
//! only stored: the method of RAR is not free.

use super::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::{slice, u16_at, u32_at, usize_at},
};

const SIGNATURE_4: &[u8] = b"Rar!\x1a\x07\0";
const SIGNATURE_5: &[u8] = b"Rar!\x1a\x07\x01\0";

/// One header of RAR 5, its numbers read.
struct Header<'a> {
    kind: u64,
    body: &'a [u8],
    data: &'a [u8],
    rest: &'a [u8],
}

/// Names and stored files, as far as the headers can be followed.
pub(crate) fn read<'a>(archive: &'a [u8], budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    let read = match (archive.strip_prefix(SIGNATURE_5), archive.strip_prefix(SIGNATURE_4)) {
        (Some(headers), _) => read_5(headers, budget, &mut contents),
        (_, Some(headers)) => read_4(headers, budget, &mut contents),
        _ => Ok(()),
    };
    if let Err(limit) = read {
        contents.exceeded(limit);
    }
    if contents.inner.is_empty() && contents.remarks.is_empty() {
        contents.unopened("RAR");
    }
    contents
}

fn read_5<'a>(mut rest: &'a [u8], budget: &mut Budget, contents: &mut Contents<'a>) -> Result<(), Limit> {
    const FILE: u64 = 2;
    const ENCRYPTION: u64 = 4;
    while let Some(header) = header_5(rest) {
        match header.kind {
            ENCRYPTION => {
                contents.encrypted();
                return Ok(());
            }
            FILE => {
                budget.take_entry()?;
                file_5(&header, contents);
            }
            _ => {}
        }
        rest = header.rest;
    }
    Ok(())
}

fn header_5(octets: &[u8]) -> Option<Header<'_>> {
    let mut cursor = octets.get(4..)?;
    let size = vint(&mut cursor)?;
    let (mut body, after) = cursor.split_at_checked(size)?;
    if size == 0 {
        return None;
    }
    let kind = vint(&mut body)? as u64;
    let flags = vint(&mut body)?;
    if flags & 1 != 0 {
        vint(&mut body)?;
    }
    let data_size = if flags & 2 != 0 { vint(&mut body)? } else { 0 };
    let (data, rest) = after.split_at_checked(data_size).unwrap_or((after, &[]));
    Some(Header { kind, body, data, rest })
}

fn file_5<'a>(header: &Header<'a>, contents: &mut Contents<'a>) {
    let mut body = header.body;
    let Some((method, name)) = file_name_5(&mut body) else { return };
    // Behind the name is the extra area, of which a record of type 1 says that the file is encrypted.
    let is_encrypted = extra_kinds(body).any(|kind| kind == 1);
    let name = String::from_utf8_lossy(name).into_owned();
    add(name, is_encrypted, (method >> 7) & 7 == 0, header.data, contents);
}

fn file_name_5<'a>(body: &mut &'a [u8]) -> Option<(usize, &'a [u8])> {
    let flags = vint(body)?;
    vint(body)?;
    vint(body)?;
    let optional = if flags & 2 != 0 { 4 } else { 0 } + if flags & 4 != 0 { 4 } else { 0 };
    *body = body.get(optional..)?;
    let method = vint(body)?;
    vint(body)?;
    let length = vint(body)?;
    let (name, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some((method, name))
}

fn extra_kinds(mut extra: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let size = vint(&mut extra).filter(|size| *size != 0)?;
        let (mut record, rest) = extra.split_at_checked(size)?;
        extra = rest;
        vint(&mut record)
    })
}

/// Seven bits an octet, the lowest first.
fn vint(octets: &mut &[u8]) -> Option<usize> {
    let mut number = 0_u64;
    for shift in 0..9 {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7f) << (7 * shift);
        if octet & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

fn read_4<'a>(archive: &'a [u8], budget: &mut Budget, contents: &mut Contents<'a>) -> Result<(), Limit> {
    const MAIN: u8 = 0x73;
    const FILE: u8 = 0x74;
    let mut rest = archive;
    while let (Some(&kind), Some(flags), Some(size)) = (rest.get(2), u16_at(rest, 3), u16_at(rest, 5)) {
        let size = usize::from(size).max(7);
        let has_data = kind == FILE || flags & 0x8000 != 0;
        let data_size = if has_data { usize_at(rest, 7).unwrap_or_default() } else { 0 };
        if kind == MAIN && flags & 0x80 != 0 {
            contents.encrypted();
            return Ok(());
        }
        let after = rest.get(size..).unwrap_or_default();
        let (data, next) = after.split_at_checked(data_size).unwrap_or((after, &[]));
        if kind == FILE {
            budget.take_entry()?;
            let name_at = if flags & 0x100 == 0 { 32 } else { 40 };
            let name = u16_at(rest, 26).and_then(|length| slice(rest, name_at, usize::from(length)));
            let name = name.unwrap_or_default().split(|&octet| octet == 0).next().unwrap_or_default();
            let is_stored = rest.get(25) == Some(&0x30);
            add(String::from_utf8_lossy(name).into_owned(), flags & 4 != 0, is_stored, data, contents);
        }
        rest = next;
    }
    Ok(())
}

fn add<'a>(name: String, is_encrypted: bool, is_stored: bool, data: &'a [u8], contents: &mut Contents<'a>) {
    if is_encrypted {
        contents.encrypted();
        contents.named(name);
    } else if is_stored {
        contents.file(name, data);
    } else {
        contents.unopened("RAR");
        contents.named(name);
    }
}

/// The names in a cabinet.
pub(crate) fn read_cabinet(cabinet: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    let files = usize_at(cabinet, 16).and_then(|at| cabinet.get(at..)).unwrap_or_default();
    let count = usize::from(u16_at(cabinet, 28).unwrap_or_default());
    let mut rest = files;
    for _ in 0..count {
        let Some(name) = rest.get(16..).and_then(|rest| rest.split(|&octet| octet == 0).next()) else { break };
        if let Err(limit) = budget.take_entry() {
            contents.exceeded(limit);
            break;
        }
        contents.named(String::from_utf8_lossy(name));
        rest = rest.get(16 + name.len() + 1..).unwrap_or_default();
    }
    if u32_at(cabinet, 8).is_some() {
        contents.unopened("cabinet");
    }
    contents
}
