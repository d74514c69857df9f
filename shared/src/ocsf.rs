//! Events as the Open Cybersecurity Schema Framework (OCSF 1.8) writes them, for a SIEM that reads the log.
//!
//! - detection finding (class 2004): every alert
//! - email activity (class 4009): every message that was judged
//! - authentication (class 3002): every caller that was refused
//!
//! No event holds a local-part, a body, a token or the address of a client.

use serde_json::{Map, Value, json};

use crate::{
    anomaly::{Severity, State},
    bucket::Bucket,
    disposition::Disposition,
};

/// The field of a log line that holds an event.
pub const FIELD: &str = "ocsf";

/// The version of the schema that events are written by.
pub const SCHEMA: &str = "1.8.0";

/// A class of events and its category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    uid: u64,
    category_uid: u64,
    profiles: &'static [&'static str],
}

const DETECTION_FINDING: Class = Class { uid: 2004, category_uid: 2, profiles: &[] };
const AUTHENTICATION: Class = Class { uid: 3002, category_uid: 3, profiles: &[] };
const EMAIL_ACTIVITY: Class = Class { uid: 4009, category_uid: 4, profiles: &["security_control"] };

/// What a detection finding is made of.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// Names the change, and the incident over its life.
    pub dedup_id: String,
    pub fingerprint: &'a str,
    pub state: State,
    pub severity: Severity,
    pub kind: &'a str,
    pub title: String,
    pub message: String,
    pub opened: Bucket,
    pub end: Bucket,
    /// 0 to 1.
    pub score: f64,
    /// Domains and networks that have a part in it.
    pub domains: Vec<&'a str>,
    pub networks: Vec<&'a str>,
    /// The alert as machines get it.
    pub facts: Value,
}

/// A message that was judged.
#[derive(Debug, Clone)]
pub struct JudgedMessage<'a> {
    pub message_id: &'a str,
    /// Of the author; `None` when there is not exactly one.
    pub from_domain: Option<&'a str>,
    /// Of the recipient.
    pub to_domain: Option<&'a str>,
    pub spf: &'a str,
    pub dkim: &'a str,
    pub dmarc: &'a str,
    pub policy: Option<&'a str>,
    pub disposition: Disposition,
    /// Codes of the findings.
    pub findings: &'a [&'a str],
    pub time_ms: u64,
}

/// A caller that was refused at the door.
#[derive(Debug, Clone)]
pub struct RefusedCaller<'a> {
    pub request_id: &'a str,
    /// Who it claims to be, as far as that is known without a doubt; else `unknown`.
    pub caller: &'a str,
    /// Why, in a word.
    pub reason: &'a str,
    pub time_ms: u64,
}

impl Finding<'_> {
    #[must_use]
    pub fn event(&self) -> Value {
        let (activity, status) = match self.state {
            State::Opened => (1, 1),
            State::Updated => (2, 2),
            State::Closed => (3, 4),
        };
        let severity = match self.severity {
            Severity::Low => 2,
            Severity::Medium => 3,
            Severity::High => 4,
            Severity::Critical => 5,
        };
        let millis = |bucket: Bucket| bucket.start_seconds() * 1000;
        let hostnames = self.domains.iter().map(|name| observable("Hostname", 1, name));
        let subnets = self.networks.iter().map(|name| observable("Subnet", 12, name));
        let mut event = base(DETECTION_FINDING, activity, severity, millis(self.end), &self.dedup_id);
        event.extend(members(json!({
            "status_id": status,
            "message": self.message,
            "is_alert": true,
            "confidence_score": percent(self.score),
            "finding_info": {
                "uid": self.fingerprint,
                "title": self.title,
                "types": [self.kind],
                "analytic": {"name": "traffic model of a series", "type_id": 3, "type": "Statistical"},
                "created_time": millis(self.opened),
                "first_seen_time": millis(self.opened),
                "last_seen_time": millis(self.end),
            },
            "evidences": [{"data": self.facts}],
            "observables": hostnames.chain(subnets).collect::<Vec<_>>(),
        })));
        Value::Object(event)
    }
}

impl JudgedMessage<'_> {
    #[must_use]
    pub fn event(&self) -> Value {
        let (action, disposition) = match self.disposition {
            Disposition::Deliver => (1, 1),
            Disposition::Defer => (2, 14),
            Disposition::Quarantine => (2, 3),
            Disposition::Reject => (2, 25),
        };
        let severity = if self.disposition == Disposition::Deliver { 1 } else { 2 };
        let mut event = base(EMAIL_ACTIVITY, 2, severity, self.time_ms, self.message_id);
        event.extend(members(json!({
            "direction_id": 1,
            "action_id": action,
            "disposition_id": disposition,
            "status_detail": self.findings.join(", "),
            "email": {"from": mailbox(self.from_domain), "to": [mailbox(self.to_domain)], "uid": self.message_id},
            "email_auth": {"spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc, "dmarc_policy": self.policy.unwrap_or("none")},
        })));
        Value::Object(event)
    }
}

impl RefusedCaller<'_> {
    #[must_use]
    pub fn event(&self) -> Value {
        let mut event = base(AUTHENTICATION, 1, 2, self.time_ms, self.request_id);
        event.extend(members(json!({
            "status_id": 2,
            "status_detail": self.reason,
            "user": {"uid": self.caller},
            "service": {"name": "gatepost validate"},
        })));
        Value::Object(event)
    }
}

/// What every event has. Times are Unix milliseconds.
fn base(class: Class, activity_id: u64, severity_id: u64, time_ms: u64, uid: &str) -> Map<String, Value> {
    let product = json!({"name": "gatepost", "vendor_name": "gatepost", "version": env!("CARGO_PKG_VERSION")});
    members(json!({
        "class_uid": class.uid,
        "category_uid": class.category_uid,
        "activity_id": activity_id,
        "type_uid": class.uid * 100 + activity_id,
        "severity_id": severity_id,
        "time": time_ms,
        "metadata": {"version": SCHEMA, "product": product, "uid": uid, "profiles": class.profiles},
    }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn observable(kind: &str, type_id: u64, name: &str) -> Value {
    json!({"type": kind, "type_id": type_id, "value": name})
}

/// The schema wants a whole address, and a local-part is nothing for a log.
fn mailbox(domain: Option<&str>) -> String {
    let is_name = |domain: &&str| {
        domain.contains('.') && domain.bytes().all(|it| it.is_ascii_alphanumeric() || b".-".contains(&it))
    };
    format!("withheld@{}", domain.filter(is_name).unwrap_or("unknown.invalid"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to lie within 0 and 100")]
fn percent(part: f64) -> u64 {
    (part.clamp(0.0, 1.0) * 100.0).round() as u64
}
