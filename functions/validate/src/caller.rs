//! Who calls: the client of an API key, of a bearer token, or of a certificate.

use std::{sync::Arc, time::SystemTime};

use gatepost::{
    api_key::{ApiKey, HashSecret},
    bearer_token::{BearerToken, TokenError},
    client_certificate::ClientCertificate,
    io::{
        callers::Callers,
        client_rows::Client,
        jwks::{Issuers, SubjectError},
        keys::Keys,
        table::Table,
    },
    ip_prefix::IpPrefix,
    rate_limit::Quota,
    weights::Weights,
};
use lambda_http::{
    Request, RequestExt,
    http::{
        HeaderMap, HeaderName,
        header::{AUTHORIZATION, AsHeaderName},
    },
    request::RequestContext,
};

use crate::{failures::Failures, gate::GateConfig, problem::ValidateError, source_ip};

/// The longest API key that is looked at.
const MAX_KEY_OCTETS: usize = 512;

pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a token has to hold.
pub(crate) const SCOPE: &str = "gatepost:validate";

/// An authenticated client and what it may spend.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Safe to log.
    pub(crate) id: String,
    pub(crate) quota: Quota,
    /// Of each of its end users.
    pub(crate) client_ip_quota: Quota,
    /// How much reasons weigh for this client.
    pub(crate) weights: Arc<Weights>,
}

/// Knows callers by what they show. One per instance.
pub(crate) struct Door {
    keys: Keys,
    callers: Callers,
    issuers: Issuers,
    /// The header field of an identity-aware proxy, and whom it is believed from.
    proxy: Option<(HeaderName, Issuers)>,
    pseudonyms: HashSecret,
    failures: Failures,
}

/// What a request shows; well-formed as far as that can be told without asking anyone.
enum Credential<'a> {
    Key(ApiKey),
    Token(Box<BearerToken>, &'a Issuers, Option<ClientCertificate>),
    Certificate(ClientCertificate),
}

impl Door {
    /// What is looked up or fetched is believed for `refresh_every`.
    pub(crate) fn new(table: &Table, config: &GateConfig) -> Self {
        let (hash_secret, tokens, refresh_every) = (&config.key_hash_secret, &config.tokens, config.auth_refresh);
        let of_proxy = tokens.proxy.as_ref();
        Self {
            failures: Failures::new(config.failures_per_minute),
            keys: Keys::new(table.clone(), HashSecret::new(hash_secret), refresh_every),
            callers: Callers::new(table.clone(), refresh_every),
            issuers: Issuers::new(&tokens.issuers, refresh_every),
            proxy: of_proxy
                .map(|proxy| (proxy.header.clone(), Issuers::new(std::slice::from_ref(&proxy.issuer), refresh_every))),
            pseudonyms: HashSecret::new(hash_secret),
        }
    }

    /// Who calls. A source that was refused too often is not worth a read any more, nor an answer that tells one refusal
    /// from another; who shows something that is known to be good is let in from anywhere.
    pub(crate) async fn client(&self, request: &Request, now: SystemTime) -> Result<Client, ValidateError> {
        let source = source_ip(request).map(IpPrefix::of_subscriber);
        let wait = source.and_then(|source| self.failures.wait(source, now));
        let found = match (self.credential(request), wait) {
            (Ok(credential), None) => self.client_of(credential, now).await,
            (Ok(credential), Some(_)) => self.known_client_of(credential, now).await,
            (Err(error), _) => Err(error),
        };
        match (found, source, wait) {
            (Err(error), Some(source), None) if error.is_failed_authentication() => {
                self.failures.note(source, now);
                Err(error)
            }
            (Err(error), _, Some(retry_after)) if error.is_failed_authentication() => {
                Err(ValidateError::TooManyFailures { retry_after, policy: self.failures.policy() })
            }
            (found, ..) => found,
        }
    }

    async fn client_of(&self, credential: Credential<'_>, now: SystemTime) -> Result<Client, ValidateError> {
        match credential {
            Credential::Key(api_key) => {
                let client = self.keys.client_of(&api_key, now).await.map_err(ValidateError::Unavailable)?;
                client.ok_or(ValidateError::Unauthenticated)
            }
            Credential::Certificate(certificate) => {
                let client = self.callers.of_certificate(&certificate, now).await;
                client.map_err(ValidateError::Unavailable)?.ok_or(ValidateError::Unauthenticated)
            }
            Credential::Token(token, issuers, certificate) => {
                let subject = issuers.subject_of(&token, certificate.as_ref(), now).await.map_err(of_subject)?;
                let client = self.callers.of_token(&subject.caller_id(&self.pseudonyms), now).await;
                client.ok_or(ValidateError::InvalidToken(TokenError::Revoked))
            }
        }
    }

