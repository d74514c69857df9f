//! A change of an incident as an SNS message: JSON for machines, short texts with a sparkline for people, and a page.

mod page;
mod text;

use serde::Serialize;
use serde_json::Value;

pub use text::sparkline;

use crate::{
    activity::part::{Subject, flow_of},
    alert_group::{AlertGroup, Scope},
    anomaly::{AlertEvent, Channel, Kind, Reading, Severity, State},
    bucket::Bucket,
    chart::Charted,
    ocsf::Finding,
};

/// Version of the `default` message; consumers may rely on the fields of their version.
const VERSION: u32 = 1;
/// Characters of a name that comes from clients or strangers. All else in a message is bounded by its type or by number, so that a
/// message stays far below SNS's 256 KiB.
const LONGEST_NAME: usize = 256;
/// Characters of such a name in texts for people.
const LONGEST_NAME_IN_TEXT: usize = 48;
/// Characters in an SNS subject.
const LONGEST_SUBJECT: usize = 100;
/// Contributors of one sort that are named.
const MOST_NAMED: usize = 10;
/// Where incident pages lie in the bucket.
pub const PAGES: &str = "incidents/";

/// What is published when an incident opens, grows worse or closes.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    group: AlertGroup,
    state: State,
    /// The bucket in which it changed.
    bucket: Bucket,
    contributors: Vec<Contributor>,
    /// Of the series that is worst.
    chart: Vec<Charted>,
    page_key: Option<String>,
}

/// Who or what has a part in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Contributor {
    /// Another channel of the worst series.
    Channel { channel: Channel, kind: Kind, expected: f64, actual: f64, score: f64 },
    /// Another series of the incident, the worst first.
    Series { name: String, kind: Kind, channel: Channel, expected: f64, actual: f64, score: f64, since: String },
    /// More series than are named.
    MoreSeries { count: usize },
    /// A domain that was asked about or that mail came from, with its part of the worst series in the latest bucket.
    Domain { name: String, count: u64, share: f64 },
    /// A network that requests came from, likewise.
    Network { name: String, count: u64, share: f64 },
}

/// Names with counts, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    pub domains: Vec<(String, u64)>,
    pub networks: Vec<(String, u64)>,
    /// All that were counted, named or not.
    pub total: u64,
}

/// What an SNS message with `MessageStructure: json` holds.
#[derive(Serialize)]
struct Message {
    default: String,
    email: String,
    sms: String,
}

#[derive(Serialize)]
struct Facts<'a> {
    version: u32,
    dedup_id: String,
    fingerprint: &'a str,
    state: State,
    kind: Kind,
    severity: Severity,
    series: String,
    channel: Channel,
    window: Window,
    expected: f64,
    actual: f64,
    score: f64,
    first_seen: String,
    contributors: &'a [Contributor],
    runbook: String,
    page_key: Option<&'a str>,
}

/// From the start of the opening bucket to the end of the latest, RFC 3339.
#[derive(Serialize)]
struct Window {
    start: String,
    end: String,
}

impl Alert {
    /// `latest` is the change of the worst series in this step, if it is known; `chart` has its latest buckets, oldest first.
    #[must_use]
    pub fn new(
        group: &AlertGroup,
        state: State,
        bucket: Bucket,
        latest: Option<&AlertEvent>,
        sources: &Sources,
        chart: Vec<Charted>,
    ) -> Self {
        let readings = latest.map(|event| event.contributors.as_slice()).unwrap_or_default();
        let mut contributors: Vec<Contributor> = sources.contributors().collect();
        contributors.extend(readings.iter().map(Contributor::from));
        contributors.extend(others(group));
        Self { group: group.clone(), state, bucket, contributors, chart, page_key: None }
    }

    /// The same for a SIEM, as an OCSF detection finding.
    #[must_use]
    pub fn finding(&self) -> Value {
        let named = |wanted: fn(&Contributor) -> Option<&str>| self.contributors.iter().filter_map(wanted).collect();
        let finding = Finding {
            dedup_id: self.dedup_id(),
            fingerprint: &self.group.fingerprint,
            state: self.state,
            severity: self.group.severity,
            kind: self.group.kind.as_str(),
            title: self.headline(),
            message: format!("{}: {}", self.headline(), self.comparison()),
            opened: self.group.opened,
            end: self.end(),
            score: self.group.worst.score,
            domains: named(|it| if let Contributor::Domain { name, .. } = it { Some(name) } else { None }),
            networks: named(|it| if let Contributor::Network { name, .. } = it { Some(name) } else { None }),
            facts: serde_json::to_value(self.facts()).unwrap_or_default(),
        };
        finding.event()
    }

    /// Where the page of this incident is put: one for each opening, and every change replaces it.
    #[must_use]
    pub fn page_key_to_be(&self) -> String {
        page_key(&self.group)
    }

    /// The same alert, which says where its page is.
    #[must_use]
    pub fn with_page(self, key: String) -> Self {
        Self { page_key: Some(key), ..self }
    }

    /// The page: one file of HTML without anything outside of it.
    #[must_use]
    pub fn page(&self) -> String {
        page::render(self)
    }

