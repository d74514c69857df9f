//! Events of an HTTP API (payload format 2.0), and counters that are written before the sandbox may be frozen.

use serde_json::{Value, json};

use super::{Account, authenticated, codes, event, http, id};
use crate::{runtime_api::Extensions, table};

#[tokio::test]
async fn validate_answers_the_event_of_an_http_api() {
    let account = Account::open(&[]).await;
    let validate = account.start_with("validate", Extensions::Served).await;
    let answer = validate.answer(&authenticated("validate.json", &account.stack)).await;
    for (name, expected) in [
        ("content-type", "application/json"),
        ("ratelimit", "\"default\";r=104;t=1"),
        ("ratelimit-policy", "\"default\";q=340;w=60"),
    ] {
        assert_eq!(answer["headers"][name], expected, "{name}");
    }
    let (status, body) = http(&answer);
    assert_eq!(status, 200);
    let policy = format!("2026-11 data {}", gatepost::domain_list::DomainList::embedded().built());
    let told = json!([body["email"], body["normalized"], body["suggestion"], body["request_id"], body["policy"]]);
    assert_eq!(told, json!(["ann@gmial.com", "ann@gmial.com", "ann@gmail.com", "validate-0000001=", policy]));
    assert!(codes(&body["reasons"]).contains(&"likely_typo"), "{body}");
    assert!(matches!(body["verdict"].as_str(), Some("review" | "reject")), "{body}");
}

#[tokio::test]
async fn validate_has_written_its_counters_when_the_sandbox_may_be_frozen() {
    let account = Account::open(&[]).await;
    let validate = account.start_with("validate", Extensions::Served).await;
    let event = authenticated("validate.json", &account.stack);
    for asked in 1..=3 {
        assert_eq!(http(&validate.answer(&event).await).0, 200);
        validate.may_be_frozen().await;
        let counted = table::counted(&account.stack.dynamodb).await;
        assert_eq!(counted.get(&format!("signup/{}|total", id(&account.stack))), Some(&asked));
    }
    assert_eq!(validate.registered(), [json!({"name": "gatepost-counters", "events": ["INVOKE"]})]);
}

#[tokio::test]
async fn without_an_extensions_api_validate_counts_all_the_same() {
    let account = Account::open(&[]).await;
    let validate = account.start_with("validate", Extensions::Absent).await;
    let mut event = authenticated("validate.json", &account.stack);
    event["body"] = json!("{\"email\": \"no at sign\"}");
    assert_eq!(http(&validate.answer(&event).await).0, 200);
    let expected = [("total", 1), ("reject", 1)];
    let series = format!("signup/{}", id(&account.stack));
    let counted = table::counted_at_last(&account.stack.dynamodb, &series, &expected).await;
    assert_eq!(counted, expected.map(|(channel, count)| (channel.to_owned(), count)).into());
}

#[tokio::test]
async fn validate_answers_a_batch_event_in_order() {
    let account = Account::open(&[]).await;
    let validate = account.start("validate").await;
    let (status, body) = http(&validate.answer(&authenticated("validate-batch.json", &account.stack)).await);
    assert_eq!((status, &body["request_id"]), (200, &json!("validate-batch-01=")));
    let results = body["results"].as_array().expect("a list");
    let emails: Vec<&str> = results.iter().filter_map(|result| result["email"].as_str()).collect();
    assert_eq!(emails, ["ann@example.com", "ann@gmial.com", "no at sign", "bob@example.org"]);
}

#[tokio::test]
async fn validate_refuses_the_key_of_the_event_file_which_nobody_stored() {
    let account = Account::open(&[]).await;
    let validate = account.start("validate").await;
    let answer = validate.answer(&event("validate.json")).await;
    assert_eq!(answer["headers"]["www-authenticate"], "Bearer");
    let expected = json!({
        "type": "urn:gatepost:problem:unauthenticated", "title": "Unauthenticated", "status": 401,
        "detail": "the request carries no valid credential", "request_id": "validate-0000001=",
    });
    assert_eq!(http(&answer), (401, expected));
}

#[tokio::test]
async fn validate_takes_a_body_that_api_gateway_encoded() {
    let account = Account::open(&[]).await;
    let validate = account.start("validate").await;
    let mut event = authenticated("validate.json", &account.stack);
    // {"email": "no at sign"}
    (event["body"], event["isBase64Encoded"]) = (json!("eyJlbWFpbCI6ICJubyBhdCBzaWduIn0="), json!(true));
    let (status, body) = http(&validate.answer(&event).await);
    assert_eq!((status, &body["email"]), (200, &json!("no at sign")));
}

#[tokio::test]
async fn validate_logs_one_line_a_request_that_names_the_domain_and_never_the_local_part_or_the_key() {
    let account = Account::open(&[]).await;
    let validate = account.start_with("validate", Extensions::Served).await;
    let mut event = authenticated("validate.json", &account.stack);
    event["body"] = json!("{\"email\": \"Secret.Person+tag@mail.test\", \"client_ip\": \"198.51.100.23\"}");
    validate.answer(&event).await;
    validate.may_be_frozen().await;
    let log = validate.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_request: Vec<&Value> = lines.iter().filter(|line| line["request.id"] == "validate-0000001=").collect();
    let [line] = of_request.as_slice() else { panic!("{log}") };
    let told = json!([line["level"], line["domain"], line["verdict"], line["flow"], line["caller.id"]]);
    assert_eq!(told, json!(["INFO", "mail.test", "reject", "signup", id(&account.stack)]));
    let folded = log.to_lowercase();
    let secret = account.stack.api_key.rsplit('_').next().expect("a secret");
    for word in ["secret.person", "198.51.100.23", "203.0.113.9", secret] {
        assert!(!folded.contains(word), "{word} in {log}");
    }
}
