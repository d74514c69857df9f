//! HTTP on one port: the API as API Gateway would call it, and what a developer needs around it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::error::ProvideErrorMetadata;
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{Response, StatusCode},
    response::IntoResponse,
    routing::{any, get, post},
};
use futures_util::StreamExt;
use gatepost::{
    api_key::hex,
    bucket::Bucket,
    disposition::Disposition,
    io::messages::{INBOUND, MessagesError, place, report_key},
};
use gatepost_verify_inbound::{Verifier, event::MessageId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api_gateway,
    aws::clients::Endpoints,
    clock,
    page::{self, Page, Standing},
    ses::Session,
    stack::Stack,
};

/// What SES stores at most, and a little more, so that what is too large can be tried.
const MAX_MESSAGE_OCTETS: usize = 45_000_000;

/// Who receives a message for which nobody said.
const DEFAULT_RECIPIENT: &str = "inbox@receiver.example";

struct Front {
    stack: Arc<Stack>,
    page: Page,
}

/// What a local request cannot be answered with.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

/// All routes of contract and development, as they are served at `address`.
pub fn router(stack: Arc<Stack>, address: SocketAddr) -> Router {
    let page = Page::new(address, clock::now(), stack.limits.clone());
    let front = Arc::new(Front { stack, page });
    Router::new()
        .route("/", get(show_page))
        .route("/local/inbound", post(inbound))
        .route("/local/scan", post(scan))
        .route("/local/alerts", get(alerts))
        .route("/local/endpoints", get(endpoints))
        .route("/local/calls", get(calls))
        .route("/local/incidents/{name}", get(show_incident))
        .route("/v1/{*path}", any(api))
        .with_state(front)
}

async fn api(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, api_gateway::MAX_BODY_OCTETS).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request_id = random_id();
    let event = api_gateway::request(&parts.method, &parts.uri, &parts.headers, &body, &request_id);
    let Ok(event) = event else { return StatusCode::BAD_REQUEST.into_response() };
    let response = gatepost_validate::handle(&front.stack.gate, event, clock::now()).await;
    front.page.note_answer(response.body(), clock::now());
    api_gateway::response(response)
}

async fn inbound(
    State(front): State<Arc<Front>>,
    Query(parameters): Query<Vec<(String, String)>>,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let message = read_whole(body).await?;
    let session = session(parameters)?;
    let message_id = session.message_id.as_str();
    let key = format!("{INBOUND}{message_id}");
    let messages = &front.stack.verifier.messages;
    // A redelivery is another invocation; SES does not write the object again.
    let put = messages.client.put_object().bucket(&messages.bucket).key(&key).if_none_match("*");
    let put = put.body(session.stored(&message).into()).send().await;
    match put {
        Err(error) if error.code() != Some("PreconditionFailed") => {
            return Err(Refusal(StatusCode::BAD_GATEWAY, format!("not stored: {error}")));
        }
        Ok(_) | Err(_) => {}
    }
    let ses_answer = gatepost_verify_inbound::handle(&front.stack.verifier, session.event(), clock::now()).await;
    let report = report(&front.stack, message_id).await;
    front.page.note_report(&report, clock::now());
    Ok(Json(json!({"ses_answer": ses_answer, "report": report})))
}

/// Reads on to the end of what is too large, as far as anybody would send it: a client that is cut off while it writes may
/// never see the answer.
async fn read_whole(body: Body) -> Result<Vec<u8>, Refusal> {
    let (mut message, mut read) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(bad_request)?;
        read += chunk.len();
        if read <= MAX_MESSAGE_OCTETS {
            message.extend_from_slice(&chunk);
        } else if 4 * MAX_MESSAGE_OCTETS < read {
            break;
        }
    }
    let detail = || format!("the message has more than {MAX_MESSAGE_OCTETS} octets");
    if read <= MAX_MESSAGE_OCTETS { Ok(message) } else { Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, detail())) }
}

