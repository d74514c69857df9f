//! API keys as an operator sees them: created, listed, rotated, revoked. What is stored of a key is its keyed hash.
//!
//! The row that requests read is `key#<id>`; `keys` holds one small item for each, so that nobody has to scan the table.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};

use super::{
    client_rows::{Grant, REVOKED, registered},
    keys::{KEYED_HASH, PREVIOUS_HASH, PREVIOUS_UNTIL, partition, row_key},
    table::{Item, Table, TableError, key, number, read_number, unix_seconds},
};
use crate::api_key::{ApiKey, HashSecret};

/// The partition of the register.
const REGISTER: &str = "keys";

/// Keys of one deployment.
pub struct KeyRegister {
    pub table: Table,
    pub secret: HashSecret,
}

/// A key as it is listed. Of the key itself nobody knows more than its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub grant: Grant,
    /// Unix seconds.
    pub created_s: u64,
    /// Until when the secret before the last rotation is good, in Unix seconds.
    pub previous_until_s: Option<u64>,
    pub revoked_s: Option<u64>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum KeyRegisterError {
    #[error("there is no such key, or it is revoked")]
    Unknown,
    #[error(transparent)]
    Table(#[from] TableError),
}

impl KeyRegister {
    /// Stores a new key: its row and its place in the register, or neither.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn create(&self, api_key: &ApiKey, grant: &Grant, now: SystemTime) -> Result<(), TableError> {
        let row = self.row(api_key, grant, now);
        let mut entry = key(REGISTER, api_key.id());
        entry.insert("created".to_owned(), number(unix_seconds(now)));
        let write = self.table.client.transact_write_items();
        let write = write.transact_items(self.put(row)?).transact_items(self.put(entry)?);
        write.send().await.map_err(|error| TableError::new("store a key", error))?;
        Ok(())
    }

    /// Every key, by id: one Query, and one read a key.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn list(&self) -> Result<Vec<Listed>, TableError> {
        let rows = registered(&self.table, REGISTER, |id| Some(partition(id))).await?;
        Ok(rows.into_iter().map(|(id, row)| Listed::read(id, &row)).collect())
    }

    /// Gives a key a new secret. The one before stays good for `grace`, so that two are valid while its owner changes over;
    /// one before that ends now.
    ///
    /// # Errors
    /// When there is no such key, or the table did not answer.
    pub async fn rotate(&self, api_key: &ApiKey, grace: Duration, now: SystemTime) -> Result<(), KeyRegisterError> {
        let until = unix_seconds(now).saturating_add(grace.as_secs());
        let hash = AttributeValue::B(Blob::new(api_key.keyed_hash(&self.secret)));
        let update = self.update(api_key.id());
        let update = update
            .update_expression(format!(
                "SET {PREVIOUS_HASH} = {KEYED_HASH}, {PREVIOUS_UNTIL} = :until, {KEYED_HASH} = :hash"
            ))
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":hash", hash);
        changed(update.send().await.map(drop))
    }

    /// Ends a key, with whatever secret. Running functions notice within a minute.
    ///
    /// # Errors
    /// When there is no such key, or the table did not answer.
    pub async fn revoke(&self, id: &str, now: SystemTime) -> Result<(), KeyRegisterError> {
        let update = self.update(id).update_expression(format!("SET {REVOKED} = :now"));
        changed(update.expression_attribute_values(":now", number(unix_seconds(now))).send().await.map(drop))
    }

    /// Of a key that exists and is not revoked.
    fn update(&self, id: &str) -> UpdateItemFluentBuilder {
        let condition = format!("attribute_exists({KEYED_HASH}) AND attribute_not_exists({REVOKED})");
        let update = self.table.client.update_item().table_name(&self.table.name).set_key(Some(row_key(id)));
        update.condition_expression(condition)
    }

    fn row(&self, api_key: &ApiKey, grant: &Grant, now: SystemTime) -> Item {
        let mut row = row_key(api_key.id());
        let hash = AttributeValue::B(Blob::new(api_key.keyed_hash(&self.secret)));
        row.insert(KEYED_HASH.to_owned(), hash);
        row.insert("created".to_owned(), number(unix_seconds(now)));
        row.extend(grant.attributes().into_iter().map(|(name, value)| (name.to_owned(), value)));
        row
    }

    fn put(&self, item: Item) -> Result<TransactWriteItem, TableError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item)).build();
        let put = put.map_err(|error| TableError::new("store a key", error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

impl Listed {
    fn read(id: String, row: &Item) -> Self {
        Self {
            id,
            grant: Grant::read(row),
            created_s: read_number(row, "created").unwrap_or_default(),
            previous_until_s: read_number(row, PREVIOUS_UNTIL),
            revoked_s: read_number(row, REVOKED),
        }
    }
}

fn changed(updated: Result<(), SdkError<UpdateItemError>>) -> Result<(), KeyRegisterError> {
    updated.map_err(|error| match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => KeyRegisterError::Unknown,
        Some(_) | None => TableError::new("change a key", error).into(),
    })
}
