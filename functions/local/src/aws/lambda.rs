//! Lambda: the Invoke operation, over handlers of this process.

use super::loopback::Loopback;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Lambda takes 6 MB; the rest is for what a caller may add around it.
const MAX_BODY_BYTES: usize = 7_000_000;
/// Lambda's limit for an asynchronous event.
const MAX_EVENT_BYTES: usize = 1_048_576;
/// Asynchronous events under way at a time; one more is refused as throttled.
const MAX_EVENTS: usize = 64;

/// What a handler answers, or why it failed. The text of a failure reaches the invoker.
pub type Outcome = Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

/// A running endpoint. Stops when dropped, with every invocation under way.
#[derive(Debug)]
pub struct Lambda {
    loopback: Loopback,
    shared: Arc<Shared>,
    _running: watch::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    functions: RwLock<HashMap<String, Function>>,
    events: Arc<Semaphore>,
    running: watch::Receiver<()>,
}

type Invocation = Pin<Box<dyn Future<Output = Outcome> + Send>>;

#[derive(Clone)]
struct Function {
    handler: Arc<dyn Fn(Vec<u8>) -> Invocation + Send + Sync>,
    timeout: Duration,
}

/// The body of an answer that carries `X-Amz-Function-Error`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    error_type: &'static str,
    error_message: String,
}

impl Lambda {
    /// Starts without a function: handlers may need to know this endpoint before they exist.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        let (running, watched) = watch::channel(());
        let events = Arc::new(Semaphore::new(MAX_EVENTS));
        let shared = Arc::new(Shared { functions: RwLock::default(), events, running: watched });
        let router = Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::clone(&shared));
        Ok(Self { loopback: Loopback::serve(router).await?, shared, _running: running })
    }

    /// Makes `handler` answer invocations of `name`, each for at most `timeout`. It is given the payload, which is JSON.
    pub fn register<F, Answer>(&self, name: &str, timeout: Duration, handler: F)
    where
        F: Fn(Vec<u8>) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Arc::new(move |payload| -> Invocation { Box::pin(handler(payload)) });
        let mut functions = self.shared.functions.write().unwrap_or_else(PoisonError::into_inner);
        functions.insert(name.to_owned(), Function { handler, timeout });
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        self.loopback.url()
    }
}

impl Shared {
    fn function(&self, name: &str) -> Option<Function> {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Function").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

async fn invoke(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payload: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(payload) = payload else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "the payload is too large");
    };
    let Some(function) = shared.function(unqualified(&name)) else {
        let message = format!("Function not found: {name}");
        return refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    let payload = if payload.is_empty() { b"{}".to_vec() } else { Vec::from(payload) };
    if serde_json::from_slice::<IgnoredAny>(&payload).is_err() {
        return refusal(StatusCode::BAD_REQUEST, "InvalidRequestContentException", "the payload is not JSON");
    }
    let running = shared.running.clone();
    match headers.get("x-amz-invocation-type").map_or(&b"RequestResponse"[..], |kind| kind.as_bytes()) {
        b"RequestResponse" => answered(run(function, payload, running).await),
        b"Event" if MAX_EVENT_BYTES < payload.len() => {
            refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "the event is too large")
        }
        b"Event" => accept(&shared, name, function, payload),
        b"DryRun" => StatusCode::NO_CONTENT.into_response(),
        _ => refusal(StatusCode::BAD_REQUEST, "InvalidParameterValueException", "unknown invocation type"),
    }
}

/// Runs the function in the background. Unlike Lambda, it does not try a failed one again.
fn accept(shared: &Shared, name: String, function: Function, payload: Vec<u8>) -> Response {
    let Ok(permit) = Arc::clone(&shared.events).try_acquire_owned() else {
        return refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "too many events under way");
    };
    let running = shared.running.clone();
    tokio::spawn(async move {
        if let Err(error) = run(function, payload, running).await {
            tracing::warn!(function.name = name, error = error.error_message, "an event of {name} failed");
        }
        drop(permit);
    });
    StatusCode::ACCEPTED.into_response()
}

/// In a task of its own, so that a panic is a failed invocation, and an invoker that goes away does not end it.
async fn run(function: Function, payload: Vec<u8>, mut running: watch::Receiver<()>) -> Result<Vec<u8>, FunctionError> {
    let seconds = function.timeout.as_secs_f64();
    let invocation = tokio::spawn(async move {
        tokio::select! {
            outcome = tokio::time::timeout(function.timeout, (function.handler)(payload)) => Some(outcome),
            _ = running.changed() => None,
        }
    });
    match invocation.await {
        Ok(Some(Ok(Ok(answer)))) => Ok(answer),
        Ok(Some(Ok(Err(error)))) => Err(FunctionError { error_type: "Error", error_message: error.to_string() }),
        Ok(Some(Err(_))) => Err(FunctionError {
            error_type: "Sandbox.Timedout",
            error_message: format!("Task timed out after {seconds:.2} seconds"),
        }),
        Ok(None) => Err(FunctionError { error_type: "Runtime.Shutdown", error_message: "shutting down".to_owned() }),
        Err(_) => {
            Err(FunctionError { error_type: "Runtime.ExitError", error_message: "the handler panicked".to_owned() })
        }
    }
}

