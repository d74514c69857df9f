//! What a browser may do with a page of ours: show it, and ask for it again.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepost::alert::PAGES;
use ring::digest::{SHA256, digest};

use super::render::{SCRIPT, style};

/// Characters of the name of an incident page: 32 of the fingerprint, a hyphen and the number of a bucket.
const LONGEST_NAME: usize = 64;

/// Only our own script and style, by their hashes, and only requests for the page itself. The icon is in the page.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; {COMMON}",
        hash(SCRIPT),
        hash(style()),
    )
});

/// The page of an incident has a style of its own, no script, and asks for nothing.
const INCIDENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const COMMON: &str = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page as an answer.
pub fn guarded(html: String) -> Response {
    answer(html, POLICY.as_str())
}

/// The page of an incident as an answer.
pub fn incident_page(html: String) -> Response {
    answer(html, INCIDENT_POLICY)
}

/// The key of an incident page by its name, which becomes part of a path; `None` for any other text.
#[must_use]
pub fn incident_key(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".html")?;
    let is_plain = stem.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    (is_plain && (1..=LONGEST_NAME).contains(&stem.len())).then(|| format!("{PAGES}{name}"))
}

fn answer(html: String, policy: &'static str) -> Response {
    let fields: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (fields, Html(html)).into_response()
}

fn hash(text: &str) -> String {
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_the_name_of_an_incident_page_is_looked_for() {
        assert_eq!(incident_key("0af3-598.html").as_deref(), Some("incidents/0af3-598.html"));
        let long = format!("{}.html", "a".repeat(65));
        for name in ["", ".html", "0af3", "../inbound/x.html", "a/b.html", "a.b.html", "ä.html", long.as_str()] {
            assert_eq!(incident_key(name), None, "{name}");
        }
    }
}
