//! Callers by bearer token and by certificate: good ones of every kind, and every attack on them.

mod certificates;
mod issuer;
mod rotation;
mod rsa;

use std::{fs::File, process::Stdio, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost::bearer_token::MAX_TOKEN_OCTETS;
use ring::hmac;
use serde_json::{Value, json};

use self::issuer::{AUDIENCE, Answers, CLIENT, ISSUER, Jwks, Key, Token, compact, now};
use crate::{
    openapi::{document, expect_documented},
    stack::{Answer, Stack, scratch_file},
    table,
};

/// A stack that trusts one issuer.
async fn stack(jwks: &Jwks, environment: &[(&str, &str)]) -> Stack {
    logging_stack(jwks, environment, Stdio::null()).await
}

async fn logging_stack(jwks: &Jwks, environment: &[(&str, &str)], log: Stdio) -> Stack {
    let trusted = [
        ("GATEPOST_AUTH_ISSUER", ISSUER),
        ("GATEPOST_AUTH_AUDIENCE", AUDIENCE),
        ("GATEPOST_AUTH_JWKS_URL", jwks.url.as_str()),
    ];
    Stack::start_logging(&[], &[&trusted, environment].concat(), log).await
}

async fn ask(stack: &Stack, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("content-type", "application/json")], headers].concat();
    stack.send("POST", "/v1/validate", &headers, r#"{"email": "nobody"}"#).await
}

async fn bearer(stack: &Stack, token: &str) -> Answer {
    ask(stack, &[("authorization", &format!("Bearer {token}"))]).await
}

#[track_caller]
fn expect_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status.as_u16(), 401, "{what}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{what}");
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:gatepost:problem:unauthenticated", "{what}");
    assert_eq!(problem["detail"], "the bearer token is not accepted", "{what}");
}

/// One key of each kind, named as its algorithm.
fn keys() -> [Key; 4] {
    [Key::Rs256, Key::Ps256, Key::es256(), Key::ed_dsa()]
}

fn published(keys: &[Key]) -> Answers {
    Answers::Keys(keys.iter().map(|key| key.jwk(key.algorithm())).collect())
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_believed_and_the_scheme_is_told_in_any_case() {
    let keys = keys();
    let jwks = Jwks::start(published(&keys)).await;
    let stack = stack(&jwks, &[]).await;
    for key in &keys {
        let token = Token::good(key.algorithm()).signed(key);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let answer = ask(&stack, &[("authorization", &format!("{scheme} {token}"))]).await;
            assert_eq!(answer.status.as_u16(), 200, "{} {scheme}", key.algorithm());
        }
    }
    let ed = &keys[3];
    for good in [
        Token::good("EdDSA").header("typ", "JWT"),
        Token::good("EdDSA").header("typ", "application/at+jwt"),
        Token::good("EdDSA").claim("aud", json!(["other", AUDIENCE])),
        Token::good("EdDSA").without("scope").claim("scp", "a gatepost:validate"),
        Token::good("EdDSA").without("scope").claim("scp", json!(["gatepost:validate"])),
        Token::good("EdDSA").without("nbf").without("iat"),
        Token::good("EdDSA").claim("exp", now() - 30).claim("nbf", now() + 30).claim("iat", now() as f64 + 30.5),
    ] {
        let told = good.claims.to_string();
        assert_eq!(bearer(&stack, &good.signed(ed)).await.status.as_u16(), 200, "{told}");
    }
    assert_eq!(jwks.fetches(), 1);
}

