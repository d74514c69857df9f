//! What became of addresses and messages lately. Domains and outcomes only: an address is never kept.

use std::{
    collections::{BTreeMap, VecDeque},
    time::SystemTime,
};

use serde_json::Value;

/// Rows that are remembered.
const ROWS: usize = 25;
/// Reasons or findings of one row; of more it is told how many.
const MOST_WHY: usize = 12;
/// Characters of a text that a stranger has a part in.
const LONGEST: usize = 300;

/// The latest rows, newest first, and how many of each outcome there ever were.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    pub(super) rows: VecDeque<Seen>,
    pub(super) outcomes: BTreeMap<String, u64>,
}

/// An address or a message, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Counted from the start of the stack; 0 until it is remembered.
    pub(super) number: u64,
    pub(super) at: SystemTime,
    pub(super) domain: String,
    /// The verdict or the disposition.
    pub(super) outcome: String,
    /// Results of sender authentication.
    pub(super) results: String,
    pub(super) why: Vec<Why>,
    /// Reasons or findings beyond those.
    pub(super) more: usize,
    /// Of a message that waits for somebody to look.
    pub(super) held_back: Option<String>,
}

/// A reason or a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) detail: String,
}

impl Recent {
    pub(super) fn remember(&mut self, seen: Seen) {
        *self.outcomes.entry(seen.outcome.clone()).or_default() += 1;
        let number = self.total();
        self.rows.push_front(Seen { number, ..seen });
        self.rows.truncate(ROWS);
    }

    pub(super) fn total(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

impl Seen {
    /// An answer of the API; `None` for one without a verdict.
    pub(super) fn verdict(answer: &Value, at: SystemTime) -> Option<Self> {
        let outcome = answer["verdict"].as_str()?.to_owned();
        let domain = answer["normalized"].as_str().and_then(|address| address.rsplit_once('@'));
        let domain = domain.map_or("no domain", |(_, domain)| domain);
        Some(Self::new(domain, outcome, &answer["reasons"], at))
    }

    /// A report; `None` for none.
    pub(super) fn message(report: &Value, at: SystemTime) -> Option<Self> {
        let outcome = report["disposition"].as_str()?.to_owned();
        let domain = report["from_domain"].as_str().unwrap_or("no usable author");
        let result = |name: &str| format!("{name} {}", report[name].as_str().unwrap_or("none"));
        let held_back = report["message_id"].as_str().filter(|_| outcome == "quarantine").map(str::to_owned);
        let results = ["spf", "dkim", "arc", "dmarc"].map(result).join(", ");
        Some(Self { results, held_back, ..Self::new(domain, outcome, &report["findings"], at) })
    }

    fn new(domain: &str, outcome: String, why: &Value, at: SystemTime) -> Self {
        let list = why.as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            number: 0,
            at,
            domain: domain.chars().take(LONGEST).collect(),
            outcome,
            results: String::new(),
            why: list.iter().take(MOST_WHY).map(Why::read).collect(),
            more: list.len().saturating_sub(MOST_WHY),
            held_back: None,
        }
    }
}

impl Why {
    fn read(item: &Value) -> Self {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let detail = without_local_parts(text("detail"));
        Self {
            code: text("code").to_owned(),
            severity: text("severity").to_owned(),
            detail: detail.chars().take(LONGEST).collect(),
        }
    }
}

/// The text with `…` for whatever stands before an `@`, as far as an address would reach.
fn without_local_parts(text: &str) -> String {
    let text = text.replace("%40", "@");
    let mut parts: Vec<&str> = text.split('@').collect();
    let Some(last) = parts.pop() else { return text };
    let mut masked = String::with_capacity(text.len());
    for part in parts {
        let begins = match part.strip_suffix('"') {
            Some(quoted) => quoted.rfind('"'),
            None => part
                .rfind(|c: char| c.is_whitespace() || matches!(c, '<' | '(' | '[' | ',' | ';'))
                .map(|at| at + part[at..].chars().next().map_or(0, char::len_utf8)),
        };
        masked.push_str(part.get(..begins.unwrap_or(0)).unwrap_or_default());
        masked.push_str("…@");
    }
    masked + last
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    #[test]
    fn no_local_part_of_an_address_is_left_in_a_text() {
        for (text, expected) in [
            ("no address", "no address"),
            ("Shown is ann@example.com, sent by bob@example.net.", "Shown is …@example.com, sent by …@example.net."),
            ("<ann@example.com>", "<…@example.com>"),
            ("ann@", "…@"),
            ("to \"ann doe\"@example.com", "to …@example.com"),
            ("mailto:ann%40example.com", "…@example.com"),
            ("a@b@c", "…@…@c"),
            ("für\u{3000}än@example.com", "für\u{3000}…@example.com"),
        ] {
            assert_eq!(without_local_parts(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_was_counted_is_not_forgotten() {
        let mut recent = Recent::default();
        let findings: Vec<Value> =
            (0..40).map(|_| json!({"code": "c", "severity": "info", "detail": "x".repeat(9_000)})).collect();
        let report = json!({"disposition": "reject", "from_domain": "a.example", "findings": findings});
        for _ in 0..100 {
            Seen::message(&report, UNIX_EPOCH).into_iter().for_each(|seen| recent.remember(seen));
        }
        assert_eq!((recent.rows.len(), recent.outcomes["reject"]), (ROWS, 100));
        let newest = &recent.rows[0];
        assert_eq!((newest.number, newest.why.len(), newest.more), (100, MOST_WHY, 40 - MOST_WHY));
        assert_eq!(newest.why[0].detail.len(), LONGEST);
    }

    #[test]
    fn what_is_no_judgement_is_no_row() {
        assert_eq!(Seen::verdict(&json!({"status": 429, "title": "too many"}), UNIX_EPOCH), None);
        assert_eq!(Seen::message(&Value::Null, UNIX_EPOCH), None);
    }
}
