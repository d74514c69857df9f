//! Structured logs: one JSON object a line on standard error, which Lambda hands to CloudWatch.

use std::error::Error;

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging for this process; a second call changes nothing. `RUST_LOG` chooses what is logged.
pub fn start() {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    let _ = fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// An error with everything that caused it, for the log; never for a client.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
