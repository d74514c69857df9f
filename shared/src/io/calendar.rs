//! The calendar in the table: written by operators, read by every scan.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;

use super::table::{EXPIRES_AT, Item, PK, SK, Table, TableError, key, number, read_number, read_text, text};
use crate::{
    bucket::Bucket,
    calendar::{Calendar, Entry, Pattern, Purpose},
};

const CALENDAR: &str = "calendar";

/// How long an entry is kept after its end: a scan that catches up still has to know.
const KEPT_FOR_SECONDS: u64 = 40 * 24 * 3600;

/// Entries that are read; a scan looks at all of them for every series that differs.
const MOST_ENTRIES: usize = 1_000;

/// Where operators announce things.
#[derive(Debug, Clone)]
pub struct CalendarTable {
    pub table: Table,
}

impl CalendarTable {
    /// Every entry that is still kept, in the order of their ids. One that cannot be read is left out, and the log says so.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn load(&self) -> Result<Calendar, TableError> {
        let query = self.table.client.query().table_name(&self.table.name);
        let mut pages = query
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(CALENDAR))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut entries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| TableError::new("read the calendar", error))?;
            entries.extend(page.items().iter().filter_map(read_entry));
            if MOST_ENTRIES <= entries.len() {
                tracing::error!("the calendar has more than {MOST_ENTRIES} entries; the rest does not count");
                entries.truncate(MOST_ENTRIES);
                break;
            }
        }
        Ok(Calendar { entries })
    }

    /// # Errors
    /// When the table did not take it.
    pub async fn add(&self, entry: &Entry) -> Result<(), TableError> {
        let mut item = key(CALENDAR, &entry.id);
        item.insert("series".to_owned(), text(entry.series.to_string()));
        item.insert("first_bucket".to_owned(), number(u32::from(entry.first)));
        item.insert("last_bucket".to_owned(), number(u32::from(entry.last)));
        item.insert("kind".to_owned(), text(entry.purpose.as_str()));
        item.insert("note".to_owned(), text(&entry.note));
        item.insert(EXPIRES_AT.to_owned(), number(entry.last.next().start_seconds() + KEPT_FOR_SECONDS));
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| TableError::new("add to the calendar", error))
    }

    /// Whether there was such an entry.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn remove(&self, id: &str) -> Result<bool, TableError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name).set_key(Some(key(CALENDAR, id)));
        let delete = delete.condition_expression("attribute_exists(#pk)").expression_attribute_names("#pk", PK);
        match delete.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(TableError::new("remove from the calendar", error)),
        }
    }
}

fn read_entry(item: &Item) -> Option<Entry> {
    let entry = entry(item);
    if entry.is_none() {
        tracing::error!(
            calendar.id = read_text(item, SK),
            "an entry of the calendar cannot be read and does not count"
        );
    }
    entry
}

fn entry(item: &Item) -> Option<Entry> {
    let bucket = |name| Bucket::try_from(read_number::<u32>(item, name)?).ok();
    Some(Entry {
        id: read_text(item, SK)?,
        series: Pattern::parse(&read_text(item, "series")?).ok()?,
        first: bucket("first_bucket")?,
        last: bucket("last_bucket")?,
        purpose: Purpose::parse(&read_text(item, "kind")?).ok()?,
        note: read_text(item, "note").unwrap_or_default(),
    })
}
