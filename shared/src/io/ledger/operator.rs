//! What an operator has written down about a message that was held.

use std::time::SystemTime;

use super::{Entry, Ledger};
use crate::{
    disposition::Disposition,
    io::table::{TableError, number, text, unix_seconds},
};

impl Ledger {
    /// Lets a message that was held be judged again. It was counted before, and will not be again.
    ///
    /// # Errors
    /// When the table did not take it, or the message is neither held nor deferred.
    pub async fn reopen(&self, entry: &Entry) -> Result<(), TableError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(entry.key.item_key()))
            .update_expression("SET disposition = :defer, attempts = :none, reopened = :yes REMOVE placed_at")
            .condition_expression("disposition IN (:quarantine, :defer)")
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":yes", number(1))
            .expression_attribute_values(":defer", text(Disposition::Defer.as_str()))
            .expression_attribute_values(":quarantine", text(Disposition::Quarantine.as_str()));
        update.send().await.map(drop).map_err(|error| TableError::new("reopen a judgement", error))
    }

    /// Notes that somebody let a message go that was held.
    ///
    /// # Errors
    /// When the table did not take it, or the message is not held.
    pub async fn record_release(&self, entry: &Entry, by: &str, why: &str, now: SystemTime) -> Result<(), TableError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(entry.key.item_key()))
            .update_expression(
                "SET disposition = :deliver, released_by = if_not_exists(released_by, :by), \
                 released_why = if_not_exists(released_why, :why), released_at = if_not_exists(released_at, :now)",
            )
            .condition_expression("disposition = :quarantine OR attribute_exists(released_at)")
            .expression_attribute_values(":deliver", text(Disposition::Deliver.as_str()))
            .expression_attribute_values(":quarantine", text(Disposition::Quarantine.as_str()))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":why", text(why))
            .expression_attribute_values(":now", number(unix_seconds(now)));
        update.send().await.map(drop).map_err(|error| TableError::new("record a release", error))
    }
}
