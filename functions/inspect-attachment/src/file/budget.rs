//! How much is unpacked of all files of a message: found by unpacking within limits, not by believing what archives say.

use std::{fmt, io::Read};

/// Files that hold files, one within the other.
pub const MAX_DEPTH: usize = 4;

/// Files in all archives of a message.
pub const MAX_ENTRIES: usize = 1_000;

/// Octets that all archives of a message unpack to, one within the other.
pub const MAX_UNPACKED_OCTETS: u64 = 50 << 20;

/// How many times its packed size a file may have. Only that of files that unpack to more than [`RATIO_COUNTS_FROM`]
/// octets counts: a white page packs a thousandfold.
pub const MAX_RATIO: u64 = 100;

/// See [`MAX_RATIO`].
pub const RATIO_COUNTS_FROM: u64 = 10 << 20;

/// Octets of streams that are only measured, packed and unpacked, and of which nothing is kept.
pub const MAX_MEASURED_OCTETS: u64 = 400 << 20;

/// Octets of a file that are looked at again, because other places in it refer to them.
pub const MAX_REREAD_OCTETS: u64 = 32 << 20;

/// Points of one picture.
pub const MAX_PICTURE: usize = 16 << 20;

/// Points of all pictures of a message.
pub const MAX_PICTURES: usize = 40 << 20;

/// What a picture counts for at least.
const LEAST_PICTURE: usize = 10_000;

/// Octets that are unpacked at once.
const PIECE: usize = 64 * 1024;

/// The limit at which unpacking was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Octets,
    Measured,
    Entries,
    Depth,
    Ratio,
    /// Of a document.
    Objects,
    /// That an XML document declares.
    Entities,
    /// Of a packed file.
    Streams,
    /// What refers to it is read again and again.
    Rereading,
    /// Of one picture.
    Picture,
    /// Of all pictures.
    Pictures,
    /// Of what looks like codes in one picture.
    Codes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Octets => write!(f, "unpacks to more than {} MB", MAX_UNPACKED_OCTETS >> 20),
            Self::Measured => write!(f, "has streams of more than {} MB", MAX_MEASURED_OCTETS >> 20),
            Self::Entries => write!(f, "holds more than {MAX_ENTRIES} files"),
            Self::Depth => write!(f, "holds archives within archives deeper than {MAX_DEPTH}"),
            Self::Ratio => write!(f, "unpacks to more than {MAX_RATIO} times its size"),
            Self::Streams => write!(f, "is packed in more streams than are looked at"),
            Self::Entities => write!(f, "declares more entities, or deeper ones, than are looked at"),
            Self::Rereading => {
                write!(f, "refers to the same again and again, by more than {} MB", MAX_REREAD_OCTETS >> 20)
            }
            Self::Picture => write!(f, "has more than {} million points", MAX_PICTURE >> 20),
            Self::Pictures => write!(f, "and those before it have more than {} million points", MAX_PICTURES >> 20),
            Self::Codes => write!(f, "has more that looks like codes than is looked at"),
            Self::Objects => write!(f, "has more objects than are looked at"),
        }
    }
}

/// What is left of the limits for all files of a message.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    octets_left: u64,
    measured_left: u64,
    entries_left: usize,
    points_left: usize,
    picture_octets_left: u64,
    reread_left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            octets_left: MAX_UNPACKED_OCTETS,
            measured_left: MAX_MEASURED_OCTETS,
            entries_left: MAX_ENTRIES,
            points_left: MAX_PICTURES,
            picture_octets_left: MAX_UNPACKED_OCTETS,
            reread_left: MAX_REREAD_OCTETS,
        }
    }
}

impl Budget {
    /// Counts one more file of an archive.
    ///
    /// # Errors
    /// [`Limit::Entries`].
    pub fn take_entry(&mut self) -> Result<(), Limit> {
        self.entries_left = self.entries_left.checked_sub(1).ok_or(Limit::Entries)?;
        Ok(())
    }

    /// Counts one picture, before it is unpacked.
    ///
    /// # Errors
    /// [`Limit::Picture`] or [`Limit::Pictures`].
    pub fn take_picture(&mut self, width: usize, height: usize) -> Result<(), Limit> {
        let points = width.checked_mul(height).filter(|points| *points <= MAX_PICTURE).ok_or(Limit::Picture)?;
        self.points_left = self.points_left.checked_sub(points.max(LEAST_PICTURE)).ok_or(Limit::Pictures)?;
        Ok(())
    }

    /// Unpacks a picture of a document, whose octets count by themselves: photographs make no bomb, and are let go of one by one.
    ///
    /// # Errors
    /// Those of `unpack`.
    pub fn of_picture<T>(&mut self, unpack: impl FnOnce(&mut Self) -> Result<T, Limit>) -> Result<T, Limit> {
        std::mem::swap(&mut self.octets_left, &mut self.picture_octets_left);
        let unpacked = unpack(self);
        std::mem::swap(&mut self.octets_left, &mut self.picture_octets_left);
        unpacked
    }

