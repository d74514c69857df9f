//! QR codes (ISO/IEC 18004) in a picture: three marks at the corners of a square, and what the modules between them say.

use rqrr::{Grid, SimpleGrid};

use super::{
    luma::{Bits, Luma},
    marks::{Mark, marks},
    perspective::{Perspective, Point},
};

/// Points in which codes are looked for first: a larger picture is made smaller before.
const MOST_POINTS: usize = 4 << 20;

/// Points up to which a picture is compared with all of itself as well.
const FEW_POINTS: usize = 1 << 20;

/// Three marks that may belong together, of one picture.
const MAX_TRIPLES: usize = 20_000;

/// Squares whose modules are read, of one picture.
const MAX_SQUARES: usize = 60;

/// Modules along a side, of the smallest and the largest code.
const SIDES: (usize, usize) = (21, 177);

/// What the codes of one picture say.
#[derive(Debug, Default)]
pub(super) struct Codes {
    pub(super) texts: Vec<String>,
    /// There is more that looks like codes than is looked at.
    pub(super) is_cut: bool,
}

/// Three corners of a square, the second and the third across from each other.
#[derive(Debug, Clone, Copy)]
struct Corners([Mark; 3]);

impl Codes {
    /// At several sizes: what is drawn with dots or with noise has an outline from further away only.
    pub(super) fn of(picture: &Luma) -> Self {
        let mut codes = Self::default();
        let mut picture = picture.within(MOST_POINTS).enlarged().into_owned();
        loop {
            codes.read(&picture.dark_of_near());
            if picture.points() <= FEW_POINTS {
                codes.read(&picture.dark_of_all());
            }
            match picture.halved() {
                Some(smaller) => picture = smaller,
                None => return codes,
            }
        }
    }

    fn read(&mut self, bits: &Bits) {
        let (marks, is_cut) = marks(bits);
        self.is_cut |= is_cut;
        let (triples, is_cut) = triples(&marks);
        self.is_cut |= is_cut;
        let (mut used, mut squares): (Vec<Mark>, usize) = (Vec::new(), 0);
        for corners in triples {
            if corners.0.iter().any(|mark| used.contains(mark)) {
                continue;
            }
            for side in corners.sides().into_iter().filter(|side| corners.has_timing(bits, *side)) {
                if MAX_SQUARES <= squares {
                    self.is_cut = true;
                    return;
                }
                squares += 1;
                if let Some(text) = corners.text(bits, side) {
                    used.extend(corners.0);
                    if !self.texts.contains(&text) {
                        self.texts.push(text);
                    }
                    break;
                }
            }
        }
    }
}

/// Marks that are the corners of one square, small squares first: larger ones may be made of the corners of several.
fn triples(marks: &[Mark]) -> (Vec<Corners>, bool) {
    let mut found: Vec<(f64, Corners)> = Vec::new();
    for (at, one) in marks.iter().enumerate() {
        for (next, other) in marks.iter().enumerate().skip(at + 1).filter(|(_, other)| is_alike(one, other)) {
            let thirds = marks.iter().skip(next + 1).filter(|third| is_alike(one, third) && is_alike(other, third));
            for third in thirds {
                if MAX_TRIPLES <= found.len() {
                    return (sorted(found), true);
                }
                found.extend(Corners::of([*one, *other, *third]));
            }
        }
    }
    (sorted(found), false)
}

fn sorted(mut found: Vec<(f64, Corners)>) -> Vec<Corners> {
    found.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    found.into_iter().map(|(_, corners)| corners).collect()
}

fn is_alike(one: &Mark, other: &Mark) -> bool {
    one.is_dark == other.is_dark && one.module < other.module * 1.6 && other.module < one.module * 1.6
}

fn distance(one: &Mark, other: &Mark) -> f64 {
    (one.x - other.x).hypot(one.y - other.y)
}

impl Corners {
    /// With the length of a side, if the marks stand as they have to: a right angle, and two sides of one length.
    fn of([a, b, c]: [Mark; 3]) -> Option<(f64, Self)> {
        let (ab, bc, ca) = (distance(&a, &b), distance(&b, &c), distance(&c, &a));
        let ([corner, one, other], long, [short, side]) = if ab >= bc && ab >= ca {
            ([c, a, b], ab, [ca, bc])
        } else if bc >= ca {
            ([a, b, c], bc, [ab, ca])
        } else {
            ([b, c, a], ca, [bc, ab])
        };
        let (sum, square) = (short * short + side * side, long * long);
        let is_square = short < side * 1.4 && side < short * 1.4 && sum < square * 1.35 && square < sum * 1.35;
        let modules = (short + side) / (corner.module + one.module + other.module) * 1.5;
        // What runs across a mark at an angle is longer than its side, by 1.42 at most.
        if !is_square || !(8.0..200.0).contains(&modules) {
            return None;
        }
        let is_clockwise = 0.0 < (one.x - corner.x) * (other.y - corner.y) - (one.y - corner.y) * (other.x - corner.x);
        let corners = if is_clockwise { [corner, one, other] } else { [corner, other, one] };
        Some((short + side, Self(corners)))
    }

