//! One message, judged: authentication and inspection side by side, findings in, disposition out.

use std::{
    future::Future,
    sync,
    time::{Duration, SystemTime},
};

use gatepost::{
    address::Domain,
    authentication::{Arc, Authentication, DkimResult, Dmarc, DmarcResult},
    authentication_results,
    author::Author,
    block_list::BlockList,
    contact::Contact,
    display_name,
    disposition::{Disposition, Overrides},
    domain_list::DomainList,
    envelope::Envelope,
    finding::{Finding, Severity},
    header_section::HeaderSection,
    impersonation::{Names, Proof, Sender},
    inspection::Seen,
    io::{
        authentication::{Authenticator, Mail, session},
        contacts::Contacts,
        telemetry::with_causes,
    },
    reply_to::{self, ReplyTo},
};
use tokio::time::Instant;

use crate::{
    arrived::Arrived,
    report::{Judgement, Report},
};

/// Whom this receiver trusts, and as whom it speaks.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Names this receiver in `Authentication-Results` (RFC 8601 §2.5).
    pub authserv_id: String,
    /// Domains whose ARC seals may override a DMARC failure.
    pub trusted_arc_sealers: Vec<String>,
    /// Domains that a display name must not claim for another author.
    pub protected_domains: Vec<String>,
    /// What findings weigh here, where that is not what they weigh by default.
    pub overrides: Overrides,
    /// Lists that are asked about client and domains.
    pub block_lists: Vec<BlockList>,
}

/// Judges messages. One per instance.
#[derive(Clone)]
pub struct Judge {
    pub authenticator: Authenticator,
    pub policy: Policy,
    /// Who wrote to whom before; absent where nothing is remembered.
    pub contacts: Option<sync::Arc<Contacts>>,
}

/// What the caller grants a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub patience: Patience,
    /// For the message as a whole.
    pub within: Duration,
    pub now: SystemTime,
}

/// How long a message may go on being deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It may be judged again later.
    Left,
    /// It was first seen so long ago that it is quarantined rather than deferred once more.
    Spent,
}

/// What a memory of contacts may take of the time for a message: it is a hint, and nothing fails with it.
const CONTACT_WITHIN: Duration = Duration::from_millis(500);

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("deferral_expired", "the message could not be judged for too long and is quarantined"),
    ("deadline_exceeded", "the message could not be judged in time; it is deferred"),
    ("duplicate_field", "a field that a message has at most once occurs twice, so that readers see different messages"),
    ("forged_authentication_results", "the sender wrote Authentication-Results with our own authserv-id"),
    ("smtp_smuggling_mark", "the body holds an end-of-data mark with a bare CR or LF"),
];

impl Judge {
    /// Judges what the sender wrote. `inspection` looks into the attachments meanwhile.
    ///
    /// Always answers within the deadline; what was not known by then is a finding that defers.
    pub async fn report(
        &self,
        message_id: &str,
        arrived: &Arrived<'_>,
        terms: Terms,
        inspection: impl Future<Output = Seen>,
    ) -> Report {
        let started = Instant::now();
        let judgement = tokio::time::timeout(terms.within, self.judge(arrived, terms.now, inspection)).await;
        let mut judgement = judgement.unwrap_or_else(|_| Judgement::of_finding(deadline_exceeded(terms.within)));
        let is_authenticated = judgement.authentication.as_ref().is_some_and(|a| a.dmarc.result == DmarcResult::Pass);
        let author_domain = judgement.from_domain.as_deref();
        self.policy.overrides.apply(&mut judgement.findings, author_domain, is_authenticated);
        if judgement.disposition() == Disposition::Defer && terms.patience == Patience::Spent {
            let detail = "The message could not be judged for so long that it is quarantined.";
            judgement.findings.push(Finding::new("deferral_expired", Severity::Quarantine, detail));
        }
        if judgement.authentication_results.is_empty() {
            judgement.authentication_results = authentication_results::none(&self.policy.authserv_id);
        }
        judgement.report(message_id, Some(&arrived.envelope), millis(started.elapsed()))
    }

