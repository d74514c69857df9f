//! Settings: read once at start, and every fault reported together.

use std::{fmt::Display, str::FromStr, time::Duration};

use crate::{address::Domain, rate_limit::Quota};

/// One setting as the README documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Environment variable; `GATEPOST_LIMITS_BURST` is `burst` in section `[limits]` of the configuration file.
    pub variable: &'static str,
    /// What holds when nothing is said; empty when there is no default.
    pub default: &'static str,
}

macro_rules! settings {
    ($($name:ident = $variable:literal, $default:literal;)+) => {
        $(pub const $name: Setting = Setting { variable: $variable, default: $default };)+
        /// Every setting that exists.
        pub const SETTINGS: &[Setting] = &[$($name),+];
    };
}

settings! {
    TABLE = "GATEPOST_TABLE", "gatepost";
    BUCKET = "GATEPOST_BUCKET", "gatepost";
    ALERT_TOPIC = "GATEPOST_ALERT_TOPIC", "";
    INSPECTOR = "GATEPOST_INSPECTOR", "inspect-attachment";
    VERIFIER = "GATEPOST_VERIFIER", "verify-inbound";
    AUTHSERV_ID = "GATEPOST_AUTHSERV_ID", "gatepost.invalid";
    TRUSTED_ARC_SEALERS = "GATEPOST_TRUSTED_ARC_SEALERS", "";
    PROTECTED_DOMAINS = "GATEPOST_PROTECTED_DOMAINS", "";
    AUTH_KEY_HASH_SECRET = "GATEPOST_AUTH_KEY_HASH_SECRET", "";
    AUTH_ISSUER = "GATEPOST_AUTH_ISSUER", "";
    AUTH_AUDIENCE = "GATEPOST_AUTH_AUDIENCE", "";
    AUTH_JWKS_URL = "GATEPOST_AUTH_JWKS_URL", "";
    AUTH_PROXY_HEADER = "GATEPOST_AUTH_PROXY_HEADER", "";
    AUTH_PROXY_ISSUER = "GATEPOST_AUTH_PROXY_ISSUER", "";
    AUTH_PROXY_AUDIENCE = "GATEPOST_AUTH_PROXY_AUDIENCE", "";
    AUTH_PROXY_JWKS_URL = "GATEPOST_AUTH_PROXY_JWKS_URL", "";
    AUTH_REFRESH_SECONDS = "GATEPOST_AUTH_REFRESH_SECONDS", "60";
    LIMITS_REQUESTS_PER_MINUTE = "GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "200";
    LIMITS_BURST = "GATEPOST_LIMITS_BURST", "140";
    LIMITS_CLIENT_IP_REQUESTS_PER_MINUTE = "GATEPOST_LIMITS_CLIENT_IP_REQUESTS_PER_MINUTE", "120";
    LIMITS_CLIENT_IP_BURST = "GATEPOST_LIMITS_CLIENT_IP_BURST", "80";
    LIMITS_FAILURES_PER_MINUTE = "GATEPOST_LIMITS_FAILURES_PER_MINUTE", "300";
    LIMITS_TIMEOUT_MS = "GATEPOST_LIMITS_TIMEOUT_MS", "150";
    VALIDATION_OVERRIDES = "GATEPOST_VALIDATION_OVERRIDES", "";
    DATA_REFRESH_SECONDS = "GATEPOST_DATA_REFRESH_SECONDS", "60";
    DNS_TIMEOUT_MS = "GATEPOST_DNS_TIMEOUT_MS", "800";
    ANOMALY_TIME_ZONES = "GATEPOST_ANOMALY_TIME_ZONES", "UTC";
    INBOUND_OVERRIDES = "GATEPOST_INBOUND_OVERRIDES", "";
    INBOUND_BLOCK_LISTS = "GATEPOST_INBOUND_BLOCK_LISTS", "";
    INBOUND_DEADLINE_MS = "GATEPOST_INBOUND_DEADLINE_MS", "20000";
    INBOUND_DEFER_HOURS = "GATEPOST_INBOUND_DEFER_HOURS", "24";
}

/// Where a table of a configuration file and an environment variable of the same setting meet.
///
/// # Errors
/// Names every entry that is no known setting, so that a misspelt key is not silently ignored.
pub fn variables_of(file: &serde_json::Value) -> Result<Vec<(String, String)>, ConfigError> {
    let mut variables = Vec::new();
    flatten("GATEPOST", file, &mut variables);
    let is_known = |name: &String| SETTINGS.iter().any(|setting| setting.variable == name);
    let unknown = variables.iter().filter(|(name, _)| !is_known(name)).map(|(name, _)| format!("{name} is no setting"));
    match ConfigError::unless_empty(unknown.collect()) {
        Some(error) => Err(error),
        None => Ok(variables),
    }
}

