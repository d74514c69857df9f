//! What is answered: the wire form of a verdict.

use gatepost::{rate_limit::Remaining, reason::Reason};
use lambda_http::{Body, Response, http::HeaderName};
use serde::Serialize;

use crate::{
    Judged,
    gate::{Admission, Policy},
    problem::{Problem, ProblemBody, ValidateError, WINDOW_SECONDS, whole_seconds},
};

/// One address, answered.
#[derive(Serialize)]
pub struct Answer {
    email: String,
    normalized: Option<String>,
    canonical: Option<String>,
    verdict: &'static str,
    risk: f64,
    reasons: Vec<AnswerReason>,
    suggestion: Option<String>,
    flags: AnswerFlags,
    dns: AnswerDns,
    mailbox: &'static str,
    request_id: String,
    policy: String,
}

#[derive(Serialize)]
struct AnswerReason {
    code: &'static str,
    severity: &'static str,
    detail: String,
    reference: &'static str,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are the wire format")]
struct AnswerFlags {
    syntax_valid: bool,
    injection: bool,
    requires_smtputf8: bool,
    disposable: bool,
    alias: bool,
    role: bool,
    free: bool,
    homograph: bool,
    special_use: bool,
}

#[derive(Serialize)]
struct AnswerDns {
    status: &'static str,
    mx: Vec<String>,
    implicit_mx: bool,
}

/// A batch, answered in the order of its items.
#[derive(Serialize)]
pub(crate) struct BatchAnswer<'a> {
    pub(crate) results: Vec<BatchItem>,
    pub(crate) request_id: &'a str,
}

/// One item: an answer, or the problem of this item alone.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum BatchItem {
    Answer(Box<Answer>),
    Problem { problem: serde_json::Value },
}

impl Answer {
    pub(crate) fn new(email: &str, judged: &Judged, request_id: &str) -> Self {
        let Judged { examination, hosts, verdict, policy, .. } = judged;
        let flags = verdict.flags;
        Self {
            email: email.to_owned(),
            normalized: examination.normalized(),
            canonical: examination.canonical(),
            verdict: verdict.decision.as_str(),
            risk: verdict.risk,
            reasons: verdict.reasons.iter().map(AnswerReason::of).collect(),
            suggestion: verdict.suggestion.clone(),
            flags: AnswerFlags {
                syntax_valid: flags.syntax_valid,
                injection: flags.injection,
                requires_smtputf8: flags.requires_smtputf8,
                disposable: flags.disposable,
                alias: flags.alias,
                role: flags.role,
                free: flags.free,
                homograph: flags.homograph,
                special_use: flags.special_use,
            },
            dns: AnswerDns {
                status: hosts.mail.status(),
                mx: hosts.mail.mx().into_iter().map(str::to_owned).collect(),
                implicit_mx: hosts.mail.implicit_mx(),
            },
            // A Lambda cannot ask a mail server (port 25 is closed there), and we do not guess.
            mailbox: "not_checked",
            request_id: request_id.to_owned(),
            policy: policy.clone(),
        }
    }
}

impl AnswerReason {
    fn of(reason: &Reason) -> Self {
        Self {
            code: reason.code.as_str(),
            severity: reason.severity.as_str(),
            detail: reason.detail.clone(),
            reference: reason.code.reference(),
        }
    }
}

impl BatchItem {
    pub(crate) fn not_a_string(request_id: &str) -> Self {
        let error = ValidateError::BadRequest { detail: "an item of emails has to be a string".to_owned() };
        let problem = Problem::from(&error);
        let body: ProblemBody<'_> = problem.body(request_id);
        Self::Problem { problem: serde_json::to_value(body).expect("plain strings and numbers always serialise") }
    }
}

/// A 200 with what is left of the limits that it was admitted by (draft-ietf-httpapi-ratelimit-headers).
pub(crate) fn json(answer: &impl Serialize, admission: &Admission) -> Response<Body> {
    let mut response = Response::new(to_body(answer));
    let mut fields = vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
    if !admission.is_empty() {
        let left: Vec<String> = admission.iter().map(|(policy, left)| left_item(*policy, *left)).collect();
        let policies: Vec<String> = admission.iter().map(|(policy, _)| policy_item(*policy)).collect();
        fields.extend([("ratelimit", left.join(", ")), ("ratelimit-policy", policies.join(", "))]);
    }
    for (name, value) in fields {
        let value = value.parse().expect("written by us, in ASCII");
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

fn left_item(policy: Policy, left: Remaining) -> String {
    format!("\"{}\";r={};t={}", policy.name, left.permits, whole_seconds(left.full_after))
}

/// The bound that no window exceeds.
pub(crate) fn policy_item(policy: Policy) -> String {
    format!("\"{}\";q={};w={WINDOW_SECONDS}", policy.name, policy.quota.window_bound())
}

pub(crate) fn to_body(value: &impl Serialize) -> Body {
    Body::Text(serde_json::to_string(value).expect("plain strings and numbers always serialise"))
}
