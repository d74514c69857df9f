//! SPF and DMARC by our own evaluators; DKIM and ARC through mail-auth within a policy of ours.
//!
//! mail-auth is never given a cache that keeps anything: its TXT cache is keyed by name alone and holds parsed records,
//! so one kind of question could hide the answer to another. hickory's own cache holds plain records and is safe. The
//! caches below only count.

use std::{
    borrow::Borrow,
    hash::Hash,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant, SystemTime},
};

use hickory_resolver::net::NetError;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DnsError, Error, MessageAuthenticator, Parameters, ResolverCache,
    common::headers::Header,
    dkim::{DkimError, Signature},
};

use super::{
    dns::{NameServer, resolver_configuration},
    spf::answer,
    table::unix_seconds,
};
use crate::{
    arc_fields::arc_fields_fault,
    authentication::{
        Arc, ArcResult, Authentication, DkimResult, DkimSignature, Dmarc, DmarcResult, MAX_ARC_SETS, MAX_SIGNATURES,
        MAX_SIGNED_FIELDS,
    },
    author::Author,
    dkim_key::{KeyFault, KeyStrength, key_policy},
    dkim_signature::{SignatureFacts, unsigned_added},
    dmarc,
    envelope::Envelope,
    header_section::HeaderSection,
    spf::{Answer, Data, Question, QuestionKind, Session, SpfCheck, SpfResult, check_host},
};

/// Questions to DNS that DMARC may ask for one message, and as many that SPF and the keys of signatures may.
const MAX_QUESTIONS: usize = 50;

/// For SPF as a whole, for all key look-ups of a message's signatures, for those of its ARC chain, and after these for
/// DMARC.
const SIGNATURES_WITHIN: Duration = Duration::from_secs(7);

/// Authenticates messages. One per instance.
#[derive(Clone)]
pub struct Authenticator {
    inner: MessageAuthenticator,
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

/// What mail-auth says of a signature, and what its key record does.
struct Verified<'x> {
    output: DkimOutput<'x>,
    facts: Option<&'x SignatureFacts>,
    key: Option<Result<KeyStrength, KeyFault>>,
}

/// The results, and what they cost.
#[derive(Debug)]
pub struct Authenticated {
    pub authentication: Authentication,
    pub dns_queries: usize,
}

/// Counts questions and remembers nothing.
#[derive(Default)]
struct QuestionCount {
    asked: AtomicUsize,
}

impl<K, V> ResolverCache<K, V> for QuestionCount {
    fn get<Q>(&self, _name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.asked.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn remove<Q>(&self, _name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _key: K, _value: V, _valid_until: Instant) {}
}

impl Authenticator {
    /// `timeout` is for one DNS query.
    ///
    /// # Errors
    /// When the system's resolver configuration cannot be read.
    pub fn new(server: NameServer, timeout: Duration) -> Result<Self, NetError> {
        let (config, options) = resolver_configuration(server, timeout)?;
        Ok(Self { inner: MessageAuthenticator::new(config, options)? })
    }

    /// `check_host` (RFC 7208 §4) for the envelope sender, or for `postmaster@HELO` when there is none. What is not known
    /// after 7 s is a temporary error.
    pub async fn spf(&self, session: &Session<'_>) -> SpfCheck {
        self.check_host(session, &QuestionCount::default()).await
    }

    /// Judges what the sender wrote (without the header fields that SES put before it). `None` when mail-auth finds no
    /// header section in it, or reads another author from it than we do: then nothing it says is about this author.
    pub async fn authenticate(&self, mail: &Mail<'_>) -> Option<Authenticated> {
        let mut parsed = AuthenticatedMessage::parse(mail.message)?;
        if !is_only_author(&parsed, mail.author) {
            return None;
        }
        let ignored_signatures = drop_excess_signatures(&mut parsed);
        let (facts, refused) = refuse_faulty_signatures(&mut parsed, unix_seconds(mail.now));
        let count = QuestionCount::default();
        let session = session(mail.envelope, mail.now);
        let (spf, verified, arc) = tokio::join!(
            self.check_host(&session, &count),
            self.dkim(&parsed, &facts, &count),
            self.arc(mail.section, &parsed, &count)
        );
        let verified = verified.iter().map(|verified| verified.signature(mail.section));
        let dkim: Vec<DkimSignature> = verified.chain(refused).collect();
        // What SPF and the signatures asked must not keep DMARC from its answer.
        let dmarc_count = QuestionCount::default();
        let dmarc = self.dmarc(&mail.author.domain, &spf, &dkim, &dmarc_count).await;
        let authentication =
            Authentication { spf: spf.result, spf_domain: spf.domain, dkim, ignored_signatures, arc, dmarc };
        Some(Authenticated { authentication, dns_queries: count.asked.into_inner() + dmarc_count.asked.into_inner() })
    }

