//! A change of an incident as an SNS message: JSON for machines, short texts with a sparkline for people.

use serde::Serialize;

use crate::anomaly::{AlertEvent, Channel, Incident, Kind, Reading, Severity, State};
use crate::bucket::Bucket;

/// Version of the `default` message; consumers may rely on the fields of their version.
const VERSION: u32 = 1;
/// Characters of a series name that are sent. All else in a message is bounded by its type, so that a message stays far
/// below SNS's 256 KiB.
const LONGEST_SERIES: usize = 256;
/// Characters of a series name in texts for people.
const LONGEST_SERIES_IN_TEXT: usize = 48;
/// Characters in an SNS subject.
const LONGEST_SUBJECT: usize = 100;
/// Buckets in a sparkline: two hours.
const SPARKLINE: usize = 24;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is published when an incident opens, grows worse or closes.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    series: String,
    event: AlertEvent,
    recent: Vec<f64>,
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
    series: &'a str,
    channel: Channel,
    window: Window,
    expected: f64,
    actual: f64,
    score: f64,
    first_seen: String,
    contributors: Vec<Contributor>,
    runbook: String,
    page_key: Option<&'a str>,
}

/// From the start of the opening bucket to the end of the latest, RFC 3339.
#[derive(Serialize)]
struct Window {
    start: String,
    end: String,
}

#[derive(Serialize)]
struct Contributor {
    channel: Channel,
    kind: Kind,
    expected: f64,
    actual: f64,
    score: f64,
}

impl Alert {
    /// `recent` are the latest totals of the series, oldest first; the last two hours are drawn.
    #[must_use]
    pub fn new(series: &str, event: AlertEvent, recent: &[f64]) -> Self {
        let recent = recent.iter().copied().skip(recent.len().saturating_sub(SPARKLINE)).collect();
        Self { series: series.chars().take(LONGEST_SERIES).collect(), event, recent }
    }

    #[must_use]
    pub fn dedup_id(&self) -> String {
        self.event.dedup_id()
    }

