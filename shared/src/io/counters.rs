//! Activity counters: written by the functions, read by the scan. Both live here, so the key schema cannot drift.
//!
//! Partition `activity#<hour>#<lane>`, sort key `<minute>#<writer>`, one attribute `<series>|<channel>` per count. Every
//! instance has an item of its own in each bucket. One of validate adds up in memory and sets its item to cumulative
//! values, so a repeated write counts once. One of verify-inbound adds to its item inside the transaction that also
//! records the disposition, so a message judged twice counts once. Lanes keep API traffic from throttling mail.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{TransactWriteItem, Update},
};

use super::table::{EXPIRES_AT, Item, PK, SK, Table, TableError, key, number, read_text, text};
use crate::{
    activity::{Channel, Tally},
    bucket::Bucket,
};

/// How long counts are kept for the scan and for history.
const KEPT_FOR_SECONDS: u64 = 40 * 24 * 3600;

/// Series that one instance counts in one bucket; what exceeds them is counted together.
const MOST_SERIES: usize = 1_000;

/// Where the counts of series beyond [`MOST_SERIES`] go.
pub const OVERFLOW_SERIES: &str = "other/other";

/// Series in one item of verify-inbound: every addition is charged by the size of the item.
const MOST_MAIL_SERIES: usize = 100;

/// Buckets that wait for a table which does not answer; older counts are lost then.
const MOST_BUCKETS: usize = 24;

/// A written bucket is forgotten when it is this old: a slow request may still count in the one before.
const FORGOTTEN_AFTER: u32 = 2;

/// Who counts. Each lane has partitions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Api,
    Mail,
}

/// All series of one bucket.
pub type BucketActivity = HashMap<String, Tally>;

/// The counts of one instance that were not written yet, or may still grow.
#[derive(Debug)]
pub struct Counters {
    table: Table,
    /// Names this instance among all writers of a bucket.
    writer: String,
    pending: Mutex<BTreeMap<Bucket, Pending>>,
    /// Two flushes at once could set an item back to the older of their counts.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, Clone)]
struct Pending {
    activity: BucketActivity,
    is_written: bool,
}

impl Counters {
    #[must_use]
    pub fn new(table: Table, writer: String) -> Self {
        Self { table, writer, pending: Mutex::default(), flushing: tokio::sync::Mutex::default() }
    }

    /// Counts in memory: nothing is awaited, nothing fails.
    pub fn count(&self, series: &str, channels: &[Channel], bucket: Bucket) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = pending.entry(bucket).or_default();
        let is_full = MOST_SERIES <= bucket.activity.len() && !bucket.activity.contains_key(series);
        let tally = bucket.activity.entry(if is_full { OVERFLOW_SERIES } else { series }.to_owned()).or_default();
        for channel in channels {
            *tally.entry(channel.as_str().to_owned()).or_default() += 1;
        }
        bucket.is_written = false;
    }

    /// Writes what changed since the last call, one item a bucket. What fails stays pending; what is written and old
    /// at `current` is forgotten.
    ///
    /// # Errors
    /// When the table did not take an item.
    pub async fn flush(&self, current: Bucket) -> Result<(), TableError> {
        let _alone = self.flushing.lock().await;
        self.forget_before(current.minus(FORGOTTEN_AFTER));
        for (bucket, activity) in self.unwritten() {
            self.write(bucket, &activity).await?;
            self.mark_written(bucket, &activity);
        }
        Ok(())
    }

    async fn write(&self, bucket: Bucket, activity: &BucketActivity) -> Result<(), TableError> {
        let put = self.table.client.put_item().table_name(&self.table.name);
        let put = put.set_item(Some(item(bucket, &self.writer, activity))).send();
        put.await.map(drop).map_err(|error| TableError::new("count activity", error))
    }

    fn unwritten(&self) -> Vec<(Bucket, BucketActivity)> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = pending.iter().filter(|(_, pending)| !pending.is_written);
        changed.map(|(bucket, pending)| (*bucket, pending.activity.clone())).collect()
    }

    fn mark_written(&self, bucket: Bucket, written: &BucketActivity) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = pending.get_mut(&bucket) {
            entry.is_written = entry.activity == *written;
        }
    }

    fn forget_before(&self, oldest: Bucket) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|bucket, pending| oldest <= *bucket || !pending.is_written);
        while MOST_BUCKETS < pending.len() {
            pending.pop_first();
        }
    }
}

/// Names the item that one instance of verify-inbound adds to, and bounds the series in it.
#[derive(Debug)]
pub struct MailCounters {
    table: String,
    writer: String,
    series: Mutex<(Option<Bucket>, HashSet<String>)>,
}

impl MailCounters {
    #[must_use]
    pub fn new(table: String, instance: &str) -> Self {
        Self { table, writer: format!("inbound-{instance}"), series: Mutex::default() }
    }

