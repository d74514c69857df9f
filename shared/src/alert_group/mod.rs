//! An incident as people are told of it: the series that got into trouble together, and what was said about them so far.
//!
//! Each series has an incident of its own (`anomaly::incident`), which opens and closes by that series alone. What opens
//! together, in one flow or for one client, is one group with one fingerprint, and people are told of the group. All of it is pure:
//! the caller stores a changed group, the states of its series and the alert in one transaction.

mod gather;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use gather::{Gathering, Opened, Sizes};

use crate::{
    anomaly::{Channel, Incident, Kind, Severity, State, fingerprint},
    bucket::Bucket,
    calendar::Calendar,
};

/// Series that one group follows; more of them are counted and not followed.
const MOST_MEMBERS: usize = 500;

/// Openings of one fingerprint that people are told of in a day; it has to get worse to be told of again.
const OPENINGS_A_DAY: usize = 4;

const DAY: u32 = 288;

/// One incident that people are told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertGroup {
    /// Names scope and kind: 32 hexadecimal digits of a SHA-256.
    pub fingerprint: String,
    pub scope: Scope,
    pub kind: Kind,
    pub severity: Severity,
    /// The bucket that opened it.
    pub opened: Bucket,
    /// The bucket after which the last of its series was calm; `None` while it is open.
    pub closed: Option<Bucket>,
    /// The series that is worst, and what was seen there.
    pub lead: String,
    pub worst: Worst,
    pub members: BTreeMap<String, Member>,
    /// Series beyond those that are followed.
    pub more_members: u32,
    /// When the last series joined.
    pub last_joined: Bucket,
    /// Of the last change that people were told of.
    pub sequence: u32,
    /// What people know; `None` while they were told nothing.
    pub told: Option<Told>,
    /// Openings of this fingerprint within a day that people were told of.
    openings: Vec<Bucket>,
}

/// What has to be in trouble to belong to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Series(String),
    /// Every series of a flow: `signup/*`.
    Flow(String),
    /// Every series of a client or domain: `*/k1`.
    Of(String),
    All,
}

/// The worst bucket of the worst series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    pub channel: Channel,
    pub expected: f64,
    pub actual: f64,
    pub score: f64,
}

/// One series of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub since: Bucket,
    pub until: Option<Bucket>,
    pub kind: Kind,
    pub worst: Worst,
}

/// What people were told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    severity: Severity,
    members: usize,
}

impl Scope {
    #[must_use]
    pub fn covers(&self, series: &str) -> bool {
        let (flow, of) = series.split_once('/').unwrap_or((series, ""));
        match self {
            Self::Series(name) => name == series,
            Self::Flow(name) => name == flow,
            Self::Of(name) => name == of,
            Self::All => true,
        }
    }

    /// As a pattern of series: `signup/k1`, `signup/*`, `*/k1` or `*/*`.
    #[must_use]
    pub fn pattern(&self) -> String {
        match self {
            Self::Series(name) => name.clone(),
            Self::Flow(flow) => format!("{flow}/*"),
            Self::Of(of) => format!("*/{of}"),
            Self::All => "*/*".to_owned(),
        }
    }
}

impl Worst {
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let Incident { channel, expected, actual, score, .. } = *incident;
        Self { channel, expected, actual, score }
    }
}

impl AlertGroup {
    fn opened(scope: Scope, opened: &Opened<'_>) -> Self {
        let Opened { series, bucket, incident } = *opened;
        let mut group = Self {
            fingerprint: fingerprint(&scope.pattern(), incident.kind),
            scope,
            kind: incident.kind,
            severity: incident.severity,
            opened: bucket,
            closed: None,
            lead: series.to_owned(),
            worst: Worst::of(incident),
            members: BTreeMap::new(),
            more_members: 0,
            last_joined: bucket,
            sequence: 0,
            told: None,
            openings: Vec::new(),
        };
        group.join(opened);
        group
    }

