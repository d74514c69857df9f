//! A stack that runs in another process of this machine.

use std::{collections::BTreeMap, time::Duration};

use axum::{body::Bytes, http::Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;

use crate::{aws::clients::Endpoints, commands::CommandError};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const MAX_ANSWER_OCTETS: usize = 64 * 1024;

/// Where its services are.
///
/// # Errors
/// In words for the user: the URL is none, or nothing of ours answers there.
pub async fn endpoints(url: &str) -> Result<Endpoints, CommandError> {
    told(url, "/local/endpoints").await
}

/// How often it called DynamoDB so far, by operation.
///
/// # Errors
/// As [`endpoints`].
pub async fn calls(url: &str) -> Result<BTreeMap<String, u64>, CommandError> {
    told(url, "/local/calls").await
}

async fn told<T: DeserializeOwned>(url: &str, path: &str) -> Result<T, CommandError> {
    let uri: Uri = format!("{}{path}", url.trim_end_matches('/')).parse()?;
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let response = client.get(uri).await?;
        let body = Limited::new(response.into_body(), MAX_ANSWER_OCTETS).collect().await?.to_bytes();
        Ok::<_, CommandError>(serde_json::from_slice(&body)?)
    };
    let answered = tokio::time::timeout(ANSWER_WITHIN, exchange).await;
    let answered = answered.unwrap_or_else(|_| Err("it did not answer".into()));
    answered.map_err(|error| {
        let cause = gatepost::io::telemetry::with_causes(&*error);
        format!("no stack of gatepost answers at {url} (start one with `gatepost serve`, or use --aws): {cause}").into()
    })
}