    /// The addition for one message, to be part of the transaction that records its disposition.
    ///
    /// # Errors
    /// Never for a valid table name.
    pub fn addition(
        &self,
        series: &str,
        channels: &[Channel],
        bucket: Bucket,
    ) -> Result<TransactWriteItem, BuildError> {
        let series = self.bounded(series, bucket);
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(partition(bucket, Lane::Mail), sort_key(bucket, &self.writer))))
            .expression_attribute_names("#exp", EXPIRES_AT)
            .expression_attribute_values(":exp", number(bucket.start_seconds() + KEPT_FOR_SECONDS))
            .expression_attribute_values(":one", number(1));
        let mut additions = Vec::new();
        for (index, channel) in channels.iter().enumerate() {
            update = update.expression_attribute_names(format!("#c{index}"), attribute(series, channel.as_str()));
            additions.push(format!("#c{index} :one"));
        }
        let update = update.update_expression(format!("SET #exp = :exp ADD {}", additions.join(", "))).build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Recipient domains come from strangers wherever a rule takes any sub-domain.
    fn bounded<'s>(&self, series: &'s str, bucket: Bucket) -> &'s str {
        let mut known = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != Some(bucket) {
            *known = (Some(bucket), HashSet::new());
        }
        if known.1.len() < MOST_MAIL_SERIES || known.1.contains(series) {
            known.1.insert(series.to_owned());
            return series;
        }
        OVERFLOW_SERIES
    }
}

/// Writes history under a writer name of its own, as `--counters` does for a fresh stack.
///
/// # Errors
/// When the table did not take an item.
pub async fn preload(table: &Table, series: &str, history: &[(Bucket, Tally)]) -> Result<(), TableError> {
    for (bucket, tally) in history {
        let activity = BucketActivity::from([(series.to_owned(), tally.clone())]);
        let put = table.client.put_item().table_name(&table.name);
        let put = put.set_item(Some(item(*bucket, &format!("history-{series}"), &activity))).send();
        put.await.map_err(|error| TableError::new("preload history", error))?;
    }
    Ok(())
}

/// The activity of every bucket of the hour that `within` lies in, all writers added up.
///
/// # Errors
/// When the table did not answer.
pub async fn read_hour(table: &Table, within: Bucket) -> Result<BTreeMap<Bucket, BucketActivity>, TableError> {
    let mut hour = BTreeMap::new();
    for lane in [Lane::Api, Lane::Mail] {
        let query = table.client.query().table_name(&table.name).consistent_read(true);
        let mut pages = query
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(partition(within, lane)))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| TableError::new("read activity", error))?;
            page.items().iter().for_each(|item| add_item(&mut hour, within, item));
        }
    }
    Ok(hour)
}

fn item(bucket: Bucket, writer: &str, activity: &BucketActivity) -> Item {
    let mut item = key(partition(bucket, Lane::Api), sort_key(bucket, writer));
    item.insert(EXPIRES_AT.to_owned(), number(bucket.start_seconds() + KEPT_FOR_SECONDS));
    for (series, tally) in activity {
        for (channel, count) in tally {
            item.insert(attribute(series, channel), number(count));
        }
    }
    item
}

fn add_item(hour: &mut BTreeMap<Bucket, BucketActivity>, within: Bucket, item: &Item) {
    let Some(bucket) = read_text(item, SK).and_then(|sort_key| bucket_of(within, &sort_key)) else { return };
    let activity = hour.entry(bucket).or_default();
    for (name, value) in item {
        let count = value.as_n().ok().and_then(|digits| digits.parse::<u64>().ok());
        if let (Some((series, channel)), Some(count)) = (name.rsplit_once('|'), count) {
            *activity.entry(series.to_owned()).or_default().entry(channel.to_owned()).or_default() += count;
        }
    }
}

fn partition(bucket: Bucket, lane: Lane) -> String {
    let lane = match lane {
        Lane::Api => "api",
        Lane::Mail => "mail",
    };
    format!("activity#{}#{lane}", bucket.hour_key())
}

fn sort_key(bucket: Bucket, writer: &str) -> String {
    format!("{}#{writer}", bucket.minute_key())
}

fn bucket_of(within: Bucket, sort_key: &str) -> Option<Bucket> {
    let (minute, _) = sort_key.split_once('#')?;
    Bucket::parse(&format!("{}:{minute}", within.hour_key())).ok()
}

fn attribute(series: &str, channel: &str) -> String {
    format!("{series}|{channel}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> Bucket {
        Bucket::parse("2026-11-23T02:10").expect("a time")
    }

    #[test]
    fn what_a_writer_writes_is_what_the_reader_reads() {
        let tally = Tally::from([("total".to_owned(), 7), ("limited".to_owned(), 2)]);
        let activity = BucketActivity::from([("signup/a|b".to_owned(), tally)]);
        let mut hour = BTreeMap::new();
        add_item(&mut hour, bucket(), &item(bucket(), "one", &activity));
        assert_eq!(hour, BTreeMap::from([(bucket(), activity)]));
    }

    #[test]
    fn writers_of_one_bucket_add_up() {
        let activity = BucketActivity::from([("inbound/x".to_owned(), Tally::from([("total".to_owned(), 3)]))]);
        let mut hour = BTreeMap::new();
        add_item(&mut hour, bucket(), &item(bucket(), "one", &activity));
        add_item(&mut hour, bucket(), &item(bucket(), "two", &activity));
        assert_eq!(hour[&bucket()]["inbound/x"]["total"], 6);
    }
}
