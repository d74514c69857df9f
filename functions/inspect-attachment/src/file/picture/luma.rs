//! How light a picture is at each of its points, and which of them count as dark.

use std::borrow::Cow;

/// Points along a side of the squares whose light is compared.
const BLOCK: usize = 8;

/// A square whose points differ by less has no edge in it.
const LEAST_CONTRAST: u8 = 24;

/// Pictures of fewer points along both sides may draw a module of a code with a single one.
const SMALL: usize = 160;

/// Light of one picture, row by row: 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Luma {
    width: usize,
    height: usize,
    light: Vec<u8>,
}

/// Which points are dark, row by row.
#[derive(Debug)]
pub(super) struct Bits {
    pub(super) width: usize,
    dark: Vec<bool>,
}

impl Luma {
    /// What is missing of a picture that was cut off is white.
    pub(crate) fn new(width: usize, height: usize, mut light: Vec<u8>) -> Self {
        light.resize(width.saturating_mul(height), u8::MAX);
        Self { width, height, light }
    }

    /// At most so many points, each the mean of a square.
    pub(super) fn within(&self, most: usize) -> Cow<'_, Self> {
        let mut by = 1;
        while most < (self.width / by) * (self.height / by) {
            by += 1;
        }
        if by == 1 { Cow::Borrowed(self) } else { Cow::Owned(self.reduced(by)) }
    }

    pub(super) fn points(&self) -> usize {
        self.light.len()
    }

    pub(super) fn halved(&self) -> Option<Self> {
        (SMALL < self.width.min(self.height)).then(|| self.reduced(2))
    }

    fn reduced(&self, by: usize) -> Self {
        let (width, height) = (self.width / by, self.height / by);
        let mut light = Vec::with_capacity(width * height);
        let mut sums = vec![0_usize; width];
        for band in self.light.chunks_exact(self.width * by) {
            sums.fill(0);
            for row in band.chunks_exact(self.width) {
                for (sum, points) in sums.iter_mut().zip(row.chunks_exact(by)) {
                    *sum += points.iter().map(|point| usize::from(*point)).sum::<usize>();
                }
            }
            light.extend(sums.iter().map(|sum| u8::try_from(sum / (by * by)).unwrap_or(u8::MAX)));
        }
        Self::new(width, height, light)
    }

    /// Small pictures with each point as a square.
    pub(super) fn enlarged(&self) -> Cow<'_, Self> {
        const BY: usize = 4;
        if SMALL < self.width.max(self.height) {
            return Cow::Borrowed(self);
        }
        let row = |row: &[u8]| -> Vec<u8> { row.iter().flat_map(|point| [*point; BY]).collect() };
        let light = self.light.chunks_exact(self.width.max(1)).flat_map(|points| row(points).repeat(BY)).collect();
        Cow::Owned(Self::new(self.width * BY, self.height * BY, light))
    }

    /// Compared with all of the picture.
    pub(super) fn dark_of_all(&self) -> Bits {
        let (least, most) = range(self.light.iter().copied());
        let middle = least.midpoint(most);
        Bits { width: self.width, dark: self.light.iter().map(|light| *light <= middle).collect() }
    }

    /// Compared with what is near: light may fall unevenly.
    pub(super) fn dark_of_near(&self) -> Bits {
        let columns = self.width.div_ceil(BLOCK).max(1);
        let thresholds = self.thresholds(columns);
        let mut dark = Vec::with_capacity(self.light.len());
        for (band, thresholds) in self.light.chunks(self.width.max(1) * BLOCK).zip(thresholds.chunks(columns)) {
            for row in band.chunks(self.width.max(1)) {
                for (points, threshold) in row.chunks(BLOCK).zip(thresholds) {
                    dark.extend(points.iter().map(|light| light <= threshold));
                }
            }
        }
        Bits { width: self.width, dark }
    }

    /// Of each square, the mean of the levels of those around it.
    fn thresholds(&self, columns: usize) -> Vec<u8> {
        let levels = self.levels(columns);
        let rows: Vec<&[u8]> = levels.chunks(columns).collect();
        let mut thresholds = Vec::with_capacity(levels.len());
        for row in 0..rows.len() {
            let near = rows.get(row.saturating_sub(2)..rows.len().min(row + 3)).unwrap_or_default();
            for column in 0..columns {
                let places = column.saturating_sub(2)..columns.min(column + 3);
                let values = near.iter().flat_map(|row| row.get(places.clone()).unwrap_or_default());
                let (sum, count) = values.fold((0, 0), |(sum, count), level| (sum + usize::from(*level), count + 1));
                thresholds.push(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
            }
        }
        thresholds
    }

    /// Of each square, the light between what is dark and what is light in it. One without an edge is taken for light, unless its
    /// neighbours say that it is the inside of something dark.
    fn levels(&self, columns: usize) -> Vec<u8> {
        let mut levels: Vec<u8> = Vec::new();
        for band in self.light.chunks(self.width.max(1) * BLOCK) {
            for column in 0..columns {
                let places = column * BLOCK..self.width.min((column + 1) * BLOCK);
                let points = || {
                    let rows = band.chunks(self.width.max(1));
                    rows.flat_map(|row| row.get(places.clone()).unwrap_or_default()).copied()
                };
                let (least, most) = range(points());
                let level = if LEAST_CONTRAST < most.saturating_sub(least) {
                    let (sum, count) =
                        points().fold((0, 0), |(sum, count), light| (sum + usize::from(light), count + 1));
                    u8::try_from(sum / usize::max(count, 1)).unwrap_or(u8::MAX)
                } else {
                    let known = |back: usize| levels.len().checked_sub(back).and_then(|at| levels.get(at)).copied();
                    let around = match (column, known(columns), known(1), known(columns + 1)) {
                        (1.., Some(above), Some(left), Some(corner)) => {
                            (u16::from(above) + 2 * u16::from(left) + u16::from(corner)) / 4
                        }
                        _ => 0,
                    };
                    let around = u8::try_from(around).unwrap_or(u8::MAX);
                    if least < around { around } else { least / 2 }
                };
                levels.push(level);
            }
        }
        levels
    }
}

impl Bits {
    /// Whether a point is dark. What is outside is light.
    pub(super) fn is_dark(&self, x: isize, y: isize) -> bool {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return false };
        x < self.width && self.dark.get(y * self.width + x).copied().unwrap_or_default()
    }

    pub(super) fn is_inside(&self, x: isize, y: isize) -> bool {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return false };
        x < self.width && y * self.width < self.dark.len()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.dark.chunks(self.width.max(1))
    }
}

fn range(points: impl Iterator<Item = u8>) -> (u8, u8) {
    points.fold((u8::MAX, 0), |(least, most), point| (least.min(point), most.max(point)))
}
