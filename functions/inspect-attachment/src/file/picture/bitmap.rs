//! Bitmaps of Windows ([MS-WMF] §2.2.2.9), as far as they are not packed.

use super::{decode::light_of, luma::Luma};
use crate::file::octets::{slice, u16_at, usize_at};

/// A file header and the shortest header of a bitmap that has all of what is read here.
const HEADERS: usize = 14 + 40;

/// A bitmap whose rows are plain.
#[derive(Debug)]
pub(super) struct Bitmap<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    is_top_down: bool,
    bits: usize,
    /// Blue, green, red and nothing for each.
    palette: &'a [u8],
    rows: &'a [u8],
}

/// Two letters can begin a text.
pub(super) fn is_bitmap(octets: &[u8]) -> bool {
    octets.starts_with(b"BM") && octets.get(6..10) == Some(&[0; 4]) && Bitmap::parse(octets).is_some()
}

impl<'a> Bitmap<'a> {
    pub(super) fn parse(octets: &'a [u8]) -> Option<Self> {
        const PLAIN: usize = 0;
        const MASKS: usize = 3;
        let (rows_at, header) = (usize_at(octets, 10)?, usize_at(octets, 14)?);
        let (width, height) = (usize_at(octets, 18)?, i32::from_le_bytes(slice(octets, 22, 4)?.try_into().ok()?));
        let (bits, packing) = (usize::from(u16_at(octets, 28)?), usize_at(octets, 30)?);
        let is_plain = packing == PLAIN && matches!(bits, 1 | 4 | 8 | 24 | 32) || packing == MASKS && bits == 32;
        if !is_plain || !(40..=124).contains(&header) || octets.len() < HEADERS {
            return None;
        }
        let palette = octets.get(14 + header..rows_at.max(14 + header)).unwrap_or_default();
        let height_of = usize::try_from(height.unsigned_abs()).ok()?;
        let rows = octets.get(rows_at..)?;
        Some(Self { width, height: height_of, is_top_down: height < 0, bits, palette, rows })
    }

    /// What is missing is white. The size is to be checked before.
    pub(super) fn luma(&self) -> Luma {
        let row = (self.width * self.bits).div_ceil(32) * 4;
        let mut rows: Vec<Vec<u8>> = self.rows.chunks(row.max(1)).take(self.height).map(|row| self.row(row)).collect();
        if !self.is_top_down {
            rows.resize(self.height, Vec::new());
            rows.reverse();
        }
        let mut light = Vec::with_capacity(self.width * self.height);
        for mut row in rows {
            row.resize(self.width, u8::MAX);
            light.extend(row);
        }
        Luma::new(self.width, self.height, light)
    }

    fn row(&self, octets: &[u8]) -> Vec<u8> {
        match self.bits {
            24 | 32 => octets.chunks_exact(self.bits / 8).map(light_of_bgr).collect(),
            bits => (0..self.width).filter_map(|at| Some(self.of_palette(sample(octets, bits, at)?))).collect(),
        }
    }

    fn of_palette(&self, number: u8) -> u8 {
        slice(self.palette, usize::from(number) * 4, 3).map_or(u8::MAX, light_of_bgr)
    }
}

fn light_of_bgr(pixel: &[u8]) -> u8 {
    match *pixel {
        [blue, green, red, ..] => light_of(red, green, blue),
        _ => u8::MAX,
    }
}

/// The sample of 1, 2, 4 or 8 bits at a place of a row, the first in the highest bits.
pub(super) fn sample(row: &[u8], bits: usize, at: usize) -> Option<u8> {
    let octet = row.get(at * bits / 8)?;
    let shift = 8 - bits - at * bits % 8;
    Some(octet >> shift & u8::MAX >> (8 - bits))
}
