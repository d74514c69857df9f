//! Addresses that are a script (`javascript:`).

use crate::content::field_value::percent_decoded;
use crate::finding::Severity;

/// Names that every page has. A script without a page of its own, as in a message, can do nothing without one of them.
const BUILT_IN: [&str; 32] = [
    "alert",
    "confirm",
    "prompt",
    "eval",
    "location",
    "document",
    "window",
    "self",
    "top",
    "parent",
    "opener",
    "this",
    "open",
    "fetch",
    "import",
    "atob",
    "btoa",
    "unescape",
    "decodeURI",
    "decodeURIComponent",
    "String",
    "Function",
    "setTimeout",
    "setInterval",
    "XMLHttpRequest",
    "ActiveXObject",
    "WScript",
    "MsgBox",
    "navigator",
    "constructor",
    "globalThis",
    "frames",
];

/// What a script as an address weighs. `None` for one that does nothing, as pages have it where a button is wanted. Copied pages
/// call functions that were left behind: those do nothing either, but are worth a look.
pub(super) fn severity(script: &str) -> Option<Severity> {
    let script = String::from_utf8_lossy(&percent_decoded(script.as_bytes())).into_owned();
    let script = script.trim();
    let nothing = ["", ";", "#", "//", "void(0)", "void(0);", "void 0", "void 0;", "return false;", "return false"];
    if nothing.contains(&script) {
        return None;
    }
    let code = without_strings(script);
    let has_built_in = words(&code).any(|word| BUILT_IN.contains(&word));
    Some(if calls_a_function(&code) && !has_built_in { Severity::Review } else { Severity::Quarantine })
}

/// `name(..`
fn calls_a_function(code: &str) -> bool {
    let start = code.trim_start_matches(|c: char| !is_of_word(c));
    let name = start.len() - start.trim_start_matches(is_of_word).len();
    0 < name && start.get(name..).is_some_and(|rest| rest.trim_start().starts_with('('))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_of_word(c)).filter(|word| !word.is_empty())
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

fn without_strings(script: &str) -> String {
    let mut quote = None;
    let outside = |c: &char| match quote {
        Some(open) => {
            quote = quote.filter(|_| *c != open);
            false
        }
        None => {
            quote = Some(*c).filter(|c| matches!(c, '"' | '\''));
            quote.is_none()
        }
    };
    script.chars().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_weighs_what_it_can_do() {
        for (script, expected) in [
            (";", None),
            (" void(0)", None),
            ("openPopup('/news','top')", Some(Severity::Review)),
            ("? rs(\"ss\",\"http://a.example\")", Some(Severity::Review)),
            ("alert(1)", Some(Severity::Quarantine)),
            ("%61lert(1)", Some(Severity::Quarantine)),
            ("go(location='http://a.example')", Some(Severity::Quarantine)),
            ("[]['x']['y']('z')()", Some(Severity::Quarantine)),
            ("x='a'", Some(Severity::Quarantine)),
        ] {
            assert_eq!(severity(script), expected, "{script}");
        }
    }
}
