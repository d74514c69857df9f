//! SES receipt rule: every message that arrives is judged, and the answer is a disposition.

pub mod arrived;
pub mod boundary;
pub mod event;
pub mod judge;
pub mod report;
mod settle;
mod verifier;

use std::time::SystemTime;

use gatepost::{
    authentication_results,
    author_fault::AuthorFault,
    disposition::Disposition,
    finding::{Finding, Severity},
    header_section::HeaderFault,
    io::table::unix_millis,
    metric,
    ocsf::JudgedMessage,
};
use serde_json::Value;

pub use gatepost::io::messages::MAX_MESSAGE_OCTETS;

pub use crate::verifier::{Verifier, VerifierConfig};
use crate::{
    boundary::BoundaryFault,
    event::Inbound,
    report::{Judgement, Report},
    verifier::Clock,
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
        // Who is held back for being a stranger would stay one.
        || ["deferral_expired", "envelope_out_of_bounds", "first_contact"].contains(&code);
    !is_fixed && finding_codes().any(|known| known == code)
}

/// Judges what the event is about. Always answers, and lets a message pass only when it lies in `delivered/`.
pub async fn handle(verifier: &Verifier, event: Value, now: SystemTime) -> SesAnswer {
    let clock = Clock::started_at(now);
    let receipts = match Inbound::parse(event) {
        Ok(receipts) => receipts,
        Err(error) => {
            tracing::error!(cause = error.to_string(), "the event is not one that SES sends");
            return SesAnswer { disposition: SesDisposition::StopRuleSet };
        }
    };
    let mut disposition = SesDisposition::Continue;
    for receipt in &receipts {
        disposition = disposition.max(verifier.answer(receipt, clock).await);
    }
    SesAnswer { disposition }
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
