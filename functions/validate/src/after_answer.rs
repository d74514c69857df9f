//! Work that a caller does not wait for: once the answer is on its way, counters are written, and what is known about
//! domains is brought up to date.
//!
//! Lambda freezes a sandbox when the runtime and every extension ask for the next event. As an internal extension this
//! process asks late: after the counters of the invocation are written.

use std::{sync::Arc, time::Duration};

use gatepost::{bucket::Bucket, io::telemetry::with_causes, metric};
use gatepost_validate::Gate;
use lambda_extension::{Error, Extension, LambdaEvent, service_fn};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

/// An invocation that has not answered by then has failed, and its counts go out with the next one.
const LONGEST_INVOCATION: Duration = Duration::from_secs(15);

/// The next invocation waits for what is done after an answer, whatever its credential, and an issuer may hang. A fetch that
/// was cut off is made up for by the first token that cannot do without.
const ISSUERS_WITHIN: Duration = Duration::from_millis(300);

/// What was not written by then goes out with the next flush.
const COUNTERS_WITHIN: Duration = Duration::from_millis(500);

/// What is known about domains has to come by then: the next invocation waits for the end of this one. It is asked for again.
const KNOWLEDGE_WITHIN: Duration = Duration::from_secs(3);

/// Lambda kills an instance half a second after it told it to end.
const LAST_FLUSH_WITHIN: Duration = Duration::from_millis(400);

pub(crate) struct AfterAnswer {
    due: Arc<Notify>,
}

impl AfterAnswer {
    /// Without an Extensions API, as under a bare runtime interface, the counters are written all the same, but
    /// nothing keeps the sandbox awake for it.
    pub(crate) async fn register(gate: Arc<Gate>) -> Self {
        let due = Arc::new(Notify::new());
        let (flushed, counters) = (Arc::clone(&due), Arc::clone(&gate));
        let on_invoke = service_fn(move |_: LambdaEvent| {
            let (due, gate) = (Arc::clone(&flushed), Arc::clone(&counters));
            async move {
                let _ = tokio::time::timeout(LONGEST_INVOCATION, due.notified()).await;
                flush(&gate).await;
                Ok::<_, Error>(())
            }
        });
        let extension = Extension::new().with_events(&["INVOKE"]).with_events_processor(on_invoke);
        match extension.with_extension_name("gatepost-counters").register().await {
            Ok(extension) => drop(tokio::spawn(async move {
                if let Err(error) = extension.run().await {
                    tracing::error!(cause = with_causes(&*error), "the counters extension ended");
                }
            })),
            Err(error) => {
                tracing::warn!(cause = with_causes(&*error), "no Extensions API here");
                tokio::spawn(flush_when_due(gate, Arc::clone(&due)));
            }
        }
        Self { due }
    }

    /// The answer is ready.
    pub(crate) fn is_due(&self) {
        self.due.notify_one();
    }
}

/// Until Lambda ends the instance, which it tells those that have an extension; what was counted is written then.
///
/// # Errors
/// When the signal cannot be waited for.
#[expect(clippy::disallowed_methods, reason = "part of main: the clock is read where an event begins")]
pub(crate) async fn ended(gate: &Gate) -> std::io::Result<()> {
    signal(SignalKind::terminate())?.recv().await;
    let current = Bucket::of(std::time::SystemTime::now());
    match tokio::time::timeout(LAST_FLUSH_WITHIN, gate.counters().flush(current)).await {
        Ok(Ok(())) => tracing::info!("the instance ends; its counters are written"),
        Ok(Err(error)) => tracing::error!(cause = with_causes(&error), "the instance ends and loses counts"),
        Err(_) => tracing::error!("the instance ends and loses counts: the table did not answer in time"),
    }
    Ok(())
}

async fn flush_when_due(gate: Arc<Gate>, due: Arc<Notify>) {
    loop {
        due.notified().await;
        flush(&gate).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "part of main: the clock is read where an event begins")]
async fn flush(gate: &Gate) {
    let now = std::time::SystemTime::now();
    let issuers = tokio::time::timeout(ISSUERS_WITHIN, gate.refresh_issuers(now));
    let knowledge = tokio::time::timeout(KNOWLEDGE_WITHIN, gate.refresh(now));
    let counters = tokio::time::timeout(COUNTERS_WITHIN, gate.counters().flush_due(now));
    let (flushed, _, _) = tokio::join!(counters, knowledge, issuers);
    if let Ok(Err(error)) = flushed {
        tracing::warn!(
            name: metric::COUNTS_UNWRITTEN,
            { counts.unwritten = 1, cause = with_causes(&error) },
            "counters were not written; they go out with the next flush",
        );
    }
}
