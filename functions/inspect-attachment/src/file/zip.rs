//! Zip archives (APPNOTE.TXT 6.3.10): what the directory says, what the entries hold, and where readers would disagree.

use std::{borrow::Cow, io::Read};

use bzip2_rs::DecoderReader;
use flate2::{bufread, read::DeflateDecoder};
use gatepost::finding::Severity;
use memchr::memmem;

use super::{
    budget::{Budget, Limit, MAX_ENTRIES},
    compressed::lzma_reader,
    contents::{Contents, Inner},
    octets::{slice, u16_at, u64_at, usize_at},
};

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END_OF_DIRECTORY: &[u8] = b"PK\x05\x06";

/// The end record is 22 bytes and a comment of at most 65,535.
const END_RECORD_WITHIN: usize = 22 + 65_535;

/// Entries of an Office document, most of which are slides and pictures; those that are opened count as files.
const MAX_PARTS: usize = 20_000;

/// Octets of a name that are judged, from its end, where the extension is. No system takes longer ones.
const MAX_NAME: usize = 256;

/// Files that the directory does not name, of one archive.
const MAX_UNLISTED: usize = 100;

/// One file as the directory or its local header describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    flags: u16,
    method: u16,
    pub(crate) name: &'a [u8],
    extra: &'a [u8],
    pub(crate) packed_size: usize,
    pub(crate) unpacked_size: usize,
    /// Of the local header, from the beginning of the archive.
    offset: usize,
}

/// An archive whose directory was found.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    octets: &'a [u8],
    pub(crate) entries: Vec<Entry<'a>>,
    /// Where the archive begins: data may stand before it.
    start: usize,
    /// Where its directory begins; the end where there is none.
    directory: usize,
    /// The other pieces are elsewhere.
    is_split: bool,
    is_cut: bool,
}

/// The octets of one entry.
#[derive(Debug)]
pub(crate) enum Unpacked<'a> {
    Octets(Cow<'a, [u8]>),
    Encrypted,
    /// By its method (§4.4.5).
    Unknown(u16),
    Missing,
}

