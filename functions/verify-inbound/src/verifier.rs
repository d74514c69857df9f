//! What an instance builds once, and the steps around a judgement.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::types::TransactWriteItem;
use gatepost::{
    activity::{Channel, part::INBOUND, series},
    block_list::BlockList,
    bucket::Bucket,
    config::{self, ConfigError, Reader},
    disposition::{Disposition, Overrides},
    io::{
        counters::MailCounters,
        dns::NameServer,
        functions::Function,
        ledger::{CLAIM_HOLDS, Claim, Claimed, EntryKey, Ledger},
        messages::{Messages, MessagesError},
        table::{TableError, unix_seconds},
        telemetry::with_causes,
    },
};
use tokio::time::{Instant, sleep};

use crate::{
    event::Receipt,
    is_weighable,
    judge::{Judge, Patience, Policy},
    report::Report,
};

/// How often a busy claim is tried again.
const CLAIM_RETRY: Duration = Duration::from_millis(250);

/// A claim that is alive is renewed, so one that is not expires within this.
const CLAIM_PATIENCE: Duration = CLAIM_HOLDS.saturating_add(Duration::from_secs(1));

/// Recipient part of the series of messages whose recipients are not known.
const UNKNOWN_RECIPIENT: &str = "unknown";

/// Settings of this function.
#[derive(Debug, Clone)]
pub struct VerifierConfig {
    pub table: String,
    pub bucket: String,
    /// Name of the inspector function.
    pub inspector: String,
    pub policy: Policy,
    /// Who is asked.
    pub dns_server: NameServer,
    /// For one DNS query.
    pub dns_timeout: Duration,
    /// For one message as a whole.
    pub deadline: Duration,
    /// How long a message may be deferred before it is quarantined.
    pub defer_for: Duration,
}

impl VerifierConfig {
    /// # Errors
    /// All faults together.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader::new(variable);
        let config = Self {
            table: read.required(config::TABLE),
            bucket: read.required(config::BUCKET),
            inspector: read.required(config::INSPECTOR),
            policy: Policy {
                authserv_id: read.required(config::AUTHSERV_ID),
                trusted_arc_sealers: read.list(config::TRUSTED_ARC_SEALERS),
                protected_domains: read.list(config::PROTECTED_DOMAINS),
                overrides: overrides(&mut read),
                block_lists: block_lists(&mut read),
            },
            dns_server: NameServer::read(&mut read),
            dns_timeout: read.millis(config::DNS_TIMEOUT_MS),
            deadline: read.millis(config::INBOUND_DEADLINE_MS),
            defer_for: Duration::from_secs(3600 * u64::from(read.number::<u32>(config::INBOUND_DEFER_HOURS, 1))),
        };
        read.finish(config)
    }
}

fn overrides(read: &mut Reader<impl Fn(&str) -> Option<String>>) -> Overrides {
    let parsed = Overrides::parse(&read.list(config::INBOUND_OVERRIDES), is_weighable);
    parsed.unwrap_or_else(|error| {
        read.refuse(config::INBOUND_OVERRIDES, &error);
        Overrides::default()
    })
}

fn block_lists(read: &mut Reader<impl Fn(&str) -> Option<String>>) -> Vec<BlockList> {
    let parsed = BlockList::parse_all(&read.list(config::INBOUND_BLOCK_LISTS));
    parsed.unwrap_or_else(|error| {
        read.refuse(config::INBOUND_BLOCK_LISTS, &error);
        Vec::new()
    })
}

/// Everything that a message needs.
#[derive(Clone)]
pub struct Verifier {
    pub judge: Judge,
    pub messages: Messages,
    pub ledger: Ledger,
    pub inspector: Function,
    /// The item that this instance counts in.
    pub counters: Arc<MailCounters>,
    /// For one message, from the beginning of the invocation.
    pub deadline: Duration,
    /// Name of this function; part of the idempotency key.
    pub function: String,
    pub defer_for: Duration,
}

/// The time of an invocation: read once, carried on by a monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started_at: SystemTime,
    started: Instant,
}

impl Clock {
    pub(crate) fn started_at(now: SystemTime) -> Self {
        Self { started_at: now, started: Instant::now() }
    }

    /// What is left of a deadline that began with the invocation.
    pub(crate) fn left_of(self, deadline: Duration) -> Duration {
        deadline.saturating_sub(self.started.elapsed())
    }

    pub(crate) fn now(self) -> SystemTime {
        self.started_at + self.started.elapsed()
    }
}

