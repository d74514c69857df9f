//! Client certificates, alone and beside a token that is bound to one (RFC 8705).

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatepost::{
    client_certificate::ClientCertificate,
    io::{caller_register::CallerRegister, client_rows::Grant},
};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use serde_json::json;

use super::{
    ask, expect_refused,
    issuer::{AUDIENCE, Answers, ISSUER, Jwks, Key, Token},
    published, stack,
};
use crate::{
    stack::{Stack, percent_encoded},
    table,
};

const LOCAL: &str = "x-local-client-cert";

/// Whoever terminates TLS has looked at the rest: here a certificate is a SEQUENCE of random octets.
struct Certificate {
    pem: String,
    thumbprint: String,
}

impl Certificate {
    fn generate() -> Self {
        let mut der = [0x30, 0x81, 0xc8].into_iter().chain([0; 200]).collect::<Vec<u8>>();
        SystemRandom::new().fill(&mut der[3..]).expect("randomness");
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&der));
        Self { pem, thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)) }
    }

    /// As the local stack takes it for the one of a TLS handshake.
    fn field(&self) -> String {
        percent_encoded(&self.pem)
    }
}

#[tokio::test]
async fn a_bound_token_is_worth_nothing_without_its_certificate() {
    let key = [Key::ed_dsa()];
    let jwks = Jwks::start(published(&key)).await;
    let stack = stack(&jwks, &[]).await;
    let (own, stolen) = (Certificate::generate(), Certificate::generate());
    let bound = Token::good("EdDSA").claim("cnf", json!({"x5t#S256": own.thumbprint})).signed(&key[0]);
    let authorization = format!("Bearer {bound}");
    let with = |certificate: Option<String>| {
        let (stack, authorization) = (&stack, authorization.as_str());
        async move {
            let own: Vec<(&str, &str)> = certificate.iter().map(|field| (LOCAL, field.as_str())).collect();
            ask(stack, &[&[("authorization", authorization)], own.as_slice()].concat()).await
        }
    };
    with(Some(own.field())).await.expect_status(200);
    expect_refused(&with(None).await, "no certificate");
    expect_refused(&with(Some(stolen.field())).await, "another certificate");
    with(Some("garbage".to_owned())).await.expect_status(401);
    // A token that is bound to none goes with any.
    let unbound = format!("Bearer {}", Token::good("EdDSA").signed(&key[0]));
    ask(&stack, &[("authorization", &unbound), (LOCAL, &stolen.field())]).await.expect_status(200);
    let also_jkt = json!({"x5t#S256": own.thumbprint, "jkt": "AAAA"});
    let also_jkt = format!("Bearer {}", Token::good("EdDSA").claim("cnf", also_jkt).signed(&key[0]));
    expect_refused(&ask(&stack, &[("authorization", &also_jkt), (LOCAL, &own.field())]).await, "another proof too");
}

async fn register(dynamodb: &str, id: &str) {
    let register = CallerRegister { table: table::client(dynamodb) };
    register.set(id, &Grant { name: Some("web shop".to_owned()), ..Grant::default() }).await.expect("stored");
}

#[tokio::test]
async fn a_certificate_is_a_caller_once_it_is_registered_and_until_it_is_revoked() {
    let jwks = Jwks::start(Answers::Fails).await;
    let stack = stack(&jwks, &[("GATEPOST_AUTH_REFRESH_SECONDS", "1")]).await;
    let (known, unknown) = (Certificate::generate(), Certificate::generate());
    let parsed = ClientCertificate::parse(&known.pem).expect("a certificate");
    register(&stack.dynamodb, &parsed.ids()[0]).await;
    ask(&stack, &[(LOCAL, &known.field())]).await.expect_status(200);
    let refused = ask(&stack, &[(LOCAL, &unknown.field())]).await.expect_status(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    ask(&stack, &[(LOCAL, "garbage")]).await.expect_status(401);
    ask(&stack, &[(LOCAL, &unknown.field()), ("x-api-key", &stack.api_key)]).await.expect_status(200);
    let fingerprint = parsed.fingerprint();
    let limited = table::items(&stack.dynamodb, "rate#cert:").await;
    let names: Vec<_> = limited.iter().filter_map(|item| gatepost::io::table::read_text(item, "pk")).collect();
    assert_eq!(names, [format!("rate#cert:{fingerprint}")]);
    table::put(&stack.dynamodb, &format!("cert#{fingerprint}"), &[("revoked", 1)]).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    ask(&stack, &[(LOCAL, &known.field())]).await.expect_status(401);
}

#[tokio::test]
async fn while_the_table_is_down_tokens_and_known_certificates_go_by_the_policy_of_their_flow() {
    let key = [Key::ed_dsa()];
    let (jwks, owner) = (Jwks::start(published(&key)).await, Stack::start().await);
    let trusted = [
        ("GATEPOST_AUTH_ISSUER", ISSUER),
        ("GATEPOST_AUTH_AUDIENCE", AUDIENCE),
        ("GATEPOST_AUTH_JWKS_URL", jwks.url.as_str()),
    ];
    let stack = Stack::start_with(&["--dynamodb-endpoint", &owner.dynamodb], &trusted).await;
    let (known, unknown) = (Certificate::generate(), Certificate::generate());
    let parsed = ClientCertificate::parse(&known.pem).expect("a certificate");
    register(&owner.dynamodb, &parsed.ids()[0]).await;
    let authorization = format!("Bearer {}", Token::good("EdDSA").signed(&key[0]));
    let (token, certificate) = (("authorization", authorization.as_str()), known.field());
    ask(&stack, &[(LOCAL, &certificate)]).await.expect_status(200);
    owner.kill().await;
    let login = r#"{"email": "nobody", "flow": "login"}"#;
    for shown in [token, (LOCAL, certificate.as_str())] {
        ask(&stack, &[shown]).await.expect_status(200);
        let headers = [shown, ("content-type", "application/json")];
        stack.send("POST", "/v1/validate", &headers, login).await.expect_status(503);
    }
    // Whether it is registered, nobody can tell now.
    ask(&stack, &[(LOCAL, &unknown.field())]).await.expect_status(503);
}