impl<'a> Archive<'a> {
    /// Reads the directory, or the local headers where there is none: some programs open that as well.
    pub(crate) fn parse(octets: &'a [u8]) -> Self {
        let place = directory_place(octets);
        let start = place.as_ref().map_or(0, |place| place.archive_at);
        let is_split = place.as_ref().is_some_and(|place| place.is_split);
        let directory_at = place.as_ref().map_or(octets.len(), |place| place.start);
        let directory = place.and_then(|place| octets.get(place.start..place.end)).unwrap_or_default();
        let mut entries: Vec<_> = directory_entries(directory).take(MAX_PARTS + 1).collect();
        if entries.is_empty() {
            entries = local_entries(octets).take(MAX_PARTS + 1).collect();
        }
        let is_cut = MAX_PARTS < entries.len();
        Self { octets, entries, start, directory: directory_at, is_split, is_cut }
    }

    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// # Errors
    /// The limit that unpacking breaks.
    pub(crate) fn unpack(&self, entry: &Entry<'a>, budget: &mut Budget) -> Result<Unpacked<'a>, Limit> {
        let Some((header, packed)) = self.packed(entry) else { return Ok(Unpacked::Missing) };
        if (entry.flags | header.flags) & 1 == 1 {
            return Ok(Unpacked::Encrypted);
        }
        match entry.method {
            0 => {
                budget.take_octets(packed.len())?;
                Ok(Unpacked::Octets(Cow::Borrowed(packed)))
            }
            8 => budget.unpack(packed.len(), DeflateDecoder::new(packed)).map(|octets| Unpacked::Octets(octets.into())),
            12 => budget.unpack(packed.len(), DecoderReader::new(packed)).map(|octets| Unpacked::Octets(octets.into())),
            14 => match lzma(entry, packed) {
                Some(reader) => budget.unpack(packed.len(), reader).map(|octets| Unpacked::Octets(octets.into())),
                None => Ok(Unpacked::Unknown(14)),
            },
            method => Ok(Unpacked::Unknown(method)),
        }
    }

    /// The first octets of what an entry unpacks to, as far as that is known.
    pub(crate) fn head(&self, entry: &Entry<'a>) -> Vec<u8> {
        const HEAD: usize = 64;
        let Some((_, packed)) = self.packed(entry) else { return Vec::new() };
        let mut head = Vec::new();
        match entry.method {
            8 => drop(bufread::DeflateDecoder::new(packed).take(HEAD as u64).read_to_end(&mut head)),
            _ => head.extend(packed.iter().take(HEAD)),
        }
        head
    }

    /// Looks at what an entry unpacks to, piece by piece, and keeps nothing.
    ///
    /// # Errors
    /// The limit that unpacking breaks.
    pub(crate) fn scan(&self, entry: &Entry<'a>, budget: &mut Budget, look: impl FnMut(&[u8])) -> Result<(), Limit> {
        match (self.packed(entry), entry.method) {
            (Some((_, packed)), 0) => budget.scan(packed.len(), packed, look),
            (Some((_, packed)), 8) => budget.scan(packed.len(), DeflateDecoder::new(packed), look),
            _ => Ok(()),
        }
    }

    /// The local header and what stands behind it.
    fn packed(&self, entry: &Entry<'a>) -> Option<(Entry<'a>, &'a [u8])> {
        let at = self.start.checked_add(entry.offset)?;
        let header = local_entry(self.octets, at)?;
        let data = self.octets.get(at + 30 + header.name.len() + header.extra.len()..)?;
        Some((header, data.get(..entry.packed_size).unwrap_or(data)))
    }

    /// Why two readers would see different files in this archive.
    fn ambiguity(&self) -> Option<&'static str> {
        let before = self.octets.get(..self.start).unwrap_or_default();
        if before.starts_with(LOCAL_HEADER) {
            return Some("another archive stands in front of it");
        }
        let headers = || self.entries.iter().map(|entry| (entry, self.packed(entry).map(|(header, _)| header)));
        if headers().any(|(entry, header)| header.is_some_and(|header| entry.name != header.name)) {
            return Some("its directory gives a file another name than the file's own header");
        }
        if headers().any(|(entry, header)| header.is_some_and(|header| entry.method != header.method)) {
            return Some("its directory says of a file that it is packed otherwise than the file's own header");
        }
        if headers().any(|(_, header)| header.is_none()) {
            return Some("its directory names a file that is not there");
        }
        let places = self.places();
        let overlap = places.windows(2).any(|pair| matches!(pair, [(_, end), (next, _)] if end > next));
        if overlap {
            return Some("its files share their octets");
        }
        let is_unlisted = !self.unlisted(&places).is_empty();
        is_unlisted.then_some("it has a file that its directory does not name")
    }

    /// From where to where the files stand, in order.
    fn places(&self) -> Vec<(usize, usize)> {
        let place = |entry: &Entry<'a>| {
            let (header, _) = self.packed(entry)?;
            let start = self.start.checked_add(entry.offset)?;
            Some((start, start + (30 + header.name.len() + header.extra.len()).saturating_add(entry.packed_size)))
        };
        let mut places: Vec<_> = self.entries.iter().filter_map(place).collect();
        places.sort_unstable();
        places
    }

    /// Files between those that the directory names: a program that reads from the front finds them.
    fn unlisted(&self, places: &[(usize, usize)]) -> Vec<Entry<'a>> {
        let ends = std::iter::once(self.start).chain(places.iter().map(|(_, end)| *end));
        let starts = places.iter().map(|(start, _)| *start).chain([self.directory]);
        let gaps = ends.zip(starts).filter_map(|(end, start)| Some((end, self.octets.get(end..start)?)));
        let headers = gaps.flat_map(|(end, gap)| memmem::find_iter(gap, LOCAL_HEADER).map(move |at| end + at));
        let entries = headers.filter_map(|at| local_entry(self.octets, at).filter(|entry| !entry.name.is_empty()));
        let as_listed = |entry: Entry<'a>| Entry {
            offset: entry.offset - self.start,
            // The sizes may stand behind the data.
            packed_size: if entry.packed_size == 0 { self.octets.len() } else { entry.packed_size },
            ..entry
        };
        entries.map(as_listed).take(MAX_UNLISTED).collect()
    }
}

