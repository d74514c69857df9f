//! Tar archives (POSIX.1-1988 ustar and what came before it, and the long names of GNU and of pax).

use gatepost::finding::Severity;

use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    octets::slice,
};

const BLOCK: usize = 512;

/// Where the checksum of a header stands.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// What the archive holds, as far as it can be followed.
pub(crate) fn read<'a>(archive: &'a [u8], budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    if let Err(limit) = read_files(archive, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

/// Whether a header begins here, by its checksum: older archives have nothing else.
pub(crate) fn is_header(octets: &[u8]) -> bool {
    let Some(header) = slice(octets, 0, BLOCK) else { return false };
    let stated = header.get(CHECKSUM).and_then(octal);
    let sum = |octet: fn(u8) -> i64| {
        let octets = header.iter().enumerate().map(|(at, &found)| if CHECKSUM.contains(&at) { b' ' } else { found });
        octets.map(octet).sum::<i64>()
    };
    // Some programs have added up octets with a sign.
    let is = |sum: i64| stated.is_some_and(|stated| i64::try_from(stated) == Ok(sum));
    is(sum(i64::from)) || is(sum(|octet| i64::from(octet.cast_signed())))
}

/// What stands in front of a file and says more of it.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    size: Option<usize>,
}

fn read_files<'a>(archive: &'a [u8], budget: &mut Budget, contents: &mut Contents<'a>) -> Result<(), Limit> {
    let (mut at, mut extended, mut is_after_end) = (0, Extended::default(), false);
    while let Some(header) = slice(archive, at, BLOCK) {
        // Programs end at a block of zeros, at two of them, or go on.
        if header.iter().all(|&octet| octet == 0) {
            (at, is_after_end) = (at + BLOCK, true);
            continue;
        }
        if is_after_end && !is_header(header) {
            return Ok(());
        }
        let Some(size) = extended.size.take().or_else(|| size_of(header)) else {
            contents.remark("archive_not_opened", Severity::Review, "a header of the archive is damaged");
            return Ok(());
        };
        let data = archive.get(at + BLOCK..).unwrap_or_default();
        let data = data.get(..size).unwrap_or(data);
        budget.take_entry()?;
        match header.get(156) {
            Some(b'L') => extended.name = Some(until_zero(data)),
            Some(b'x' | b'X' | b'g') => extended = pax(data, extended),
            Some(b'K' | b'V') => {}
            // Folders, links and devices have no data; a program that does not know a type takes it for a file.
            Some(b'1'..=b'6') if data.is_empty() => extended = Extended::default(),
            _ => contents.inner.push(Inner::new(names(extended.name.take(), header), data)),
        }
        at = at.saturating_add(BLOCK).saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK));
    }
    Ok(())
}

/// The long name, and what programs use that do not know of it, unless it is only cut off.
fn names(long: Option<String>, header: &[u8]) -> Vec<String> {
    let short = name_of(header);
    let Some(long) = long else { return vec![short] };
    let is_cut = 90 < short.len() && long.contains(&short) || short.is_empty();
    if is_cut { vec![long] } else { vec![long, short] }
}

/// In octal, or in base 256 where the first bit says so.
fn size_of(header: &[u8]) -> Option<usize> {
    let field = slice(header, 124, 12)?;
    if field.first()? & 0x80 != 0 {
        return usize::try_from(u64::from_be_bytes(field.get(4..)?.try_into().ok()?)).ok();
    }
    if field.iter().all(|octet| matches!(octet, 0 | b' ')) { Some(0) } else { octal(field) }
}

fn octal(field: &[u8]) -> Option<usize> {
    let digits = field.split(|octet| matches!(octet, 0 | b' ')).find(|digits| !digits.is_empty())?;
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

/// Records of pax: `LENGTH KEYWORD=VALUE\n`. The last of equal keywords counts.
fn pax(records: &[u8], mut extended: Extended) -> Extended {
    let mut rest = records;
    while let Some((record, after)) = record(rest) {
        rest = after;
        let equals = record.iter().position(|&octet| octet == b'=').unwrap_or(record.len());
        let (keyword, value) = record.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        match keyword {
            b"path" | b"GNU.sparse.name" => extended.name = Some(String::from_utf8_lossy(value).into_owned()),
            b"size" => {
                extended.size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok()).or(extended.size);
            }
            _ => {}
        }
    }
    extended
}

/// Without length, blank and line feed; and what follows.
fn record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = records.iter().position(|&octet| octet == b' ')?;
    let length: usize = std::str::from_utf8(records.get(..blank)?).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    Some((record.get(blank + 1..)?.trim_ascii_end(), rest))
}
