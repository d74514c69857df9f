//! Alerts on their way to SNS, through an outbox in the table.
//!
//! An alert is put into the outbox by the transaction that stores the state it follows from, and leaves it once SNS took
//! it. So there is exactly one per change of an incident, and it is delivered at least once, to SNS and to the log alike.

use std::collections::VecDeque;

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{Put, TransactWriteItem},
};
use aws_sdk_sns::{Client, error::DisplayErrorContext, types::MessageAttributeValue};

use super::table::{EXPIRES_AT, Item, PK, SK, Table, TableError, key, number, read_text, text};
use crate::alert::Alert;

const OUTBOX: &str = "outbox";

/// An alert that nobody took for this long is dropped: it is history then.
const KEPT_FOR_SECONDS: u64 = 14 * 24 * 3600;

/// Alerts that one scan publishes at most; the rest goes out with the next.
const MOST_AT_ONCE: i32 = 200;

/// The outbox and where it is emptied to.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub table: Table,
    pub sns: Client,
    pub topic: String,
}

/// What became of the pending alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    pub sent: usize,
    /// SNS did not take these, or was not asked any more.
    pub pending: usize,
}

#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("an attribute is incomplete")]
    Attribute(#[source] BuildError),
    #[error("SNS did not take the alert")]
    Refused(#[source] Box<aws_sdk_sns::error::SdkError<aws_sdk_sns::operation::publish::PublishError>>),
}

/// The write that puts an alert into the outbox, to be part of a transaction.
///
/// # Errors
/// Never for a valid table name.
pub fn enqueue(table: &str, alert: &Alert, now_s: u64) -> Result<TransactWriteItem, BuildError> {
    let mut item = key(OUTBOX, format!("{:010}#{}", alert.sequence(), alert.dedup_id()));
    item.insert("subject".to_owned(), text(alert.subject()));
    item.insert("message".to_owned(), text(alert.message_json()));
    item.insert(FINDING.to_owned(), text(alert.finding().to_string()));
    for (name, value) in alert.attributes() {
        item.insert(attribute(name), text(value));
    }
    item.insert(EXPIRES_AT.to_owned(), number(now_s + KEPT_FOR_SECONDS));
    let put = Put::builder().table_name(table).set_item(Some(item)).build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

impl Outbox {
    /// Publishes what is pending, oldest first.
    ///
    /// # Errors
    /// When the table did not answer. A failure of SNS is counted, not an error: the alert stays pending.
    pub async fn publish_pending(&self) -> Result<Published, TableError> {
        let mut published = Published::default();
        let mut pending = VecDeque::from(self.pending().await?);
        while let Some(item) = pending.front() {
            match self.publish(item).await {
                Ok(()) => {
                    log(item);
                    self.remove(item).await?;
                    pending.pop_front();
                    published.sent += 1;
                }
                Err(error) => {
                    tracing::error!(cause = %DisplayErrorContext(error), "SNS did not take an alert; it stays pending");
                    // The others would meet the same, and the next scan tries again.
                    published.pending = pending.len();
                    return Ok(published);
                }
            }
        }
        Ok(published)
    }

    async fn pending(&self) -> Result<Vec<Item>, TableError> {
        let query = self.table.client.query().table_name(&self.table.name);
        let query = query
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(OUTBOX))
            .consistent_read(true)
            .limit(MOST_AT_ONCE);
        let output = query.send().await.map_err(|error| TableError::new("read the outbox", error))?;
        Ok(output.items.unwrap_or_default())
    }

    async fn publish(&self, item: &Item) -> Result<(), PublishError> {
        let mut publish = self
            .sns
            .publish()
            .topic_arn(&self.topic)
            .set_subject(read_text(item, "subject"))
            .set_message(read_text(item, "message"))
            .message_structure("json");
        for name in item.keys().filter_map(|name| name.strip_prefix(ATTRIBUTE)) {
            let value = MessageAttributeValue::builder().data_type("String");
            let value = value.set_string_value(read_text(item, &attribute(name))).build();
            publish = publish.message_attributes(name, value.map_err(PublishError::Attribute)?);
        }
        publish.send().await.map_err(|error| PublishError::Refused(Box::new(error)))?;
        Ok(())
    }

    async fn remove(&self, item: &Item) -> Result<(), TableError> {
        let is_key = |name: &str| name == PK || name == SK;
        let item_key = item.iter().filter(|(name, _)| is_key(name)).map(|(name, value)| (name.clone(), value.clone()));
        let delete = self.table.client.delete_item().table_name(&self.table.name).set_key(Some(item_key.collect()));
        delete.send().await.map(drop).map_err(|error| TableError::new("empty the outbox", error))
    }
}

/// The same alert for a SIEM that reads the log.
fn log(item: &Item) {
    if let Some(finding) = read_text(item, FINDING) {
        tracing::info!(ocsf = finding, "published: {}", read_text(item, "subject").unwrap_or_default());
    }
}

const FINDING: &str = "ocsf";

/// Prefix of the attributes that become message attributes.
const ATTRIBUTE: &str = "attribute-";

fn attribute(name: &str) -> String {
    format!("{ATTRIBUTE}{name}")
}