    async fn judge(&self, arrived: &Arrived<'_>, now: SystemTime, inspection: impl Future<Output = Seen>) -> Judgement {
        let (message, envelope) = (arrived.written_by_sender, &arrived.envelope);
        let section = HeaderSection::parse(message);
        let mut judgement = match Author::of(&section) {
            Ok(author) => {
                let mail = Mail { message, section: &section, envelope, author: &author, now };
                let (mut judgement, inspected) = tokio::join!(self.authenticate(&mail), inspection);
                judgement.findings.extend(inspected.findings);
                judgement.findings.extend(self.impersonations(&mail, &judgement, &inspected.hosts));
                self.ask_lists(&mail, &inspected.hosts, &mut judgement).await;
                judgement
            }
            Err(fault) => self.without_author(envelope, fault.code(), fault.detail(), now).await,
        };
        let is_signed = judgement.authentication.as_ref().is_some_and(|a| a.dkim_result() == DkimResult::Pass);
        judgement.findings.extend(self.header_findings(&section, is_signed));
        judgement.findings.extend(smuggling_finding(message));
        judgement.findings.extend(arrived.findings());
        judgement
    }

    async fn authenticate(&self, mail: &Mail<'_>) -> Judgement {
        let Mail { envelope, author, .. } = *mail;
        let asked_at = Instant::now();
        let authenticated = self.authenticator.authenticate(mail).await;
        let dns_ms = millis(asked_at.elapsed());
        let results = authenticated.authentication;
        let is_proven = results.dmarc.result == DmarcResult::Pass;
        let contact = Contact::between(&author.domain, &envelope.rcpt_to, is_proven);
        let mut findings = results.findings(author, &self.policy.trusted_arc_sealers);
        findings.extend(self.first_contact(contact.as_ref()).await);
        Judgement {
            from_domain: Some(author.domain.clone()),
            authentication_results: authentication_results::write(&self.policy.authserv_id, envelope, author, &results),
            findings,
            authentication: Some(results),
            dns_queries: authenticated.dns_queries,
            dns_ms,
            contact,
        }
    }

    /// A table that does not answer says nothing about a message.
    async fn first_contact(&self, contact: Option<&Contact>) -> Option<Finding> {
        let (contacts, contact) = (self.contacts.as_ref()?, contact?);
        let is_first = tokio::time::timeout(CONTACT_WITHIN, contacts.is_first(contact)).await;
        matches!(is_first, Ok(Ok(true))).then(|| contact.first())
    }

