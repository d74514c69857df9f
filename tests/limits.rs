//! The published bound, however many clients, processes and addresses at once.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, future::join_all, stream};
use gatepost::{
    api_key::{ApiKey, ENTROPY_LEN},
    io::{
        client_rows::Grant,
        table::{PK, read_text},
    },
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    command_line, keys,
    stack::{Answer, Stack},
    table,
};

/// What became of many requests with one key.
struct Outcome {
    admitted: u64,
    refused: u64,
    took: Duration,
}

async fn stack_with(arguments: &[&str], rate: u64, burst: u64) -> Stack {
    let (rate, burst) = (rate.to_string(), burst.to_string());
    let limits = [("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", rate.as_str()), ("GATEPOST_LIMITS_BURST", burst.as_str())];
    Stack::start_with(arguments, &limits).await
}

/// `requests` by `clients` at once, spread over the stacks; every answer is an admission or a refusal.
async fn hammer(stacks: &[&Stack], api_key: &str, clients: usize, requests: usize) -> Outcome {
    let started = Instant::now();
    let asked = stacks.iter().cycle().take(requests).map(|stack| ask(stack, api_key));
    let answers: Vec<Answer> = stream::iter(asked).buffer_unordered(clients).collect().await;
    let took = started.elapsed();
    let of = |status: u16| answers.iter().filter(|answer| answer.status.as_u16() == status).count() as u64;
    let outcome = Outcome { admitted: of(200), refused: of(429), took };
    assert_eq!(outcome.admitted + outcome.refused, requests as u64, "something else was answered");
    outcome
}

