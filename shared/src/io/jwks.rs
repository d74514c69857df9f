//! Keys of trusted issuers, fetched where the issuers publish them and believed for a while.
//!
//! With the default of 60 s, a key that is new is believed within 90 s and one that is withdrawn refused after 90 s, as
//! long as the issuer answers. Who has no token never waits here.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::telemetry::with_causes;
use crate::{
    bearer_token::{BearerToken, Issuer, JwksUrl, KeySet, KeySetError, MAX_SET_OCTETS, Subject, TokenError},
    client_certificate::ClientCertificate,
};

/// One fetch as a whole.
const FETCH_WITHIN: Duration = Duration::from_secs(2);

/// How often a `kid` that no set holds may cause a fetch of its own.
const SEEK_EVERY: Duration = Duration::from_secs(60);

/// How long keys are believed while their issuer does not answer.
const BELIEVED_IN_OUTAGE_FOR: Duration = Duration::from_secs(60 * 60);

/// An issuer and where its keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    pub issuer: Issuer,
    pub jwks_url: JwksUrl,
}

/// The issuers whose tokens are believed. One per instance.
pub struct Issuers {
    published: Vec<Published>,
    refresh_every: Duration,
}

/// What one issuer publishes.
struct Published {
    issuer: Issuer,
    url: JwksUrl,
    state: Mutex<State>,
    /// Held while a fetch is under way: there is one at a time.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Option<(SystemTime, Arc<KeySet>)>,
    /// When the latest fetch began.
    asked_at: Option<SystemTime>,
    /// Whether the latest fetch that ended failed.
    is_failing: bool,
    /// Fetches that ended, so that whoever waited for one knows.
    ended: u64,
    /// When a `kid` that was not there last caused a fetch.
    sought_at: Option<SystemTime>,
}

/// What a request does about keys.
enum Step {
    Use(Arc<KeySet>),
    Fetch,
    GiveUp,
}

