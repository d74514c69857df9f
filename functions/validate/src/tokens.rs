//! Settings of bearer tokens: whose are believed, and what for.

use gatepost::{
    bearer_token::{Issuer, JwksUrl},
    config::{self, Reader, Setting},
    io::jwks::TrustedIssuer,
};
use lambda_http::http::{
    HeaderName,
    header::{AUTHORIZATION, COOKIE, HOST},
};

use crate::caller::{API_KEY, SCOPE};

/// Whose tokens are believed.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    pub(crate) issuers: Vec<TrustedIssuer>,
    pub(crate) proxy: Option<Proxy>,
}

/// An identity-aware proxy in front: it says who calls in a header field of its own, signed.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) header: HeaderName,
    pub(crate) issuer: TrustedIssuer,
}

/// The three settings that speak of the same issuers in the same order.
struct Columns {
    issuer: Setting,
    audience: Setting,
    jwks_url: Setting,
}

const CLIENTS: Columns =
    Columns { issuer: config::AUTH_ISSUER, audience: config::AUTH_AUDIENCE, jwks_url: config::AUTH_JWKS_URL };

const PROXY: Columns = Columns {
    issuer: config::AUTH_PROXY_ISSUER,
    audience: config::AUTH_PROXY_AUDIENCE,
    jwks_url: config::AUTH_PROXY_JWKS_URL,
};

impl TokenConfig {
    /// Faults go to the reader.
    pub(crate) fn read<F: Fn(&str) -> Option<String>>(read: &mut Reader<F>) -> Self {
        Self { issuers: CLIENTS.read(read, Some(SCOPE)), proxy: Proxy::read(read) }
    }
}

impl Proxy {
    fn read<F: Fn(&str) -> Option<String>>(read: &mut Reader<F>) -> Option<Self> {
        let name = read.text(config::AUTH_PROXY_HEADER);
        // Whom a proxy lets through it has authorized itself; its tokens hold no scope of ours.
        let mut issuers = PROXY.read(read, None);
        if issuers.len() != usize::from(!name.is_empty()) {
            read.refuse(config::AUTH_PROXY_HEADER, &"goes with one issuer, its audience and its jwks_url");
            return None;
        }
        let issuer = issuers.pop()?;
        match name.parse() {
            Ok(header) if ![AUTHORIZATION, COOKIE, HOST, API_KEY].contains(&header) => Some(Self { header, issuer }),
            Ok(_) | Err(_) => {
                read.refuse(config::AUTH_PROXY_HEADER, &format!("{name:?} is no header field of a proxy"));
                None
            }
        }
    }
}

impl Columns {
    fn read<F: Fn(&str) -> Option<String>>(
        &self,
        read: &mut Reader<F>,
        scope: Option<&'static str>,
    ) -> Vec<TrustedIssuer> {
        let [names, audiences, urls] = [self.issuer, self.audience, self.jwks_url].map(|setting| read.items(setting));
        if names.len() != audiences.len() || names.len() != urls.len() {
            let (issuers, audiences, urls) = (names.len(), audiences.len(), urls.len());
            let why = format!("{issuers} issuers, {audiences} audiences and {urls} URLs of keys do not go together");
            read.refuse(self.issuer, &why);
        }
        let mut trusted: Vec<TrustedIssuer> = Vec::new();
        for ((name, audience), url) in names.into_iter().zip(audiences).zip(urls) {
            if trusted.iter().any(|known| known.issuer.name == name) {
                read.refuse(self.issuer, &format!("{name:?} is there twice"));
            }
            match JwksUrl::parse(&url) {
                Ok(jwks_url) => trusted.push(TrustedIssuer { issuer: Issuer { name, audience, scope }, jwks_url }),
                Err(error) => read.refuse(self.jwks_url, &error),
            }
        }
        trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<TokenConfig, String> {
        let mut read = Reader::new(|name: &str| {
            let of = settings.iter().find(|(key, _)| name.strip_prefix("GATEPOST_AUTH_") == Some(key));
            of.map(|(_, value)| (*value).to_owned())
        });
        let config = TokenConfig::read(&mut read);
        read.finish(config).map_err(|error| error.to_string())
    }

    #[test]
    fn issuers_audiences_and_urls_go_together_in_order() {
        let config = read(&[
            ("ISSUER", "https://One.example/, https://two.example"),
            ("AUDIENCE", "api, API"),
            ("JWKS_URL", "https://one.example/keys,http://127.0.0.1:1/keys"),
        ]);
        let issuers = config.expect("good settings").issuers;
        let told: Vec<_> = issuers
            .iter()
            .map(|trusted| (&*trusted.issuer.name, &*trusted.issuer.audience, trusted.jwks_url.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("https://One.example/", "api", "https://one.example/keys"),
                ("https://two.example", "API", "http://127.0.0.1:1/keys")
            ]
        );
        let none = read(&[]).expect("nothing has to be said");
        assert!(none.issuers.is_empty() && none.proxy.is_none());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = read(&[
            ("ISSUER", "https://one.example,https://one.example"),
            ("AUDIENCE", "api,api"),
            ("JWKS_URL", "https://one.example/keys,http://one.example/keys"),
            ("PROXY_HEADER", "authorization"),
            ("PROXY_ISSUER", "https://proxy.example"),
            ("PROXY_AUDIENCE", "a"),
            ("PROXY_JWKS_URL", "https://proxy.example/keys"),
        ]);
        assert_eq!(
            faults.expect_err("three faults"),
            "configuration: GATEPOST_AUTH_ISSUER: \"https://one.example\" is there twice; \
             GATEPOST_AUTH_JWKS_URL: \"http://one.example/keys\" is not an https URL (http is for loopback addresses); \
             GATEPOST_AUTH_PROXY_HEADER: \"authorization\" is no header field of a proxy"
        );
        for (settings, fault) in [
            (
                &[("ISSUER", "a")][..],
                "GATEPOST_AUTH_ISSUER: 1 issuers, 0 audiences and 0 URLs of keys do not go together",
            ),
            (
                &[("PROXY_HEADER", "x-goog-iap-jwt-assertion")],
                "GATEPOST_AUTH_PROXY_HEADER: goes with one issuer, its audience and its jwks_url",
            ),
        ] {
            assert_eq!(read(settings).expect_err("a fault"), format!("configuration: {fault}"));
        }
    }
}
