//! What an instance builds once and every request uses.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gatepost::{
    address::{Domain, Examination, Mailbox},
    api_key::HashSecret,
    config::{self, ConfigError, Reader},
    domain_list::DomainList,
    flow::Flow,
    io::{
        client_rows::Client,
        counters::Counters,
        dns::{Dns, NameServer, NameServers},
        domain_data::{DomainData, Refreshed},
        overlays::Overlays,
        rate_limits::{RateLimitError, RateLimits},
        table::{Table, TableError},
        telemetry::with_causes,
    },
    ip_prefix::IpPrefix,
    look_alike::LookAlikes,
    mail_hosts::{Hosts, MailHosts},
    metric,
    overlay::Overlay,
    posture::Recorded,
    rate_limit::{Quota, Remaining},
    verdict::Context,
    weights::Weights,
};
use lambda_http::Request;

use crate::{
    caller::{Caller, Door},
    problem::ValidateError,
    tokens::TokenConfig,
};

/// A request waits no longer for what teams say about domains.
const OPINIONS_WITHIN: Duration = Duration::from_millis(200);

/// Settings of this function.
#[derive(Debug, Clone)]
pub struct GateConfig {
    pub table: String,
    pub key_hash_secret: String,
    /// How long credentials are believed that were looked up.
    pub auth_refresh: Duration,
    pub tokens: TokenConfig,
    /// For clients whose row names no quota of its own.
    pub quota: Quota,
    /// For their end users.
    pub client_ip_quota: Quota,
    /// Refusals of one source after which an instance looks nothing up for it that it does not know.
    pub failures_per_minute: u32,
    /// For one attempt to spend a permit.
    pub limits_timeout: Duration,
    /// Who is asked.
    pub dns_server: NameServer,
    /// For one DNS query.
    pub dns_timeout: Duration,
    /// Where a newer list of domains may lie.
    pub bucket: String,
    pub data_refresh: Duration,
    pub protected_domains: Vec<Domain>,
    /// For clients whose row weighs nothing itself.
    pub weights: Weights,
}

impl GateConfig {
    /// # Errors
    /// All faults together.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader::new(variable);
        let weights = Weights::parse(read.list(config::VALIDATION_OVERRIDES)).unwrap_or_else(|error| {
            read.refuse(config::VALIDATION_OVERRIDES, &error);
            Weights::default()
        });
        let protected_domains = read.domains(config::PROTECTED_DOMAINS);
        let tokens = TokenConfig::read(&mut read);
        let config = Self {
            tokens,
            table: read.required(config::TABLE),
            key_hash_secret: read.required(config::AUTH_KEY_HASH_SECRET),
            auth_refresh: read.seconds(config::AUTH_REFRESH_SECONDS),
            quota: read.quota(),
            client_ip_quota: read.client_ip_quota(),
            failures_per_minute: read.number(config::LIMITS_FAILURES_PER_MINUTE, 1),
            limits_timeout: read.millis(config::LIMITS_TIMEOUT_MS),
            dns_server: NameServer::read(&mut read),
            dns_timeout: read.millis(config::DNS_TIMEOUT_MS),
            bucket: read.required(config::BUCKET),
            data_refresh: read.seconds(config::DATA_REFRESH_SECONDS),
            protected_domains,
            weights,
        };
        read.finish(config)
    }
}

/// A limit as clients are told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    pub(crate) quota: Quota,
}

/// Names of the two limits.
const DEFAULT: &str = "default";
pub(crate) const CLIENT_IP: &str = "client-ip";

/// The limits that a request was admitted by, and what is left of each. Empty while the table does not answer: nothing can
/// be promised then.
pub(crate) type Admission = Vec<(Policy, Remaining)>;

/// What a gate talks to.
pub struct Services {
    pub table: Table,
    /// The same table, asked with one attempt and a short deadline.
    pub limits: Table,
    pub dns: Dns,
    pub s3: aws_sdk_s3::Client,
}

/// Everything that a request needs.
pub struct Gate {
    door: Door,
    pseudonyms: HashSecret,
    rate_limits: RateLimits,
    counters: Counters,
    dns: Dns,
    domain_data: DomainData,
    overlays: Overlays,
    look_alikes: LookAlikes,
    quota: Quota,
    client_ip_quota: Quota,
    weights: Arc<Weights>,
}

