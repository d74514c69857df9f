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

/// For the object as a whole: the deadline of the SDK ends with the head of the answer, and a body may come drop by drop.
const FETCH_WITHIN: Duration = Duration::from_secs(10);

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

/// What the bucket answered.
enum Fetched {
    NotModified,
    Missing,
    Object(Vec<u8>, Option<String>),
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
    /// The object is gone, and the list in the program is in use again.
    Removed,
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
    /// new. An object that is refused is not read again. One that was removed is forgotten, so that an instance that ran
    /// then and one that is started now agree.
    ///
    /// # Errors
    /// When the bucket did not answer, or the object is refused: the list stays as it is.
    pub async fn refresh(&self, now: SystemTime) -> Result<Refreshed, DomainDataError> {
        let Some(known) = self.begin(now) else { return Ok(Refreshed::NotDue) };
        let late =
            |_| Err(DomainDataError::Unavailable(format!("no whole object within {} s", FETCH_WITHIN.as_secs())));
        let (object, etag) = match tokio::time::timeout(FETCH_WITHIN, self.fetch(known)).await.unwrap_or_else(late)? {
            Fetched::NotModified => return Ok(Refreshed::Unchanged),
            Fetched::Missing => return Ok(self.forget()),
            Fetched::Object(object, etag) => (object, etag),
        };
        // Before it is looked at: a refused object is not worth a second transfer.
        self.last.lock().unwrap_or_else(PoisonError::into_inner).etag = etag;
        // Tens of milliseconds of work, for which no request shall wait.
        let read = tokio::task::spawn_blocking(move || DomainList::read(&object)).await;
        self.replace(Arc::new(read.map_err(|error| DomainDataError::Unavailable(error.to_string()))??));
        Ok(Refreshed::Replaced)
    }

    async fn fetch(&self, known: Option<String>) -> Result<Fetched, DomainDataError> {
        let get = self.client.get_object().bucket(&self.bucket).key(KEY).set_if_none_match(known);
        match get.send().await {
            Ok(output) => {
                let etag = output.e_tag.clone();
                Ok(Fetched::Object(body(output).await?, etag))
            }
            Err(error) if is_not_modified(&error) => Ok(Fetched::NotModified),
            Err(error) if is_missing(&error) => Ok(Fetched::Missing),
            Err(error) => Err(DomainDataError::Unavailable(DisplayErrorContext(error).to_string())),
        }
    }

    fn forget(&self) -> Refreshed {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).etag = None;
        let embedded = DomainList::embedded();
        if Arc::ptr_eq(&embedded, &self.list()) {
            return Refreshed::Unchanged;
        }
        self.replace(embedded);
        Refreshed::Removed
    }

    fn replace(&self, list: Arc<DomainList>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = list;
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

fn is_not_modified(error: &SdkError<GetObjectError>) -> bool {
    error.raw_response().is_some_and(|response| response.status().as_u16() == 304)
}

/// Never put there, or removed.
fn is_missing(error: &SdkError<GetObjectError>) -> bool {
    error.as_service_error().is_some_and(GetObjectError::is_no_such_key)
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
