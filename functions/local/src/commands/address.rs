//! `gatepost address`

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use gatepost::{
    address::examine,
    config::{self, Reader},
    domain_list::DomainList,
    flow::Flow,
    io::dns::{Dns, NameServers},
    look_alike::LookAlikes,
    mail_hosts::{Hosts, MailHosts},
    overlay::Overlay,
    verdict::Context,
    weights::Weights,
};
use gatepost_validate::answer;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};

use super::CommandError;
use crate::settings::{DnsArgument, Resolution, Settings};

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
    /// TOML file of settings: protected domains, and how much reasons weigh
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
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
    let judge = Judge::new(args.config.as_deref(), dns)?;
    let progress = progress(args.file.as_ref())?;
    let mut out = BufWriter::new(tokio::io::stdout());
    let answers = lines(open(args.file.as_ref()).await?).map(|line| judge.judge_line(line, args.jsonl));
    let mut answers = std::pin::pin!(answers.buffered(AT_ONCE));
    while let Some((read, answer)) = answers.try_next().await? {
        out.write_all(answer.as_bytes()).await?;
        progress.inc(read);
    }
    progress.finish_and_clear();
    Ok(out.flush().await?)
}

/// A bar on standard error while a file is read, when somebody looks at it: answers go to standard output.
fn progress(file: Option<&PathBuf>) -> Result<ProgressBar, CommandError> {
    let octets = file.and_then(|path| std::fs::metadata(path).ok()).map(|found| found.len());
    // What is shown there already must not be torn apart.
    let is_watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
    match octets.filter(|_| is_watched) {
        None => Ok(ProgressBar::hidden()),
        Some(octets) => {
            let style = ProgressStyle::with_template("{bar:40} {percent}% {binary_bytes_per_sec}, {eta} left")?;
            Ok(ProgressBar::new(octets).with_style(style))
        }
    }
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

/// What addresses are judged by: the defaults, and no opinions of a team.
struct Judge {
    dns: Option<Dns>,
    list: Arc<DomainList>,
    weights: Weights,
    overlay: Overlay,
    look_alikes: LookAlikes,
}

impl Judge {
    fn new(config: Option<&Path>, dns: Option<Dns>) -> Result<Self, CommandError> {
        let settings = Settings::read(config)?;
        let mut read = Reader::new(|name: &str| settings.variable(name));
        let protected = read.domains(config::PROTECTED_DOMAINS);
        let weights = Weights::parse(read.list(config::VALIDATION_OVERRIDES))?;
        let look_alikes = read.finish(LookAlikes::new(&protected))?;
        Ok(Self { dns, list: DomainList::embedded(), weights, overlay: Overlay::default(), look_alikes })
    }

    /// How many octets were read, and the answer.
    async fn judge_line(&self, line: io::Result<Vec<u8>>, jsonl: bool) -> Result<(u64, String), CommandError> {
        let line = line?;
        let email = address_in(&line, jsonl)?;
        let context = self.context();
        let examination = examine(&email);
        let hosts = match (&self.dns, &examination.mailbox) {
            (Some(dns), Some(mailbox)) if !context.refuses(&examination) => {
                dns.hosts(&mailbox.domain, NameServers::Wanted).await
            }
            _ => Hosts::from(MailHosts::NotChecked),
        };
        let answer = serde_json::to_string(&answer(&email, examination, hosts, &context))? + "\n";
        Ok((u64::try_from(line.len() + 1)?, answer))
    }

    fn context(&self) -> Context<'_> {
        Context {
            flow: Flow::Signup,
            client: "",
            weights: &self.weights,
            list: &self.list,
            overlay: &self.overlay,
            look_alikes: &self.look_alikes,
        }
    }
}

fn address_in(line: &[u8], jsonl: bool) -> Result<String, CommandError> {
    if jsonl {
        let parsed: Line = serde_json::from_slice(line).map_err(|error| format!("not {{\"address\": ..}}: {error}"))?;
        return Ok(parsed.address);
    }
    let text = String::from_utf8_lossy(line);
    Ok(text.strip_suffix('\r').unwrap_or(&text).to_owned())
}
