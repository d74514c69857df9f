//! The inbound report: what is kept of a judgement, beside the message.

use gatepost::{
    authentication::{Authentication, DkimSignature, DmarcPolicy},
    contact::Contact,
    disposition::{Disposition, UNSEEN},
    envelope::Envelope,
    finding::Finding,
};
use serde::Serialize;

/// One message, judged. The names are a contract with whoever reads the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub message_id: String,
    /// The author's domain as lower-case A-labels; absent when the message has no usable author.
    pub from_domain: Option<String>,
    pub envelope: ReportedEnvelope,
    pub spf: &'static str,
    pub spf_domain: String,
    pub dkim: &'static str,
    pub dkim_signatures: Vec<ReportedSignature>,
    pub arc: &'static str,
    pub dmarc: &'static str,
    pub policy: Option<&'static str>,
    pub disposition: &'static str,
    pub findings: Vec<ReportedFinding>,
    pub authentication_results: String,
    pub took_ms: u64,
    pub dns_queries: usize,
    /// How long DNS was asked about the sender; in the log only.
    #[serde(skip)]
    pub dns_ms: u64,
    /// Who wrote to whom, to be noted when it is delivered; in the table only.
    #[serde(skip)]
    pub contact: Option<Contact>,
}

/// What SMTP said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedEnvelope {
    pub client_ip: String,
    pub helo: String,
    pub mail_from: String,
    pub rcpt_to: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedSignature {
    pub domain: String,
    pub selector: String,
    pub result: &'static str,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedFinding {
    pub code: String,
    pub severity: &'static str,
    pub detail: String,
    pub location: String,
}

/// Everything that a judgement found, before it is written down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judgement {
    pub(crate) from_domain: Option<String>,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) authentication_results: String,
    pub(crate) findings: Vec<Finding>,
    pub(crate) dns_queries: usize,
    pub(crate) dns_ms: u64,
    pub(crate) contact: Option<Contact>,
}

impl Judgement {
    pub(crate) fn of_finding(finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::default() }
    }

    pub(crate) fn disposition(&self) -> Disposition {
        Disposition::of(&self.findings)
    }

    pub(crate) fn report(&self, message_id: &str, envelope: Option<&Envelope>, took_ms: u64) -> Report {
        let results = self.authentication.as_ref();
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Report {
            message_id: message_id.to_owned(),
            from_domain: self.from_domain.clone(),
            envelope: envelope.map_or_else(ReportedEnvelope::unknown, ReportedEnvelope::of),
            spf: results.map_or("none", |results| results.spf.as_str()),
            spf_domain: results.map(|results| results.spf_domain.clone()).unwrap_or_default(),
            dkim: results.map_or("none", |results| results.dkim_result().as_str()),
            dkim_signatures: results.map_or_else(Vec::new, |r| r.dkim.iter().map(ReportedSignature::of).collect()),
            arc: results.map_or("none", |results| results.arc.result.as_str()),
            dmarc: results.map_or("none", |results| results.dmarc.result.as_str()),
            policy: results.and_then(|results| results.dmarc.policy).map(DmarcPolicy::as_str),
            disposition: self.disposition().as_str(),
            findings: findings.into_iter().map(ReportedFinding::of).collect(),
            authentication_results: self.authentication_results.clone(),
            took_ms,
            dns_queries: self.dns_queries,
            dns_ms: self.dns_ms,
            contact: self.contact.clone(),
        }
    }
}

impl Report {
    /// Whether nobody has looked at what the message holds.
    pub(crate) fn was_not_inspected(&self) -> bool {
        self.findings.iter().any(|finding| UNSEEN.contains(&finding.code.as_str()))
    }

    /// The report as it is stored: JSON, indented for people.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain strings and numbers always serialise")
    }
}

impl ReportedEnvelope {
    fn of(envelope: &Envelope) -> Self {
        Self {
            client_ip: envelope.client_ip.to_string(),
            helo: envelope.helo.clone(),
            mail_from: envelope.mail_from.clone(),
            rcpt_to: envelope.rcpt_to.clone(),
        }
    }

    fn unknown() -> Self {
        Self { client_ip: String::new(), helo: String::new(), mail_from: String::new(), rcpt_to: Vec::new() }
    }
}

impl ReportedSignature {
    fn of(signature: &DkimSignature) -> Self {
        Self {
            domain: signature.domain.clone(),
            selector: signature.selector.clone(),
            result: signature.result.as_str(),
            detail: signature.detail.clone(),
        }
    }
}

impl ReportedFinding {
    fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code.clone().into_owned(),
            severity: finding.severity.as_str(),
            detail: finding.detail.clone(),
            location: finding.location.clone(),
        }
    }
}
