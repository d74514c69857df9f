//! Who is judging a message, and what was decided. One item per message and set of recipients.
//!
//! A claim keeps two invocations from judging the same message at once. It is short and is renewed while the work
//! goes on, so that the claim of an instance that died is soon free again. The decision and its count are one
//! transaction on the condition that the claim is still ours: a message is decided once and counted once.

mod operator;

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use ring::digest;

use crate::io::table::{
    EXPIRES_AT, Item, PK, Table, TableError, key, number, read_number, read_text, text, unix_millis, unix_seconds,
};
use crate::{api_key::hex, disposition::Disposition};

/// How long a claim holds unless it is renewed.
pub const CLAIM_HOLDS: Duration = Duration::from_secs(6);

/// How long to wait before a transaction that met another one is tried again, at first and at most.
const CONFLICT_PAUSE: Duration = Duration::from_millis(40);
const MOST_CONFLICT_PAUSE: Duration = Duration::from_millis(400);

/// Of one message, in one transaction, which takes 100 items.
const MOST_SIBLINGS: usize = 90;

/// How long a decision is remembered: longer than SES or anyone retries.
const REMEMBERED_FOR_SECONDS: u64 = 30 * 24 * 3600;

/// The decisions of one deployment.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub table: Table,
}

/// Names one judgement: the message, its recipients, and the function (the event names no rule).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryKey {
    pub message_id: String,
    recipients_hash: String,
}

/// A claim that we hold.
#[derive(Debug, Clone)]
pub struct Claim {
    entry: EntryKey,
    /// A name that no other invocation has.
    pub holder: String,
    /// When the message was first seen, in Unix seconds.
    pub first_seen_s: u64,
    /// Whether it was judged before and deferred, and therefore counted.
    pub was_deferred: bool,
    /// Whether an operator let it be judged again. It was counted when it was decided first.
    pub was_reopened: bool,
    /// Claims since the last decision, this one included. Whoever died with one left no other trace.
    pub attempts: u32,
    /// The same message for other recipients, as far as it was not decided when we looked: whoever is at it loses the claim
    /// when we decide.
    siblings: Vec<EntryKey>,
}

/// What became of an attempt to claim.
#[derive(Debug)]
pub enum Claimed {
    Ours(Claim),
    /// Somebody else is at it.
    Busy,
    /// It was decided before, and possibly put in its place.
    Decided(Decision),
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Ours,
    /// Somebody else was quicker.
    Overtaken,
}

/// What was decided about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub disposition: Disposition,
    /// Key of the report that it rests on, in the bucket.
    pub report_key: String,
    /// Whether the message was copied to where the disposition wants it.
    pub is_placed: bool,
}

/// One entry as the sweep and an operator see it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: EntryKey,
    pub recipients: Vec<String>,
    pub disposition: Option<Disposition>,
    /// Key of the last report in the bucket; empty before there is one.
    pub report_key: String,
    /// Whether the message was copied to where the disposition wants it.
    pub is_placed: bool,
    /// Whether an operator let it go.
    pub is_released: bool,
    /// Whether an operator let it be judged again, and it was not judged since.
    pub is_reopened: bool,
    /// When it was first seen and last judged, in Unix seconds.
    pub first_seen_s: u64,
    pub judged_at_s: u64,
}

impl Entry {
    /// The decision, unless there is none yet or it is to be made again.
    #[must_use]
    pub fn decided(&self) -> Option<Disposition> {
        self.disposition.filter(|disposition| *disposition != Disposition::Defer)
    }

    /// The decision with the report that it rests on.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        let disposition = self.decided()?;
        Some(Decision { disposition, report_key: self.report_key.clone(), is_placed: self.is_placed })
    }
}

impl EntryKey {
    /// `function` is the name of the function that judges.
    #[must_use]
    pub fn new(message_id: &str, recipients: &[String], function: &str) -> Self {
        let mut recipients: Vec<String> = recipients.iter().map(|recipient| recipient.to_lowercase()).collect();
        recipients.sort_unstable();
        let digest = digest::digest(&digest::SHA256, recipients.join("\n").as_bytes());
        let recipients_hash = hex(digest.as_ref()).chars().take(16).collect::<String>() + "#" + function;
        Self { message_id: message_id.to_owned(), recipients_hash }
    }

    fn item_key(&self) -> Item {
        key(partition(&self.message_id), &*self.recipients_hash)
    }
}

