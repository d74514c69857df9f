//! Keys of issuers come and go, and so do the endpoints that list them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use gatepost::bearer_token::{MAX_KEYS, MAX_SET_OCTETS};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    bearer,
    issuer::{Answers, Jwks, Key, Token},
    published, stack,
};
use crate::stack::Stack;

/// Slow machines included: keys are fetched again after one second here.
const PATIENCE: Duration = Duration::from_secs(60);
/// After which the stack gives a fetch up.
const FETCH_WITHIN: Duration = Duration::from_secs(2);
const OFTEN: (&str, &str) = ("GATEPOST_AUTH_REFRESH_SECONDS", "1");

/// Asks until the status is this one.
async fn at_last(stack: &Stack, token: &str, status: u16) {
    let started = Instant::now();
    loop {
        let found = bearer(stack, token).await.status.as_u16();
        if found == status {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "it is still {found}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_new_key_is_believed_and_a_withdrawn_one_refused() {
    let (old, new) = (Key::ed_dsa(), Key::es256());
    let jwks = Jwks::start(Answers::Keys(vec![old.jwk("old")])).await;
    let stack = stack(&jwks, &[OFTEN]).await;
    let (by_old, by_new) = (Token::good("old").signed(&old), Token::good("new").signed(&new));
    bearer(&stack, &by_old).await.expect_status(200);
    bearer(&stack, &by_new).await.expect_status(401);
    jwks.answer(Answers::Keys(vec![old.jwk("old"), new.jwk("new")]));
    at_last(&stack, &by_new, 200).await;
    bearer(&stack, &by_old).await.expect_status(200);
    jwks.answer(Answers::Keys(vec![new.jwk("new")]));
    at_last(&stack, &by_old, 401).await;
    bearer(&stack, &by_new).await.expect_status(200);
    jwks.answer(Answers::Keys(Vec::new()));
    at_last(&stack, &by_new, 401).await;
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_fetch_a_minute() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(published(&key)).await;
    let stack = stack(&jwks, &[]).await;
    let good = Token::good("EdDSA").signed(&key[0]);
    bearer(&stack, &good).await.expect_status(200);
    assert_eq!(jwks.fetches(), 1);
    let (started, stack) = (Instant::now(), &stack);
    let flood = (0..200).map(|number| {
        let token = Token::good(&format!("unknown-{number}")).signed(&key[0]);
        async move { bearer(stack, &token).await.expect_status(401) }
    });
    stream::iter(flood).buffer_unordered(16).collect::<Vec<_>>().await;
    bearer(stack, &good).await.expect_status(200);
    // Once because of the flood; and, where the machine is slow, what comes due meanwhile.
    let due = 2 * usize::try_from(started.elapsed().as_secs() / 60).expect("small");
    assert!((2..=2 + due).contains(&jwks.fetches()), "{} fetches", jwks.fetches());
}

#[tokio::test]
async fn a_token_without_a_key_id_is_believed_only_where_there_is_no_choice() {
    let (one, other) = (Key::ed_dsa(), Key::ed_dsa());
    let jwks = Jwks::start(Answers::Keys(vec![one.jwk("one"), Key::es256().jwk("of another kind")])).await;
    let stack = stack(&jwks, &[OFTEN]).await;
    let mut token = Token::good("");
    token.header.as_object_mut().expect("a header").shift_remove("kid");
    let token = token.signed(&one);
    bearer(&stack, &token).await.expect_status(200);
    jwks.answer(Answers::Keys(vec![one.jwk("one"), other.jwk("other")]));
    at_last(&stack, &token, 401).await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_up_neither_the_start_nor_other_credentials() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(Answers::Hangs).await;
    let stack = stack(&jwks, &[OFTEN]).await;
    stack.validate(json!({"email": "nobody"})).await.expect_status(200);
    let waited = jwks.first_fetched_ago();
    assert!(waited < FETCH_WITHIN, "the start waited for a fetch: {waited:?}");
    let token = Token::good("EdDSA").signed(&key[0]);
    let answer = bearer(&stack, &token).await.expect_status(503);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json()["type"], "urn:gatepost:problem:unavailable");
    let started = Instant::now();
    let waiting = bearer(&stack, &token);
    let others = async {
        for _ in 0..5 {
            stack.validate(json!({"email": "nobody"})).await.expect_status(200);
        }
        started.elapsed()
    };
    let (_, took) = tokio::join!(waiting, others);
    assert!(took < FETCH_WITHIN, "API keys waited for {took:?}");
    jwks.answer(published(&key));
    at_last(&stack, &token, 200).await;
    jwks.answer(Answers::Hangs);
    // Longer than keys are believed without a question, and longer than a fetch.
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(6) {
        bearer(&stack, &token).await.expect_status(200);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn without_any_keys_a_token_is_neither_good_nor_bad_and_a_bad_answer_takes_no_key_away() {
    let key = [Key::ed_dsa()];
    let elsewhere = Jwks::start(published(&key)).await;
    let jwks = Jwks::start(Answers::Fails).await;
    let stack = stack(&jwks, &[OFTEN]).await;
    let token = Token::good("EdDSA").signed(&key[0]);
    let many: Vec<Value> = (0..=MAX_KEYS).map(|number| json!({"kty": "oct", "kid": number.to_string()})).collect();
    let bad_answers = [
        Answers::Fails,
        Answers::RedirectsTo(elsewhere.url.clone()),
        Answers::Text("<html>".to_owned()),
        Answers::Text("{\"keys\": {}}".to_owned()),
        Answers::Text(format!("{{\"keys\": [], \"padding\": \"{}\"}}", "x".repeat(MAX_SET_OCTETS))),
        Answers::Text("{\"keys\": [], \"keys\": []}".to_owned()),
        Answers::Keys(many),
    ];
    for answers in &bad_answers {
        jwks.answer(answers.clone());
        let before = jwks.fetches();
        bearer(&stack, &token).await.expect_status(503);
        while jwks.fetches() < before + 2 {
            bearer(&stack, &token).await.expect_status(503);
            sleep(Duration::from_millis(100)).await;
        }
    }
    // What is bad by itself is refused all the same.
    bearer(&stack, &Token::good("EdDSA").claim("exp", 1).signed(&key[0])).await.expect_status(401);
    assert_eq!(elsewhere.fetches(), 0, "a redirection was followed");
    jwks.answer(published(&key));
    at_last(&stack, &token, 200).await;
    for answers in bad_answers {
        jwks.answer(answers);
        let before = jwks.fetches();
        while jwks.fetches() < before + 2 {
            bearer(&stack, &token).await.expect_status(200);
            sleep(Duration::from_millis(100)).await;
        }
    }
}