    /// Orders the alerts of all series by time.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.event.sequence()
    }

    /// At most 100 printable ASCII characters, as SNS demands.
    #[must_use]
    pub fn subject(&self) -> String {
        let Incident { severity, kind, .. } = &self.event.incident;
        let state = self.event.state.as_str();
        let subject = format!("[{}] {} {state}: {}", severity.as_str(), kind.as_str(), self.printable_series());
        subject.chars().take(LONGEST_SUBJECT).collect()
    }

    /// SNS message attributes, all of type `String`, for subscription filters.
    #[must_use]
    pub fn attributes(&self) -> [(&'static str, String); 4] {
        let Incident { severity, kind, .. } = &self.event.incident;
        [
            ("kind", kind.as_str().to_owned()),
            ("severity", severity.as_str().to_owned()),
            ("state", self.event.state.as_str().to_owned()),
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
        let Incident { fingerprint, kind, channel, severity, opened, expected, actual, score, .. } =
            &self.event.incident;
        Facts {
            version: VERSION,
            dedup_id: self.dedup_id(),
            fingerprint,
            state: self.event.state,
            kind: *kind,
            severity: *severity,
            series: &self.series,
            channel: *channel,
            window: Window { start: opened.rfc3339(), end: self.end().rfc3339() },
            expected: *expected,
            actual: *actual,
            score: *score,
            first_seen: opened.rfc3339(),
            contributors: self.event.contributors.iter().map(Contributor::from).collect(),
            runbook: self.runbook(),
            page_key: None,
        }
    }

    fn email(&self) -> String {
        let Incident { kind, channel, severity, opened, expected, actual, .. } = &self.event.incident;
        let (kind, severity, channel) = (kind.as_str(), severity.as_str(), channel.as_str());
        let (state, series, chart) = (self.event.state.as_str(), self.printable_series(), sparkline(&self.recent));
        let (end, runbook, dedup_id) = (self.end(), self.runbook(), self.dedup_id());
        format!(
            "{kind} {state}, severity {severity}\n\nSeries:   {series}\nWindow:   {opened} to {end} UTC\n\
             Worst:    {channel} {actual:.0}, expected {expected:.1}\nTraffic:  {chart}\n\n\
             Runbook:  {runbook}\nDedup id: {dedup_id}\n"
        )
    }

    fn sms(&self) -> String {
        let Incident { kind, severity, channel, expected, actual, .. } = &self.event.incident;
        let (kind, severity, channel) = (kind.as_str(), severity.as_str(), channel.as_str());
        let (state, series, chart) = (self.event.state.as_str(), self.printable_series(), sparkline(&self.recent));
        format!("{severity} {kind} {state}: {series} {channel} {actual:.0}, expected {expected:.1} {chart}")
    }

    /// The part of the series name before the slash, if it is a word that a filter can hold.
    fn flow(&self) -> &str {
        let flow = self.series.split('/').next().unwrap_or_default();
        let is_word = flow.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_word && !flow.is_empty() { flow } else { "other" }
    }

    /// The end of the latest bucket.
    fn end(&self) -> Bucket {
        self.event.bucket.next()
    }

    fn runbook(&self) -> String {
        format!("docs/RUNBOOK.md#{}", self.event.incident.kind.as_str())
    }

    /// Clients have a say in the name of a series: no control characters, no line breaks, no bidirectional tricks.
    fn printable_series(&self) -> String {
        let printable = |sign: char| if sign.is_ascii_graphic() { sign } else { '?' };
        self.series.chars().take(LONGEST_SERIES_IN_TEXT).map(printable).collect()
    }
}

impl From<&Reading> for Contributor {
    fn from(reading: &Reading) -> Self {
        let Reading { channel, kind, expected, actual, score, .. } = *reading;
        Self { channel, kind, expected, actual, score }
    }
}

/// One bar per value, from zero to the largest; a value that was not counted is a gap.
#[must_use]
pub fn sparkline(values: &[f64]) -> String {
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    values.iter().map(|&value| if value.is_finite() { bar(value, largest) } else { ' ' }).collect()
}

fn bar(value: f64, largest: f64) -> char {
    let eighths = if largest > 0.0 { value.max(0.0) / largest * 7.0 } else { 0.0 };
    let height = (0..7_u8).filter(|&step| f64::from(step) + 0.5 <= eighths).count();
    BARS.get(height).copied().unwrap_or(' ')
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("no maps with keys that are not strings, nothing that fails by itself")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::anomaly::{Judgement, step};

    fn flood() -> Reading {
        let (channel, kind) = (Channel::Total, Kind::Flood);
        Reading { channel, kind, expected: 12.25, actual: 512.0, z: 30.0, score: 0.8 }
    }

    fn opened(series: &str) -> Alert {
        let failures = Reading { channel: Channel::AuthFail, kind: Kind::AuthFailSurge, score: 0.5, ..flood() };
        let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
        let step = step(None, series, &Judgement { readings: vec![flood(), failures] }, bucket);
        Alert::new(series, step.event.expect("0.8 opens at once"), &[1.0, 2.0, f64::NAN, 8.0])
    }

    fn message(alert: &Alert) -> (Value, Value) {
        let message: Value = serde_json::from_str(&alert.message_json()).expect("JSON");
        let default = serde_json::from_str(message["default"].as_str().expect("a string")).expect("JSON in JSON");
        (message, default)
    }

    #[test]
    fn machines_get_every_field_of_the_contract() {
        let (_, mut default) = message(&opened("signup/k1"));
        let fingerprint = default["fingerprint"].as_str().expect("a string").to_owned();
        assert_eq!(default["dedup_id"], format!("{fingerprint}:opened:5984666"));
        let fields = default.as_object_mut().expect("an object");
        fields.retain(|name, _| name != "dedup_id" && name != "fingerprint");
        assert_eq!(
            default,
            json!({
                "version": 1, "state": "opened", "kind": "flood", "severity": "high", "series": "signup/k1",
                "channel": "total", "window": {"start": "2026-11-23T02:10:00Z", "end": "2026-11-23T02:15:00Z"},
                "expected": 12.25, "actual": 512.0, "score": 0.8, "first_seen": "2026-11-23T02:10:00Z",
                "contributors": [
                    {"channel": "auth_fail", "kind": "auth_fail_surge", "expected": 12.25, "actual": 512.0, "score": 0.5}
                ],
                "runbook": "docs/RUNBOOK.md#flood", "page_key": null
            })
        );
    }

    #[test]
    fn people_get_a_short_text_with_a_chart() {
        let (message, _) = message(&opened("signup/k1"));
        assert_eq!(message["sms"], "high flood opened: signup/k1 total 512, expected 12.2 ▂▃ █");
        let email = message["email"].as_str().expect("a string");
        assert!(email.starts_with("flood opened, severity high\n\nSeries:   signup/k1\n"), "{email}");
    }

    #[test]
    fn filters_get_kind_severity_state_and_flow() {
        for (series, flow) in [("inbound/example.com", "inbound"), ("Sign up/x", "other"), ("", "other")] {
            let attributes = opened(series).attributes().map(|(name, value)| format!("{name}={value}")).join(" ");
            assert_eq!(attributes, format!("kind=flood severity=high state=opened flow={flow}"));
        }
    }

    #[test]
    fn a_hostile_series_name_neither_breaks_the_subject_nor_swells_the_message() {
        let hostile = format!("signup/\r\nSubject: x\u{202e}\u{0}\"{}", "\u{1f600}".repeat(100_000));
        let alert = opened(&hostile);
        assert_eq!(alert.subject(), format!("[high] flood opened: signup/??Subject:?x??\"{}", "?".repeat(48 - 22)));
        assert!(alert.message_json().len() < 16 * 1024);
    }

    #[test]
    fn a_sparkline_runs_from_zero_to_the_largest_value() {
        for (values, chart) in [
            (vec![], ""),
            (vec![0.0, 0.0], "▁▁"),
            (vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
            (vec![-5.0, f64::INFINITY, 1e300], "▁ █"),
        ] {
            assert_eq!(sparkline(&values), chart);
        }
    }
}
