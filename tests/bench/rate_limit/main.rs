//! What rate limits cost and admit: `serve` runs a counted table for both peers, `ours URL SCENARIOS.json` runs the scenarios
//! against it with the limits of gatepost. `peer.mjs` runs the same ones; `run.sh` puts them side by side.
//!
//! Prints one JSON object a line.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod proxy;

use std::{
    collections::BTreeMap,
    error::Error,
    io::Read,
    time::{Duration, SystemTime},
};

use axum::body::Bytes;
use futures_util::future::join_all;
use gatepost::{
    io::{
        rate_limits::{RateLimitError, RateLimits},
        table::Table,
    },
    rate_limit::Quota,
};
use gatepost_local::aws::{clients, dynamodb::TABLE};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

type Failure = Box<dyn Error + Send + Sync>;

/// As deployed, one attempt; longer only because a shared machine stalls longer than Lambda does.
const OPERATION: Duration = Duration::from_secs(2);

/// As deployed.
const OPERATION_AS_DEPLOYED: Duration = Duration::from_millis(150);

/// The same for both peers.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Scenarios {
    clients: u32,
    /// The promise of both: no more than this in any window.
    limit: u32,
    window_s: u32,
    /// Part of the limit that ours grants at once; the rest of it flows.
    burst: u32,
    /// Decisions a second of a flood, and for how long.
    flood_rate: u32,
    flood_s: u32,
    /// Decisions that are all admitted.
    admitted: u32,
    keys: u32,
    throttled: u32,
}

/// What became of many decisions.
#[derive(Default)]
struct Outcome {
    /// When each admission was answered.
    admitted: Vec<Instant>,
    denied: u64,
    failed: u64,
}

struct Bench {
    scenarios: Scenarios,
    url: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [serve] if serve == "serve" => {
            println!("{}", proxy::start().await?);
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
            Ok(())
        }
        [ours, url, file] if ours == "ours" => {
            let scenarios = serde_json::from_str(&std::fs::read_to_string(file)?)?;
            let http = Client::builder(TokioExecutor::new()).build_http();
            Bench { scenarios, url: url.clone(), http }.run().await
        }
        _ => Err("usage: rate_limit serve | rate_limit ours URL SCENARIOS.json".into()),
    }
}

impl Bench {
    async fn run(&self) -> Result<(), Failure> {
        self.hot_key_denied().await?;
        self.hot_key_admitted().await?;
        self.many_keys().await?;
        self.boundary().await?;
        self.throttled().await
    }

    /// A new instance, which remembers nobody.
    fn limits(&self, operation: Duration) -> RateLimits {
        let client = clients::dynamodb(&self.url, operation);
        RateLimits::new(Table { client, name: TABLE.to_owned() })
    }

    /// The quota whose bound for the window is the limit.
    fn quota(&self) -> Quota {
        let Scenarios { limit, window_s, burst, .. } = self.scenarios;
        Quota::new((limit - burst) * 60 / window_s, burst)
    }

    /// Everybody on one key that is spent already.
    async fn hot_key_denied(&self) -> Result<(), Failure> {
        let (limits, quota, s) = (self.limits(OPERATION), self.quota(), self.scenarios);
        self.rush(&limits, "denied", quota, s.limit + s.clients).await;
        self.take_counts().await?;
        let (cpu, started) = (cpu(), Instant::now());
        let outcome = self.flood(&limits, "denied", quota, Duration::from_secs(s.flood_s.into())).await;
        self.tell("hot key denied", &outcome, started, cpu).await
    }

    async fn hot_key_admitted(&self) -> Result<(), Failure> {
        let (limits, quota) = (self.limits(OPERATION), Quota::new(1_000_000, 1_000_000));
        self.take_counts().await?;
        let (cpu, started) = (cpu(), Instant::now());
        let outcome = self.rush(&limits, "admitted", quota, self.scenarios.admitted).await;
        self.tell("hot key admitted", &outcome, started, cpu).await
    }

    async fn many_keys(&self) -> Result<(), Failure> {
        let (limits, quota) = (self.limits(OPERATION), self.quota());
        self.take_counts().await?;
        let (cpu, started) = (cpu(), Instant::now());
        let (keys, clients) = (self.scenarios.keys, self.scenarios.clients);
        let outcome = self.by_clients(|client| {
            let limits = &limits;
            async move {
                let mut outcome = Outcome::default();
                for key in (client..keys).step_by(clients as usize) {
                    outcome.note(&limits.admit(&format!("key-{key}"), quota, 1, SystemTime::now()).await);
                }
                outcome
            }
        });
        self.tell("many keys", &outcome.await, started, cpu).await
    }