impl Ledger {
    /// Claims the message for `holder`, a name that no other invocation has.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn claim(
        &self,
        entry: &EntryKey,
        recipients: &[String],
        holder: &str,
        now: SystemTime,
    ) -> Result<Claimed, TableError> {
        let update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(entry.item_key()))
            .update_expression(format!(
                "SET claim_holder = :holder, claim_ends = :ends, recipients = if_not_exists(recipients, :recipients), \
                 first_seen = if_not_exists(first_seen, :seen), {EXPIRES_AT} = :expires ADD attempts :one"
            ))
            .condition_expression(
                "(attribute_not_exists(disposition) OR disposition = :defer) \
                 AND (attribute_not_exists(claim_ends) OR claim_ends < :now OR claim_holder = :holder)",
            )
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":holder", text(holder))
            .expression_attribute_values(":ends", number(unix_millis(now + CLAIM_HOLDS)))
            .expression_attribute_values(":now", number(unix_millis(now)))
            .expression_attribute_values(":recipients", text(recipients.join("\n")))
            .expression_attribute_values(":seen", number(unix_seconds(now)))
            .expression_attribute_values(":expires", number(unix_seconds(now) + REMEMBERED_FOR_SECONDS))
            .expression_attribute_values(":defer", text(Disposition::Defer.as_str()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(output) => Ok(Claimed::Ours(Claim::read(entry, holder, &output.attributes.unwrap_or_default()))),
            Err(error) => not_ours(error),
        }
    }

    /// Holds the claim for another [`CLAIM_HOLDS`]. Whether it is still ours, as far as is known: of a table that does not answer
    /// the next renewal may be in time, and the decision is made on the condition that the claim is still held.
    pub async fn renew(&self, claim: &Claim, now: SystemTime) -> bool {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(claim.entry.item_key()))
            .update_expression("SET claim_ends = :ends")
            .condition_expression("claim_holder = :holder")
            .expression_attribute_values(":ends", number(unix_millis(now + CLAIM_HOLDS)))
            .expression_attribute_values(":holder", text(&claim.holder));
        update.send().await.err().is_none_or(|error| !is_lost(&error))
    }

    /// Gives the claim up without a decision, so that the next attempt need not wait for its end and this one does not
    /// count.
    ///
    /// # Errors
    /// When the table did not answer. A claim that was lost is given up already.
    pub async fn release(&self, claim: &Claim) -> Result<(), TableError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(claim.entry.item_key()))
            .update_expression("REMOVE claim_holder, claim_ends ADD attempts :minus_one")
            .condition_expression("claim_holder = :holder")
            .expression_attribute_values(":minus_one", number(-1))
            .expression_attribute_values(":holder", text(&claim.holder));
        match update.send().await {
            Err(error) if !is_lost(&error) => Err(TableError::new("release a claim", error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Records the decision and its count in one transaction. One that is final takes the claims of others at the same message
    /// for other recipients away, so that nobody decides otherwise who looked before this.
    ///
    /// [`Recorded::Overtaken`] when the claim is no longer ours, or the message was decided for others meanwhile.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn decide(
        &self,
        claim: &Claim,
        decision: &Decision,
        counted: Option<TransactWriteItem>,
        now: SystemTime,
    ) -> Result<Recorded, TableError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| TableError::new("record a decision", cause);
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(claim.entry.item_key()))
            .update_expression(
                "SET disposition = :disposition, report_key = :report, judged_at = :now, attempts = :none, \
                 reopened = :reopened \
                 REMOVE claim_holder, claim_ends, placed_at",
            )
            .expression_attribute_values(":none", number(0))
            // 1 while it waits to be judged again, 2 ever after, 0 when nobody asked for that.
            .expression_attribute_values(":reopened", number(if claim.was_reopened { 2 } else { 0 }))
            .condition_expression("claim_holder = :holder")
            .expression_attribute_values(":disposition", text(decision.disposition.as_str()))
            .expression_attribute_values(":report", text(&decision.report_key))
            .expression_attribute_values(":now", number(unix_seconds(now)))
            .expression_attribute_values(":holder", text(&claim.holder))
            .build()
            .map_err(|cause| failed(cause.into()))?;
        let mut items: Vec<_> =
            std::iter::once(TransactWriteItem::builder().update(update).build()).chain(counted).collect();
        if decision.disposition != Disposition::Defer {
            for sibling in claim.siblings.iter().take(MOST_SIBLINGS) {
                items.push(self.overtake(sibling).map_err(|cause| failed(cause.into()))?);
            }
        }
        self.transact(items).await
    }

    /// Writes down for other recipients what was decided, and its count, as one entry that is complete at once.
    /// [`Recorded::Overtaken`] when there is one already.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn join(
        &self,
        entry: &EntryKey,
        recipients: &[String],
        decision: &Decision,
        counted: Option<TransactWriteItem>,
        now: SystemTime,
    ) -> Result<Recorded, TableError> {
        let mut item = entry.item_key();
        let now_s = unix_seconds(now);
        item.insert("disposition".to_owned(), text(decision.disposition.as_str()));
        item.insert("report_key".to_owned(), text(&decision.report_key));
        item.insert("recipients".to_owned(), text(recipients.join("\n")));
        item.insert("first_seen".to_owned(), number(now_s));
        item.insert("judged_at".to_owned(), number(now_s));
        item.insert(EXPIRES_AT.to_owned(), number(now_s + REMEMBERED_FOR_SECONDS));
        if decision.is_placed {
            item.insert("placed_at".to_owned(), number(now_s));
        }
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PK).build();
        let put = put.map_err(|cause| TableError::new("record a decision", cause))?;
        let items = std::iter::once(TransactWriteItem::builder().put(put).build()).chain(counted);
        self.transact(items.collect()).await
    }

    fn overtake(&self, sibling: &EntryKey) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(sibling.item_key()))
            .update_expression("REMOVE claim_holder, claim_ends")
            .condition_expression("attribute_not_exists(disposition) OR disposition = :defer")
            .expression_attribute_values(":defer", text(Disposition::Defer.as_str()))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Tries again when another transaction was at the same items at the same time: the condition on the claim makes
    /// that safe.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Recorded, TableError> {
        let mut pause = CONFLICT_PAUSE;
        loop {
            let transaction = self.table.client.transact_write_items().set_transact_items(Some(items.clone()));
            match transaction.send().await {
                Ok(_) => return Ok(Recorded::Ours),
                Err(error) if is_canceled_for(&error, "ConditionalCheckFailed") => return Ok(Recorded::Overtaken),
                Err(error) if pause < MOST_CONFLICT_PAUSE && is_canceled_for(&error, "TransactionConflict") => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(TableError::new("record a decision", error)),
            }
        }
    }

    /// Notes that the message lies where the disposition wants it: nobody has to copy it again, even when its consumer
    /// has taken it away.
    ///
    /// # Errors
    /// When the table did not take it.
    pub async fn mark_placed(&self, entry: &EntryKey, now: SystemTime) -> Result<(), TableError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(entry.item_key()))
            .update_expression("SET placed_at = :now")
            .expression_attribute_values(":now", number(unix_seconds(now)));
        update.send().await.map(drop).map_err(|error| TableError::new("note the place", error))
    }

    /// All entries of a message.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn entries(&self, message_id: &str) -> Result<Vec<Entry>, TableError> {
        let query = self.table.client.query().table_name(&self.table.name);
        let query = query
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(partition(message_id)))
            .consistent_read(true);
        let output = query.send().await.map_err(|error| TableError::new("look a message up", error))?;
        Ok(output.items().iter().map(Entry::read).collect())
    }
}

