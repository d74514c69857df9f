//! Fields of texts (ECMA-376-1 §17.16): instructions that a program follows when it opens or updates the text, however they are
//! cut into pieces.

use gatepost::content::character_reference::resolved;

use super::{
    binary::dde,
    relations::{Target, remote},
};
use crate::file::{
    budget::Limit,
    contents::Contents,
    markup::{Piece, pieces},
};

/// Fields within fields that are followed.
const MAX_DEPTH: usize = 100;

/// A field that is open.
#[derive(Default)]
struct Field {
    instruction: String,
    /// What follows is what it showed when it was updated last.
    is_separated: bool,
}

/// Judges what one field is told to do.
pub(crate) fn instruction(text: &str, contents: &mut Contents<'_>) {
    let mut words = words(text);
    let Some((_, kind)) = words.next() else { return };
    let kind = kind.to_ascii_uppercase();
    let targets = words.filter(|(is_quoted, word)| *is_quoted || !word.starts_with('\\') || word.starts_with("\\\\"));
    match kind.as_str() {
        "DDE" | "DDEAUTO" => dde(contents),
        "HYPERLINK" => targets.for_each(|(_, target)| leads_to(target, contents)),
        "INCLUDEPICTURE" | "IMPORT" => targets.for_each(|(_, target)| loads(target, false, contents)),
        "INCLUDETEXT" | "INCLUDE" | "LINK" | "RD" | "DATABASE" => {
            targets.for_each(|(_, target)| loads(target, true, contents));
        }
        _ => {}
    }
}

/// A share is asked for it with the reader's credentials; a text from elsewhere may be anything.
fn loads(target: &str, is_text: bool, contents: &mut Contents<'_>) {
    let place = Target::of(target);
    if place != Target::Near {
        contents.link(target);
    }
    if matches!(place, Target::Share | Target::Runs) || place == Target::Web && is_text {
        remote(contents, "a field of the document loads something from elsewhere");
    }
}

fn leads_to(target: &str, contents: &mut Contents<'_>) {
    match Target::of(target) {
        Target::Near if !target.contains(':') => {}
        Target::Runs => {
            contents.link(target);
            remote(contents, "a link of the document runs something");
        }
        _ => contents.link(target),
    }
}

/// With whether it stands in quotes, which may be those of a printer.
fn words(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_quote = |c: char| matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}');
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
        if rest.is_empty() {
            return None;
        }
        let quoted = rest.strip_prefix(is_quote);
        let text = quoted.unwrap_or(rest);
        let is_end = |c: char| if quoted.is_some() { is_quote(c) } else { c.is_whitespace() || is_quote(c) };
        let (word, after) = text.split_at(text.find(is_end).unwrap_or(text.len()));
        rest = if quoted.is_some() { after.strip_prefix(is_quote).unwrap_or(after) } else { after };
        Some((quoted.is_some(), word))
    })
}

/// Instructions in a part may be cut into many runs, and may have comments of XML between their letters.
pub(super) fn fields(text: &str, contents: &mut Contents<'_>) {
    if !text.contains("instr") {
        return;
    }
    let mut open: Vec<Field> = Vec::new();
    let mut outside = Field::default();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, text) = after.split_once('>').unwrap_or((after, ""));
        rest = text;
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        let is_deep = MAX_DEPTH <= open.len();
        let here = open.last_mut().unwrap_or(&mut outside);
        match name {
            "instrText" if !here.is_separated => {
                here.instruction.push_str(&resolved(text.split('<').next().unwrap_or_default()));
            }
            "fldSimple" => simple(tag, contents),
            "fldChar" if tag.contains("begin") && is_deep => return contents.exceeded(Limit::Depth),
            "fldChar" if tag.contains("begin") => open.push(Field::default()),
            "fldChar" if tag.contains("separate") => here.is_separated = true,
            "fldChar" if tag.contains("end") => close(&mut open, &mut outside, contents),
            _ => {}
        }
    }
    while !open.is_empty() {
        close(&mut open, &mut outside, contents);
    }
    instruction(&outside.instruction, contents);
}

fn simple(tag: &str, contents: &mut Contents<'_>) {
    for piece in pieces(&format!("<{tag}>")) {
        if let Piece::Tag(tag) = piece
            && let Some(text) = tag.get("instr")
        {
            instruction(text, contents);
        }
    }
}

/// What a field within another stands for is part of the other's instruction.
fn close(open: &mut Vec<Field>, outside: &mut Field, contents: &mut Contents<'_>) {
    let Some(field) = open.pop() else {
        instruction(&std::mem::take(&mut outside.instruction), contents);
        return;
    };
    instruction(&field.instruction, contents);
    if let Some(text) = quoted(&field.instruction) {
        let around = open.last_mut().unwrap_or(outside);
        around.instruction.push_str(&text);
    }
}

/// `QUOTE 68 68 69` stands for the characters of these numbers, `QUOTE "a"` for the text.
fn quoted(instruction: &str) -> Option<String> {
    let mut words = words(instruction);
    words.next().filter(|(_, kind)| kind.eq_ignore_ascii_case("QUOTE"))?;
    let text = |(is_quoted, word): (bool, &str)| {
        let number = word.parse().ok().filter(|_| !is_quoted).and_then(char::from_u32);
        number.map_or_else(|| word.to_owned(), String::from)
    };
    Some(words.map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_judged_by_what_it_loads() {
        for (text, expected) in [
            ("DDEAUTO cmd \"/k a\"", &["dde_field"][..]),
            (r#"INCLUDEPICTURE "\\\\192.0.2.7\\a\\b.png" \d"#, &["remote_object", r"\\\\192.0.2.7\\a\\b.png"]),
            (r"INCLUDEPICTURE \d \\\\192.0.2.7\\a", &["remote_object", r"\\\\192.0.2.7\\a"]),
            ("includepicture \"https://a.example/b.png\" \\* MERGEFORMATINET", &["https://a.example/b.png"]),
            ("INCLUDETEXT \u{201c}https://a.example/b\u{201d}", &["remote_object", "https://a.example/b"]),
            ("LINK Excel.Sheet.12 \"https://a.example/b\" \"R1C1\" \\a", &["remote_object", "https://a.example/b"]),
            ("LINK Excel.Sheet.12 \"C:\\\\a\\\\b.xlsx\" \"R1C1\" \\a", &[]),
            ("HYPERLINK \"http://192.0.2.7/a\" \\o \"b\"", &["http://192.0.2.7/a"]),
            ("HYPERLINK \"search-ms:query=a\"", &["remote_object", "search-ms:query=a"]),
            ("HYPERLINK \\l \"_Toc1\"", &[]),
            ("PAGE \\* MERGEFORMAT", &[]),
            ("", &[]),
        ] {
            let mut contents = Contents::default();
            instruction(text, &mut contents);
            let found: Vec<_> = contents.remarks.iter().map(|remark| remark.code.to_string()).collect();
            let links = contents.links.iter().map(|link| link.target.clone());
            assert_eq!(found.into_iter().chain(links).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
