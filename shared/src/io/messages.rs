//! Messages and their reports in the bucket.
//!
//! SES writes `inbound/<messageId>`. Each judge puts a report of its own beside it, and once the disposition is recorded the
//! report that it rests on and the message are put in their place, the message last. Consumers read `delivered/` only, so a
//! message is there when all else is done.

use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::get_object::GetObjectError,
    primitives::ByteStream,
};

use serde::Deserialize;

use crate::{authentication_results, disposition::Disposition};

/// Where SES writes, and where a message stays until it is judged.
pub const INBOUND: &str = "inbound/";

/// The only place where consumers read.
pub const DELIVERED: &str = "delivered/";

/// Where what is held back lies, for an operator to look at.
pub const QUARANTINE: &str = "quarantine/";

/// Room for what is put before a message that is delivered, so that it need not be copied in memory.
const STAMP_OCTETS: usize = 4 * 1024;

/// What SES hands over at most (40 MB), and what it prepends.
pub const MAX_MESSAGE_OCTETS: usize = 41 * 1024 * 1024;

/// What SES writes when it is given the bucket; not a message.
const SES_NOTIFICATION: &str = "AMAZON_SES_SETUP_NOTIFICATION";

/// Messages of one prefix that are listed.
const MOST_KEPT: usize = 10_000;

/// How the keys of reports end.
pub const REPORT_SUFFIX: &str = ".report.json";

/// No message id has one, so that the drafts of one are not taken for those of another.
const BEFORE_HOLDER: char = '!';

/// The bucket of one deployment.
#[derive(Debug, Clone)]
pub struct Messages {
    pub client: Client,
    pub bucket: String,
}

/// Why an object could not be had or put.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    #[error("there is no such object")]
    Missing,
    #[error("the object has {octets} octets, more than {MAX_MESSAGE_OCTETS}")]
    TooLarge { octets: usize },
    #[error("the bucket did not answer: {cause}")]
    Unavailable { cause: String },
}

/// A message on its way to `delivered/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// As SES stored it.
    pub stored: Vec<u8>,
    /// What we write into `Authentication-Results` (RFC 8601).
    pub authentication_results: String,
}

/// A message under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub message_id: String,
    /// When it was written there, in Unix seconds.
    pub since_s: u64,
}

#[derive(Deserialize)]
struct Results {
    authentication_results: String,
}

/// The prefix under which a judged message is kept; `None` while it is deferred.
#[must_use]
pub fn place(disposition: Disposition) -> Option<&'static str> {
    match disposition {
        Disposition::Deliver => Some(DELIVERED),
        Disposition::Quarantine => Some(QUARANTINE),
        Disposition::Reject => Some("rejected/"),
        Disposition::Defer => None,
    }
}

/// The key of a message's report under a prefix.
#[must_use]
pub fn report_key(prefix: &str, message_id: &str) -> String {
    format!("{prefix}{message_id}{REPORT_SUFFIX}")
}

/// The key of what the holder of a claim reports before anything is decided. Of two who judge the same message at the same
/// time neither writes over what the other's decision rests on.
#[must_use]
pub fn draft_key(message_id: &str, holder: &str) -> String {
    report_key(INBOUND, &format!("{message_id}{BEFORE_HOLDER}{holder}"))
}

impl Messages {
    /// The octets of `inbound/<messageId>`.
    ///
    /// # Errors
    /// A missing, oversized or unreadable object. The size is checked before and while reading.
    pub async fn fetch(&self, message_id: &str) -> Result<Vec<u8>, MessagesError> {
        self.fetch_key(&format!("{INBOUND}{message_id}")).await
    }

