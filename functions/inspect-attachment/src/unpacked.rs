//! How much an archive unpacks to, and how deep: found by unpacking it within limits, not by believing what it says.

use std::{fmt, io::Read};

use flate2::read::DeflateDecoder;

use crate::zip::{self, MAX_ENTRIES, Method};

/// Octets that all archives of a message may unpack to, one within the other. A mail has 40 MB.
pub const MAX_UNPACKED_OCTETS: u64 = 256 << 20;

/// Archives within archives.
pub const MAX_ARCHIVE_DEPTH: usize = 5;

/// Octets of an archive within an archive: it has to be kept to be opened.
const MAX_INNER_OCTETS: usize = 32 << 20;

/// Octets that are unpacked at once.
const PIECE: usize = 64 * 1024;

const SIGNATURE: &[u8] = b"PK\x03\x04";

/// The limit at which unpacking was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    Octets,
    InnerOctets,
    Entries,
    Depth,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Octets => write!(f, "unpacks to more than {} MB", MAX_UNPACKED_OCTETS >> 20),
            Self::InnerOctets => write!(f, "holds an archive of more than {} MB", MAX_INNER_OCTETS >> 20),
            Self::Entries => write!(f, "has more than {MAX_ENTRIES} files"),
            Self::Depth => write!(f, "holds archives within archives deeper than {MAX_ARCHIVE_DEPTH}"),
        }
    }
}

/// What is left of the limits for all archives of a message.
#[derive(Debug, Clone, Copy)]
pub struct Unpacking {
    octets_left: u64,
    entries_left: usize,
}

impl Default for Unpacking {
    fn default() -> Self {
        Self { octets_left: MAX_UNPACKED_OCTETS, entries_left: MAX_ENTRIES }
    }
}

impl Unpacking {
    /// The first limit that a zip archive breaks. Damaged entries end where they are damaged.
    pub fn excess(&mut self, archive: &[u8]) -> Option<Excess> {
        self.visit(archive, 1).err()
    }

    /// Recursive, and `depth` ends it.
    fn visit(&mut self, archive: &[u8], depth: usize) -> Result<(), Excess> {
        if MAX_ARCHIVE_DEPTH < depth {
            return Err(Excess::Depth);
        }
        if zip::has_too_many_entries(archive) {
            return Err(Excess::Entries);
        }
        for (method, packed) in zip::packed_entries(archive) {
            self.entries_left = self.entries_left.checked_sub(1).ok_or(Excess::Entries)?;
            match method {
                Method::Stored if packed.starts_with(SIGNATURE) => {
                    self.take(packed.len())?;
                    self.visit(packed, depth + 1)?;
                }
                Method::Deflated => self.visit_deflated(packed, depth)?,
                Method::Stored | Method::Other => {}
            }
        }
        Ok(())
    }

    /// What came out before a damage counts as well.
    fn visit_deflated(&mut self, packed: &[u8], depth: usize) -> Result<(), Excess> {
        let mut unpacked = DeflateDecoder::new(packed);
        let (mut piece, mut inner) = (vec![0; PIECE], Vec::new());
        let mut is_archive = None;
        while let Ok(read @ 1..) = unpacked.read(&mut piece) {
            self.take(read)?;
            let read = piece.get(..read).unwrap_or_default();
            if *is_archive.get_or_insert_with(|| read.starts_with(SIGNATURE)) {
                inner.extend_from_slice(read);
                if MAX_INNER_OCTETS < inner.len() {
                    return Err(Excess::InnerOctets);
                }
            }
        }
        if inner.is_empty() { Ok(()) } else { self.visit(&inner, depth + 1) }
    }

    fn take(&mut self, octets: usize) -> Result<(), Excess> {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.octets_left = self.octets_left.checked_sub(octets).ok_or(Excess::Octets)?;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;

    /// An archive of deflated entries.
    pub(crate) fn deflated(contents: &[&[u8]]) -> Vec<u8> {
        let (mut archive, mut directory) = (Vec::new(), Vec::new());
        for content in contents {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content).expect("memory takes it");
            let packed = encoder.finish().expect("memory takes it");
            let offset = u32::try_from(archive.len()).expect("small").to_le_bytes();
            let size = u32::try_from(packed.len()).expect("small").to_le_bytes();
            let common = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &size, &[0; 4], &[1, 0, 0, 0]].concat();
            archive.extend([b"PK\x03\x04", &common[..], b"a", &packed].concat());
            directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset, b"a"].concat());
        }
        let place = u32::try_from(archive.len()).expect("small").to_le_bytes();
        let size = u32::try_from(directory.len()).expect("small").to_le_bytes();
        archive.extend(directory);
        archive.extend([b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &size[..], &place, &[0; 2]].concat());
        archive
    }

    fn excess(archive: &[u8]) -> Option<Excess> {
        Unpacking::default().excess(archive)
    }

    fn nested(levels: usize) -> Vec<u8> {
        (1..levels).fold(deflated(&[b"hello"]), |inner, _| deflated(&[&inner]))
    }

    #[test]
    fn an_archive_within_all_limits_has_no_excess() {
        let before = [b"MZ stub".to_vec(), deflated(&[b"hello"])].concat();
        for archive in [&deflated(&[b"hello", b"", &[7; 1 << 20]]), &nested(MAX_ARCHIVE_DEPTH), &before, &Vec::new()] {
            assert_eq!(excess(archive), None);
        }
    }

    #[test]
    fn each_limit_ends_the_unpacking() {
        let zeros = vec![0; 100 << 20];
        let inner = deflated(&[&[b"PK\x03\x04", &zeros[..33 << 20]].concat()]);
        let many = vec![&b""[..]; MAX_ENTRIES + 1];
        for (archive, expected) in [
            (deflated(&[&zeros, &zeros, &zeros]), Excess::Octets),
            (deflated(&[&deflated(&[&zeros, &zeros, &zeros])]), Excess::Octets),
            (inner, Excess::InnerOctets),
            (deflated(&many), Excess::Entries),
            (nested(MAX_ARCHIVE_DEPTH + 1), Excess::Depth),
            (nested(60), Excess::Depth),
        ] {
            assert_eq!(excess(&archive), Some(expected), "{} octets", archive.len());
        }
    }

    #[test]
    fn the_limits_hold_for_all_archives_of_a_message_together() {
        let zeros = deflated(&[&vec![0; 100 << 20]]);
        let mut unpacking = Unpacking::default();
        let found: Vec<_> = (0..3).map(|_| unpacking.excess(&zeros)).collect();
        assert_eq!(found, [None, None, Some(Excess::Octets)]);
    }

    #[test]
    fn a_damaged_archive_is_unpacked_without_a_panic() {
        let whole = deflated(&[&nested(2), b"hello hello hello"]);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            let _ = excess(&damaged);
            let _ = excess(&whole[..at]);
        }
    }
}