/// What is known about domains while one request is judged.
pub(crate) struct Knowledge {
    list: Arc<DomainList>,
    overlay: Arc<Overlay>,
}

impl Gate {
    /// `instance` names this process among all writers of counters.
    #[must_use]
    pub fn new(config: &GateConfig, services: Services, instance: String) -> Self {
        let Services { table, limits, dns, s3 } = services;
        Self {
            door: Door::new(&table, config),
            pseudonyms: HashSecret::new(&config.key_hash_secret),
            rate_limits: RateLimits::new(limits),
            counters: Counters::new(table.clone(), instance, HashSecret::new(&config.key_hash_secret)),
            dns,
            domain_data: DomainData::new(s3, config.bucket.clone(), config.data_refresh),
            overlays: Overlays::new(table, config.data_refresh),
            look_alikes: LookAlikes::new(&config.protected_domains),
            quota: config.quota,
            client_ip_quota: config.client_ip_quota,
            weights: Arc::new(config.weights.clone()),
        }
    }

    /// Brings what is known about domains up to date, when it is time; requests do not wait for it.
    pub async fn refresh(&self, now: SystemTime) {
        tokio::join!(self.read_opinions(now), self.renew_list(now));
    }

    /// Reads what teams say about domains: the one thing that has to be known before the first request.
    pub async fn read_opinions(&self, now: SystemTime) {
        if let Err(error) = self.overlays.refresh(now).await {
            tracing::warn!(cause = with_causes(&error), "the opinions on domains were not read");
        }
    }

    /// Fetches the keys of token issuers, when it is time. Apart from [`Self::refresh`], as an issuer may hang.
    pub async fn refresh_issuers(&self, now: SystemTime) {
        self.door.refresh(now).await;
    }

    async fn renew_list(&self, now: SystemTime) {
        match self.domain_data.refresh(now).await {
            Ok(Refreshed::Replaced) => {
                tracing::info!(built = %self.domain_data.list().built(), "a newer list of domains");
            }
            Ok(Refreshed::Removed) => tracing::warn!("no list of domains in the bucket any more: back to our own"),
            Ok(Refreshed::NotDue | Refreshed::Unchanged) => {}
            Err(error) => tracing::error!(cause = with_causes(&error), "the list of domains stays as it is"),
        }
    }

    /// What is known now. A function that was idle asks for newer opinions first, and does not wait long for them.
    pub(crate) async fn knowledge(&self, now: SystemTime) -> Knowledge {
        if self.overlays.is_stale(now) {
            let _ = tokio::time::timeout(OPINIONS_WITHIN, self.read_opinions(now)).await;
        }
        Knowledge { list: self.domain_data.list(), overlay: self.overlays.overlay() }
    }

