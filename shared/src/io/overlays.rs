//! Opinions on domains in the table, and the copy of them that requests read.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::types::AttributeValue;

use super::table::{Item, PK, SK, Table, TableError, key, number, read_number, read_text, text, unix_seconds};
use crate::{
    address::Domain,
    overlay::{Opinion, Overlay},
};

/// The partition of all of them.
const PARTITION: &str = "overlay";

/// After so many intervals a request waits for newer ones.
const STALE_AFTER: u32 = 3;

/// All opinions. One per instance.
pub struct Overlays {
    table: Table,
    every: Duration,
    current: RwLock<Arc<Overlay>>,
    read_at: Mutex<Option<SystemTime>>,
    tried_at: Mutex<Option<SystemTime>>,
}

/// One opinion as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The id of a client, or [`crate::overlay::EVERYONE`].
    pub client: String,
    pub domain: String,
    pub opinion: Opinion,
    /// Why, for people.
    pub note: String,
    /// Unix seconds.
    pub since_s: u64,
}

impl Overlays {
    #[must_use]
    pub fn new(table: Table, every: Duration) -> Self {
        Self { table, every, current: RwLock::default(), read_at: Mutex::default(), tried_at: Mutex::default() }
    }

    /// What was read last; empty before that.
    #[must_use]
    pub fn overlay(&self) -> Arc<Overlay> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads all of them again when the interval is over: one Query, which requests do not wait for.
    ///
    /// # Errors
    /// When the table did not answer: what was read before stays, and the next call asks again.
    pub async fn refresh(&self, now: SystemTime) -> Result<(), TableError> {
        if !is_older(&self.read_at, now, self.every) {
            return Ok(());
        }
        *self.tried_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let mut overlay = Overlay::default();
        for stored in self.list().await? {
            let Ok(domain) = Domain::parse(&stored.domain) else { continue };
            if !overlay.add(&stored.client, &domain, stored.opinion) {
                tracing::error!(entries = overlay.len(), "the overlay is full; the rest of its entries has no effect");
                break;
            }
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(overlay);
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    /// Every opinion, by client and domain.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn list(&self) -> Result<Vec<Stored>, TableError> {
        let query = self.table.client.query().table_name(&self.table.name).key_condition_expression("#pk = :pk");
        let query = query.expression_attribute_names("#pk", PK).expression_attribute_values(":pk", text(PARTITION));
        let items = query.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await;
        let items = items.map_err(|error| TableError::new("list opinions on domains", error))?;
        Ok(items.iter().filter_map(Stored::read).collect())
    }

    /// Stores one; what was said about this domain for this client before is replaced.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn store(&self, stored: &Stored) -> Result<(), TableError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(stored.item()));
        put.send().await.map_err(|error| TableError::new("store an opinion on a domain", error))?;
        Ok(())
    }

    /// Whether there was one to remove.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn remove(&self, client: &str, domain: &Domain) -> Result<bool, TableError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        let delete = delete.set_key(Some(key(PARTITION, sort_key(client, domain.as_str()))));
        let delete = delete.return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld).send();
        let output = delete.await.map_err(|error| TableError::new("remove an opinion on a domain", error))?;
        Ok(output.attributes.is_some_and(|old| !old.is_empty()))
    }

    /// Whether what is known is so old that a request had better wait for something newer, since the function was idle;
    /// but not when somebody asked in vain a moment ago.
    #[must_use]
    pub fn is_stale(&self, now: SystemTime) -> bool {
        is_older(&self.read_at, now, self.every * STALE_AFTER) && is_older(&self.tried_at, now, self.every)
    }
}

/// Whether a time is unknown, or longer ago than this.
fn is_older(time: &Mutex<Option<SystemTime>>, now: SystemTime, than: Duration) -> bool {
    let time = *time.lock().unwrap_or_else(PoisonError::into_inner);
    !time.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < than))
}

impl Stored {
    /// At the time given.
    #[must_use]
    pub fn new(client: &str, domain: &Domain, opinion: Opinion, note: &str, now: SystemTime) -> Self {
        let (client, note) = (client.to_owned(), note.to_owned());
        Self { client, domain: domain.to_string(), opinion, note, since_s: unix_seconds(now) }
    }

    fn item(&self) -> Item {
        let mut item = key(PARTITION, sort_key(&self.client, &self.domain));
        let attributes: [(&str, AttributeValue); 3] =
            [("opinion", text(self.opinion.as_str())), ("note", text(&self.note)), ("since", number(self.since_s))];
        item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        item
    }

    fn read(item: &Item) -> Option<Self> {
        let sort_key = read_text(item, SK)?;
        let (client, domain) = sort_key.rsplit_once('#')?;
        Some(Self {
            client: client.to_owned(),
            domain: domain.to_owned(),
            opinion: Opinion::parse(&read_text(item, "opinion")?)?,
            note: read_text(item, "note").unwrap_or_default(),
            since_s: read_number(item, "since").unwrap_or_default(),
        })
    }
}

/// A domain has no `#`.
fn sort_key(client: &str, domain: &str) -> String {
    format!("{client}#{domain}")
}
