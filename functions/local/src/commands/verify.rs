//! `gatepost verify`

use std::{
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use gatepost::{
    envelope::Envelope,
    finding::Finding,
    inspection::{Inspection, Seen},
    io::authentication::Authenticator,
};
use gatepost_inspect_attachment::child::judge_in_child;
use gatepost_verify_inbound::{
    MAX_MESSAGE_OCTETS, VerifierConfig,
    arrived::Arrived,
    event::Inbound,
    judge::{Judge, Patience, Terms},
    oversized,
    report::Report,
    unjudged,
};
use ring::digest;

use super::{CommandError, JUDGE_STDIN};
use crate::clock;
use crate::settings::{DnsArgument, Resolution, Settings};

/// For the inspection of the attachments.
const INSPECTION_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The message as it came over SMTP (with --ses-event: as SES stored it); `-` reads standard input
    #[arg(value_name = "MESSAGE.eml")]
    message: PathBuf,
    /// Address of the SMTP client
    #[arg(long, value_name = "IP", required_unless_present = "ses_event")]
    client_ip: Option<IpAddr>,
    /// What the client said in HELO or EHLO
    #[arg(long, value_name = "NAME", required_unless_present = "ses_event")]
    helo: Option<String>,
    /// Envelope sender; empty for the null sender
    #[arg(long, value_name = "ADDR", required_unless_present = "ses_event")]
    mail_from: Option<String>,
    /// Envelope recipient; may be repeated
    #[arg(long, value_name = "ADDR")]
    rcpt_to: Vec<String>,
    /// Take the envelope from this SES receipt event and the fields that SES prepended
    #[arg(long, value_name = "EVENT.json", conflicts_with_all = ["client_ip", "helo", "mail_from", "rcpt_to"])]
    ses_event: Option<PathBuf>,
    /// `system`, or ADDR:PORT of a name server
    #[arg(long, default_value = "system")]
    dns: DnsArgument,
    /// TOML file of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep a quarantined message and its report in this folder
    #[arg(long, value_name = "DIR")]
    quarantine: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let settings = Settings::read(args.config.as_deref())?;
    let config = VerifierConfig::read(|name| settings.variable(name))?;
    let message = read(&args.message)?;
    let resolution = Resolution::start(args.dns).await?;
    let authenticator = Authenticator::new(resolution.server, config.dns_timeout)?;
    let judge = Judge { authenticator, policy: config.policy, contacts: None };
    let terms = Terms { patience: Patience::Left, within: config.deadline, now: clock::now() };
    let report = report(&args, &judge, terms, &message).await?;
    if let Some(folder) = args.quarantine.as_deref().filter(|_| report.disposition == "quarantine") {
        keep(folder, &report, &message)?;
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn report(args: &Args, judge: &Judge, terms: Terms, message: &[u8]) -> Result<Report, CommandError> {
    let (message_id, arrived) = match &args.ses_event {
        None => (id_of(message), Ok(Arrived::over_smtp(envelope(args)?, message))),
        Some(event) => as_stored(event, message)?,
    };
    if MAX_MESSAGE_OCTETS < message.len() {
        return Ok(oversized(&judge.policy.authserv_id, &message_id, message.len()));
    }
    match arrived {
        Ok(arrived) => Ok(judge.report(&message_id, &arrived, terms, inspect(message)).await),
        Err(finding) => Ok(unjudged(&judge.policy.authserv_id, &message_id, finding)),
    }
}

fn envelope(args: &Args) -> Result<Envelope, CommandError> {
    let client_ip = args.client_ip.ok_or("--client-ip is missing")?;
    let helo = args.helo.as_deref().unwrap_or_default();
    Ok(Envelope::new(client_ip, helo, args.mail_from.as_deref().unwrap_or_default(), &args.rcpt_to)?)
}

fn as_stored<'m>(event: &Path, stored: &'m [u8]) -> Result<(String, Result<Arrived<'m>, Finding>), CommandError> {
    let receipts = Inbound::parse(serde_json::from_slice(&read(event)?)?)?;
    let [receipt] = receipts.as_slice() else { return Err("the event has more than one record".into()) };
    Ok((receipt.message_id.to_string(), Arrived::read(stored, receipt, &receipt.recipients)))
}

async fn inspect(message: &[u8]) -> Seen {
    match std::env::current_exe() {
        Ok(program) => judge_in_child(&program, JUDGE_STDIN, message, INSPECTION_WITHIN).await.into_seen(),
        Err(_) => Inspection::failed("this program cannot be found").into_seen(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut octets = Vec::new();
    let failed = |error| format!("{}: {error}", path.display());
    if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut octets).map_err(failed)?;
    } else {
        octets = std::fs::read(path).map_err(failed)?;
    }
    Ok(octets)
}

fn keep(folder: &Path, report: &Report, message: &[u8]) -> Result<(), CommandError> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(format!("{}.report.json", report.message_id)), report.to_json())?;
    Ok(std::fs::write(folder.join(&report.message_id), message)?)
}

/// The same message has the same id, as no mail server has given it one.
fn id_of(message: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, message);
    gatepost::api_key::hex(digest.as_ref()).chars().take(40).collect()
}