    /// Keys that are not there in time are temporary errors of their signatures, and the rest of the message is judged.
    async fn dkim<'x>(
        &self,
        message: &'x AuthenticatedMessage<'x>,
        facts: &'x [SignatureFacts],
        count: &'x QuestionCount,
    ) -> Vec<Verified<'x>> {
        let verified = async {
            let outputs = self.inner.verify_dkim(counted(message, count)).await;
            // mail-auth lists what it could not parse first, then each signature in its place.
            let malformed = outputs.len().saturating_sub(facts.len());
            let signatures = message.dkim_headers.iter().zip(facts);
            let known = std::iter::repeat_n(None, malformed).chain(signatures.map(Some));
            let checks =
                outputs.into_iter().zip(known).map(|(output, known)| self.with_key_checked(output, known, count));
            futures_util::future::join_all(checks.collect::<Vec<_>>()).await
        };
        tokio::time::timeout(SIGNATURES_WITHIN, verified).await.unwrap_or_else(|_| {
            let late = || DkimOutput::temp_err(Error::Dns(DnsError::Resolver("no answer in time".to_owned())));
            let fields = message.dkim_headers.iter();
            fields.map(|field| Verified::of(late().with_signature(&field.header))).collect()
        })
    }

    /// mail-auth parses what a key record forbids, and does not always obey. A signature that passed is held against
    /// every record of its key.
    async fn with_key_checked<'x>(
        &self,
        output: DkimOutput<'x>,
        known: Option<(&'x Header<'x, Signature>, &'x SignatureFacts)>,
        count: &QuestionCount,
    ) -> Verified<'x> {
        let Some((field, facts)) = known.filter(|_| *output.result() == mail_auth::DkimResult::Pass) else {
            return Verified::of(output);
        };
        let key = self.counted_answer(Question { name: facts.key_name(), kind: QuestionKind::Txt }, count).await;
        let key = match key {
            Answer::Records(records) => held_against(&records, facts),
            Answer::NoRecords | Answer::NxDomain | Answer::Failed => {
                let gone = DkimOutput::temp_err(Error::Dns(DnsError::Resolver("the key is gone".to_owned())));
                return Verified::of(gone.with_signature(&field.header));
            }
        };
        let output =
            if key.is_ok() { output } else { DkimOutput::perm_err(Error::ParseError).with_signature(&field.header) };
        Verified { output, facts: Some(facts), key: Some(key) }
    }

    async fn arc<'x>(
        &self,
        section: &HeaderSection<'_>,
        message: &'x AuthenticatedMessage<'x>,
        count: &'x QuestionCount,
    ) -> Arc {
        let failed = || Arc { result: ArcResult::Fail, ..Arc::default() };
        if is_arc_flood(message) || arc_fields_fault(section).is_some() {
            return failed();
        }
        let verified = tokio::time::timeout(SIGNATURES_WITHIN, self.inner.verify_arc(counted(message, count))).await;
        verified.map_or_else(|_| failed(), |output| arc_chain(&output))
    }

    async fn check_host(&self, session: &Session<'_>, count: &QuestionCount) -> SpfCheck {
        let check = check_host(|question| self.counted_answer(question, count), session);
        let domain = session.mail_from.rsplit_once('@').map_or(session.helo, |(_, domain)| domain);
        tokio::time::timeout(SIGNATURES_WITHIN, check).await.unwrap_or_else(|_| SpfCheck {
            result: SpfResult::TempError,
            domain: domain.to_ascii_lowercase(),
            explanation: None,
            lookups: 0,
            void_lookups: 0,
        })
    }

    /// Alignment of what passed with the author domain, and the policy of its owner. What is not known in time is a
    /// temporary error.
    async fn dmarc(&self, author_domain: &str, spf: &SpfCheck, dkim: &[DkimSignature], count: &QuestionCount) -> Dmarc {
        let domains: Vec<String> = dkim.iter().map(|signature| a_labels(&signature.domain)).collect();
        let identifiers: Vec<(DkimResult, &str)> =
            dkim.iter().zip(&domains).map(|(signature, domain)| (signature.result, domain.as_str())).collect();
        let lookup = |question| self.counted_answer(question, count);
        let evaluation = dmarc::evaluate(lookup, author_domain, Some((spf.result, &spf.domain)), &identifiers);
        let late = Dmarc { result: DmarcResult::TempError, policy: None };
        tokio::time::timeout(SIGNATURES_WITHIN, evaluation).await.unwrap_or(late)
    }

    /// A message that asks for more than [`MAX_QUESTIONS`] is told that DNS failed: that passes nothing and defers.
    async fn counted_answer(&self, question: Question, count: &QuestionCount) -> Answer {
        if MAX_QUESTIONS <= count.asked.fetch_add(1, Ordering::Relaxed) {
            return Answer::Failed;
        }
        answer(&self.inner.0, question).await
    }
}

