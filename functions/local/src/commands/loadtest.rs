//! `gatepost loadtest`

use std::{collections::BTreeMap, io::Write};

use axum::http::Uri;
use gatepost::{
    api_key::{ApiKey, ENTROPY_LEN},
    io::{client_rows::Grant, key_register::KeyRegister},
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::{CommandError, target::Target};
use crate::{
    clock,
    load::{
        drive,
        report::Report,
        scenario::Scenario,
        tally::{Answered, Tally},
        traffic::{Share, Traffic},
    },
    running,
};

/// Drive a running local stack with a steady rate, a surge of ten times as much, and an attack inside the surge. It makes keys
/// of its own and revokes them in the end.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Requests a second while it is steady
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// How long the whole run takes
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    if args.target.aws {
        return Err("loadtest drives a local stack; for a deployed one there is tests/load/locustfile.py".into());
    }
    let scenario = Scenario { rate: args.rate, seconds: args.seconds };
    let url = args.target.url();
    let register = args.target.key_register().await?;
    let keys = make_keys(&register, &Traffic::shares(scenario)).await?;
    let traffic = Traffic::new(keys.iter().map(ApiKey::reveal).collect());
    let tested = test(url, scenario, &traffic).await;
    for key in &keys {
        register.revoke(key.id(), clock::now()).await?;
    }
    print(&tested?, args.json)
}

async fn test(url: &str, scenario: Scenario, traffic: &Traffic) -> Result<Report, CommandError> {
    let uri: Uri = url.parse()?;
    let bar = bar(scenario);
    let (before, started) = (running::calls(url).await?, Instant::now());
    let tally = drive(&uri, scenario, traffic, |answered, tally| show(&bar, answered, tally)).await;
    let took = started.elapsed();
    bar.finish_and_clear();
    Ok(Report::new(scenario, took, &tally, since(&before, running::calls(url).await?)))
}

fn since(before: &BTreeMap<String, u64>, mut calls: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    for (operation, count) in &mut calls {
        *count = count.saturating_sub(before.get(operation).copied().unwrap_or_default());
    }
    calls
}

async fn make_keys(register: &KeyRegister, shares: &[Share]) -> Result<Vec<ApiKey>, CommandError> {
    let mut keys = Vec::new();
    for Share { requests_per_minute, burst } in shares {
        let mut entropy = [0; ENTROPY_LEN];
        getrandom::fill(&mut entropy)?;
        let key = ApiKey::from_entropy(entropy);
        let grant = Grant {
            name: Some("load test".to_owned()),
            quota: Some((*requests_per_minute, *burst)),
            ..Grant::default()
        };
        register.create(&key, &grant, clock::now()).await?;
        keys.push(key);
    }
    Ok(keys)
}

/// On a terminal only.
fn bar(scenario: Scenario) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} s  {msg}");
    let bar = ProgressBar::new(u64::from(scenario.seconds));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, answered: &Answered, tally: &Tally) {
    let second = answered.due.at.as_secs();
    if bar.position() < second {
        bar.set_message(format!(
            "{}: {} answers, {} unexpected, the last after {} ms",
            answered.due.phase.as_str(),
            tally.requests(),
            tally.unexpected,
            answered.latency.as_millis()
        ));
        bar.set_position(second);
    }
}

fn print(report: &Report, json: bool) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    if json { Ok(writeln!(out, "{}", serde_json::to_string(report)?)?) } else { Ok(write!(out, "{report}")?) }
}