    /// The same incident again: it goes on where the numbers of the one before ended.
    fn reopened(self, earlier: &Self) -> Self {
        Self { sequence: earlier.sequence, openings: earlier.openings.clone(), ..self }
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    fn join(&mut self, opened: &Opened<'_>) {
        let Opened { series, bucket, incident } = *opened;
        self.last_joined = self.last_joined.max(bucket);
        self.opened = self.opened.min(bucket);
        if MOST_MEMBERS <= self.members.len() && !self.members.contains_key(series) {
            self.more_members = self.more_members.saturating_add(1);
            return;
        }
        let member = Member { since: bucket, until: None, kind: incident.kind, worst: Worst::of(incident) };
        self.members.insert(series.to_owned(), member);
        self.grow(series, incident);
    }

    fn grow(&mut self, series: &str, incident: &Incident) {
        self.severity = self.severity.max(incident.severity);
        if self.worst.score < incident.score {
            self.worst = Worst::of(incident);
            series.clone_into(&mut self.lead);
        }
    }

    fn update(&mut self, series: &str, incident: &Incident) {
        if let Some(member) = self.members.get_mut(series) {
            member.worst = Worst::of(incident);
            self.grow(series, incident);
        }
    }

    /// Ends with the last series that it follows.
    fn close(&mut self, series: &str, bucket: Bucket) {
        if let Some(member) = self.members.get_mut(series) {
            member.until = Some(bucket);
        }
        if self.members.values().all(|member| member.until.is_some()) {
            self.closed = self.members.values().filter_map(|member| member.until).max();
        }
    }

    /// Whether the state of the group is news, and notes that people were told.
    ///
    /// Told are the opening, once it is not silenced and does not flap; that it grew worse, or to twice as many series; and the end of
    /// what they were told of. `None`: nothing to tell, now.
    pub fn announce(&mut self, bucket: Bucket, calendar: &Calendar) -> Option<State> {
        let state = self.news(bucket, calendar)?;
        // Nothing is left to be said of what people know to be over.
        let is_over = state == State::Closed;
        self.told = (!is_over).then_some(Told { severity: self.severity, members: self.members.len() });
        self.sequence = u32::from(bucket).max(self.sequence.saturating_add(1));
        if state == State::Opened {
            self.openings.retain(|opening| bucket.since(*opening) < DAY);
            self.openings.push(bucket);
        }
        Some(state)
    }

    fn news(&self, bucket: Bucket, calendar: &Calendar) -> Option<State> {
        match (self.told, self.closed) {
            (None, Some(_)) => None,
            (None, None) if self.is_silenced(bucket, calendar) || self.flaps(bucket) => None,
            (None, None) => Some(State::Opened),
            (Some(_), Some(_)) => Some(State::Closed),
            (Some(told), None) => {
                let has_grown = told.severity < self.severity || 2 * told.members <= self.members.len();
                (has_grown && !self.is_silenced(bucket, calendar)).then_some(State::Updated)
            }
        }
    }

    /// Whether the next opening is only told of when it is worse than usual.
    #[must_use]
    pub fn flaps(&self, bucket: Bucket) -> bool {
        let today = self.openings.iter().filter(|opening| bucket.since(**opening) < DAY).count();
        OPENINGS_A_DAY <= today && self.severity < Severity::Critical
    }

    fn is_silenced(&self, bucket: Bucket, calendar: &Calendar) -> bool {
        let mut troubled = self.members.iter().filter(|(_, member)| member.until.is_none());
        !calendar.entries.is_empty() && troubled.all(|(series, _)| calendar.silences(series, bucket))
    }

    /// Openings that people were told of in the hour before `bucket`.
    fn openings_within_an_hour(&self, bucket: Bucket) -> usize {
        self.openings.iter().filter(|opening| bucket.since(**opening) < 12).count()
    }

    /// Unique over the life of a fingerprint, since sequences only grow.
    #[must_use]
    pub fn dedup_id(&self, state: State) -> String {
        format!("{}:{}:{}", self.fingerprint, state.as_str(), self.sequence)
    }
}

#[cfg(test)]
mod tests;
