//! The four checks of one message: questions to DNS side by side, everything else decided by the nouns.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use hickory_resolver::{TokioResolver, net::NetError};

use super::{
    dns::{NameServer, resolver},
    spf::answer,
    table::unix_seconds,
};
use crate::{
    address::Domain,
    arc::{ArcFault, Chain},
    authentication::{Arc, ArcResult, Authentication, DkimResult, DkimSignature, Dmarc, DmarcResult},
    author::Author,
    block_list::{self, BlockList},
    dkim::{Candidate, KeyRecords, SignedMessage, candidates},
    dmarc,
    envelope::Envelope,
    finding::Finding,
    header_section::HeaderSection,
    spf::{Answer, Question, QuestionKind, Session, SpfCheck, SpfResult, check_host},
};

/// Questions to DNS that SPF may ask for one message: ten terms, each `mx` with three hosts.
pub const MAX_SPF_QUESTIONS: usize = 41;

/// Keys that are looked up for one message: of its signatures, and of a chain of five seals.
pub const MAX_KEY_QUESTIONS: usize = 15;

/// Questions that DMARC may ask after them. What is not answered is sent up to three times, and no evaluation goes on after
/// failures: 100 queries at most.
pub const MAX_DMARC_QUESTIONS: usize = 20;

/// Answers that one instance keeps. They are kept whole, 1 MB each when a sender is hostile, so that 64 MB of 1,024 may go;
/// and they are enough for the keys and policies of those who write again and again.
const CACHED_ANSWERS: u64 = 64;

/// For SPF as a whole, for all keys of the message, and after these for DMARC.
const ANSWERS_WITHIN: Duration = Duration::from_secs(7);

/// For all block lists.
const LISTS_WITHIN: Duration = Duration::from_secs(3);

/// Authenticates messages. One per instance.
#[derive(Clone)]
pub struct Authenticator {
    resolver: TokioResolver,
}

/// One message as it is authenticated.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'m> {
    /// The octets that the sender wrote.
    pub message: &'m [u8],
    /// Their header section.
    pub section: &'m HeaderSection<'m>,
    pub envelope: &'m Envelope,
    pub author: &'m Author,
    pub now: SystemTime,
}

/// The results, and what they cost.
#[derive(Debug)]
pub struct Authenticated {
    pub authentication: Authentication,
    pub dns_queries: usize,
}

/// Questions that were asked on one account.
struct QuestionCount {
    asked: AtomicUsize,
    most: usize,
}

impl Authenticator {
    /// `timeout` is for one DNS query.
    ///
    /// # Errors
    /// When the system's resolver configuration cannot be read.
    pub fn new(server: NameServer, timeout: Duration) -> Result<Self, NetError> {
        Ok(Self { resolver: resolver(server, timeout, CACHED_ANSWERS)? })
    }

    /// `check_host` (RFC 7208 §4) for the envelope sender, or for `postmaster@HELO` when there is none. What is not known
    /// after 7 s is a temporary error.
    pub async fn spf(&self, session: &Session<'_>) -> SpfCheck {
        self.check_host(session, &QuestionCount::up_to(MAX_SPF_QUESTIONS)).await
    }

    /// What block lists say of a client and of domains; what is not answered within 3 s says nothing. The number is how many
    /// questions that took.
    pub async fn block_listed(
        &self,
        lists: &[BlockList],
        client_ip: IpAddr,
        domains: &[Domain],
    ) -> (Vec<Finding>, usize) {
        let inquiries = block_list::inquiries(lists, client_ip, domains);
        let answers = inquiries.iter().map(async |inquiry| {
            let question = Question { name: inquiry.name.clone(), kind: QuestionKind::A };
            let answer = tokio::time::timeout(LISTS_WITHIN, answer(&self.resolver, question)).await;
            block_list::finding(inquiry, &answer.unwrap_or(Answer::Failed))
        });
        (join_all(answers).await.into_iter().flatten().collect(), inquiries.len())
    }

