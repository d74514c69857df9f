//! Compound files ([MS-CFB]): the storages and streams of the older Office formats, as far as they can be followed.

use crate::file::{
    budget::{Budget, Limit},
    octets::{slice, u16_at, u32_at, usize_at, utf16_text},
};

pub(crate) const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Directory entries that are read; a document has tens, a mailbox message hundreds.
const MAX_OBJECTS: usize = 10_000;

const LAST_SECTOR: u32 = 0xffff_fffa;
const NO_OBJECT: u32 = 0xffff_ffff;
const DIRECTORY_ENTRY: usize = 128;

/// A storage or a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) is_stream: bool,
    /// As it stands in the file.
    pub(crate) class: [u8; 16],
    /// Index of the storage that it is in; the root is in itself.
    pub(crate) storage: usize,
    start: u32,
    size: usize,
}

/// The file with its tables. Nothing of it is copied but the streams that are asked for.
#[derive(Debug)]
pub(crate) struct CompoundFile<'a> {
    octets: &'a [u8],
    sector: usize,
    mini_cutoff: usize,
    chains: Vec<u32>,
    mini_chains: Vec<u32>,
    /// The stream that the small streams are in.
    mini_stream: Vec<u8>,
    pub(crate) objects: Vec<Object>,
}

impl<'a> CompoundFile<'a> {
    /// `None` for what has no readable header.
    pub(crate) fn parse(octets: &'a [u8]) -> Option<Self> {
        if !octets.starts_with(MAGIC) {
            return None;
        }
        let shift = u16_at(octets, 0x1e).filter(|shift| (7..=16).contains(shift))?;
        let mut file = Self {
            octets,
            sector: 1 << shift,
            mini_cutoff: usize_at(octets, 0x38)?.min(4096),
            chains: Vec::new(),
            mini_chains: Vec::new(),
            mini_stream: Vec::new(),
            objects: Vec::new(),
        };
        file.chains = file.allocation_table()?;
        let mini_table = file.chain(u32_at(octets, 0x3c)?, usize::MAX);
        file.mini_chains = file.numbers(&mini_table);
        let directory = file.chain(u32_at(octets, 0x30)?, usize::MAX);
        file.objects = file.directory(&directory);
        let root = file.objects.first().map(|root| (root.start, root.size));
        if let Some((start, size)) = root {
            let sectors = file.chain(start, usize::MAX);
            file.mini_stream = file.join(&sectors, size.min(octets.len()));
        }
        Some(file)
    }

    /// The first stream or storage of this name, in whatever case and wherever.
    pub(crate) fn find(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn within(&self, storage: usize) -> impl Iterator<Item = &Object> {
        self.objects.iter().skip(1).filter(move |object| object.storage == storage)
    }

    /// The octets of a stream, as far as they are there.
    ///
    /// # Errors
    /// [`Limit::Octets`].
    pub(crate) fn stream(&self, object: &Object, budget: &mut Budget) -> Result<Vec<u8>, Limit> {
        let size = object.size.min(self.octets.len());
        budget.take_octets(size)?;
        if object.size < self.mini_cutoff {
            return Ok(self.mini(object.start, size));
        }
        Ok(self.join(&self.chain(object.start, size / self.sector + 1), size))
    }

    fn sector_at(&self, number: u32) -> Option<&'a [u8]> {
        let at = usize::try_from(number).ok()?.checked_add(1)?.checked_mul(self.sector)?;
        // The last sector of a file is sometimes cut short.
        let rest = self.octets.get(at..).filter(|rest| !rest.is_empty())?;
        Some(rest.get(..self.sector).unwrap_or(rest))
    }

    fn numbers(&self, sectors: &[u32]) -> Vec<u32> {
        let octets =
            sectors.iter().filter_map(|&number| self.sector_at(number)).flat_map(|sector| sector.as_chunks::<4>().0);
        octets.map(|&number| u32::from_le_bytes(number)).collect()
    }