fn session(parameters: Vec<(String, String)>) -> Result<Session, Refusal> {
    let now = Timestamp::try_from(clock::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut session = Session {
        message_id: MessageId::parse(&random_id()).map_err(bad_request)?,
        client_ip: IpAddr::from([127, 0, 0, 1]),
        helo: "localhost".to_owned(),
        mail_from: String::new(),
        rcpt_to: Vec::new(),
        received_at: now.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
        received_date: now.strftime("%a, %d %b %Y %H:%M:%S +0000 (UTC)").to_string(),
    };
    for (name, value) in parameters {
        match name.as_str() {
            "client_ip" => {
                session.client_ip = value.parse().map_err(|_| bad_request("client_ip is not an IP address"))?;
            }
            "helo" => session.helo = value,
            "mail_from" => session.mail_from = value,
            "rcpt_to" => session.rcpt_to.push(value),
            "message_id" => session.message_id = MessageId::parse(&value).map_err(bad_request)?,
            unknown => return Err(bad_request(format!("there is no parameter {unknown}"))),
        }
    }
    if session.rcpt_to.is_empty() {
        session.rcpt_to.push(DEFAULT_RECIPIENT.to_owned());
    }
    session.check().map_err(bad_request)?;
    Ok(session)
}

/// The report of a message: the last that the ledger knows, or where it was placed when the sweep has cleared `inbound/`.
async fn report(stack: &Stack, message_id: &str) -> Value {
    let Verifier { messages, ledger, .. } = &stack.verifier;
    let entries = ledger.entries(message_id).await.unwrap_or_default();
    let placed = [Disposition::Deliver, Disposition::Quarantine, Disposition::Reject];
    let placed = placed.into_iter().filter_map(place).map(|prefix| report_key(prefix, message_id));
    for key in entries.into_iter().map(|entry| entry.report_key).chain(placed) {
        if let Ok(octets) = messages.fetch_key(&key).await {
            return serde_json::from_slice(&octets).unwrap_or(Value::Null);
        }
    }
    Value::Null
}

/// Where the services of this stack are, for commands that act on it.
async fn endpoints(State(front): State<Arc<Front>>) -> Json<Endpoints> {
    Json(front.stack.endpoints.clone())
}

/// How often this stack called DynamoDB so far, by operation.
async fn calls(State(front): State<Arc<Front>>) -> Json<BTreeMap<String, u64>> {
    Json(front.stack.calls.by_operation())
}

async fn scan(
    State(front): State<Arc<Front>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Refusal> {
    let now = scan_time(&parameters)?;
    let failed = |error: &dyn std::error::Error| Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let counters = front.stack.gate.counters();
    counters.flush(Bucket::of(clock::now())).await.map_err(|error| failed(&error))?;
    let scanned = gatepost_anomaly_scan::handle(&front.stack.scanner, now, Duration::ZERO)
        .await
        .map_err(|error| failed(&error))?;
    Ok(Json(json!(scanned)))
}

fn scan_time(parameters: &[(String, String)]) -> Result<SystemTime, Refusal> {
    let Some((_, text)) = parameters.iter().find(|(name, _)| name == "now") else { return Ok(clock::now()) };
    // In a query a plus means a space, and people forget to encode it.
    let time: Timestamp = text.replace(' ', "+").parse().map_err(|_| bad_request("now is not an RFC 3339 time"))?;
    Ok(time.into())
}

fn bad_request(detail: impl std::fmt::Display) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, format!("{detail}"))
}

async fn alerts(State(front): State<Arc<Front>>) -> Json<Value> {
    Json(json!(front.stack.sns.published()))
}

async fn show_page(State(front): State<Arc<Front>>) -> axum::response::Response {
    page::guarded(front.page.render(&Standing::read(&front.stack, clock::now()).await))
}

/// What `gatepost incident` prints.
async fn show_incident(
    State(front): State<Arc<Front>>,
    Path(name): Path<String>,
) -> Result<axum::response::Response, Refusal> {
    let missing = || Refusal(StatusCode::NOT_FOUND, "there is no such page of an incident".to_owned());
    let key = page::incident_key(&name).ok_or_else(missing)?;
    match front.stack.scanner.messages.fetch_key(&key).await {
        Ok(html) => Ok(page::incident_page(String::from_utf8_lossy(&html).into_owned())),
        Err(MessagesError::Missing) => Err(missing()),
        Err(error) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

fn random_id() -> String {
    let mut octets = [0; 16];
    match getrandom::fill(&mut octets) {
        Ok(()) => hex(&octets),
        Err(_) => "unnamed".to_owned(),
    }
}
