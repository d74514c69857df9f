//! What is done about one message, from the claim to its place.

use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use gatepost::{
    contact::Contact,
    disposition::Disposition,
    finding::{Finding, Severity},
    io::{
        ledger::{Claim, Claimed, Decision, Entry, EntryKey, Recorded},
        messages::{INBOUND, Letter, MessagesError, draft_key},
    },
};
use tokio::time::sleep;

use crate::{
    SesDisposition,
    arrived::Arrived,
    event::Receipt,
    judge::Terms,
    log, oversized,
    report::Report,
    unjudged,
    verifier::{Clock, Verifier, VerifyError},
};

/// The decision has to be recorded by then, or the claim is given up in good order.
const SETTLE_WITHIN: Duration = Duration::from_secs(24);

/// SES waits 30 s for an answer, and takes none for CONTINUE.
const ANSWER_WITHIN: Duration = Duration::from_secs(27);

/// After so many claims without a decision the message itself is what kills its judge, and nobody opens it again.
const MOST_ATTEMPTS: u32 = 4;

/// What became of a message, and what is left to do.
#[derive(Debug)]
struct Settled {
    decision: Decision,
    /// Whether the ledger knows, for these recipients, that the message lies in its place.
    is_noted: bool,
    /// What is to be delivered, when it was judged just now, and who wrote to whom.
    letter: Option<Letter>,
    contact: Option<Contact>,
}

impl Settled {
    fn before(decision: Decision, is_noted: bool) -> Self {
        Self { decision, is_noted, letter: None, contact: None }
    }
}

/// A report, and the message that it is about.
struct Judged {
    report: Report,
    stored: Option<Vec<u8>>,
}

impl Verifier {
    pub(crate) async fn answer(&self, receipt: &Receipt, clock: Clock) -> SesDisposition {
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
            Err(VerifyError::Overtaken) => settle().await?,
            settled => settled?,
        };
        let Settled { decision: Decision { disposition, report_key, is_placed }, is_noted, letter, contact } = settled;
        if disposition == Disposition::Defer {
            return Ok(disposition);
        }
        if !is_placed {
            self.messages.place(message_id, disposition, &report_key, letter).await?;
        }
        if !is_noted {
            self.ledger.mark_placed(&entry, clock.now()).await?;
        }
        if let (Disposition::Deliver, Some(contact)) = (disposition, &contact) {
            self.judge.remember(contact, clock.now()).await;
        }
        Ok(disposition)
    }

    async fn claim_and_settle(
        &self,
        entry: &EntryKey,
        receipt: &Receipt,
        clock: Clock,
    ) -> Result<Settled, VerifyError> {
        let entries = self.ledger.entries(receipt.message_id.as_str()).await?;
        if let Some(settled) = self.join(entry, &entries, receipt, clock).await? {
            return Ok(settled);
        }
        match self.claim(entry, &receipt.recipients, clock).await? {
            Claimed::Ours(claim) => self.settle(receipt, &claim, &entries, clock).await,
            Claimed::Decided(decision) => {
                let is_noted = decision.is_placed;
                Ok(Settled::before(decision, is_noted))
            }
            Claimed::Busy => Err(VerifyError::Busy),
        }
    }

    /// For recipients that nobody spoke of before, what is decided is written down without a claim. Whoever dies leaves nothing
    /// behind then, which nobody would find once the message is no longer in `inbound/`.
    async fn join(
        &self,
        entry: &EntryKey,
        entries: &[Entry],
        receipt: &Receipt,
        clock: Clock,
    ) -> Result<Option<Settled>, VerifyError> {
        let is_new = entries.iter().all(|known| known.key != *entry);
        let adoptable = self.adoptable(entries, receipt, None, clock).filter(|_| is_new);
        let Some((decision, counted)) = adoptable else { return Ok(None) };
        match self.ledger.join(entry, &receipt.recipients, &decision, counted, clock.now()).await? {
            Recorded::Ours => {
                let is_noted = decision.is_placed;
                Ok(Some(Settled::before(decision, is_noted)))
            }
            Recorded::Overtaken => Ok(None),
        }
    }

    async fn settle(
        &self,
        receipt: &Receipt,
        claim: &Claim,
        entries: &[Entry],
        clock: Clock,
    ) -> Result<Settled, VerifyError> {
        let settled = tokio::select! {
            settled = self.adopt_or_judge(receipt, claim, entries, clock) => settled,
            lost = self.keep(claim, clock) => return Err(lost),
            () = sleep(clock.left_of(SETTLE_WITHIN)) => Err(VerifyError::Late),
        };
        if settled.is_err() {
            self.give_up(claim).await;
        }
        settled
    }

    /// `entries` are those of the message before it was claimed.
    async fn adopt_or_judge(
        &self,
        receipt: &Receipt,
        claim: &Claim,
        entries: &[Entry],
        clock: Clock,
    ) -> Result<Settled, VerifyError> {
        if let Some(settled) = self.adopt(entries, receipt, claim, clock).await? {
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
        let Some((decision, counted)) = self.adoptable(entries, receipt, Some(claim), clock) else { return Ok(None) };
        self.decide(claim, &decision, counted, clock).await?;
        Ok(Some(Settled::before(decision, false)))
    }

    /// What was decided for others, and what that adds to the counters; `claim` is the one on these recipients, if they have any.
    fn adoptable(
        &self,
        entries: &[Entry],
        receipt: &Receipt,
        claim: Option<&Claim>,
        clock: Clock,
    ) -> Option<(Decision, Option<TransactWriteItem>)> {
        let (sibling, decision) = entries.iter().find_map(|entry| Some((entry, entry.decision()?)))?;
        let is_counted = may_be_the_same(sibling, receipt);
        let counted = (!is_counted).then(|| self.count_adopted(receipt, decision.disposition, claim, clock)).flatten();
        Some((decision, counted))
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
        let Report { authentication_results, contact, .. } = report;
        let letter = stored.map(|stored| Letter { stored, authentication_results });
        Ok(Settled { decision, is_noted: false, letter, contact })
    }

    async fn decide(
        &self,
        claim: &Claim,
        decision: &Decision,
        counted: Option<TransactWriteItem>,
        clock: Clock,
    ) -> Result<(), VerifyError> {
        match self.ledger.decide(claim, decision, counted, clock.now()).await? {
            Recorded::Ours => Ok(()),
            Recorded::Overtaken => Err(VerifyError::Overtaken),
        }
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
