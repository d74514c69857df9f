//! A newer list of domains in the bucket, taken over while the program runs.
//!
//! Requests read what is in memory and never wait: somebody calls [`DomainData::refresh`] when nobody does.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::get_object::{GetObjectError, GetObjectOutput},
};

use crate::domain_list::{DomainList, DomainListError, MAX_OBJECT_OCTETS};

/// Where the object lies in the bucket.
pub const KEY: &str = "data/domains.gpd";

/// The list in use, and when to look for a newer one.
pub struct DomainData {
    client: Client,
    bucket: String,
    every: Duration,
    current: RwLock<Arc<DomainList>>,
    last: Mutex<Last>,
}

/// The last time that the bucket was asked.
#[derive(Debug, Default)]
struct Last {
    at: Option<SystemTime>,
    /// Of the object that was read last, taken or refused.
    etag: Option<String>,
}

/// What came of a look at the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// It is not time yet.
    NotDue,
    /// There is no object, or the one that was read already.
    Unchanged,
    /// The list was replaced.
    Replaced,
}

/// Why the list stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum DomainDataError {
    #[error("the bucket did not answer: {0}")]
    Unavailable(String),
    #[error("the object is refused")]
    Refused(#[from] DomainListError),
}

impl DomainData {
    /// Begins with the list in the program.
    #[must_use]
    pub fn new(client: Client, bucket: String, every: Duration) -> Self {
        Self { client, bucket, every, current: RwLock::new(DomainList::embedded()), last: Mutex::default() }
    }

    /// The list in use.
    #[must_use]
    pub fn list(&self) -> Arc<DomainList> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks for a newer object when the interval is over: one conditional GET, the whole object only when its `ETag` is
    /// new. An object that is refused is not read again.
    ///
    /// # Errors
    /// When the bucket did not answer, or the object is refused: the list stays as it is.
    pub async fn refresh(&self, now: SystemTime) -> Result<Refreshed, DomainDataError> {
        let Some(known) = self.begin(now) else { return Ok(Refreshed::NotDue) };
        let get = self.client.get_object().bucket(&self.bucket).key(KEY).set_if_none_match(known);
        let output = match get.send().await {
            Ok(output) => output,
            Err(error) if is_unchanged(&error) => return Ok(Refreshed::Unchanged),
            Err(error) => return Err(DomainDataError::Unavailable(DisplayErrorContext(error).to_string())),
        };
        let etag = output.e_tag.clone();
        let object = body(output).await?;
        // Before it is looked at: a refused object is not worth a second transfer.
        self.last.lock().unwrap_or_else(PoisonError::into_inner).etag = etag;
        // Tens of milliseconds of work, for which no request shall wait.
        let read = tokio::task::spawn_blocking(move || DomainList::read(&object)).await;
        let list = Arc::new(read.map_err(|error| DomainDataError::Unavailable(error.to_string()))??);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(Refreshed::Replaced)
    }

    /// The tag that is known, if it is time to ask; the next caller has to wait for another interval.
    #[expect(clippy::option_option, reason = "whether it is time, and whether anything was read before")]
    fn begin(&self, now: SystemTime) -> Option<Option<String>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age < self.every);
        if last.at.is_some_and(is_recent) {
            return None;
        }
        last.at = Some(now);
        Some(last.etag.clone())
    }
}

/// Not modified since, or never put there.
fn is_unchanged(error: &SdkError<GetObjectError>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    status == Some(304) || error.as_service_error().is_some_and(GetObjectError::is_no_such_key)
}

/// Reads no more than an object may have.
async fn body(output: GetObjectOutput) -> Result<Vec<u8>, DomainDataError> {
    let mut body = output.body;
    let mut object = Vec::new();
    while let Some(chunk) = body.try_next().await.map_err(|error| DomainDataError::Unavailable(error.to_string()))? {
        object.extend_from_slice(&chunk);
        if MAX_OBJECT_OCTETS < object.len() {
            return Err(DomainListError::TooLarge.into());
        }
    }
    Ok(object)
}
