//! The incidents that people are told of, one item each.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{Put, TransactWriteItem},
};

use super::table::{EXPIRES_AT, Item, PK, SK, Table, TableError, key, number, read_number, read_text, text};
use crate::alert_group::AlertGroup;

const INCIDENTS: &str = "incident";

/// How long a closed incident is kept, so that the sequence of its fingerprint goes on and a flapping one is known.
const KEPT_FOR_SECONDS: u64 = 3 * 24 * 3600;

/// Every incident that is kept, by fingerprint, with the revision of its item.
pub type StoredGroups = BTreeMap<String, (AlertGroup, u64)>;

/// # Errors
/// When the table did not answer. An incident that cannot be read is left out, and the log says so: its series close by themselves.
pub async fn load(table: &Table) -> Result<StoredGroups, TableError> {
    let query = table.client.query().table_name(&table.name);
    let mut pages = query
        .key_condition_expression("#pk = :pk")
        .expression_attribute_names("#pk", PK)
        .expression_attribute_values(":pk", text(INCIDENTS))
        .consistent_read(true)
        .into_paginator()
        .send();
    let mut groups = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| TableError::new("read incidents", error))?;
        groups.extend(page.items().iter().filter_map(read));
    }
    Ok(groups)
}

/// The write that stores a group, to be part of a transaction, on the condition that its item is the one that was found.
///
/// # Errors
/// Never for a valid table name.
pub fn store(table: &str, group: &AlertGroup, found: Option<u64>) -> Result<TransactWriteItem, BuildError> {
    let mut item = key(INCIDENTS, &group.fingerprint);
    let stored = serde_json::to_string(group).unwrap_or_default();
    item.insert("group".to_owned(), text(stored));
    item.insert("revision".to_owned(), number(found.map_or(0, |found| found + 1)));
    if let Some(closed) = group.closed {
        item.insert(EXPIRES_AT.to_owned(), number(closed.start_seconds() + KEPT_FOR_SECONDS));
    }
    let put = Put::builder().table_name(table).set_item(Some(item));
    let put = match found {
        None => put.condition_expression("attribute_not_exists(revision)"),
        Some(found) => {
            put.condition_expression("revision = :found").expression_attribute_values(":found", number(found))
        }
    };
    Ok(TransactWriteItem::builder().put(put.build()?).build())
}

fn read(item: &Item) -> Option<(String, (AlertGroup, u64))> {
    let fingerprint = read_text(item, SK)?;
    let group = read_text(item, "group").and_then(|group| serde_json::from_str(&group).ok());
    if group.is_none() {
        tracing::error!(incident.fingerprint = fingerprint, "an incident cannot be read and does not count");
    }
    Some((fingerprint, (group?, read_number(item, "revision")?)))
}
