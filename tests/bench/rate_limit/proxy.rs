//! A `DynamoDB` endpoint behind a proxy that counts what is asked of it, and that can answer that all is throttled.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode},
    routing::{get, post, put},
    serve::ListenerExt,
};
use gatepost_local::aws::dynamodb::DynamoDb;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;

const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#;

struct Proxy {
    table: DynamoDb,
    client: Client<HttpConnector, Full<Bytes>>,
    counts: Mutex<BTreeMap<String, u64>>,
    is_throttled: AtomicBool,
}

/// Serves until the process ends; answers where.
pub(crate) async fn start() -> std::io::Result<String> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let proxy = Arc::new(Proxy {
        table: DynamoDb::start(None).await?,
        client: Client::builder(TokioExecutor::new()).build(connector),
        counts: Mutex::default(),
        is_throttled: AtomicBool::default(),
    });
    let router = Router::new()
        .route("/", post(forward))
        .route("/counts", get(take_counts))
        .route("/throttle/{on}", put(throttle))
        .with_state(proxy);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn forward(State(proxy): State<Arc<Proxy>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    *proxy.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
    if proxy.is_throttled.load(Ordering::Relaxed) {
        return answer(StatusCode::BAD_REQUEST, Body::from(THROTTLED));
    }
    let mut request = axum::http::Request::post(proxy.table.url()).body(Full::from(body)).expect("a request");
    *request.headers_mut() = headers;
    request.headers_mut().remove("host");
    match proxy.client.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => answer(StatusCode::BAD_GATEWAY, Body::from(error.to_string())),
    }
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(body).expect("a response")
}

/// Since the last time somebody asked.
async fn take_counts(State(proxy): State<Arc<Proxy>>) -> Json<BTreeMap<String, u64>> {
    Json(std::mem::take(&mut *proxy.counts.lock().unwrap_or_else(PoisonError::into_inner)))
}

async fn throttle(State(proxy): State<Arc<Proxy>>, Path(on): Path<bool>) {
    proxy.is_throttled.store(on, Ordering::Relaxed);
}
