//! SES receipt rule: every message that arrives is judged, and the answer is a disposition.

pub mod arrived;
pub mod boundary;
pub mod event;
pub mod judge;
pub mod report;
mod verifier;

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::TransactWriteItem;
use gatepost::{
    authentication_results,
    author_fault::AuthorFault,
    disposition::Disposition,
    finding::{Finding, Severity},
    header_section::HeaderFault,
    io::{
        ledger::{Claim, Claimed, Decision, Entry, EntryKey},
        messages::{INBOUND, Letter, MessagesError, draft_key},
        table::unix_millis,
    },
    metric,
    ocsf::JudgedMessage,
};
use serde_json::Value;
use tokio::time::sleep;

pub use gatepost::io::messages::MAX_MESSAGE_OCTETS;

pub use crate::verifier::{Verifier, VerifierConfig};
use crate::{
    arrived::Arrived,
    boundary::BoundaryFault,
    event::{Inbound, Receipt},
    judge::Terms,
    report::{Judgement, Report},
    verifier::{Clock, VerifyError},
};

/// What SES is told. SES takes anything else, and nothing, for CONTINUE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct SesAnswer {
    pub disposition: SesDisposition,
}

/// Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SesDisposition {
    Continue,
    StopRuleSet,
}

/// What became of a message, and what is left to do.
#[derive(Debug)]
struct Settled {
    decision: Decision,
    /// Whether the ledger knows, for these recipients, that the message lies in its place.
    is_noted: bool,
    /// What is to be delivered, when it was judged just now.
    letter: Option<Letter>,
}

/// A report, and the message that it is about.
struct Judged {
    report: Report,
    stored: Option<Vec<u8>>,
}

/// The decision has to be recorded by then, or the claim is given up in good order.
const SETTLE_WITHIN: Duration = Duration::from_secs(24);

/// SES waits 30 s for an answer, and takes none for CONTINUE.
const ANSWER_WITHIN: Duration = Duration::from_secs(27);

/// After so many claims without a decision the message itself is what kills its judge, and nobody opens it again.
const MOST_ATTEMPTS: u32 = 4;

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("judging_failed", "judging the message failed again and again"),
    ("message_too_large", "the stored message is larger than SES says it can be"),
];

/// The code of every finding that a report may have.
pub fn finding_codes() -> impl Iterator<Item = &'static str> {
    let lists = [
        FINDING_CODES,
        judge::FINDING_CODES,
        arrived::FINDING_CODES,
        gatepost::authentication::FINDING_CODES,
        gatepost::block_list::FINDING_CODES,
        gatepost::contact::FINDING_CODES,
        gatepost::content::FINDING_CODES,
        gatepost::display_name::FINDING_CODES,
        gatepost::impersonation::FINDING_CODES,
        gatepost::inspection::FINDING_CODES,
        gatepost::io::functions::FINDING_CODES,
    ];
    let listed = lists.into_iter().flatten().map(|(code, _)| *code);
    let authors = AuthorFault::ALL.into_iter().map(AuthorFault::code);
    let sections = HeaderFault::ALL.into_iter().map(HeaderFault::code);
    listed.chain(authors).chain(sections).chain(BoundaryFault::ALL.into_iter().map(BoundaryFault::code))
}

/// Findings about messages that nobody has judged, and the end of all waiting: they weigh what they weigh.
fn is_weighable(code: &str) -> bool {
    let is_fixed = FINDING_CODES.iter().any(|(fixed, _)| *fixed == code)
        || BoundaryFault::ALL.into_iter().any(|fault| fault.code() == code)
        || ["deferral_expired", "envelope_out_of_bounds"].contains(&code);
    !is_fixed && finding_codes().any(|known| known == code)
}

/// Judges what the event is about. Always answers, and lets a message pass only when it lies in `delivered/`.
pub async fn handle(verifier: &Verifier, event: Value, now: SystemTime) -> SesAnswer {
    let clock = Clock::started_at(now);
    let receipts = match Inbound::parse(event) {
        Ok(receipts) => receipts,
        Err(error) => {
            tracing::error!(cause = %error, "the event is not one that SES sends");
            return SesAnswer { disposition: SesDisposition::StopRuleSet };
        }
    };
    let mut disposition = SesDisposition::Continue;
    for receipt in &receipts {
        disposition = disposition.max(verifier.answer(receipt, clock).await);
    }
    SesAnswer { disposition }
}

impl Verifier {
    async fn answer(&self, receipt: &Receipt, clock: Clock) -> SesDisposition {
        let verified = tokio::time::timeout(clock.left_of(ANSWER_WITHIN), self.verify(receipt, clock)).await;
        match verified.unwrap_or(Err(VerifyError::Late)) {
            Ok(Disposition::Deliver) => SesDisposition::Continue,
            Ok(Disposition::Defer | Disposition::Quarantine | Disposition::Reject) => SesDisposition::StopRuleSet,
            Err(error) => {
                tracing::error!(
                    message.id = receipt.message_id.as_str(),
                    cause = error.with_causes(),
                    "not judged: {error}"
                );
                SesDisposition::StopRuleSet
            }
        }
    }

