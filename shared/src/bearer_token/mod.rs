//! Bearer tokens (RFC 6750) that are signed JWTs (RFC 7519), RFC 9068 access tokens among them.
//!
//! A token passes three doors, and each type is the key of the next: [`BearerToken::parse`] knows its form,
//! [`BearerToken::checked`] its issuer, audience and times, [`Checked::verify`] its signature, scope and certificate. The
//! key decides by which algorithm a token is verified (RFC 8725 §3.1), and keys come from the issuer's set alone: `jku`,
//! `x5u`, `jwk` and `x5c` are never read.

mod algorithm;
mod claims;
mod issuer;
mod key_set;
mod strict_json;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::{Map, Value};

use self::claims::Claims;
pub use self::{
    algorithm::Algorithm,
    claims::LEEWAY,
    issuer::{Issuer, JwksUrl, JwksUrlError},
    key_set::{KeySet, KeySetError, MAX_KEYS, MAX_SET_OCTETS},
};
use crate::{
    api_key::{HashSecret, hex},
    client_certificate::ClientCertificate,
};

/// Longer tokens are refused unread.
pub const MAX_TOKEN_OCTETS: usize = 8 * 1024;

/// `typ` of what may be an access token, without `application/` and in lower case (RFC 7515 §4.1.9, RFC 9068 §2.1).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Names of clients that are short and plain enough for logs and table keys as they are.
const MAX_PLAIN_NAME: usize = 64;

/// A token whose form is right. Nothing of what it says is believed yet.
#[derive(Debug, Clone)]
pub struct BearerToken {
    header: Header,
    claims: Claims,
    /// What the signature is over: the first two parts with the dot between them.
    signed: String,
    signature: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

/// A token that claims to be from a trusted issuer, for us, and for now.
#[derive(Debug, Clone)]
pub struct Checked<'a> {
    token: &'a BearerToken,
    issuer: &'a Issuer,
}

/// Whom a verified token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    issuer: String,
    name: Name,
}

/// A client and a resource owner may bear the same name and are not the same (RFC 9068 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Client(String),
    Subject(String),
}

/// Why a token is not believed. For the log; a client learns no more than that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has more than {MAX_TOKEN_OCTETS} octets")]
    TooLarge,
    #[error("the token does not have three parts")]
    NotCompact,
    #[error("the {0} of the token is not base64url without padding")]
    Encoding(&'static str),
    #[error("the {0} of the token is no JSON object, or a member of it stands twice")]
    NotJson(&'static str),
    #[error("the algorithm is none of RS256, PS256, ES256 and EdDSA")]
    Algorithm,
    #[error("the token is of a type that is no access token")]
    OtherType,
    #[error("the token names an extension as critical, and we know none")]
    Critical,
    #[error("{0} is of another type than it should be")]
    WrongType(&'static str),
    #[error("the token has no {0}")]
    Missing(&'static str),
    #[error("the issuer is not trusted")]
    UnknownIssuer,
    #[error("the token is for another audience")]
    OtherAudience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token was issued in the future")]
    IssuedInTheFuture,
    #[error("the issuer lists no such key")]
    UnknownKey,
    #[error("the issuer lists several keys that could be meant")]
    AmbiguousKey,
    #[error("the key is for another algorithm than the token names")]
    OtherAlgorithm,
    #[error("the signature does not verify")]
    BadSignature,
    #[error("the token asks for a proof that cannot be checked here")]
    OtherConfirmation,
    #[error("the token is bound to a certificate, and none was presented")]
    NoCertificate,
    #[error("the token is bound to another certificate")]
    OtherCertificate,
    #[error("the caller is revoked")]
    Revoked,
    #[error("the token does not hold the scope that is needed")]
    InsufficientScope,
}

impl BearerToken {
    /// Reads the compact serialization of a JWS (RFC 7515 §3.1).
    ///
    /// # Errors
    /// What about its form is wrong; nobody was asked anything.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if MAX_TOKEN_OCTETS < text.len() {
            return Err(TokenError::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::NotCompact)?;
        if payload.contains('.') {
            return Err(TokenError::NotCompact);
        }
        Ok(Self {
            header: Header::read(&object(header, "header")?)?,
            claims: Claims::read(&object(payload, "payload")?)?,
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Encoding("signature"))?,
        })
    }

    /// Who issued the token, if it is genuine.
    #[must_use]
    pub fn claimed_issuer(&self) -> &str {
        &self.claims.issuer
    }

    /// # Errors
    /// When the token is from another issuer, for another audience, or not for now. Costs nothing: no key is needed.
    pub fn checked<'a>(&'a self, issuer: &'a Issuer, now: SystemTime) -> Result<Checked<'a>, TokenError> {
        self.claims.check(issuer, now)?;
        Ok(Checked { token: self, issuer })
    }
}

impl Checked<'_> {
    /// # Errors
    /// [`TokenError::UnknownKey`] when a newer key set might hold the key; everything else is final. That the scope is
    /// insufficient is told of genuine tokens only.
    pub fn verify(&self, keys: &KeySet, certificate: Option<&ClientCertificate>) -> Result<Subject, TokenError> {
        let Self { token, issuer } = self;
        let key = keys.key_for(token.header.key_id.as_deref(), token.header.algorithm)?;
        key.verify(token.header.algorithm, token.signed.as_bytes(), &token.signature)?;
        token.claims.check_confirmation(certificate)?;
        token.claims.check_scope(issuer)?;
        token.claims.clone().subject()
    }
}

impl Header {
    fn read(header: &Map<String, Value>) -> Result<Self, TokenError> {
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let algorithm = text(header, "alg")?.ok_or(TokenError::Missing("alg"))?;
        let kind = text(header, "typ")?.unwrap_or("jwt").to_ascii_lowercase();
        if !TYPES.contains(&kind.strip_prefix("application/").unwrap_or(&kind)) {
            return Err(TokenError::OtherType);
        }
        Ok(Self {
            algorithm: Algorithm::parse(algorithm).ok_or(TokenError::Algorithm)?,
            key_id: text(header, "kid")?.map(str::to_owned),
        })
    }
}

impl Subject {
    /// Names the caller in logs, counters and limits: of bounded length, never equal to the id of an API key or a
    /// certificate, and different for every issuer. Only plain names of clients are shown; a `sub` may be a person.
    #[must_use]
    pub fn caller_id(&self, secret: &HashSecret) -> String {
        let issuer = hex(digest::digest(&digest::SHA256, self.issuer.as_bytes()).as_ref());
        let issuer = issuer.get(..8).unwrap_or_default();
        match &self.name {
            Name::Client(name) if is_plain(name) => format!("token:{issuer}:{name}"),
            Name::Client(name) => format!("token:{issuer}:~{}", secret.pseudonym(&format!("client {name}"))),
            Name::Subject(name) => format!("token:{issuer}:~{}", secret.pseudonym(&format!("subject {name}"))),
        }
    }
}

fn is_plain(name: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    name.len() <= MAX_PLAIN_NAME && name.bytes().all(is_plain)
}

fn object(part: &str, name: &'static str) -> Result<Map<String, Value>, TokenError> {
    let octets = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Encoding(name))?;
    strict_json::object(&octets).ok_or(TokenError::NotJson(name))
}

fn text<'a>(header: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::WrongType(name)),
    }
}