fn flatten(prefix: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(table) => {
            for (key, value) in table {
                flatten(&format!("{prefix}_{}", key.to_ascii_uppercase()), value, into);
            }
        }
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain_text).collect();
            into.push((prefix.to_owned(), items.join(",")));
        }
        scalar => into.push((prefix.to_owned(), plain_text(scalar))),
    }
}

fn plain_text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Everything that is wrong with the configuration, in one error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", faults.join("; "))]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    fn unless_empty(faults: Vec<String>) -> Option<Self> {
        (!faults.is_empty()).then_some(Self { faults })
    }
}

/// Collects values and faults; [`Reader::finish`] answers with one or the other.
pub struct Reader<F> {
    variable: F,
    faults: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub fn new(variable: F) -> Self {
        Self { variable, faults: Vec::new() }
    }

    /// The text of a setting; a fault when it is neither set nor has a default.
    pub fn required(&mut self, setting: Setting) -> String {
        let text = self.text(setting);
        if text.is_empty() {
            self.faults.push(format!("{} is not set", setting.variable));
        }
        text
    }

    pub fn text(&self, setting: Setting) -> String {
        (self.variable)(setting.variable).unwrap_or_else(|| setting.default.to_owned())
    }

    /// A number of at least `least`; anything else is a fault.
    pub fn number<N: FromStr + PartialOrd + Display + Copy>(&mut self, setting: Setting, least: N) -> N {
        let text = self.text(setting);
        match text.trim().parse() {
            Ok(number) if least <= number => number,
            Ok(_) | Err(_) => {
                self.faults.push(format!("{} is {text:?}, not a number of at least {least}", setting.variable));
                least
            }
        }
    }

    pub fn seconds(&mut self, setting: Setting) -> Duration {
        Duration::from_secs(self.number(setting, 1))
    }

    pub fn millis(&mut self, setting: Setting) -> Duration {
        Duration::from_millis(self.number(setting, 1))
    }

    /// Items separated by commas, trimmed and in lower case.
    pub fn list(&self, setting: Setting) -> Vec<String> {
        self.items(setting).iter().map(|item| item.to_ascii_lowercase()).collect()
    }

    /// Items separated by commas, trimmed.
    pub fn items(&self, setting: Setting) -> Vec<String> {
        let text = self.text(setting);
        text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    }

    /// Domains separated by commas; each that is none is a fault.
    pub fn domains(&mut self, setting: Setting) -> Vec<Domain> {
        let mut domains = Vec::new();
        for text in self.list(setting) {
            match Domain::parse(&text) {
                Ok(domain) => domains.push(domain),
                Err(error) => self.refuse(setting, &format!("{text}: {error}")),
            }
        }
        domains
    }

    /// Adds a fault of a value that was read as text.
    pub fn refuse(&mut self, setting: Setting, why: &impl Display) {
        self.faults.push(format!("{}: {why}", setting.variable));
    }

    /// Of a client.
    pub fn quota(&mut self) -> Quota {
        Quota::new(self.number(LIMITS_REQUESTS_PER_MINUTE, 1), self.number(LIMITS_BURST, 1))
    }

    /// Of an end user of a client.
    pub fn client_ip_quota(&mut self) -> Quota {
        Quota::new(self.number(LIMITS_CLIENT_IP_REQUESTS_PER_MINUTE, 1), self.number(LIMITS_CLIENT_IP_BURST, 1))
    }

    /// # Errors
    /// Every fault met while reading.
    pub fn finish<C>(self, config: C) -> Result<C, ConfigError> {
        ConfigError::unless_empty(self.faults).map_or(Ok(config), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_reported_together() {
        let mut read = Reader::new(|name| (name == "GATEPOST_LIMITS_BURST").then(|| "many".to_owned()));
        read.required(AUTH_KEY_HASH_SECRET);
        read.quota();
        assert_eq!(
            read.finish(()).expect_err("two faults").to_string(),
            "configuration: GATEPOST_AUTH_KEY_HASH_SECRET is not set; \
             GATEPOST_LIMITS_BURST is \"many\", not a number of at least 1"
        );
    }

    #[test]
    fn a_file_speaks_about_the_same_settings_as_the_environment() {
        let file = serde_json::json!({"authserv_id": "mx.example", "trusted_arc_sealers": ["a.example", "b.example"],
                                      "limits": {"burst": 20}});
        let variables = variables_of(&file).expect("all known");
        let read = Reader::new(|name| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()));
        assert_eq!(read.text(AUTHSERV_ID), "mx.example");
        assert_eq!(read.list(TRUSTED_ARC_SEALERS), ["a.example", "b.example"]);
        assert_eq!(read.text(LIMITS_BURST), "20");
    }

    #[test]
    fn a_misspelt_entry_of_a_file_is_refused_by_name() {
        let error = variables_of(&serde_json::json!({"limits": {"brust": 20}})).expect_err("no such setting");
        assert_eq!(error.to_string(), "configuration: GATEPOST_LIMITS_BRUST is no setting");
    }
}