    /// Notes a contact whose mail is delivered. What is not noted is a first contact again.
    pub(crate) async fn remember(&self, contact: &Contact, now: SystemTime) {
        let Some(contacts) = &self.contacts else { return };
        match tokio::time::timeout(CONTACT_WITHIN, contacts.note(contact, now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(cause = with_causes(&error), "a contact was not noted"),
            Err(_) => tracing::warn!("a contact was not noted in time"),
        }
    }

    fn impersonations(&self, mail: &Mail<'_>, judgement: &Judgement, hosts: &[String]) -> Vec<Finding> {
        let Mail { section, author, .. } = *mail;
        let protected = &self.policy.protected_domains;
        let written = section.fields_named("Reply-To").next().map(|field| field.value);
        let reply_to: Vec<ReplyTo> =
            section.fields_named("Reply-To").flat_map(|field| reply_to::mailboxes(field.value)).collect();
        let proof = judgement.authentication.as_ref().map_or(Proof::Nobody, |results| Proof::of(results, author));
        let is_from_list = section.fields_named("List-Id").next().is_some();
        let sender = Sender { author, reply_to: &reply_to, proof, is_from_list };
        let names = Names::new(protected);
        let mut findings = display_name::findings(author, written, protected);
        findings.extend(names.of_sender(sender, &DomainList::embedded()));
        findings.extend(names.of_links(hosts));
        findings
    }

    /// Author and envelope first: what a message links to may be more than there are questions.
    async fn ask_lists(&self, mail: &Mail<'_>, hosts: &[String], judgement: &mut Judgement) {
        let lists = &self.policy.block_lists;
        if lists.is_empty() {
            return;
        }
        let sender = mail.envelope.mail_from.rsplit('@').next().unwrap_or_default();
        let names = [mail.author.domain.as_str(), sender].into_iter().chain(hosts.iter().map(String::as_str));
        let domains: Vec<Domain> = names.filter_map(|name| Domain::parse(name).ok()).collect();
        let (listed, asked) = self.authenticator.block_listed(lists, mail.envelope.client_ip, &domains).await;
        judgement.findings.extend(listed);
        judgement.dns_queries += asked;
    }

    /// A message without an author that every reader agrees on is refused: nobody can answer for it, and DMARC has
    /// nothing to protect.
    async fn without_author(
        &self,
        envelope: &Envelope,
        code: &'static str,
        detail: &str,
        now: SystemTime,
    ) -> Judgement {
        let spf = self.authenticator.spf(&session(envelope, now)).await;
        let authentication = Authentication {
            spf: spf.result,
            spf_domain: spf.domain,
            dkim: Vec::new(),
            ignored_signatures: 0,
            arc: Arc::default(),
            dmarc: Dmarc { result: DmarcResult::PermError, policy: None },
        };
        Judgement {
            authentication: Some(authentication),
            dns_queries: spf.lookups + 1,
            ..Judgement::of_finding(Finding::new(code, Severity::Reject, detail))
        }
    }

    fn header_findings(&self, section: &HeaderSection<'_>, is_signed: bool) -> Vec<Finding> {
        let faults = section.faults.iter().filter(|fault| !fault.blurs_fields());
        let mut findings: Vec<Finding> =
            faults.map(|fault| Finding::new(fault.code(), Severity::Info, fault.detail())).collect();
        findings.extend(duplicate_field(section, is_signed));
        let forged = authentication_results::forged(section, &self.policy.authserv_id).count();
        if 0 < forged {
            let detail = format!("The sender wrote {forged} Authentication-Results fields in our own name.");
            findings.push(Finding::new("forged_authentication_results", Severity::Review, detail));
        }
        findings
    }
}

/// Fields that a message has at most once (RFC 5322 §3.6, RFC 2045, RFC 2183): with two, readers disagree on which one counts.
/// A second From has a finding of its own.
const AT_MOST_ONCE: [&str; 15] = [
    "Date",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-ID",
];

/// Two that say the same are a fault of a program, and nobody is misled. Two Reply-To show nobody another message, and each of
/// their mailboxes is judged; but with a signature, which covers the lowest, the other may be somebody else's (RFC 6376
/// section 8.15).
fn duplicate_field(section: &HeaderSection<'_>, is_signed: bool) -> Option<Finding> {
    let differ = |name: &str| {
        let mut values = section.fields_named(name).map(|field| field.value.trim_ascii());
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let misleads = |name: &str| (is_signed || name != "Reply-To") && differ(name);
    let is_twice = |name: &&str| 1 < section.fields_named(name).count();
    let name = AT_MOST_ONCE.into_iter().find(|name| misleads(name)).or(AT_MOST_ONCE.into_iter().find(is_twice))?;
    let (severity, so) = match (misleads(name), differ(name)) {
        (true, _) => (Severity::Quarantine, "so that readers see different messages"),
        (false, true) => (Severity::Review, "so that replies go to different people"),
        (false, false) => (Severity::Review, "and says the same each time"),
    };
    Some(Finding::new("duplicate_field", severity, format!("{name} occurs more than once, {so}.")))
}

fn smuggling_finding(message: &[u8]) -> Option<Finding> {
    let offset = gatepost::header_section::smuggling_mark(message)?;
    let detail = format!("Octet {offset} begins an end-of-data mark that only some servers would take for one.");
    Some(Finding::new("smtp_smuggling_mark", Severity::Quarantine, detail).at("body"))
}

fn deadline_exceeded(deadline: Duration) -> Finding {
    let detail = format!("The message could not be judged within {} ms.", deadline.as_millis());
    Finding::new("deadline_exceeded", Severity::Review, detail).deferring()
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