impl Entry<'_> {
    pub(crate) fn is_folder(&self) -> bool {
        self.name.ends_with(b"/")
    }

    pub(crate) fn text(&self) -> String {
        let start = self.name.len().saturating_sub(MAX_NAME);
        String::from_utf8_lossy(self.name.get(start..).unwrap_or_default()).into_owned()
    }

    /// The name, and what programs take for it that end at a zero octet or read the extra field of Info-ZIP (0x7075).
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec![self.text()];
        if let Some(end) = self.name.iter().position(|&octet| octet == 0) {
            names.push(String::from_utf8_lossy(self.name.get(..end).unwrap_or_default()).into_owned());
        }
        if let Some(name) = extra_field(self.extra, 0x7075).and_then(|field| field.get(5..)) {
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        names.dedup();
        names
    }
}

/// What an archive holds that is no document of Office.
pub(crate) fn read<'a>(archive: &Archive<'a>, budget: &mut Budget) -> Contents<'a> {
    let mut contents = Contents::default();
    if MAX_ENTRIES < archive.entries.len() {
        contents.exceeded(Limit::Entries);
    }
    let entries = archive.entries.iter().filter(|entry| !entry.is_folder()).take(MAX_ENTRIES);
    if let Err(limit) = entries.into_iter().try_for_each(|entry| read_entry(archive, entry, budget, &mut contents)) {
        contents.exceeded(limit);
    }
    contents
}

/// Where readers of the archive would disagree, whatever it is, and what some of them would find.
pub(crate) fn read_ambiguous<'a>(archive: &Archive<'a>, budget: &mut Budget, contents: &mut Contents<'a>) {
    if archive.is_split {
        contents.unopened("a piece of an archive in several");
        return;
    }
    let Some(why) = archive.ambiguity() else { return };
    let detail = format!("programs see different files in this archive: {why}");
    contents.remark("ambiguous_archive", Severity::Quarantine, detail);
    if let Some(before) = archive.octets.get(..archive.start).filter(|before| before.starts_with(LOCAL_HEADER)) {
        contents.file("(in front)", before);
    }
    let unlisted = archive.unlisted(&archive.places());
    if let Err(limit) = unlisted.iter().try_for_each(|entry| read_entry(archive, entry, budget, contents)) {
        contents.exceeded(limit);
    }
}

fn read_entry<'a>(
    archive: &Archive<'a>,
    entry: &Entry<'a>,
    budget: &mut Budget,
    contents: &mut Contents<'a>,
) -> Result<(), Limit> {
    budget.take_entry()?;
    let (content, outcome) = match archive.unpack(entry, budget) {
        Ok(Unpacked::Octets(octets)) => (Some(octets), Ok(())),
        Ok(Unpacked::Encrypted) => {
            contents.encrypted();
            (None, Ok(()))
        }
        Ok(Unpacked::Unknown(method)) => {
            contents.unopened(&format!("zip method {method}"));
            (None, Ok(()))
        }
        Ok(Unpacked::Missing) => (None, Ok(())),
        Err(limit) => (None, Err(limit)),
    };
    // With its name alone as well: a program that is also a bomb is a program first.
    contents.inner.push(Inner { content, ..Inner::named(entry.names()) });
    outcome
}

/// Version, length of the properties, properties, and what is packed, which may have an end mark (§5.8.8).
fn lzma<'a>(entry: &Entry<'_>, packed: &'a [u8]) -> Option<impl Read + 'a> {
    const HAS_END_MARK: u16 = 2;
    let properties = usize::from(u16_at(packed, 2)?);
    let size = if entry.flags & HAS_END_MARK == 0 { entry.unpacked_size as u64 } else { u64::MAX };
    lzma_reader(slice(packed, 4, properties)?, size, packed.get(4 + properties..)?)
}

/// Whether there is a directory of files, wherever the archive begins.
pub(crate) fn has_directory(octets: &[u8]) -> bool {
    let place = directory_place(octets).and_then(|place| octets.get(place.start..place.end));
    place.is_some_and(|directory| directory_entries(directory).next().is_some())
}

/// Whether an archive has this file, by its directory or as its first.
pub(crate) fn has_entry(archive: &[u8], name: &[u8]) -> bool {
    Archive::parse(archive).has(name)
        || local_entry(archive, 0).is_some_and(|entry| entry.name.eq_ignore_ascii_case(name))
}

