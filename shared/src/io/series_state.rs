//! What the scan keeps of every series, and how far it has come.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};
use serde::{Deserialize, Serialize};

use super::table::{Item, PK, SK, Table, TableError, key, number, read_number, read_text, text};
use crate::{
    anomaly::{Measure, Model, Watch},
    bucket::Bucket,
};

/// Partitions that the series are spread over.
const SHARDS: u64 = 4;

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
}

/// A state as it was found.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub state: SeriesState,
    /// Where the stored item stands; `None` for a new series.
    pub stands_at: Option<Bucket>,
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
        Self { model: Model::new(Measure::Count), watch: None, recent: Vec::new() }
    }
}

impl SeriesState {
    pub fn remember(&mut self, total: f64) {
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
    /// still stands where it was found.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn save(
        &self,
        series: &str,
        state: &SeriesState,
        stands_at: Option<Bucket>,
        alerts: Vec<TransactWriteItem>,
    ) -> Result<Saved, TableError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| TableError::new("save a model", cause);
        let octets = serde_json::to_vec(state).map_err(|cause| failed(cause.into()))?;
        let mut item = key(partition(shard_of(series)), series);
        item.insert("state".to_owned(), AttributeValue::B(Blob::new(octets)));
        item.insert("last_bucket".to_owned(), number(state.model.last().map_or(0, u32::from)));
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item));
        let put = match stands_at {
            None => put.condition_expression("attribute_not_exists(last_bucket)"),
            Some(bucket) => put
                .condition_expression("last_bucket = :before")
                .expression_attribute_values(":before", number(u32::from(bucket))),
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
    let stands_at = read_number::<u32>(item, "last_bucket").and_then(|index| Bucket::try_from(index).ok());
    Some((series, Loaded { state, stands_at }))
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
