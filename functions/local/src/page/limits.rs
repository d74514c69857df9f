//! The rows of the running configuration that limit somebody or decide something. No row holds a secret.

use gatepost::{
    config::{self, Setting},
    rate_limit::{Quota, WINDOW},
};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub(super) what: &'static str,
    pub(super) value: String,
    /// The setting it comes from; empty for what follows from others.
    pub(super) setting: &'static str,
}

/// How the value of a setting is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// As it is, with a unit.
    As(&'static str),
    /// How many items it has: each of them may hold what is nobody's business.
    Counted,
    /// A secret, or the name of a part of the stack.
    Not,
}

const ROWS: &[(Setting, &str, Shown)] = &[
    (config::LIMITS_REQUESTS_PER_MINUTE, "A client, sustained", Shown::As("permits a minute")),
    (config::LIMITS_BURST, "A client, at once beyond that", Shown::As("permits")),
    (config::LIMITS_CLIENT_IP_REQUESTS_PER_MINUTE, "An end user of a client, sustained", Shown::As("permits a minute")),
    (config::LIMITS_CLIENT_IP_BURST, "An end user, at once beyond that", Shown::As("permits")),
    (config::LIMITS_FAILURES_PER_MINUTE, "Unknown credentials of one source", Shown::As("a minute")),
    (config::LIMITS_TIMEOUT_MS, "The table is waited for, to spend a permit", Shown::As("ms")),
    (config::DNS_TIMEOUT_MS, "One question to DNS", Shown::As("ms")),
    (config::INBOUND_DEADLINE_MS, "One message as a whole", Shown::As("ms")),
    (config::INBOUND_DEFER_HOURS, "A message is deferred at most", Shown::As("hours")),
    (config::AUTH_REFRESH_SECONDS, "Credentials are believed", Shown::As("s")),
    (config::DATA_REFRESH_SECONDS, "Domain data is looked after every", Shown::As("s")),
    (config::PROTECTED_DOMAINS, "Protected domains", Shown::As("")),
    (config::TRUSTED_ARC_SEALERS, "Trusted ARC sealers", Shown::As("")),
    (config::AUTHSERV_ID, "This receiver calls itself", Shown::As("")),
    (config::VALIDATION_OVERRIDES, "Reasons weighed otherwise", Shown::As("")),
    (config::INBOUND_OVERRIDES, "Findings weighed otherwise", Shown::As("")),
    // The key that a provider gives out is part of the name of a list.
    (config::INBOUND_BLOCK_LISTS, "Block lists", Shown::Counted),
    (config::AUTH_ISSUER, "Issuers of bearer tokens", Shown::Counted),
    (config::AUTH_PROXY_ISSUER, "Identity-aware proxies", Shown::Counted),
    (config::ANOMALY_TIME_ZONES, "Time zones of series", Shown::As("")),
    (config::AUTH_KEY_HASH_SECRET, "", Shown::Not),
    (config::AUTH_AUDIENCE, "", Shown::Not),
    (config::AUTH_JWKS_URL, "", Shown::Not),
    (config::AUTH_PROXY_HEADER, "", Shown::Not),
    (config::AUTH_PROXY_AUDIENCE, "", Shown::Not),
    (config::AUTH_PROXY_JWKS_URL, "", Shown::Not),
    (config::DNS_SERVER, "", Shown::Not),
    (config::TABLE, "", Shown::Not),
    (config::BUCKET, "", Shown::Not),
    (config::ALERT_TOPIC, "", Shown::Not),
    (config::INSPECTOR, "", Shown::Not),
    (config::VERIFIER, "", Shown::Not),
];

/// What holds in a stack that was given these settings.
pub fn limits(client: Quota, client_ip: Quota, variable: impl Fn(&str) -> Option<String>) -> Vec<Limit> {
    let bound = |what, quota: Quota| {
        let value = format!("{} permits in any {} s", quota.window_bound(), WINDOW.as_secs());
        Limit { what, value, setting: "" }
    };
    let bounds = [bound("A client, at most", client), bound("An end user, at most", client_ip)];
    let rows = ROWS.iter().filter_map(|(setting, what, shown)| {
        let text = variable(setting.variable).unwrap_or_else(|| setting.default.to_owned());
        Some(Limit { what, value: value(&text, *shown)?, setting: setting.variable })
    });
    bounds.into_iter().chain(rows).collect()
}

fn value(text: &str, shown: Shown) -> Option<String> {
    let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
    match shown {
        Shown::Not => None,
        Shown::As(_) | Shown::Counted if items().next().is_none() => Some("none".to_owned()),
        Shown::Counted => Some(items().count().to_string()),
        Shown::As(unit) => Some(format!("{} {unit}", items().collect::<Vec<_>>().join(", ")).trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_was_decided_of_every_setting_whether_it_is_shown() {
        let decided: Vec<&str> = ROWS.iter().map(|(setting, ..)| setting.variable).collect();
        let all: BTreeSet<&str> = config::SETTINGS.iter().map(|setting| setting.variable).collect();
        assert_eq!((decided.len(), decided.into_iter().collect::<BTreeSet<_>>()), (all.len(), all));
    }

    #[test]
    fn nothing_that_may_be_secret_is_in_a_row() {
        let quota = Quota::new(200, 140);
        let rows = limits(quota, quota, |name| Some(format!("client=SECRET.{name}.example, b")));
        for secret in ["AUTH_KEY_HASH_SECRET", "INBOUND_BLOCK_LISTS", "AUTH_JWKS_URL", "AUTH_ISSUER"] {
            assert!(!rows.iter().any(|row| row.value.contains(secret)), "{secret}");
        }
        let of =
            |setting: Setting| rows.iter().find(|row| row.setting == setting.variable).map(|row| row.value.as_str());
        assert_eq!(of(config::INBOUND_BLOCK_LISTS), Some("2"));
    }

    #[test]
    fn a_value_has_its_unit_and_nothing_is_none() {
        let rows = limits(Quota::new(200, 140), Quota::new(120, 80), |name| {
            (name == config::DNS_TIMEOUT_MS.variable).then(|| "300".to_owned())
        });
        let of = |what: &str| rows.iter().find(|row| row.what == what).map(|row| row.value.as_str());
        assert_eq!(of("A client, at most"), Some("340 permits in any 60 s"));
        assert_eq!(of("One question to DNS"), Some("300 ms"));
        assert_eq!(of("A message is deferred at most"), Some("24 hours"));
        assert_eq!(of("Protected domains"), Some("none"));
    }
}