/// Why there is no subject.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    #[error("the token is not believed")]
    Token(#[source] TokenError),
    #[error("the keys of the issuer are not known")]
    NoKeys,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no whole answer within {FETCH_WITHIN:?}")]
    Late,
    #[error("no answer")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A redirection too: keys come from where the configuration says.
    #[error("answered with status {0}")]
    Status(u16),
    #[error("answered with something else")]
    Document(#[from] KeySetError),
}

impl Issuers {
    #[must_use]
    pub fn new(trusted: &[TrustedIssuer], refresh_every: Duration) -> Self {
        let published = trusted.iter().cloned().map(Published::new).collect();
        Self { published, refresh_every }
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// That the keys are not known is nothing that the token can be blamed for.
    pub async fn subject_of(
        &self,
        token: &BearerToken,
        certificate: Option<&ClientCertificate>,
        now: SystemTime,
    ) -> Result<Subject, SubjectError> {
        let published = self.published.iter().find(|published| published.issuer.name == token.claimed_issuer());
        let published = published.ok_or(SubjectError::Token(TokenError::UnknownIssuer))?;
        // Before any key is asked for: what is not for us or not for now costs no fetch.
        let checked = token.checked(&published.issuer, now).map_err(SubjectError::Token)?;
        let keys = published.keys(now, self.refresh_every).await.ok_or(SubjectError::NoKeys)?;
        let verified = match checked.verify(&keys, certificate) {
            Err(TokenError::UnknownKey) => match published.newer_keys(&keys, now).await {
                Some(keys) => checked.verify(&keys, certificate),
                None => Err(TokenError::UnknownKey),
            },
            verified => verified,
        };
        verified.map_err(SubjectError::Token)
    }

    /// Fetches what is due, while nobody waits.
    pub async fn refresh(&self, now: SystemTime) {
        join_all(self.published.iter().map(|published| published.refresh(now, self.refresh_every))).await;
    }
}

impl Published {
    fn new(trusted: TrustedIssuer) -> Self {
        let TrustedIssuer { issuer, jwks_url } = trusted;
        Self { issuer, url: jwks_url, state: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The keys to go by. Waits for a fetch only where there are none, or ones that may not be believed any more.
    async fn keys(&self, now: SystemTime, refresh_every: Duration) -> Option<Arc<KeySet>> {
        let (step, seen) = {
            let state = self.state();
            (state.step(now, refresh_every), state.ended)
        };
        match step {
            Step::Use(keys) => return Some(keys),
            Step::GiveUp => return None,
            Step::Fetch => {}
        }
        let _fetching = self.fetching.lock().await;
        if self.state().ended == seen {
            self.fetch(now).await;
        }
        self.state().still_believed(now)
    }

    async fn refresh(&self, now: SystemTime, refresh_every: Duration) {
        if !self.state().is_due(now, refresh_every) {
            return;
        }
        if let Ok(_fetching) = self.fetching.try_lock() {
            self.fetch(now).await;
        }
    }

    /// Another set than the one that was tried. An unknown `kid` causes a fetch at most once a minute, whoever sends it.
    async fn newer_keys(&self, tried: &Arc<KeySet>, now: SystemTime) -> Option<Arc<KeySet>> {
        let _fetching = self.fetching.lock().await;
        if !self.state().holds_other_than(tried) && self.state().may_seek(now) {
            self.fetch(now).await;
        }
        self.state().still_believed(now).filter(|keys| !Arc::ptr_eq(keys, tried))
    }

    /// Only with the lock held.
    async fn fetch(&self, now: SystemTime) {
        self.state().asked_at = Some(now);
        let fetched = timeout(FETCH_WITHIN, document(&self.url)).await.unwrap_or(Err(FetchError::Late));
        let (issuer, url) = (&self.issuer.name, self.url.as_str());
        match &fetched {
            Ok(keys) => {
                tracing::debug!(issuer, url, keys = keys.len(), ignored = keys.ignored(), "the keys of {issuer}");
            }
            Err(error) => tracing::warn!(issuer, url, cause = with_causes(error), "no keys of {issuer}"),
        }
        self.state().take(fetched, now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn step(&self, now: SystemTime, refresh_every: Duration) -> Step {
        let asked_recently = |within: Duration| self.asked_at.is_some_and(|at| age(at, now) < within);
        match &self.keys {
            Some((read_at, keys)) if age(*read_at, now) < refresh_every * 3 / 2 => Step::Use(Arc::clone(keys)),
            // An issuer that is known to be silent is not waited for again.
            Some((read_at, keys)) if age(*read_at, now) < BELIEVED_IN_OUTAGE_FOR => {
                let waits = !(self.is_failing && asked_recently(retry_after(refresh_every)));
                if waits { Step::Fetch } else { Step::Use(Arc::clone(keys)) }
            }
            Some(_) | None if self.is_failing && asked_recently(Duration::from_secs(1)) => Step::GiveUp,
            Some(_) | None => Step::Fetch,
        }
    }

    fn is_due(&self, now: SystemTime, refresh_every: Duration) -> bool {
        let wait = if self.is_failing { retry_after(refresh_every) } else { refresh_every };
        self.asked_at.is_none_or(|at| wait <= age(at, now))
    }

    fn may_seek(&mut self, now: SystemTime) -> bool {
        let may = self.sought_at.is_none_or(|at| SEEK_EVERY <= age(at, now));
        if may {
            self.sought_at = Some(now);
        }
        may
    }

    fn holds_other_than(&self, tried: &Arc<KeySet>) -> bool {
        self.keys.as_ref().is_some_and(|(_, keys)| !Arc::ptr_eq(keys, tried))
    }

    fn still_believed(&self, now: SystemTime) -> Option<Arc<KeySet>> {
        let (read_at, keys) = self.keys.as_ref()?;
        (age(*read_at, now) < BELIEVED_IN_OUTAGE_FOR).then(|| Arc::clone(keys))
    }

    /// A set replaces the one before it: a key that is no longer listed is gone.
    fn take(&mut self, fetched: Result<KeySet, FetchError>, now: SystemTime) {
        self.ended += 1;
        self.is_failing = fetched.is_err();
        if let Ok(keys) = fetched {
            self.keys = Some((now, Arc::new(keys)));
        }
    }
}

/// How soon a fetch that failed is tried again.
fn retry_after(refresh_every: Duration) -> Duration {
    (refresh_every / 6).max(Duration::from_secs(1))
}

/// Zero for a clock that went back.
fn age(of: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(of).unwrap_or_default()
}

async fn document(url: &JwksUrl) -> Result<KeySet, FetchError> {
    // The TLS stack of the SDK clients; built when the first keys are fetched, as a cold start pays for it. No connection
    // is kept: after a minute, or in a sandbox that was frozen, it would be dead.
    static HTTP: LazyLock<Connector> = LazyLock::new(|| {
        Connector::builder().pool_max_idle_per_host(0).tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    });
    let transport = |error: Box<dyn std::error::Error + Send + Sync>| FetchError::Transport(error);
    let request = HttpRequest::get(url.as_str()).map_err(|error| transport(error.into()))?;
    let response = HTTP.call(request).await.map_err(|error| transport(error.into()))?;
    match response.status().as_u16() {
        200 => {}
        status => return Err(FetchError::Status(status)),
    }
    let body = Limited::new(response.into_body(), MAX_SET_OCTETS).collect().await.map_err(transport)?;
    Ok(KeySet::parse(&body.to_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn fetched_at(seconds: u64) -> State {
        let mut state = State { asked_at: Some(at(seconds)), ..State::default() };
        state.take(Ok(KeySet::default()), at(seconds));
        state
    }

    fn failed_at(mut state: State, seconds: u64) -> State {
        state.asked_at = Some(at(seconds));
        state.take(Err(FetchError::Late), at(seconds));
        state
    }

    fn step(state: &State, seconds: u64) -> &'static str {
        match state.step(at(seconds), EVERY) {
            Step::Use(_) => "use",
            Step::Fetch => "fetch",
            Step::GiveUp => "give up",
        }
    }

    #[test]
    fn a_request_waits_only_for_keys_that_it_cannot_do_without() {
        let failing = failed_at(fetched_at(0), 85);
        for (state, seconds, expected) in [
            (&State::default(), 0, "fetch"),
            (&failed_at(State::default(), 0), 0, "give up"),
            (&failed_at(State::default(), 0), 1, "fetch"),
            (&fetched_at(0), 0, "use"),
            (&fetched_at(0), 89, "use"),
            (&fetched_at(0), 90, "fetch"),
            (&failing, 89, "use"),
            (&failing, 94, "use"),
            (&failing, 95, "fetch"),
            (&failed_at(fetched_at(0), 3595), 3599, "use"),
            (&failed_at(fetched_at(0), 3600), 3600, "give up"),
            (&failed_at(fetched_at(0), 3600), 3601, "fetch"),
        ] {
            assert_eq!(step(state, seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn keys_are_due_after_a_minute_and_after_a_failure_sooner() {
        for (state, due_at) in [
            (State::default(), 0),
            (fetched_at(0), 60),
            (failed_at(State::default(), 0), 10),
            (failed_at(fetched_at(0), 60), 70),
        ] {
            assert!(state.is_due(at(due_at), EVERY), "{due_at}");
            assert!(due_at == 0 || !state.is_due(at(due_at - 1), EVERY), "{due_at}");
        }
    }

    #[test]
    fn an_unknown_key_is_sought_once_a_minute() {
        let mut state = fetched_at(0);
        let sought: Vec<u64> = (0..200).filter(|seconds| state.may_seek(at(*seconds))).collect();
        assert_eq!(sought, [0, 60, 120, 180]);
    }

    #[test]
    fn a_key_that_is_no_longer_listed_is_gone_and_a_failure_takes_nothing_away() {
        let mut state = fetched_at(0);
        let (_, first) = state.keys.clone().expect("keys");
        state = failed_at(state, 60);
        assert!(!state.holds_other_than(&first));
        state.take(Ok(KeySet::default()), at(70));
        assert!(state.holds_other_than(&first));
        assert_eq!(state.still_believed(at(70 + 3600)), None);
    }
}
