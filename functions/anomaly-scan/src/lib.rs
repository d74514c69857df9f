//! What the schedule does: judge every complete bucket, publish the alerts that follow, and sweep waiting messages.

mod desk;
mod judge;
mod scan;
mod sweep;

use std::time::{Duration, SystemTime};

use gatepost::{
    anomaly::State,
    config::{self, ConfigError, Reader},
    io::{
        alerts::Outbox, functions::Function, ledger::Ledger, messages::Messages, series_state::Models,
        table::TableError,
    },
    local_time::Clocks,
    metric,
};
use serde::Serialize;
use tokio::time::Instant;

/// Settings of this function.
#[derive(Debug, Clone)]
pub struct ScanConfig {
    pub table: String,
    pub bucket: String,
    /// ARN of the topic that alerts go to.
    pub alert_topic: String,
    /// Name of the function that judges messages.
    pub verifier: String,
    /// By which the rhythm of each series goes.
    pub clocks: Clocks,
}

impl ScanConfig {
    /// # Errors
    /// All faults together.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader::new(variable);
        let config = Self {
            table: read.required(config::TABLE),
            bucket: read.required(config::BUCKET),
            alert_topic: read.required(config::ALERT_TOPIC),
            verifier: read.required(config::VERIFIER),
            clocks: clocks(&mut read),
        };
        read.finish(config)
    }
}

fn clocks(read: &mut Reader<impl Fn(&str) -> Option<String>>) -> Clocks {
    Clocks::parse(&read.items(config::ANOMALY_TIME_ZONES)).unwrap_or_else(|error| {
        read.refuse(config::ANOMALY_TIME_ZONES, &error);
        Clocks::default()
    })
}

/// Everything that a scan needs.
#[derive(Clone)]
pub struct Scanner {
    pub models: Models,
    pub outbox: Outbox,
    pub messages: Messages,
    pub ledger: Ledger,
    pub verifier: Function,
    pub clocks: Clocks,
}

/// What one scan did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Scanned {
    /// Series that were judged, without those that are made of others.
    pub series: usize,
    pub alerts_opened: usize,
    pub alerts_updated: usize,
    pub alerts_closed: usize,
    /// Alerts that SNS took, those left over by earlier scans included.
    pub alerts_published: usize,
    /// Alerts that SNS did not take; the next scan tries again.
    pub alerts_pending: usize,
    /// Messages that were handed to the verifier again.
    pub messages_swept: usize,
}

/// A scan that could not be finished. Repeating it is safe: nothing is judged, alerted or counted twice.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("the scan was not finished")]
    Table(#[from] TableError),
    #[error("another scan was faster on {series}; the next one goes on from there")]
    Outrun { series: String },
    #[error("shard {shard} belongs to an incident that was not stored")]
    Together { shard: u8 },
}

impl Scanned {
    /// Notes what people are told.
    fn count(&mut self, told: Option<State>) {
        match told {
            Some(State::Opened) => self.alerts_opened += 1,
            Some(State::Updated) => self.alerts_updated += 1,
            Some(State::Closed) => self.alerts_closed += 1,
            None => {}
        }
    }

    /// Adds what was done later, for mostly the same series.
    fn follow(&mut self, step: Self) {
        self.series = self.series.max(step.series);
        self.alerts_opened += step.alerts_opened;
        self.alerts_updated += step.alerts_updated;
        self.alerts_closed += step.alerts_closed;
    }
}

/// Judges every bucket that was complete `grace` before `now` and was not judged yet, publishes what is pending, and
/// sweeps. The grace is for counts that instances write after their answers.
///
/// # Errors
/// When the table did not answer. The sweep and the outbox are tried all the same.
pub async fn handle(scanner: &Scanner, now: SystemTime, grace: Duration) -> Result<Scanned, ScanError> {
    let started = Instant::now();
    let scan_and_publish = async {
        let scanned = scanner.scan(now - grace).await;
        (scanned, scanner.outbox.publish_pending().await)
    };
    let ((scanned, published), messages_swept) = tokio::join!(scan_and_publish, scanner.sweep(now));
    let (scanned, published) = (scanned?, published?);
    let scanned =
        Scanned { alerts_published: published.sent, alerts_pending: published.pending, messages_swept, ..scanned };
    tracing::info!(
        name: metric::SCANNED,
        series = scanned.series,
        scan_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        alerts.opened = scanned.alerts_opened,
        alerts.updated = scanned.alerts_updated,
        alerts.closed = scanned.alerts_closed,
        alerts.published = scanned.alerts_published,
        alerts.pending = scanned.alerts_pending,
        messages.swept = scanned.messages_swept,
        "scanned {} series",
        scanned.series,
    );
    Ok(scanned)
}