    /// How many modules a side may have, the likeliest first. A line across a mark at an angle is longer than the mark is wide.
    fn sides(&self) -> Vec<usize> {
        let [corner, right, below] = &self.0;
        let along = |one: &Mark, other: &Mark| {
            let (dx, dy) = ((one.x - other.x).abs(), (one.y - other.y).abs());
            distance(one, other) / (one.module.midpoint(other.module) * dx.max(dy) / dx.hypot(dy))
        };
        let modules = along(corner, right).midpoint(along(corner, below)) + 7.0;
        let (least, most) = SIDES;
        let mut sides: Vec<usize> = (least..=most).step_by(4).collect();
        let off = |side: &usize| (*side as f64 - modules).abs();
        sides.retain(|side| off(side) < 4.0 + modules / 6.0);
        sides.sort_by(|one, other| off(one).total_cmp(&off(other)));
        sides
    }

    fn points(&self) -> [Point; 3] {
        self.0.map(|mark| (mark.x, mark.y))
    }

    /// The map from modules to points, as if the picture were taken from straight above.
    fn flat(&self, side: usize) -> Perspective {
        let [corner, right, below] = self.points();
        let across = (right.0 + below.0 - corner.0, right.1 + below.1 - corner.1);
        Perspective::between(square(side, 3.5), [corner, right, across, below])
    }

    /// Between the marks the modules are dark and light in turn (§6.3.5).
    fn has_timing(&self, bits: &Bits, side: usize) -> bool {
        let map = self.flat(side);
        let is_set = |x: usize, y: usize| self.is_set(bits, &map, x as f64 + 0.5, y as f64 + 0.5);
        let right =
            (8..side - 8).filter(|at| [(*at, 6), (6, *at)].into_iter().all(|(x, y)| is_set(x, y) == (at % 2 == 0)));
        (side - 16) * 6 <= right.count() * 10
    }

    fn is_set(&self, bits: &Bits, map: &Perspective, x: f64, y: f64) -> bool {
        let (x, y) = map.map((x, y));
        let [mark, ..] = &self.0;
        bits.is_dark(x.floor() as isize, y.floor() as isize) == mark.is_dark
    }

    fn text(&self, bits: &Bits, side: usize) -> Option<String> {
        let flat = self.flat(side);
        let seen = self.alignment(bits, &flat, side).map(|across| {
            let [corner, right, below] = self.points();
            let mut from = square(side, 3.5);
            from[2] = (side as f64 - 6.5, side as f64 - 6.5);
            Perspective::between(from, [corner, right, across, below])
        });
        seen.into_iter().chain([flat]).find_map(|map| self.decoded(bits, &map, side))
    }

    /// Where the mark near the fourth corner is (§6.3.6), which only the smallest codes do not have.
    fn alignment(&self, bits: &Bits, flat: &Perspective, side: usize) -> Option<Point> {
        const REACH: i32 = 8;
        if side == SIDES.0 {
            return None;
        }
        let middle = side as f64 - 6.5;
        let places = (-REACH..=REACH).flat_map(|y| (-REACH..=REACH).map(move |x| (x, y)));
        let fit = |(right, down): (i32, i32)| {
            let (x, y) = (middle + f64::from(right) / 2.0, middle + f64::from(down) / 2.0);
            let modules = (-2..=2).flat_map(|y| (-2..=2).map(move |x| (x, y)));
            let is_right = |(u, v): &(i32, i32)| {
                let is_ring = u.abs().max(v.abs()) == 1;
                self.is_set(bits, flat, x + f64::from(*u), y + f64::from(*v)) != is_ring
            };
            (modules.filter(is_right).count(), std::cmp::Reverse(right * right + down * down), (x, y))
        };
        let (right, _, place) = places.map(fit).max_by_key(|(right, far, _)| (*right, *far))?;
        (23 <= right).then(|| flat.map(place))
    }

    fn decoded(&self, bits: &Bits, map: &Perspective, side: usize) -> Option<String> {
        const AROUND: [Point; 5] = [(0.5, 0.5), (0.3, 0.5), (0.7, 0.5), (0.5, 0.3), (0.5, 0.7)];
        let is_set = |x: usize, y: usize| {
            let set = AROUND.iter().filter(|(dx, dy)| self.is_set(bits, map, x as f64 + dx, y as f64 + dy));
            AROUND.len() < 2 * set.count()
        };
        let mut text = Vec::new();
        Grid::new(SimpleGrid::from_func(side, is_set)).decode_to(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The corners of a square of modules, so far within.
fn square(side: usize, within: f64) -> [Point; 4] {
    let far = side as f64 - within;
    [(within, within), (far, within), (far, far), (within, far)]
}