    #[must_use]
    pub fn dedup_id(&self) -> String {
        self.group.dedup_id(self.state)
    }

    /// Orders the alerts of all series by time.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.group.sequence
    }

    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// SNS message attributes, all of type `String`, for subscription filters.
    #[must_use]
    pub fn attributes(&self) -> [(&'static str, String); 4] {
        [
            ("kind", self.group.kind.as_str().to_owned()),
            ("severity", self.group.severity.as_str().to_owned()),
            ("state", self.state.as_str().to_owned()),
            ("flow", self.flow().to_owned()),
        ]
    }

    /// The SNS message, for `MessageStructure: json`.
    #[must_use]
    pub fn message_json(&self) -> String {
        let default = json(&self.facts());
        json(&Message { default, email: self.email(), sms: self.sms() })
    }

    fn facts(&self) -> Facts<'_> {
        let AlertGroup { fingerprint, kind, severity, opened, worst, .. } = &self.group;
        Facts {
            version: VERSION,
            dedup_id: self.dedup_id(),
            fingerprint,
            state: self.state,
            kind: *kind,
            severity: *severity,
            series: bounded(&self.group.scope.pattern()),
            channel: worst.channel,
            window: Window { start: opened.rfc3339(), end: self.end().rfc3339() },
            expected: worst.expected,
            actual: worst.actual,
            score: worst.score,
            first_seen: opened.rfc3339(),
            contributors: &self.contributors,
            runbook: self.runbook(),
            page_key: self.page_key.as_deref(),
        }
    }

    /// The flow of the series, if it is one and a word that a filter can hold. What is a part of the traffic goes with the traffic.
    fn flow(&self) -> &str {
        let flow = match &self.group.scope {
            Scope::Series(series) => flow_of(series),
            Scope::Flow(flow) => flow_of(flow),
            Scope::Of(_) | Scope::All => self.flow_of_members().unwrap_or("several"),
        };
        let is_word = flow.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_word && !flow.is_empty() { flow } else { "other" }
    }

    fn flow_of_members(&self) -> Option<&str> {
        let names = || self.group.members.keys().map(String::as_str);
        let mut flows = names().filter(|name| !Subject::of(name).is_derived()).map(flow_of);
        let first = flows.next().or_else(|| names().next().map(flow_of))?;
        flows.all(|flow| flow == first).then_some(first)
    }

    /// The end of the latest bucket.
    fn end(&self) -> Bucket {
        self.bucket.next()
    }

    fn runbook(&self) -> String {
        format!("docs/RUNBOOK.md#{}", self.group.kind.as_str())
    }
}

/// Where the page of an incident lies.
#[must_use]
pub fn page_key(group: &AlertGroup) -> String {
    format!("{PAGES}{}-{}.html", group.fingerprint, u32::from(group.opened))
}

/// The other series of a group, the worst first, and how many more there are.
fn others(group: &AlertGroup) -> Vec<Contributor> {
    let mut members: Vec<_> = group.members.iter().filter(|(name, _)| **name != group.lead).collect();
    members.sort_by(|(_, a), (_, b)| b.worst.score.total_cmp(&a.worst.score));
    let named = members.iter().take(MOST_NAMED).map(|(name, member)| Contributor::Series {
        name: bounded(name),
        kind: member.kind,
        channel: member.worst.channel,
        expected: member.worst.expected,
        actual: member.worst.actual,
        score: member.worst.score,
        since: member.since.rfc3339(),
    });
    let more = members.len().saturating_sub(MOST_NAMED) + usize::try_from(group.more_members).unwrap_or(usize::MAX);
    named.chain((0 < more).then_some(Contributor::MoreSeries { count: more })).collect()
}

impl Sources {
    fn contributors(&self) -> impl Iterator<Item = Contributor> + '_ {
        let domains = self.domains.iter().take(MOST_NAMED).map(|(name, count)| {
            let (name, share) = (bounded(name), self.share(*count));
            Contributor::Domain { name, count: *count, share }
        });
        let networks = self.networks.iter().take(MOST_NAMED).map(|(name, count)| {
            let (name, share) = (bounded(name), self.share(*count));
            Contributor::Network { name, count: *count, share }
        });
        domains.chain(networks)
    }

    #[expect(clippy::cast_precision_loss, reason = "no counter of five minutes reaches 2^52")]
    fn share(&self, count: u64) -> f64 {
        let share = count as f64 / self.total.max(count).max(1) as f64;
        (share * 1000.0).round() / 1000.0
    }
}

impl From<&Reading> for Contributor {
    fn from(reading: &Reading) -> Self {
        let Reading { channel, kind, expected, actual, score, .. } = *reading;
        Self::Channel { channel, kind, expected, actual, score }
    }
}

fn bounded(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// Names come from clients and strangers: no control characters, no line breaks, no bidirectional tricks.
fn printable(name: &str) -> String {
    let printable = |sign: char| if sign.is_ascii_graphic() { sign } else { '?' };
    name.chars().take(LONGEST_NAME_IN_TEXT).map(printable).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("no maps with keys that are not strings, nothing that fails by itself")
}

#[cfg(test)]
mod tests;
