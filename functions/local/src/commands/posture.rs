//! `gatepost posture`

use std::{
    io::{self, Write},
    time::Duration,
};

use gatepost::{
    address::Domain,
    io::dns::Dns,
    posture::{Posture, subject},
};
use gatepost_validate::posture_answer;

use super::CommandError;
use crate::settings::{DnsArgument, Resolution};

/// For one DNS query.
const QUERY_TIMEOUT: Duration = Duration::from_millis(1_500);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The domain, as in example.com
    #[arg(value_name = "DOMAIN", value_parser = subject)]
    domain: Domain,
    /// `system`, or ADDR:PORT of a name server
    #[arg(long, default_value = "system")]
    dns: DnsArgument,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let resolution = Resolution::start(args.dns).await?;
    let dns = Dns::new(resolution.server, QUERY_TIMEOUT)?;
    let posture = Posture::of(&dns.posture(&args.domain).await);
    // Whoever reads only the beginning closes the pipe, which is no reason to panic.
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&posture_answer(&posture))?)?)
}