    /// The octets of any object of at most [`MAX_MESSAGE_OCTETS`].
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn fetch_key(&self, key: &str) -> Result<Vec<u8>, MessagesError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key).send();
        let mut object = get.await.map_err(missing_or_unavailable)?;
        let announced = usize::try_from(object.content_length().unwrap_or(0)).unwrap_or(0);
        check_size(announced)?;
        let mut octets = Vec::with_capacity(announced + STAMP_OCTETS);
        while let Some(chunk) = object.body.next().await {
            octets.extend_from_slice(&chunk.map_err(|cause| MessagesError::Unavailable { cause: cause.to_string() })?);
            check_size(octets.len())?;
        }
        Ok(octets)
    }

    /// Puts message and report, which lies at `draft`, where the disposition wants them, the message last. Repeating it changes
    /// nothing. What is held back is kept as SES stored it; what is delivered has our results on top. `letter` is the message to
    /// deliver, for whoever has it at hand.
    ///
    /// # Errors
    /// When the bucket did not do it.
    pub async fn place(
        &self,
        message_id: &str,
        disposition: Disposition,
        draft: &str,
        letter: Option<Letter>,
    ) -> Result<(), MessagesError> {
        let Some(prefix) = place(disposition) else { return Ok(()) };
        self.copy(draft, &report_key(prefix, message_id)).await?;
        match (disposition, letter) {
            (Disposition::Deliver, Some(letter)) => self.deliver(message_id, letter).await,
            (Disposition::Deliver, None) => {
                self.deliver(message_id, self.letter(INBOUND, message_id, draft).await?).await
            }
            _ => self.copy(&format!("{INBOUND}{message_id}"), &format!("{prefix}{message_id}")).await,
        }
    }

    /// A message that lies under a prefix, with what the report at `report` says for our field.
    ///
    /// # Errors
    /// As [`Self::fetch`], for the message or its report.
    pub async fn letter(&self, prefix: &str, message_id: &str, report: &str) -> Result<Letter, MessagesError> {
        let report = self.fetch_key(report).await?;
        let report: Results = serde_json::from_slice(&report)
            .map_err(|cause| MessagesError::Unavailable { cause: format!("its report cannot be read: {cause}") })?;
        let stored = self.fetch_key(&format!("{prefix}{message_id}")).await?;
        Ok(Letter { stored, authentication_results: report.authentication_results })
    }

    /// The last step of a delivery: whoever finds the message may take it.
    ///
    /// # Errors
    /// When the bucket did not take it.
    pub async fn deliver(&self, message_id: &str, letter: Letter) -> Result<(), MessagesError> {
        let Letter { mut stored, authentication_results } = letter;
        authentication_results::stamp(&mut stored, &authentication_results);
        self.put(&format!("{DELIVERED}{message_id}"), "message/rfc822", stored).await
    }

    /// The messages under `inbound/` whose names come after `start`, and then those before, at most `most`.
    ///
    /// # Errors
    /// When the bucket did not answer.
    pub async fn waiting(&self, start: &str, most: usize) -> Result<Vec<Waiting>, MessagesError> {
        let mut waiting = self.waiting_after(start, most).await?;
        if waiting.len() < most {
            let others = self.waiting_after("", most - waiting.len()).await?;
            waiting.extend(others.into_iter().take_while(|message| message.message_id.as_str() <= start));
        }
        Ok(waiting)
    }

    async fn waiting_after(&self, start: &str, most: usize) -> Result<Vec<Waiting>, MessagesError> {
        self.messages_under(INBOUND, start, most).await
    }

    /// The messages under a prefix, by name; at most [`MOST_KEPT`].
    ///
    /// # Errors
    /// When the bucket did not answer.
    pub async fn kept(&self, prefix: &str) -> Result<Vec<Waiting>, MessagesError> {
        self.messages_under(prefix, "", MOST_KEPT).await
    }

    async fn messages_under(&self, prefix: &str, start: &str, most: usize) -> Result<Vec<Waiting>, MessagesError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = list.start_after(format!("{prefix}{start}")).into_paginator().send();
        let mut messages = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(unavailable)?;
            messages.extend(page.contents().iter().filter_map(|object| message_under(prefix, object)));
            if most <= messages.len() {
                break;
            }
        }
        messages.truncate(most);
        Ok(messages)
    }

    /// Removes what waited of a message that is in its place, the message last: only while it lies there does somebody come.
    ///
    /// # Errors
    /// When the bucket did not do it.
    pub async fn clear_inbound(&self, message_id: &str) -> Result<(), MessagesError> {
        let message = format!("{INBOUND}{message_id}");
        let drafts = self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{message}{BEFORE_HOLDER}"));
        let drafts = drafts.send().await.map_err(unavailable)?;
        for draft in drafts.contents().iter().filter_map(|object| object.key()) {
            self.delete(draft).await?;
        }
        self.delete(&message).await
    }

    /// Removes a message and its report from quarantine, the message first: without it nobody is held.
    ///
    /// # Errors
    /// When the bucket did not do it.
    pub async fn clear_quarantine(&self, message_id: &str) -> Result<(), MessagesError> {
        self.delete(&format!("{QUARANTINE}{message_id}")).await?;
        self.delete(&report_key(QUARANTINE, message_id)).await
    }

    async fn delete(&self, key: &str) -> Result<(), MessagesError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        delete.send().await.map(drop).map_err(unavailable)
    }

    /// Copies a message from quarantine to where SES put it, for another judgement.
    ///
    /// # Errors
    /// When the bucket did not do it.
    pub async fn take_back(&self, message_id: &str) -> Result<(), MessagesError> {
        self.copy(&format!("{QUARANTINE}{message_id}"), &format!("{INBOUND}{message_id}")).await
    }

    /// # Errors
    /// When the bucket did not take it.
    pub async fn put_json(&self, key: &str, octets: Vec<u8>) -> Result<(), MessagesError> {
        self.put(key, "application/json", octets).await
    }

    /// The page of an incident, which is replaced when the incident changes.
    ///
    /// # Errors
    /// When the bucket did not take it.
    pub async fn put_page(&self, key: &str, html: String) -> Result<(), MessagesError> {
        self.put(key, "text/html; charset=utf-8", html.into_bytes()).await
    }

    async fn put(&self, key: &str, content_type: &str, octets: Vec<u8>) -> Result<(), MessagesError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
        put.body(ByteStream::from(octets)).send().await.map(drop).map_err(unavailable)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), MessagesError> {
        let copy = self.client.copy_object().bucket(&self.bucket).copy_source(format!("{}/{from}", self.bucket));
        copy.key(to).send().await.map(drop).map_err(unavailable)
    }
}

fn message_under(prefix: &str, object: &aws_sdk_s3::types::Object) -> Option<Waiting> {
    let message_id = object.key()?.strip_prefix(prefix)?;
    let since_s = u64::try_from(object.last_modified()?.secs()).ok()?;
    let is_message = ![SES_NOTIFICATION, ""].contains(&message_id) && !message_id.ends_with(REPORT_SUFFIX);
    is_message.then(|| Waiting { message_id: message_id.to_owned(), since_s })
}

fn check_size(octets: usize) -> Result<(), MessagesError> {
    if MAX_MESSAGE_OCTETS < octets { Err(MessagesError::TooLarge { octets }) } else { Ok(()) }
}

fn missing_or_unavailable(error: SdkError<GetObjectError>) -> MessagesError {
    match error.as_service_error() {
        Some(GetObjectError::NoSuchKey(_)) => MessagesError::Missing,
        Some(_) | None => unavailable(error),
    }
}

fn unavailable<E: std::error::Error + Send + Sync + 'static>(error: SdkError<E>) -> MessagesError {
    MessagesError::Unavailable { cause: DisplayErrorContext(error).to_string() }
}