fn local_entry(archive: &[u8], at: usize) -> Option<Entry<'_>> {
    let header = archive.get(at..)?.strip_prefix(LOCAL_HEADER)?;
    let [name_length, extra_length] = [u16_at(header, 22)?, u16_at(header, 24)?].map(usize::from);
    Some(Entry {
        flags: u16_at(header, 2)?,
        method: u16_at(header, 4)?,
        name: slice(header, 26, name_length)?,
        extra: slice(header, 26 + name_length, extra_length)?,
        packed_size: usize_at(header, 14)?,
        unpacked_size: usize_at(header, 18)?,
        offset: at,
    })
}

/// Without a directory the sizes may stand behind the data, so that each file ends where the next header begins.
fn local_entries(archive: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut headers = memmem::find_iter(archive, LOCAL_HEADER).peekable();
    std::iter::from_fn(move || {
        let at = headers.next()?;
        let end = headers.peek().copied().unwrap_or(archive.len());
        let entry = local_entry(archive, at)?;
        let data_at = at + 30 + entry.name.len() + entry.extra.len();
        let is_stated = 0 < entry.packed_size && entry.packed_size <= archive.len().saturating_sub(data_at);
        let packed_size = if is_stated { entry.packed_size } else { end.saturating_sub(data_at) };
        Some(Entry { packed_size, ..entry })
    })
}

/// The entries of the central directory, as far as they can be followed.
fn directory_entries(mut rest: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    std::iter::from_fn(move || {
        let header = rest.strip_prefix(CENTRAL_HEADER)?;
        let [name, extra, comment] = [24, 26, 28].map(|at| u16_at(header, at).map(usize::from));
        let (name_end, extra_length) = (42 + name?, extra?);
        let entry = Entry {
            flags: u16_at(header, 4)?,
            method: u16_at(header, 6)?,
            name: header.get(42..name_end)?,
            extra: slice(header, name_end, extra_length).unwrap_or_default(),
            packed_size: usize_at(header, 16)?,
            unpacked_size: usize_at(header, 20)?,
            offset: usize_at(header, 38)?,
        };
        rest = header.get(name_end + extra_length + comment?..).unwrap_or_default();
        Some(with_large_numbers(entry))
    })
}

/// Numbers that do not fit stand in the extra field 0x0001, in this order (§4.5.3).
fn with_large_numbers(mut entry: Entry<'_>) -> Entry<'_> {
    const ELSEWHERE: usize = u32::MAX as usize;
    let Some(field) = extra_field(entry.extra, 1) else { return entry };
    let mut at = 0;
    for number in [&mut entry.unpacked_size, &mut entry.packed_size, &mut entry.offset] {
        if *number == ELSEWHERE {
            *number = u64_at(field, at).and_then(|large| usize::try_from(large).ok()).unwrap_or(ELSEWHERE);
            at += 8;
        }
    }
    entry
}

fn extra_field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (id, length) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let field = slice(extra, 4, length)?;
        if id == wanted {
            return Some(field);
        }
        extra = extra.get(4 + length..)?;
    }
}

struct DirectoryPlace {
    is_split: bool,
    start: usize,
    end: usize,
    archive_at: usize,
}

/// Found from the end record backwards by its size.
fn directory_place(archive: &[u8]) -> Option<DirectoryPlace> {
    let tail_at = archive.len().saturating_sub(END_RECORD_WITHIN);
    let end = tail_at + memmem::rfind(archive.get(tail_at..)?, END_OF_DIRECTORY)?;
    let record = archive.get(end..)?;
    // The 64-bit end record and its locator stand between the directory and the end record (§4.3.14).
    let directory_end = match end.checked_sub(20).and_then(|at| slice(archive, at, 4)) {
        Some(b"PK\x06\x07") => end.checked_sub(76)?,
        _ => end,
    };
    let (size, offset) = (usize_at(record, 12)?, usize_at(record, 16)?);
    let start = directory_end.checked_sub(size)?;
    let is_split = u16_at(record, 4).is_some_and(|disk| disk != 0 && disk != u16::MAX);
    Some(DirectoryPlace { is_split, start, end: directory_end, archive_at: start.saturating_sub(offset) })
}
