//! What is known about domains, changed while the stack runs: opinions of teams in the table, a newer list in the bucket.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use gatepost::{
    api_key::{ApiKey, ENTROPY_LEN},
    bucket::Bucket,
    domain_list::{Class, DomainList, Listing, Reach},
    io::{
        client_rows::Grant,
        domain_data::{DomainData, DomainDataError, KEY},
        table::{key, text},
    },
};
use gatepost_local::aws::{clients, s3::BUCKET};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

use crate::{
    command_line::{COULD_NOT, answers, gatepost},
    keys, objects,
    stack::Stack,
    table,
};

/// Slow machines included: the interval is one second.
const PATIENCE: Duration = Duration::from_secs(60);

async fn stack() -> Stack {
    Stack::start_with(&[], &[("GATEPOST_DATA_REFRESH_SECONDS", "1")]).await
}

async fn domains(stack: &Stack, arguments: &[&str]) -> Vec<Value> {
    let arguments: Vec<String> =
        ["domains", "--url", &stack.url].iter().chain(arguments).map(ToString::to_string).collect();
    let run = move || answers(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    tokio::task::spawn_blocking(run).await.expect("the command answers")
}

/// The codes of the reasons for an address at a domain.
async fn codes(stack: &Stack, domain: &str) -> Vec<String> {
    let answer = stack.validate(json!({"email": format!("ann@{domain}"), "flow": "signup"})).await;
    let answer = answer.expect_status(200).json();
    let reasons = answer["reasons"].as_array().expect("a list");
    reasons.iter().map(|reason| reason["code"].as_str().expect("text").to_owned()).collect()
}

/// Asks until the answer has the code, or has it no more.
async fn expect(stack: &Stack, domain: &str, code: &str, is_there: bool) {
    let started = Instant::now();
    while codes(stack, domain).await.iter().any(|found| found == code) != is_there {
        assert!(started.elapsed() < PATIENCE, "{domain}: {code} is not {is_there}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The embedded list with one name more, a day younger.
fn newer_object(name: &str) -> Vec<u8> {
    let embedded = DomainList::embedded();
    let mut names: BTreeMap<String, Listing> = embedded.to_names();
    names.insert(name.to_owned(), Listing { class: Class::Disposable, sources: 1, reach: Reach::SubDomains });
    DomainList::object(&names, embedded.built().tomorrow().expect("a day"))
}

#[tokio::test]
async fn a_team_keeps_domains_out_and_lets_them_in_without_a_deploy() {
    let stack = stack().await;
    let stored = domains(&stack, &["deny", "Example.COM", "--note", "abuse in May"]).await;
    assert_eq!(
        json!([stored[0]["domain"], stored[0]["client"], stored[0]["opinion"]]),
        json!(["example.com", "*", "deny"])
    );
    expect(&stack, "mail.example.com", "denied_domain", true).await;
    domains(&stack, &["allow", "mailinator.com"]).await;
    expect(&stack, "mailinator.com", "disposable_domain", false).await;
    let listed = domains(&stack, &["list"]).await;
    let told: Vec<_> = listed.iter().map(|line| json!([line["domain"], line["opinion"], line["note"]])).collect();
    assert_eq!(told, [json!(["example.com", "deny", "abuse in May"]), json!(["mailinator.com", "allow", ""])]);
    domains(&stack, &["remove", "example.com"]).await;
    expect(&stack, "mail.example.com", "denied_domain", false).await;
}

#[tokio::test]
async fn an_opinion_of_one_client_is_not_that_of_another() {
    let stack = stack().await;
    let id = ApiKey::parse(&stack.api_key).expect("the development key").id().to_owned();
    domains(&stack, &["deny", "example.org", "--client", "somebody-else"]).await;
    domains(&stack, &["deny", "example.net", "--client", &id]).await;
    expect(&stack, "example.net", "denied_domain", true).await;
    assert!(!codes(&stack, "example.org").await.contains(&"denied_domain".to_owned()));
}

#[tokio::test]
async fn what_was_never_said_cannot_be_taken_back() {
    let stack = stack().await;
    let url = stack.url.clone();
    let run = move || gatepost(&["domains", "--url", &url, "remove", "example.com"], b"");
    let output = tokio::task::spawn_blocking(run).await.expect("it ends");
    assert_eq!(output.status.code(), COULD_NOT);
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was said about example.com"));
}

#[tokio::test]
async fn a_newer_list_in_the_bucket_is_effective_within_its_interval_and_a_corrupt_one_changes_nothing() {
    let stack = stack().await;
    expect(&stack, "throw-away.example", "disposable_domain", false).await;
    objects::put(&stack.s3, KEY, newer_object("throw-away.example")).await;
    expect(&stack, "mx.throw-away.example", "disposable_domain", true).await;
    let mut corrupt = newer_object("other.example");
    *corrupt.last_mut().expect("octets") ^= 1;
    objects::put(&stack.s3, KEY, corrupt).await;
    // Opinions are read in the same round as the list: once this one counts, the corrupt object was seen.
    domains(&stack, &["deny", "example.com"]).await;
    expect(&stack, "example.com", "denied_domain", true).await;
    domains(&stack, &["remove", "example.com"]).await;
    expect(&stack, "example.com", "denied_domain", false).await;
    assert!(codes(&stack, "throw-away.example").await.contains(&"disposable_domain".to_owned()));
    assert!(!codes(&stack, "other.example").await.contains(&"disposable_domain".to_owned()));
    objects::put(&stack.s3, KEY, newer_object("other.example")).await;
    expect(&stack, "other.example", "disposable_domain", true).await;
}

#[tokio::test]
async fn a_list_that_was_removed_from_the_bucket_counts_no_more_and_may_come_again() {
    let stack = stack().await;
    for _ in 0..2 {
        objects::put(&stack.s3, KEY, newer_object("throw-away.example")).await;
        expect(&stack, "throw-away.example", "disposable_domain", true).await;
        objects::delete(&stack.s3, KEY).await;
        expect(&stack, "throw-away.example", "disposable_domain", false).await;
    }
}

/// Sends the head of an object and some of its octets, and nothing more.
async fn stalling_bucket() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let head = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 1000\r\n\r\nGPD";
            client.write_all(head.as_bytes()).await.expect("sent");
            open.push(client);
        }
    });
    url
}