type Counted<'x, P> = Parameters<'x, P, QuestionCount, QuestionCount, QuestionCount, QuestionCount, QuestionCount>;

fn counted<P>(params: P, count: &QuestionCount) -> Counted<'_, P> {
    Parameters {
        params,
        cache_txt: Some(count),
        cache_mx: Some(count),
        cache_ptr: Some(count),
        cache_ipv4: Some(count),
        cache_ipv6: Some(count),
    }
}

/// Two readers of one `From` field have to agree: where they do not, a mail program may be a third.
fn is_only_author(message: &AuthenticatedMessage<'_>, author: &Author) -> bool {
    let [from] = message.from.as_slice() else { return false };
    let domain = from.rsplit_once('@').map(|(_, domain)| domain);
    let domain = domain.and_then(|domain| idna::domain_to_ascii(domain).ok());
    domain.is_some_and(|domain| domain == author.domain)
}

/// Malformed signatures count as well: each would be a result of its own.
fn drop_excess_signatures(message: &mut AuthenticatedMessage<'_>) -> usize {
    let found = message.dkim_headers.len() + message.errors.len();
    message.dkim_headers.retain(|field| field.header.h.len() <= MAX_SIGNED_FIELDS);
    message.dkim_headers.truncate(MAX_SIGNATURES);
    message.errors.truncate(MAX_SIGNATURES - message.dkim_headers.len());
    found - message.dkim_headers.len() - message.errors.len()
}

/// The work on an `ARC-Message-Signature` grows with the names in `h=` times the header fields, and no deadline can
/// interrupt it.
fn is_arc_flood(message: &AuthenticatedMessage<'_>) -> bool {
    let too_long = message.ams_headers.iter().any(|field| MAX_SIGNED_FIELDS < field.header.h.len());
    too_long || MAX_ARC_SETS < message.as_headers.len().max(message.ams_headers.len())
}

/// What SPF wants to know of an envelope.
#[must_use]
pub fn session(envelope: &Envelope, now: SystemTime) -> Session<'_> {
    let Envelope { client_ip, helo, mail_from, .. } = envelope;
    Session { client_ip: *client_ip, helo, mail_from, receiver: "", now }
}

/// What is wrong with a signature by itself is known before its key is asked for. mail-auth leaves the line end that
/// closes a field with its value.
fn refuse_faulty_signatures(
    message: &mut AuthenticatedMessage<'_>,
    now_s: u64,
) -> (Vec<SignatureFacts>, Vec<DkimSignature>) {
    let (mut facts, mut refused) = (Vec::new(), Vec::new());
    message.dkim_headers.retain(|field| match SignatureFacts::of(field.value.trim_ascii_end(), now_s) {
        Ok(found) => {
            facts.push(found);
            true
        }
        Err(fault) => {
            let Signature { d, s, .. } = &field.header;
            refused.push(signature(d, s, fault.result(), fault.detail()));
            false
        }
    });
    (facts, refused)
}

