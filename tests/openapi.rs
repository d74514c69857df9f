//! The OpenAPI document is what it says: served, complete, and true of real answers.

mod answers;
mod schema;

use std::collections::BTreeSet;

use gatepost::{
    flow::Flow,
    mail_hosts::MailHosts,
    posture,
    reason::{ReasonCode, Severity},
    verdict::Decision,
};
use gatepost_validate::{MAX_BATCH, MAX_BODY_OCTETS};
use serde_json::{Value, json};

use crate::stack::{Answer, Stack, root};

const FILE: &str = "functions/validate/openapi.json";
const PATH: &str = "/v1/openapi.json";

pub(crate) fn document() -> Value {
    serde_json::from_str(&read(FILE)).expect("JSON")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}

/// Every method of every path, with what is said about it.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let of_path =
        |(path, methods)| members(methods).map(move |(method, told)| (method.as_str(), String::as_str(path), told));
    members(&document["paths"]).flat_map(of_path).collect()
}

/// That the answer to `method` on `path` (as it is in the document) is documented: status, media type, header fields, body.
#[track_caller]
pub(crate) fn expect_documented(document: &Value, method: &str, path: &str, answer: &Answer) {
    let status = answer.status.as_str();
    let responses = &document["paths"][path][method.to_ascii_lowercase()]["responses"];
    let response = responses.get(status).unwrap_or_else(|| panic!("{method} {path}: {status} is not documented"));
    expect_as(document, schema::resolved(document, response), answer);
}

#[track_caller]
fn expect_as(document: &Value, response: &Value, answer: &Answer) {
    let media = &response["content"][answer.header("content-type")];
    let (body, text) = (answer.json(), String::from_utf8_lossy(&answer.body));
    assert!(media.is_object(), "{} is not documented", answer.header("content-type"));
    let faults = schema::faults(document, &media["schema"], &body);
    assert!(faults.is_empty(), "{text}\n{}", faults.join("\n"));
    for (name, header) in members(&response["headers"]) {
        let header = schema::resolved(document, header);
        let Some(value) = answer.headers.get(name) else {
            assert_eq!(header["required"], false, "{name} is missing");
            continue;
        };
        let value = value.to_str().expect("text");
        let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
        let faults = schema::faults(document, &header["schema"], &value);
        assert!(faults.is_empty(), "{name}: {}", faults.join("\n"));
    }
}

#[tokio::test]
async fn the_openapi_document_is_given_to_anybody_and_costs_no_permit() {
    let stack = Stack::start().await;
    for headers in [&[][..], &[("x-api-key", "garbage")]] {
        let answer = stack.send("GET", PATH, headers, "").await.expect_status(200);
        expect_documented(&document(), "get", PATH, &answer);
        assert_eq!(String::from_utf8_lossy(&answer.body), read(FILE));
    }
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        let answer = stack.send(method, PATH, &[], "").await.expect_status(405);
        assert_eq!(answer.header("allow"), "GET", "{method}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method}");
    }
    let first = stack.validate(json!({"email": "nobody"})).await;
    assert_eq!(first.header("ratelimit"), "\"default\";r=104;t=1");
}

#[test]
fn the_openapi_document_has_the_version_of_the_workspace_and_the_limits_of_the_code() {
    let document = document();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["BatchQuestion"]["properties"]["emails"]["maxItems"], MAX_BATCH);
    assert_eq!(schemas["BatchAnswer"]["properties"]["results"]["maxItems"], MAX_BATCH);
    for (method, path, told) in operations(&document).into_iter().filter(|(method, ..)| *method == "post") {
        let body = told["requestBody"]["description"].as_str().expect("a description");
        assert!(body.contains(&MAX_BODY_OCTETS.to_string()), "{method} {path}: {body}");
    }
}