#[tokio::test]
async fn a_list_that_comes_drop_by_drop_is_not_waited_for() {
    let client = clients::s3(&stalling_bucket().await, PATIENCE);
    let data = DomainData::new(client, BUCKET.to_owned(), Duration::from_secs(60));
    let now = Bucket::parse("2026-11-23T02:10").expect("a time").start();
    let refreshed = timeout(PATIENCE, data.refresh(now)).await.expect("a deadline of its own");
    assert!(matches!(refreshed, Err(DomainDataError::Unavailable(_))), "{refreshed:?}");
}

#[tokio::test]
async fn the_age_of_the_data_is_in_the_policy_of_the_answer() {
    let stack = stack().await;
    let policy =
        async || stack.validate(json!({"email": "ann@example.com"})).await.expect_status(200).json()["policy"].clone();
    let embedded = DomainList::embedded().built();
    assert_eq!(policy().await, format!("2026-11 data {embedded}"));
    objects::put(&stack.s3, KEY, newer_object("throw-away.example")).await;
    expect(&stack, "throw-away.example", "disposable_domain", true).await;
    assert_eq!(policy().await, format!("2026-11 data {}", embedded.tomorrow().expect("a day")));
}

#[tokio::test]
async fn a_client_weighs_reasons_for_itself() {
    let stack = Stack::start_with(&[], &[("GATEPOST_VALIDATION_OVERRIDES", "role_account=review")]).await;
    for (entropy, overrides, decision) in [
        (1, "", "review"),
        (4, "role_account=info", "accept"),
        (2, "role_account@signup=reject", "reject"),
        (3, "role_account@login=reject", "review"),
    ] {
        let api_key = ApiKey::from_entropy([entropy; ENTROPY_LEN]);
        let grant = Grant { overrides: Some(overrides.to_owned()), ..Grant::default() };
        keys::register(&stack.dynamodb).create(&api_key, &grant, SystemTime::UNIX_EPOCH).await.expect("stored");
        let headers = [("x-api-key", &*api_key.reveal()), ("content-type", "application/json")];
        let answer = stack.send("POST", "/v1/validate", &headers, r#"{"email": "sales@example.com"}"#).await;
        assert_eq!(answer.expect_status(200).json()["verdict"], decision, "{overrides}");
    }
}

#[tokio::test]
async fn a_client_whose_policy_cannot_be_read_is_not_judged_by_half_of_it() {
    let stack = Stack::start().await;
    let table = table::client(&stack.dynamodb);
    let id = ApiKey::parse(&stack.api_key).expect("the development key").id().to_owned();
    let update = table.client.update_item().table_name(&table.name).update_expression("SET overrides = :overrides");
    let update = update.set_key(Some(key(format!("key#{id}"), "key")));
    update.expression_attribute_values(":overrides", text("roll_account=reject")).send().await.expect("stored");
    stack.validate(json!({"email": "sales@example.com"})).await.expect_status(401);
}
