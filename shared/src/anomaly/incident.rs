//! Judgements into incidents: opened once, updated when they grow worse, closed when the series has been calm for an hour.
//!
//! Deterministic and idempotent: a bucket that was already taken changes nothing, and a scan that begins again with an older
//! state comes to the same events. What people are told of is a group of these incidents (`alert_group`).

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{Channel, Judgement, Kind, Reading};
use crate::bucket::Bucket;

/// The score from which on a bucket is suspicious.
pub const THRESHOLD: f64 = 0.5;
/// The score that opens an incident without a second suspicious bucket.
const OPEN_AT_ONCE: f64 = 0.62;
/// The part of the threshold below which a bucket is calm.
const CALM: f64 = 0.6;
/// Calm buckets in a row, observed ones, that close an incident: one hour.
const CALM_TO_CLOSE: u32 = 12;
/// Buckets without observation that close an incident, since nobody can say any longer that it goes on: three hours.
const GAP_TO_CLOSE: u32 = 36;
/// The last three buckets, one bit each.
const LAST_THREE: u8 = 0b111;

/// What is kept of a series between buckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The last bucket taken.
    pub last: Bucket,
    /// Which of the last three buckets were suspicious, the latest in the lowest bit.
    suspicious: u8,
    pub incident: Option<Incident>,
}

/// Something unusual that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Names series and kind: 32 hexadecimal digits of a SHA-256.
    pub fingerprint: String,
    pub kind: Kind,
    pub channel: Channel,
    pub severity: Severity,
    /// The bucket that opened it.
    pub opened: Bucket,
    /// Expected and actual value and score of the worst bucket.
    pub expected: f64,
    pub actual: f64,
    pub score: f64,
    /// Calm buckets in a row so far.
    calm: u32,
}

/// Ordered: the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Opened,
    Updated,
    Closed,
}

/// A change of an incident that somebody is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEvent {
    pub state: State,
    /// The bucket in which it changed.
    pub bucket: Bucket,
    /// The incident as it is after the change.
    pub incident: Incident,
    /// What else stands out in that bucket, the most unusual first.
    pub contributors: Vec<Reading>,
}

/// What one bucket leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// To be stored for the next bucket; `None` = nothing to remember.
    pub watch: Option<Watch>,
    pub event: Option<AlertEvent>,
}

impl Severity {
    #[must_use]
    pub fn of(score: f64) -> Self {
        match score {
            score if score >= 0.85 => Self::Critical,
            score if score >= 0.75 => Self::High,
            score if score >= 0.62 => Self::Medium,
            _ => Self::Low,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
        }
    }
}

/// Takes the judgement of the next bucket of `series`.
#[must_use]
pub fn step(watch: Option<&Watch>, series: &str, judgement: &Judgement, bucket: Bucket) -> Step {
    match watch {
        None if judgement.score() < THRESHOLD => Step { watch: None, event: None },
        None => Watch { last: bucket, suspicious: 0, incident: None }.take(series, judgement, bucket),
        Some(watch) if bucket <= watch.last => Step { watch: Some(watch.clone()), event: None },
        Some(watch) => watch.clone().take(series, judgement, bucket),
    }
}

impl Watch {
    /// Closes an incident of a series that has not been observed for so long before `now` that nobody can say it goes on.
    #[must_use]
    pub fn close_if_stale(mut self, now: Bucket) -> Step {
        let event = self.close_after_gap(now);
        Step { watch: Some(self), event }
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.incident.is_none() && self.suspicious == 0
    }

    fn take(mut self, series: &str, judgement: &Judgement, bucket: Bucket) -> Step {
        let closed = self.close_after_gap(bucket);
        self.last = bucket;
        self.suspicious = (self.suspicious << 1 | u8::from(judgement.score() >= THRESHOLD)) & LAST_THREE;
        // One event per bucket: if trouble goes on after the gap, the next bucket opens a new incident.
        let event = closed.or_else(|| match self.incident.take() {
            Some(incident) => self.go_on(incident, judgement, bucket),
            None => self.open(series, judgement, bucket),
        });
        Step { watch: Some(self), event }
    }

    fn close_after_gap(&mut self, now: Bucket) -> Option<AlertEvent> {
        if now.since(self.last) <= GAP_TO_CLOSE {
            return None;
        }
        self.suspicious = 0;
        let incident = self.incident.take()?;
        // The time of the last observation, not of the scan that noticed: a repetition must name it the same.
        Some(event(State::Closed, self.last.next(), incident, &Judgement::default()))
    }

    fn open(&mut self, series: &str, judgement: &Judgement, bucket: Bucket) -> Option<AlertEvent> {
        let headline = judgement.headline().filter(|_| judgement.score() >= THRESHOLD)?;
        if judgement.score() < OPEN_AT_ONCE && self.suspicious.count_ones() < 2 {
            return None;
        }
        let incident = Incident::opened(series, headline, judgement.score(), bucket);
        self.incident = Some(incident.clone());
        Some(event(State::Opened, bucket, incident, judgement))
    }

    fn go_on(&mut self, mut incident: Incident, judgement: &Judgement, bucket: Bucket) -> Option<AlertEvent> {
        incident.calm = if judgement.score() < CALM * THRESHOLD { incident.calm + 1 } else { 0 };
        if incident.calm >= CALM_TO_CLOSE {
            return Some(event(State::Closed, bucket, incident, judgement));
        }
        let worse = incident.grow(judgement);
        self.incident = Some(incident.clone());
        worse.then(|| event(State::Updated, bucket, incident, judgement))
    }
}

