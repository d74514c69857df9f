//! Formulas of tables that reach out of the table: to another program, or to an address.

use gatepost::finding::Severity;

use super::{
    binary::linked_program,
    relations::{Target, remote},
};
use crate::file::contents::Contents;

/// Octets of the arguments of one function that are looked at: a text in a formula has at most 255 characters.
const ARGUMENTS: usize = 1_024;

/// Functions with an address, in capitals; and whether they ask for it as soon as the table is calculated.
const FUNCTIONS: [(&str, bool); 8] = [
    ("HYPERLINK(", false),
    ("IMAGE(", false),
    ("WEBSERVICE(", true),
    ("IMPORTDATA(", true),
    ("IMPORTXML(", true),
    ("IMPORTHTML(", true),
    ("IMPORTFEED(", true),
    ("RTD(", true),
];

/// One formula, with or without the quotes of CSV doubled.
pub(crate) fn judge(formula: &str, contents: &mut Contents<'_>) {
    judge_all(formula, contents);
    called_program(formula, contents);
}

/// Formulas wherever they stand in a text.
pub(crate) fn judge_all(text: &str, contents: &mut Contents<'_>) {
    let mut calls = calls(text).peekable();
    while let Some((at, function, asks)) = calls.next() {
        let start = at + function.len();
        let end = text.floor_char_boundary(start.saturating_add(ARGUMENTS));
        // Up to the next call, so that each octet is looked at once.
        let end = calls.peek().map_or(end, |(next, ..)| end.min(*next));
        arguments(text.get(start..end).unwrap_or_default(), asks, contents);
    }
}

/// Every function with an address in a text of formulas. Linear.
fn calls(text: &str) -> impl Iterator<Item = (usize, &'static str, bool)> {
    text.match_indices('(').filter_map(|(at, _)| {
        let is = |name: &str| {
            let start = (at + 1).checked_sub(name.len())?;
            text.get(start..=at).filter(|found| found.eq_ignore_ascii_case(name)).map(|_| start)
        };
        FUNCTIONS.iter().find_map(|(name, asks)| Some((is(name)?, *name, *asks)))
    })
}

fn arguments(text: &str, asks: bool, contents: &mut Contents<'_>) {
    let text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("\"\"", "\"").replace("\"&\"", "");
    let mut pieces = text.split('"');
    // Behind an odd number of quotes is what stands in them.
    pieces.next();
    let mut has_address = false;
    while let Some(quoted) = pieces.next() {
        let between = pieces.next().unwrap_or_default();
        if Target::of(quoted) != Target::Near {
            contents.link(quoted);
            has_address = true;
            if asks && between.trim_start().starts_with('&') {
                remote(contents, "a formula of the workbook sends what stands in it to an address");
            }
            if matches!(Target::of(quoted), Target::Share | Target::Runs) && asks {
                remote(contents, "a formula of the workbook asks another's share");
            }
        }
        if between.contains(')') {
            break;
        }
    }
    if asks && has_address {
        let detail = "a formula of the workbook asks an address for its value";
        contents.remark("dde_field", Severity::Review, detail);
    }
}

/// `of:=DDE("program";"arguments";"item")`
fn called_program(formula: &str, contents: &mut Contents<'_>) {
    let upper = formula.to_ascii_uppercase();
    if let Some(at) = upper.find("DDE(") {
        let program = formula.get(at + 4..).and_then(|rest| rest.split('"').nth(1)).unwrap_or_default();
        linked_program(program, contents);
    }
}
