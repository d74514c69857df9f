//! Callers as an operator sees them: certificates that are registered, limits that are changed, callers that are revoked.
//!
//! An id of a caller is what logs show: the id of an API key, `token:..`, `cert:..` or `subject:..`. `callers` holds one small
//! item for each that has no key, so that nobody has to scan the table.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    callers::{partition_of_certificate, partition_of_token},
    client_rows::{
        BURST, CLIENT_IP_BURST, CLIENT_IP_REQUESTS_PER_MINUTE, NAME, OVERRIDES, REQUESTS_PER_MINUTE, REVOKED, ROW,
    },
    keys::{self, KEYED_HASH},
    table::{Item, PK, SK, Table, TableError, key, number, read_number, read_text, text, unix_seconds},
};

/// The partition of the register.
const REGISTER: &str = "callers";

/// Callers of one deployment.
pub struct CallerRegister {
    pub table: Table,
}

/// What a row is to say. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// For people.
    pub name: Option<String>,
    /// Requests a minute and burst.
    pub quota: Option<(u32, u32)>,
    /// The same for each end user of the caller.
    pub client_ip_quota: Option<(u32, u32)>,
    /// How much reasons weigh for this caller, as [`crate::weights::Weights`] reads it.
    pub overrides: Option<String>,
}

/// A caller as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCaller {
    pub id: String,
    pub change: Change,
    /// Unix seconds.
    pub revoked_s: Option<u64>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum CallerRegisterError {
    #[error("that is no id of a caller: logs show ids of keys, token:.., cert:.. and subject:..")]
    BadId,
    #[error("there is no such key")]
    UnknownKey,
    #[error(transparent)]
    Table(#[from] TableError),
}

impl CallerRegister {
    /// Changes what a caller may do, from within a minute on. The row of a certificate makes it a credential.
    ///
    /// # Errors
    /// For what is no id, a key that does not exist, and a table that does not answer.
    pub async fn set(&self, id: &str, change: &Change) -> Result<(), CallerRegisterError> {
        let attributes = change.attributes();
        self.update(id, &attributes).await
    }

    /// Ends a caller: what it shows is refused within a minute.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn revoke(&self, id: &str, now: SystemTime) -> Result<(), CallerRegisterError> {
        self.update(id, &[(REVOKED, number(unix_seconds(now)))]).await
    }

    /// Every caller without a key that something was said about, by id: one Query, and one read a caller.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn list(&self) -> Result<Vec<ListedCaller>, TableError> {
        let query = self.table.client.query().table_name(&self.table.name).key_condition_expression("#pk = :pk");
        let query = query.expression_attribute_names("#pk", PK).expression_attribute_values(":pk", text(REGISTER));
        let entries = query.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await;
        let entries = entries.map_err(|error| TableError::new("list callers", error))?;
        let mut listed = Vec::with_capacity(entries.len());
        for id in entries.iter().filter_map(|entry| read_text(entry, SK)) {
            if let Some(partition) = partition(&id) {
                listed.extend(self.read(partition).await?.map(|row| ListedCaller::read(id, &row)));
            }
        }
        Ok(listed)
    }

    /// The register first: a row that is not listed could not be found again.
    async fn update(&self, id: &str, attributes: &[(&str, AttributeValue)]) -> Result<(), CallerRegisterError> {
        let partition = partition(id).ok_or(CallerRegisterError::BadId)?;
        if is_key(id) {
            let row = self.read(partition.clone()).await?;
            row.filter(|row| row.contains_key(KEYED_HASH)).ok_or(CallerRegisterError::UnknownKey)?;
        } else {
            let put = self.table.client.put_item().table_name(&self.table.name);
            let put = put.set_item(Some(key(REGISTER, id))).send();
            put.await.map_err(|error| TableError::new("list a caller", error))?;
        }
        Ok(self.write(partition, attributes).await?)
    }

    async fn write(&self, partition: String, attributes: &[(&str, AttributeValue)]) -> Result<(), TableError> {
        let mut update = self.table.client.update_item().table_name(&self.table.name);
        let mut clauses = Vec::new();
        for (index, (name, value)) in attributes.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#a{index}"), *name)
                .expression_attribute_values(format!(":a{index}"), value.clone());
            clauses.push(format!("#a{index} = :a{index}"));
        }
        let update = update.set_key(Some(key(partition, ROW)));
        let update = update.set_update_expression((!clauses.is_empty()).then(|| format!("SET {}", clauses.join(", "))));
        update.send().await.map_err(|error| TableError::new("change a caller", error))?;
        Ok(())
    }

    async fn read(&self, partition: String) -> Result<Option<Item>, TableError> {
        let get = self.table.client.get_item().table_name(&self.table.name).set_key(Some(key(partition, ROW)));
        let output = get.consistent_read(true).send().await;
        Ok(output.map_err(|error| TableError::new("read a caller", error))?.item)
    }
}

impl Change {
    fn attributes(&self) -> Vec<(&'static str, AttributeValue)> {
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
}

impl ListedCaller {
    fn read(id: String, row: &Item) -> Self {
        let quota = |rate, burst| read_number(row, rate).zip(read_number(row, burst));
        let change = Change {
            name: read_text(row, NAME),
            quota: quota(REQUESTS_PER_MINUTE, BURST),
            client_ip_quota: quota(CLIENT_IP_REQUESTS_PER_MINUTE, CLIENT_IP_BURST),
            overrides: read_text(row, OVERRIDES),
        };
        Self { id, change, revoked_s: read_number(row, REVOKED) }
    }
}

/// Where the row of a caller lies.
fn partition(id: &str) -> Option<String> {
    match id.split_once(':') {
        Some(("token", _)) => Some(partition_of_token(id)),
        Some(("cert" | "subject", digest)) if is_hex(digest, 64) => Some(partition_of_certificate(id)),
        None if is_key(id) => Some(keys::partition(id)),
        Some(_) | None => None,
    }
}

fn is_key(id: &str) -> bool {
    is_hex(id, 16)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_from_a_log_names_the_row_of_its_caller() {
        let digest = "ab".repeat(32);
        for (id, row) in [
            ("0123456789abcdef", Some("key#0123456789abcdef".to_owned())),
            ("token:1a2b3c4d:web", Some("caller#token:1a2b3c4d:web".to_owned())),
            (&format!("cert:{digest}"), Some(format!("cert#{digest}"))),
            (&format!("subject:{digest}"), Some(format!("subject#{digest}"))),
            ("cert:short", None),
            ("rate:0123456789abcdef", None),
            ("someone", None),
        ] {
            assert_eq!(partition(id), row, "{id}");
        }
    }
}