impl Incident {
    fn opened(series: &str, headline: &Reading, score: f64, bucket: Bucket) -> Self {
        Self {
            fingerprint: fingerprint(series, headline.kind),
            kind: headline.kind,
            channel: headline.channel,
            severity: Severity::of(score),
            opened: bucket,
            expected: headline.expected,
            actual: headline.actual,
            score,
            calm: 0,
        }
    }

    /// Remembers the worst bucket; true when that raised the severity.
    fn grow(&mut self, judgement: &Judgement) -> bool {
        if judgement.score() > self.score {
            self.score = judgement.score();
            let same_channel = judgement.readings.iter().find(|reading| reading.channel == self.channel);
            (self.expected, self.actual) =
                same_channel.map_or((self.expected, self.actual), |it| (it.expected, it.actual));
        }
        let before = self.severity;
        self.severity = before.max(Severity::of(self.score));
        before < self.severity
    }
}

fn event(state: State, bucket: Bucket, incident: Incident, judgement: &Judgement) -> AlertEvent {
    let others = judgement.readings.iter().filter(|reading| reading.channel != incident.channel);
    let contributors = others.filter(|reading| reading.score >= CALM * THRESHOLD).copied().collect();
    AlertEvent { state, bucket, incident, contributors }
}

/// Series and kind as 32 hexadecimal digits. A digest, since clients have a say in the name of a series.
pub(crate) fn fingerprint(series: &str, kind: Kind) -> String {
    let digest = digest(&SHA256, format!("{series}\n{}", kind.as_str()).as_bytes());
    let head = digest.as_ref().first_chunk().expect("SHA-256 has 32 octets");
    format!("{:032x}", u128::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_984_640 + index).expect("in range")
    }

    fn judged(score: f64) -> Judgement {
        let (channel, kind) = (Channel::Total, Kind::Flood);
        Judgement { readings: vec![Reading { channel, kind, expected: 10.0, actual: 500.0 * score, z: 9.0, score }] }
    }

    /// Steps through scores, one a bucket, and notes what happened in which.
    fn events(scores: &[f64]) -> Vec<(u32, State, Severity)> {
        let mut watch = None;
        let mut events = Vec::new();
        for (index, &score) in (0..).zip(scores) {
            let step = step(watch.as_ref(), "signup/k1", &judged(score), bucket(index));
            events.extend(step.event.map(|event| (index, event.state, event.incident.severity)));
            watch = step.watch;
        }
        events
    }

    #[test]
    fn an_incident_opens_at_a_high_score_or_at_two_suspicious_buckets_of_three() {
        use Severity::{Low, Medium};
        for (scores, expected) in [
            (vec![0.4, 0.49, 0.0], vec![]),
            (vec![0.55, 0.1, 0.1, 0.55], vec![]),
            (vec![0.55, 0.1, 0.55], vec![(2, State::Opened, Low)]),
            (vec![0.55, 0.55], vec![(1, State::Opened, Low)]),
            (vec![0.65], vec![(0, State::Opened, Medium)]),
        ] {
            assert_eq!(events(&scores), expected, "{scores:?}");
        }
    }

    #[test]
    fn it_is_updated_when_its_severity_grows_and_not_otherwise() {
        let expected = vec![(0, State::Opened, Severity::Medium), (3, State::Updated, Severity::Critical)];
        assert_eq!(events(&[0.65, 0.7, 0.5, 0.9, 0.95, 0.8]), expected);
    }

    #[test]
    fn it_closes_after_an_hour_of_calm_in_a_row() {
        let calm = [0.29; 12];
        let opened = (0, State::Opened, Severity::Medium);
        let (eleven, doubtful) = ([[0.65].as_slice(), &calm[..11]].concat(), [0.3]);
        assert_eq!(events(&eleven), [opened]);
        assert_eq!(events(&[[0.65].as_slice(), &calm].concat()), [opened, (12, State::Closed, Severity::Medium)]);
        assert_eq!(
            events(&[eleven.as_slice(), &doubtful, &calm].concat()),
            [opened, (24, State::Closed, Severity::Medium)]
        );
    }

    #[test]
    fn a_gap_of_more_than_three_hours_closes_it_at_the_last_observation() {
        let open = step(None, "signup/k1", &judged(0.9), bucket(0)).watch.expect("an incident");
        assert_eq!(open.clone().close_if_stale(bucket(36)).event, None);
        for step in [open.clone().close_if_stale(bucket(37)), step(Some(&open), "signup/k1", &judged(0.0), bucket(99))]
        {
            let event = step.event.expect("closed");
            assert_eq!((event.state, event.bucket), (State::Closed, bucket(1)));
            assert_eq!(step.watch.expect("remembered").incident, None);
        }
    }

    #[test]
    fn a_window_taken_twice_changes_nothing() {
        let once = step(None, "signup/k1", &judged(0.9), bucket(5)).watch;
        for index in 0..=5 {
            let again = step(once.as_ref(), "signup/k1", &judged(1.0), bucket(index));
            assert_eq!((again.watch, again.event), (once.clone(), None));
        }
    }

    #[test]
    fn a_fingerprint_names_series_and_kind() {
        let opened = |series, at| step(None, series, &judged(0.9), bucket(at)).event.expect("opened");
        let (first, later, other) = (opened("signup/k1", 0), opened("signup/k1", 30), opened("signup/k2", 0));
        assert_eq!(first.incident.fingerprint, later.incident.fingerprint);
        assert_ne!(first.incident.fingerprint, other.incident.fingerprint);
    }
}