async fn ask(stack: &Stack, api_key: &str) -> Answer {
    let headers = [("x-api-key", api_key), ("content-type", "application/json")];
    // No host to ask about: only the limit takes time.
    stack.send("POST", "/v1/validate", &headers, r#"{"email": "nobody"}"#).await
}

impl Outcome {
    /// A new caller has three quarters of the burst at once and earns the rate from then on.
    #[track_caller]
    fn expect_within(&self, rate: u64, burst: u64) {
        let earned = (rate * self.took.as_millis() as u64).div_ceil(60_000);
        let (at_once, most) = (3 * burst / 4, 3 * burst / 4 + earned);
        let Self { admitted, refused, took } = self;
        assert!((at_once..=most).contains(admitted), "{admitted} in {took:?}, not {at_once} to {most}");
        assert!(0 < *refused, "nobody was refused");
    }
}

/// `q` of the `RateLimit-Policy` field.
fn published_bound(answer: &Answer) -> u64 {
    let policy = answer.header("ratelimit-policy");
    let q = policy.strip_prefix("\"default\";q=").and_then(|rest| rest.strip_suffix(";w=60"));
    q.unwrap_or_else(|| panic!("{policy}")).parse().expect("a number")
}

/// Keys of the items that limit callers.
async fn rate_items(stack: &Stack) -> Vec<String> {
    let items = table::items(&stack.dynamodb, "rate#").await;
    items.iter().filter_map(|item| read_text(item, PK)).collect()
}

fn id(stack: &Stack) -> String {
    ApiKey::parse(&stack.api_key).expect("the development key").id().to_owned()
}

#[tokio::test]
async fn sixty_four_clients_on_one_key_never_exceed_the_published_bound_and_leave_one_item() {
    for (rate, burst) in [(1, 140), (60, 20), (1_200, 4)] {
        let stack = stack_with(&[], rate, burst).await;
        let outcome = hammer(&[&stack], &stack.api_key, 64, 640).await;
        outcome.expect_within(rate, burst);
        assert_eq!(published_bound(&ask(&stack, &stack.api_key).await), rate + burst);
        assert_eq!(rate_items(&stack).await, [format!("rate#{}", id(&stack))]);
    }
}

#[tokio::test]
async fn three_processes_that_share_a_table_stay_within_the_bound_of_one() {
    let (rate, burst) = (60, 80);
    let first = stack_with(&[], rate, burst).await;
    let shared = ["--dynamodb-endpoint", first.dynamodb.as_str()];
    let (second, third) = (stack_with(&shared, rate, burst).await, stack_with(&shared, rate, burst).await);
    assert_eq!([&second.dynamodb, &third.dynamodb], [&first.dynamodb; 2]);
    let outcome = hammer(&[&first, &second, &third], &first.api_key, 48, 480).await;
    outcome.expect_within(rate, burst);
    assert_eq!(rate_items(&first).await, [format!("rate#{}", id(&first))]);
}

#[tokio::test]
async fn callers_do_not_spend_each_others_quota() {
    let first = stack_with(&[], 1, 4).await;
    let second = stack_with(&["--dynamodb-endpoint", &first.dynamodb], 1, 4).await;
    assert_ne!(first.api_key, second.api_key);
    for api_key in [&first.api_key, &second.api_key] {
        hammer(&[&first, &second], api_key, 8, 16).await.expect_within(1, 4);
    }
    let mut expected = [format!("rate#{}", id(&first)), format!("rate#{}", id(&second))];
    expected.sort();
    let mut items = rate_items(&first).await;
    items.sort();
    assert_eq!(items, expected);
}

#[tokio::test]
async fn a_refused_caller_is_told_when_to_come_back_and_is_admitted_then() {
    let stack = stack_with(&[], 120, 4).await;
    let refused = refused(&stack).await;
    for (name, expected) in [
        ("retry-after", "1"),
        ("ratelimit", "\"default\";r=0;t=1"),
        ("ratelimit-policy", "\"default\";q=124;w=60"),
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(refused.header(name), expected, "{name}");
    }
    let mut problem = refused.json();
    assert!(problem["request_id"].take().is_string());
    let expected = json!({
        "type": "urn:gatepost:problem:rate-limited", "title": "Too many requests", "status": 429,
        "detail": "the quota is spent; come back in 1 s", "request_id": null,
    });
    assert_eq!(problem, expected);
    sleep(Duration::from_secs(1)).await;
    ask(&stack, &stack.api_key).await.expect_status(200);
}

/// The refusal that says to come back soonest; more than enough at once for any machine to be refused. On a busy machine a
/// question waits while others are admitted, and is told to come back later by as much.
async fn refused(stack: &Stack) -> Answer {
    let asked = (0..64).map(|_| ask(stack, &stack.api_key));
    let answers: Vec<Answer> = stream::iter(asked).buffer_unordered(16).collect().await;
    let refused = answers.into_iter().filter(|answer| answer.status.as_u16() == 429);
    refused.min_by_key(|answer| answer.header("retry-after").parse::<u64>().expect("seconds")).expect("a refusal")
}

#[tokio::test]
async fn a_batch_costs_one_permit_an_address_and_a_refused_one_costs_nothing() {
    let stack = stack_with(&[], 1, 40).await;
    let batch = |size: usize| json!({"emails": vec!["nobody"; size]});
    // Thirty at once; the next one comes after a minute.
    for (size, status, left) in [(10, 200, "r=20"), (21, 429, "r=0"), (31, 400, ""), (15, 200, "r=5"), (5, 200, "r=0")]
    {
        let answer = stack.post_json("/v1/validate/batch", &batch(size)).await.expect_status(status);
        let told = answer.headers.get("ratelimit").map_or("", |value| value.to_str().expect("text"));
        assert_eq!(told.split(';').nth(1).unwrap_or_default(), left, "{size}: {told}");
    }
    stack.validate(json!({"email": "nobody"})).await.expect_status(429);
}

#[tokio::test]
async fn a_request_that_is_no_question_costs_nothing() {
    let stack = stack_with(&[], 1, 4).await;
    for _ in 0..8 {
        stack.validate(json!({"email": 5})).await.expect_status(400);
        stack.send("POST", "/v1/validate", &[("x-api-key", "garbage")], "").await.expect_status(401);
    }
    assert_eq!(rate_items(&stack).await, Vec::<String>::new());
    assert_eq!(hammer(&[&stack], &stack.api_key, 1, 4).await.admitted, 3);
}

#[tokio::test]
async fn a_clients_own_quota_overrides_the_default() {
    let stack = stack_with(&[], 1, 4).await;
    let api_key = ApiKey::from_entropy([3; ENTROPY_LEN]);
    let grant = Grant { quota: Some((2, 16)), ..Grant::default() };
    keys::register(&stack.dynamodb).create(&api_key, &grant, SystemTime::UNIX_EPOCH).await.expect("stored");
    hammer(&[&stack], &api_key.reveal(), 8, 24).await.expect_within(2, 16);
    assert_eq!(published_bound(&ask(&stack, &api_key.reveal()).await), 18);
    assert_eq!(published_bound(&ask(&stack, &stack.api_key).await), 5);
}

/// What one question says of its end user.
async fn ask_for(stack: &Stack, client_ip: &str) -> Answer {
    stack.validate(json!({"email": "nobody", "client_ip": client_ip})).await
}

fn client_ip_limits<'a>(rate: &'a str, burst: &'a str) -> [(&'static str, &'a str); 2] {
    [("GATEPOST_LIMITS_CLIENT_IP_REQUESTS_PER_MINUTE", rate), ("GATEPOST_LIMITS_CLIENT_IP_BURST", burst)]
}

