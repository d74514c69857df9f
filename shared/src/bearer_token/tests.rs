//! Tokens signed here by keys made here. That RSA works is tested through the stack, where such keys are made.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::json;

use super::*;

const NOW_S: u64 = 1_800_000_000;

fn issuer() -> Issuer {
    Issuer { name: "https://i.example".to_owned(), audience: "api".to_owned(), scope: Some("read") }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S)
}

fn key_pair() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("its own form")
}

fn jwk(key: &Ed25519KeyPair) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": URL_SAFE_NO_PAD.encode(key.public_key())})
}

fn set(keys: &Value) -> KeySet {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).expect("a set")
}

/// A good token with other members in header and payload; `null` takes one away.
fn token(key: &Ed25519KeyPair, header: &Value, claims: &Value) -> String {
    let good_header = json!({"alg": "EdDSA", "kid": "k", "typ": "at+jwt"});
    let good_claims = json!({"iss": "https://i.example", "aud": "api", "exp": NOW_S, "scope": "read", "sub": "s"});
    let merged = |good: Value, other: &Value| {
        let (mut members, other) = (good.as_object().cloned().unwrap_or_default(), other.as_object());
        for (name, value) in other.into_iter().flatten() {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        URL_SAFE_NO_PAD.encode(Value::from(members).to_string())
    };
    let signed = format!("{}.{}", merged(good_header, header), merged(good_claims, claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())))
}

fn verified(text: &str, keys: &KeySet) -> Result<Subject, TokenError> {
    BearerToken::parse(text)?.checked(&issuer(), now())?.verify(keys, None)
}

#[test]
fn times_are_believed_to_the_second_of_the_leeway() {
    let key = key_pair();
    let keys = set(&json!([jwk(&key)]));
    for (claims, expected) in [
        (json!({"exp": NOW_S - 59}), None),
        (json!({"exp": NOW_S - 60}), Some(TokenError::Expired)),
        (json!({"exp": NOW_S as f64 - 59.5}), None),
        (json!({"exp": -1}), Some(TokenError::Expired)),
        (json!({"exp": 0}), Some(TokenError::Expired)),
        (json!({"exp": u64::MAX}), None),
        (json!({"exp": null}), Some(TokenError::Missing("exp"))),
        (json!({"exp": true}), Some(TokenError::WrongType("exp"))),
        (json!({"exp": [NOW_S]}), Some(TokenError::WrongType("exp"))),
        (json!({"nbf": NOW_S + 60}), None),
        (json!({"nbf": NOW_S + 61}), Some(TokenError::NotYetValid)),
        (json!({"nbf": "0"}), Some(TokenError::WrongType("nbf"))),
        (json!({"iat": NOW_S + 60}), None),
        (json!({"iat": NOW_S + 61}), Some(TokenError::IssuedInTheFuture)),
        (json!({"iat": {}}), Some(TokenError::WrongType("iat"))),
    ] {
        assert_eq!(verified(&token(&key, &json!({}), &claims), &keys).err(), expected, "{claims}");
    }
}

#[test]
fn what_a_token_says_about_itself_is_checked_one_by_one() {
    let key = key_pair();
    let keys = set(&json!([jwk(&key)]));
    let nothing = json!({});
    for (header, claims, expected) in [
        (&nothing, json!({"aud": ["x", "api"]}), None),
        (&nothing, json!({"aud": []}), Some(TokenError::OtherAudience)),
        (&nothing, json!({"aud": {"api": 1}}), Some(TokenError::WrongType("aud"))),
        (&nothing, json!({"iss": "https://I.example"}), Some(TokenError::UnknownIssuer)),
        (&nothing, json!({"iss": 1}), Some(TokenError::WrongType("iss"))),
        (&nothing, json!({"scope": "reader read-only"}), Some(TokenError::InsufficientScope)),
        (&nothing, json!({"scope": null}), Some(TokenError::InsufficientScope)),
        (&nothing, json!({"scope": ["read"]}), Some(TokenError::WrongType("scope"))),
        (&nothing, json!({"scope": "x", "scp": ["y", "read"]}), None),
        (&nothing, json!({"scp": [1]}), Some(TokenError::WrongType("scp"))),
        (&nothing, json!({"cnf": {"x5t#S256": "AAAA"}}), Some(TokenError::NoCertificate)),
        (&nothing, json!({"cnf": {"x5t#S256": 1}}), Some(TokenError::WrongType("x5t#S256"))),
        (&nothing, json!({"cnf": {}}), Some(TokenError::OtherConfirmation)),
        (&nothing, json!({"sub": ""}), Some(TokenError::Missing("client_id, azp or sub"))),
        (&json!({"crit": []}), json!({}), Some(TokenError::Critical)),
        (&json!({"typ": "JWT"}), json!({}), None),
        (&json!({"typ": null}), json!({}), None),
        (&json!({"typ": "dpop+jwt"}), json!({}), Some(TokenError::OtherType)),
        (&json!({"typ": 1}), json!({}), Some(TokenError::WrongType("typ"))),
        (&json!({"alg": null}), json!({}), Some(TokenError::Missing("alg"))),
        (&json!({"alg": "none"}), json!({}), Some(TokenError::Algorithm)),
        (&json!({"alg": "ES512"}), json!({}), Some(TokenError::Algorithm)),
        (&json!({"alg": "RS256"}), json!({}), Some(TokenError::OtherAlgorithm)),
        (&json!({"kid": "K"}), json!({}), Some(TokenError::UnknownKey)),
        (&json!({"kid": null}), json!({}), None),
        (&json!({"kid": ["k"]}), json!({}), Some(TokenError::WrongType("kid"))),
    ] {
        assert_eq!(verified(&token(&key, header, &claims), &keys).err(), expected, "{header} {claims}");
    }
}

