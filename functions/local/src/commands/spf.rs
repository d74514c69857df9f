//! `gatepost spf`

use std::{net::IpAddr, time::Duration};

use gatepost::{
    io::authentication::Authenticator,
    spf::{SpfCheck, SpfResult},
};
use serde_json::json;

use super::CommandError;
use crate::settings::{DnsArgument, Resolution};

/// For one DNS query, and for the evaluation as a whole (RFC 7208 §4.6.4 asks for at least 20 s).
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(20);

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
    let evaluation = authenticator.spf(args.client_ip, &args.helo, &args.mail_from);
    let check = tokio::time::timeout(EVALUATION_TIMEOUT, evaluation).await.unwrap_or_else(|_| timed_out(&args.helo));
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

fn timed_out(helo: &str) -> SpfCheck {
    SpfCheck { result: SpfResult::TempError, domain: helo.to_owned(), explanation: None, lookups: 0, void_lookups: 0 }
}
