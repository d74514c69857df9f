//! Real answers of a running stack beside the document.

use futures_util::{StreamExt, stream};
use gatepost_local::name_server::NameServer;
use serde_json::{Value, json};

use super::{document, expect_as, expect_documented, members};
use crate::stack::{Answer, Stack};

/// What the examples of the document ask DNS about.
const ZONE: &str = "\
example.com. 300 IN MX 10 mx1.example.com.
example.com. 300 IN MX 20 mx2.example.com.
mx1.example.com. 300 IN A 192.0.2.2
mx2.example.com. 300 IN A 192.0.2.3
gmial.com. 300 IN MX 10 mx.gmial.com.
mx.gmial.com. 300 IN A 192.0.2.4
tempomailusa.com. 300 IN MX 10 mx.tempomailusa.com.
mx.tempomailusa.com. 300 IN A 192.0.2.5
;behaviour silent.example. * servfail
";

const PATHS: [&str; 2] = ["/v1/validate", "/v1/validate/batch"];

async fn stack(server: &NameServer, environment: &[(&str, &str)]) -> Stack {
    let address = server.address().to_string();
    Stack::start_with(&["--dns", &address], &[&[("GATEPOST_DNS_TIMEOUT_MS", "4000")], environment].concat()).await
}

async fn name_server() -> NameServer {
    NameServer::start(ZONE, &[]).await.expect("the zone is served")
}

/// Without what differs from run to run: the id of the request and the date of the data.
fn lasting(mut answer: Value) -> Value {
    if let Some(results) = answer.get_mut("results").and_then(Value::as_array_mut) {
        results.iter_mut().for_each(|item| *item = lasting(item.take()));
    }
    if let Some(problem) = answer.get_mut("problem") {
        *problem = lasting(problem.take());
    }
    answer.as_object_mut().expect("an object").retain(|name, _| !["request_id", "policy"].contains(&name.as_str()));
    answer
}