    /// Judges what the sender wrote (without the header fields that SES put before it).
    pub async fn authenticate(&self, mail: &Mail<'_>) -> Authenticated {
        let now_s = unix_seconds(mail.now);
        let message = SignedMessage::new(mail.message, mail.section);
        let (candidates, ignored_signatures) = candidates(&message, &mail.author.domain, now_s);
        let chain = Chain::of(&message, now_s);
        // On accounts of their own: what one asks for must not keep another from its answer.
        let [spf_count, key_count, dmarc_count] =
            [MAX_SPF_QUESTIONS, MAX_KEY_QUESTIONS, MAX_DMARC_QUESTIONS].map(QuestionCount::up_to);
        let (session, names) = (session(mail.envelope, mail.now), key_names(&candidates, &chain));
        let (spf, keys) = tokio::join!(self.check_host(&session, &spf_count), self.keys(names, &key_count));
        let dkim: Vec<DkimSignature> = candidates.iter().map(|candidate| candidate.judge(&message, &keys)).collect();
        let arc = arc(chain, &message, &keys);
        let dmarc = self.dmarc(&mail.author.domain, &spf, &dkim, &dmarc_count).await;
        let authentication =
            Authentication { spf: spf.result, spf_domain: spf.domain, dkim, ignored_signatures, arc, dmarc };
        let dns_queries = [spf_count, key_count, dmarc_count].into_iter().map(QuestionCount::total).sum();
        Authenticated { authentication, dns_queries }
    }

    /// All keys side by side. What is not there in time counts as not answered.
    async fn keys(&self, names: Vec<String>, count: &QuestionCount) -> KeyRecords {
        let answers = names.into_iter().map(async |name| {
            let question = Question { name: name.clone(), kind: QuestionKind::Txt };
            let answer = tokio::time::timeout(ANSWERS_WITHIN, self.counted_answer(question, count)).await;
            (name, answer.unwrap_or(Answer::Failed))
        });
        KeyRecords::new(join_all(answers).await)
    }

    async fn check_host(&self, session: &Session<'_>, count: &QuestionCount) -> SpfCheck {
        let check = check_host(|question| self.counted_answer(question, count), session);
        tokio::time::timeout(ANSWERS_WITHIN, check).await.unwrap_or_else(|_| SpfCheck {
            result: SpfResult::TempError,
            domain: session.domain(),
            explanation: None,
            lookups: 0,
            void_lookups: 0,
        })
    }

    /// Alignment of what passed with the author domain, and the policy of its owner. What is not known in time is a
    /// temporary error.
    async fn dmarc(&self, author_domain: &str, spf: &SpfCheck, dkim: &[DkimSignature], count: &QuestionCount) -> Dmarc {
        let identifiers: Vec<(DkimResult, &str)> =
            dkim.iter().map(|signature| (signature.result, signature.domain.as_str())).collect();
        let lookup = |question| self.counted_answer(question, count);
        let evaluation = dmarc::evaluate(lookup, author_domain, Some((spf.result, &spf.domain)), &identifiers);
        let late = Dmarc { result: DmarcResult::TempError, policy: None };
        tokio::time::timeout(ANSWERS_WITHIN, evaluation).await.unwrap_or(late)
    }

    /// Whoever asks for more than is granted is told that DNS failed: that passes nothing and defers.
    async fn counted_answer(&self, question: Question, count: &QuestionCount) -> Answer {
        if count.is_spent() { Answer::Failed } else { answer(&self.resolver, question).await }
    }
}

impl QuestionCount {
    fn up_to(most: usize) -> Self {
        Self { asked: AtomicUsize::new(0), most }
    }

    fn is_spent(&self) -> bool {
        self.most <= self.asked.fetch_add(1, Ordering::Relaxed)
    }

    fn total(self) -> usize {
        self.asked.into_inner().min(self.most)
    }
}

/// What SPF wants to know of an envelope.
#[must_use]
pub fn session(envelope: &Envelope, now: SystemTime) -> Session<'_> {
    let Envelope { client_ip, helo, mail_from, .. } = envelope;
    Session { client_ip: *client_ip, helo, mail_from, receiver: "", now }
}

/// Each once: signatures and seals of one signer share a key.
fn key_names(candidates: &[Candidate], chain: &Result<Option<Chain>, ArcFault>) -> Vec<String> {
    let of_chain = chain.as_ref().ok().and_then(Option::as_ref).into_iter().flat_map(Chain::key_names);
    let mut names = Vec::new();
    for name in candidates.iter().filter_map(Candidate::key_name).chain(of_chain) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn arc(chain: Result<Option<Chain>, ArcFault>, message: &SignedMessage, keys: &KeyRecords) -> Arc {
    let failed = |fault: ArcFault| {
        let result = if fault.is_undecided() { ArcResult::Undecided } else { ArcResult::Fail };
        Arc { result, detail: fault.detail(), ..Arc::default() }
    };
    match chain {
        Ok(None) => Arc::default(),
        Err(fault) => failed(fault),
        Ok(Some(chain)) => {
            let passed = Arc { result: ArcResult::Pass, ..Arc::default() };
            Arc {
                sealers: chain.sealers(),
                first_results: chain.first_results(),
                signs_author: chain.signs_author(),
                ..chain.verify(message, keys).map_or_else(failed, |()| passed)
            }
        }
    }
}