    pub(crate) fn context<'a>(&'a self, caller: &'a Caller, flow: Flow, knowledge: &'a Knowledge) -> Context<'a> {
        Context {
            flow,
            client: &caller.id,
            weights: &caller.weights,
            list: &knowledge.list,
            overlay: &knowledge.overlay,
            look_alikes: &self.look_alikes,
        }
    }

    /// The counts of this instance, to be flushed when nobody waits.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) async fn caller(&self, request: &Request, now: SystemTime) -> Result<Caller, ValidateError> {
        let Client { id, terms } = self.door.client(request, now).await?;
        let weights = if terms.weights == Weights::default() {
            Arc::clone(&self.weights)
        } else {
            Arc::new(terms.weights.or(&self.weights))
        };
        let quota = terms.quota.unwrap_or(self.quota);
        Ok(Caller { id, quota, client_ip_quota: terms.client_ip_quota.unwrap_or(self.client_ip_quota), weights })
    }

    /// Spends permits of the end user, where one is named, and then of the caller: an end user who floods costs the caller
    /// nothing. A caller who is known to be over its quota costs its end users nothing either, nor the table.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        flow: Flow,
        client_ip: Option<IpAddr>,
        permits: u64,
        now: SystemTime,
    ) -> Result<Admission, ValidateError> {
        let mut admission = Admission::new();
        let of_caller = Policy { name: DEFAULT, quota: caller.quota };
        let spending = |policy| Spending { caller, flow, policy, permits, now };
        if let Some(retry_after) = self.rate_limits.refusal(&caller.id, caller.quota, permits, now) {
            return Err(spending(of_caller).refused(RateLimitError::Refused { retry_after }));
        }
        if let Some(client_ip) = client_ip {
            let policy = Policy { name: CLIENT_IP, quota: caller.client_ip_quota };
            let key = format!("{}#{}", caller.id, IpPrefix::of_subscriber(client_ip));
            admission.extend(self.spend(&key, &spending(policy)).await?.map(|left| (policy, left)));
        }
        if let Some(left) = self.spend(&caller.id, &spending(of_caller)).await? {
            admission.insert(0, (of_caller, left));
        }
        Ok(admission)
    }

    /// While the table does not answer, flows of an account that exists fail closed and the others fall back to a local
    /// share of the quota: `None`.
    async fn spend(&self, key: &str, spending: &Spending<'_>) -> Result<Option<Remaining>, ValidateError> {
        let Spending { flow, policy, permits, now, .. } = *spending;
        match self.rate_limits.admit(key, policy.quota, permits, now).await {
            Ok(remaining) => Ok(Some(remaining)),
            Err(RateLimitError::Unavailable(cause)) if fails_closed(flow) => Err(ValidateError::Unavailable(cause)),
            Err(RateLimitError::Unavailable(cause)) => {
                tracing::warn!(name: metric::LIMITS_DEGRADED, { limits.degraded = 1, cause = with_causes(&cause) }, "rate limit degraded to a local share");
                self.spend_degraded(key, spending, cause).map(|()| None)
            }
            Err(error) => Err(spending.refused(error)),
        }
    }

    /// What a local share cannot grant at once could be granted if the table answered: not the caller's mistake.
    fn spend_degraded(&self, key: &str, spending: &Spending<'_>, cause: TableError) -> Result<(), ValidateError> {
        let Spending { policy, permits, now, .. } = *spending;
        match self.rate_limits.admit_degraded(key, policy.quota, permits, now) {
            Ok(_) => Ok(()),
            Err(RateLimitError::TooLarge { .. }) => Err(ValidateError::Unavailable(cause)),
            Err(error) => Err(spending.refused(error)),
        }
    }

    /// Asks DNS, unless the form of the address settles the matter. Who runs the zone of a well-known provider is no
    /// question.
    pub(crate) async fn hosts(&self, examination: &Examination, context: &Context<'_>) -> Hosts {
        match &examination.mailbox {
            Some(mailbox) if !context.refuses(examination) => {
                let is_known = context.list.class(&mailbox.domain).is_some();
                let name_servers = if is_known { NameServers::Omitted } else { NameServers::Wanted };
                self.dns.hosts(&mailbox.domain, name_servers).await
            }
            Some(_) | None => MailHosts::NotChecked.into(),
        }
    }

    /// What stands for an address in logs; the domain stands there as it is.
    pub(crate) fn pseudonym(&self, mailbox: &Mailbox) -> String {
        self.pseudonyms.pseudonym(&mailbox.canonical())
    }

    /// Asks DNS what the domain publishes.
    pub(crate) async fn posture(&self, domain: &Domain) -> Recorded {
        self.dns.posture(domain).await
    }
}

/// One attempt to spend permits.
#[derive(Clone, Copy)]
struct Spending<'a> {
    caller: &'a Caller,
    flow: Flow,
    policy: Policy,
    permits: u64,
    now: SystemTime,
}

impl Spending<'_> {
    fn refused(&self, error: RateLimitError) -> ValidateError {
        match error {
            RateLimitError::TooLarge { largest } => ValidateError::BatchTooLarge { largest },
            RateLimitError::Unavailable(cause) => ValidateError::Unavailable(cause),
            RateLimitError::Refused { retry_after } => ValidateError::RateLimited {
                retry_after,
                policy: self.policy,
                caller: self.caller.clone(),
                flow: self.flow,
            },
        }
    }
}

fn fails_closed(flow: Flow) -> bool {
    match flow {
        Flow::PasswordReset | Flow::Login => true,
        Flow::Signup | Flow::Newsletter | Flow::Other => false,
    }
}