#[tokio::test]
async fn the_examples_of_the_openapi_document_are_real() {
    let (document, server) = (document(), name_server().await);
    let stack = stack(&server, &[]).await;
    for path in PATHS {
        let told = &document["paths"][path]["post"];
        let answers = &told["responses"]["200"]["content"]["application/json"]["examples"];
        for (name, question) in members(&told["requestBody"]["content"]["application/json"]["examples"]) {
            let answer = stack.post_json(path, &question["value"]).await;
            expect_documented(&document, "post", path, &answer);
            assert_eq!(lasting(answer.json()), lasting(answers[name]["value"].clone()), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn whatever_is_asked_is_answered_as_documented() {
    let (document, server) = (document(), name_server().await);
    let stack = stack(&server, &[]).await;
    let emails = [
        "ann@example.com",
        "ann@absent.example",
        "ann@silent.example",
        "postmaster@example.com",
        "ann@[192.0.2.1]",
        "\"a b\"@example.com",
        "jörg@bücher.example",
        "ann@xn--80ak6aa92e.com",
        "",
        "ann",
        "ann@localhost",
        "x%0d%0aBcc:y@example.com",
    ];
    for email in emails {
        let answer = stack.validate(json!({"email": email})).await.expect_status(200);
        expect_documented(&document, "post", "/v1/validate", &answer);
    }
    let items = json!([emails[0], null, {"email": emails[0]}, emails[4], [], 1.5]);
    let answer = stack.post_json("/v1/validate/batch", &json!({"emails": items})).await.expect_status(200);
    expect_documented(&document, "post", "/v1/validate/batch", &answer);
}

#[tokio::test]
async fn every_problem_of_a_request_is_answered_as_documented() {
    let (document, server) = (document(), name_server().await);
    let stack = stack(&server, &[("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "1"), ("GATEPOST_LIMITS_BURST", "8")]).await;
    let key = ("x-api-key", stack.api_key.as_str());
    let (json_type, text_type) = (("content-type", "application/json"), ("content-type", "text/plain"));
    let large = "x".repeat(65_537);
    for path in PATHS {
        for (method, headers, body, status) in [
            ("POST", &[key, json_type][..], "{", 400),
            ("POST", &[json_type], "{}", 401),
            ("GET", &[key], "", 405),
            ("POST", &[key, json_type], &large, 413),
            ("POST", &[key, text_type], "{}", 415),
        ] {
            let answer = stack.send(method, path, headers, body.to_owned()).await.expect_status(status);
            expect_documented(&document, "post", path, &answer);
        }
    }
    let too_many =
        stack.post_json("/v1/validate/batch", &json!({"emails": vec!["nobody"; 7]})).await.expect_status(400);
    expect_documented(&document, "post", "/v1/validate/batch", &too_many);
    stack.post_json("/v1/validate/batch", &json!({"emails": vec!["nobody"; 6]})).await.expect_status(200);
    let question = json!({"email": "nobody", "emails": ["nobody"]});
    for path in PATHS {
        let answer = stack.post_json(path, &question).await.expect_status(429);
        expect_documented(&document, "post", path, &answer);
    }
    let nowhere = stack.send("GET", "/v1/nowhere", &[], "").await.expect_status(404);
    expect_as(&document, &document["components"]["responses"]["NotFound"], &nowhere);
}

#[tokio::test]
async fn without_its_table_the_api_answers_as_documented() {
    let (document, table) = (document(), Stack::start().await);
    let stack = Stack::start_with(&["--dynamodb-endpoint", &table.dynamodb], &[]).await;
    stack.validate(json!({"email": "nobody"})).await.expect_status(200);
    table.kill().await;
    for (path, flow, status) in
        [("/v1/validate", "login", 503), ("/v1/validate/batch", "password_reset", 503), ("/v1/validate", "signup", 200)]
    {
        let answer = ask(&stack, path, flow).await.expect_status(status);
        expect_documented(&document, "post", path, &answer);
    }
}

const POSTURE: &str = "/v1/domains/{domain}/posture";

/// Every kind of record, good and bad.
const POSTURES: &str = include_str!("../posture/zone.txt");

async fn posture(stack: &Stack, domain: &str) -> Answer {
    let key = ("x-api-key", stack.api_key.as_str());
    stack.send("GET", &POSTURE.replace("{domain}", domain), &[key], "").await
}

#[tokio::test]
async fn every_posture_is_answered_as_documented() {
    let server = NameServer::start(POSTURES, &[]).await.expect("the zone is served");
    let (document, stack) = (document(), stack(&server, &[("GATEPOST_LIMITS_BURST", "1000")]).await);
    let cases = POSTURES.lines().filter_map(|line| line.strip_prefix("; case ")?.split(':').next());
    let domains: Vec<&str> = cases.chain(["absent.example", "b%C3%BCcher.example"]).collect();
    assert!(40 < domains.len(), "the zone is read: {domains:?}");
    let asked = domains.iter().map(|domain| posture(&stack, domain));
    let answers: Vec<Answer> = stream::iter(asked).buffered(4).collect().await;
    for answer in answers {
        expect_documented(&document, "get", POSTURE, &answer.expect_status(200));
    }
}

#[tokio::test]
async fn every_problem_of_a_posture_and_its_example_are_as_documented() {
    let limits = |burst| [("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "1"), ("GATEPOST_LIMITS_BURST", burst)];
    let (document, stack) = (document(), Stack::start_with(&[], &limits("14")).await);
    let small = posture(&Stack::start_with(&[], &limits("12")).await, "example.com").await.expect_status(400);
    let path = POSTURE.replace("{domain}", "example.com");
    let without_key = stack.send("GET", &path, &[], "").await.expect_status(401);
    let other_method = stack.send("POST", &path, &[], "").await.expect_status(405);
    let no_domain = posture(&stack, "com").await.expect_status(400);
    let good = posture(&stack, "example.com").await.expect_status(200);
    let over_quota = posture(&stack, "example.com").await.expect_status(429);
    let examples = &document["paths"][POSTURE]["get"]["responses"]["200"]["content"]["application/json"]["examples"];
    assert_eq!(good.json(), examples["example.com"]["value"]);
    for answer in [without_key, other_method, no_domain, small, good, over_quota] {
        expect_documented(&document, "get", POSTURE, &answer);
    }
}

async fn ask(stack: &Stack, path: &str, flow: &str) -> Answer {
    stack.post_json(path, &json!({"email": "nobody", "emails": ["nobody"], "flow": flow})).await
}
