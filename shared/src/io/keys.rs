//! API keys in the table: what is stored of a key, and who it belongs to.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::table::{Item, Table, TableError, key, read_number, read_text, unix_seconds};
use crate::{
    api_key::{ApiKey, HashSecret},
    rate_limit::Quota,
    weights::Weights,
};

/// How long it goes on believing in a known key while the table does not answer.
const BELIEVED_IN_OUTAGE_FOR: Duration = Duration::from_secs(15 * 60);

/// Keys remembered per instance, unknown ones included.
const REMEMBERED_KEYS: usize = 10_000;

/// Attributes of a key's row. The register writes them, the look-up reads them.
pub(super) const KEYED_HASH: &str = "keyed_hash";
pub(super) const PREVIOUS_HASH: &str = "previous_keyed_hash";
pub(super) const PREVIOUS_UNTIL: &str = "previous_until";
pub(super) const REVOKED: &str = "revoked";
pub(super) const REQUESTS_PER_MINUTE: &str = "requests_per_minute";
pub(super) const BURST: &str = "burst";
pub(super) const OVERRIDES: &str = "overrides";

/// The primary key of a key's row.
pub(super) fn row_key(id: &str) -> Item {
    key(format!("key#{id}"), "key")
}

/// Looks keys up. One per instance.
pub struct Keys {
    table: Table,
    secret: HashSecret,
    /// How long what was read is believed: a revoked key is refused everywhere after this long.
    believed_for: Duration,
    remembered: Mutex<HashMap<String, (SystemTime, Option<KeyRow>)>>,
}

/// Who calls, and what the caller may spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The public id of the key; safe to log.
    pub id: String,
    /// The client's own quota; `None` for the default.
    pub quota: Option<Quota>,
    /// How much reasons weigh for this client, over the defaults.
    pub weights: Weights,
}

#[derive(Debug, Clone)]
struct KeyRow {
    keyed_hash: Vec<u8>,
    /// Of the secret before the last rotation, and until when it is good, in Unix seconds.
    previous: Option<(Vec<u8>, u64)>,
    quota: Option<Quota>,
    weights: Weights,
}

impl Keys {
    #[must_use]
    pub fn new(table: Table, secret: HashSecret, believed_for: Duration) -> Self {
        Self { table, secret, believed_for, remembered: Mutex::default() }
    }

    /// `None` when no such key is known, or the secret is another.
    ///
    /// # Errors
    /// When the table did not answer and nothing recent is remembered.
    pub async fn client_of(&self, api_key: &ApiKey, now: SystemTime) -> Result<Option<Client>, TableError> {
        let row = match self.recall(api_key.id(), now, self.believed_for) {
            Some(row) => row,
            None => self.fetch_or_recall(api_key.id(), now).await?,
        };
        let row = row.filter(|row| row.is_of(api_key, &self.secret, now));
        Ok(row.map(|row| Client { id: api_key.id().to_owned(), quota: row.quota, weights: row.weights }))
    }

    /// A key that was good a while ago is good enough while the table does not answer.
    async fn fetch_or_recall(&self, id: &str, now: SystemTime) -> Result<Option<KeyRow>, TableError> {
        match self.fetch(id, now).await {
            Err(error) => self.recall(id, now, BELIEVED_IN_OUTAGE_FOR).flatten().map(Some).ok_or(error),
            fetched => fetched,
        }
    }

    async fn fetch(&self, id: &str, now: SystemTime) -> Result<Option<KeyRow>, TableError> {
        let get = self.table.client.get_item().table_name(&self.table.name);
        let get = get.set_key(Some(row_key(id))).send();
        let output = get.await.map_err(|error| TableError::new("look a key up", error))?;
        let row = output.item.as_ref().and_then(KeyRow::read);
        self.remember(id, now, row.clone());
        Ok(row)
    }

    fn recall(&self, id: &str, now: SystemTime, believed_for: Duration) -> Option<Option<KeyRow>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, row) = remembered.get(id)?;
        let is_recent = now.duration_since(*read_at).is_ok_and(|age| age < believed_for);
        is_recent.then(|| row.clone())
    }

    fn remember(&self, id: &str, now: SystemTime, row: Option<KeyRow>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if REMEMBERED_KEYS <= remembered.len() {
            remembered.clear();
        }
        remembered.insert(id.to_owned(), (now, row));
    }
}

impl KeyRow {
    /// Both comparisons are made in constant time.
    fn is_of(&self, api_key: &ApiKey, secret: &HashSecret, now: SystemTime) -> bool {
        let is_previous =
            |(hash, until_s): &(Vec<u8>, u64)| unix_seconds(now) < *until_s && api_key.matches(hash, secret);
        api_key.matches(&self.keyed_hash, secret) || self.previous.as_ref().is_some_and(is_previous)
    }

    /// A row that says `disabled` is as good as none.
    fn read(item: &Item) -> Option<Self> {
        let keyed_hash = read_octets(item, KEYED_HASH)?;
        let previous = read_octets(item, PREVIOUS_HASH).zip(read_number(item, PREVIOUS_UNTIL));
        let rate = read_number(item, REQUESTS_PER_MINUTE);
        let quota = rate.zip(read_number(item, BURST)).map(|(rate, burst)| Quota::new(rate, burst));
        let weights = read_weights(item)?;
        (!item.contains_key(REVOKED)).then_some(Self { keyed_hash, previous, quota, weights })
    }
}

fn read_octets(item: &Item, name: &str) -> Option<Vec<u8>> {
    Some(item.get(name)?.as_b().ok()?.as_ref().to_vec())
}

/// `None` when the row says what cannot be: a client is not judged by half of its policy.
pub(super) fn read_weights(item: &Item) -> Option<Weights> {
    let text = read_text(item, OVERRIDES).unwrap_or_default();
    match Weights::parse(text.split(',').map(str::trim).filter(|part| !part.is_empty())) {
        Ok(weights) => Some(weights),
        Err(error) => {
            tracing::error!(cause = %error, "the policy of a client cannot be read; its key is refused");
            None
        }
    }
}