fn answered(outcome: Result<Vec<u8>, FunctionError>) -> Response {
    match outcome {
        Ok(answer) => ([("x-amz-executed-version", "$LATEST")], answer).into_response(),
        Err(error) => {
            let body = serde_json::to_vec(&error).expect("two strings serialise");
            ([("x-amz-executed-version", "$LATEST"), ("x-amz-function-error", "Unhandled")], body).into_response()
        }
    }
}

/// The plain name in `name`, `name:qualifier` or `arn:aws:lambda:region:account:function:name[:qualifier]`.
fn unqualified(name: &str) -> &str {
    let mut parts = name.split(':');
    let plain = if name.starts_with("arn:") { parts.nth(6) } else { parts.next() };
    plain.unwrap_or(name)
}

fn refusal(status: StatusCode, error: &'static str, message: &str) -> Response {
    let body = serde_json::json!({ "Type": "User", "Message": message, "message": message });
    let headers = [("x-amzn-errortype", error), ("content-type", "application/json")];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::clients;
    use aws_sdk_lambda::Client;
    use aws_sdk_lambda::error::ProvideErrorMetadata;
    use aws_sdk_lambda::primitives::Blob;
    use aws_sdk_lambda::types::InvocationType;
    use tokio::sync::mpsc;

    async fn started() -> (Lambda, Client) {
        let lambda = Lambda::start().await.expect("the endpoint starts");
        let client = clients::lambda(&lambda.url(), Duration::from_secs(20));
        (lambda, client)
    }

    /// The answer's function error and its payload.
    async fn invoke(client: &Client, name: &str, payload: &str) -> (Option<String>, String) {
        let answer = client.invoke().function_name(name).payload(Blob::new(payload)).send().await.expect("it answers");
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        (answer.function_error, String::from_utf8(payload).expect("the answer is UTF-8"))
    }

    #[tokio::test]
    async fn a_function_answers_by_name_qualified_name_and_arn() {
        let (lambda, client) = started().await;
        lambda.register("inspect-attachment", Duration::from_secs(5), |payload| async { Ok(payload) });
        for name in [
            "inspect-attachment",
            "inspect-attachment:live",
            "arn:aws:lambda:us-east-1:123456789012:function:inspect-attachment",
        ] {
            assert_eq!(invoke(&client, name, r#"{"key":"a"}"#).await, (None, r#"{"key":"a"}"#.to_owned()), "{name}");
        }
    }

    #[tokio::test]
    async fn a_handler_that_fails_panics_or_hangs_is_a_function_error() {
        let (lambda, client) = started().await;
        lambda.register("fails", Duration::from_secs(5), |_| async { Err("no such object".into()) });
        lambda.register("panics", Duration::from_secs(5), |_| async { panic!("as the test wants it") });
        lambda.register("hangs", Duration::from_millis(50), |_| std::future::pending());
        for (name, expected) in [
            ("fails", r#"{"errorType":"Error","errorMessage":"no such object"}"#),
            ("panics", r#"{"errorType":"Runtime.ExitError","errorMessage":"the handler panicked"}"#),
            ("hangs", r#"{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 0.05 seconds"}"#),
        ] {
            assert_eq!(invoke(&client, name, "{}").await, (Some("Unhandled".to_owned()), expected.to_owned()));
        }
    }

    #[tokio::test]
    async fn an_event_is_accepted_at_once_and_runs_afterwards() {
        let (lambda, client) = started().await;
        let (ran, mut runs) = mpsc::channel(1);
        lambda.register("verify-inbound", Duration::from_secs(5), move |payload| {
            let ran = ran.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                ran.send(payload).await?;
                Ok(Vec::new())
            }
        });
        let event = client.invoke().function_name("verify-inbound").invocation_type(InvocationType::Event);
        let accepted = event.payload(Blob::new(r#"{"n":1}"#)).send().await.expect("it is accepted");
        assert_eq!(accepted.status_code, 202);
        runs.try_recv().expect_err("it has not run yet");
        assert_eq!(runs.recv().await.as_deref(), Some(&br#"{"n":1}"#[..]));
    }

    #[tokio::test]
    async fn what_cannot_be_invoked_is_refused_as_lambda_does() {
        let (lambda, client) = started().await;
        lambda.register("inspect-attachment", Duration::from_secs(5), |payload| async { Ok(payload) });
        let too_large = format!("\"{}\"", "a".repeat(MAX_BODY_BYTES));
        for (name, payload, expected) in [
            ("unknown", "{}", "ResourceNotFoundException"),
            ("inspect-attachment", "{", "InvalidRequestContentException"),
            ("inspect-attachment", &too_large, "RequestTooLargeException"),
        ] {
            let refused = client.invoke().function_name(name).payload(Blob::new(payload)).send().await;
            assert_eq!(refused.expect_err("it is refused").code(), Some(expected));
        }
    }

    #[tokio::test]
    async fn events_over_the_limit_are_throttled() {
        let (lambda, client) = started().await;
        lambda.register("hangs", Duration::from_secs(30), |_| std::future::pending());
        let mut refusal = None;
        for _ in 0..=MAX_EVENTS {
            let event = client.invoke().function_name("hangs").invocation_type(InvocationType::Event);
            refusal = event.send().await.err().and_then(|error| error.code().map(str::to_owned));
        }
        assert_eq!(refusal.as_deref(), Some("TooManyRequestsException"));
    }
}
