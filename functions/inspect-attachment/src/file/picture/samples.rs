//! Pictures as plain samples, row by row, as documents have them.

use super::{bitmap::sample, decode::light_of, luma::Luma};

/// Samples of 1, 2, 4, 8 or 16 bits; each row begins with a new octet.
#[derive(Debug)]
pub(crate) struct Samples<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) bits: usize,
    pub(crate) octets: &'a [u8],
    /// Red, green and blue of each number, where samples are numbers of colours.
    pub(crate) palette: Option<&'a [u8]>,
}

impl Samples<'_> {
    /// How many samples a point has, the octets tell. The size is to be checked before.
    pub(crate) fn luma(&self) -> Option<Luma> {
        let row = self.octets.len() / self.height.max(1);
        let colours = (row * 8).checked_div(self.width * self.bits)?;
        if !matches!(self.bits, 1 | 2 | 4 | 8 | 16) || colours == 0 {
            return None;
        }
        let colours = if self.palette.is_some() { 1 } else { colours.min(4) };
        let length = (self.width * self.bits * colours).div_ceil(8);
        let rows = self.octets.chunks(length).take(self.height);
        let light = rows.flat_map(|row| (0..self.width).map(move |at| self.light(row, at, colours).unwrap_or(u8::MAX)));
        Some(Luma::new(self.width, self.height, light.collect()))
    }

    fn light(&self, row: &[u8], at: usize, colours: usize) -> Option<u8> {
        let value = |colour: usize| self.value(row, at * colours + colour);
        if let Some(palette) = self.palette {
            let first = usize::from(value(0)?) * 3;
            return match *palette.get(first..first + 3)? {
                [red, green, blue] => Some(light_of(red, green, blue)),
                _ => None,
            };
        }
        Some(match colours {
            1 | 2 => self.scaled(value(0)?),
            3 => light_of(self.scaled(value(0)?), self.scaled(value(1)?), self.scaled(value(2)?)),
            _ => {
                let ink = light_of(self.scaled(value(0)?), self.scaled(value(1)?), self.scaled(value(2)?));
                u8::MAX - ink.saturating_add(self.scaled(value(3)?))
            }
        })
    }

    /// Of 16 bits the upper eight.
    fn value(&self, row: &[u8], at: usize) -> Option<u8> {
        if self.bits == 16 { row.get(at * 2).copied() } else { sample(row, self.bits, at) }
    }

    fn scaled(&self, value: u8) -> u8 {
        let most = u8::MAX >> 8_usize.saturating_sub(self.bits);
        u8::try_from(usize::from(value) * 255 / usize::from(most.max(1))).unwrap_or(u8::MAX)
    }
}
