//! What the table says of one client, whatever it shows: read once, believed for a while.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    guard::Guard,
    table::{Item, PK, SK, Table, TableError, key, number, read_number, read_text, text, unix_micros},
};
use crate::{generations::Generations, rate_limit::Quota, weights::Weights};

/// How long an instance goes on believing in who was welcome while the table does not answer.
pub(super) const WELCOME_IN_OUTAGE_FOR: Duration = Duration::from_secs(15 * 60);

/// Rows remembered per instance, absent ones included.
const REMEMBERED: usize = 10_000;

/// Sort key of every row of a client.
pub(super) const ROW: &str = "key";

/// Attributes of such a row. Registers write them, look-ups read them.
const NAME: &str = "name";
pub(super) const REVOKED: &str = "revoked";
const REQUESTS_PER_MINUTE: &str = "requests_per_minute";
const BURST: &str = "burst";
const CLIENT_IP_REQUESTS_PER_MINUTE: &str = "client_ip_requests_per_minute";
const CLIENT_IP_BURST: &str = "client_ip_burst";
const OVERRIDES: &str = "overrides";

/// Who calls, and what the caller may spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The public id; safe to log.
    pub id: String,
    pub terms: Terms,
}

/// What a row grants. `None` and the empty policy mean the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Of the client.
    pub quota: Option<Quota>,
    /// Of each end user of the client.
    pub client_ip_quota: Option<Quota>,
    /// How much reasons weigh.
    pub weights: Weights,
}

/// What an operator grants a client. What is `None` stays as it is, or for a new client at the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// For people.
    pub name: Option<String>,
    /// Requests a minute and burst.
    pub quota: Option<(u32, u32)>,
    /// The same for each end user of the client.
    pub client_ip_quota: Option<(u32, u32)>,
    /// How much reasons weigh for this client, as [`Weights::parse`] reads its parts between commas.
    pub overrides: Option<String>,
}

/// What is read of a row.
pub(super) trait Row: Clone {
    /// Of the item, or of there being none.
    fn read(item: Option<&Item>) -> Self;

    /// For how long it counts while the table does not answer.
    fn believed_in_outage_for(&self) -> Duration;
}

/// Looks rows up. One per kind of credential and instance.
pub(super) struct Rows<R> {
    pub(super) table: Table,
    believed_for: Duration,
    remembered: Mutex<Generations<String, (SystemTime, R)>>,
    guard: Guard,
}

impl<R: Row> Rows<R> {
    /// What was read is believed for `believed_for`: what is revoked is refused everywhere after this long.
    pub(super) fn new(table: Table, believed_for: Duration) -> Self {
        Self { table, believed_for, remembered: Mutex::new(Generations::new(REMEMBERED)), guard: Guard::default() }
    }

    /// The row of a partition; what is remembered of it, if that is recent or all there is.
    ///
    /// # Errors
    /// When the table did not answer and nothing recent is remembered.
    pub(super) async fn row(&self, pk: &str, now: SystemTime) -> Result<R, TableError> {
        if let Some(row) = self.remembered(pk, now) {
            return Ok(row);
        }
        self.ask(pk, now).await
    }

    async fn ask(&self, pk: &str, now: SystemTime) -> Result<R, TableError> {
        let fetched = self.guard.ask("look a client up", unix_micros(now), self.fetch(pk)).await;
        match fetched {
            Ok(row) => {
                self.memory().insert(pk.to_owned(), (now, row.clone()));
                Ok(row)
            }
            Err(error) => self.recall(pk, |row, age| age < row.believed_in_outage_for(), now).ok_or(error),
        }
    }

    /// The same, read anew unless that was done within `age`.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub(super) async fn row_within(&self, pk: &str, age: Duration, now: SystemTime) -> Result<R, TableError> {
        if let Some(row) = self.recall(pk, |_, found| found < age, now) {
            return Ok(row);
        }
        self.ask(pk, now).await
    }

    /// The row, if it was read lately.
    pub(super) fn remembered(&self, pk: &str, now: SystemTime) -> Option<R> {
        self.recall(pk, |_, age| age < self.believed_for, now)
    }

    async fn fetch(&self, pk: &str) -> Result<R, TableError> {
        let get = self.table.client.get_item().table_name(&self.table.name).set_key(Some(key(pk, ROW)));
        let output = get.send().await.map_err(|error| TableError::new("look a client up", error))?;
        Ok(R::read(output.item.as_ref()))
    }

    fn recall(&self, pk: &str, is_believed: impl Fn(&R, Duration) -> bool, now: SystemTime) -> Option<R> {
        let mut memory = self.memory();
        let (read_at, row) = memory.get(pk)?;
        let age = now.duration_since(*read_at).unwrap_or(Duration::MAX);
        is_believed(row, age).then(|| row.clone())
    }

    fn memory(&self) -> MutexGuard<'_, Generations<String, (SystemTime, R)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant {
    pub(super) fn attributes(&self) -> Vec<(&'static str, AttributeValue)> {
        let mut attributes = Vec::new();
        let texts = [(NAME, &self.name), (OVERRIDES, &self.overrides)];
        attributes.extend(texts.into_iter().filter_map(|(name, value)| Some((name, text(value.clone()?)))));
        for ([rate, burst], quota) in [
            ([REQUESTS_PER_MINUTE, BURST], self.quota),
            ([CLIENT_IP_REQUESTS_PER_MINUTE, CLIENT_IP_BURST], self.client_ip_quota),
        ] {
            attributes.extend(quota.into_iter().flat_map(|quota| [(rate, number(quota.0)), (burst, number(quota.1))]));
        }
        attributes
    }

    pub(super) fn read(row: &Item) -> Self {
        let quota = |rate, burst| read_number(row, rate).zip(read_number(row, burst));
        Self {
            name: read_text(row, NAME),
            quota: quota(REQUESTS_PER_MINUTE, BURST),
            client_ip_quota: quota(CLIENT_IP_REQUESTS_PER_MINUTE, CLIENT_IP_BURST),
            overrides: read_text(row, OVERRIDES),
        }
    }
}

