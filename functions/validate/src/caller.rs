//! Who calls.

use std::sync::Arc;

use gatepost::{api_key::ApiKey, rate_limit::Quota, weights::Weights};
use lambda_http::Request;

/// The longest credential that is looked at.
const MAX_CREDENTIAL_OCTETS: usize = 512;

/// An authenticated client and what it may spend.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Safe to log.
    pub(crate) id: String,
    pub(crate) quota: Quota,
    /// How much reasons weigh for this client.
    pub(crate) weights: Arc<Weights>,
}

/// The API key of the request, if its shape and checksum are right. Asks nobody.
pub(crate) fn presented_key(request: &Request) -> Option<ApiKey> {
    let value = request.headers().get("x-api-key")?.to_str().ok()?;
    if MAX_CREDENTIAL_OCTETS < value.len() { None } else { ApiKey::parse(value) }
}
