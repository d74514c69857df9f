//! `gatepost calendar`

use gatepost::{
    api_key::hex,
    bucket::Bucket,
    calendar::{Entry, Pattern, Purpose},
    config,
    io::calendar::CalendarTable,
};
use serde_json::{Value, json};

use super::{CommandError, print, target::Target};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Announce something and show its id
    Add {
        /// Which series: flow/client, with * for either, or * for all
        #[arg(long, value_name = "PATTERN")]
        series: String,
        /// The first bucket of it: a UTC time such as 2026-11-27T08:00, or RFC 3339
        #[arg(long, value_name = "TIME")]
        start: String,
        /// The last bucket of it
        #[arg(long, value_name = "TIME")]
        end: String,
        /// `campaign` (more traffic), `holiday` (less), `maintenance` (anything), or `silence` (judge, but tell nobody)
        #[arg(long, value_name = "KIND")]
        kind: String,
        /// Why, for whoever reads the list
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// One line for each entry
    List,
    /// Take an entry back
    Remove { id: String },
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let [table] = args.target.names([config::TABLE])?;
    let calendar = CalendarTable { table: args.target.table(table).await? };
    match args.action {
        Action::Add { series, start, end, kind, note } => {
            let entry = Entry {
                id: hex(&random()?),
                series: Pattern::parse(&series)?,
                first: Bucket::parse(&start)?,
                last: Bucket::parse(&end)?,
                purpose: Purpose::parse(&kind)?,
                note,
            };
            let entry = entry.checked()?;
            calendar.add(&entry).await?;
            print(&line(&entry))
        }
        Action::List => calendar.load().await?.entries.iter().try_for_each(|entry| print(&line(entry))),
        Action::Remove { id } => {
            if calendar.remove(&id).await? {
                Ok(())
            } else {
                Err("there is no such entry".into())
            }
        }
    }
}

fn line(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "series": entry.series.to_string(),
        "start": entry.first.to_string(),
        "end": entry.last.to_string(),
        "kind": entry.purpose.as_str(),
        "note": entry.note,
    })
}

fn random() -> Result<[u8; 4], CommandError> {
    let mut octets = [0; 4];
    getrandom::fill(&mut octets)?;
    Ok(octets)
}
