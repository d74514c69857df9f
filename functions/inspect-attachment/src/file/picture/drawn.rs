//! Codes that no picture holds: drawn with the characters of a text, or with the cells of a table.

use gatepost::content::{
    character_reference::resolved,
    markup::{Piece, Pieces, Reading, Tag},
};
use memchr::memmem;

use super::{decode::light_of, luma::Luma};

/// Characters of a line and lines of a drawing: the largest code has 177 modules and a quiet zone, and two characters a module.
const MOST: usize = 400;

/// Modules of the smallest code.
const LEAST: usize = 21;

/// Cells of a table that one may stand for.
const MAX_SPAN: usize = 100;

/// Begin in UTF-8 all characters that are drawn with (U+2580 to U+259F, U+2B1B and U+2B1C).
const MARKS: [&[u8]; 2] = [b"\xe2\x96", b"\xe2\xac"];

const DARK: u8 = 0;
const LIGHT: u8 = u8::MAX;

/// What a text shows to whoever holds a telephone before it.
pub(super) fn of_text(text: &str) -> Vec<Luma> {
    let mut drawing = Drawing::default();
    text.lines().for_each(|line| drawing.line(line));
    drawing.finished()
}

/// Whether a text, in UTF-8 or in UTF-16, has characters to draw with.
pub(super) fn may_draw(octets: &[u8]) -> bool {
    let is_wide = matches!(octets, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    is_wide || MARKS.iter().any(|mark| memmem::find(octets, mark).is_some())
}

/// The same of a page: with its text, and with the grounds of the cells of its tables where each says its own. Hands out the values
/// of attributes, and style sheets, on the way.
pub(crate) fn of_page(text: &str, value: &mut dyn FnMut(&str)) -> Vec<Luma> {
    let (mut lines, mut cells) = (Drawing::default(), Drawing::default());
    for reading in Reading::of_mail(text) {
        let mut line = String::new();
        for piece in Pieces::of(text, reading) {
            match piece {
                Piece::Text(text) => {
                    for (number, part) in resolved(text).split('\n').enumerate() {
                        if 0 < number {
                            lines.line(&std::mem::take(&mut line));
                        }
                        line.extend(part.chars().take(MOST.saturating_sub(line.len() / 3)));
                    }
                }
                Piece::Open(tag) => {
                    tag.attributes().for_each(|(_, written)| value(&written));
                    match tag.local_name() {
                        "table" => cells.end(),
                        "tr" => cells.rows.push(Vec::new()),
                        "td" | "th" => cells.cell(&tag),
                        "br" | "p" | "div" | "li" => lines.line(&std::mem::take(&mut line)),
                        _ => {}
                    }
                }
                Piece::Raw("style", text) => value(text),
                Piece::Close(name) if matches!(name.as_str(), "p" | "div" | "tr" | "pre") => {
                    lines.line(&std::mem::take(&mut line));
                }
                Piece::Close(_) | Piece::Raw(..) | Piece::Comment(_) => {}
            }
        }
        lines.line(&line);
        lines.end();
        cells.end();
    }
    lines.finished().into_iter().chain(cells.finished()).collect()
}

/// Rows of light that stand below each other, and what is complete.
#[derive(Debug, Default)]
struct Drawing {
    rows: Vec<Vec<u8>>,
    complete: Vec<Luma>,
}

impl Drawing {
    /// A character is twice as high as it is wide, so a line is two rows. Any other character ends the drawing, an empty line does
    /// not.
    fn line(&mut self, line: &str) {
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let mut is_drawn = false;
        for character in line.trim_end().chars().take(MOST) {
            let Some((above, below, width)) = halves(character) else { return self.end() };
            is_drawn |= !character.is_whitespace();
            upper.extend(std::iter::repeat_n(above, width));
            lower.extend(std::iter::repeat_n(below, width));
        }
        if is_drawn {
            self.rows.extend([upper, lower]);
        }
        if 2 * MOST < self.rows.len() {
            self.end();
        }
    }

    fn cell(&mut self, tag: &Tag<'_>) {
        if MOST < self.rows.len() {
            self.end();
        }
        let span = tag.attribute("colspan").and_then(|span| span.trim().parse().ok()).unwrap_or(1_usize);
        if let Some(row) = self.rows.last_mut().filter(|row| row.len() < MOST) {
            row.extend(std::iter::repeat_n(ground(tag).unwrap_or(LIGHT), span.clamp(1, MAX_SPAN)));
        }
    }

    fn end(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| !row.is_empty());
        let width = rows.iter().map(Vec::len).max().unwrap_or_default();
        let is_plain = || rows.iter().flatten().all(|light| *light == LIGHT);
        if LEAST <= rows.len() && LEAST <= width && !is_plain() {
            rows.iter_mut().for_each(|row| row.resize(width, LIGHT));
            self.complete.push(Luma::new(width, rows.len(), rows.concat()));
        }
    }

    fn finished(mut self) -> Vec<Luma> {
        self.end();
        self.complete
    }
}

/// The light of the upper and of the lower half of a character, and how wide it is.
fn halves(character: char) -> Option<(u8, u8, usize)> {
    Some(match character {
        ' ' | '\u{a0}' | '\u{2007}' | '\u{2591}' => (LIGHT, LIGHT, 1),
        '\u{2588}' | '\u{2593}' => (DARK, DARK, 1),
        '\u{2580}' => (DARK, LIGHT, 1),
        '\u{2584}' => (LIGHT, DARK, 1),
        '\u{3000}' | '\u{2b1c}' => (LIGHT, LIGHT, 2),
        '\u{2b1b}' => (DARK, DARK, 2),
        _ => return None,
    })
}

/// What is behind a cell, where the cell says so itself.
fn ground(cell: &Tag<'_>) -> Option<u8> {
    let style = cell.attribute("style").unwrap_or_default().to_ascii_lowercase();
    let mut declared = style.split(';').filter_map(|line| line.split_once(':'));
    let of_style = declared.rfind(|(name, _)| matches!(name.trim(), "background" | "background-color"));
    of_style.and_then(|(_, value)| light(value)).or_else(|| light(&cell.attribute("bgcolor")?))
}

/// Of a colour as style sheets and attributes have it: numbers, or one of the two names that codes are drawn with.
fn light(value: &str) -> Option<u8> {
    let value = value.trim().to_ascii_lowercase();
    if let Some(numbers) = value.strip_prefix("rgb").and_then(|rest| rest.split_once('(')) {
        let mut numbers = numbers.1.split([',', ' ', '/', ')']).filter_map(|number| number.trim().parse::<u8>().ok());
        return Some(light_of(numbers.next()?, numbers.next()?, numbers.next()?));
    }
    let word = value.split([' ', '!']).next().unwrap_or_default();
    match word {
        "black" => return Some(DARK),
        "white" => return Some(LIGHT),
        _ => {}
    }
    let digits: Vec<u32> = word.trim_start_matches('#').chars().map_while(|c| c.to_digit(16)).collect();
    let octet = |high: u32, low: u32| u8::try_from(high << 4 | low).ok();
    match *digits.as_slice() {
        [r, g, b] => Some(light_of(octet(r, r)?, octet(g, g)?, octet(b, b)?)),
        [r, s, g, h, b, c] => Some(light_of(octet(r, s)?, octet(g, h)?, octet(b, c)?)),
        _ => None,
    }
}