#[test]
fn a_key_is_used_for_what_its_publisher_says_and_nothing_else() {
    let key = key_pair();
    for (member, value, is_usable) in [
        ("use", json!("sig"), true),
        ("use", json!("enc"), false),
        ("use", json!(1), false),
        ("key_ops", json!(["verify"]), true),
        ("key_ops", json!(["sign"]), false),
        ("key_ops", json!("verify"), false),
        ("alg", json!("EdDSA"), true),
        ("alg", json!("ES256"), false),
        ("alg", json!("HS256"), false),
        ("crv", json!("X25519"), false),
        ("kty", json!("EC"), false),
        ("kty", json!("oct"), false),
        ("x", json!("AAAA"), false),
        ("d", json!("AAAA"), false),
        ("kid", json!(1), false),
        ("x5c", json!(["AAAA"]), true),
    ] {
        let mut changed = jwk(&key);
        changed[member] = value.clone();
        let keys = set(&json!([changed]));
        assert_eq!((keys.len(), keys.ignored()), if is_usable { (1, 0) } else { (0, 1) }, "{member}: {value}");
        let good = verified(&token(&key, &json!({}), &json!({})), &keys);
        assert_eq!(good.is_ok(), is_usable, "{member}: {value}");
    }
    let twice = set(&json!([jwk(&key), jwk(&key)]));
    assert_eq!(verified(&token(&key, &json!({}), &json!({})), &twice).err(), Some(TokenError::AmbiguousKey));
}

#[test]
fn rsa_keys_are_strong_and_plainly_written() {
    let rsa = |modulus: &[u8]| {
        let keys = set(&json!([{"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"}]));
        keys.len()
    };
    for (octets, expected) in [(128, 0), (255, 0), (256, 1), (512, 1), (1024, 1), (1025, 0)] {
        assert_eq!(rsa(&vec![0xff; octets]), expected, "{octets}");
    }
    assert_eq!(rsa(&[&[0x7f], &[0xff; 255][..]].concat()), 0, "2047 bits");
    assert_eq!(rsa(&[&[0], &[0xff; 256][..]].concat()), 0, "a leading zero");
    assert_eq!(rsa(&[]), 0);
}

#[test]
fn a_document_that_is_no_key_set_is_told_by_what_is_wrong() {
    let many = json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string();
    let large = format!("{{\"keys\": []{}}}", " ".repeat(MAX_SET_OCTETS));
    for (text, expected) in [
        ("{\"keys\": []}", Ok(KeySet::default())),
        ("", Err(KeySetError::NotJson)),
        ("[]", Err(KeySetError::NotJson)),
        ("{\"keys\": [], \"keys\": []}", Err(KeySetError::NotJson)),
        ("{}", Err(KeySetError::NoKeys)),
        ("{\"keys\": {}}", Err(KeySetError::NoKeys)),
        (&many, Err(KeySetError::TooManyKeys)),
        (&large, Err(KeySetError::TooLarge)),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes()), expected, "{text:.40}");
    }
}

#[test]
fn the_id_of_a_caller_is_safe_to_log_and_nobody_elses() {
    let key = key_pair();
    let keys = set(&json!([jwk(&key)]));
    let secret = HashSecret::new("secret");
    let id = |claims: &Value| {
        let subject = verified(&token(&key, &json!({}), claims), &keys).expect("a subject");
        subject.caller_id(&secret)
    };
    let plain = id(&json!({"client_id": "web-shop", "sub": "ann"}));
    assert!(plain.starts_with("token:") && plain.ends_with(":web-shop"), "{plain}");
    assert_eq!(plain, id(&json!({"azp": "web-shop"})));
    let long = "x".repeat(1000);
    let names = [
        json!({"client_id": "s"}),
        json!({"sub": "s"}),
        json!({"client_id": "a b"}),
        json!({"client_id": "a\n"}),
        json!({"client_id": "~s"}),
        json!({"client_id": "ann@i.example"}),
        json!({"client_id": long}),
        json!({"sub": long}),
    ];
    let ids: std::collections::BTreeSet<String> = names.iter().map(id).collect();
    assert_eq!(ids.len(), names.len(), "{ids:?}");
    for id in &ids {
        let is_safe = |octet: u8| octet.is_ascii_alphanumeric() || b":~-_.".contains(&octet);
        assert!(id.len() <= 80 && id.bytes().all(is_safe) && !id.contains("ann"), "{id}");
    }
    let elsewhere = Subject { issuer: "https://other.example".to_owned(), name: Name::Client("web-shop".to_owned()) };
    assert_ne!(elsewhere.caller_id(&secret), plain);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_of_tokens_panic(text in "\\PC*", header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
        let encoded = [&header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        for text in [text.clone(), format!("{}.{}.{text}", encoded[0], encoded[1])] {
            prop_assert!(BearerToken::parse(&text).is_err());
        }
        prop_assert!(KeySet::parse(&header).is_err());
    }

    #[test]
    fn no_other_octet_of_a_token_is_believed(position in 0_usize..200, other in "[A-Za-z0-9_.-]") {
        let key = key_pair();
        let good = token(&key, &json!({}), &json!({}));
        let at = position % good.len();
        let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
        prop_assume!(changed != good);
        prop_assert!(verified(&changed, &set(&json!([jwk(&key)]))).is_err());
    }
}