/// A token, and what the log says about it.
type Attack = (String, &'static str);

const OTHER_ALGORITHM: &str = "the key is for another algorithm than the token names";
const BAD_SIGNATURE: &str = "the signature does not verify";

fn good() -> Token {
    Token::good("EdDSA")
}

/// What is no token, or two in one.
fn malformed(ed: &Key) -> Vec<Attack> {
    let genuine = good().signed(ed);
    let twice = format!(r#"{{"exp": {}, {}"#, now() + 300, &good().claims.to_string()[1..]);
    let twice = compact(r#"{"alg": "EdDSA", "kid": "EdDSA"}"#, &twice, |text| ed.sign(text));
    let oversized = good().claim("padding", "x".repeat(MAX_TOKEN_OCTETS)).signed(ed);
    vec![
        (String::new(), "the token does not have three parts"),
        ("a.b".to_owned(), "the token does not have three parts"),
        (format!("{genuine}.x"), "the token does not have three parts"),
        ("a.b.c".to_owned(), "the header of the token is not base64url without padding"),
        (format!("{genuine}=="), "the signature of the token is not base64url without padding"),
        (format!("{genuine},Bearer {genuine}"), "the token does not have three parts"),
        (oversized, "the token has more than 8192 octets"),
        (twice, "the payload of the token is no JSON object, or a member of it stands twice"),
        (good().header("crit", json!(["b64"])).header("b64", false).signed(ed), "the token names an extension"),
        (good().header("typ", "logout+jwt").signed(ed), "the token is of a type that is no access token"),
        (good().header("kid", 7).signed(ed), "kid is of another type than it should be"),
    ]
}

/// What somebody else signed, or nobody, or the right one in the wrong way.
fn forged(keys: &[Key], elsewhere: &str) -> Vec<Attack> {
    let [rs256, _, es256, ed] = keys else { panic!("four keys") };
    let stranger = Key::ed_dsa();
    let algorithm = "the algorithm is none of RS256, PS256, ES256 and EdDSA";
    let unsigned = compact(r#"{"alg": "none"}"#, &good().claims.to_string(), |_| Vec::new());
    let by_public_key = compact(r#"{"alg": "HS256", "kid": "RS256"}"#, &good().claims.to_string(), |text| {
        let public = rs256.jwk("RS256")["n"].as_str().expect("text").to_owned();
        let secret = URL_SAFE_NO_PAD.decode(public).expect("base64url");
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), text.as_bytes()).as_ref().to_vec()
    });
    let genuine = good().signed(ed);
    let (signed, signature) = genuine.rsplit_once('.').expect("three parts");
    let promoted = URL_SAFE_NO_PAD.encode(good().claim("client_id", "somebody-else").claims.to_string());
    let swapped = format!("{}.{promoted}.{signature}", signed.split('.').next().expect("a header"));
    let bent = format!("{signed}.{}", URL_SAFE_NO_PAD.encode([7; 64]));
    vec![
        (unsigned, algorithm),
        (by_public_key, algorithm),
        (good().header("alg", "eddsa").signed(ed), algorithm),
        (Token::good("ES256").signed(rs256), OTHER_ALGORITHM),
        (Token::good("RS256").signed(es256), OTHER_ALGORITHM),
        (Token::good("RS256 only").signed(&Key::Ps256), OTHER_ALGORITHM),
        (Token::good("for encryption").signed(ed), "the issuer lists no such key"),
        (Token::good("RS256").header("alg", "PS256").signed(rs256), BAD_SIGNATURE),
        (swapped, BAD_SIGNATURE),
        (bent, BAD_SIGNATURE),
        (format!("{signed}."), BAD_SIGNATURE),
        (good().signed(&stranger), BAD_SIGNATURE),
        (good().header("jku", elsewhere).header("x5u", elsewhere).signed(&stranger), BAD_SIGNATURE),
        (good().header("jwk", stranger.jwk("EdDSA")).signed(&stranger), BAD_SIGNATURE),
    ]
}

/// Genuine tokens that are for somebody else, for another time, or say what they say in another type.
fn foreign(ed: &Key) -> Vec<Attack> {
    let time = now();
    let claims = [
        ("iss", json!("https://issuer.example"), "the issuer is not trusted"),
        ("aud", json!("https://gate.example/"), "the token is for another audience"),
        ("aud", json!([AUDIENCE, 1]), "aud is of another type than it should be"),
        ("exp", json!(time - 90), "the token has expired"),
        ("exp", json!((time + 300).to_string()), "exp is of another type than it should be"),
        ("exp", Value::Null, "exp is of another type than it should be"),
        ("nbf", json!(time + 300), "the token is not valid yet"),
        ("nbf", json!((time + 300).to_string()), "nbf is of another type than it should be"),
        ("iat", json!(time + 300), "the token was issued in the future"),
        ("iat", json!("now"), "iat is of another type than it should be"),
        ("client_id", json!(7), "client_id is of another type than it should be"),
        ("cnf", json!({"jkt": "AAAA"}), "the token asks for a proof that cannot be checked"),
        ("cnf", json!("x"), "cnf is of another type than it should be"),
    ];
    let changed = claims.into_iter().map(|(name, value, reason)| (good().claim(name, value).signed(ed), reason));
    let lacking = [
        (good().without("iss").signed(ed), "the token has no iss"),
        (good().without("aud").signed(ed), "the token is for another audience"),
        (good().without("exp").signed(ed), "the token has no exp"),
        (good().without("client_id").without("sub").signed(ed), "the token has no client_id, azp or sub"),
    ];
    changed.chain(lacking).collect()
}

#[tokio::test]
async fn no_forged_foreign_or_stale_token_is_believed_and_the_log_says_why_without_the_token() {
    let keys = keys();
    let mut listed: Vec<Value> = keys.iter().map(|key| key.jwk(key.algorithm())).collect();
    let (mut only, mut encryption) = (Key::Rs256.jwk("RS256 only"), keys[3].jwk("for encryption"));
    only["alg"] = json!("RS256");
    encryption["use"] = json!("enc");
    listed.extend([only, encryption, json!({"kty": "oct", "kid": "oct", "k": "AAAA"}), json!(7)]);
    let (jwks, elsewhere) = (Jwks::start(Answers::Keys(listed)).await, Jwks::start(Answers::Keys(Vec::new())).await);
    let path = scratch_file("tokens.log", "");
    let log = File::create(&path).expect("the build folder can be written to");
    let stack = logging_stack(&jwks, &[], log.into()).await;
    let attacks = [malformed(&keys[3]), forged(&keys, &elsewhere.url), foreign(&keys[3])].concat();
    for (token, reason) in &attacks {
        expect_refused(&bearer(&stack, token).await, reason);
    }
    assert_eq!(elsewhere.fetches(), 0, "a token told where its key is");
    let log = std::fs::read_to_string(&path).expect("a log");
    for (token, reason) in &attacks {
        assert!(log.contains(reason), "{reason:?} is not in the log");
        let parts = token.split('.').filter(|part| 8 < part.len());
        assert!(parts.into_iter().all(|part| !log.contains(part)), "a token is in the log");
    }
    assert!(!log.contains("ann.secret"), "a person is in the log");
    // None of them was worth a permit, and all of them are one count.
    assert_eq!(table::items(&stack.dynamodb, "rate#").await.len(), 0);
    let expected = attacks.len() as u64;
    let channels = [("total", expected), ("auth_fail", expected)];
    let counted = table::counted_at_last(&stack.dynamodb, "validate/unknown", &channels).await;
    assert_eq!(counted["auth_fail"], expected);
}

#[tokio::test]
async fn a_token_without_the_scope_is_forbidden_and_told_which() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(published(&key)).await;
    let stack = stack(&jwks, &[]).await;
    for scope in ["", "openid", "gatepost:validates", "gatepost", "GATEPOST:VALIDATE"] {
        let answer =
            bearer(&stack, &Token::good("EdDSA").claim("scope", scope).signed(&key[0])).await.expect_status(403);
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"gatepost:validate\"";
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert_eq!(answer.json()["type"], "urn:gatepost:problem:insufficient-scope");
    }
    // Only a genuine token is told.
    expect_refused(&bearer(&stack, &Token::good("EdDSA").claim("scope", "").signed(&Key::ed_dsa())).await, "forged");
}

