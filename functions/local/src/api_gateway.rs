//! What API Gateway does with a request: an HTTP API event of payload format 2.0 in, a response out.

use std::collections::BTreeMap;

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, Method, Response, Uri},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::{Body, Request};
use serde_json::{Value, json};

/// API Gateway takes no larger payload.
pub const MAX_BODY_OCTETS: usize = 10 * 1024 * 1024;

/// Carries a client certificate (URL-encoded PEM) that API Gateway would have taken from the TLS handshake.
const CLIENT_CERTIFICATE: &str = "x-local-client-cert";

/// Carries the address that the request is to come from.
const SOURCE_IP: &str = "x-local-source-ip";

/// The request as a Lambda behind an HTTP API is given it.
///
/// # Errors
/// When the parts make no event, which a request that axum accepted should not do.
pub fn request(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    request_id: &str,
) -> Result<Request, serde_json::Error> {
    let (body, is_base64) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined(headers),
        "requestContext": context(method, uri, headers, request_id),
        "body": body,
        "isBase64Encoded": is_base64,
    });
    lambda_http::request::from_str(&event.to_string())
}

/// The function's response as HTTP.
pub fn response(response: Response<Body>) -> Response<HttpBody> {
    response.map(|body| match body {
        Body::Text(text) => HttpBody::from(text),
        Body::Binary(octets) => HttpBody::from(octets),
        _ => HttpBody::empty(),
    })
}

fn context(method: &Method, uri: &Uri, headers: &HeaderMap, request_id: &str) -> Value {
    let mut context = json!({
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": "localhost",
        "http": {
            "method": method.as_str(),
            "path": uri.path(),
            "protocol": "HTTP/1.1",
            "sourceIp": source_ip(headers),
            "userAgent": "",
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": "01/Jan/1970:00:00:00 +0000",
        "timeEpoch": 0,
    });
    if let Some(pem) = headers.get(CLIENT_CERTIFICATE).and_then(|value| value.to_str().ok()) {
        // Only the PEM is looked at; the event has no other form without the rest.
        let certificate = json!({"clientCert": {
            "clientCertPem": percent_decoded(pem),
            "subjectDN": "",
            "issuerDN": "",
            "serialNumber": "",
            "validity": {"notBefore": "", "notAfter": ""},
        }});
        context.as_object_mut().map(|fields| fields.insert("authentication".to_owned(), certificate));
    }
    context
}

/// API Gateway joins repeated fields with commas and drops what is no text.
fn joined(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        let field = fields.entry(name.as_str()).or_default();
        if !field.is_empty() {
            field.push(',');
        }
        field.push_str(value);
    }
    fields.remove(CLIENT_CERTIFICATE);
    fields.remove(SOURCE_IP);
    // A URL is made of these, and not every text that a client writes there makes one.
    fields.remove("x-forwarded-proto");
    fields.insert("host", "localhost".to_owned());
    fields
}

fn source_ip(headers: &HeaderMap) -> &str {
    headers.get(SOURCE_IP).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1")
}

fn percent_decoded(text: &str) -> String {
    let octets: Vec<u8> = form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned().into_bytes())
        .unwrap_or_default();
    String::from_utf8_lossy(&octets).into_owned()
}
