//! `gatepost domains`

use std::{io::Write, path::PathBuf, time::Duration};

use gatepost::{
    address::Domain,
    config::{self, Reader},
    io::{
        aws,
        overlays::{Overlays, Stored},
        table::Table,
    },
    overlay::{EVERYONE, Opinion},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::CommandError;
use crate::{aws::clients, clock, running, settings::Settings};

/// One call to a local service.
const CALL: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The local stack to act on
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Act on the deployed stack instead, with region and credentials as the AWS command line takes them, and the name of its
    /// table in GATEPOST_TABLE
    #[arg(long, global = true, conflicts_with = "url")]
    aws: bool,
    /// TOML file of settings: table of the deployed stack
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Let a domain and what is below it in, whatever lists say
    Allow(Entry),
    /// Keep a domain and what is below it out
    Deny(Entry),
    /// Go back to what the lists say
    Remove {
        #[arg(value_parser = domain)]
        domain: Domain,
        /// Id of the client for which it was said; everyone when absent
        #[arg(long, value_name = "ID", default_value = EVERYONE)]
        client: String,
    },
    /// One line for each domain
    List,
}

#[derive(Debug, clap::Args)]
struct Entry {
    #[arg(value_parser = domain)]
    domain: Domain,
    /// Id of the client for which it is so; everyone when absent
    #[arg(long, value_name = "ID", default_value = EVERYONE)]
    client: String,
    /// Why, for whoever reads the list
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let overlays = Overlays::new(table(&args).await?, Duration::ZERO);
    match args.action {
        Action::Allow(entry) => store(&overlays, &entry, Opinion::Allow).await,
        Action::Deny(entry) => store(&overlays, &entry, Opinion::Deny).await,
        Action::Remove { domain, client } => {
            let found = overlays.remove(&client, &domain).await?;
            if found { Ok(()) } else { Err(format!("nothing was said about {domain} for {client}").into()) }
        }
        Action::List => overlays.list().await?.iter().try_for_each(|stored| print(&line(stored))),
    }
}

async fn store(overlays: &Overlays, entry: &Entry, opinion: Opinion) -> Result<(), CommandError> {
    let stored = Stored::new(&entry.client, &entry.domain, opinion, &entry.note, clock::now());
    overlays.store(&stored).await?;
    print(&line(&stored))
}

async fn table(args: &Args) -> Result<Table, CommandError> {
    let settings = Settings::read(args.config.as_deref())?;
    let given = |name: &str| settings.given(name, args.aws);
    let mut read = Reader::new(given);
    let name = read.required(config::TABLE);
    let name = read.finish(name)?;
    if args.aws {
        let calls = aws::configuration(aws::CALL).await;
        return Ok(Table { client: aws_sdk_dynamodb::Client::new(&calls), name });
    }
    let endpoints = running::endpoints(&args.url).await?;
    Ok(Table { client: clients::dynamodb(&endpoints.dynamodb, CALL), name })
}

/// A single label would speak for everybody under it.
fn domain(text: &str) -> Result<Domain, CommandError> {
    let domain = Domain::parse(text)?;
    let labels = domain.labels().count();
    if 1 < labels { Ok(domain) } else { Err("a domain has at least two labels".into()) }
}

fn line(stored: &Stored) -> Value {
    let since = i64::try_from(stored.since_s).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    json!({
        "domain": stored.domain,
        "client": stored.client,
        "opinion": stored.opinion.as_str(),
        "note": stored.note,
        "since": since.map(|since| since.to_string()),
    })
}

fn print(value: &Value) -> Result<(), CommandError> {
    Ok(writeln!(std::io::stdout().lock(), "{value}")?)
}