    /// Counts octets that are looked at because something refers to them: many may refer to the same.
    ///
    /// # Errors
    /// [`Limit::Rereading`].
    pub fn take_reread(&mut self, octets: usize) -> Result<(), Limit> {
        self.reread_left = self.reread_left.checked_sub(octets as u64).ok_or(Limit::Rereading)?;
        Ok(())
    }

    /// Counts octets that are kept.
    ///
    /// # Errors
    /// [`Limit::Octets`].
    pub fn take_octets(&mut self, octets: usize) -> Result<(), Limit> {
        self.octets_left = self.octets_left.checked_sub(octets as u64).ok_or(Limit::Octets)?;
        Ok(())
    }

    /// Reads `unpacking` to its end, or to where it is damaged: what came out before counts as well. `packed` is the number of
    /// octets that it reads from.
    ///
    /// # Errors
    /// [`Limit::Octets`] or [`Limit::Ratio`].
    pub fn unpack(&mut self, packed: usize, unpacking: impl Read) -> Result<Vec<u8>, Limit> {
        let mut unpacked = Vec::new();
        pieces(packed, unpacking, |piece| {
            self.take_octets(piece.len())?;
            unpacked.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(unpacked)
    }

    /// As [`Self::unpack`], for what nobody looks into: only a bomb is noticed.
    ///
    /// # Errors
    /// [`Limit::Measured`] or [`Limit::Ratio`].
    pub fn measure(&mut self, packed: usize, unpacking: impl Read) -> Result<(), Limit> {
        self.take_measured(packed)?;
        pieces(packed, unpacking, |piece| self.take_measured(piece.len()))
    }

    /// As [`Self::measure`], with a look at each piece.
    ///
    /// # Errors
    /// [`Limit::Measured`] or [`Limit::Ratio`].
    pub fn scan(&mut self, packed: usize, unpacking: impl Read, mut look: impl FnMut(&[u8])) -> Result<(), Limit> {
        self.take_measured(packed)?;
        pieces(packed, unpacking, |piece| {
            look(piece);
            self.take_measured(piece.len())
        })
    }

    /// Counts octets that are read: those that go in as well, as nothing need come out of them, and streams may share them.
    fn take_measured(&mut self, octets: usize) -> Result<(), Limit> {
        self.measured_left = self.measured_left.checked_sub(octets as u64).ok_or(Limit::Measured)?;
        Ok(())
    }
}

/// Whether so many octets out of so few are a bomb.
#[must_use]
pub fn is_excessive(packed: u64, unpacked: u64) -> bool {
    RATIO_COUNTS_FROM < unpacked && packed.saturating_mul(MAX_RATIO) < unpacked
}

fn pieces(
    packed: usize,
    mut unpacking: impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), Limit>,
) -> Result<(), Limit> {
    let (mut piece, mut total) = (vec![0; PIECE], 0_u64);
    while let Ok(read @ 1..) = unpacking.read(&mut piece) {
        take(piece.get(..read).unwrap_or_default())?;
        total += read as u64;
        if is_excessive(packed as u64, total) {
            return Err(Limit::Ratio);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::repeat;

    #[test]
    fn each_limit_ends_the_reading() {
        for (packed, octets, expected) in [
            (1, RATIO_COUNTS_FROM, Ok(RATIO_COUNTS_FROM)),
            (1, RATIO_COUNTS_FROM + 1, Err(Limit::Ratio)),
            (1 << 20, MAX_UNPACKED_OCTETS, Ok(MAX_UNPACKED_OCTETS)),
            (1 << 20, MAX_UNPACKED_OCTETS + 1, Err(Limit::Octets)),
        ] {
            let unpacked = Budget::default().unpack(packed, repeat(0).take(octets)).map(|octets| octets.len() as u64);
            assert_eq!(unpacked, expected, "{octets} octets from {packed}");
        }
        const PACKED: usize = 50 << 20;
        let most = MAX_MEASURED_OCTETS - PACKED as u64;
        for (octets, expected) in [(most, Ok(())), (most + 1, Err(Limit::Measured)), (1 << 40, Err(Limit::Measured))] {
            assert_eq!(Budget::default().measure(PACKED, repeat(0).take(octets)), expected, "{octets} octets");
        }
    }

    #[test]
    fn a_budget_is_for_everything_together() {
        let mut budget = Budget::default();
        let half = MAX_UNPACKED_OCTETS / 2;
        let found: Vec<_> =
            (0..3).map(|_| budget.unpack(1 << 20, repeat(0).take(half)).map(|octets| octets.len() as u64)).collect();
        assert_eq!(found, [Ok(half), Ok(half), Err(Limit::Octets)]);
        let entries = (0..=MAX_ENTRIES).map(|_| budget.take_entry()).filter(Result::is_err).count();
        assert_eq!(entries, 1);
    }
}
