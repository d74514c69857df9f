//! `gatepost callers`

use std::{io::Write, path::PathBuf};

use gatepost::{
    client_certificate::ClientCertificate,
    config,
    io::caller_register::{CallerRegister, Change, ListedCaller},
    weights::Weights,
};
use serde_json::{Value, json};

use super::{CommandError, keys::time, target::Target};
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
    /// Make a client certificate a credential, and show the id of the caller
    Register {
        /// The certificate, PEM
        #[arg(value_name = "FILE.pem")]
        certificate: PathBuf,
        /// Whose it is
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// Every certificate that this issuer makes out to this subject, so that renewing it changes nothing
        #[arg(long)]
        subject: bool,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change what a caller may do: an API key, a certificate, or the client of a token, by the id that logs show
    Set {
        id: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// One line for each certificate, and for each client of a token that something was said about
    List,
    /// End a caller; running functions notice within a minute
    Revoke { id: String },
}

/// What stays unsaid stays as it is.
#[derive(Debug, clap::Args)]
struct Terms {
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
    /// What reasons weigh for this caller: CODE=SEVERITY or CODE@FLOW=SEVERITY, comma separated
    #[arg(long, value_name = "LIST")]
    overrides: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let [table] = args.target.names([config::TABLE])?;
    let register = CallerRegister { table: args.target.table(table).await? };
    match args.action {
        Action::List => register.list().await?.iter().try_for_each(|listed| print(&line(listed))),
        Action::Set { id, terms } => Ok(register.set(&id, &terms.change(None)?).await?),
        Action::Revoke { id } => Ok(register.revoke(&id, clock::now()).await?),
        Action::Register { certificate, name, subject, terms } => {
            let id = id_of(&certificate, subject)?;
            register.set(&id, &terms.change(Some(name))?).await?;
            print(&json!({"id": id}))
        }
    }
}

fn id_of(certificate: &std::path::Path, by_subject: bool) -> Result<String, CommandError> {
    let pem = std::fs::read_to_string(certificate).map_err(|error| format!("{}: {error}", certificate.display()))?;
    let certificate = ClientCertificate::parse(&pem).ok_or("that file holds no certificate")?;
    let id = certificate.ids().into_iter().nth(usize::from(by_subject));
    id.ok_or_else(|| "the certificate has no issuer and subject that can be read".into())
}

impl Terms {
    /// What cannot be read would lock the caller out.
    fn change(self, name: Option<String>) -> Result<Change, CommandError> {
        let overrides = self.overrides.as_deref().unwrap_or_default();
        Weights::parse(overrides.split(',').map(str::trim).filter(|part| !part.is_empty()))?;
        Ok(Change {
            name,
            quota: self.requests_per_minute.zip(self.burst),
            client_ip_quota: self.client_ip_requests_per_minute.zip(self.client_ip_burst),
            overrides: self.overrides,
        })
    }
}

fn line(listed: &ListedCaller) -> Value {
    let Change { name, quota, client_ip_quota, overrides } = &listed.change;
    json!({
        "id": listed.id,
        "name": name,
        "requests_per_minute": quota.map(|(rate, _)| rate),
        "burst": quota.map(|(_, burst)| burst),
        "client_ip_requests_per_minute": client_ip_quota.map(|(rate, _)| rate),
        "client_ip_burst": client_ip_quota.map(|(_, burst)| burst),
        "overrides": overrides,
        "revoked": time(listed.revoked_s),
    })
}

fn print(value: &Value) -> Result<(), CommandError> {
    Ok(writeln!(std::io::stdout().lock(), "{value}")?)
}
