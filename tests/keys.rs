//! API keys, through the commands of an operator and the requests of a client.

use std::time::Duration;

use gatepost::{
    api_key::{ApiKey, HashSecret},
    io::key_register::KeyRegister,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    command_line::{COULD_NOT, answers, gatepost},
    stack::Stack,
    table,
};

/// Slow machines included: what is looked up is believed for one second here.
const PATIENCE: Duration = Duration::from_secs(60);

/// The register of a local stack.
pub(crate) fn register(dynamodb: &str) -> KeyRegister {
    KeyRegister { table: table::client(dynamodb), secret: HashSecret::new("local-development-only") }
}

async fn stack() -> Stack {
    Stack::start_with(&[], &[("GATEPOST_AUTH_REFRESH_SECONDS", "1")]).await
}

fn command(stack: &Stack, arguments: &[&str]) -> Vec<String> {
    ["keys", "--url", &stack.url].iter().chain(arguments).map(ToString::to_string).collect()
}

async fn keys(stack: &Stack, arguments: &[&str]) -> Vec<Value> {
    let arguments = command(stack, arguments);
    let run = move || answers(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    tokio::task::spawn_blocking(run).await.expect("the command answers")
}

async fn status(stack: &Stack, api_key: &str) -> u16 {
    let headers = [("x-api-key", api_key), ("content-type", "application/json")];
    stack.send("POST", "/v1/validate", &headers, r#"{"email": "nobody"}"#).await.status.as_u16()
}

async fn refused_at_last(stack: &Stack, api_key: &str) {
    let started = Instant::now();
    while status(stack, api_key).await != 401 {
        assert!(started.elapsed() < PATIENCE, "it is still admitted");
        sleep(Duration::from_millis(200)).await;
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_its_secret() {
    let stack = stack().await;
    let grant = [
        "create",
        "--name",
        "web shop",
        "--requests-per-minute",
        "30",
        "--burst",
        "20",
        "--overrides",
        "role_account=review",
    ];
    let created = &keys(&stack, &grant).await[0];
    assert_eq!(status(&stack, text(created, "api_key")).await, 200);
    let listed = keys(&stack, &["list"]).await;
    let line = listed.iter().find(|line| line["id"] == created["id"]).expect("it is listed");
    assert_eq!(
        json!([line["name"], line["requests_per_minute"], line["burst"], line["overrides"], line["revoked"]]),
        json!(["web shop", 30, 20, "role_account=review", null])
    );
    let secret = text(created, "api_key").rsplit('_').next().expect("three parts");
    assert!(!Value::from(listed).to_string().contains(secret));
}

#[tokio::test]
async fn after_a_rotation_two_secrets_are_good_and_after_the_next_one_the_first_is_not() {
    let stack = stack().await;
    let first = keys(&stack, &["create", "--name", "web shop"]).await.remove(0);
    let id = text(&first, "id");
    let second = keys(&stack, &["rotate", id]).await.remove(0);
    assert_eq!(second["id"], first["id"]);
    for created in [&first, &second] {
        assert_eq!(status(&stack, text(created, "api_key")).await, 200);
    }
    let third = keys(&stack, &["rotate", id]).await.remove(0);
    refused_at_last(&stack, text(&first, "api_key")).await;
    for created in [&second, &third] {
        assert_eq!(status(&stack, text(created, "api_key")).await, 200);
    }
}

#[tokio::test]
async fn a_rotation_without_grace_ends_the_secret_before() {
    let stack = stack().await;
    let first = keys(&stack, &["create", "--name", "leaked"]).await.remove(0);
    let second = keys(&stack, &["rotate", text(&first, "id"), "--grace-hours", "0"]).await.remove(0);
    refused_at_last(&stack, text(&first, "api_key")).await;
    assert_eq!(status(&stack, text(&second, "api_key")).await, 200);
}

#[tokio::test]
async fn a_revoked_key_is_refused_with_every_secret_and_cannot_be_rotated_back() {
    let stack = stack().await;
    let first = keys(&stack, &["create", "--name", "web shop"]).await.remove(0);
    let second = keys(&stack, &["rotate", text(&first, "id")]).await.remove(0);
    assert_eq!(status(&stack, text(&second, "api_key")).await, 200);
    keys(&stack, &["revoke", text(&first, "id")]).await;
    for created in [&first, &second] {
        refused_at_last(&stack, text(created, "api_key")).await;
    }
    for action in ["rotate", "revoke"] {
        let arguments = command(&stack, &[action, text(&first, "id")]);
        let run = move || gatepost(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
        let output = tokio::task::spawn_blocking(run).await.expect("it ends");
        assert_eq!(output.status.code(), COULD_NOT, "{action}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("no such key"), "{output:?}");
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_makes_no_key() {
    let stack = stack().await;
    let arguments = command(&stack, &["create", "--name", "web shop", "--overrides", "roll_account=reject"]);
    let run = move || gatepost(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    let output = tokio::task::spawn_blocking(run).await.expect("it ends");
    assert_eq!(output.status.code(), COULD_NOT);
    let development = ApiKey::parse(&stack.api_key).expect("the development key");
    let listed = keys(&stack, &["list"]).await;
    assert_eq!(listed.iter().map(|line| text(line, "id")).collect::<Vec<_>>(), [development.id()]);
}

/// What is looked up is believed for a minute here, as it is by default.
#[tokio::test]
async fn a_new_secret_of_a_key_in_use_is_good_long_before_what_is_remembered_of_it_ends() {
    let stack = Stack::start().await;
    let [created] = <[Value; 1]>::try_from(keys(&stack, &["create", "--name", "shop"]).await).expect("one line");
    assert_eq!(status(&stack, text(&created, "api_key")).await, 200);
    sleep(Duration::from_secs(6)).await;
    let [rotated] = <[Value; 1]>::try_from(keys(&stack, &["rotate", text(&created, "id")]).await).expect("one line");
    assert_eq!(status(&stack, text(&rotated, "api_key")).await, 200);
    assert_eq!(status(&stack, text(&created, "api_key")).await, 200);
}
