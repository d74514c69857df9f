//! What is asked: request bodies, parsed at the edge.

use gatepost::flow::Flow;
use lambda_http::{Body, Request, http::header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::error::Category;

use crate::problem::ValidateError;

/// Larger bodies are refused unread.
pub const MAX_BODY_OCTETS: usize = 64 * 1024;

/// Addresses that one batch may hold.
pub const MAX_BATCH: usize = 100;

/// `POST /v1/validate`.
pub(crate) struct Question {
    /// As it was sent; not yet an address.
    pub(crate) email: String,
    pub(crate) flow: Flow,
}

/// `POST /v1/validate/batch`.
pub(crate) struct BatchQuestion {
    /// Strings, or whatever else was sent: each item fails alone.
    pub(crate) emails: Vec<serde_json::Value>,
    pub(crate) flow: Flow,
}

#[derive(Deserialize)]
struct QuestionBody {
    email: String,
    flow: Option<String>,
    client_ip: Option<String>,
}

#[derive(Deserialize)]
struct BatchBody {
    emails: Vec<serde_json::Value>,
    flow: Option<String>,
}

impl Question {
    pub(crate) fn parse(request: &Request) -> Result<Self, ValidateError> {
        let body: QuestionBody = json_body(request)?;
        let is_address = |text: &String| text.parse::<std::net::IpAddr>().is_ok();
        if body.client_ip.is_some_and(|text| !is_address(&text)) {
            return Err(bad_request("client_ip is not an IP address"));
        }
        Ok(Self { email: body.email, flow: flow(body.flow)? })
    }
}

impl BatchQuestion {
    pub(crate) fn parse(request: &Request) -> Result<Self, ValidateError> {
        let BatchBody { emails, flow: named } = json_body(request)?;
        match emails.len() {
            1..=MAX_BATCH => Ok(Self { emails, flow: flow(named)? }),
            found => Err(bad_request(format!("a batch holds 1 to {MAX_BATCH} addresses, not {found}"))),
        }
    }

    /// One permit an address.
    pub(crate) fn permits(&self) -> u64 {
        u64::try_from(self.emails.len()).unwrap_or(u64::MAX)
    }
}

fn json_body<T: for<'de> Deserialize<'de>>(request: &Request) -> Result<T, ValidateError> {
    let octets: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(octets) => octets,
        _ => &[],
    };
    if MAX_BODY_OCTETS < octets.len() {
        return Err(ValidateError::BodyTooLarge);
    }
    if !is_json(request) {
        return Err(ValidateError::UnsupportedMediaType);
    }
    // serde would take an array for the fields of an object in their order.
    if octets.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad_request("the body is not a JSON object"));
    }
    serde_json::from_slice(octets).map_err(|error| bad_request(unreadable(&error)))
}

/// Where the body is wrong, but none of its words: they may be an address, and this text is logged.
fn unreadable(error: &serde_json::Error) -> String {
    let fault = match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => "is not JSON",
        Category::Data => "lacks a field or has one of another type",
    };
    format!("the body {fault} (line {}, column {})", error.line(), error.column())
}

/// `application/json`, with or without parameters.
fn is_json(request: &Request) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn flow(named: Option<String>) -> Result<Flow, ValidateError> {
    let Some(name) = named else { return Ok(Flow::Signup) };
    Flow::parse(&name).ok_or_else(|| bad_request("flow is one of signup, password_reset, login, newsletter, other"))
}

fn bad_request(detail: impl Into<String>) -> ValidateError {
    ValidateError::BadRequest { detail: detail.into() }
}
