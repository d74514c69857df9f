//! How a flat thing is seen from a side: four of its points and where they are in the picture tell of all others.

pub(super) type Point = (f64, f64);

/// A projective map of the plane, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Perspective([f64; 9]);

impl Perspective {
    /// The map that leads each of four points to its own in `to`. In either list no three lie in a line.
    pub(super) fn between(from: [Point; 4], to: [Point; 4]) -> Self {
        Self(product(of_unit_square(to), adjugate(of_unit_square(from))))
    }

    pub(super) fn map(&self, (x, y): Point) -> Point {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        let depth = g * x + h * y + i;
        ((a * x + b * y + c) / depth, (d * x + e * y + f) / depth)
    }
}

/// From (0, 0), (1, 0), (1, 1) and (0, 1).
fn of_unit_square([(x0, y0), (x1, y1), (x2, y2), (x3, y3)]: [Point; 4]) -> [f64; 9] {
    let (dx3, dy3) = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3);
    let (dx1, dx2, dy1, dy2) = (x1 - x2, x3 - x2, y1 - y2, y3 - y2);
    let area = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((dx3 * dy2 - dx2 * dy3) / area, (dx1 * dy3 - dx3 * dy1) / area);
    [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h, 1.0]
}

/// The inverse but for a factor, which a projective map does not have.
fn adjugate([a, b, c, d, e, f, g, h, i]: [f64; 9]) -> [f64; 9] {
    [
        e * i - f * h,
        c * h - b * i,
        b * f - c * e,
        f * g - d * i,
        a * i - c * g,
        c * d - a * f,
        d * h - e * g,
        b * g - a * h,
        a * e - b * d,
    ]
}

fn product(one: [f64; 9], other: [f64; 9]) -> [f64; 9] {
    let [a, b, c, d, e, f, g, h, i] = one;
    let [j, k, l, m, n, o, p, q, r] = other;
    [
        a * j + b * m + c * p,
        a * k + b * n + c * q,
        a * l + b * o + c * r,
        d * j + e * m + f * p,
        d * k + e * n + f * q,
        d * l + e * o + f * r,
        g * j + h * m + i * p,
        g * k + h * n + i * q,
        g * l + h * o + i * r,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_points_are_led_to_their_own_and_the_middle_to_where_diagonals_cross() {
        let from = [(1.0, 1.0), (5.0, 1.0), (5.0, 5.0), (1.0, 5.0)];
        let to = [(0.0, 0.0), (10.0, 0.0), (8.0, 6.0), (2.0, 6.0)];
        let map = Perspective::between(from, to);
        let is_near = |(x, y): Point, (u, v): Point| (x - u).abs() < 1e-9 && (y - v).abs() < 1e-9;
        for (one, other) in from.into_iter().zip(to) {
            assert!(is_near(map.map(one), other), "{one:?}: {:?}", map.map(one));
        }
        assert!(is_near(map.map((3.0, 3.0)), (5.0, 3.75)), "{:?}", map.map((3.0, 3.0)));
    }
}
