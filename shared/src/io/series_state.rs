//! What the scan keeps of every series.
//!
//! A state is a checkpoint: it is written once an hour, or every six hours for a series in which nothing happens, and at once with the
//! alert that follows from it. What lies between a checkpoint and the present is judged again from the counters, with the same
//! outcome. A shard is a partition of its own, so that shards are read side by side.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};
use serde::{Deserialize, Serialize};

use super::table::{EXPIRES_AT, Item, PK, SK, Table, TableError, key, number, read_number, read_text, text};
use crate::{
    anomaly::{Measure, Model, Watch},
    bucket::Bucket,
    recent::{Memory, Point, Recent},
};

/// Partitions that the series are spread over.
pub const SHARDS: u8 = 16;

/// Buckets between two checkpoints of a series with traffic, and of one without.
pub const CHECKPOINT: u32 = 12;
pub const IDLE_CHECKPOINT: u32 = 72;

/// Buckets of silence after which a series is forgotten: a week and a day, so that a weekly job is not.
const FORGOTTEN_AFTER: u32 = 8 * 288;

/// How long the item of a forgotten series is kept.
const KEPT_FOR_SECONDS: u64 = 2 * 24 * 3600;

/// The models of one deployment.
#[derive(Debug, Clone)]
pub struct Models {
    pub table: Table,
}

/// One series between two scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesState {
    pub model: Model,
    pub watch: Option<Watch>,
    pub recent: Recent,
    /// The last bucket with any traffic.
    pub last_active: Option<Bucket>,
}

/// A state as it was found.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub state: SeriesState,
    /// How often the stored item was written; `None` for a new series.
    pub revision: Option<u64>,
}

/// A state to be stored on the condition that the item is still the one that was found.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    pub series: &'a str,
    pub state: &'a SeriesState,
    pub found: Option<u64>,
}

/// How recent what is read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// At half the price. Who finds a state that is no longer the latest cannot overwrite it.
    Eventual,
    Consistent,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Ours,
    /// Another scan was faster; its state and its alerts stand.
    Outrun,
}

impl Default for SeriesState {
    fn default() -> Self {
        Self { model: Model::new(Measure::Count), watch: None, recent: Recent::default(), last_active: None }
    }
}

impl SeriesState {
    /// Whether the series has been silent for so long that it is no longer watched. Its item expires soon after.
    #[must_use]
    pub fn is_forgotten(&self, bucket: Bucket) -> bool {
        let silent = |last: Bucket| FORGOTTEN_AFTER < bucket.since(last);
        !self.has_incident() && self.last_active.is_some_and(silent)
    }

    #[must_use]
    pub fn has_incident(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.incident.is_some())
    }

    pub fn remember(&mut self, bucket: Bucket, point: Point) {
        if 0.0 < point.total {
            self.last_active = Some(bucket);
        }
        let memory = if self.has_incident() { Memory::DuringIncident } else { Memory::Usual };
        self.recent.push(bucket, point, memory);
    }
}

/// The shard of a series.
#[must_use]
pub fn shard_of(series: &str) -> u8 {
    u8::try_from(spread(series) % u64::from(SHARDS)).unwrap_or(0)
}

/// Whether a state that was stored up to `stored` is to be stored again once `judged` is judged. The turn of each series comes at a
/// time of its own, so that every scan stores its part of them.
#[must_use]
pub fn is_due(series: &str, stored: Bucket, judged: Bucket, every: u32) -> bool {
    let offset = u32::try_from(spread(series) / u64::from(SHARDS) % u64::from(every)).unwrap_or(0);
    let turn = |bucket: Bucket| (u32::from(bucket) + offset) / every;
    turn(stored) < turn(judged)
}

