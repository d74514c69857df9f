//! Nothing that names a person is in a log or in the table.

use std::fs::File;

use serde_json::{Value, json};

use crate::{
    stack::{Stack, scratch_file},
    table,
};

/// Stands where a name would.
const CANARY: &str = "zanzibar";

fn addresses() -> [String; 8] {
    [
        format!("{CANARY}@example.com"),
        format!("{CANARY}.{CANARY}+{CANARY}@gmial.com"),
        format!("\"{CANARY}\"@example.com"),
        format!("{CANARY}@[192.0.2.1]"),
        CANARY.to_owned(),
        format!("{CANARY}\r\nBcc: {CANARY}@example.com"),
        format!("{CANARY}@"),
        format!("{CANARY}{}@example.com", "x".repeat(100)),
    ]
}

/// In every way that an address may come; the statuses are those of the answers to what is well-formed.
async fn send_all(stack: &Stack, flow: &str, status: u16) {
    for email in addresses() {
        stack.validate(json!({"email": email, "flow": flow})).await.expect_status(status);
        let batch = json!({"emails": [email, 5], "flow": flow});
        stack.post_json("/v1/validate/batch", &batch).await.expect_status(status);
        stack.validate(json!({"email": [email], "flow": flow})).await.expect_status(400);
    }
    stack.validate(json!({"email": CANARY, "flow": CANARY})).await.expect_status(400);
    stack.send("POST", "/v1/validate", &[("x-api-key", CANARY)], CANARY).await.expect_status(401);
    let key = ("x-api-key", stack.api_key.as_str());
    for subject in ["CANARY@example.com", "CANARY%40example.com", "%22CANARY%22@example.com", "CANARY", "CANARY%"] {
        let subject = subject.replace("CANARY", CANARY);
        let path = format!("/v1/domains/{subject}/posture");
        stack.send("GET", &path, &[key], "").await.expect_status(400);
        stack.send("GET", &path, &[], "").await.expect_status(401);
        stack.send("POST", &path, &[key], "").await.expect_status(405);
        stack.send("GET", &format!("/v1/{subject}?email={subject}"), &[key], "").await.expect_status(404);
    }
}

#[tokio::test]
async fn an_address_is_logged_by_its_domain_and_a_keyed_hash_and_kept_nowhere_also_when_the_table_is_gone() {
    let path = scratch_file("privacy.log", "");
    let log = File::options().append(true).open(&path).expect("the log can be written");
    let with_table = Stack::start().await;
    let arguments = ["--dynamodb-endpoint", with_table.dynamodb.as_str()];
    // Of a burst of 8,000 an eighth is left to an instance without a table.
    let stack = Stack::start_logging(&arguments, &[("GATEPOST_LIMITS_BURST", "8000")], log.into()).await;
    send_all(&stack, "signup", 200).await;
    // Writes the counters first.
    stack.send("POST", "/local/scan", &[], "").await.expect_status(200);
    let items = table::items(&stack.dynamodb, "").await;
    let kept = format!("{items:?}");
    assert!(kept.contains("activity#") && kept.contains("rate#"), "{kept}");
    assert!(!kept.contains(CANARY), "{kept}");
    with_table.kill().await;
    send_all(&stack, "signup", 200).await;
    send_all(&stack, "login", 503).await;
    stack.send("POST", "/local/scan", &[], "").await.expect_status(503);
    let log = std::fs::read_to_string(path).expect("a log");
    assert!(!log.contains(CANARY), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_domain = |line: &&Value| line["domain"] == "example.com" && line["verdict"].is_string();
    let hashed = lines.iter().filter(of_domain).filter_map(|line| line["address.hash"].as_str());
    assert!(hashed.clone().count() > 0 && hashed.clone().all(|hash| hash.len() == 16), "{log}");
    assert!(lines.iter().any(|line| line["http.status"] == 503), "{log}");
}