    async fn verify(&self, receipt: &Receipt, clock: Clock) -> Result<Disposition, VerifyError> {
        let message_id = receipt.message_id.as_str();
        let entry = EntryKey::new(message_id, &receipt.recipients, &self.function);
        // On the heap: futures within futures have a depth beyond which no program is built.
        let settle = || Box::pin(self.claim_and_settle(&entry, receipt, clock));
        let settled = match settle().await {
            // Whoever judged it for other recipients was quicker: what they decided is there to be adopted.
            Err(VerifyError::Overtaken(_)) => settle().await?,
            settled => settled?,
        };
        let Decision { disposition, report_key, is_placed } = settled.decision;
        if disposition != Disposition::Defer {
            if !is_placed {
                self.messages.place(message_id, disposition, &report_key, settled.letter).await?;
            }
            if !settled.is_noted {
                self.ledger.mark_placed(&entry, clock.now()).await?;
            }
        }
        Ok(disposition)
    }

    async fn claim_and_settle(
        &self,
        entry: &EntryKey,
        receipt: &Receipt,
        clock: Clock,
    ) -> Result<Settled, VerifyError> {
        match self.claim(entry, &receipt.recipients, clock).await? {
            Claimed::Ours(claim) => self.settle(receipt, &claim, clock).await,
            Claimed::Decided(decision) => Ok(Settled { is_noted: decision.is_placed, decision, letter: None }),
            Claimed::Busy => Err(VerifyError::Busy),
        }
    }

    async fn settle(&self, receipt: &Receipt, claim: &Claim, clock: Clock) -> Result<Settled, VerifyError> {
        let settled = tokio::select! {
            settled = self.adopt_or_judge(receipt, claim, clock) => settled,
            lost = self.keep(claim, clock) => return Err(lost),
            () = sleep(clock.left_of(SETTLE_WITHIN)) => Err(VerifyError::Late),
        };
        if settled.is_err() {
            self.give_up(claim).await;
        }
        settled
    }

    async fn adopt_or_judge(&self, receipt: &Receipt, claim: &Claim, clock: Clock) -> Result<Settled, VerifyError> {
        let entries = self.ledger.entries(receipt.message_id.as_str()).await?;
        if let Some(settled) = self.adopt(&entries, receipt, claim, clock).await? {
            return Ok(settled);
        }
        let judged = if MOST_ATTEMPTS < claim.attempts {
            self.unjudged(receipt, judging_failed(claim.attempts))
        } else {
            self.judge(receipt, claim, clock).await?
        };
        // Judging took its time: others may have decided meanwhile.
        let entries = self.ledger.entries(receipt.message_id.as_str()).await?;
        if let Some(settled) = self.adopt(&entries, receipt, claim, clock).await? {
            return Ok(settled);
        }
        self.record(judged, receipt, &counted_before(claim, &entries, receipt), clock).await
    }

    /// A message has one disposition: what was decided for other recipients of it holds for these as well, and it lies
    /// where it was put for them.
    async fn adopt(
        &self,
        entries: &[Entry],
        receipt: &Receipt,
        claim: &Claim,
        clock: Clock,
    ) -> Result<Option<Settled>, VerifyError> {
        let Some((sibling, decision)) = entries.iter().find_map(|entry| Some((entry, entry.decision()?))) else {
            return Ok(None);
        };
        let is_counted = may_be_the_same(sibling, receipt);
        let counted = (!is_counted).then(|| self.count_adopted(receipt, decision.disposition, claim, clock)).flatten();
        self.decide(claim, &decision, counted, clock).await?;
        Ok(Some(Settled { decision, is_noted: false, letter: None }))
    }

    async fn judge(&self, receipt: &Receipt, claim: &Claim, clock: Clock) -> Result<Judged, VerifyError> {
        let message_id = receipt.message_id.as_str();
        let stored = match self.messages.fetch(message_id).await {
            Ok(stored) => stored,
            Err(MessagesError::TooLarge { octets }) => {
                let report = oversized(&self.judge.policy.authserv_id, message_id, octets);
                return Ok(Judged { report, stored: None });
            }
            Err(error) => return Err(error.into()),
        };
        let arrived = match Arrived::read(&stored, receipt, &receipt.recipients) {
            Ok(arrived) => arrived,
            Err(finding) => return Ok(self.unjudged(receipt, finding)),
        };
        let key = format!("{INBOUND}{message_id}");
        let inspection = self.inspector.inspect(&self.messages.bucket, &key);
        let terms =
            Terms { patience: self.patience(claim, clock), within: clock.left_of(self.deadline), now: clock.now() };
        let report = self.judge.report(message_id, &arrived, terms, inspection).await;
        Ok(Judged { report, stored: Some(stored) })
    }

