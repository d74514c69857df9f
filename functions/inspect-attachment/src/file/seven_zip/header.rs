//! Headers of 7z archives: what is packed where and how, and the names.

use crate::file::{budget::MAX_ENTRIES, octets::utf16_text};

pub(super) const SIGNATURE_HEADER: usize = 32;

/// Coders of one folder; 7-Zip makes at most four.
const MAX_CODERS: usize = 8;

pub(super) const END: u64 = 0x00;
pub(super) const HEADER: u64 = 0x01;
pub(super) const ARCHIVE_PROPERTIES: u64 = 0x02;
pub(super) const ADDITIONAL_STREAMS: u64 = 0x03;
pub(super) const MAIN_STREAMS: u64 = 0x04;
pub(super) const FILES: u64 = 0x05;
const PACK_INFO: u64 = 0x06;
const UNPACK_INFO: u64 = 0x07;
const SUBSTREAMS: u64 = 0x08;
const SIZE: u64 = 0x09;
const DIGESTS: u64 = 0x0a;
const UNPACK_SIZES: u64 = 0x0c;
const STREAMS_PER_FOLDER: u64 = 0x0d;
const EMPTY_STREAMS: u64 = 0x0e;
const NAMES: u64 = 0x11;
pub(super) const ENCODED_HEADER: u64 = 0x17;

pub(super) struct Coder {
    pub(super) id: Vec<u8>,
    pub(super) properties: Vec<u8>,
    pub(super) unpack_size: u64,
}

pub(super) struct Folder {
    pub(super) coders: Vec<Coder>,
    /// Places in the archive of what goes in.
    pub(super) packed: Vec<(usize, usize)>,
    pub(super) file_sizes: Vec<usize>,
}

#[derive(Default)]
pub(super) struct Streams {
    pub(super) folders: Vec<Folder>,
}

