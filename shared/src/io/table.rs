//! The one DynamoDB table: how items are named, and the few words that every user of it needs.

use std::{collections::HashMap, fmt, time::SystemTime};

use aws_sdk_dynamodb::{Client, types::AttributeValue};

/// Attributes of one item by name.
pub type Item = HashMap<String, AttributeValue>;

/// Partition key, sort key, and the attribute that time to live reads.
pub const PK: &str = "pk";
pub const SK: &str = "sk";
pub const EXPIRES_AT: &str = "expires_at";

/// A client and the name of the table it speaks about.
#[derive(Debug, Clone)]
pub struct Table {
    pub client: Client,
    pub name: String,
}

/// How recent what is read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// At half the price; what was written a second ago may be missing.
    Eventual,
    Consistent,
}

/// The table did not answer, or refused. The cause is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
#[error("the table could not {asked}")]
pub struct TableError {
    asked: &'static str,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl TableError {
    pub fn new(asked: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { asked, cause: cause.into() }
    }
}

#[must_use]
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[must_use]
pub fn number(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[must_use]
pub fn read_text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

#[must_use]
pub fn read_number<N: std::str::FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Partition and sort key of one item.
#[must_use]
pub fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([(PK.to_owned(), text(pk)), (SK.to_owned(), text(sk))])
}

/// Seconds since the Unix epoch; zero for a clock before it.
#[must_use]
pub fn unix_seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Microseconds since the Unix epoch; zero for a clock before it.
#[must_use]
pub fn unix_micros(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX / 2))
}

/// Milliseconds since the Unix epoch; zero for a clock before it.
#[must_use]
pub fn unix_millis(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