    fn unjudged(&self, receipt: &Receipt, finding: Finding) -> Judged {
        let report = unjudged(&self.judge.policy.authserv_id, receipt.message_id.as_str(), finding);
        Judged { report, stored: None }
    }

    async fn record(
        &self,
        judged: Judged,
        receipt: &Receipt,
        claim: &Claim,
        clock: Clock,
    ) -> Result<Settled, VerifyError> {
        let Judged { report, stored } = judged;
        let disposition = Disposition::parse(report.disposition).unwrap_or(Disposition::Quarantine);
        let report_key = draft_key(&report.message_id, &claim.holder);
        self.messages.put_json(&report_key, report.to_json()).await?;
        let counted = self.count(&report, &receipt.recipients, claim, clock);
        let decision = Decision { disposition, report_key, is_placed: false };
        self.decide(claim, &decision, counted, clock).await?;
        log(&report, disposition, clock.now());
        if let (Disposition::Deliver, Some(contact)) = (disposition, &report.contact) {
            self.judge.remember(contact, clock.now()).await;
        }
        let authentication_results = report.authentication_results;
        let letter = stored.map(|stored| Letter { stored, authentication_results });
        Ok(Settled { decision, is_noted: false, letter })
    }

    async fn decide(
        &self,
        claim: &Claim,
        decision: &Decision,
        counted: Option<TransactWriteItem>,
        clock: Clock,
    ) -> Result<(), VerifyError> {
        self.ledger.decide(claim, decision, counted, clock.now()).await.map_err(VerifyError::Overtaken)
    }
}

/// Recipients that nobody named, to the sweep, may be those that somebody names: they are counted once.
fn may_be_the_same(sibling: &Entry, receipt: &Receipt) -> bool {
    sibling.recipients.is_empty() || receipt.recipients.is_empty()
}

/// The claim of a message that may have been deferred, and so counted, under another name of its recipients.
fn counted_before(claim: &Claim, entries: &[Entry], receipt: &Receipt) -> Claim {
    let is_deferred = |entry: &&Entry| entry.disposition == Some(Disposition::Defer);
    let before = entries.iter().filter(is_deferred).any(|entry| may_be_the_same(entry, receipt));
    let mut claim = claim.beside(entries);
    claim.was_deferred |= before;
    claim
}

fn judging_failed(attempts: u32) -> Finding {
    let detail = format!("{} attempts to judge the message ended without a result.", attempts - 1);
    Finding::new("judging_failed", Severity::Quarantine, detail)
}

/// The report of a message that is too large to be judged.
#[must_use]
pub fn oversized(authserv_id: &str, message_id: &str, octets: usize) -> Report {
    let detail = format!("The stored message has {octets} octets, more than the {MAX_MESSAGE_OCTETS} that are judged.");
    unjudged(authserv_id, message_id, Finding::new("message_too_large", Severity::Quarantine, detail))
}

/// The report of a message that nothing but this finding is known about.
#[must_use]
pub fn unjudged(authserv_id: &str, message_id: &str, finding: Finding) -> Report {
    let authentication_results = authentication_results::none(authserv_id);
    Judgement { authentication_results, ..Judgement::of_finding(finding) }.report(message_id, None, 0)
}

fn log(report: &Report, disposition: Disposition, now: SystemTime) {
    let from = report.from_domain.as_deref().unwrap_or("nobody");
    tracing::info!(
        name: metric::MESSAGE_JUDGED,
        disposition = report.disposition,
        message.id = report.message_id,
        rfc5322.from.domain = from,
        spf = report.spf,
        dkim = report.dkim,
        arc = report.arc,
        dmarc = report.dmarc,
        dns.queries = report.dns_queries,
        dns_ms = report.dns_ms,
        took_ms = report.took_ms,
        ocsf = ocsf(report, disposition, now),
        "message {} from {from}: {}",
        report.message_id,
        report.disposition,
    );
}

/// The same for a SIEM, without a local-part or an address.
fn ocsf(report: &Report, disposition: Disposition, now: SystemTime) -> String {
    let recipient = report.envelope.rcpt_to.first().and_then(|recipient| recipient.rsplit_once('@'));
    let findings: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    let message = JudgedMessage {
        message_id: &report.message_id,
        from_domain: report.from_domain.as_deref(),
        to_domain: recipient.map(|(_, domain)| domain),
        spf: report.spf,
        dkim: report.dkim,
        dmarc: report.dmarc,
        policy: report.policy,
        disposition,
        findings: &findings,
        time_ms: unix_millis(now),
    };
    message.event().to_string()
}
