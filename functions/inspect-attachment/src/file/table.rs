//! Tables in the form of text, which Excel reads as if each cell had been typed.

use super::{contents::Contents, octets, office};

/// What a program for tables opens.
pub(crate) const EXTENSIONS: &[&str] =
    &["csv", "tsv", "tab", "slk", "dif", "prn", "txt", "xls", "xlsx", "xlsm", "xlt", "ods"];

/// What stands between cells: in tables of HTML, which are opened as tables under the name of one, that is a tag.
const BETWEEN: [char; 7] = [',', ';', '\t', '\n', '\r', '<', '>'];

/// Cells that are a call of another program, `=program|'arguments'!cell`, or that have an address in a formula.
pub(crate) fn read<'a>(octets: &[u8]) -> Contents<'a> {
    let mut contents = Contents::default();
    let text = octets::text_of(octets);
    office::formula::judge_all(&text, &mut contents);
    for line in text.lines().filter(|line| line.contains('|') && line.contains('!')) {
        cells(line, &mut contents);
    }
    contents
}

/// What is called stands in one cell; its arguments may have commas.
fn cells(line: &str, contents: &mut Contents<'_>) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('|') {
        rest = after;
        let cell = before.rsplit(BETWEEN).next().unwrap_or_default().trim_start_matches([' ', '"', '\u{feff}']);
        if cell.starts_with(['=', '+', '-', '@']) && is_topic(after) {
            let program = cell.trim_start_matches(['=', '+', '-', '@', ' ']);
            let program = program.rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '\\' | '/')).next();
            office::binary::linked_program(program.unwrap_or_default(), contents);
        }
    }
}

/// A text in a formula has at most 255 characters; the search for its end has an end, too.
const MAX_TOPIC: usize = 255 * 4;

/// In quotes, or one word, and then the item.
fn is_topic(after: &str) -> bool {
    let after = after.get(..after.floor_char_boundary(MAX_TOPIC)).unwrap_or_default();
    match after.trim_start().strip_prefix('\'') {
        Some(quoted) => quoted.contains("'!"),
        None => {
            after.split_once('!').is_some_and(|(topic, _)| !topic.contains(char::is_whitespace) && !topic.contains('|'))
        }
    }
}