/// The rows of all clients that a register names, by id: one Query, and one read a client. `partition` says where a row lies.
pub(super) async fn registered(
    table: &Table,
    register: &str,
    partition: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, Item)>, TableError> {
    let query = table.client.query().table_name(&table.name).key_condition_expression("#pk = :pk");
    let query = query.expression_attribute_names("#pk", PK).expression_attribute_values(":pk", text(register));
    let entries = query.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await;
    let entries = entries.map_err(|error| TableError::new("list clients", error))?;
    let mut rows = Vec::with_capacity(entries.len());
    for id in entries.iter().filter_map(|entry| read_text(entry, SK)) {
        if let Some(partition) = partition(&id) {
            rows.extend(current_row(table, partition).await?.map(|row| (id, row)));
        }
    }
    Ok(rows)
}

/// The row of a partition as it is now.
pub(super) async fn current_row(table: &Table, partition: String) -> Result<Option<Item>, TableError> {
    let get = table.client.get_item().table_name(&table.name).set_key(Some(key(partition, ROW)));
    let output = get.consistent_read(true).send().await;
    Ok(output.map_err(|error| TableError::new("read a client", error))?.item)
}

impl Terms {
    /// `None` when the row is revoked, or says what cannot be: a client is not judged by half of its policy.
    pub(super) fn read(item: &Item) -> Option<Self> {
        let terms = Self {
            quota: read_quota(item, REQUESTS_PER_MINUTE, BURST)?,
            client_ip_quota: read_quota(item, CLIENT_IP_REQUESTS_PER_MINUTE, CLIENT_IP_BURST)?,
            weights: read_weights(item)?,
        };
        (!item.contains_key(REVOKED)).then_some(terms)
    }
}

/// `None` for half a quota, or one that is no number.
fn read_quota(item: &Item, rate: &str, burst: &str) -> Option<Option<Quota>> {
    if !item.contains_key(rate) && !item.contains_key(burst) {
        return Some(None);
    }
    let quota = read_number(item, rate).zip(read_number(item, burst));
    if quota.is_none() {
        tracing::error!("the quota of a client cannot be read; it is refused");
    }
    quota.map(|(rate, burst)| Some(Quota::new(rate, burst)))
}

fn read_weights(item: &Item) -> Option<Weights> {
    let text = read_text(item, OVERRIDES).unwrap_or_default();
    match Weights::parse(text.split(',').map(str::trim).filter(|part| !part.is_empty())) {
        Ok(weights) => Some(weights),
        Err(error) => {
            tracing::error!(
                cause = super::telemetry::with_causes(&error),
                "the policy of a client cannot be read; it is refused"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table::number, *};

    #[test]
    fn a_client_is_not_judged_by_half_of_its_terms() {
        let row = |attributes: &[(&str, &str)]| {
            let item: Item = attributes.iter().map(|(name, value)| ((*name).to_owned(), number(value))).collect();
            Terms::read(&item)
        };
        assert_eq!(row(&[]), Some(Terms::default()));
        let quota = row(&[(REQUESTS_PER_MINUTE, "7"), (BURST, "3")]).and_then(|terms| terms.quota);
        assert_eq!(quota, Some(Quota::new(7, 3)));
        for unreadable in [
            &[(REQUESTS_PER_MINUTE, "7")][..],
            &[(BURST, "3")],
            &[(REQUESTS_PER_MINUTE, "-7"), (BURST, "3")],
            &[(CLIENT_IP_BURST, "3")],
            &[(REVOKED, "1")],
        ] {
            assert_eq!(row(unreadable), None, "{unreadable:?}");
        }
    }
}