#[tokio::test]
async fn an_end_user_who_floods_is_refused_and_costs_the_caller_and_its_other_end_users_nothing() {
    let stack = Stack::start_with(&[], &client_ip_limits("1", "8")).await;
    for (flooding, the_same, other) in
        [("192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"), ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")]
    {
        for _ in 0..6 {
            ask_for(&stack, flooding).await.expect_status(200);
        }
        let left = |answer: &Answer| answer.header("ratelimit").split(';').nth(1).map(str::to_owned);
        let before = left(&ask_for(&stack, other).await.expect_status(200));
        for _ in 0..20 {
            let refused = ask_for(&stack, the_same).await.expect_status(429);
            assert!(refused.header("ratelimit").starts_with("\"client-ip\";r=0;t="), "{refused:?}");
            assert_eq!(refused.header("ratelimit-policy"), "\"client-ip\";q=9;w=60");
            assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("of this client_ip")));
        }
        // The quota of the caller earns 200 a minute meanwhile, and loses the two that were admitted.
        let number = |left: Option<String>| left.and_then(|r| r.strip_prefix("r=")?.parse::<u64>().ok()).expect("r=");
        let after = left(&ask_for(&stack, other).await.expect_status(200));
        assert!(number(before.clone()) <= number(after.clone()) + 1, "{before:?} and then {after:?}");
    }
}

#[tokio::test]
async fn a_caller_over_its_quota_costs_no_write_and_its_end_users_no_permit_whomever_it_names() {
    let stack = stack_with(&[], 1, 4).await;
    hammer(&[&stack], &stack.api_key, 1, 6).await;
    for n in 0..50 {
        let refused = ask_for(&stack, &format!("192.0.2.{n}")).await.expect_status(429);
        assert!(refused.header("ratelimit").starts_with("\"default\";r=0;t="), "{refused:?}");
    }
    assert_eq!(rate_items(&stack).await, [format!("rate#{}", id(&stack))]);
}

