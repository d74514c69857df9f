//! What the directory of a zip archive says (APPNOTE.TXT 6.3.10), and where its entries lie.

/// Entries read of one archive; what lies behind is not looked at.
pub const MAX_ENTRIES: usize = 1_000;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END_OF_DIRECTORY: &[u8] = b"PK\x05\x06";

/// The end record is 22 bytes and a comment of at most 65,535.
const END_RECORD_WITHIN: usize = 22 + 65_535;

/// Whether any entry is encrypted (general purpose bit 0, §4.4.4), asked of the directory and of the first local header:
/// programs differ in which of the two they believe.
#[must_use]
pub fn is_encrypted(archive: &[u8]) -> bool {
    let encrypted = |entry: Entry<'_>| entry.flags & 1 == 1;
    first_local_entry(archive).is_some_and(encrypted) || entries(archive).any(encrypted)
}

/// Whether the archive has a Java manifest, so that opening it runs it where Java is installed.
#[must_use]
pub fn is_java_archive(archive: &[u8]) -> bool {
    let manifest = |entry: Entry<'_>| entry.name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF");
    first_local_entry(archive).is_some_and(manifest) || entries(archive).any(manifest)
}

/// How the octets of an entry are packed (§4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Stored,
    Deflated,
    Other,
}

/// The packed octets of each entry, as far as the directory can be followed.
pub fn packed_entries(archive: &[u8]) -> impl Iterator<Item = (Method, &[u8])> {
    let start = directory_place(archive).map_or(0, |place| place.archive_at);
    entries(archive).filter_map(move |entry| {
        let header = archive.get(start.checked_add(entry.offset)?..)?.strip_prefix(LOCAL_HEADER)?;
        let [name, extra] = [22, 24].map(|at| u16_at(header, at).map(usize::from));
        let packed = header.get(26 + name? + extra?..)?;
        Some((entry.method, packed.get(..entry.packed_size).unwrap_or(packed)))
    })
}

/// Whether the directory has more entries than are read.
#[must_use]
pub fn has_too_many_entries(archive: &[u8]) -> bool {
    all_entries(archive).nth(MAX_ENTRIES).is_some()
}

struct Entry<'a> {
    flags: u16,
    name: &'a [u8],
    method: Method,
    packed_size: usize,
    /// Of the local header, from the beginning of the archive.
    offset: usize,
}

impl Method {
    fn of(code: u16) -> Self {
        match code {
            0 => Self::Stored,
            8 => Self::Deflated,
            _ => Self::Other,
        }
    }
}

fn first_local_entry(archive: &[u8]) -> Option<Entry<'_>> {
    let header = archive.strip_prefix(LOCAL_HEADER)?;
    let name_length = usize::from(u16_at(header, 22)?);
    Some(Entry {
        flags: u16_at(header, 2)?,
        name: header.get(26..26 + name_length)?,
        method: Method::of(u16_at(header, 4)?),
        packed_size: usize_at(header, 14)?,
        offset: 0,
    })
}

fn entries(archive: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    all_entries(archive).take(MAX_ENTRIES)
}

/// The entries of the central directory, as far as they can be followed.
fn all_entries(archive: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = central_directory(archive).unwrap_or_default();
    std::iter::from_fn(move || {
        let header = rest.strip_prefix(CENTRAL_HEADER)?;
        let [name, extra, comment] = [24, 26, 28].map(|at| u16_at(header, at).map(usize::from));
        let name_end = 42 + name?;
        let entry = Entry {
            flags: u16_at(header, 4)?,
            name: header.get(42..name_end)?,
            method: Method::of(u16_at(header, 6)?),
            packed_size: usize_at(header, 16)?,
            offset: usize_at(header, 38)?,
        };
        rest = header.get(name_end + extra? + comment?..).unwrap_or_default();
        Some(entry)
    })
}

struct DirectoryPlace {
    start: usize,
    end: usize,
    /// Where the archive begins: data may stand before it.
    archive_at: usize,
}

fn central_directory(archive: &[u8]) -> Option<&[u8]> {
    directory_place(archive).and_then(|place| archive.get(place.start..place.end))
}

/// Found from the end record backwards by its size.
fn directory_place(archive: &[u8]) -> Option<DirectoryPlace> {
    let tail_at = archive.len().saturating_sub(END_RECORD_WITHIN);
    let end = tail_at + archive.get(tail_at..)?.windows(4).rposition(|window| window == END_OF_DIRECTORY)?;
    let record = archive.get(end..)?;
    let start = end.checked_sub(usize_at(record, 12)?)?;
    Some(DirectoryPlace { start, end, archive_at: start.saturating_sub(usize_at(record, 16)?) })
}

fn usize_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An archive of stored, empty entries: `(name, flags in the local header, flags in the directory)`.
    pub(crate) fn archive(entries: &[(&str, u8, u8)]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, flags, _) in entries {
            archive.extend_from_slice(b"PK\x03\x04\x14\0");
            archive.extend_from_slice(&[*flags, 0]);
            archive.extend_from_slice(&[0; 18]);
            archive.extend_from_slice(&[u8::try_from(name.len()).expect("short test names"), 0, 0, 0]);
            archive.extend_from_slice(name.as_bytes());
        }
        let directory_at = archive.len();
        for (name, _, flags) in entries {
            archive.extend_from_slice(b"PK\x01\x02\x14\0\x14\0");
            archive.extend_from_slice(&[*flags, 0]);
            archive.extend_from_slice(&[0; 18]);
            archive.extend_from_slice(&[u8::try_from(name.len()).expect("short test names"), 0]);
            archive.extend_from_slice(&[0; 16]);
            archive.extend_from_slice(name.as_bytes());
        }
        let size = u32::try_from(archive.len() - directory_at).expect("small test archives");
        archive.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        archive.extend_from_slice(&size.to_le_bytes());
        archive.extend_from_slice(&[0; 6]);
        archive
    }

    #[test]
    fn an_archive_is_encrypted_when_any_header_says_so() {
        for (entries, expected) in [
            (&[("a.txt", 0, 0), ("b.txt", 0, 0)][..], false),
            (&[("a.txt", 1, 0)][..], true),
            (&[("a.txt", 0, 0), ("b.txt", 0, 1)][..], true),
            (&[("a.txt", 8, 8)][..], false),
            (&[][..], false),
        ] {
            assert_eq!(is_encrypted(&archive(entries)), expected, "{entries:?}");
        }
    }

    #[test]
    fn a_java_archive_has_a_manifest() {
        for (entries, expected) in [
            (&[("META-INF/MANIFEST.MF", 0, 0)][..], true),
            (&[("Main.class", 0, 0), ("meta-inf/manifest.mf", 0, 0)][..], true),
            (&[("META-INF/manifest.xml", 0, 0)][..], false),
        ] {
            assert_eq!(is_java_archive(&archive(entries)), expected, "{entries:?}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_followed_ends_the_reading() {
        let whole = archive(&[("a.txt", 0, 0), ("b.txt", 0, 1)]);
        for cut in 0..whole.len() {
            let _ = is_encrypted(&whole[..cut]);
            let _ = is_encrypted(&whole[cut..]);
        }
        let mut lying = whole.clone();
        let size_at = whole.len() - 10;
        lying[size_at..size_at + 4].copy_from_slice(&[0xff; 4]);
        assert!(!is_encrypted(&lying));
    }
}