/// Several records at one name are as good as the worst of them.
fn held_against(records: &[Data], facts: &SignatureFacts) -> Result<KeyStrength, KeyFault> {
    let texts = records.iter().filter_map(|record| match record {
        Data::Text(octets) => Some(String::from_utf8_lossy(octets)),
        Data::Address(_) | Data::Name(_) => None,
    });
    let mut found = Err(KeyFault::Revoked);
    for text in texts {
        found = Ok(key_policy(&text, facts)?);
    }
    found
}

impl<'x> Verified<'x> {
    fn of(output: DkimOutput<'x>) -> Self {
        Self { output, facts: None, key: None }
    }

    fn signature(&self, section: &HeaderSection<'_>) -> DkimSignature {
        let (mut result, mut detail) = in_words_of_rfc_8601(self.output.result());
        let (domain, selector) = self.output.signature().map(|s| (s.d.as_str(), s.s.as_str())).unwrap_or_default();
        if let Some(Err(fault)) = &self.key {
            (result, detail) = (fault.result(), fault.detail().to_owned());
        }
        let weak_key = self.key.iter().flatten().find(|key| key.is_weak());
        DkimSignature {
            weak_key_bits: weak_key.and_then(|key| key.rsa_bits),
            unsigned_fields: self.facts.map(|facts| unsigned_added(facts, section)).unwrap_or_default(),
            ..signature(domain, selector, result, detail)
        }
    }
}

/// Empty for what is no domain: that aligns with nothing.
fn a_labels(domain: &str) -> String {
    idna::domain_to_ascii(domain).unwrap_or_default()
}

fn signature(domain: &str, selector: &str, result: DkimResult, detail: String) -> DkimSignature {
    let (domain, selector) = (domain.to_owned(), selector.to_owned());
    DkimSignature { domain, selector, result, detail, weak_key_bits: None, unsigned_fields: Vec::new() }
}

fn in_words_of_rfc_8601(result: &mail_auth::DkimResult) -> (DkimResult, String) {
    match result {
        mail_auth::DkimResult::Pass => (DkimResult::Pass, String::new()),
        mail_auth::DkimResult::None => (DkimResult::None, String::new()),
        // mail-auth calls these neutral; RFC 8601 §2.7.1 reserves that word for what could not be checked.
        mail_auth::DkimResult::Neutral(
            error @ Error::Dkim(DkimError::FailedBodyHashMatch | DkimError::SignatureExpired),
        ) => (DkimResult::Fail, error.to_string()),
        mail_auth::DkimResult::Neutral(error) => (DkimResult::Neutral, error.to_string()),
        mail_auth::DkimResult::Fail(error) => (DkimResult::Fail, error.to_string()),
        mail_auth::DkimResult::PermError(error) => (DkimResult::PermError, error.to_string()),
        mail_auth::DkimResult::TempError(_) => (DkimResult::TempError, "DNS gave no answer about the key".to_owned()),
    }
}

fn arc_chain(output: &ArcOutput<'_>) -> Arc {
    let result = match output.result() {
        mail_auth::DkimResult::Pass => ArcResult::Pass,
        mail_auth::DkimResult::None => ArcResult::None,
        mail_auth::DkimResult::Neutral(_)
        | mail_auth::DkimResult::Fail(_)
        | mail_auth::DkimResult::PermError(_)
        | mail_auth::DkimResult::TempError(_) => ArcResult::Fail,
    };
    let first_results = output.sets().first().map(|set| String::from_utf8_lossy(set.results.value).into_owned());
    Arc {
        result,
        sealers: output.sets().iter().map(|set| set.seal.header.d.to_ascii_lowercase()).collect(),
        first_results: first_results.unwrap_or_default(),
    }
}
