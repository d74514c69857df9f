//! Who wrote to whom before. One item per recipient's domain and author's domain.

use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::table::{EXPIRES_AT, Item, Table, TableError, key, number, read_number, unix_seconds};
use crate::{contact::Contact, generations::Generations};

/// Contacts that an instance remembers, so that a frequent one costs neither read nor write.
const REMEMBERED: usize = 10_000;

const DAY_SECONDS: u64 = 24 * 3600;

/// Who has not written for so long is a stranger again. Anyone can claim to be anyone, so that is forgotten sooner.
const PROVEN_FOR_SECONDS: u64 = 400 * DAY_SECONDS;
const CLAIMED_FOR_SECONDS: u64 = 60 * DAY_SECONDS;

/// The contacts of one deployment, and what this instance knows of them.
#[derive(Debug)]
pub struct Contacts {
    pub table: Table,
    /// The day of their last mail that is known to be noted.
    noted: Mutex<Generations<Contact, u64>>,
}

impl Contacts {
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, noted: Mutex::new(Generations::new(REMEMBERED)) }
    }

    /// Whether nothing was delivered before. Asks the table for a contact that this instance does not know, which is half a
    /// read unit.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn is_first(&self, contact: &Contact) -> Result<bool, TableError> {
        if self.noted_on(contact).is_some() {
            return Ok(false);
        }
        let get = self.table.client.get_item().table_name(&self.table.name).set_key(Some(item_key(contact)));
        let output = get.send().await.map_err(|error| TableError::new("look a contact up", error))?;
        let Some(item) = output.item else { return Ok(true) };
        self.remember(contact, read_number(&item, "last_day").unwrap_or(0));
        Ok(false)
    }

    /// Notes a delivery. Writes once a day and instance, however much mail there is.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn note(&self, contact: &Contact, now: SystemTime) -> Result<(), TableError> {
        let day = unix_seconds(now) / DAY_SECONDS;
        if self.noted_on(contact) == Some(day) {
            return Ok(());
        }
        let kept_for_s = if contact.is_proven { PROVEN_FOR_SECONDS } else { CLAIMED_FOR_SECONDS };
        let update = self.table.client.update_item().table_name(&self.table.name).set_key(Some(item_key(contact)));
        let update = update
            .update_expression(format!(
                "SET first_seen = if_not_exists(first_seen, :now), last_day = :day, {EXPIRES_AT} = :expires ADD notes :one"
            ))
            .expression_attribute_values(":now", number(unix_seconds(now)))
            .expression_attribute_values(":day", number(day))
            .expression_attribute_values(":expires", number(unix_seconds(now) + kept_for_s))
            .expression_attribute_values(":one", number(1));
        update.send().await.map_err(|error| TableError::new("note a contact", error))?;
        self.remember(contact, day);
        Ok(())
    }

    fn noted_on(&self, contact: &Contact) -> Option<u64> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).get(contact).copied()
    }

    fn remember(&self, contact: &Contact, day: u64) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(contact.clone(), day);
    }
}

fn item_key(contact: &Contact) -> Item {
    let Contact { author_domain, recipient_domain, is_proven } = contact;
    let kind = if *is_proven { "proven" } else { "claimed" };
    key(format!("contact#{recipient_domain}"), format!("{kind}#{author_domain}"))
}
