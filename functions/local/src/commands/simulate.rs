//! `gatepost simulate`: what the scan costs for many series, by the real code against an embedded table.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use gatepost::{
    activity::{Channel, series},
    api_key::HashSecret,
    bucket::Bucket,
    io::{
        alerts::Outbox,
        counters::{Counted, Counters, MOST_CROWDS, Urgency},
        functions::Function,
        ledger::Ledger,
        messages::Messages,
        scan_progress,
        series_state::Models,
        table::Table,
    },
    local_time::Clocks,
};
use gatepost_anomaly_scan::Scanner;
use rustix::time::{ClockId, clock_gettime};

use super::CommandError;
use crate::{
    aws::{
        clients::{self, Clients, Endpoints},
        dynamodb::TABLE,
        meter::{Consumed, Meter},
        s3::BUCKET,
    },
    running,
};

/// Patience with a table that is a SQLite on the same machine.
const CALL: Duration = Duration::from_secs(600);

/// Series that one instance counts, and so what one item holds: all that it has room for with who stands behind them.
const SERIES_PER_INSTANCE: usize = MOST_CROWDS;

/// Requests of a series in five minutes: from one in ten buckets to twenty, every order of magnitude as often.
const RAREST: f64 = 0.1;
const MOST_FREQUENT: f64 = 20.0;

/// Scans in an hour, and in a month of 30 days.
const HOUR: u32 = 12;
const SCANS_A_MONTH: f64 = 8640.0;

/// On-demand list prices of us-east-1, standard table class, in US dollars per unit (November 2024).
const READ_UNIT: f64 = 0.125e-6;
const WRITE_UNIT: f64 = 0.625e-6;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Series of the largest run; a tenth and a hundredth of them are run before, to see how the figures grow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    series: u32,
    /// Hours of traffic that are measured, after one that is not
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=168))]
    hours: u32,
    /// Only the largest run
    #[arg(long)]
    once: bool,
    /// Begins the random numbers of the traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// One run.
struct Measured {
    series: u32,
    scans: u32,
    consumed: Consumed,
    cpu: Duration,
    alerts: usize,
}

/// Another process with a table, so that its work is not counted as ours. Ended when dropped.
struct Backend {
    child: Child,
    endpoints: Endpoints,
    /// Kept open: a closed pipe would end the process at its next line.
    _stdout: BufReader<ChildStdout>,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{HEAD}")?;
    let sizes = [100, 10, 1].map(|part| args.series / part);
    for series in sizes.into_iter().filter(|size| 0 < *size && (!args.once || *size == args.series)) {
        writeln!(out, "{}", row(&measured(series, &args).await?))?;
    }
    Ok(())
}

const HEAD: &str = "   series  scans  alerts  | per scan:  requests  | per series and scan: read units  write units  CPU us  \
                    | per month: reads $  writes $";

fn row(measured: &Measured) -> String {
    let Measured { series, scans, consumed, cpu, alerts } = measured;
    let (scans_run, all) = (f64::from(*scans), f64::from(*scans) * f64::from(*series));
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let requests = (consumed.reads + consumed.writes) as f64 / scans_run;
    let month = SCANS_A_MONTH / scans_run;
    format!(
        "{series:>9}  {scans:>5}  {alerts:>6}  | {requests:>19.0}  | {:>31.4}  {:>11.4}  {:>6.1}  | {:>18.2}  {:>8.2}",
        consumed.read_units / all,
        consumed.write_units / all,
        cpu.as_secs_f64() * 1e6 / all,
        consumed.read_units * month * READ_UNIT,
        consumed.write_units * month * WRITE_UNIT,
    )
}

