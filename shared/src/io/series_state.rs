//! What the scan keeps of every series.
//!
//! A state is a checkpoint: it is written once an hour, or every six hours for a series in which nothing happens, and at once with the
//! alert that follows from it. What lies between a checkpoint and the present is judged again from the counters, with the same
//! outcome. A shard is a partition of its own, so that shards are read side by side.
//!
//! Of each series there are two items: the state, which fits one write unit, and the profile of its week, which is written once the
//! state carries many hours that differ from it. The profile is written last, so that the state never lacks what it rests on.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};

use super::table::{EXPIRES_AT, Item, PK, Reading, SK, Table, TableError, key, number, read_number, read_text, text};
use crate::{
    bucket::Bucket,
    series_state::{FORGOTTEN_AFTER, SeriesState, StateError, Stored},
};

/// Partitions that the series are spread over.
pub const SHARDS: u8 = 16;

/// Buckets between two checkpoints of a series with traffic, and of one without.
pub const CHECKPOINT: u32 = 12;
pub const IDLE_CHECKPOINT: u32 = 72;

/// How long the item of a forgotten series is kept.
const KEPT_FOR_SECONDS: u64 = 2 * 24 * 3600;

/// Hours, of the week and of the day, in which the stored profile may differ before it is written again: it is a few times a day.
const MOST_CHANGES: usize = 16;

/// How long a profile is kept, and how long before its end it is written again in any case.
const PROFILE_KEPT_FOR_SECONDS: u64 = 60 * 24 * 3600;
const PROFILE_RENEWED_BEFORE_SECONDS: u64 = 30 * 24 * 3600;

/// The sort key of a profile: no flow has this name.
const PROFILE: &str = "profile#";

/// Attributes of a state, and what earlier versions stored instead of them. Names are charged like values.
const MODEL: &str = "model";
const RECENT: &str = "recent";
const LAST_ACTIVE: &str = "active";
const WATCH: &str = "watch";
const EARLIER: &str = "state";
const REVISION: &str = "revision";

/// The models of one deployment.
#[derive(Debug, Clone)]
pub struct Models {
    pub table: Table,
}

/// A state as it was found.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub state: SeriesState,
    /// How often the stored item was written; `None` for a new series.
    pub revision: Option<u64>,
    pub profile: StoredProfile,
}

/// A profile as it was found; empty if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredProfile {
    octets: Vec<u8>,
    expires_at_s: u64,
}

