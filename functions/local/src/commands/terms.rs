//! Options that say what a client may do.

use gatepost::{io::client_rows::Grant, weights::Weights};

use super::CommandError;

/// What stays unsaid stays as it is, and for a new client at the defaults.
#[derive(Debug, clap::Args)]
pub(super) struct Terms {
    /// Sustained rate; with --burst
    #[arg(long, value_name = "N", requires = "burst", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_minute: Option<u32>,
    /// Permits beyond the rate that a minute may hold
    #[arg(long, value_name = "N", requires = "requests_per_minute", value_parser = clap::value_parser!(u32).range(1..))]
    burst: Option<u32>,
    /// Sustained rate of each end user (`client_ip`); with --client-ip-burst
    #[arg(long, value_name = "N", requires = "client_ip_burst", value_parser = clap::value_parser!(u32).range(1..))]
    client_ip_requests_per_minute: Option<u32>,
    /// Permits beyond the rate that a minute of an end user may hold
    #[arg(long, value_name = "N", requires = "client_ip_requests_per_minute", value_parser = clap::value_parser!(u32).range(1..))]
    client_ip_burst: Option<u32>,
    /// What reasons weigh for this client: CODE=SEVERITY or CODE@FLOW=SEVERITY, comma separated
    #[arg(long, value_name = "LIST")]
    overrides: Option<String>,
}

impl Terms {
    /// What cannot be read would lock the client out.
    pub(super) fn grant(self, name: Option<String>) -> Result<Grant, CommandError> {
        let overrides = self.overrides.as_deref().unwrap_or_default();
        Weights::parse(overrides.split(',').map(str::trim).filter(|part| !part.is_empty()))?;
        Ok(Grant {
            name,
            quota: self.requests_per_minute.zip(self.burst),
            client_ip_quota: self.client_ip_requests_per_minute.zip(self.client_ip_burst),
            overrides: self.overrides,
        })
    }
}
