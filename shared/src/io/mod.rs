//! Everything that awaits or calls another machine. `io` uses the nouns of this crate; a noun never uses `io`.

pub mod alert_groups;
pub mod aws;
pub mod calendar;
pub mod caller_register;
pub mod callers;
pub mod client_rows;
pub mod contacts;
pub mod counters;
pub mod dns;
mod guard;
mod hosts_cache;
pub mod jwks;
pub mod key_register;
pub mod keys;
pub mod overlays;
pub mod posture;
pub mod rate_limits;
pub mod scan_progress;
pub mod series_state;
pub mod table;
pub mod telemetry;

#[cfg(feature = "sns")]
pub mod alerts;
#[cfg(feature = "mail")]
pub mod authentication;
#[cfg(feature = "s3")]
pub mod domain_data;
#[cfg(feature = "invoke")]
pub mod functions;
pub mod ledger;
#[cfg(feature = "s3")]
pub mod messages;
#[cfg(all(feature = "invoke", feature = "s3"))]
pub mod quarantine;
mod spf;
