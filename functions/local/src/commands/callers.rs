//! `gatepost callers`

use std::path::PathBuf;

use gatepost::{
    client_certificate::ClientCertificate,
    config,
    io::{
        caller_register::{CallerRegister, ListedCaller},
        client_rows::Grant,
    },
};
use serde_json::{Value, json};

use super::{CommandError, keys::time, print, target::Target, terms::Terms};
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

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let [table] = args.target.names([config::TABLE])?;
    let register = CallerRegister { table: args.target.table(table).await? };
    match args.action {
        Action::List => register.list().await?.iter().try_for_each(|listed| print(&line(listed))),
        Action::Set { id, terms } => Ok(register.set(&id, &terms.grant(None)?).await?),
        Action::Revoke { id } => Ok(register.revoke(&id, clock::now()).await?),
        Action::Register { certificate, name, subject, terms } => {
            let id = id_of(&certificate, subject)?;
            register.set(&id, &terms.grant(Some(name))?).await?;
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

fn line(listed: &ListedCaller) -> Value {
    let Grant { name, quota, client_ip_quota, overrides } = &listed.grant;
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
