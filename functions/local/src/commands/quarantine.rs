//! `gatepost quarantine`

use std::{
    io::Write,
    time::{Duration, UNIX_EPOCH},
};

use gatepost::{
    config,
    io::{
        aws,
        functions::Function,
        ledger::Ledger,
        messages::Messages,
        quarantine::{Held, Quarantine, Release},
        table::Table,
    },
};
use gatepost_verify_inbound::event::MessageId;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CommandError, print,
    target::{CALL, Target},
};
use crate::{
    aws::clients::{self, Clients},
    clock,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// One line for each message, the latest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// The report of one message, or the message itself
    Show {
        message_id: String,
        /// Print the message as SES stored it
        #[arg(long)]
        message: bool,
    },
    /// Copy a message to `delivered/`; who and why stays with it
    Release {
        message_id: String,
        /// Who decides it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// For what reason
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Judge a message again, by today's configuration and DNS, and print the new report
    Rejudge { message_id: String },
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let quarantine = quarantine(&args.target).await?;
    match args.action {
        Action::List { limit } => {
            for held in quarantine.list(limit).await? {
                print(&summary(&held))?;
            }
            Ok(())
        }
        Action::Show { message_id, message: true } => {
            let octets = quarantine.message(checked(&message_id)?.as_str()).await?;
            Ok(std::io::stdout().lock().write_all(&octets)?)
        }
        Action::Show { message_id, message: false } => print(&quarantine.report(checked(&message_id)?.as_str()).await?),
        Action::Release { message_id, by, why } => {
            let release = Release { by: said("--by", by)?, why: said("--why", why)? };
            print(&quarantine.release(checked(&message_id)?.as_str(), &release, clock::now()).await?)
        }
        Action::Rejudge { message_id } => print(&quarantine.rejudge(checked(&message_id)?.as_str()).await?),
    }
}

async fn quarantine(target: &Target) -> Result<Quarantine, CommandError> {
    let [table, bucket, verifier] = target.names([config::TABLE, config::BUCKET, config::VERIFIER])?;
    if target.aws {
        let calls = aws::of_operator(aws::CALL).await;
        let transfers = aws::with_deadline(&calls, aws::TRANSFER);
        let invocations = aws::single_invocation(&calls, aws::JUDGEMENT);
        return Ok(Quarantine {
            messages: Messages { client: aws_sdk_s3::Client::new(&transfers), bucket },
            ledger: Ledger { table: Table { client: aws_sdk_dynamodb::Client::new(&calls), name: table } },
            verifier: Function { client: aws_sdk_lambda::Client::from_conf(invocations), name: verifier },
        });
    }
    let endpoints = target.endpoints().await?;
    let Clients { dynamodb, s3, .. } = Clients::new(&endpoints, CALL);
    Ok(Quarantine {
        messages: Messages { client: s3, bucket },
        ledger: Ledger { table: Table { client: dynamodb, name: table } },
        verifier: Function { client: clients::lambda(&endpoints.lambda, aws::JUDGEMENT), name: verifier },
    })
}

/// What a line of the list says.
fn summary(held: &Held) -> Value {
    let Held { message_id, since_s, report } = held;
    let since = Timestamp::try_from(UNIX_EPOCH + Duration::from_secs(*since_s)).map(|since| since.to_string());
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let weighs = |finding: &&Value| matches!(finding["severity"].as_str(), Some("quarantine" | "reject"));
    let codes: Vec<&Value> = findings.iter().filter(weighs).map(|finding| &finding["code"]).collect();
    json!({
        "message_id": message_id,
        "since": since.ok(),
        "from_domain": report["from_domain"],
        "findings": codes,
        "released": report.get("release").is_some(),
    })
}

fn checked(message_id: &str) -> Result<MessageId, CommandError> {
    Ok(MessageId::parse(message_id)?)
}

fn said(option: &str, text: String) -> Result<String, CommandError> {
    if text.trim().is_empty() { Err(format!("{option} is empty").into()) } else { Ok(text) }
}
