//! `gatepost keys`

use std::time::Duration;

use gatepost::{
    api_key::{ApiKey, ENTROPY_LEN},
    io::key_register::Listed,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CommandError, print, target::Target, terms::Terms};
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
        #[command(flatten)]
        terms: Terms,
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
        Action::Create { name, terms } => {
            let api_key = ApiKey::from_entropy(random()?);
            register.create(&api_key, &terms.grant(Some(name))?, clock::now()).await?;
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
        "client_ip_requests_per_minute": listed.grant.client_ip_quota.map(|(rate, _)| rate),
        "client_ip_burst": listed.grant.client_ip_quota.map(|(_, burst)| burst),
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
