//! A name where one TXT record of a kind belongs, and what stands there.

use std::fmt::Display;

use super::finding::{Finding, FindingCode};

/// Of a record that is shown no more than so many octets; the longest useful ones have a few hundred.
const MAX_SHOWN_OCTETS: usize = 2_048;
/// Of several records no more than so many are shown, all together no longer than one.
const MAX_SHOWN_RECORDS: usize = 10;
/// Items of a list in a record.
const MAX_SHOWN_ITEMS: usize = 20;
/// Of one of them; longer ones than a name are rare.
const MAX_ITEM_OCTETS: usize = 256;

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<T> {
    pub state: State,
    /// As published, one a line.
    pub record: Option<String>,
    /// What was read from a valid record.
    pub parsed: Option<T>,
}

/// How a place was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// DNS did not say.
    Unanswered,
    Absent,
    /// There is something that receivers cannot use.
    Invalid,
    Valid,
}

impl State {
    /// `None` when nobody knows.
    #[must_use]
    pub fn is_present(self) -> Option<bool> {
        (self != Self::Unanswered).then_some(matches!(self, Self::Invalid | Self::Valid))
    }

    /// `None` when nobody knows.
    #[must_use]
    pub fn is_valid(self) -> Option<bool> {
        (self != Self::Unanswered).then_some(self == Self::Valid)
    }
}

/// What DNS said about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Unanswered,
    Nothing,
    One(Vec<u8>),
    Several(Vec<Vec<u8>>),
}

/// What belongs at a place.
pub(super) struct Wanted<'w> {
    /// Such as `MTA-STS`.
    pub(super) what: &'static str,
    pub(super) name: &'w str,
    /// A record that would do.
    pub(super) example: String,
    /// Of nothing, several, and one that is wrong. Without the first, nothing is missing.
    pub(super) missing: Option<FindingCode>,
    pub(super) several: FindingCode,
    pub(super) invalid: FindingCode,
}

impl Wanted<'_> {
    /// Judges what was found.
    pub(super) fn read<T, E: Display>(
        &self,
        found: Found,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
        findings: &mut Vec<Finding>,
    ) -> Place<T> {
        let (state, texts) = match found {
            Found::Unanswered => (State::Unanswered, Vec::new()),
            Found::Nothing => {
                findings.extend(self.missing.map(|code| self.not_there(code)));
                (State::Absent, Vec::new())
            }
            Found::Several(texts) => {
                findings.push(self.too_many(texts.len()));
                (State::Invalid, texts)
            }
            Found::One(text) => match parse(&text) {
                Ok(parsed) => {
                    return Place { state: State::Valid, record: Some(shown(&text)), parsed: Some(parsed) };
                }
                Err(error) => {
                    findings.push(self.wrong(&error.to_string()));
                    (State::Invalid, vec![text])
                }
            },
        };
        Place { state, record: shown_together(&texts), parsed: None }
    }

    fn not_there(&self, code: FindingCode) -> Finding {
        let Self { what, name, example, .. } = self;
        let detail = format!("There is no {what} record at {name}.");
        Finding::new(code, detail, format!("Publish at {name} the TXT record \"{example}\"."))
    }

    fn too_many(&self, count: usize) -> Finding {
        let Self { what, name, example, .. } = self;
        let detail = format!("There are {count} {what} records at {name}, so none counts.");
        let fix = format!("Merge them into one TXT record at {name}, such as \"{example}\", and delete the others.");
        Finding::new(self.several, detail, fix)
    }

    fn wrong(&self, error: &str) -> Finding {
        let Self { what, name, example, .. } = self;
        let detail = format!("The {what} record at {name} cannot be used: {}.", shown(error.as_bytes()));
        let fix = format!("Correct the TXT record at {name}; it should look like \"{example}\".");
        Finding::new(self.invalid, detail, fix)
    }
}

/// Printable, and not longer than anybody wants to read.
pub(super) fn shown(text: &[u8]) -> String {
    shown_up_to(text, MAX_SHOWN_OCTETS)
}

/// The bound is on what is shown: a replaced octet becomes three.
pub(super) fn shown_up_to(text: &[u8], most: usize) -> String {
    let start = text.get(..most).unwrap_or(text);
    let mut readable = String::from_utf8_lossy(start).replace(char::is_control, "\u{fffd}");
    let end = readable.floor_char_boundary(most);
    if start.len() < text.len() || end < readable.len() {
        readable.truncate(end);
        readable.push('…');
    }
    readable
}

/// An item of a list in a record.
pub(super) fn shown_item(text: &str) -> String {
    shown_up_to(text.as_bytes(), MAX_ITEM_OCTETS)
}

/// As many items of a list in a record as are of use.
pub(super) fn shown_items<'t>(items: impl Iterator<Item = &'t str>) -> Vec<String> {
    items.take(MAX_SHOWN_ITEMS).map(shown_item).collect()
}

pub(super) fn shown_together(texts: &[Vec<u8>]) -> Option<String> {
    shown_lines(texts.iter().take(MAX_SHOWN_RECORDS).map(Vec::as_slice), MAX_SHOWN_OCTETS)
}

/// One text a line, together no longer than `most` octets.
pub(super) fn shown_lines<'t>(texts: impl Iterator<Item = &'t [u8]>, most: usize) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut left = most;
    for text in texts {
        if left == 0 {
            break;
        }
        let line = shown_up_to(text, left);
        left = left.saturating_sub(line.len());
        lines.push(line);
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_printable_and_bounded() {
        for (text, expected) in [
            (b"v=spf1 -all".to_vec(), "v=spf1 -all".to_owned()),
            (b"a\r\n\x00\xffb".to_vec(), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b".to_owned()),
            (vec![b'a'; 2048], "a".repeat(2048)),
            (vec![b'a'; 2049], "a".repeat(2048) + "…"),
            (vec![0; 2048], "\u{fffd}".repeat(682) + "…"),
        ] {
            assert_eq!(shown(&text), expected);
        }
        assert_eq!(shown_together(&vec![vec![b'a']; 12]), Some(["a"; 10].join("\n")));
        assert_eq!(shown_together(&[]), None);
        let long = [vec![b'a'; 2_000], vec![b'b'; 2_000], vec![b'c'; 2_000]];
        assert_eq!(shown_together(&long), Some(format!("{}\n{}…", "a".repeat(2_000), "b".repeat(48))));
        let items = shown_items(["a".repeat(300).as_str(), "b"].into_iter().cycle().take(900));
        assert_eq!((items.len(), &items[..2]), (20, &["a".repeat(256) + "…", "b".to_owned()][..]));
    }

    #[test]
    fn a_state_is_present_valid_both_or_unknown() {
        for (state, present, valid) in [
            (State::Unanswered, None, None),
            (State::Absent, Some(false), Some(false)),
            (State::Invalid, Some(true), Some(false)),
            (State::Valid, Some(true), Some(true)),
        ] {
            assert_eq!((state.is_present(), state.is_valid()), (present, valid));
        }
    }
}