/// A state to be stored on the condition that the item is still the one that was found.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    pub series: &'a str,
    pub state: &'a SeriesState,
    pub found: Option<u64>,
    pub profile: &'a StoredProfile,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Ours,
    /// Another scan was faster; its state and its alerts stand.
    Outrun,
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
    /// Every known series of a shard. A state that cannot be read any more is begun anew, and the log says so. One that is no longer the
    /// latest, as an eventual reading may find it, cannot be stored over a later one.
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
        let (mut states, mut profiles) = (Vec::new(), HashMap::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| TableError::new("load models", error))?;
            for item in page.items.unwrap_or_default() {
                match read_text(&item, SK) {
                    Some(name) if name.starts_with(PROFILE) => {
                        profiles
                            .extend(name.strip_prefix(PROFILE).map(|series| (series.to_owned(), read_profile(&item))));
                    }
                    Some(series) => states.push((series, item)),
                    None => {}
                }
            }
        }
        let loaded = states.into_iter().map(|(series, item)| {
            let loaded = read_state(&series, &item, profiles.remove(&series).unwrap_or_default());
            (series, loaded)
        });
        Ok(loaded.collect())
    }

    /// Stores a state by itself, and its profile if that is due.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn checkpoint(&self, checkpoint: &Checkpoint<'_>) -> Result<Saved, TableError> {
        let saved = self.put_state(checkpoint).await?;
        if let (Saved::Ours, Some(item)) = (saved, checkpoint.profile_item()) {
            let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
            put.send().await.map_err(|error| TableError::new("save a profile", error))?;
        }
        Ok(saved)
    }

    async fn put_state(&self, checkpoint: &Checkpoint<'_>) -> Result<Saved, TableError> {
        let put = self.table.client.put_item().table_name(&self.table.name);
        let put = put.set_item(Some(checkpoint.item()));
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
        let put = Put::builder().table_name(table).set_item(Some(self.item()));
        let put = match self.found {
            None => put.condition_expression(NOT_THERE),
            Some(found) => put.condition_expression(AS_FOUND).expression_attribute_values(":found", number(found)),
        };
        let put = put.build().map_err(|error| TableError::new("save a model", error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn item(&self) -> Item {
        let Self { series, state, found, profile } = *self;
        let (stored, _) = state.pack(&profile.octets);
        let mut item = key(partition(shard_of(series)), series);
        item.insert(MODEL.to_owned(), octets(stored.model));
        item.insert(RECENT.to_owned(), octets(stored.recent));
        item.insert(REVISION.to_owned(), number(found.map_or(0, |found| found + 1)));
        item.extend(stored.watch.map(|watch| (WATCH.to_owned(), text(watch))));
        item.extend(stored.last_active.map(|bucket| (LAST_ACTIVE.to_owned(), number(u32::from(bucket)))));
        // What has an open incident stays until it is closed and somebody was told.
        if let Some(last_active) = state.last_active.filter(|_| !state.has_incident()) {
            let forgotten_at = last_active.plus(FORGOTTEN_AFTER).start_seconds();
            item.insert(EXPIRES_AT.to_owned(), number(forgotten_at + KEPT_FOR_SECONDS));
        }
        item
    }

    /// The profile, once it differs in many hours or would expire.
    fn profile_item(&self) -> Option<Item> {
        let packed = self.state.model.pack();
        let now = self.state.model.last()?.start_seconds();
        let is_fresh = now + PROFILE_RENEWED_BEFORE_SECONDS <= self.profile.expires_at_s;
        if is_fresh && packed.changes(&self.profile.octets) <= MOST_CHANGES {
            return None;
        }
        let mut item = key(partition(shard_of(self.series)), format!("{PROFILE}{}", self.series));
        item.insert(MODEL.to_owned(), octets(packed.profile));
        item.insert(EXPIRES_AT.to_owned(), number(now + PROFILE_KEPT_FOR_SECONDS));
        Some(item)
    }
}

fn octets(octets: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(octets))
}

fn read_octets(item: &Item, name: &str) -> Option<Vec<u8>> {
    item.get(name)?.as_b().ok().map(|octets| octets.as_ref().to_vec())
}

fn read_profile(item: &Item) -> StoredProfile {
    StoredProfile {
        octets: read_octets(item, MODEL).unwrap_or_default(),
        expires_at_s: read_number(item, EXPIRES_AT).unwrap_or_default(),
    }
}

fn read_state(series: &str, item: &Item, profile: StoredProfile) -> Loaded {
    let revision = read_number(item, REVISION);
    match state(item, &profile) {
        Ok(state) => Loaded { state, revision, profile },
        Err(error) => {
            let cause: &dyn std::error::Error = &error;
            tracing::error!(series, cause, "a model cannot be read and begins anew");
            Loaded { revision, ..Loaded::default() }
        }
    }
}

fn state(item: &Item, profile: &StoredProfile) -> Result<SeriesState, StateError> {
    if let Some(json) = read_octets(item, EARLIER) {
        return SeriesState::of_earlier_version(&json);
    }
    let stored = Stored {
        model: read_octets(item, MODEL).unwrap_or_default(),
        recent: read_octets(item, RECENT).unwrap_or_default(),
        last_active: read_number::<u32>(item, LAST_ACTIVE).and_then(|bucket| Bucket::try_from(bucket).ok()),
        watch: read_text(item, WATCH),
    };
    SeriesState::unpack(stored, profile.octets.clone())
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
