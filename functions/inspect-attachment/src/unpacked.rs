//! How much an archive unpacks to, and how deep: found by unpacking it within limits, not by believing what it says.

use std::{fmt, io::Read};

use flate2::read::DeflateDecoder;

use crate::zip::{self, MAX_ENTRIES, Method};

/// Octets that all archives of an attachment may unpack to, one within the other. A mail has 40 MB.
pub const MAX_UNPACKED_OCTETS: u64 = 256 << 20;

/// Archives within archives.
pub const MAX_ARCHIVE_DEPTH: usize = 5;

/// Octets of an archive within an archive: it has to be kept to be opened.
const MAX_INNER_OCTETS: u64 = 32 << 20;

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

/// The first limit that a zip archive breaks. Damaged entries end where they are damaged.
#[must_use]
pub fn excess(archive: &[u8]) -> Option<Excess> {
    let mut unpacking = Unpacking { octets_left: MAX_UNPACKED_OCTETS };
    unpacking.visit(archive, 1).err()
}

struct Unpacking {
    octets_left: u64,
}

impl Unpacking {
    /// Recursive, and `depth` ends it.
    fn visit(&mut self, archive: &[u8], depth: usize) -> Result<(), Excess> {
        if MAX_ARCHIVE_DEPTH < depth {
            return Err(Excess::Depth);
        }
        if zip::has_too_many_entries(archive) {
            return Err(Excess::Entries);
        }
        for (method, packed) in zip::packed_entries(archive) {
            match method {
                Method::Stored if packed.starts_with(SIGNATURE) => self.visit(packed, depth + 1)?,
                Method::Deflated => self.visit_deflated(packed, depth)?,
                Method::Stored | Method::Other => {}
            }
        }
        Ok(())
    }

    fn visit_deflated(&mut self, packed: &[u8], depth: usize) -> Result<(), Excess> {
        let mut unpacked = DeflateDecoder::new(packed).take(self.octets_left.saturating_add(1));
        let mut beginning = Vec::new();
        self.take(unpacked.by_ref().take(SIGNATURE.len() as u64).read_to_end(&mut beginning).map_or(0, as_octets))?;
        if beginning != SIGNATURE {
            return self.take(std::io::copy(&mut unpacked, &mut std::io::sink()).unwrap_or(0));
        }
        let rest = unpacked.take(MAX_INNER_OCTETS).read_to_end(&mut beginning).map_or(0, as_octets);
        self.take(rest)?;
        if MAX_INNER_OCTETS <= rest {
            return Err(Excess::InnerOctets);
        }
        self.visit(&beginning, depth + 1)
    }

    fn take(&mut self, octets: u64) -> Result<(), Excess> {
        self.octets_left = self.octets_left.checked_sub(octets).ok_or(Excess::Octets)?;
        Ok(())
    }
}

fn as_octets(read: usize) -> u64 {
    u64::try_from(read).unwrap_or(u64::MAX)
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