async fn measured(series: u32, args: &Args) -> Result<Measured, CommandError> {
    let backend = Backend::start().await?;
    let table = Table { client: clients::dynamodb(&backend.endpoints.dynamodb, CALL), name: TABLE.to_owned() };
    let meter = Meter::default();
    let scanner = scanner(&backend.endpoints, &meter);
    let start = Bucket::parse("2026-11-23T00:00")?;
    scan_progress::reset(&table, start, start).await?;
    let mut traffic = Traffic { state: args.seed };
    let mut measured = Measured { series, scans: 0, consumed: Consumed::default(), cpu: Duration::ZERO, alerts: 0 };
    for bucket in (0..HOUR * (1 + args.hours)).map(|offset| start.plus(offset)) {
        traffic.count(&table, series, bucket).await?;
        let _ = meter.take();
        let cpu = process_time();
        let scanned = gatepost_anomaly_scan::handle(&scanner, bucket.next().start(), Duration::ZERO).await?;
        if HOUR <= bucket.since(start) {
            measured.scans += 1;
            measured.cpu += process_time().saturating_sub(cpu);
            measured.alerts += scanned.alerts_opened;
            measured.consumed = measured.consumed.and(meter.take());
        }
    }
    Ok(measured)
}

fn scanner(endpoints: &Endpoints, meter: &Meter) -> Scanner {
    let clients = Clients::new(endpoints, CALL);
    let table = Table { client: clients::metered_dynamodb(&endpoints.dynamodb, CALL, meter), name: TABLE.to_owned() };
    Scanner {
        models: Models { table: table.clone() },
        outbox: Outbox {
            table: table.clone(),
            sns: clients.sns,
            topic: "arn:aws:sns:us-east-1:000000000000:gatepost-alerts".to_owned(),
        },
        messages: Messages { client: clients.s3, bucket: BUCKET.to_owned() },
        ledger: Ledger { table },
        verifier: Function { client: clients.lambda, name: "verify-inbound".to_owned() },
        clocks: Clocks::default(),
    }
}

/// Random traffic, the same for the same seed.
struct Traffic {
    state: u64,
}

impl Traffic {
    /// Counts one bucket, through as many instances as it takes, and has it written.
    async fn count(&mut self, table: &Table, all: u32, bucket: Bucket) -> Result<(), CommandError> {
        for first in (0..all).step_by(SERIES_PER_INSTANCE) {
            let counters = Counters::new(table.clone(), format!("instance-{first}"), HashSecret::new("simulated"));
            for number in (first..all).take(SERIES_PER_INSTANCE) {
                let name = series("signup", &format!("client-{number:07}"));
                for _ in 0..self.requests(number) {
                    let domain = format!("{}.example", self.pick(number));
                    let counted = Counted {
                        series: &name,
                        channels: &[Channel::Total, Channel::Accept],
                        domain: Some(&domain),
                        network: None,
                        urgency: Urgency::Soon,
                    };
                    counters.count(&counted, bucket);
                }
            }
            counters.flush(bucket).await?;
        }
        Ok(())
    }

    /// How many requests a series has in a bucket: Poisson, around a rate of its own.
    fn requests(&mut self, number: u32) -> u32 {
        let part = f64::from(number.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
        let rate = RAREST * (MOST_FREQUENT / RAREST).powf(part);
        let (least, mut product, mut requests) = ((-rate).exp(), self.random(), 0);
        while least < product && requests < 1_000 {
            product *= self.random();
            requests += 1;
        }
        requests
    }

    /// One of sixteen names, some more often than others.
    fn pick(&mut self, number: u32) -> u32 {
        let place = (0..16).take_while(|_| self.random() < 0.75).count();
        number % 97 * 16 + u32::try_from(place).unwrap_or(0)
    }

    /// Evenly between 0 and 1 (Vigna's splitmix64).
    fn random(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

impl Backend {
    async fn start() -> Result<Self, CommandError> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(["serve", "--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("the table has no output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").ok_or("the table did not start")?;
        let endpoints = running::endpoints(url).await?;
        Ok(Self { child, endpoints, _stdout: stdout })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // It is ours, holds nothing, and may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this process has computed so far.
fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
