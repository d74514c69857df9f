//! Activity counters: written by the functions, read by the scan. Both live here, so the key schema cannot drift.
//!
//! Partition `activity#<hour>#<lane>`, sort key `<minute>#<writer>`. One attribute `<series>|<channel>` per count; who stands
//! behind them is in `<series>|~domains` and `<series>|~networks`, or, for mail, in `<series>|~from:<domain>` and
//! `<series>|~seen`. Every instance has an item of its own in each bucket. One of validate adds up in memory and sets its item
//! to cumulative values, so a repeated write counts once. One of verify-inbound adds to its item inside the transaction
//! that also records the disposition, so a message judged twice counts once. Lanes keep API traffic from throttling mail.

mod api;
mod mail;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

pub use self::{
    api::{Counted, Counters, MOST_CROWDS, Urgency},
    mail::MailCounters,
};
use super::table::{EXPIRES_AT, Item, PK, Reading, SK, Table, TableError, key, number, read_text, text};
use crate::{
    activity::{Activity, Tally},
    bucket::Bucket,
};

/// How long counts are kept for the scan and for history.
const KEPT_FOR_SECONDS: u64 = 40 * 24 * 3600;

/// Where the counts of series go that an instance has no room for.
pub const OVERFLOW_SERIES: &str = "other/other";

/// Attributes that are no channel begin with this.
const DOMAINS: &str = "~domains";
const NETWORKS: &str = "~networks";
const FROM: &str = "~from:";
const SEEN: &str = "~seen";

/// Who counts. Each lane has partitions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Api,
    Mail,
}

/// All series of one bucket.
pub type BucketActivity = HashMap<String, Activity>;

/// Writes history under a writer name of its own, as `--counters` does for a fresh stack.
///
/// # Errors
/// When the table did not take an item.
pub async fn preload(table: &Table, series: &str, history: &[(Bucket, Tally)]) -> Result<(), TableError> {
    for (bucket, tally) in history {
        let mut item = empty_item(*bucket, Lane::Api, &format!("history-{series}"));
        item.extend(tally.iter().map(|(channel, count)| (attribute(series, channel), number(count))));
        let put = table.client.put_item().table_name(&table.name).set_item(Some(item)).send();
        put.await.map_err(|error| TableError::new("preload history", error))?;
    }
    Ok(())
}

/// The activity of every bucket of the hour that `within` lies in, all writers added up.
///
/// # Errors
/// When the table did not answer.
pub async fn read_hour(table: &Table, within: Bucket) -> Result<BTreeMap<Bucket, BucketActivity>, TableError> {
    let first = within.hour();
    read_span(table, first, first.plus(12), Reading::Consistent).await
}

/// The activity of every bucket from `from` on and before `end`, all writers added up.
///
/// # Errors
/// When the table did not answer.
pub async fn read_span(
    table: &Table,
    from: Bucket,
    end: Bucket,
    reading: Reading,
) -> Result<BTreeMap<Bucket, BucketActivity>, TableError> {
    let mut activity = BTreeMap::new();
    let mut first = from;
    while first < end {
        let next_hour = first.hour().plus(12);
        let last = end.min(next_hour).minus(1);
        for lane in [Lane::Api, Lane::Mail] {
            add_lane(&mut activity, table, (first, last), lane, reading).await?;
        }
        first = next_hour;
    }
    activity.values_mut().flat_map(BucketActivity::values_mut).for_each(Activity::complete);
    Ok(activity)
}

/// Adds the buckets of one hour, the first and the last of them included.
async fn add_lane(
    activity: &mut BTreeMap<Bucket, BucketActivity>,
    table: &Table,
    (first, last): (Bucket, Bucket),
    lane: Lane,
    reading: Reading,
) -> Result<(), TableError> {
    let query = table.client.query().table_name(&table.name).consistent_read(reading == Reading::Consistent);
    let mut pages = query
        .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
        .expression_attribute_names("#pk", PK)
        .expression_attribute_names("#sk", SK)
        .expression_attribute_values(":pk", text(partition(first, lane)))
        .expression_attribute_values(":first", text(first.minute_key()))
        // The sign after the one between minute and writer.
        .expression_attribute_values(":last", text(format!("{}$", last.minute_key())))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| TableError::new("read activity", error))?;
        page.items().iter().for_each(|item| add_item(activity, first, item));
    }
    Ok(())
}

fn add_item(hour: &mut BTreeMap<Bucket, BucketActivity>, within: Bucket, item: &Item) {
    let Some(bucket) = read_text(item, SK).and_then(|sort_key| bucket_of(within, &sort_key)) else { return };
    let activity = hour.entry(bucket).or_default();
    for (name, value) in item {
        if let Some((series, channel)) = name.rsplit_once('|') {
            add_attribute(activity.entry(series.to_owned()).or_default(), channel, value);
        }
    }
}

fn add_attribute(activity: &mut Activity, channel: &str, value: &AttributeValue) {
    match (channel, value) {
        (DOMAINS, AttributeValue::B(crowd)) => activity.domains.add_encoded(crowd.as_ref()),
        (NETWORKS, AttributeValue::B(crowd)) => activity.networks.add_encoded(crowd.as_ref()),
        (SEEN, AttributeValue::Ns(members)) => {
            members.iter().flat_map(|member| member.parse()).for_each(|member| activity.domains.add_member(member));
        }
        (_, AttributeValue::N(digits)) => add_count(activity, channel, digits),
        _ => {}
    }
}

fn add_count(activity: &mut Activity, channel: &str, digits: &str) {
    let Ok(count) = digits.parse::<u64>() else { return };
    match channel.strip_prefix(FROM) {
        Some(domain) => activity.domains.add(domain, count),
        None => *activity.tally.entry(channel.to_owned()).or_default() += count,
    }
}

fn empty_item(bucket: Bucket, lane: Lane, writer: &str) -> Item {
    let mut item = key(partition(bucket, lane), sort_key(bucket, writer));
    item.insert(EXPIRES_AT.to_owned(), number(expires_at_s(bucket)));
    item
}

fn expires_at_s(bucket: Bucket) -> u64 {
    bucket.start_seconds() + KEPT_FOR_SECONDS
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