/// What is left of a header.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// The leading ones of the first octet count those that follow it.
    pub(super) fn number(&mut self) -> Option<u64> {
        let first = self.octet()?;
        let more = first.leading_ones() as usize;
        let low = self.take(more.min(8))?;
        let low = low.iter().rev().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
        let high = if more < 7 { u64::from(first & (0x7f >> more)) << (8 * more) } else { 0 };
        Some(high | low)
    }

    fn count(&mut self, most: usize) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= most)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn skip_properties(&mut self) -> Option<()> {
        while self.number()? != END {
            let length = self.length()?;
            self.take(length)?;
        }
        Some(())
    }

    /// One bit for each, or none when all are set.
    fn bits(&mut self, count: usize) -> Option<Vec<bool>> {
        let octets = self.take(count.div_ceil(8))?;
        Some((0..count).map(|at| octets.get(at / 8).is_some_and(|octet| octet & (0x80 >> (at % 8)) != 0)).collect())
    }

    fn skip_digests(&mut self, count: usize) -> Option<()> {
        let defined = if self.octet()? == 0 { self.bits(count)?.into_iter().filter(|bit| *bit).count() } else { count };
        self.take(defined * 4).map(drop)
    }

    pub(super) fn streams(&mut self) -> Option<Streams> {
        let (mut packed, mut streams) = (Vec::new(), Streams::default());
        loop {
            match self.number()? {
                END => return Some(streams),
                PACK_INFO => packed = self.pack_info()?,
                UNPACK_INFO => streams.folders = self.folders(&packed)?,
                SUBSTREAMS => self.substreams(&mut streams.folders)?,
                _ => return None,
            }
        }
    }

    /// Places in the archive.
    fn pack_info(&mut self) -> Option<Vec<(usize, usize)>> {
        let mut at = self.length()?.checked_add(SIGNATURE_HEADER)?;
        let count = self.count(MAX_ENTRIES)?;
        let mut places = Vec::new();
        loop {
            match self.number()? {
                END => return Some(places),
                SIZE => {
                    for _ in 0..count {
                        let length = self.length()?;
                        places.push((at, length));
                        at = at.checked_add(length)?;
                    }
                }
                DIGESTS => self.skip_digests(count)?,
                _ => return None,
            }
        }
    }

    fn folders(&mut self, packed: &[(usize, usize)]) -> Option<Vec<Folder>> {
        let (_folder, count, external) = (self.number()?, self.count(MAX_ENTRIES)?, self.octet()?);
        let mut packed = packed.iter().copied();
        let mut folders = Vec::new();
        for _ in 0..if external == 0 { count } else { 0 } {
            folders.push(self.folder(&mut packed)?);
        }
        loop {
            match self.number()? {
                END => return Some(folders),
                UNPACK_SIZES => {
                    for folder in &mut folders {
                        for coder in &mut folder.coders {
                            coder.unpack_size = self.number()?;
                        }
                        folder.file_sizes = vec![usize::try_from(folder.coders.last()?.unpack_size).ok()?];
                    }
                }
                DIGESTS => self.skip_digests(count)?,
                _ => return None,
            }
        }
    }

    fn folder(&mut self, packed: &mut impl Iterator<Item = (usize, usize)>) -> Option<Folder> {
        let (mut coders, mut inputs, mut outputs) = (Vec::new(), 0, 0);
        for _ in 0..self.count(MAX_CODERS)? {
            let flags = self.octet()?;
            let id = self.take(usize::from(flags & 0x0f))?.to_vec();
            let (ins, outs) =
                if flags & 0x10 == 0 { (1, 1) } else { (self.count(MAX_CODERS)?, self.count(MAX_CODERS)?) };
            let length = if flags & 0x20 == 0 { 0 } else { self.length()? };
            coders.push(Coder { id, properties: self.take(length)?.to_vec(), unpack_size: 0 });
            (inputs, outputs) = (inputs + ins, outputs + outs);
        }
        let bound = outputs.checked_sub(1)?;
        for _ in 0..bound * 2 {
            self.number()?;
        }
        let streams = usize::checked_sub(inputs, bound)?;
        for _ in 0..if streams > 1 { streams } else { 0 } {
            self.number()?;
        }
        Some(Folder { coders, packed: packed.take(streams).collect(), file_sizes: Vec::new() })
    }

    /// How the output of each folder is cut into files.
    fn substreams(&mut self, folders: &mut [Folder]) -> Option<()> {
        let mut counts = vec![1; folders.len()];
        loop {
            match self.number()? {
                END => return Some(()),
                STREAMS_PER_FOLDER => {
                    for (count, folder) in counts.iter_mut().zip(folders.iter_mut()) {
                        *count = self.count(MAX_ENTRIES * 16)?;
                        let all = folder.file_sizes.pop().unwrap_or_default();
                        folder.file_sizes = vec![0; *count];
                        if let Some(last) = folder.file_sizes.last_mut() {
                            *last = all;
                        }
                    }
                }
                SIZE => {
                    for folder in folders.iter_mut() {
                        self.file_sizes(&mut folder.file_sizes)?;
                    }
                }
                // Digests follow, and nothing that matters here follows them.
                DIGESTS => return self.end_of_substreams(counts.iter().sum()),
                _ => return None,
            }
        }
    }

    /// All but the last are written; the last has what is left.
    fn file_sizes(&mut self, sizes: &mut [usize]) -> Option<()> {
        let Some((last, others)) = sizes.split_last_mut() else { return Some(()) };
        for size in others {
            *size = self.length()?;
            *last = last.saturating_sub(*size);
        }
        Some(())
    }

    fn end_of_substreams(&mut self, digests: usize) -> Option<()> {
        self.skip_digests(digests)?;
        (self.number()? == END).then_some(())
    }

    /// The names, those of files with content first, as their contents come.
    pub(super) fn files(&mut self) -> Option<Vec<String>> {
        let count = self.length()?;
        let (mut names, mut is_empty) = (Vec::new(), Vec::new());
        loop {
            let property = self.number()?;
            if property == END {
                break;
            }
            let length = self.length()?;
            let mut value = Self { rest: self.take(length)? };
            match property {
                EMPTY_STREAMS => is_empty = value.bits(count.min(length * 8))?,
                NAMES => names = utf16_text(value.rest.get(1..)?).split_terminator('\0').map(str::to_owned).collect(),
                _ => {}
            }
        }
        let is_empty = |at: &usize| is_empty.get(*at).copied().unwrap_or_default();
        let (empty, full): (Vec<_>, Vec<_>) = names.into_iter().enumerate().partition(|(at, _)| is_empty(at));
        Some(full.into_iter().chain(empty).map(|(_, name)| name).collect())
    }
}
