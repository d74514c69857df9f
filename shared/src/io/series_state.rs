//! What the scan keeps of every series, and how far it has come.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};
use serde::{Deserialize, Serialize};

use super::table::{EXPIRES_AT, Item, PK, SK, Table, TableError, key, number, read_number, read_text, text};
use crate::{
    anomaly::{Measure, Model, Watch},
    bucket::Bucket,
};

/// Partitions that the series are spread over.
const SHARDS: u64 = 4;

/// Buckets of silence after which a series is forgotten: a week and a day, so that a weekly job is not.
const FORGOTTEN_AFTER: u32 = 8 * 288;

/// How long the item of a forgotten series is kept.
const KEPT_FOR_SECONDS: u64 = 2 * 24 * 3600;

/// Totals kept for the sparkline of an alert.
const RECENT: usize = 24;

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
    /// The latest totals, oldest first.
    pub recent: Vec<f64>,
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

/// How far the scan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// The first bucket that was not judged yet.
    pub next: Bucket,
    /// From here on a bucket without counts means no traffic; before it nobody counted.
    pub counting_since: Bucket,
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
        Self { model: Model::new(Measure::Count), watch: None, recent: Vec::new(), last_active: None }
    }
}

impl SeriesState {
    /// Whether the series has been silent for so long that it is no longer watched. Its item expires soon after.
    #[must_use]
    pub fn is_forgotten(&self, bucket: Bucket) -> bool {
        let silent = |last: Bucket| FORGOTTEN_AFTER < bucket.since(last);
        self.watch.as_ref().is_none_or(|watch| watch.incident.is_none()) && self.last_active.is_some_and(silent)
    }

    pub fn remember(&mut self, bucket: Bucket, total: f64) {
        if 0.0 < total {
            self.last_active = Some(bucket);
        }
        self.recent.push(total);
        let excess = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..excess);
    }
}

impl Models {
    /// Every known series. A state that cannot be read any more is begun anew, and the log says so.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn load(&self) -> Result<BTreeMap<String, Loaded>, TableError> {
        let shards = futures_util::future::try_join_all((0..SHARDS).map(|shard| self.load_shard(shard)));
        Ok(shards.await?.into_iter().flatten().collect())
    }

    async fn load_shard(&self, shard: u64) -> Result<Vec<(String, Loaded)>, TableError> {
        let mut pages = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(partition(shard)))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut states = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| TableError::new("load models", error))?;
            states.extend(page.items().iter().filter_map(read_state));
        }
        Ok(states)
    }

    /// Stores a state together with the alerts that follow from it, on the condition that the stored item
    /// is still the one that was found.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn save(
        &self,
        series: &str,
        state: &SeriesState,
        revision: Option<u64>,
        alerts: Vec<TransactWriteItem>,
    ) -> Result<Saved, TableError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| TableError::new("save a model", cause);
        let octets = serde_json::to_vec(state).map_err(|cause| failed(cause.into()))?;
        let mut item = key(partition(shard_of(series)), series);
        item.insert("state".to_owned(), AttributeValue::B(Blob::new(octets)));
        item.insert("revision".to_owned(), number(revision.map_or(0, |revision| revision + 1)));
        // What has an open incident stays until it is closed and somebody was told.
        let is_open = state.watch.as_ref().is_some_and(|watch| watch.incident.is_some());
        if let Some(last_active) = state.last_active.filter(|_| !is_open) {
            let forgotten_at = last_active.plus(FORGOTTEN_AFTER).start_seconds();
            item.insert(EXPIRES_AT.to_owned(), number(forgotten_at + KEPT_FOR_SECONDS));
        }
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item));
        let put = match revision {
            None => put.condition_expression("attribute_not_exists(revision)"),
            Some(revision) => {
                put.condition_expression("revision = :found").expression_attribute_values(":found", number(revision))
            }
        };
        let put = TransactWriteItem::builder().put(put.build().map_err(|cause| failed(cause.into()))?).build();
        let transaction = self.table.client.transact_write_items();
        let items = std::iter::once(put).chain(alerts).collect();
        match transaction.set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Saved::Ours),
            Err(error) if is_condition_failure(&error) => Ok(Saved::Outrun),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// `None` before the first scan.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn watermark(&self) -> Result<Option<Watermark>, TableError> {
        let get = self.table.client.get_item().table_name(&self.table.name).consistent_read(true);
        let output = get.set_key(Some(key("scan", "watermark"))).send().await;
        let item = output.map_err(|error| TableError::new("read the watermark", error))?.item;
        Ok(item.as_ref().and_then(read_watermark))
    }

    /// # Errors
    /// When the table did not take it.
    pub async fn set_watermark(&self, watermark: Watermark) -> Result<(), TableError> {
        let mut item = key("scan", "watermark");
        item.insert("next_bucket".to_owned(), number(u32::from(watermark.next)));
        item.insert("counting_since".to_owned(), number(u32::from(watermark.counting_since)));
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| TableError::new("move the watermark", error))
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

fn read_watermark(item: &Item) -> Option<Watermark> {
    let bucket = |name| Bucket::try_from(read_number::<u32>(item, name)?).ok();
    Some(Watermark { next: bucket("next_bucket")?, counting_since: bucket("counting_since")? })
}

fn is_condition_failure(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return false;
    };
    canceled.cancellation_reasons().iter().any(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

fn partition(shard: u64) -> String {
    format!("model#{shard}")
}

fn shard_of(series: &str) -> u64 {
    series.bytes().map(u64::from).sum::<u64>() % SHARDS
}
