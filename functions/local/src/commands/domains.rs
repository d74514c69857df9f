//! `gatepost domains`

use std::time::Duration;

use gatepost::{
    address::Domain,
    config,
    io::overlays::{Overlays, Stored},
    overlay::{EVERYONE, Opinion},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CommandError, print, target::Target};
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
    let [table] = args.target.names([config::TABLE])?;
    let overlays = Overlays::new(args.target.table(table).await?, Duration::ZERO);
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
