//! Structured logs: one JSON object a line on standard error, which Lambda hands to CloudWatch.

use std::error::Error;

use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Names what is logged, as `warn` or `info,gatepost_validate=debug`.
pub const FILTER_VARIABLE: &str = "RUST_LOG";

/// Starts logging for this process; a second call changes nothing. What `filter` does not say is logged from info on.
pub fn start(filter: Option<&str>) {
    let everything = Targets::new().with_default(tracing::Level::INFO);
    let filter = filter.and_then(|text| text.parse().ok()).unwrap_or(everything);
    let json = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
    // A subscriber that is there already stays: a process logs in one way.
    drop(tracing_subscriber::registry().with(filter).with(json).try_init());
}

/// An error with everything that caused it, for the log; never for a client.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
