//! What the table says of callers who have no API key: `caller#<id>` changes what a caller may do, and `cert#<fingerprint>`
//! makes a client certificate a credential.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    keys::{BURST, Client, REQUESTS_PER_MINUTE, REVOKED, read_weights},
    table::{Item, Table, TableError, key, read_number, text, unix_micros},
};
use crate::{
    circuit_breaker::CircuitBreaker, client_certificate::ClientCertificate, rate_limit::Quota, weights::Weights,
};

/// How long an instance goes on believing what it read while the table does not answer.
const BELIEVED_IN_OUTAGE_FOR: Duration = Duration::from_secs(15 * 60);

/// Rows remembered per instance, absent ones included.
const REMEMBERED: usize = 10_000;

/// Looks callers up. One per instance.
pub struct Callers {
    table: Table,
    /// How long what was read is believed.
    believed_for: Duration,
    remembered: Mutex<HashMap<String, (SystemTime, Row)>>,
    /// Nobody waits in vain for a table that is known not to answer.
    breaker: Mutex<CircuitBreaker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Row {
    Absent,
    /// Revoked, or says what cannot be.
    Refused,
    Known {
        quota: Option<Quota>,
        weights: Weights,
    },
}

impl Callers {
    #[must_use]
    pub fn new(table: Table, believed_for: Duration) -> Self {
        Self { table, believed_for, remembered: Mutex::default(), breaker: Mutex::default() }
    }

    /// A caller whose token was verified: with the defaults, unless a row says otherwise. `None` when the row refuses it.
    pub async fn of_token(&self, id: &str, now: SystemTime) -> Option<Client> {
        // While the table does not answer, a genuine token is good for the defaults; the limit has its own policy then.
        let row = self.row(format!("caller#{id}"), now).await.unwrap_or_else(|error| {
            tracing::warn!(cause = %error, "a caller goes by the defaults");
            Row::Absent
        });
        match row {
            Row::Absent => Some(client(id.to_owned(), None, Weights::default())),
            Row::Known { quota, weights } => Some(client(id.to_owned(), quota, weights)),
            Row::Refused => None,
        }
    }

    /// The client that a certificate is registered for.
    ///
    /// # Errors
    /// When the table did not answer and nothing recent is remembered.
    pub async fn of_certificate(
        &self,
        certificate: &ClientCertificate,
        now: SystemTime,
    ) -> Result<Option<Client>, TableError> {
        let fingerprint = certificate.fingerprint();
        Ok(match self.row(format!("cert#{fingerprint}"), now).await? {
            Row::Known { quota, weights } => Some(client(format!("cert:{fingerprint}"), quota, weights)),
            Row::Absent | Row::Refused => None,
        })
    }

    /// Makes a certificate a credential, under a name for people.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn register(&self, certificate: &ClientCertificate, name: &str) -> Result<(), TableError> {
        let mut item = key(format!("cert#{}", certificate.fingerprint()), "key");
        item.insert("name".to_owned(), text(name));
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        put.send().await.map_err(|error| TableError::new("register a certificate", error))?;
        Ok(())
    }

    async fn row(&self, pk: String, now: SystemTime) -> Result<Row, TableError> {
        if let Some(row) = self.recall(&pk, now, self.believed_for) {
            return Ok(row);
        }
        match self.fetch(&pk, unix_micros(now)).await {
            Ok(row) => {
                self.remember(pk, now, row.clone());
                Ok(row)
            }
            // Who was refused does not become welcome because the table is silent, however long.
            Err(error) => self.recall_refusal(&pk).or(self.recall(&pk, now, BELIEVED_IN_OUTAGE_FOR)).ok_or(error),
        }
    }

    async fn fetch(&self, pk: &str, now_us: u64) -> Result<Row, TableError> {
        if !self.breaker().lets_through(now_us) {
            return Err(TableError::new("look a caller up", "it did not answer lately"));
        }
        let fetched = self.ask(pk).await;
        match &fetched {
            Ok(_) => self.breaker().succeeded(),
            Err(_) => self.breaker().failed(now_us),
        }
        fetched
    }

    async fn ask(&self, pk: &str) -> Result<Row, TableError> {
        let get = self.table.client.get_item().table_name(&self.table.name).set_key(Some(key(pk, "key")));
        let output = get.send().await.map_err(|error| TableError::new("look a caller up", error))?;
        Ok(output.item.as_ref().map_or(Row::Absent, Row::read))
    }

    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recall(&self, pk: &str, now: SystemTime, believed_for: Duration) -> Option<Row> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, row) = remembered.get(pk)?;
        now.duration_since(*read_at).is_ok_and(|age| age < believed_for).then(|| row.clone())
    }

    fn recall_refusal(&self, pk: &str) -> Option<Row> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(pk).map(|(_, row)| row.clone()).filter(|row| *row == Row::Refused)
    }

    fn remember(&self, pk: String, now: SystemTime, row: Row) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if REMEMBERED <= remembered.len() {
            remembered.clear();
        }
        remembered.insert(pk, (now, row));
    }
}

impl Row {
    fn read(item: &Item) -> Self {
        let rate = read_number(item, REQUESTS_PER_MINUTE);
        let quota = rate.zip(read_number(item, BURST)).map(|(rate, burst)| Quota::new(rate, burst));
        match read_weights(item) {
            Some(weights) if !item.contains_key(REVOKED) => Self::Known { quota, weights },
            Some(_) | None => Self::Refused,
        }
    }
}

fn client(id: String, quota: Option<Quota>, weights: Weights) -> Client {
    Client { id, quota, weights }
}
