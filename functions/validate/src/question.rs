//! What is asked: request bodies and paths, parsed at the edge.

use std::net::IpAddr;

use gatepost::{
    address::Domain,
    flow::Flow,
    posture::{self, SubjectError},
};
use lambda_http::{Body, Request, http::header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

use crate::problem::ValidateError;

/// Larger bodies are refused unread.
pub const MAX_BODY_OCTETS: usize = 64 * 1024;

/// Addresses that one batch may hold.
pub const MAX_BATCH: usize = 100;

/// Permits that one posture costs: it asks up to a hundred questions, an address eight.
pub const POSTURE_PERMITS: u64 = 10;

/// `POST /v1/validate`.
pub(crate) struct Question {
    /// As it was sent; not yet an address.
    pub(crate) email: String,
    pub(crate) flow: Flow,
    /// The end user whom the caller asks for.
    pub(crate) client_ip: Option<IpAddr>,
}

/// `POST /v1/validate/batch`.
pub(crate) struct BatchQuestion {
    /// `None` for what is no string: each item fails alone.
    pub(crate) emails: Vec<Option<String>>,
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
    /// Unread: half a surrogate pair in one of them would make all of the body unreadable.
    emails: Vec<Box<RawValue>>,
    flow: Option<String>,
}

impl Question {
    pub(crate) fn parse(request: &Request) -> Result<Self, ValidateError> {
        let body: QuestionBody = json_body(request)?;
        let client_ip = body.client_ip.map(|text| text.parse()).transpose();
        let client_ip = client_ip.map_err(|_| bad_request("client_ip is not an IP address"))?;
        Ok(Self { email: body.email, flow: flow(body.flow)?, client_ip })
    }
}

impl BatchQuestion {
    pub(crate) fn parse(request: &Request) -> Result<Self, ValidateError> {
        let BatchBody { emails, flow: named } = json_body(request)?;
        let text = |item: Box<RawValue>| serde_json::from_str(item.get()).ok();
        match emails.len() {
            1..=MAX_BATCH => Ok(Self { emails: emails.into_iter().map(text).collect(), flow: flow(named)? }),
            found => Err(bad_request(format!("a batch holds 1 to {MAX_BATCH} addresses, not {found}"))),
        }
    }

    /// One permit an address.
    pub(crate) fn permits(&self) -> u64 {
        u64::try_from(self.emails.len()).unwrap_or(u64::MAX)
    }
}

/// The `{domain}` of `/v1/domains/{domain}/posture`, as it is in the path.
pub(crate) fn domain_of_posture_path(path: &str) -> Option<&str> {
    let domain = path.strip_prefix("/v1/domains/")?.strip_suffix("/posture")?;
    (!domain.contains('/')).then_some(domain)
}

/// The domain that a segment of a path names.
pub(crate) fn subject_of(segment: &str) -> Result<Domain, ValidateError> {
    let text =
        percent_decoded(segment).ok_or_else(|| bad_request("the domain in the path is not UTF-8, percent-encoded"))?;
    posture::subject(&text).map_err(|error: SubjectError| bad_request(error.to_string()))
}

/// RFC 3986 §2.1. `None` for a percent sign without two digits, and for octets that are not UTF-8.
fn percent_decoded(segment: &str) -> Option<String> {
    let mut parts = segment.split('%');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        octets.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_one_segment_of_the_path() {
        for (path, expected) in [
            ("/v1/domains/example.com/posture", Some("example.com")),
            ("/v1/domains//posture", Some("")),
            ("/v1/domains/posture", None),
            ("/v1/domains/a/b/posture", None),
            ("/v1/domains/example.com/posture/", None),
            ("/v1/domains/example.com", None),
            ("/v2/domains/example.com/posture", None),
        ] {
            assert_eq!(domain_of_posture_path(path), expected, "{path}");
        }
    }

    #[test]
    fn a_segment_is_percent_decoded_once() {
        for (segment, expected) in [
            ("example.com", Some("example.com")),
            ("b%C3%BCcher.example", Some("bücher.example")),
            ("%65xample%2Ecom", Some("example.com")),
            ("%2565", Some("%65")),
            ("", Some("")),
            ("%", None),
            ("%4", None),
            ("%+1", None),
            ("%zz", None),
            ("%C3", None),
            ("%é", None),
        ] {
            assert_eq!(percent_decoded(segment).as_deref(), expected, "{segment}");
        }
    }
}
