//! SPF by our own evaluator; DKIM, ARC and DMARC through mail-auth, and what it must not be given.
//!
//! mail-auth is never given a cache that keeps anything: its TXT cache is keyed by name alone and holds parsed records,
//! so an SPF `include:_dmarc.victim.example` would store "no record" where the victim's DMARC policy is looked for.
//! hickory's own cache holds plain records and is safe. The caches below only count.

use std::{
    borrow::Borrow,
    hash::Hash,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant, SystemTime},
};

use hickory_resolver::net::NetError;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DmarcOutput, DnsError, Error, MessageAuthenticator, Parameters,
    ResolverCache, SpfOutput, dkim::DkimError, dmarc::verify::DmarcParameters,
};

use super::{
    dns::{NameServer, resolver_configuration},
    spf::answer,
};
use crate::{
    authentication::{
        Arc, ArcResult, Authentication, DkimResult, DkimSignature, Dmarc, DmarcPolicy, DmarcResult, MAX_ARC_SETS,
        MAX_SIGNATURES, MAX_SIGNED_FIELDS,
    },
    author::Author,
    envelope::Envelope,
    spf::{Session, SpfCheck, SpfResult, check_host},
};

/// For SPF as a whole, for all key look-ups of a message's signatures, and as long for those of its ARC chain.
const SIGNATURES_WITHIN: Duration = Duration::from_secs(7);

/// Authenticates messages. One per instance.
#[derive(Clone)]
pub struct Authenticator {
    inner: MessageAuthenticator,
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
    pub async fn authenticate(
        &self,
        message: &[u8],
        envelope: &Envelope,
        author: &Author,
        now: SystemTime,
    ) -> Option<Authenticated> {
        let mut parsed = AuthenticatedMessage::parse(message)?;
        if !is_only_author(&parsed, author) {
            return None;
        }
        let ignored_signatures = drop_excess_signatures(&mut parsed);
        let count = QuestionCount::default();
        let session = session(envelope, now);
        let (spf, dkim, arc) =
            tokio::join!(self.check_host(&session, &count), self.dkim(&parsed, &count), self.arc(&parsed, &count));
        let dmarc = self.dmarc(&parsed, &dkim, &spf, &count).await;
        let authentication = Authentication {
            spf: spf.result,
            spf_domain: spf.domain,
            dkim: dkim.iter().map(dkim_signature).collect(),
            ignored_signatures,
            arc,
            dmarc,
        };
        Some(Authenticated { authentication, dns_queries: count.asked.into_inner() })
    }

    /// Keys that are not there in time are temporary errors of their signatures, and the rest of the message is judged.
    async fn dkim<'x>(&self, message: &'x AuthenticatedMessage<'x>, count: &'x QuestionCount) -> Vec<DkimOutput<'x>> {
        let verified = self.inner.verify_dkim(counted(message, count));
        tokio::time::timeout(SIGNATURES_WITHIN, verified).await.unwrap_or_else(|_| {
            let late = || DkimOutput::temp_err(Error::Dns(DnsError::Resolver("no answer in time".to_owned())));
            message.dkim_headers.iter().map(|field| late().with_signature(&field.header)).collect()
        })
    }

    async fn arc<'x>(&self, message: &'x AuthenticatedMessage<'x>, count: &'x QuestionCount) -> Arc {
        if is_arc_flood(message) {
            return Arc { result: ArcResult::Fail, ..Arc::default() };
        }
        let verified = tokio::time::timeout(SIGNATURES_WITHIN, self.inner.verify_arc(counted(message, count))).await;
        verified.map_or(Arc { result: ArcResult::Fail, ..Arc::default() }, |output| arc_chain(&output))
    }

    async fn check_host(&self, session: &Session<'_>, count: &QuestionCount) -> SpfCheck {
        let check = check_host(
            |question| {
                count.asked.fetch_add(1, Ordering::Relaxed);
                answer(&self.inner.0, question)
            },
            session,
        );
        let domain = session.mail_from.rsplit_once('@').map_or(session.helo, |(_, domain)| domain);
        tokio::time::timeout(SIGNATURES_WITHIN, check).await.unwrap_or_else(|_| SpfCheck {
            result: SpfResult::TempError,
            domain: domain.to_ascii_lowercase(),
            explanation: None,
            lookups: 0,
            void_lookups: 0,
        })
    }

    async fn dmarc(
        &self,
        message: &AuthenticatedMessage<'_>,
        dkim_output: &[DkimOutput<'_>],
        spf: &SpfCheck,
        count: &QuestionCount,
    ) -> Dmarc {
        let spf_output = &SpfOutput::new(spf.domain.clone()).with_result(in_words_of_mail_auth(spf.result));
        let rfc5321_mail_from_domain = &spf.domain;
        let parameters =
            DmarcParameters { message, dkim_output, dkim2_output: None, rfc5321_mail_from_domain, spf_output };
        dmarc(&self.inner.verify_dmarc(counted(parameters, count)).await)
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

/// DMARC is judged by mail-auth from its own reading of `From`, which has to agree with ours.
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

fn in_words_of_mail_auth(result: SpfResult) -> mail_auth::SpfResult {
    match result {
        SpfResult::Pass => mail_auth::SpfResult::Pass,
        SpfResult::Fail => mail_auth::SpfResult::Fail,
        SpfResult::SoftFail => mail_auth::SpfResult::SoftFail,
        SpfResult::Neutral => mail_auth::SpfResult::Neutral,
        SpfResult::TempError => mail_auth::SpfResult::TempError,
        SpfResult::PermError => mail_auth::SpfResult::PermError,
        SpfResult::None => mail_auth::SpfResult::None,
    }
}

/// What SPF wants to know of an envelope.
#[must_use]
pub fn session(envelope: &Envelope, now: SystemTime) -> Session<'_> {
    let Envelope { client_ip, helo, mail_from, .. } = envelope;
    Session { client_ip: *client_ip, helo, mail_from, receiver: "", now }
}

fn dkim_signature(output: &DkimOutput<'_>) -> DkimSignature {
    let (result, detail) = match output.result() {
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
    };
    let (domain, selector) = output.signature().map(|s| (s.d.clone(), s.s.clone())).unwrap_or_default();
    DkimSignature { domain, selector, result, detail }
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

fn dmarc(output: &DmarcOutput) -> Dmarc {
    let policy = output.dmarc_record().map(|_| match output.policy() {
        mail_auth::dmarc::Policy::Reject => DmarcPolicy::Reject,
        mail_auth::dmarc::Policy::Quarantine => DmarcPolicy::Quarantine,
        mail_auth::dmarc::Policy::None | mail_auth::dmarc::Policy::Unspecified => DmarcPolicy::None,
    });
    let passes = |result: &mail_auth::DmarcResult| *result == mail_auth::DmarcResult::Pass;
    let undecided = |result: &mail_auth::DmarcResult| matches!(result, mail_auth::DmarcResult::TempError(_));
    let (spf, dkim) = (output.spf_result(), output.dkim_result());
    let result = if passes(spf) || passes(dkim) {
        DmarcResult::Pass
    } else if undecided(spf) || undecided(dkim) {
        DmarcResult::TempError
    } else if policy.is_some() {
        DmarcResult::Fail
    } else if matches!(spf, mail_auth::DmarcResult::PermError(_)) {
        DmarcResult::PermError
    } else {
        DmarcResult::None
    };
    Dmarc { result, policy }
}
