//! API keys in the table: what is stored of a key, and who it belongs to.

use std::time::{Duration, SystemTime};

use super::{
    client_rows::{Client, ROW, Row, Rows, Terms, WELCOME_IN_OUTAGE_FOR},
    table::{Item, Table, TableError, key, read_number, unix_seconds},
};
use crate::api_key::{ApiKey, HashSecret};

/// Attributes that only a key's row has. The register writes them, the look-up reads them.
pub(super) const KEYED_HASH: &str = "keyed_hash";
pub(super) const PREVIOUS_HASH: &str = "previous_keyed_hash";
pub(super) const PREVIOUS_UNTIL: &str = "previous_until";

/// A secret that does not match may be newer than what is remembered. Whoever guesses causes one read in this time for each id.
const ROTATION_SEEN_WITHIN: Duration = Duration::from_secs(5);

/// The primary key of a key's row.
pub(super) fn row_key(id: &str) -> Item {
    key(partition(id), ROW)
}

pub(super) fn partition(id: &str) -> String {
    format!("key#{id}")
}

/// Looks keys up. One per instance.
pub struct Keys {
    rows: Rows<Option<KeyRow>>,
    secret: HashSecret,
}

#[derive(Debug, Clone)]
struct KeyRow {
    keyed_hash: Vec<u8>,
    /// Of the secret before the last rotation, and until when it is good, in Unix seconds.
    previous: Option<(Vec<u8>, u64)>,
    terms: Terms,
}

impl Keys {
    #[must_use]
    pub fn new(table: Table, secret: HashSecret, believed_for: Duration) -> Self {
        Self { rows: Rows::new(table, believed_for), secret }
    }

    /// `None` when no such key is known, or the secret is another.
    ///
    /// # Errors
    /// When the table did not answer and nothing recent is remembered.
    pub async fn client_of(&self, api_key: &ApiKey, now: SystemTime) -> Result<Option<Client>, TableError> {
        let pk = partition(api_key.id());
        let client = self.client(self.rows.row(&pk, now).await?, api_key, now);
        if client.is_some() {
            return Ok(client);
        }
        Ok(self.client(self.rows.row_within(&pk, ROTATION_SEEN_WITHIN, now).await?, api_key, now))
    }

    /// The same from memory alone.
    pub fn remembered_client_of(&self, api_key: &ApiKey, now: SystemTime) -> Option<Client> {
        self.client(self.rows.remembered(&partition(api_key.id()), now)?, api_key, now)
    }

    fn client(&self, row: Option<KeyRow>, api_key: &ApiKey, now: SystemTime) -> Option<Client> {
        let row = row.filter(|row| row.is_of(api_key, &self.secret, now))?;
        Some(Client { id: api_key.id().to_owned(), terms: row.terms })
    }
}

impl KeyRow {
    /// Both comparisons are made in constant time.
    fn is_of(&self, api_key: &ApiKey, secret: &HashSecret, now: SystemTime) -> bool {
        let is_previous =
            |(hash, until_s): &(Vec<u8>, u64)| unix_seconds(now) < *until_s && api_key.matches(hash, secret);
        api_key.matches(&self.keyed_hash, secret) || self.previous.as_ref().is_some_and(is_previous)
    }
}

/// A revoked key is as good as none.
impl Row for Option<KeyRow> {
    fn read(item: Option<&Item>) -> Self {
        let item = item?;
        let keyed_hash = read_octets(item, KEYED_HASH)?;
        let previous = read_octets(item, PREVIOUS_HASH).zip(read_number(item, PREVIOUS_UNTIL));
        Some(KeyRow { keyed_hash, previous, terms: Terms::read(item)? })
    }

    /// What was no key may have become one since.
    fn believed_in_outage_for(&self) -> Duration {
        if self.is_some() { WELCOME_IN_OUTAGE_FOR } else { Duration::ZERO }
    }
}

fn read_octets(item: &Item, name: &str) -> Option<Vec<u8>> {
    Some(item.get(name)?.as_b().ok()?.as_ref().to_vec())
}
