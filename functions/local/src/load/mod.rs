//! `gatepost loadtest`: a schedule of requests ([`scenario`]), what they ask ([`traffic`]), what was answered ([`tally`]), and
//! what is told of it ([`report`]). Only [`drive`] awaits.

pub mod admissions;
pub mod latencies;
pub mod report;
pub mod scenario;
pub mod tally;
pub mod traffic;

use std::{pin::pin, time::Duration};

use axum::{
    body::Bytes,
    http::{Request, Uri},
};
use futures_util::{StreamExt, stream};
use gatepost::rate_limit::WINDOW;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{Instant, sleep_until, timeout};

use scenario::{Due, Scenario};
use tally::{Answered, Tally};
use traffic::Traffic;

/// Requests under way at once; the next ones are late, which counts.
const MOST_UNDER_WAY: usize = 1_024;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// An answer to a batch of ten is a hundredth of this.
const MAX_ANSWER_OCTETS: usize = 1024 * 1024;

/// A timer of the runtime goes off up to this late, by no fault of the server.
const TIMER: Duration = Duration::from_millis(2);

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// Sends the whole scenario to the stack at `url`; `watch` sees every answer.
pub async fn drive(
    url: &Uri,
    scenario: Scenario,
    traffic: &Traffic,
    mut watch: impl FnMut(&Answered, &Tally),
) -> Tally {
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let started = Instant::now();
    let due = stream::iter(scenario.requests()).then(|due| async move {
        sleep_until(started + due.at).await;
        due
    });
    let answers = due.map(|due| exchange(&client, url, traffic, started, due)).buffer_unordered(MOST_UNDER_WAY);
    let mut answers = pin!(answers);
    let mut tally = Tally::new(traffic.callers());
    while let Some(answered) = answers.next().await {
        tally.note(&answered);
        watch(&answered, &tally);
    }
    tally
}

async fn exchange(client: &HttpClient, url: &Uri, traffic: &Traffic, started: Instant, due: Due) -> Answered {
    let asked = started.elapsed();
    // Late by more than the timer: the requests before it were not answered in time.
    let since = if asked < due.at + TIMER { asked } else { due.at };
    let (caller, request) = traffic.request(url, due);
    let (status, bound) = timeout(ANSWER_WITHIN, send(client, request)).await.ok().flatten().unzip();
    let answered = started.elapsed();
    Answered { due, caller, asked, answered, latency: answered.saturating_sub(since), status, bound: bound.flatten() }
}

/// The status, and what the answer promises; `None` when there was no whole answer.
async fn send(client: &HttpClient, request: Option<Request<Full<Bytes>>>) -> Option<(u16, Option<u64>)> {
    let (head, body) = client.request(request?).await.ok()?.into_parts();
    Limited::new(body, MAX_ANSWER_OCTETS).collect().await.ok()?;
    let policy = head.headers.get("ratelimit-policy").and_then(|policy| policy.to_str().ok());
    Some((head.status.as_u16(), policy.and_then(bound_of)))
}

/// What the field `RateLimit-Policy` promises about the caller, where it speaks of our window.
fn bound_of(policy: &str) -> Option<u64> {
    let (bound, window) = policy.strip_prefix("\"default\";q=")?.split_once(";w=")?;
    let window: u64 = window.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()?;
    if window == WINDOW.as_secs() { bound.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_read_for_our_window_only() {
        for (policy, bound) in [
            ("\"default\";q=340;w=60", Some(340)),
            ("\"default\";q=340;w=60, \"client-ip\";q=9;w=60", Some(340)),
            ("\"client-ip\";q=9;w=60", None),
            ("\"default\";q=340;w=30", None),
            ("\"default\";q=;w=60", None),
            ("\"default\"", None),
        ] {
            assert_eq!(bound_of(policy), bound, "{policy}");
        }
    }
}
