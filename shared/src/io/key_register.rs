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
    client_rows::{BURST, NAME, OVERRIDES, REQUESTS_PER_MINUTE, REVOKED},
    keys::{KEYED_HASH, PREVIOUS_HASH, PREVIOUS_UNTIL, row_key},
    table::{Item, PK, SK, Table, TableError, key, number, read_number, read_text, text, unix_seconds},
};
use crate::api_key::{ApiKey, HashSecret};

/// The partition of the register.
const REGISTER: &str = "keys";

/// Keys of one deployment.
pub struct KeyRegister {
    pub table: Table,
    pub secret: HashSecret,
}

/// What a key is made with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// For people.
    pub name: String,
    /// Requests a minute and burst; `None` for the defaults.
    pub quota: Option<(u32, u32)>,
    /// How much reasons weigh for this client, as [`crate::weights::Weights`] reads it; empty for the defaults.
    pub overrides: String,
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
        let query = self.table.client.query().table_name(&self.table.name).key_condition_expression("#pk = :pk");
        let query = query.expression_attribute_names("#pk", PK).expression_attribute_values(":pk", text(REGISTER));
        let entries = query.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await;
        let entries = entries.map_err(|error| TableError::new("list keys", error))?;
        let mut listed = Vec::with_capacity(entries.len());
        for id in entries.iter().filter_map(|entry| read_text(entry, SK)) {
            listed.extend(self.row_of(&id).await?.map(|row| Listed::read(id, &row)));
        }
        Ok(listed)
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

    async fn row_of(&self, id: &str) -> Result<Option<Item>, TableError> {
        let get = self.table.client.get_item().table_name(&self.table.name).set_key(Some(row_key(id)));
        let output = get.consistent_read(true).send().await.map_err(|error| TableError::new("read a key", error))?;
        Ok(output.item)
    }

    fn row(&self, api_key: &ApiKey, grant: &Grant, now: SystemTime) -> Item {
        let mut row = row_key(api_key.id());
        let hash = AttributeValue::B(Blob::new(api_key.keyed_hash(&self.secret)));
        row.insert(KEYED_HASH.to_owned(), hash);
        row.insert(NAME.to_owned(), text(&grant.name));
        row.insert("created".to_owned(), number(unix_seconds(now)));
        if let Some((rate, burst)) = grant.quota {
            row.extend([(REQUESTS_PER_MINUTE.to_owned(), number(rate)), (BURST.to_owned(), number(burst))]);
        }
        if !grant.overrides.is_empty() {
            row.insert(OVERRIDES.to_owned(), text(&grant.overrides));
        }
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
        let quota = read_number(row, REQUESTS_PER_MINUTE).zip(read_number(row, BURST));
        let of = |name| read_text(row, name).unwrap_or_default();
        Self {
            id,
            grant: Grant { name: of(NAME), quota, overrides: of(OVERRIDES) },
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