/// Why there is no disposition. The message stays in `inbound/`, and the sweep tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    #[error("another invocation is at it")]
    Busy,
    #[error("there was no time left")]
    Late,
    #[error("the ledger did not answer")]
    Ledger(#[from] TableError),
    #[error("the claim was lost before the decision was recorded")]
    Overtaken,
    #[error("the message could not be read or written")]
    Messages(#[from] MessagesError),
}

impl VerifyError {
    /// For the log.
    pub(crate) fn with_causes(&self) -> String {
        with_causes(self)
    }
}

impl Verifier {
    /// Claims the message, waiting for a claim whose holder died.
    pub(crate) async fn claim(
        &self,
        entry: &EntryKey,
        recipients: &[String],
        clock: Clock,
    ) -> Result<Claimed, VerifyError> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(|error| TableError::new("name a claim", error))?;
        let holder = gatepost::api_key::hex(&octets);
        let give_up_at = Instant::now() + CLAIM_PATIENCE;
        loop {
            match self.ledger.claim(entry, recipients, &holder, clock.now()).await? {
                Claimed::Busy if Instant::now() < give_up_at => sleep(CLAIM_RETRY).await,
                claimed => return Ok(claimed),
            }
        }
    }

    /// Renews the claim for as long as it is polled; comes back only when it is lost.
    pub(crate) async fn keep(&self, claim: &Claim, clock: Clock) -> VerifyError {
        loop {
            sleep(CLAIM_HOLDS / 2).await;
            if !self.ledger.renew(claim, clock.now()).await {
                return VerifyError::Overtaken;
            }
        }
    }

    pub(crate) async fn give_up(&self, claim: &Claim) {
        if let Err(error) = self.ledger.release(claim).await {
            tracing::warn!(cause = with_causes(&error), "a claim was not released; it ends by itself");
        }
    }

    pub(crate) fn patience(&self, claim: &Claim, clock: Clock) -> Patience {
        let waited_s = unix_seconds(clock.now()).saturating_sub(claim.first_seen_s);
        if self.defer_for.as_secs() < waited_s { Patience::Spent } else { Patience::Left }
    }

    /// What the decision adds to the counters. A message that was deferred was counted then.
    pub(crate) fn count(
        &self,
        report: &Report,
        recipients: &[String],
        claim: &Claim,
        clock: Clock,
    ) -> Option<TransactWriteItem> {
        let disposition = Disposition::parse(report.disposition)?;
        if claim.was_reopened {
            return None;
        }
        let is_first = !claim.was_deferred;
        // A message without a usable author fails as one that is spoofed; one that nobody could judge does not.
        let failed = matches!((report.dmarc, &report.from_domain), ("fail", _) | ("permerror", None));
        let channels = [
            is_first.then_some(Channel::Total),
            (failed && disposition != Disposition::Defer).then_some(Channel::AuthFail),
            (is_first || disposition != Disposition::Defer).then_some(outcome(disposition)),
            (is_first && matches!(report.spf, "fail" | "softfail" | "permerror")).then_some(Channel::SpfFail),
            (is_first && matches!(report.dkim, "fail" | "permerror")).then_some(Channel::DkimFail),
            (is_first && report.was_not_inspected()).then_some(Channel::Uninspected),
        ];
        let recipient = recipients.first().or(report.envelope.rcpt_to.first());
        self.addition(recipient, &channels, is_first.then_some(report.from_domain.as_deref()).flatten(), clock)
    }

    /// What a decision that was made for other recipients adds.
    pub(crate) fn count_adopted(
        &self,
        receipt: &Receipt,
        disposition: Disposition,
        claim: Option<&Claim>,
        clock: Clock,
    ) -> Option<TransactWriteItem> {
        if claim.is_some_and(|claim| claim.was_reopened) {
            return None;
        }
        let was_deferred = claim.is_some_and(|claim| claim.was_deferred);
        let total = (!was_deferred).then_some(Channel::Total);
        self.addition(receipt.recipients.first(), &[total, Some(outcome(disposition))], None, clock)
    }

    fn addition(
        &self,
        recipient: Option<&String>,
        channels: &[Option<Channel>],
        sender: Option<&str>,
        clock: Clock,
    ) -> Option<TransactWriteItem> {
        let channels: Vec<Channel> = channels.iter().copied().flatten().collect();
        let domain = recipient.and_then(|path| path.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        let series = series(INBOUND, domain.as_deref().unwrap_or(UNKNOWN_RECIPIENT));
        let addition = || self.counters.addition(&series, &channels, sender, Bucket::of(clock.now()));
        (!channels.is_empty()).then(|| addition().expect("table, key and expression are all given"))
    }
}

fn outcome(disposition: Disposition) -> Channel {
    match disposition {
        Disposition::Deliver => Channel::Deliver,
        Disposition::Defer => Channel::Defer,
        Disposition::Quarantine => Channel::Quarantine,
        Disposition::Reject => Channel::Reject,
    }
}
