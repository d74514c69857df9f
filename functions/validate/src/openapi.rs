//! The API, described by itself: `GET /v1/openapi.json`, for anybody.

use lambda_http::{Body, Response};

pub(crate) const PATH: &str = "/v1/openapi.json";

/// Kept true by `tests/openapi.rs`.
const DOCUMENT: &str = include_str!("../openapi.json");

/// It holds nothing that a caller would have to be known for, and changes with a deployment only.
pub(crate) fn response() -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .header("cache-control", "public, max-age=300")
        .body(Body::from(DOCUMENT))
        .expect("the fields are ASCII")
}
