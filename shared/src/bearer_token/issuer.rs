//! Whose tokens are believed, and what for.

use std::net::IpAddr;

/// An issuer that is trusted, and what its tokens must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// `iss`, to the letter.
    pub name: String,
    /// One of `aud`.
    pub audience: String,
    /// What a token must hold; `None` where whoever issued it has decided already, as an identity-aware proxy does.
    pub scope: Option<&'static str>,
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(String);

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksUrlError {
    #[error("{0:?} is not an https URL (http is for loopback addresses)")]
    NotHttps(String),
    #[error("{0:?} holds a user name, a fragment, or a character that no URL has")]
    Malformed(String),
}

impl JwksUrl {
    /// # Errors
    /// Keys that came over a network in the clear could be anybody's.
    pub fn parse(text: &str) -> Result<Self, JwksUrlError> {
        let is_secure = match text.split_once("://") {
            Some(("https", rest)) => !host_of(rest).is_empty(),
            Some(("http", rest)) => is_loopback(host_of(rest)),
            _ => false,
        };
        let is_plain = text.bytes().all(|octet| octet.is_ascii_graphic() && !b"@#\\\"<>^`{|}".contains(&octet));
        match (is_secure, is_plain) {
            (true, true) => Ok(Self(text.to_owned())),
            (_, false) => Err(JwksUrlError::Malformed(text.to_owned())),
            (false, true) => Err(JwksUrlError::NotHttps(text.to_owned())),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What follows the scheme, as far as the host goes, brackets included.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.split_once(']') {
        Some((address, _)) => authority.get(..=address.len()).unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_in_the_clear_from_loopback_only() {
        for good in [
            "https://idp.example/.well-known/jwks.json",
            "https://idp.example:8443",
            "https://192.0.2.1/keys?a=b",
            "http://127.0.0.1:1/jwks",
            "http://127.9.9.9/",
            "http://[::1]:1/jwks",
            "http://localhost:1/jwks",
        ] {
            assert_eq!(JwksUrl::parse(good).as_ref().map(JwksUrl::as_str), Ok(good));
        }
        let clear = |text: &str| JwksUrlError::NotHttps(text.to_owned());
        for bad in [
            "",
            "idp.example",
            "http://idp.example/",
            "http://127.0.0.1.evil.example/",
            "http://192.0.2.1/",
            "http://[2001:db8::1]/",
            "http://localhost.evil.example/",
            "file:///keys",
            "HTTPS://idp.example/",
            "https:///keys",
            "https://:443/",
        ] {
            assert_eq!(JwksUrl::parse(bad), Err(clear(bad)));
        }
        for bad in
            ["http://127.0.0.1@evil.example/", "https://idp.example/#keys", "https://idp.example/a b", "https://é/"]
        {
            assert_eq!(JwksUrl::parse(bad), Err(JwksUrlError::Malformed(bad.to_owned())));
        }
    }
}
