//! What operators announce: maintenance and expected surges, which are no findings, and silences, during which nobody is told.

use std::fmt;

use crate::{
    anomaly::{Announced, Occasion},
    bucket::Bucket,
};

/// Characters of a pattern and of a note.
pub const LONGEST_TEXT: usize = 256;

/// What operators have announced, for all series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calendar {
    pub entries: Vec<Entry>,
}

/// One announcement. Both ends are included.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: String,
    pub series: Pattern,
    pub first: Bucket,
    pub last: Bucket,
    pub purpose: Purpose,
    pub note: String,
}

/// Which series an entry speaks of: `signup/k1`, `signup/*`, `*/k1`, or `*` for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Traffic that differs as the word says is expected: it is no finding, and teaches nothing.
    Expected(Occasion),
    /// Incidents are kept as always, but nobody is told before the silence ends.
    Silence,
}

/// Why an entry cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("a pattern is flow/client with * for either, or * alone, of at most {LONGEST_TEXT} characters: {0:?}")]
    BadPattern(String),
    #[error("a kind is campaign, holiday, maintenance or silence: {0:?}")]
    BadKind(String),
    #[error("it ends before it begins")]
    BadPeriod,
    #[error("a note has at most {LONGEST_TEXT} characters")]
    LongNote,
}

impl Pattern {
    /// # Errors
    /// A text without a slash that is not `*`, one that is too long, or one with white space or control characters.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let is_whole = text == "*" || text.split_once('/').is_some_and(|(flow, of)| !flow.is_empty() && !of.is_empty());
        let is_plain = text.chars().all(|sign| !sign.is_control() && !sign.is_whitespace());
        if is_whole && is_plain && text.chars().count() <= LONGEST_TEXT {
            return Ok(Self(text.to_owned()));
        }
        Err(EntryError::BadPattern(text.chars().take(40).collect()))
    }

    #[must_use]
    pub fn matches(&self, series: &str) -> bool {
        let Some((flow, of)) = self.0.split_once('/') else { return true };
        let (series_flow, series_of) = series.split_once('/').unwrap_or((series, ""));
        (flow == "*" || flow == series_flow) && (of == "*" || of == series_of)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Purpose {
    /// # Errors
    /// A word that means nothing.
    pub fn parse(word: &str) -> Result<Self, EntryError> {
        match word {
            "campaign" | "holiday" | "maintenance" => Ok(Self::Expected(Occasion::named(word))),
            "silence" => Ok(Self::Silence),
            _ => Err(EntryError::BadKind(word.chars().take(40).collect())),
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expected(Occasion::Campaign) => "campaign",
            Self::Expected(Occasion::Holiday) => "holiday",
            Self::Expected(Occasion::Other) => "maintenance",
            Self::Silence => "silence",
        }
    }
}

impl Entry {
    /// # Errors
    /// A period that ends before it begins, or a note that is too long.
    pub fn checked(self) -> Result<Self, EntryError> {
        if self.last < self.first {
            return Err(EntryError::BadPeriod);
        }
        if LONGEST_TEXT < self.note.chars().count() {
            return Err(EntryError::LongNote);
        }
        Ok(self)
    }

    fn covers(&self, bucket: Bucket) -> bool {
        self.first <= bucket && bucket <= self.last
    }
}

impl Calendar {
    /// What is expected of `series`.
    #[must_use]
    pub fn expected(&self, series: &str) -> Vec<Announced> {
        let entries = self.entries.iter().filter(|entry| entry.series.matches(series));
        let announced = entries.filter_map(|entry| match entry.purpose {
            Purpose::Expected(occasion) => Some(Announced { first: entry.first, last: entry.last, occasion }),
            Purpose::Silence => None,
        });
        announced.collect()
    }

    /// Whether nobody is to be told of `series` in `bucket`.
    #[must_use]
    pub fn silences(&self, series: &str, bucket: Bucket) -> bool {
        let mut silences = self.entries.iter().filter(|entry| entry.purpose == Purpose::Silence);
        silences.any(|entry| entry.covers(bucket) && entry.series.matches(series))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_984_640 + index).expect("in range")
    }

    fn entry(series: &str, kind: &str) -> Entry {
        let (series, purpose) = (Pattern::parse(series).expect("a pattern"), Purpose::parse(kind).expect("a kind"));
        Entry { id: "e1".to_owned(), series, first: bucket(2), last: bucket(4), purpose, note: String::new() }
    }

    #[test]
    fn a_pattern_names_one_series_a_flow_a_client_or_everything() {
        for (pattern, matching, other) in [
            ("signup/k1", "signup/k1", "signup/k2"),
            ("signup/*", "signup/k2", "login/k2"),
            ("*/k1", "login/k1", "login/k2"),
            ("*/a/b", "login/a/b", "login/a"),
            ("inbound/example.com", "inbound/example.com", "inbound/mail.example.com"),
        ] {
            let pattern = Pattern::parse(pattern).expect("a pattern");
            assert!(pattern.matches(matching) && !pattern.matches(other), "{pattern}");
        }
        assert!(Pattern::parse("*").expect("a pattern").matches("without-slash"));
    }

    #[test]
    fn what_is_no_pattern_kind_or_period_is_refused() {
        for text in ["", "signup", "/k1", "signup/", "signup/k 1", "signup/k1\n", &format!("a/{}", "b".repeat(255))] {
            let error = EntryError::BadPattern(text.chars().take(40).collect());
            assert_eq!(Pattern::parse(text), Err(error));
        }
        assert_eq!(Purpose::parse("Campaign"), Err(EntryError::BadKind("Campaign".to_owned())));
        let backwards = Entry { last: bucket(1), ..entry("*", "silence") };
        assert_eq!(backwards.checked(), Err(EntryError::BadPeriod));
        let wordy = Entry { note: "a".repeat(257), ..entry("*", "silence") };
        assert_eq!(wordy.checked(), Err(EntryError::LongNote));
    }

    #[test]
    fn a_silence_is_not_expected_traffic_and_expected_traffic_is_no_silence() {
        let entries = vec![entry("signup/*", "silence"), entry("login/*", "campaign")];
        let calendar = Calendar { entries };
        for (at, silent) in [(1, false), (2, true), (4, true), (5, false)] {
            assert_eq!(calendar.silences("signup/k1", bucket(at)), silent, "{at}");
            assert!(!calendar.silences("login/k1", bucket(at)), "{at}");
        }
        let campaign = Announced { first: bucket(2), last: bucket(4), occasion: Occasion::Campaign };
        assert_eq!(calendar.expected("login/k1"), [campaign]);
        assert_eq!(calendar.expected("signup/k1"), []);
    }
}
