//! What an instance builds once and every request uses.

use std::time::{Duration, SystemTime};

use gatepost::{
    activity::{Channel, series},
    address::{Domain, Examination},
    api_key::HashSecret,
    bucket::Bucket,
    config::{self, ConfigError, Reader},
    io::{
        counters::Counters,
        dns::Dns,
        keys::Keys,
        rate_limits::{RateLimitError, RateLimits},
        table::{Table, TableError},
    },
    mail_hosts::MailHosts,
    posture::Recorded,
    rate_limit::{Quota, Remaining},
    verdict::{Decision, Flow, Verdict},
};
use lambda_http::Request;

use crate::{
    caller::{Caller, presented_key},
    problem::ValidateError,
};

/// Client part of the series that counts requests without a known caller.
const UNKNOWN: &str = "unknown";

/// Flow part of the same series: a request that is refused at the door says nothing believable about its flow.
const DOOR: &str = "validate";

/// Settings of this function.
#[derive(Debug, Clone)]
pub struct GateConfig {
    pub table: String,
    pub key_hash_secret: String,
    /// For clients whose row names no quota of its own.
    pub quota: Quota,
    /// For one attempt to spend a permit.
    pub limits_timeout: Duration,
    /// For one DNS query.
    pub dns_timeout: Duration,
}

impl GateConfig {
    /// # Errors
    /// All faults together.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader::new(variable);
        let config = Self {
            table: read.required(config::TABLE),
            key_hash_secret: read.required(config::AUTH_KEY_HASH_SECRET),
            quota: read.quota(),
            limits_timeout: read.millis(config::LIMITS_TIMEOUT_MS),
            dns_timeout: read.millis(config::DNS_TIMEOUT_MS),
        };
        read.finish(config)
    }
}

/// By which limit a request was admitted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Admission {
    /// The one that all instances share: what is left can be told.
    Shared(Remaining),
    /// The local one, while the table does not answer: nothing can be promised.
    Degraded,
}

/// Everything that a request needs.
pub struct Gate {
    keys: Keys,
    rate_limits: RateLimits,
    counters: Counters,
    dns: Dns,
    quota: Quota,
}

impl Gate {
    /// `limits` speaks with one attempt and a short deadline, `table` with the usual ones; `instance` names this
    /// process among all writers of counters.
    #[must_use]
    pub fn new(config: &GateConfig, table: Table, limits: Table, dns: Dns, instance: String) -> Self {
        Self {
            keys: Keys::new(table.clone(), HashSecret::new(&config.key_hash_secret)),
            rate_limits: RateLimits::new(limits),
            counters: Counters::new(table, instance),
            dns,
            quota: config.quota,
        }
    }

    /// The counts of this instance, to be flushed when nobody waits.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) async fn caller(&self, request: &Request, now: SystemTime) -> Result<Caller, ValidateError> {
        let api_key = presented_key(request).ok_or(ValidateError::Unauthenticated)?;
        let client = self.keys.client_of(&api_key, now).await.map_err(ValidateError::Unavailable)?;
        let client = client.ok_or(ValidateError::Unauthenticated)?;
        Ok(Caller { id: client.id, quota: client.quota.unwrap_or(self.quota) })
    }

    /// Spends permits. While the table does not answer, flows that open an account fail closed and the others fall
    /// back to a local share of the quota.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        flow: Flow,
        permits: u64,
        now: SystemTime,
    ) -> Result<Admission, ValidateError> {
        let admitted = match self.rate_limits.admit(&caller.id, caller.quota, permits, now).await {
            Err(RateLimitError::Unavailable(cause)) if fails_closed(flow) => {
                return Err(ValidateError::Unavailable(cause));
            }
            Err(RateLimitError::Unavailable(cause)) => {
                tracing::warn!(cause = %cause, "rate limit degraded to a local share");
                return self.admit_degraded(caller, flow, permits, now, cause);
            }
            decided => decided,
        };
        let remaining = admitted.map_err(|error| ValidateError::of_rate_limit(error, caller, flow))?;
        Ok(Admission::Shared(remaining))
    }

    /// What a local share cannot grant at once could be granted if the table answered: not the caller's mistake.
    fn admit_degraded(
        &self,
        caller: &Caller,
        flow: Flow,
        permits: u64,
        now: SystemTime,
        cause: TableError,
    ) -> Result<Admission, ValidateError> {
        match self.rate_limits.admit_degraded(&caller.id, caller.quota, permits, now) {
            Ok(_) => Ok(Admission::Degraded),
            Err(RateLimitError::TooLarge { .. }) => Err(ValidateError::Unavailable(cause)),
            Err(error) => Err(ValidateError::of_rate_limit(error, caller, flow)),
        }
    }

    /// Asks DNS, unless the form of the address settles the matter.
    pub(crate) async fn mail_hosts(&self, examination: &Examination) -> MailHosts {
        match &examination.mailbox {
            Some(mailbox) if !examination.is_refused() => self.dns.mail_hosts(&mailbox.domain).await,
            Some(_) | None => MailHosts::NotChecked,
        }
    }

    /// Asks DNS what the domain publishes.
    pub(crate) async fn posture(&self, domain: &Domain) -> Recorded {
        self.dns.posture(domain).await
    }

    /// A posture is no verdict, so it counts as traffic and nothing else.
    pub(crate) fn count_posture(&self, caller: &Caller, now: SystemTime) {
        self.count(Flow::Other.as_str(), &caller.id, &[Channel::Total], now);
    }

    pub(crate) fn count_verdict(&self, caller: &Caller, flow: Flow, verdict: &Verdict, now: SystemTime) {
        let outcome = match verdict.decision {
            Decision::Accept => Channel::Accept,
            Decision::Review => Channel::Review,
            Decision::Reject => Channel::Reject,
        };
        self.count(flow.as_str(), &caller.id, &[Channel::Total, outcome], now);
    }

    pub(crate) fn count_refusal(&self, error: &ValidateError, now: SystemTime) {
        match error {
            ValidateError::Unauthenticated => self.count(DOOR, UNKNOWN, &[Channel::Total, Channel::AuthFail], now),
            ValidateError::RateLimited { caller, flow, .. } => {
                self.count(flow.as_str(), &caller.id, &[Channel::Total, Channel::Limited], now);
            }
            ValidateError::BadRequest { .. }
            | ValidateError::BatchTooLarge { .. }
            | ValidateError::BodyTooLarge
            | ValidateError::UnsupportedMediaType
            | ValidateError::NotFound
            | ValidateError::MethodNotAllowed { .. }
            | ValidateError::Unavailable(_) => {}
        }
    }

    fn count(&self, flow: &str, client: &str, channels: &[Channel], now: SystemTime) {
        self.counters.count(&series(flow, client), channels, Bucket::of(now));
    }
}

fn fails_closed(flow: Flow) -> bool {
    match flow {
        Flow::PasswordReset | Flow::Login => true,
        Flow::Signup | Flow::Newsletter | Flow::Other => false,
    }
}