    /// The sectors of the table stand in the header, and in a chain of sectors where those are not enough.
    fn allocation_table(&self) -> Option<Vec<u32>> {
        let most = self.octets.len() / self.sector + 1;
        let in_header =
            slice(self.octets, 0x4c, 436)?.as_chunks::<4>().0.iter().map(|&number| u32::from_le_bytes(number));
        let mut sectors: Vec<u32> = in_header.filter(|number| *number <= LAST_SECTOR).collect();
        let mut next = u32_at(self.octets, 0x44)?;
        for _ in 0..most {
            let Some(sector) = self.sector_at(next).filter(|_| next <= LAST_SECTOR) else { break };
            let (numbers, _) = sector.as_chunks::<4>();
            let Some((&last, numbers)) = numbers.split_last() else { break };
            sectors.extend(
                numbers.iter().map(|&number| u32::from_le_bytes(number)).filter(|number| *number <= LAST_SECTOR),
            );
            next = u32::from_le_bytes(last);
        }
        sectors.truncate(most);
        Some(self.numbers(&sectors))
    }

    /// At most `most` sectors, and no more than the file has, so that a chain that runs in a circle ends.
    fn chain(&self, start: u32, most: usize) -> Vec<u32> {
        let most = most.min(self.octets.len() / self.sector + 1);
        let mut sectors = Vec::new();
        let mut next = start;
        while next <= LAST_SECTOR && sectors.len() < most {
            sectors.push(next);
            next = self.chains.get(next as usize).copied().unwrap_or(NO_OBJECT);
        }
        sectors
    }

    fn join(&self, sectors: &[u32], size: usize) -> Vec<u8> {
        let mut joined = Vec::with_capacity(size);
        for sector in sectors.iter().map_while(|&number| self.sector_at(number)) {
            let room = size - joined.len();
            joined.extend_from_slice(sector.get(..room).unwrap_or(sector));
            if joined.len() == size {
                break;
            }
        }
        joined
    }

    fn mini(&self, start: u32, size: usize) -> Vec<u8> {
        const MINI_SECTOR: usize = 64;
        let (mut joined, mut next) = (Vec::new(), start);
        while joined.len() < size {
            let at = (next as usize).saturating_mul(MINI_SECTOR);
            let Some(sector) = slice(&self.mini_stream, at, MINI_SECTOR.min(size - joined.len())) else { break };
            joined.extend_from_slice(sector);
            next = self.mini_chains.get(next as usize).copied().unwrap_or(NO_OBJECT);
        }
        joined
    }

    fn directory(&self, sectors: &[u32]) -> Vec<Object> {
        let per_sector = self.sector / DIRECTORY_ENTRY;
        let octets = self.join(
            sectors,
            (sectors.len() * self.sector).min(MAX_OBJECTS.next_multiple_of(per_sector) * DIRECTORY_ENTRY),
        );
        let entries: Vec<&[u8]> = octets.chunks_exact(DIRECTORY_ENTRY).take(MAX_OBJECTS).collect();
        let storages = storages(&entries);
        let objects = entries.iter().zip(storages).map(|(entry, storage)| object(entry, storage));
        objects.map(Option::unwrap_or_default).collect()
    }
}

impl Default for Object {
    fn default() -> Self {
        Self { name: String::new(), is_stream: false, class: [0; 16], storage: 0, start: NO_OBJECT, size: 0 }
    }
}

fn object(entry: &[u8], storage: usize) -> Option<Object> {
    let name_length = usize::from(u16_at(entry, 64)?).saturating_sub(2).min(64);
    Some(Object {
        name: utf16_text(slice(entry, 0, name_length)?),
        is_stream: entry.get(66) == Some(&2),
        class: slice(entry, 80, 16)?.try_into().ok()?,
        storage,
        start: u32_at(entry, 116)?,
        size: usize_at(entry, 120)?,
    })
}

/// In which storage each entry is: the entries of one are a tree, whose root its storage names.
fn storages(entries: &[&[u8]]) -> Vec<usize> {
    let mut storages = vec![0; entries.len()];
    let mut seen = vec![false; entries.len()];
    let child = |entry: &[u8]| u32_at(entry, 76).unwrap_or(NO_OBJECT);
    let mut waiting = vec![(entries.first().map_or(NO_OBJECT, |root| child(root)), 0)];
    while let Some((number, storage)) = waiting.pop() {
        let Some((at, entry)) = usize::try_from(number).ok().and_then(|at| Some((at, *entries.get(at)?))) else {
            continue;
        };
        if seen.get(at).copied().unwrap_or(true) {
            continue;
        }
        if let (Some(seen), Some(place)) = (seen.get_mut(at), storages.get_mut(at)) {
            (*seen, *place) = (true, storage);
        }
        let siblings = [68, 72].map(|at| u32_at(entry, at).unwrap_or(NO_OBJECT));
        waiting.extend(siblings.map(|sibling| (sibling, storage)));
        waiting.push((child(entry), at));
    }
    storages
}
