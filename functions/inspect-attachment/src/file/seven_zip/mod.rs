//! 7z archives (7zFormat.txt of the LZMA SDK): names from the header, and what LZMA, LZMA2, Deflate and bzip2 packed.

mod header;

use std::io::Read;

use bzip2_rs::DecoderReader;
use flate2::read::DeflateDecoder;
use lzma_rust2::Lzma2Reader;

use self::header::{
    ADDITIONAL_STREAMS, ARCHIVE_PROPERTIES, Cursor, ENCODED_HEADER, END, FILES, Folder, HEADER, MAIN_STREAMS,
    SIGNATURE_HEADER, Streams,
};
use super::{
    budget::{Budget, Limit},
    compressed::{MAX_DICTIONARY, dictionary_size, lzma_reader},
    contents::Contents,
    octets::{slice, u64_at},
};

/// Headers within headers: one is usual.
const MAX_HEADERS: usize = 2;

const AES: &[u8] = &[0x06, 0xf1, 0x07, 0x01];

/// Hides every octet, and is undone.
const DELTA: &[u8] = &[0x03];

/// The other filters turn around addresses in programs: what a file is shows without turning them back.
const FILTERS: &[&[u8]] = &[
    &[0x03, 0x03, 0x01, 0x03],
    &[0x03, 0x03, 0x05, 0x01],
    &[0x03, 0x03, 0x07, 0x01],
    DELTA,
    &[0x04],
    &[0x05],
    &[0x07],
    &[0x08],
    &[0x0a],
    &[0x0b],
];

/// What can be said about an archive.
enum Failure {
    Limit(Limit),
    Encrypted,
    Unknown,
}

impl From<Limit> for Failure {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

/// What the archive holds; of files that cannot be unpacked at least the names.
pub(crate) fn read(archive: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    if let Err(failure) = read_archive(archive, budget, &mut contents) {
        match failure {
            Failure::Limit(limit) => contents.exceeded(limit),
            Failure::Encrypted => contents.encrypted(),
            Failure::Unknown => contents.unopened("7z"),
        }
    }
    contents
}

fn read_archive(archive: &[u8], budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Failure> {
    let place = || Some((u64_at(archive, 12)?, u64_at(archive, 20)?));
    let (offset, size) = place().ok_or(Failure::Unknown)?;
    let at = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(SIGNATURE_HEADER));
    let header = at.zip(usize::try_from(size).ok()).and_then(|(at, size)| slice(archive, at, size));
    let mut header = header.ok_or(Failure::Unknown)?.to_vec();
    for _ in 0..=MAX_HEADERS {
        let mut cursor = Cursor { rest: &header };
        match cursor.number().ok_or(Failure::Unknown)? {
            HEADER => return read_header(archive, cursor, budget, contents),
            ENCODED_HEADER => {
                let streams = cursor.streams().ok_or(Failure::Unknown)?;
                let folder = streams.folders.first().ok_or(Failure::Unknown)?;
                header = unpack(archive, folder, budget)?;
            }
            _ => return Err(Failure::Unknown),
        }
    }
    Err(Failure::Unknown)
}

fn read_header(
    archive: &[u8],
    mut cursor: Cursor<'_>,
    budget: &mut Budget,
    contents: &mut Contents<'static>,
) -> Result<(), Failure> {
    let mut streams = Streams::default();
    loop {
        match cursor.number().ok_or(Failure::Unknown)? {
            END => return Ok(()),
            ARCHIVE_PROPERTIES => cursor.skip_properties().ok_or(Failure::Unknown)?,
            ADDITIONAL_STREAMS => drop(cursor.streams().ok_or(Failure::Unknown)?),
            MAIN_STREAMS => streams = cursor.streams().ok_or(Failure::Unknown)?,
            FILES => {
                let files = cursor.files().ok_or(Failure::Unknown)?;
                return unpack_files(archive, &streams, files, budget, contents);
            }
            _ => return Err(Failure::Unknown),
        }
    }
}

fn unpack_files(
    archive: &[u8],
    streams: &Streams,
    files: Vec<String>,
    budget: &mut Budget,
    contents: &mut Contents<'static>,
) -> Result<(), Failure> {
    let mut names = files.into_iter();
    let mut outcome = Ok(());
    for folder in &streams.folders {
        let unpacked = match outcome {
            Ok(()) => unpack(archive, folder, budget),
            Err(_) => Err(Failure::Unknown),
        };
        let mut rest = unpacked.as_deref().unwrap_or_default();
        for &size in &folder.file_sizes {
            let (content, after) = rest.split_at(size.min(rest.len()));
            let name = names.next().unwrap_or_default();
            match unpacked {
                Ok(_) => contents.file(name, content.to_vec()),
                Err(_) => contents.named(name),
            }
            budget.take_entry()?;
            rest = after;
        }
        if let (Ok(()), Err(failure)) = (&outcome, unpacked) {
            outcome = Err(failure);
        }
    }
    names.for_each(|name| contents.named(name));
    outcome
}

fn unpack(archive: &[u8], folder: &Folder, budget: &mut Budget) -> Result<Vec<u8>, Failure> {
    if folder.coders.iter().any(|coder| coder.id == AES) {
        return Err(Failure::Encrypted);
    }
    let mut coders = folder.coders.iter().filter(|coder| !FILTERS.contains(&coder.id.as_slice()));
    let (Some(coder), None, [(at, length)]) = (coders.next(), coders.next(), folder.packed.as_slice()) else {
        return Err(Failure::Unknown);
    };
    let packed = slice(archive, *at, *length).ok_or(Failure::Unknown)?;
    let reader: Box<dyn Read + '_> = match coder.id.as_slice() {
        [0] => Box::new(packed),
        [0x21] => {
            let dictionary = coder.properties.first().and_then(|bits| dictionary_size(*bits));
            let dictionary = dictionary.filter(|size| *size <= MAX_DICTIONARY).ok_or(Failure::Unknown)?;
            Box::new(Lzma2Reader::new(packed, dictionary, None))
        }
        [3, 1, 1] => {
            let reader = lzma_reader(&coder.properties, coder.unpack_size, packed);
            Box::new(reader.ok_or(Failure::Unknown)?)
        }
        [4, 1, 8] => Box::new(DeflateDecoder::new(packed)),
        [4, 2, 2] => Box::new(DecoderReader::new(packed)),
        _ => return Err(Failure::Unknown),
    };
    let sized = reader.take(coder.unpack_size);
    let mut unpacked = budget.unpack(packed.len(), sized)?;
    // The coder that packed comes last.
    for delta in folder.coders.iter().rev().filter(|coder| coder.id == DELTA) {
        sum_up(&mut unpacked, usize::from(delta.properties.first().copied().unwrap_or_default()) + 1);
    }
    Ok(unpacked)
}

/// Each octet is the difference to the one so many octets before.
fn sum_up(octets: &mut [u8], distance: usize) {
    let mut before = [0; 256];
    for (at, octet) in octets.iter_mut().enumerate() {
        if let Some(sum) = before.get_mut(at % distance) {
            *octet = octet.wrapping_add(*sum);
            *sum = *octet;
        }
    }
}
