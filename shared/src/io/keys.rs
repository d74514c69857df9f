//! API keys in the table: what is stored of a key, and who it belongs to.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

use super::table::{Item, Table, TableError, key, read_number, read_text, text};
use crate::{
    api_key::{ApiKey, HashSecret},
    rate_limit::Quota,
    weights::Weights,
};

/// How long an instance believes what it read: a revoked key is refused everywhere after this long.
pub const BELIEVED_FOR: Duration = Duration::from_secs(60);

/// How long it goes on believing in a known key while the table does not answer.
const BELIEVED_IN_OUTAGE_FOR: Duration = Duration::from_secs(15 * 60);

/// Keys remembered per instance, unknown ones included.
const REMEMBERED_KEYS: usize = 10_000;

/// Looks keys up. One per instance.
pub struct Keys {
    table: Table,
    secret: HashSecret,
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
    quota: Option<Quota>,
    weights: Weights,
}

impl Keys {
    #[must_use]
    pub fn new(table: Table, secret: HashSecret) -> Self {
        Self { table, secret, remembered: Mutex::default() }
    }

    /// `None` when no such key is known, or the secret is another.
    ///
    /// # Errors
    /// When the table did not answer and nothing recent is remembered.
    pub async fn client_of(&self, api_key: &ApiKey, now: SystemTime) -> Result<Option<Client>, TableError> {
        let row = match self.recall(api_key.id(), now, BELIEVED_FOR) {
            Some(row) => row,
            None => self.fetch_or_recall(api_key.id(), now).await?,
        };
        let row = row.filter(|row| api_key.matches(&row.keyed_hash, &self.secret));
        Ok(row.map(|row| Client { id: api_key.id().to_owned(), quota: row.quota, weights: row.weights }))
    }

    /// Stores the keyed hash of a new key under a name for people.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn store(&self, api_key: &ApiKey, name: &str) -> Result<(), TableError> {
        let mut item = key(format!("key#{}", api_key.id()), "key");
        item.insert("keyed_hash".to_owned(), AttributeValue::B(Blob::new(api_key.keyed_hash(&self.secret))));
        item.insert("name".to_owned(), text(name));
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        put.send().await.map_err(|error| TableError::new("store a key", error))?;
        Ok(())
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
        let get = get.set_key(Some(key(format!("key#{id}"), "key"))).send();
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
    /// A row that says `disabled` is as good as none.
    fn read(item: &Item) -> Option<Self> {
        let keyed_hash = item.get("keyed_hash")?.as_b().ok()?.as_ref().to_vec();
        let rate = read_number(item, "requests_per_minute");
        let quota = rate.zip(read_number(item, "burst")).map(|(rate, burst)| Quota::new(rate, burst));
        let weights = read_weights(item)?;
        (read_text(item, "disabled").is_none()).then_some(Self { keyed_hash, quota, weights })
    }
}

/// `None` when the row says what cannot be: a client is not judged by half of its policy.
pub(super) fn read_weights(item: &Item) -> Option<Weights> {
    let text = read_text(item, "overrides").unwrap_or_default();
    match Weights::parse(text.split(',').map(str::trim).filter(|part| !part.is_empty())) {
        Ok(weights) => Some(weights),
        Err(error) => {
            tracing::error!(cause = %error, "the policy of a client cannot be read; its key is refused");
            None
        }
    }
}