impl Models {
    /// Every known series of a shard. A state that cannot be read any more is begun anew, and the log says so.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn load_shard(&self, shard: u8, reading: Reading) -> Result<Vec<(String, Loaded)>, TableError> {
        let mut pages = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(partition(shard)))
            .consistent_read(reading == Reading::Consistent)
            .into_paginator()
            .send();
        let mut states = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| TableError::new("load models", error))?;
            states.extend(page.items().iter().filter_map(read_state));
        }
        Ok(states)
    }

    /// Stores a state by itself.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn checkpoint(&self, checkpoint: &Checkpoint<'_>) -> Result<Saved, TableError> {
        let put = self.table.client.put_item().table_name(&self.table.name);
        let put = put.set_item(Some(checkpoint.item()?));
        let put = match checkpoint.found {
            None => put.condition_expression(NOT_THERE),
            Some(found) => put.condition_expression(AS_FOUND).expression_attribute_values(":found", number(found)),
        };
        match put.send().await {
            Ok(_) => Ok(Saved::Ours),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(Saved::Outrun),
            Err(error) => Err(TableError::new("save a model", error)),
        }
    }

    /// Stores states together with the incident and the alert that follow from them; at most 100 items in all.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn commit(
        &self,
        checkpoints: &[Checkpoint<'_>],
        others: Vec<TransactWriteItem>,
    ) -> Result<Saved, TableError> {
        let puts = checkpoints.iter().map(|checkpoint| checkpoint.put(&self.table.name));
        let items = puts.chain(others.into_iter().map(Ok)).collect::<Result<_, _>>()?;
        match self.table.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Saved::Ours),
            Err(error) if is_outrun(&error) => Ok(Saved::Outrun),
            Err(error) => Err(TableError::new("save models and alerts", error)),
        }
    }
}

const NOT_THERE: &str = "attribute_not_exists(revision)";
const AS_FOUND: &str = "revision = :found";

impl Checkpoint<'_> {
    fn put(&self, table: &str) -> Result<TransactWriteItem, TableError> {
        let put = Put::builder().table_name(table).set_item(Some(self.item()?));
        let put = match self.found {
            None => put.condition_expression(NOT_THERE),
            Some(found) => put.condition_expression(AS_FOUND).expression_attribute_values(":found", number(found)),
        };
        let put = put.build().map_err(|error| TableError::new("save a model", error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn item(&self) -> Result<Item, TableError> {
        let Self { series, state, found } = *self;
        let octets = serde_json::to_vec(state).map_err(|error| TableError::new("save a model", error))?;
        let mut item = key(partition(shard_of(series)), series);
        item.insert("state".to_owned(), AttributeValue::B(Blob::new(octets)));
        item.insert("revision".to_owned(), number(found.map_or(0, |found| found + 1)));
        // What has an open incident stays until it is closed and somebody was told.
        if let Some(last_active) = state.last_active.filter(|_| !state.has_incident()) {
            let forgotten_at = last_active.plus(FORGOTTEN_AFTER).start_seconds();
            item.insert(EXPIRES_AT.to_owned(), number(forgotten_at + KEPT_FOR_SECONDS));
        }
        Ok(item)
    }
}

fn read_state(item: &Item) -> Option<(String, Loaded)> {
    let series = read_text(item, SK)?;
    let octets = item.get("state")?.as_b().ok()?;
    let state = serde_json::from_slice(octets.as_ref()).unwrap_or_else(|error| {
        tracing::error!(series, cause = %error, "a model cannot be read and begins anew");
        SeriesState::default()
    });
    Some((series, Loaded { state, revision: read_number(item, "revision") }))
}

/// A failed condition, or another transaction that holds one of the items.
fn is_outrun(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return false;
    };
    let codes = ["ConditionalCheckFailed", "TransactionConflict"];
    canceled.cancellation_reasons().iter().any(|reason| reason.code().is_some_and(|code| codes.contains(&code)))
}

fn partition(shard: u8) -> String {
    format!("model#{shard}")
}

/// Fowler, Noll and Vo's hash (FNV-1a): the same in every build, which the names of partitions have to be.
fn spread(series: &str) -> u64 {
    series.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_spread_over_the_shards_and_their_turns_over_the_hour() {
        let (mut shards, mut turns) = ([0; SHARDS as usize], [0; CHECKPOINT as usize]);
        let start = Bucket::parse("2026-11-23T02:00").expect("a time");
        for number in 0..4_000 {
            let series = format!("signup/k{number}");
            shards[usize::from(shard_of(&series))] += 1;
            let due: Vec<u32> =
                (0..CHECKPOINT).filter(|&at| is_due(&series, start.plus(at), start.plus(at + 1), CHECKPOINT)).collect();
            assert_eq!(due.len(), 1, "{series}");
            turns[due[0] as usize] += 1;
        }
        assert!(shards.iter().all(|count| (150..350).contains(count)), "{shards:?}");
        assert!(turns.iter().all(|count| (200..470).contains(count)), "{turns:?}");
    }

    #[test]
    fn no_state_is_older_than_an_hour_when_its_series_had_traffic() {
        let start = Bucket::parse("2026-11-23T02:00").expect("a time");
        for number in 0..100 {
            let series = format!("signup/k{number}");
            assert!(is_due(&series, start, start.plus(CHECKPOINT), CHECKPOINT), "{series}");
        }
    }
}
