//! The marks in three corners of a code (ISO/IEC 18004 §6.3.3): whatever line leads through one, its runs are as 1:1:3:1:1.

use super::luma::Bits;

/// Marks of one picture; a code has three.
const MAX_MARKS: usize = 150;

/// Points of the shortest line through a mark.
const SHORTEST: usize = 7;

/// One mark, found in this many rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Points along the side of one module.
    pub(super) module: f64,
    /// Whether what it is drawn with is darker than the ground.
    pub(super) is_dark: bool,
    rows: usize,
}

/// The marks of a picture, and whether there were more than are kept.
pub(super) fn marks(bits: &Bits) -> (Vec<Mark>, bool) {
    let (mut marks, mut is_cut) = (Vec::new(), false);
    for (y, row) in bits.rows().enumerate() {
        let mut runs = [0; 5];
        let mut end = 0;
        for run in row.chunk_by(|one, next| one == next) {
            runs.rotate_left(1);
            runs[4] = run.len();
            end += run.len();
            if is_mark(&runs)
                && let Some(mark) = mark_at(bits, end, y, &runs, run.first() == Some(&true))
            {
                is_cut |= !add(mark, &mut marks);
            }
        }
    }
    marks.retain(|mark| 1 < mark.rows);
    (marks, is_cut)
}

/// Within half a module each.
fn is_mark(runs: &[usize; 5]) -> bool {
    let total: usize = runs.iter().sum();
    let fits = |run: usize, modules: usize| (run * 14).abs_diff(modules * total * 2) < modules * total;
    SHORTEST <= total
        && !runs.contains(&0)
        && runs.iter().zip([1, 1, 3, 1, 1]).all(|(run, modules)| fits(*run, modules))
}

/// What the runs that end before `end` in row `y` are part of, if the lines across say so as well.
fn mark_at(bits: &Bits, end: usize, y: usize, runs: &[usize; 5], is_dark: bool) -> Option<Mark> {
    let total: usize = runs.iter().sum();
    let x = isize::try_from(end - runs[4] - runs[3] - runs[2].div_ceil(2)).ok()?;
    let line = Line { bits, is_dark, longest: total };
    let y = isize::try_from(y).ok()?;
    let (down, height) = line.through(x, y, (0, 1))?;
    if total * 2 < height.abs_diff(total) * 5 {
        return None;
    }
    let y = y + down;
    let (right, width) = line.through(x, y, (1, 0))?;
    let x = x + right;
    line.through(x, y, (1, 1)).or_else(|| line.through(x, y, (1, -1)))?;
    let module = (width + height) as f64 / 14.0;
    Some(Mark { x: x as f64 + 0.5, y: y as f64 + 0.5, module, is_dark, rows: 1 })
}

/// Another row of a mark that is known, or a new one; whether there is room for it.
fn add(mark: Mark, marks: &mut Vec<Mark>) -> bool {
    let is_same = |known: &&mut Mark| {
        let near = |one: f64, other: f64| (one - other).abs() <= known.module * 1.5;
        known.is_dark == mark.is_dark && near(known.x, mark.x) && near(known.y, mark.y)
    };
    if let Some(known) = marks.iter_mut().find(is_same) {
        let mean = |one: f64, other: f64| (one * known.rows as f64 + other) / (known.rows + 1) as f64;
        let (x, y, module) = (mean(known.x, mark.x), mean(known.y, mark.y), mean(known.module, mark.module));
        *known = Mark { x, y, module, rows: known.rows + 1, ..*known };
        return true;
    }
    let has_room = marks.len() < MAX_MARKS;
    if has_room {
        marks.push(mark);
    }
    has_room
}

/// Lines through the middle of what may be a mark.
struct Line<'b> {
    bits: &'b Bits,
    is_dark: bool,
    /// Points of one run, at most.
    longest: usize,
}

impl Line<'_> {
    /// How far the middle is from here, in steps, and how many steps all five runs have.
    fn through(&self, x: isize, y: isize, step: (isize, isize)) -> Option<(isize, usize)> {
        let [inner, light, outer] = self.runs(x, y, step)?;
        let back = (-step.0, -step.1);
        let [inner_back, light_back, outer_back] = self.runs(x - step.0, y - step.1, back)?;
        let runs = [outer_back, light_back, inner_back + inner, light, outer];
        let middle = (isize::try_from(inner).ok()? - isize::try_from(inner_back).ok()?) / 2;
        is_mark(&runs).then(|| (middle, runs.iter().sum()))
    }

    /// The three runs from the middle outwards.
    fn runs(&self, mut x: isize, mut y: isize, step: (isize, isize)) -> Option<[usize; 3]> {
        let mut runs = [0; 3];
        for (run, is_dark) in runs.iter_mut().zip([self.is_dark, !self.is_dark, self.is_dark]) {
            while self.bits.is_dark(x, y) == is_dark && self.bits.is_inside(x, y) {
                *run += 1;
                if self.longest < *run {
                    return None;
                }
                (x, y) = (x + step.0, y + step.1);
            }
        }
        Some(runs)
    }
}
