//! Errors, and the only place where they become HTTP (RFC 9457).

use std::time::Duration;

use gatepost::{
    bearer_token::TokenError,
    flow::Flow,
    io::{jwks::SubjectError, table::TableError},
    rate_limit::WINDOW,
};
use lambda_http::{Body, Response, http::HeaderName};
use serde::Serialize;

use crate::{
    answer::{policy_item, to_body},
    caller::{Caller, SCOPE},
    gate::{CLIENT_IP, Policy},
    question::{MAX_BODY_OCTETS, POSTURE_PERMITS},
};

/// Why a request gets no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValidateError {
    #[error("{detail}")]
    BadRequest { detail: String },
    #[error("this client can be granted at most {largest} addresses in one batch")]
    BatchTooLarge { largest: u64 },
    #[error("a posture costs {POSTURE_PERMITS} permits, and this client can be granted at most {largest} at once")]
    QuotaTooSmall { largest: u64 },
    #[error("the request carries no valid credential")]
    Unauthenticated,
    #[error("the bearer token is not accepted")]
    InvalidToken(#[source] TokenError),
    #[error("the bearer token does not hold the scope {SCOPE}")]
    InsufficientScope,
    #[error("the request carries more than one of API key, bearer token and token of a proxy")]
    SeveralCredentials,
    #[error("the body has more than {MAX_BODY_OCTETS} octets")]
    BodyTooLarge,
    #[error("the body has to be application/json")]
    UnsupportedMediaType,
    #[error("there is no such resource")]
    NotFound,
    #[error("this resource takes {allowed}")]
    MethodNotAllowed { allowed: &'static str },
    #[error("the quota{} is spent; come back in {} s", whose(*policy), whole_seconds(*retry_after))]
    RateLimited { retry_after: Duration, policy: Policy, caller: Caller, flow: Flow },
    #[error("too many requests without a valid credential; come back in {} s", whole_seconds(*retry_after))]
    TooManyFailures { retry_after: Duration, policy: Policy },
    #[error("try again later")]
    Unavailable(#[source] TableError),
    #[error("try again later")]
    IssuerUnavailable(#[source] SubjectError),
}

impl ValidateError {
    /// Whether the request showed nothing that anybody could be known by.
    pub(crate) fn is_failed_authentication(&self) -> bool {
        matches!(self, Self::Unauthenticated | Self::InvalidToken(_))
    }

    /// Who was refused, as far as it is known; empty otherwise.
    pub(crate) fn caller_id(&self) -> &str {
        if let Self::RateLimited { caller, .. } = self { &caller.id } else { "" }
    }
}

/// What a client is told: `application/problem+json` and the fields that go with it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    name: &'static str,
    title: &'static str,
    detail: String,
    fields: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
pub(crate) struct ProblemBody<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
}

impl From<&ValidateError> for Problem {
    fn from(error: &ValidateError) -> Self {
        let detail = error.to_string();
        // No `_` arm: a new variant has to choose its status here.
        match error {
            ValidateError::BadRequest { .. } => Self::new(400, "bad-request", "Bad request", detail),
            ValidateError::BatchTooLarge { .. } => Self::new(400, "batch-too-large", "Batch too large", detail),
            ValidateError::QuotaTooSmall { .. } => Self::new(400, "quota-too-small", "Quota too small", detail),
            ValidateError::Unauthenticated => Self::unauthenticated("Bearer", detail),
            // Which of its doors a token failed at is for the log (RFC 6750 §3.1).
            ValidateError::InvalidToken(_) => Self::unauthenticated("Bearer error=\"invalid_token\"", detail),
            ValidateError::InsufficientScope => Self::new(403, "insufficient-scope", "Insufficient scope", detail)
                .with("www-authenticate", format!("Bearer error=\"insufficient_scope\", scope=\"{SCOPE}\"")),
            ValidateError::SeveralCredentials => Self::new(400, "bad-request", "Bad request", detail)
                .with("www-authenticate", "Bearer error=\"invalid_request\"".to_owned()),
            ValidateError::NotFound => Self::new(404, "not-found", "Not found", detail),
            ValidateError::MethodNotAllowed { allowed } => {
                Self::new(405, "method-not-allowed", "Method not allowed", detail).with("allow", (*allowed).to_owned())
            }
            ValidateError::BodyTooLarge => Self::new(413, "content-too-large", "Content too large", detail),
            ValidateError::UnsupportedMediaType => {
                Self::new(415, "unsupported-media-type", "Unsupported media type", detail)
            }
            ValidateError::RateLimited { retry_after, policy, .. }
            | ValidateError::TooManyFailures { retry_after, policy } => {
                Self::rate_limited(*retry_after, *policy, detail)
            }
            // The cause goes to the log, never to the client.
            ValidateError::Unavailable(_) | ValidateError::IssuerUnavailable(_) => {
                Self::new(503, "unavailable", "Unavailable", detail).with("retry-after", "1".to_owned())
            }
        }
    }
}

impl Problem {
    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        let body = to_body(&self.body(request_id));
        let mut response = Response::new(body);
        *response.status_mut() = self.status.try_into().expect("every status above is one of HTTP");
        let common =
            [("content-type", "application/problem+json".to_owned()), ("cache-control", "no-store".to_owned())];
        for (name, value) in self.fields.into_iter().chain(common) {
            let value = value.parse().expect("written by us, in ASCII");
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        response
    }

    pub(crate) fn body<'a>(&'a self, request_id: &'a str) -> ProblemBody<'a> {
        ProblemBody {
            kind: format!("urn:gatepost:problem:{}", self.name),
            title: self.title,
            status: self.status,
            detail: &self.detail,
            request_id,
        }
    }

    fn new(status: u16, name: &'static str, title: &'static str, detail: String) -> Self {
        Self { status, name, title, detail, fields: Vec::new() }
    }

    fn unauthenticated(challenge: &str, detail: String) -> Self {
        Self::new(401, "unauthenticated", "Unauthenticated", detail).with("www-authenticate", challenge.to_owned())
    }

    fn rate_limited(retry_after: Duration, policy: Policy, detail: String) -> Self {
        let seconds = whole_seconds(retry_after);
        Self::new(429, "rate-limited", "Too many requests", detail)
            .with("retry-after", seconds.to_string())
            .with("ratelimit", format!("\"{}\";r=0;t={seconds}", policy.name))
            .with("ratelimit-policy", policy_item(policy))
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.fields.push((name, value));
        self
    }
}

fn whose(policy: Policy) -> &'static str {
    if policy.name == CLIENT_IP { " of this client_ip" } else { "" }
}

/// `Retry-After` counts whole seconds (RFC 9110 §10.2.3): rounded up, so that whoever obeys is admitted.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() != 0)
}

/// The window of `RateLimit-Policy`, in seconds.
pub(crate) const WINDOW_SECONDS: u64 = WINDOW.as_secs();
