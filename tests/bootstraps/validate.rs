//! Events of an HTTP API (payload format 2.0), and counters that are written before the sandbox may be frozen.

use gatepost::{
    client_certificate::ClientCertificate,
    io::{caller_register::CallerRegister, client_rows::Grant},
};
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
        ("ratelimit", "\"default\";r=104;t=1, \"client-ip\";r=59;t=1"),
        ("ratelimit-policy", "\"default\";q=340;w=60, \"client-ip\";q=200;w=60"),
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
async fn validate_has_written_seven_eighths_of_its_counters_when_the_sandbox_may_be_frozen_and_all_when_it_ends() {
    let account = Account::open(&[]).await;
    let validate = account.start_with("validate", Extensions::Served).await;
    let event = authenticated("validate.json", &account.stack);
    let written = || async {
        let counted = table::counted(&account.stack.dynamodb).await;
        counted.get(&format!("signup/{}|total", id(&account.stack))).copied().unwrap_or_default()
    };
    for asked in 1..=20 {
        assert_eq!(http(&validate.answer(&event).await).0, 200);
        validate.may_be_frozen().await;
        let written = written().await;
        assert!((asked - written) * 8 <= written && written <= asked, "{written} of {asked}");
    }
    validate.end().await;
    assert_eq!(written().await, 20);
    assert_eq!(validate.registered(), [json!({"name": "gatepost-counters", "events": ["INVOKE"]})]);
}

#[tokio::test]
async fn guesses_are_written_with_the_end_of_the_instance_and_cause_no_write_of_their_own() {
    let account = Account::open(&[]).await;
    let validate = account.start_with("validate", Extensions::Served).await;
    for _ in 0..5 {
        assert_eq!(http(&validate.answer(&event("validate.json")).await).0, 401);
        validate.may_be_frozen().await;
    }
    assert_eq!(table::counted(&account.stack.dynamodb).await, [].into());
    validate.end().await;
    let expected = [("validate/unknown|auth_fail", 5), ("validate/unknown|total", 5)];
    let counted = table::counted(&account.stack.dynamodb).await;
    assert_eq!(counted, expected.map(|(name, count)| (name.to_owned(), count)).into());
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
async fn fields_that_make_no_url_end_no_instance() {
    let account = Account::open(&[]).await;
    let validate = account.start("validate").await;
    let mut hostile = authenticated("validate.json", &account.stack);
    hostile["headers"]["x-forwarded-proto"] = json!("1");
    hostile["headers"]["host"] = json!("a b");
    hostile["rawQueryString"] = json!("<\u{7f}>");
    assert_eq!(http(&validate.answer(&hostile).await).0, 200);
    let headers = [("x-forwarded-proto", "1"), ("content-type", "application/json"), ("x-api-key", "garbage")];
    account.stack.send("POST", "/v1/validate?a=%3C", &headers, "").await.expect_status(401);
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

/// As much of a certificate as is read: version, serial number, issuer and subject.
const CERTIFICATE: &str =
    "-----BEGIN CERTIFICATE-----\nMBcwFaADAgECAgEHMAAwAjEAMAAwAzEBAA==\n-----END CERTIFICATE-----\n";

#[tokio::test]
async fn a_client_is_known_by_the_subject_of_its_certificate() {
    let account = Account::open(&[]).await;
    let certificate = ClientCertificate::parse(CERTIFICATE).expect("a certificate");
    let register = CallerRegister { table: table::client(&account.stack.dynamodb) };
    let subject = certificate.ids().pop().filter(|id| id.starts_with("subject:")).expect("it has one");
    let mut event = event("validate.json");
    event["requestContext"]["authentication"] = json!({"clientCert": {
        "clientCertPem": CERTIFICATE, "subjectDN": "CN=shop", "issuerDN": "CN=ca", "serialNumber": "7",
        "validity": {"notBefore": "Nov 26 00:00:00 2026 GMT", "notAfter": "Nov 26 00:00:00 2027 GMT"},
    }});
    event["headers"].as_object_mut().expect("fields").remove("x-api-key");
    assert_eq!(http(&account.start("validate").await.answer(&event).await).0, 401);
    register.set(&subject, &Grant::default()).await.expect("stored");
    assert_eq!(http(&account.start("validate").await.answer(&event).await).0, 200);
}
