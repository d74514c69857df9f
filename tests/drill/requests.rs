//! Requests to validate: what is asked, and what has to be counted for each answer.

use serde_json::{Value, json};

use super::{fleet::Reply, load::Sent, plan::Dice, site::Site};
use crate::stack::root;

pub(crate) const FLOWS: [&str; 5] = ["signup", "login", "password_reset", "newsletter", "other"];

/// Domains of the zone, with and without mail hosts, and one that is in no zone.
const DOMAINS: [&str; 8] = [
    "example.com",
    "example.net",
    "mail.example",
    "implicit.example",
    "nullmx.example",
    "nomail.example",
    "gmial.com",
    "missing.example",
];

const MALFORMED: [&str; 4] = ["ann", "ann@", "ann..b@example.com", "ann@exa mple.com"];

/// A request, as far as it matters for what is counted.
pub(crate) struct Ask {
    flow: &'static str,
    event: Value,
}

pub(crate) fn throw(dice: &mut Dice, site: &Site) -> Ask {
    let flow = *dice.pick(&FLOWS);
    let path = ["/v1/validate", "/v1/validate/batch", "/v1/domains/example.com/posture"];
    let (path, flow, body) = match dice.below(100) {
        0..70 => (path[0], flow, json!({"email": email(dice), "flow": flow})),
        70..78 => (path[0], flow, json!({"email": email(dice), "flow": flow, "client_ip": "198.51.100.23"})),
        78..84 => (path[0], flow, json!({"email": dice.pick(&MALFORMED), "flow": flow})),
        84..88 => (path[0], flow, json!({"flow": flow})),
        88..96 => (path[1], flow, json!({"emails": [email(dice), email(dice), dice.pick(&MALFORMED)], "flow": flow})),
        _ => (path[2], "other", Value::Null),
    };
    let key = if dice.chance(92) { site.stack.api_key.as_str() } else { "garbage" };
    Ask { flow, event: event(path, &body, key) }
}

fn email(dice: &mut Dice) -> String {
    format!("ann{}@{}", dice.below(1_000), dice.pick(&DOMAINS))
}

fn event(path: &str, body: &Value, key: &str) -> Value {
    let text = std::fs::read(root().join("events/validate.json")).expect("the event is there");
    let mut event: Value = serde_json::from_slice(&text).expect("JSON");
    let method = if body.is_null() { "GET" } else { "POST" };
    (event["rawPath"], event["requestContext"]["http"]["path"]) = (json!(path), json!(path));
    (event["routeKey"], event["requestContext"]["http"]["method"]) = (json!(format!("{method} {path}")), json!(method));
    (event["headers"]["x-api-key"], event["body"]) = (json!(key), json!(body.to_string()));
    event
}

pub(crate) async fn send(site: &Site, sent: &Sent, ask: Ask) {
    let reply = site.validate.invoke(ask.event.to_string().into_bytes()).await;
    let (status, counted) = match reply {
        Reply::Answer(answer) => {
            let body = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
            (answer["statusCode"].to_string(), counted(&ask, &site.client, answer["statusCode"].as_u64(), &body))
        }
        Reply::Failure(failure) => (format!("not an answer: {failure}"), Vec::new()),
        Reply::Dead => ("died".to_owned(), Vec::new()),
        Reply::Throttled => ("throttled".to_owned(), Vec::new()),
    };
    sent.note(|noted| {
        *noted.requests.entry(status).or_default() += 1;
        for name in counted {
            *noted.counted.entry(name).or_default() += 1;
        }
    });
}

/// Every address that was judged, by its verdict; every request that was refused for its credential or its rate.
fn counted(ask: &Ask, client: &str, status: Option<u64>, body: &Value) -> Vec<String> {
    let of = |channel: &str| format!("{}/{client}|{channel}", ask.flow);
    let judged = |answer: &Value| answer["verdict"].as_str().map(|verdict| [of("total"), of(verdict)]);
    match status {
        Some(200) if body["score"].is_number() => vec![of("total")],
        Some(200) => {
            let answers = body["results"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
            answers.iter().filter_map(judged).flatten().collect()
        }
        Some(401) => ["total", "auth_fail"].map(|channel| format!("validate/unknown|{channel}")).to_vec(),
        Some(429) => vec![of("total"), of("limited")],
        _ => Vec::new(),
    }
}
