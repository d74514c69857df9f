//! How easily one word is typed for another.

/// A slip that fingers make by themselves: a key beside the right one, a letter doubled or left single, two swapped.
pub(super) const CHEAP: u32 = 1;

/// Any other wrong, missing or additional letter.
pub(super) const COSTLY: u32 = 2;

/// Longer words are nobody's misspelling; the bound keeps the comparison on the stack.
const MAX_WORD_OCTETS: usize = 16;

/// The rows of a QWERTY keyboard, each shifted by half a key against the one above.
const ROWS: [&[u8]; 4] = [b"1234567890-", b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];

/// The cost of the cheapest way to type `typed` for `meant` by mistake: optimal string alignment, weighted. Saturates for
/// words beyond 16 octets.
pub(crate) fn slip_cost(typed: &str, meant: &str) -> u32 {
    let (typed, meant) = (typed.as_bytes(), meant.as_bytes());
    if MAX_WORD_OCTETS < typed.len() || MAX_WORD_OCTETS < meant.len() {
        return u32::MAX;
    }
    let (mut before, mut above) = ([0; MAX_WORD_OCTETS + 1], [0; MAX_WORD_OCTETS + 1]);
    fill(&mut above, 0, meant, |cost, column| cost + missing(meant, column));
    for row in 0..typed.len() {
        let mut current = [0; MAX_WORD_OCTETS + 1];
        fill(&mut current, at(&above, 0) + additional(typed, row), meant, |left, column| {
            let replaced = at(&above, column) + replacement(octet(typed, row), octet(meant, column));
            let added = at(&above, column + 1) + additional(typed, row);
            let swapped = if is_swap(typed, row, meant, column) { at(&before, column - 1) + CHEAP } else { u32::MAX };
            replaced.min(added).min(left + missing(meant, column)).min(swapped)
        });
        (before, above) = (above, current);
    }
    at(&above, meant.len())
}

/// One line of the table: its first cell, and each next one from the cell on its left and its column.
fn fill(line: &mut [u32; MAX_WORD_OCTETS + 1], first: u32, meant: &[u8], next: impl Fn(u32, usize) -> u32) {
    let mut cost = first;
    for (column, cell) in line.iter_mut().enumerate().take(meant.len() + 1) {
        if 0 < column {
            cost = next(cost, column - 1);
        }
        *cell = cost;
    }
}

fn at(line: &[u32; MAX_WORD_OCTETS + 1], column: usize) -> u32 {
    line.get(column).copied().unwrap_or(u32::MAX / 2)
}

fn octet(word: &[u8], place: usize) -> u8 {
    word.get(place).copied().unwrap_or_default()
}

fn is_doubled(word: &[u8], place: usize) -> bool {
    0 < place && octet(word, place) == octet(word, place - 1)
}

fn additional(typed: &[u8], row: usize) -> u32 {
    if is_doubled(typed, row) { CHEAP } else { COSTLY }
}

fn missing(meant: &[u8], column: usize) -> u32 {
    if is_doubled(meant, column) { CHEAP } else { COSTLY }
}

fn replacement(typed: u8, meant: u8) -> u32 {
    if typed == meant {
        0
    } else if are_neighbours(typed, meant) {
        CHEAP
    } else {
        COSTLY
    }
}

fn is_swap(typed: &[u8], row: usize, meant: &[u8], column: usize) -> bool {
    0 < row
        && 0 < column
        && octet(typed, row) == octet(meant, column - 1)
        && octet(typed, row - 1) == octet(meant, column)
}

fn are_neighbours(one: u8, other: u8) -> bool {
    let (Some((row, column)), Some((other_row, other_column))) = (key(one), key(other)) else { return false };
    match row.abs_diff(other_row) {
        0 => column.abs_diff(other_column) == 1,
        // The lower row is shifted to the right: each of its keys touches the one above and that one's right neighbour.
        1 => {
            let (upper, lower) = if row < other_row { (column, other_column) } else { (other_column, column) };
            upper == lower || upper == lower + 1
        }
        _ => false,
    }
}

fn key(octet: u8) -> Option<(usize, usize)> {
    let column = |keys: &&[u8]| keys.iter().position(|&key| key == octet);
    ROWS.iter().enumerate().find_map(|(row, keys)| column(keys).map(|column| (row, column)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers_cost_less_than_other_mistakes() {
        for (typed, meant, expected) in [
            ("gmail", "gmail", 0),
            ("gmial", "gmail", CHEAP),
            ("gmaill", "gmail", CHEAP),
            ("yaho", "yahoo", CHEAP),
            ("gnail", "gmail", CHEAP),
            ("gmil", "gmail", COSTLY),
            ("gmaxil", "gmail", COSTLY),
            ("gmaxl", "gmail", COSTLY),
            ("htomali", "hotmail", 2 * CHEAP),
            ("", "abc", 3 * COSTLY),
            ("abc", "", 3 * COSTLY),
            ("aaaaaaaaaaaaaaaaa", "a", u32::MAX),
        ] {
            assert_eq!(slip_cost(typed, meant), expected, "{typed} {meant}");
        }
    }

    #[test]
    fn neighbours_touch_on_the_keyboard() {
        for (one, other, expected) in [
            ('m', 'n', true),
            ('g', 'h', true),
            ('g', 't', true),
            ('g', 'y', true),
            ('o', '0', true),
            ('g', 'p', false),
            ('a', 'p', false),
            ('ä', 'a', false),
        ] {
            let octet = |letter: char| u8::try_from(letter).unwrap_or_default();
            assert_eq!(are_neighbours(octet(one), octet(other)), expected, "{one} {other}");
        }
    }
}