impl Claim {
    fn read(entry: &EntryKey, holder: &str, item: &Item) -> Self {
        Self {
            entry: entry.clone(),
            holder: holder.to_owned(),
            first_seen_s: read_number(item, "first_seen").unwrap_or(0),
            was_deferred: disposition(item) == Some(Disposition::Defer),
            was_reopened: read_number(item, "reopened").is_some_and(|reopened: u8| 0 < reopened),
            attempts: read_number(item, "attempts").unwrap_or(1),
            siblings: Vec::new(),
        }
    }

    /// The claim in the light of all entries of its message.
    #[must_use]
    pub fn beside(&self, entries: &[Entry]) -> Self {
        let others = entries.iter().filter(|entry| entry.key != self.entry && entry.decided().is_none());
        Self { siblings: others.map(|entry| entry.key.clone()).collect(), ..self.clone() }
    }
}

impl Entry {
    fn read(item: &Item) -> Self {
        let recipients = read_text(item, "recipients").unwrap_or_default();
        let message_id = read_text(item, PK).unwrap_or_default();
        let message_id = message_id.strip_prefix(PARTITION).unwrap_or_default().to_owned();
        Self {
            key: EntryKey { message_id, recipients_hash: read_text(item, crate::io::table::SK).unwrap_or_default() },
            recipients: recipients.lines().map(str::to_owned).collect(),
            disposition: disposition(item),
            report_key: read_text(item, "report_key").unwrap_or_default(),
            is_placed: item.contains_key("placed_at"),
            is_released: item.contains_key("released_at"),
            is_reopened: read_number(item, "reopened") == Some(1),
            first_seen_s: read_number(item, "first_seen").unwrap_or(0),
            judged_at_s: read_number(item, "judged_at").unwrap_or(0),
        }
    }
}

fn not_ours(error: SdkError<UpdateItemError>) -> Result<Claimed, TableError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
            let decided = failure.item.as_ref().and_then(|item| Entry::read(item).decision());
            Ok(decided.map_or(Claimed::Busy, Claimed::Decided))
        }
        Some(_) | None => Err(TableError::new("claim a message", error)),
    }
}

/// The claim is another's by now, or nobody's.
fn is_lost(error: &SdkError<UpdateItemError>) -> bool {
    error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}

fn is_canceled_for(error: &SdkError<TransactWriteItemsError>, code: &str) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return false;
    };
    canceled.cancellation_reasons().iter().any(|reason| reason.code() == Some(code))
}

fn disposition(item: &Item) -> Option<Disposition> {
    Disposition::parse(&read_text(item, "disposition")?)
}

const PARTITION: &str = "message#";

fn partition(message_id: &str) -> String {
    format!("{PARTITION}{message_id}")
}