#[tokio::test]
async fn an_operator_changes_the_limits_of_a_running_caller_and_of_its_end_users() {
    let stack = Stack::start_with(&[], &[("GATEPOST_AUTH_REFRESH_SECONDS", "1")]).await;
    let id = id(&stack);
    let arguments = ["callers", "--url", &stack.url, "set", &id, "--requests-per-minute", "7", "--burst", "400"]
        .map(str::to_owned)
        .into_iter()
        .chain(["--client-ip-requests-per-minute", "5", "--client-ip-burst", "12"].map(str::to_owned))
        .collect::<Vec<_>>();
    let run = move || command_line::gatepost(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    let output = tokio::task::spawn_blocking(run).await.expect("the command ends");
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let expected = "\"default\";q=407;w=60, \"client-ip\";q=17;w=60";
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask_for(&stack, "192.0.2.7").await.expect_status(200).header("ratelimit-policy") != expected {
        assert!(Instant::now() < deadline, "still the limits of before");
        sleep(Duration::from_millis(200)).await;
    }
}

async fn guess(stack: &Stack, api_key: &str, source_ip: &str) -> Answer {
    let headers = [("x-api-key", api_key), ("content-type", "application/json"), ("x-local-source-ip", source_ip)];
    stack.send("POST", "/v1/validate", &headers, r#"{"email": "nobody"}"#).await
}

#[tokio::test]
async fn who_guesses_keys_is_soon_told_nothing_more_and_locks_nobody_out() {
    let stack = Stack::start_with(&[], &[("GATEPOST_LIMITS_FAILURES_PER_MINUTE", "8")]).await;
    let unknown = |n: u8| ApiKey::from_entropy([n; ENTROPY_LEN]).reveal();
    guess(&stack, &stack.api_key, "192.0.2.7").await.expect_status(200);
    let mut statuses = Vec::new();
    for n in 0..20 {
        statuses.push(guess(&stack, &unknown(100 + n), "192.0.2.7").await.status.as_u16());
    }
    assert_eq!(statuses, [[401; 6].as_slice(), &[429; 14]].concat());
    let refused = guess(&stack, "garbage", "192.0.2.7").await.expect_status(429);
    assert_eq!(refused.header("ratelimit-policy"), "\"failures\";q=16;w=60");
    assert!((1..=8).contains(&refused.header("retry-after").parse::<u64>().expect("seconds")));
    // A client behind the same address is known; a guesser elsewhere has a limit of its own.
    guess(&stack, &stack.api_key, "192.0.2.7").await.expect_status(200);
    guess(&stack, &unknown(1), "192.0.2.8").await.expect_status(401);
}

const MINUTE: Duration = Duration::from_secs(60);

/// When each was admitted, for as long as the clients go on.
async fn ask_for_a_minute(stack: &Stack, api_key: &str, started: Instant) -> Vec<Duration> {
    let mut admitted = Vec::new();
    while started.elapsed() < MINUTE {
        let asked_at = started.elapsed();
        match ask(stack, api_key).await.status.as_u16() {
            200 => admitted.push(asked_at),
            429 => sleep(Duration::from_millis(5)).await,
            other => panic!("{other}"),
        }
    }
    admitted
}

/// `cargo test --workspace -- --ignored`
#[tokio::test]
#[ignore = "takes two minutes and both cores"]
async fn three_processes_with_sixty_four_clients_each_stay_within_the_bound_for_a_minute() {
    for (rate, burst) in [(200, 140), (6_000, 600)] {
        let first = stack_with(&[], rate, burst).await;
        let shared = ["--dynamodb-endpoint", first.dynamodb.as_str()];
        let (second, third) = (stack_with(&shared, rate, burst).await, stack_with(&shared, rate, burst).await);
        let started = Instant::now();
        let clients = [&first, &second, &third].into_iter().cycle().take(3 * 64);
        let asked = clients.map(|stack| ask_for_a_minute(stack, &first.api_key, started));
        let admitted: usize = join_all(asked).await.iter().map(Vec::len).sum();
        println!("rate {rate}, burst {burst}: {admitted} admitted in a minute, {} published", rate + burst);
        assert!(admitted as u64 <= rate + burst, "{admitted}");
        assert!((rate + burst) * 4 / 5 <= admitted as u64, "{admitted}: the limit is not what held them up");
    }
}
