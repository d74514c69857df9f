//! What a token says (RFC 7519 §4, RFC 9068 §2.2). Every claim that is looked at has its type checked: one of another type
//! is a reason to refuse, never one to go on without it.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{Issuer, Subject, TokenError};
use crate::client_certificate::ClientCertificate;

/// How far the clocks of an issuer and ours may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// Names the one kind of confirmation that can be checked here (RFC 8705 §3.1).
const THUMBPRINT: &str = "x5t#S256";

/// The claims of a token that nobody has verified yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claims {
    pub(super) issuer: String,
    audiences: Vec<String>,
    /// Seconds since the Unix epoch, as the other times.
    expires: f64,
    not_before: Option<f64>,
    issued: Option<f64>,
    scopes: Vec<String>,
    client: Option<String>,
    subject: Option<String>,
    confirmation: Option<Confirmation>,
}

/// What the sender of a token has to show beside it (RFC 7800 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Confirmation {
    Certificate {
        thumbprint: String,
    },
    /// A proof that we cannot check: taken for a plain bearer token it would be worth more than its issuer meant.
    Other,
}

impl Claims {
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, TokenError> {
        let client = optional_text(claims, "client_id")?.or(optional_text(claims, "azp")?);
        Ok(Self {
            issuer: optional_text(claims, "iss")?.ok_or(TokenError::Missing("iss"))?,
            audiences: texts(claims, "aud")?,
            expires: time(claims, "exp")?.ok_or(TokenError::Missing("exp"))?,
            not_before: time(claims, "nbf")?,
            issued: time(claims, "iat")?,
            scopes: scopes(claims)?,
            client: client.filter(|client| !client.is_empty()),
            subject: optional_text(claims, "sub")?.filter(|subject| !subject.is_empty()),
            confirmation: confirmation(claims)?,
        })
    }

    /// Meant for us, and now.
    pub(super) fn check(&self, issuer: &Issuer, now: SystemTime) -> Result<(), TokenError> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = LEEWAY.as_secs_f64();
        let is_early = |time: Option<f64>| time.is_some_and(|time| now + leeway < time);
        if self.issuer != issuer.name {
            Err(TokenError::UnknownIssuer)
        } else if !self.audiences.contains(&issuer.audience) {
            Err(TokenError::OtherAudience)
        } else if self.expires + leeway <= now {
            Err(TokenError::Expired)
        } else if is_early(self.not_before) {
            Err(TokenError::NotYetValid)
        } else if is_early(self.issued) {
            Err(TokenError::IssuedInTheFuture)
        } else {
            Ok(())
        }
    }

    /// The certificate that the token is bound to, if it is bound, was presented.
    pub(super) fn check_confirmation(&self, presented: Option<&ClientCertificate>) -> Result<(), TokenError> {
        match (&self.confirmation, presented) {
            (None, _) => Ok(()),
            (Some(Confirmation::Other), _) => Err(TokenError::OtherConfirmation),
            (Some(Confirmation::Certificate { .. }), None) => Err(TokenError::NoCertificate),
            (Some(Confirmation::Certificate { thumbprint }), Some(certificate)) => {
                certificate.is_named_by(thumbprint).then_some(()).ok_or(TokenError::OtherCertificate)
            }
        }
    }

    pub(super) fn check_scope(&self, issuer: &Issuer) -> Result<(), TokenError> {
        let holds = |wanted: &str| self.scopes.iter().any(|scope| scope == wanted);
        if issuer.scope.is_none_or(holds) { Ok(()) } else { Err(TokenError::InsufficientScope) }
    }

    pub(super) fn subject(self) -> Result<Subject, TokenError> {
        let Self { issuer, client, subject, .. } = self;
        let name = match (client, subject) {
            (Some(client), _) => super::Name::Client(client),
            (None, Some(subject)) => super::Name::Subject(subject),
            (None, None) => return Err(TokenError::Missing("client_id, azp or sub")),
        };
        Ok(Subject { issuer, name })
    }
}

fn optional_text(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::WrongType(name)),
    }
}

/// A `NumericDate` (RFC 7519 §2), which may have a fraction.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(TokenError::WrongType(name)),
    }
}

/// A text, or a list of texts.
fn texts(claims: &Map<String, Value>, name: &'static str) -> Result<Vec<String>, TokenError> {
    match claims.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            texts.ok_or(TokenError::WrongType(name))
        }
        Some(_) => Err(TokenError::WrongType(name)),
    }
}

/// `scope` (RFC 8693 §4.2), and `scp`, as some issuers write it.
fn scopes(claims: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let written = optional_text(claims, "scope")?.into_iter().chain(texts(claims, "scp")?);
    Ok(written.flat_map(|scopes| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect())
}

fn confirmation(claims: &Map<String, Value>) -> Result<Option<Confirmation>, TokenError> {
    let Some(confirmation) = claims.get("cnf") else { return Ok(None) };
    let members = confirmation.as_object().ok_or(TokenError::WrongType("cnf"))?;
    let thumbprint = optional_text(members, THUMBPRINT)?;
    Ok(Some(match thumbprint {
        Some(thumbprint) if members.len() == 1 => Confirmation::Certificate { thumbprint },
        Some(_) | None => Confirmation::Other,
    }))
}
