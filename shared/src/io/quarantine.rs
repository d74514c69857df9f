//! What an operator does with messages that were held back: look, release, or have them judged again.

use std::time::SystemTime;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    functions::{Function, InvokeError},
    ledger::{Entry, Ledger},
    messages::{DELIVERED, INBOUND, Messages, MessagesError, QUARANTINE, report_key},
    table::{TableError, unix_seconds},
};
use crate::disposition::Disposition;

/// Reports that are read at once.
const AT_ONCE: usize = 8;

/// The quarantine of one deployment.
#[derive(Debug, Clone)]
pub struct Quarantine {
    pub messages: Messages,
    pub ledger: Ledger,
    /// Judges again what it is handed.
    pub verifier: Function,
}

/// A message in quarantine.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub message_id: String,
    /// When it was put there, in Unix seconds.
    pub since_s: u64,
    pub report: Value,
}

/// Who lets a message go, and why: kept with the message and in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub by: String,
    pub why: String,
}

/// Why nothing was done, or not all.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    #[error("there is no message {0} in quarantine")]
    NotHeld(String),
    #[error("the ledger says that {message_id} is to be {disposition}, not held; it may be being judged again")]
    Elsewhere { message_id: String, disposition: &'static str },
    #[error("the report of {0} cannot be read")]
    Report(String, #[source] serde_json::Error),
    #[error(transparent)]
    Messages(MessagesError),
    #[error(transparent)]
    Ledger(#[from] TableError),
    #[error(transparent)]
    Verifier(#[from] InvokeError),
}

impl Quarantine {
    /// The messages in quarantine, the latest first, at most `most`.
    ///
    /// # Errors
    /// When bucket or report cannot be read.
    pub async fn list(&self, most: usize) -> Result<Vec<Held>, QuarantineError> {
        let mut kept = self.messages.kept(QUARANTINE).await.map_err(QuarantineError::Messages)?;
        kept.sort_by(|one, other| (other.since_s, &other.message_id).cmp(&(one.since_s, &one.message_id)));
        kept.truncate(most);
        let held = kept.into_iter().map(async |message| {
            let report = self.report(&message.message_id).await?;
            Ok(Held { message_id: message.message_id, since_s: message.since_s, report })
        });
        stream::iter(held).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
    }

    /// The report of a message in quarantine.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn report(&self, message_id: &str) -> Result<Value, QuarantineError> {
        self.report_under(QUARANTINE, message_id).await
    }

    /// The octets of a message in quarantine, as SES stored them.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn message(&self, message_id: &str) -> Result<Vec<u8>, QuarantineError> {
        let key = format!("{QUARANTINE}{message_id}");
        self.messages.fetch_key(&key).await.map_err(|error| not_held(error, message_id))
    }

    /// Copies a message to `delivered/`, with a report that names who let it go and why. The copy in quarantine stays, as
    /// evidence. Repeating it changes nothing.
    ///
    /// # Errors
    /// When it is not held, or bucket or ledger did not answer. The message is copied last.
    pub async fn release(
        &self,
        message_id: &str,
        release: &Release,
        now: SystemTime,
    ) -> Result<Value, QuarantineError> {
        let letter = self.messages.letter(QUARANTINE, message_id).await.map_err(|error| not_held(error, message_id))?;
        let mut report = self.report(message_id).await?;
        let Release { by, why } = release;
        if let Some(report) = report.as_object_mut() {
            report.insert("release".to_owned(), json!({"by": by, "why": why, "at_unix_s": unix_seconds(now)}));
        }
        for entry in self.held_entries(message_id, &[Disposition::Quarantine, Disposition::Deliver]).await? {
            self.ledger.record_release(&entry, by, why, now).await?;
        }
        let octets = serde_json::to_vec_pretty(&report).expect("what was JSON is JSON");
        for key in [report_key(QUARANTINE, message_id), report_key(DELIVERED, message_id)] {
            self.messages.put_json(&key, octets.clone()).await.map_err(QuarantineError::Messages)?;
        }
        self.messages.deliver(message_id, letter).await.map_err(QuarantineError::Messages)?;
        tracing::info!(message.id = message_id, released.by = by, released.why = why, "message {message_id} released");
        Ok(report)
    }

    /// Has a message judged again, by today's configuration and DNS, and answers the new report. A message that is not held
    /// any more leaves the quarantine.
    ///
    /// # Errors
    /// When it is not held, or something did not answer: then it is still in quarantine, and can be tried again.
    pub async fn rejudge(&self, message_id: &str) -> Result<Value, QuarantineError> {
        self.report(message_id).await?;
        let entries = self.held_entries(message_id, &[Disposition::Quarantine, Disposition::Defer]).await?;
        self.messages.take_back(message_id).await.map_err(QuarantineError::Messages)?;
        let mut judged_for = Vec::new();
        for entry in entries {
            self.ledger.reopen(&entry).await?;
            judged_for.push(entry.recipients);
        }
        if judged_for.is_empty() {
            judged_for.push(Vec::new());
        }
        for recipients in judged_for {
            let event = json!({"sweep": {"message_id": message_id, "recipients": recipients}});
            self.verifier.invoke(event.to_string().into_bytes()).await?;
        }
        let report = self.report_under(INBOUND, message_id).await?;
        if matches!(report["disposition"].as_str(), Some("deliver" | "reject")) {
            self.messages.clear(QUARANTINE, message_id).await.map_err(QuarantineError::Messages)?;
        }
        Ok(report)
    }

    async fn report_under(&self, prefix: &str, message_id: &str) -> Result<Value, QuarantineError> {
        let report = self.messages.fetch_key(&report_key(prefix, message_id)).await;
        let report = report.map_err(|error| not_held(error, message_id))?;
        serde_json::from_slice(&report).map_err(|error| QuarantineError::Report(message_id.to_owned(), error))
    }

    /// The entries of the ledger, which forgets before the bucket does.
    async fn held_entries(&self, message_id: &str, expected: &[Disposition]) -> Result<Vec<Entry>, QuarantineError> {
        let entries = self.ledger.entries(message_id).await?;
        let other = entries.iter().filter_map(|entry| entry.disposition).find(|found| !expected.contains(found));
        match other.map(Disposition::as_str) {
            Some(disposition) => Err(QuarantineError::Elsewhere { message_id: message_id.to_owned(), disposition }),
            None => Ok(entries),
        }
    }
}

fn not_held(error: MessagesError, message_id: &str) -> QuarantineError {
    match error {
        MessagesError::Missing => QuarantineError::NotHeld(message_id.to_owned()),
        error => QuarantineError::Messages(error),
    }
}
