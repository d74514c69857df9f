//! `inspect-attachment`: one stored message in, findings out. Decides nothing about the message.

pub mod child;
pub mod confinement;
pub mod file;
pub mod inspect;

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use serde::Deserialize;

pub use gatepost::inspection::{Inspection, Isolation};

/// Only what SES wrote is inspected.
const INBOUND: &str = "inbound/";

/// From the request to the last byte of the object.
const FETCH_WITHIN: Duration = Duration::from_secs(8);

/// From the start of the child to its answer. With the fetch, less than verify-inbound waits for us.
const JUDGE_WITHIN: Duration = Duration::from_secs(5);

/// What the function needs to answer; built once per cold start.
#[derive(Debug, Clone)]
pub struct Inspector {
    pub s3: aws_sdk_s3::Client,
    /// The program that judges one message from its stdin, usually ourselves.
    pub child_program: PathBuf,
    /// The argument that makes it do so instead of serving.
    pub child_argument: String,
    /// The one bucket that messages are read from.
    pub bucket: String,
}

/// Which message to inspect: `{"bucket": "..", "key": "inbound/.."}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InspectRequest {
    pub bucket: String,
    pub key: String,
}

/// Fetches one stored message and judges it in a child process. A message that cannot be fetched or judged is a
/// finding that quarantines.
pub async fn handle(inspector: &Inspector, request: InspectRequest) -> Inspection {
    match fetch(inspector, &request).await {
        Ok(message) => {
            let (program, argument) = (&inspector.child_program, &inspector.child_argument);
            let inspection = child::judge_in_child(program, argument, &message, JUDGE_WITHIN).await;
            log(&request.key, &inspection);
            inspection
        }
        Err(failure) => {
            tracing::warn!(s3.key = request.key, cause = failure.cause(), "inspection failed: {failure}");
            Inspection::failed(&failure.to_string())
        }
    }
}

/// One event for each message: what came out, and behind which fences.
fn log(key: &str, inspection: &Inspection) {
    let Isolation { child_process, resource_limits, seccomp, landlock } = inspection.isolation;
    let findings = inspection.findings.len();
    tracing::info!(s3.key = key, findings, child_process, resource_limits, seccomp, landlock, "inspected {key}");
}

/// Why the message is not here.
#[derive(Debug, thiserror::Error)]
enum FetchFailure {
    #[error("the request names no inbound message of this deployment")]
    Elsewhere,
    #[error("the stored message is missing")]
    Missing,
    #[error("it is larger than 45 MB")]
    TooLarge,
    #[error("the stored message could not be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the stored message was not read within {} s", FETCH_WITHIN.as_secs())]
    Late,
}

impl FetchFailure {
    /// For the log, never for the report.
    fn cause(&self) -> Option<String> {
        std::error::Error::source(self).map(|source| DisplayErrorContext(source).to_string())
    }
}

async fn fetch(inspector: &Inspector, request: &InspectRequest) -> Result<Vec<u8>, FetchFailure> {
    if request.bucket != inspector.bucket || !request.key.starts_with(INBOUND) {
        return Err(FetchFailure::Elsewhere);
    }
    tokio::time::timeout(FETCH_WITHIN, download(inspector, request)).await.unwrap_or(Err(FetchFailure::Late))
}

async fn download(inspector: &Inspector, request: &InspectRequest) -> Result<Vec<u8>, FetchFailure> {
    let sent = inspector.s3.get_object().bucket(&request.bucket).key(&request.key).send().await;
    let object = sent.map_err(|error| match error.as_service_error() {
        Some(service) if service.is_no_such_key() => FetchFailure::Missing,
        _ => FetchFailure::Unreadable(error.into()),
    })?;
    body(object).await
}

/// Counts while reading: the announced length is a claim.
async fn body(mut object: GetObjectOutput) -> Result<Vec<u8>, FetchFailure> {
    let announced = u64::try_from(object.content_length().unwrap_or_default()).unwrap_or_default();
    if announced > child::MAX_MESSAGE {
        return Err(FetchFailure::TooLarge);
    }
    let mut message = Vec::new();
    while let Some(chunk) = object.body.try_next().await.map_err(|error| FetchFailure::Unreadable(error.into()))? {
        if (message.len() + chunk.len()) as u64 > child::MAX_MESSAGE {
            return Err(FetchFailure::TooLarge);
        }
        message.extend_from_slice(&chunk);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const ANSWER: &str =
        r#"{"findings":[],"isolation":{"child_process":true,"resource_limits":true,"seccomp":true,"landlock":false}}"#;

    /// An inspector whose S3 gives one answer to the first request, and whose child echoes the message.
    async fn inspector(answer: String) -> Inspector {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.expect("one request");
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(answer.as_bytes()).await;
        });
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .force_path_style(true)
            .build();
        Inspector {
            s3: aws_sdk_s3::Client::from_conf(config),
            child_program: "/bin/cat".into(),
            child_argument: "-".to_owned(),
            bucket: "mail".to_owned(),
        }
    }

    fn request(bucket: &str, key: &str) -> InspectRequest {
        InspectRequest { bucket: bucket.to_owned(), key: key.to_owned() }
    }

    fn found(length: usize, body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn a_stored_message_is_fetched_and_judged_in_a_child() {
        let inspection = handle(&inspector(found(ANSWER.len(), ANSWER)).await, request("mail", "inbound/1")).await;
        let isolation = Isolation { child_process: true, resource_limits: true, seccomp: true, landlock: false };
        assert_eq!(inspection, Inspection { findings: vec![], hosts: vec![], isolation });
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_fetched_quarantines_and_says_why() {
        let missing = "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";
        let failed = |status: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        };
        for (answer, bucket, key, reason) in [
            (found(2, "{}"), "mail", "delivered/1", "the request names no inbound message of this deployment"),
            (found(2, "{}"), "other", "inbound/1", "the request names no inbound message of this deployment"),
            (failed("404 Not Found", missing), "mail", "inbound/1", "the stored message is missing"),
            (failed("403 Forbidden", ""), "mail", "inbound/1", "the stored message could not be read"),
            (found(45_000_001, ""), "mail", "inbound/1", "it is larger than 45 MB"),
            (found(1_000, "cut off"), "mail", "inbound/1", "the stored message could not be read"),
        ] {
            let inspection = handle(&inspector(answer).await, request(bucket, key)).await;
            let details: Vec<&str> = inspection.findings.iter().map(|finding| finding.detail.as_str()).collect();
            assert_eq!(details, [format!("The message was not inspected: {reason}.")], "{bucket} {key}");
            assert_eq!(inspection.isolation, Isolation::default());
        }
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_counted_while_reading() {
        let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "a".repeat(45_000_001));
        let inspection = handle(&inspector(endless).await, request("mail", "inbound/1")).await;
        let details: Vec<&str> = inspection.findings.iter().map(|finding| finding.detail.as_str()).collect();
        assert_eq!(details, ["The message was not inspected: it is larger than 45 MB."]);
    }
}