#[test]
fn the_openapi_document_lists_the_words_of_the_code() {
    let document = document();
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    assert_eq!(words("Flow"), json!(Flow::ALL.map(Flow::as_str)));
    assert_eq!(words("Severity"), json!(Severity::ALL.map(Severity::as_str)));
    assert_eq!(words("Verdict"), json!(Decision::ALL.map(Decision::as_str)));
    assert_eq!(words("DnsStatus"), json!(dns_statuses()));
    let grave = [posture::Severity::Info, posture::Severity::Warning, posture::Severity::Error];
    assert_eq!(words("PostureSeverity"), json!(grave.map(posture::Severity::as_str)));
    let described = |name: &str| document["components"]["schemas"][name]["x-enumDescriptions"].clone();
    let reasons = ReasonCode::ALL.iter().map(|code| (code.as_str(), code.summary()));
    assert_eq!(described("ReasonCode"), told(reasons));
    let findings = posture::FindingCode::ALL.iter().map(|code| (code.as_str(), code.summary()));
    assert_eq!(described("PostureFindingCode"), told(findings));
}

fn told<'t>(words: impl Iterator<Item = (&'t str, &'t str)>) -> Value {
    Value::Object(words.map(|(word, summary)| (word.to_owned(), json!(summary))).collect())
}

fn dns_statuses() -> Vec<&'static str> {
    use MailHosts::{Implicit, Mx, NoMailHost, NotChecked, NullMx, NxDomain, TempError};
    let every = [Mx(Vec::new()), NullMx, NoMailHost, NxDomain, TempError, NotChecked];
    // No `_` arm: whoever adds a variant is sent here.
    let is_listed = |hosts: &MailHosts| match hosts {
        Mx(_) | Implicit(_) | NullMx | NoMailHost | NxDomain | TempError | NotChecked => true,
    };
    every.iter().filter(|hosts| is_listed(hosts)).map(MailHosts::status).collect()
}

/// Of the words that are told in a sentence each, none is forgotten.
#[test]
fn every_word_of_the_openapi_document_is_described() {
    let document = document();
    for (name, schema) in members(&document["components"]["schemas"]) {
        let Some(described) = schema.get("x-enumDescriptions") else { continue };
        let described: Vec<&String> = members(described).map(|(word, _)| word).collect();
        assert_eq!(schema["enum"], json!(described), "{name}");
    }
}

#[test]
fn every_problem_of_the_code_is_in_the_openapi_document_and_no_other() {
    let document = document();
    let code = read("functions/validate/src/problem.rs");
    let arguments = code.split("Self::new(").skip(1).filter_map(|after| after.split_once(", \""));
    let in_code: BTreeSet<(String, String)> = arguments
        .map(|(status, rest)| (status.to_owned(), rest.split('"').next().unwrap_or_default().to_owned()))
        .collect();
    let mut told = BTreeSet::new();
    for (_, response) in members(&document["components"]["responses"]) {
        let rule = &response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"];
        let names = rule["type"]["enum"].as_array().expect("a list").iter().map(|kind| kind.as_str().expect("text"));
        let name = |kind: &str| kind.trim_start_matches("urn:gatepost:problem:").to_owned();
        told.extend(names.map(|kind| (rule["status"]["const"].to_string(), name(kind))));
    }
    assert!(8 < in_code.len(), "the code is read: {in_code:?}");
    assert_eq!(told, in_code);
}

#[test]
fn the_openapi_document_names_the_routes_that_are_deployed() {
    let document = document();
    let documented: BTreeSet<String> =
        operations(&document).iter().map(|(method, path, _)| format!("{} {path}", method.to_uppercase())).collect();
    let template = read("template.yaml");
    let events = template.split("Type: HttpApi\n").skip(1);
    let value = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is missing in {event:.200}")).trim().to_owned()
    };
    let deployed = events.map(|event| format!("{} {}", value(event, "Method:"), value(event, "Path:")));
    assert_eq!(documented, deployed.collect());
}

#[test]
fn every_example_of_the_openapi_document_is_valid() {
    let document = document();
    let mut seen = 0;
    for (method, path, told) in operations(&document) {
        let responses = members(&told["responses"]).map(|(_, response)| schema::resolved(&document, response));
        for message in responses.chain(told.get("requestBody")) {
            for (kind, media) in members(&message["content"]) {
                for (name, example) in media.get("examples").into_iter().flat_map(members) {
                    let faults = schema::faults(&document, &media["schema"], &example["value"]);
                    assert!(faults.is_empty(), "{method} {path} {kind} {name}: {faults:?}");
                    seen += 1;
                }
            }
        }
    }
    assert!(20 < seen, "{seen}");
}