    /// One request, then a whole limit before and after the end of a window that would have begun with it.
    async fn boundary(&self) -> Result<(), Failure> {
        let (limits, quota) = (self.limits(OPERATION), self.quota());
        self.take_counts().await?;
        let window = Duration::from_secs(self.scenarios.window_s.into());
        let (cpu, started) = (cpu(), Instant::now());
        let mut outcome = Outcome::default();
        outcome.note(&limits.admit("boundary", quota, 1, SystemTime::now()).await);
        sleep_until(started + window - Duration::from_secs(4)).await;
        outcome.add(self.rush(&limits, "boundary", quota, self.scenarios.limit).await);
        sleep_until(started + window + Duration::from_millis(50)).await;
        outcome.add(self.rush(&limits, "boundary", quota, self.scenarios.limit).await);
        self.tell("boundary attack", &outcome, started, cpu).await
    }

    /// Every call is throttled: what one decision costs a new instance, by the policy for ordinary requests.
    async fn throttled(&self) -> Result<(), Failure> {
        self.set_throttled(true).await?;
        self.take_counts().await?;
        let (cpu, started) = (cpu(), Instant::now());
        let mut outcome = Outcome::default();
        for n in 0..self.scenarios.throttled {
            let (limits, caller, now) =
                (self.limits(OPERATION_AS_DEPLOYED), format!("throttled-{n}"), SystemTime::now());
            let admitted = match limits.admit(&caller, self.quota(), 1, now).await {
                Err(RateLimitError::Unavailable(_)) => limits.admit_degraded(&caller, self.quota(), 1, now),
                other => other,
            };
            outcome.note(&admitted);
        }
        self.tell("every call throttled", &outcome, started, cpu).await?;
        self.set_throttled(false).await
    }

    /// So many decisions in all, as fast as they are answered.
    async fn rush(&self, limits: &RateLimits, caller: &str, quota: Quota, decisions: u32) -> Outcome {
        let clients = self.scenarios.clients;
        self.by_clients(|client| async move {
            let mut outcome = Outcome::default();
            for _ in (client..decisions).step_by(clients as usize) {
                outcome.note(&limits.admit(caller, quota, 1, SystemTime::now()).await);
            }
            outcome
        })
        .await
    }

    /// All clients together ask so often in a second.
    async fn flood(&self, limits: &RateLimits, caller: &str, quota: Quota, lasts: Duration) -> Outcome {
        let Scenarios { clients, flood_rate, .. } = self.scenarios;
        let (started, gap) = (Instant::now(), Duration::from_secs(1) / flood_rate);
        self.by_clients(|client| async move {
            let mut outcome = Outcome::default();
            let mut next = started + gap * client;
            while next < started + lasts {
                sleep_until(next).await;
                outcome.note(&limits.admit(caller, quota, 1, SystemTime::now()).await);
                // Who had to wait for an answer does not hurry afterwards.
                next = (next + gap * clients).max(Instant::now());
            }
            outcome
        })
        .await
    }

    async fn by_clients<F: Future<Output = Outcome>>(&self, client: impl Fn(u32) -> F) -> Outcome {
        let outcomes = join_all((0..self.scenarios.clients).map(client)).await;
        outcomes.into_iter().fold(Outcome::default(), |mut sum, outcome| {
            sum.add(outcome);
            sum
        })
    }

    async fn tell(
        &self,
        scenario: &str,
        outcome: &Outcome,
        started: Instant,
        cpu_before: Duration,
    ) -> Result<(), Failure> {
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu() - cpu_before);
        // Writes that were given up on may still arrive.
        sleep(Duration::from_millis(200)).await;
        let line = json!({
            "who": "gatepost", "scenario": scenario, "seconds": seconds, "cpu_seconds": cpu.as_secs_f64(),
            "admitted": outcome.admitted.len(), "denied": outcome.denied, "failed": outcome.failed,
            "fullest_window": self.fullest_window(&outcome.admitted), "calls": self.take_counts().await?,
        });
        println!("{line}");
        Ok(())
    }

    /// Admissions in the window that holds most.
    fn fullest_window(&self, admitted: &[Instant]) -> usize {
        let mut admitted = admitted.to_vec();
        admitted.sort();
        let window = Duration::from_secs(self.scenarios.window_s.into());
        let within = |start: &Instant| {
            admitted.partition_point(|at| *at < *start + window) - admitted.partition_point(|at| at < start)
        };
        admitted.iter().map(within).max().unwrap_or(0)
    }

    async fn take_counts(&self) -> Result<BTreeMap<String, u64>, Failure> {
        let body = self.http.get(format!("{}/counts", self.url).parse()?).await?.into_body().collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }

    async fn set_throttled(&self, on: bool) -> Result<(), Failure> {
        let request = axum::http::Request::put(format!("{}/throttle/{on}", self.url)).body(Full::default())?;
        self.http.request(request).await?;
        Ok(())
    }
}

impl Outcome {
    fn note<T>(&mut self, decided: &Result<T, RateLimitError>) {
        match decided {
            Ok(_) => self.admitted.push(Instant::now()),
            Err(RateLimitError::Refused { .. }) => self.denied += 1,
            Err(_) => self.failed += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.admitted.extend(other.admitted);
        self.denied += other.denied;
        self.failed += other.failed;
    }
}

/// Of this process.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}
