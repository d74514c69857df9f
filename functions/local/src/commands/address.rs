//! `gatepost address`

use std::{io, path::PathBuf, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use gatepost::{
    address::{Examination, examine},
    io::dns::Dns,
    mail_hosts::MailHosts,
    verdict::Flow,
};
use gatepost_validate::answer;
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};

use super::CommandError;
use crate::settings::{DnsArgument, Resolution};

/// For one DNS query.
const QUERY_TIMEOUT: Duration = Duration::from_millis(800);

/// Addresses that are looked up at the same time.
const AT_ONCE: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One address a line; `-` or nothing reads standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Lines are JSON: `{"address": ".."}`
    #[arg(long)]
    jsonl: bool,
    /// Ask no name server; what needs one says so
    #[arg(long)]
    offline: bool,
    /// `system`, or ADDR:PORT of a name server
    #[arg(long, default_value = "system")]
    dns: DnsArgument,
}

#[derive(Deserialize)]
struct Line {
    address: String,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let resolution = if args.offline { None } else { Some(Resolution::start(args.dns).await?) };
    let dns = resolution.as_ref().map(|resolution| Dns::new(resolution.server, QUERY_TIMEOUT)).transpose()?;
    let mut out = BufWriter::new(tokio::io::stdout());
    let lines = lines(open(args.file.as_ref()).await?);
    let answers = lines.map(|line| judged(line, args.jsonl, dns.as_ref())).buffered(AT_ONCE);
    let mut answers = std::pin::pin!(answers);
    while let Some(answer) = answers.try_next().await? {
        out.write_all(answer.as_bytes()).await?;
    }
    Ok(out.flush().await?)
}

async fn open(file: Option<&PathBuf>) -> Result<Box<dyn AsyncBufRead + Unpin + Send>, CommandError> {
    match file.filter(|path| path.as_os_str() != "-") {
        None => Ok(Box::new(BufReader::new(tokio::io::stdin()))),
        Some(path) => {
            let opened = tokio::fs::File::open(path).await;
            let file = opened.map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Box::new(BufReader::new(file)))
        }
    }
}

/// Octets up to each line feed, which is not part of the line; a line need not be UTF-8.
fn lines(input: Box<dyn AsyncBufRead + Unpin + Send>) -> impl stream::Stream<Item = io::Result<Vec<u8>>> {
    stream::try_unfold(input, |mut input| async move {
        let mut line = Vec::new();
        let read = input.read_until(b'\n', &mut line).await?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok((read != 0).then_some((line, input)))
    })
}

async fn judged(line: io::Result<Vec<u8>>, jsonl: bool, dns: Option<&Dns>) -> Result<String, CommandError> {
    let email = address_in(&line?, jsonl)?;
    let examination = examine(&email);
    let mail_hosts = mail_hosts(&examination, dns).await;
    let answer = answer(&email, examination, mail_hosts, Flow::Signup);
    Ok(serde_json::to_string(&answer)? + "\n")
}

fn address_in(line: &[u8], jsonl: bool) -> Result<String, CommandError> {
    if jsonl {
        let parsed: Line = serde_json::from_slice(line).map_err(|error| format!("not {{\"address\": ..}}: {error}"))?;
        return Ok(parsed.address);
    }
    let text = String::from_utf8_lossy(line);
    Ok(text.strip_suffix('\r').unwrap_or(&text).to_owned())
}

async fn mail_hosts(examination: &Examination, dns: Option<&Dns>) -> MailHosts {
    match (dns, &examination.mailbox) {
        (Some(dns), Some(mailbox)) if !examination.is_refused() => dns.mail_hosts(&mailbox.domain).await,
        _ => MailHosts::NotChecked,
    }
}
