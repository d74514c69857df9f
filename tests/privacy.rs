//! Nothing that names a person is in a log.

use std::fs::File;

use serde_json::{Value, json};

use crate::stack::{Stack, scratch_file};

/// Stands where a name would.
const CANARY: &str = "zanzibar";

#[tokio::test]
async fn an_address_is_logged_by_its_domain_and_a_keyed_hash() {
    let path = scratch_file("privacy.log", "");
    let log = File::options().append(true).open(&path).expect("the log can be written");
    let stack = Stack::start_logging(&[], &[], log.into()).await;
    for email in [
        format!("{CANARY}@example.com"),
        format!("{CANARY}.{CANARY}+{CANARY}@gmial.com"),
        format!("\"{CANARY}\"@example.com"),
        format!("{CANARY}@[192.0.2.1]"),
        CANARY.to_owned(),
        format!("{CANARY}\r\nBcc: {CANARY}@example.com"),
        format!("{CANARY}@"),
        format!("{CANARY}{}@example.com", "x".repeat(100)),
    ] {
        stack.validate(json!({"email": email})).await.expect_status(200);
        stack.post_json("/v1/validate/batch", &json!({"emails": [email, 5]})).await.expect_status(200);
        stack.validate(json!({"email": [email]})).await.expect_status(400);
    }
    stack.send("POST", "/v1/validate", &[("x-api-key", CANARY)], CANARY).await.expect_status(401);
    let log = std::fs::read_to_string(path).expect("a log");
    assert!(!log.contains(CANARY), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_domain = |line: &&Value| line["domain"] == "example.com" && line["verdict"].is_string();
    let hashed = lines.iter().filter(of_domain).filter_map(|line| line["address.hash"].as_str());
    assert!(hashed.clone().count() > 0 && hashed.clone().all(|hash| hash.len() == 16), "{log}");
}
