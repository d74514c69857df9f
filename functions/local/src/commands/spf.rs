//! `gatepost spf`

use std::{net::IpAddr, time::Duration};

use gatepost::{io::authentication::Authenticator, spf::Session};
use serde_json::json;

use super::CommandError;
use crate::clock;
use crate::settings::{DnsArgument, Resolution};

/// For one try of a DNS query.
const QUERY_TIMEOUT: Duration = Duration::from_millis(800);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of the SMTP client
    #[arg(long, value_name = "IP")]
    client_ip: IpAddr,
    /// What the client said in HELO or EHLO
    #[arg(long, value_name = "NAME")]
    helo: String,
    /// Envelope sender; empty checks postmaster@HELO
    #[arg(long, value_name = "ADDR", default_value = "")]
    mail_from: String,
    /// `system`, or ADDR:PORT of a name server
    #[arg(long, default_value = "system")]
    dns: DnsArgument,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let resolution = Resolution::start(args.dns).await?;
    let authenticator = Authenticator::new(resolution.server, QUERY_TIMEOUT)?;
    let Args { client_ip, helo, mail_from, .. } = &args;
    let check =
        authenticator.spf(&Session { client_ip: *client_ip, helo, mail_from, receiver: "", now: clock::now() }).await;
    println!(
        "{}",
        json!({
            "result": check.result.as_str(),
            "explanation": check.explanation,
            "lookups": check.lookups,
            "void_lookups": check.void_lookups,
        })
    );
    Ok(())
}
