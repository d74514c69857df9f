//! An issuer of tokens on loopback: keys made at run time, a JWKS endpoint that can misbehave, and tokens of every kind.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Response, StatusCode, header::LOCATION},
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaEncoding,
    },
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

use super::rsa;

pub(super) const ISSUER: &str = "https://issuer.example/";
pub(super) const AUDIENCE: &str = "https://gate.example";
pub(super) const CLIENT: &str = "web-shop";

/// A private key.
pub(super) enum Key {
    Rs256,
    Ps256,
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Key {
    pub(super) fn es256() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random);
        Self::Es256(key.expect("its own form"))
    }

    pub(super) fn ed_dsa() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::EdDsa(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("its own form"))
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// The public key; no `alg`, unless a test adds it.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        match self {
            Self::Rs256 | Self::Ps256 => {
                let public: ring::rsa::PublicKeyComponents<Vec<u8>> = rsa::key_pair().public().into();
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": text(&public.n), "e": text(&public.e)})
            }
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": text(x), "y": text(y)})
            }
            Self::EdDsa(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(key.public_key().as_ref())})
            }
        }
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        match self {
            Self::Rs256 => rsa_signature(&RSA_PKCS1_SHA256, text),
            Self::Ps256 => rsa_signature(&RSA_PSS_SHA256, text),
            Self::Es256(key) => key.sign(&SystemRandom::new(), text.as_bytes()).expect("signed").as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
        }
    }
}

fn rsa_signature(padding: &'static dyn RsaEncoding, text: &str) -> Vec<u8> {
    let key = rsa::key_pair();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("signed");
    signature
}

/// What a token is made of.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) header: Value,
    pub(super) claims: Value,
}

impl Token {
    /// One that has to be believed.
    pub(super) fn good(kid: &str) -> Self {
        let now = now();
        Self {
            header: json!({"typ": "at+jwt", "kid": kid}),
            claims: json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": "ann.secret@example.com", "client_id": CLIENT,
                "scope": "openid gatepost:validate", "iat": now - 5, "nbf": now - 5, "exp": now + 300,
            }),
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub(super) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("claims").shift_remove(name);
        self
    }

    /// Signed by the algorithm of the key, which the header names unless a test made it say otherwise.
    pub(super) fn signed(&self, key: &Key) -> String {
        let mut header = self.header.clone();
        if header.get("alg").is_none() {
            header["alg"] = key.algorithm().into();
        }
        compact(&header.to_string(), &self.claims.to_string(), |text| key.sign(text))
    }
}

pub(super) fn compact(header: &str, claims: &str, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(&signed);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[expect(clippy::disallowed_methods, reason = "an issuer writes the time into its tokens")]
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// How an endpoint answers.
#[derive(Clone)]
pub(super) enum Answers {
    Keys(Vec<Value>),
    Text(String),
    Hangs,
    Fails,
    RedirectsTo(String),
}

/// A JWKS endpoint.
pub(super) struct Jwks {
    pub(super) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Mutex<Answers>,
    fetches: AtomicUsize,
    first_fetch: OnceLock<Instant>,
}

impl Jwks {
    pub(super) async fn start(answers: Answers) -> Self {
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers),
            fetches: AtomicUsize::new(0),
            first_fetch: OnceLock::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/jwks.json", listener.local_addr().expect("bound"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(super) fn answer(&self, answers: Answers) {
        *self.shared.answers.lock().expect("nobody panicked") = answers;
    }

    /// How long ago somebody came first; zero while nobody did.
    pub(super) fn first_fetched_ago(&self) -> Duration {
        self.shared.first_fetch.get().map(Instant::elapsed).unwrap_or_default()
    }

    pub(super) fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }
}

async fn answer(State(shared): State<Arc<Shared>>) -> Response<Body> {
    shared.first_fetch.get_or_init(Instant::now);
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let answers = shared.answers.lock().expect("nobody panicked").clone();
    match answers {
        Answers::Keys(keys) => json!({"keys": keys}).to_string().into_response(),
        Answers::Text(text) => text.into_response(),
        Answers::Hangs => pending().await,
        Answers::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Answers::RedirectsTo(url) => (StatusCode::FOUND, [(LOCATION, url)]).into_response(),
    }
}