    /// Keys and certificates go by memory alone. A token proves itself.
    async fn known_client_of(&self, credential: Credential<'_>, now: SystemTime) -> Result<Client, ValidateError> {
        let known = match &credential {
            Credential::Key(api_key) => self.keys.remembered_client_of(api_key, now),
            Credential::Certificate(certificate) => self.callers.remembered_certificate(certificate, now),
            Credential::Token(..) => return self.client_of(credential, now).await,
        };
        known.ok_or(ValidateError::Unauthenticated)
    }

    /// Fetches the keys of issuers that are due, while nobody waits.
    pub(crate) async fn refresh(&self, now: SystemTime) {
        let of_proxy = async {
            if let Some((_, issuers)) = &self.proxy {
                issuers.refresh(now).await;
            }
        };
        tokio::join!(self.issuers.refresh(now), of_proxy);
    }

    /// Asks nobody. A certificate goes with every request of a client that has one, and is a credential of its own only
    /// where there is no other.
    fn credential(&self, request: &Request) -> Result<Credential<'_>, ValidateError> {
        let certificate = presented_certificate(request)?;
        let headers = request.headers();
        let api_key = field(headers, API_KEY)?;
        let of_proxy = self.proxy.as_ref();
        let by_proxy = of_proxy.map(|(header, issuers)| Ok((field(headers, header)?, issuers))).transpose()?;
        let by_proxy = by_proxy.and_then(|(text, issuers)| Some((text?, issuers)));
        let token = field(headers, AUTHORIZATION)?.and_then(bearer).map(|text| (text, &self.issuers));
        match (api_key, token, by_proxy, certificate) {
            (Some(text), None, None, _) => known_shape(text).map(Credential::Key).ok_or(ValidateError::Unauthenticated),
            (None, Some((text, issuers)), None, certificate) | (None, None, Some((text, issuers)), certificate) => {
                let token = BearerToken::parse(text).map_err(ValidateError::InvalidToken)?;
                Ok(Credential::Token(Box::new(token), issuers, certificate))
            }
            (None, None, None, Some(certificate)) => Ok(Credential::Certificate(certificate)),
            (None, None, None, None) => Err(ValidateError::Unauthenticated),
            // Which of them decides about limits and rights would be a guess.
            _ => Err(ValidateError::SeveralCredentials),
        }
    }
}

/// An API key whose shape and checksum are right.
fn known_shape(text: &str) -> Option<ApiKey> {
    if MAX_KEY_OCTETS < text.len() { None } else { ApiKey::parse(text) }
}

/// What follows the scheme `Bearer` (RFC 6750 §2.1; schemes are case-insensitive, RFC 9110 §11.1). Another scheme is no
/// credential that we know.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

fn field(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, ValidateError> {
    let text = headers.get(name).map(|value| value.to_str()).transpose();
    text.map_err(|_| ValidateError::Unauthenticated)
}

/// The certificate that API Gateway took from the TLS handshake; nothing that a client could write into a header field.
fn presented_certificate(request: &Request) -> Result<Option<ClientCertificate>, ValidateError> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return Ok(None) };
    let certificate = context.authentication.as_ref().and_then(|shown| shown.client_cert.as_ref());
    let pem = certificate.and_then(|certificate| certificate.client_cert_pem.as_deref());
    pem.map(|pem| ClientCertificate::parse(pem).ok_or(ValidateError::Unauthenticated)).transpose()
}

fn of_subject(error: SubjectError) -> ValidateError {
    match error {
        SubjectError::Token(TokenError::InsufficientScope) => ValidateError::InsufficientScope,
        SubjectError::Token(reason) => ValidateError::InvalidToken(reason),
        SubjectError::NoKeys => ValidateError::IssuerUnavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_told_from_the_token_in_any_case() {
        for (field, expected) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer a.b.c", Some("a.b.c")),
            ("BEARER   a.b.c ", Some("a.b.c")),
            ("Bearer", Some("")),
            ("Bearer a.b.c,Bearer d.e.f", Some("a.b.c,Bearer d.e.f")),
            ("Basic YTpi", None),
            ("Bearera.b.c", None),
            ("", None),
        ] {
            assert_eq!(bearer(field), expected, "{field}");
        }
    }
}