#[tokio::test]
async fn a_caller_by_token_is_limited_by_its_name_and_by_a_row_of_its_own() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(published(&key)).await;
    let stack = stack(&jwks, &[("GATEPOST_AUTH_REFRESH_SECONDS", "1")]).await;
    let token = Token::good("EdDSA").signed(&key[0]);
    assert_eq!(bearer(&stack, &token).await.header("ratelimit-policy"), "\"default\";q=340;w=60");
    let without_client = Token::good("EdDSA").without("client_id").signed(&key[0]);
    bearer(&stack, &without_client).await.expect_status(200);
    let items = table::items(&stack.dynamodb, "rate#token:").await;
    let names: Vec<String> = items.iter().filter_map(|item| gatepost::io::table::read_text(item, "pk")).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let id = names.iter().find_map(|name| name.strip_prefix("rate#").filter(|id| id.ends_with(CLIENT))).expect("named");
    assert!(names.iter().all(|name| !name.contains("ann")), "a person is a table key: {names:?}");
    table::put(&stack.dynamodb, &format!("caller#{id}"), &[("requests_per_minute", 30), ("burst", 7)]).await;
    for (expected, changed) in [("\"default\";q=37;w=60", None), ("", Some("revoked"))] {
        if let Some(attribute) = changed {
            table::put(&stack.dynamodb, &format!("caller#{id}"), &[(attribute, 1)]).await;
        }
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let answer = bearer(&stack, &token).await;
        match changed {
            None => assert_eq!(answer.header("ratelimit-policy"), expected),
            Some(_) => expect_refused(&answer, "revoked"),
        }
    }
}

