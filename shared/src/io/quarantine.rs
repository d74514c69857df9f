//! What an operator does with messages that were held back: look, release, or have them judged again.

use std::time::SystemTime;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    functions::{Function, InvokeError},
    ledger::{Entry, Ledger},
    messages::{DELIVERED, Messages, MessagesError, QUARANTINE, place, report_key},
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
    #[error("the ledger says that {message_id} is no longer held ({disposition})")]
    Elsewhere { message_id: String, disposition: &'static str },
    #[error("the report of {0} cannot be read")]
    Report(String, #[source] serde_json::Error),
    #[error("message {0} was not judged; it is still in quarantine, try again")]
    NotJudged(String),
    #[error(transparent)]
    Messages(#[from] MessagesError),
    #[error(transparent)]
    Ledger(#[from] TableError),
    #[error(transparent)]
    Verifier(#[from] InvokeError),
}

impl Quarantine {
    /// The messages in quarantine, the latest first, at most `most`; of more than 10,000, those with the first names. A report
    /// that is missing is null.
    ///
    /// # Errors
    /// When bucket or report cannot be read.
    pub async fn list(&self, most: usize) -> Result<Vec<Held>, QuarantineError> {
        let mut kept = self.messages.kept(QUARANTINE).await?;
        kept.sort_by(|one, other| (other.since_s, &other.message_id).cmp(&(one.since_s, &one.message_id)));
        kept.truncate(most);
        let held = kept.into_iter().map(async |message| {
            let report = match self.report(&message.message_id).await {
                Err(QuarantineError::NotHeld(_)) => Value::Null,
                report => report?,
            };
            Ok(Held { message_id: message.message_id, since_s: message.since_s, report })
        });
        stream::iter(held).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
    }

    /// The report of a message in quarantine.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn report(&self, message_id: &str) -> Result<Value, QuarantineError> {
        self.report_at(&report_key(QUARANTINE, message_id), message_id).await
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
    /// evidence, and its report is the last to say so: what was released before is not delivered again.
    ///
    /// # Errors
    /// When it is not held, or bucket or ledger did not answer; then it can be tried again.
    pub async fn release(
        &self,
        message_id: &str,
        release: &Release,
        now: SystemTime,
    ) -> Result<Value, QuarantineError> {
        let mut report = self.report(message_id).await?;
        if report.get("release").is_some() {
            return Ok(report);
        }
        let letter = self.messages.letter(QUARANTINE, message_id, &report_key(QUARANTINE, message_id)).await;
        let letter = letter.map_err(|error| not_held(error, message_id))?;
        let Release { by, why } = release;
        let entries = self.ledger.entries(message_id).await?;
        held(&entries, message_id, |entry| entry.disposition == Some(Disposition::Quarantine) || entry.is_released)?;
        for entry in entries {
            self.ledger.record_release(&entry, by, why, now).await?;
        }
        if let Some(report) = report.as_object_mut() {
            report.insert("release".to_owned(), json!({"by": by, "why": why, "at_unix_s": unix_seconds(now)}));
        }
        let octets = serde_json::to_vec_pretty(&report).expect("what was JSON is JSON");
        self.messages.put_json(&report_key(DELIVERED, message_id), octets.clone()).await?;
        self.messages.deliver(message_id, letter).await?;
        self.messages.put_json(&report_key(QUARANTINE, message_id), octets).await?;
        tracing::info!(message.id = message_id, released.by = by, released.why = why, "message {message_id} released");
        Ok(report)
    }

    /// Has a message judged again, by today's configuration and DNS, and answers the new report. A message that is not held
    /// any more leaves the quarantine once the ledger says where it went.
    ///
    /// # Errors
    /// When it is not held, or was not judged: then it is still in quarantine, and can be tried again.
    pub async fn rejudge(&self, message_id: &str) -> Result<Value, QuarantineError> {
        self.report(message_id).await?;
        let entries = self.ledger.entries(message_id).await?;
        held(&entries, message_id, |entry| !entry.is_released)?;
        // Somebody had it judged again before, and did not come to the end.
        if entries.is_empty() || !entries.iter().all(|entry| elsewhere(entry).is_some()) {
            self.judge_again(message_id, entries).await?;
        }
        let entries = self.ledger.entries(message_id).await?;
        let Some(entry) = entries.first().filter(|_| entries.iter().all(is_settled)) else {
            return Err(QuarantineError::NotJudged(message_id.to_owned()));
        };
        let place = entry.decided().and_then(place);
        let key = place.map_or_else(|| entry.report_key.clone(), |prefix| report_key(prefix, message_id));
        let report = self.report_at(&key, message_id).await?;
        if place != Some(QUARANTINE) {
            self.messages.clear_quarantine(message_id).await?;
        }
        Ok(report)
    }

    async fn judge_again(&self, message_id: &str, entries: Vec<Entry>) -> Result<(), QuarantineError> {
        self.messages.take_back(message_id).await?;
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
        Ok(())
    }

    async fn report_at(&self, key: &str, message_id: &str) -> Result<Value, QuarantineError> {
        let report = self.messages.fetch_key(key).await;
        let report = report.map_err(|error| not_held(error, message_id))?;
        serde_json::from_slice(&report).map_err(|error| QuarantineError::Report(message_id.to_owned(), error))
    }
}

/// The ledger forgets before the bucket does, so there may be no entries.
fn held(entries: &[Entry], message_id: &str, is_held: impl Fn(&Entry) -> bool) -> Result<(), QuarantineError> {
    let other = entries.iter().find(|entry| !is_held(entry)).and_then(|entry| entry.disposition);
    match other.map(Disposition::as_str) {
        Some(disposition) => Err(QuarantineError::Elsewhere { message_id: message_id.to_owned(), disposition }),
        None => Ok(()),
    }
}

/// Where a message lies that is not held any more.
fn elsewhere(entry: &Entry) -> Option<&'static str> {
    entry.decided().filter(|disposition| entry.is_placed && *disposition != Disposition::Quarantine).and_then(place)
}

/// Put in its place, or judged and waiting for the sweep.
fn is_settled(entry: &Entry) -> bool {
    entry.is_placed || entry.disposition == Some(Disposition::Defer) && !entry.is_reopened
}

fn not_held(error: MessagesError, message_id: &str) -> QuarantineError {
    match error {
        MessagesError::Missing => QuarantineError::NotHeld(message_id.to_owned()),
        error => QuarantineError::Messages(error),
    }
}
