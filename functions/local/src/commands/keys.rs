//! `gatepost keys`

use std::{io::Write, time::Duration};

use gatepost::{
    api_key::{ApiKey, ENTROPY_LEN},
    io::key_register::{Grant, Listed},
    weights::Weights,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CommandError, target::Target};
use crate::clock;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key and show it, once
    Create {
        /// Whose it is
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// Sustained rate of this client; with --burst
        #[arg(long, value_name = "N", requires = "burst", value_parser = clap::value_parser!(u32).range(1..))]
        requests_per_minute: Option<u32>,
        /// Permits beyond the rate that a minute may hold
        #[arg(long, value_name = "N", requires = "requests_per_minute", value_parser = clap::value_parser!(u32).range(1..))]
        burst: Option<u32>,
        /// What reasons weigh for this client: CODE=SEVERITY or CODE@FLOW=SEVERITY, comma separated
        #[arg(long, value_name = "LIST", default_value = "")]
        overrides: String,
    },
    /// One line for each key; nobody knows more of a key than its id
    List,
    /// Give a key a new secret and show it, once; the one before stays good for a while
    Rotate {
        id: String,
        /// How long the secret before stays good
        #[arg(long, value_name = "HOURS", default_value_t = 72)]
        grace_hours: u32,
    },
    /// End a key; running functions notice within a minute
    Revoke { id: String },
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let register = args.target.key_register().await?;
    match args.action {
        Action::List => register.list().await?.iter().try_for_each(|listed| print(&line(listed))),
        Action::Revoke { id } => Ok(register.revoke(&id, clock::now()).await?),
        Action::Create { name, requests_per_minute, burst, overrides } => {
            // What cannot be read would lock the client out.
            Weights::parse(overrides.split(',').map(str::trim).filter(|part| !part.is_empty()))?;
            let api_key = ApiKey::from_entropy(random()?);
            let grant = Grant { name, quota: requests_per_minute.zip(burst), overrides };
            register.create(&api_key, &grant, clock::now()).await?;
            show(&api_key)
        }
        Action::Rotate { id, grace_hours } => {
            let api_key = ApiKey::renewed(&id, random()?).ok_or("that is no id of a key")?;
            let grace = Duration::from_secs(3600 * u64::from(grace_hours));
            register.rotate(&api_key, grace, clock::now()).await?;
            show(&api_key)
        }
    }
}

fn show(api_key: &ApiKey) -> Result<(), CommandError> {
    print(&json!({"id": api_key.id(), "api_key": api_key.reveal()}))
}

fn line(listed: &Listed) -> Value {
    json!({
        "id": listed.id,
        "name": listed.grant.name,
        "requests_per_minute": listed.grant.quota.map(|(rate, _)| rate),
        "burst": listed.grant.quota.map(|(_, burst)| burst),
        "overrides": listed.grant.overrides,
        "created": time(Some(listed.created_s)),
        "previous_until": time(listed.previous_until_s),
        "revoked": time(listed.revoked_s),
    })
}

pub(super) fn time(unix_s: Option<u64>) -> Option<String> {
    let seconds = i64::try_from(unix_s?).ok()?;
    Some(Timestamp::from_second(seconds).ok()?.to_string())
}

fn random() -> Result<[u8; ENTROPY_LEN], CommandError> {
    let mut octets = [0; ENTROPY_LEN];
    getrandom::fill(&mut octets)?;
    Ok(octets)
}

fn print(value: &Value) -> Result<(), CommandError> {
    Ok(writeln!(std::io::stdout().lock(), "{value}")?)
}