#[tokio::test]
async fn an_identity_aware_proxy_speaks_in_a_field_of_its_own() {
    let (key, proxy_key) = ([Key::ed_dsa()], Key::es256());
    let jwks = Jwks::start(published(&key)).await;
    let of_proxy = Jwks::start(Answers::Keys(vec![proxy_key.jwk("p")])).await;
    let settings = [
        ("GATEPOST_AUTH_PROXY_HEADER", "x-goog-iap-jwt-assertion"),
        ("GATEPOST_AUTH_PROXY_ISSUER", "https://proxy.example"),
        ("GATEPOST_AUTH_PROXY_AUDIENCE", "/projects/1"),
        ("GATEPOST_AUTH_PROXY_JWKS_URL", &of_proxy.url),
    ];
    let stack = stack(&jwks, &settings).await;
    let by_proxy = Token::good("p").claim("iss", "https://proxy.example").claim("aud", "/projects/1");
    let by_proxy = by_proxy.without("scope").without("client_id").signed(&proxy_key);
    let field = "x-goog-iap-jwt-assertion";
    ask(&stack, &[(field, &by_proxy)]).await.expect_status(200);
    let by_client = Token::good("EdDSA").signed(&key[0]);
    bearer(&stack, &by_client).await.expect_status(200);
    expect_refused(&bearer(&stack, &by_proxy).await, "a proxy's token as a client's");
    expect_refused(&ask(&stack, &[(field, &by_client)]).await, "a client's token as a proxy's");
    ask(&stack, &[(field, &by_proxy), ("authorization", &format!("Bearer {by_client}"))]).await.expect_status(400);
    ask(&stack, &[(field, &by_proxy), ("x-api-key", &stack.api_key)]).await.expect_status(400);
}

#[tokio::test]
async fn two_credentials_at_once_are_ambiguous() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(published(&key)).await;
    let stack = stack(&jwks, &[]).await;
    let authorization = format!("Bearer {}", Token::good("EdDSA").signed(&key[0]));
    let both = [("authorization", authorization.as_str()), ("x-api-key", stack.api_key.as_str())];
    let answer = ask(&stack, &both).await.expect_status(400);
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_request\"");
    // Another scheme is no credential of ours.
    ask(&stack, &[("authorization", "Basic YTpi"), ("x-api-key", &stack.api_key)]).await.expect_status(200);
    ask(&stack, &[("authorization", "Basic YTpi")]).await.expect_status(401);
    expect_refused(&bearer(&stack, &stack.api_key).await, "an API key is no token");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_credential_is_answered_as_documented() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(published(&key)).await;
    let (stack, document) = (stack(&jwks, &[]).await, document());
    let good = format!("Bearer {}", Token::good("EdDSA").signed(&key[0]));
    let without_scope = format!("Bearer {}", Token::good("EdDSA").without("scope").signed(&key[0]));
    for (headers, status) in [
        (&[("authorization", good.as_str())][..], 200),
        (&[("authorization", good.as_str()), ("x-api-key", stack.api_key.as_str())], 400),
        (&[("authorization", "Bearer a.b.c")], 401),
        (&[("authorization", without_scope.as_str())], 403),
    ] {
        let answer = ask(&stack, headers).await.expect_status(status);
        expect_documented(&document, "post", "/v1/validate", &answer);
    }
    jwks.answer(Answers::Fails);
    let without_keys = self::stack(&jwks, &[]).await;
    let answer = ask(&without_keys, &[("authorization", good.as_str())]).await.expect_status(503);
    expect_documented(&document, "post", "/v1/validate", &answer);
}
