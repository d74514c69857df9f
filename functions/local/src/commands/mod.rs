//! The command line.

pub mod address;
pub mod calendar;
pub mod callers;
pub mod domains;
pub mod incident;
pub mod judge_stdin;
pub mod keys;
pub mod loadtest;
pub mod posture;
pub mod quarantine;
pub mod serve;
pub mod simulate;
pub mod spf;
mod target;
mod terms;
pub mod verify;

use std::{
    error::Error,
    io::{self, Write},
};

use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::{backtest, settings::Settings};

/// What a command that could not do its work says on standard error.
pub type CommandError = Box<dyn Error + Send + Sync>;

/// Argument that makes this program judge the message on its standard input, as the inspector's child.
pub const JUDGE_STDIN: &str = "judge-stdin";

/// gatepost decides whether an email flow can be trusted.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole stack on 127.0.0.1, without an AWS account (this is what happens without a command)
    Serve(serve::Args),
    /// Judge addresses, one a line, as flow `signup`
    Address(address::Args),
    /// Let single domains in or keep them out, over the lists
    Domains(domains::Args),
    /// Make, list, rotate and revoke API keys
    Keys(keys::Args),
    /// Register client certificates, change what a caller may do, revoke callers
    Callers(callers::Args),
    /// Drive a running local stack with a peak and an attack, and tell latencies, answers, writes and over-admission
    Loadtest(loadtest::Args),
    /// Evaluate SPF (RFC 7208) for one client and sender
    Spf(spf::Args),
    /// Judge what a domain publishes to protect itself: SPF, DMARC, MTA-STS and the like
    Posture(posture::Args),
    /// Judge one message and print its report
    Verify(verify::Args),
    /// Look at messages that were held back, release them, or have them judged again
    Quarantine(quarantine::Args),
    /// Announce maintenance and expected surges, or silence alerts for a while
    Calendar(calendar::Args),
    /// Print or show the page of an incident
    Incident(incident::Args),
    /// Run the anomaly detector over CSV history, streaming and without look-ahead
    Backtest(backtest::Args),
    /// Measure what the scan of many series costs, by the real code against an embedded table
    Simulate(simulate::Args),
    #[command(name = JUDGE_STDIN, hide = true)]
    JudgeStdin(judge_stdin::Args),
}

/// Runs one command.
///
/// # Errors
/// When the command could not do its work; its text is for the user.
pub fn run(cli: Cli) -> Result<(), CommandError> {
    match cli.command {
        None => block_on(serve::run(cli.serve)),
        Some(Command::Serve(args)) => block_on(serve::run(args)),
        Some(Command::Address(args)) => block_on(address::run(args)),
        Some(Command::Domains(args)) => block_on(domains::run(args)),
        Some(Command::Keys(args)) => block_on(keys::run(args)),
        Some(Command::Callers(args)) => block_on(callers::run(args)),
        Some(Command::Loadtest(args)) => block_on(loadtest::run(args)),
        Some(Command::Spf(args)) => block_on(spf::run(args)),
        Some(Command::Posture(args)) => block_on(posture::run(args)),
        Some(Command::Verify(args)) => block_on(verify::run(args)),
        Some(Command::Quarantine(args)) => block_on(quarantine::run(args)),
        Some(Command::Calendar(args)) => block_on(calendar::run(args)),
        Some(Command::Incident(args)) => block_on(incident::run(args)),
        Some(Command::Backtest(args)) => {
            Settings::read(args.config.as_deref())?;
            Ok(backtest::run(&args, &mut io::stdout().lock())?)
        }
        Some(Command::Simulate(args)) => block_on(simulate::run(args)),
        Some(Command::JudgeStdin(args)) => judge_stdin::run(&args),
    }
}

/// One line of an answer.
fn print(value: &Value) -> Result<(), CommandError> {
    Ok(writeln!(io::stdout().lock(), "{value}")?)
}

fn block_on(command: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
