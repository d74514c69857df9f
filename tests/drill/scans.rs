//! The schedule: while the storm lasts, and afterwards until everything is at rest.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use gatepost_local::clock;
use tokio::time::{Instant, sleep};

use super::{
    MOST_ROUNDS,
    evidence::{Entry, entries, pending},
    fleet::Reply,
    load::Sent,
    site::Site,
    storm::AHEAD_S,
};
use crate::{objects, stack::root};

/// Scans of a storm, and the time between two at most.
const SCANS: u32 = 60;
const MOST_BETWEEN: Duration = Duration::from_secs(6);

/// The part of the storm in which time catches up from the first flood to the present.
const CATCHING_UP: f64 = 0.6;

/// How wrong the clock of a scan is while clocks are.
const JUMP: Duration = Duration::from_secs(3_600);

/// So much further each round looks: what was deferred waits for up to two hours.
const A_ROUND: Duration = Duration::from_mins(20);

/// Claims of those who died hold for seconds.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(2);

/// First in this process, by a clock that runs from the first flood to the present, so that there is news all the time; then
/// the deployed program, and in its turn one whose clock jumps. Answers how they ended.
pub(crate) async fn scan_again_and_again(
    site: Arc<Site>,
    storm: Duration,
    started: Instant,
) -> BTreeMap<String, usize> {
    let mut ended = BTreeMap::new();
    let start = clock::now();
    while started.elapsed() < storm {
        let part = started.elapsed().as_secs_f64() / storm.as_secs_f64();
        let how = if part < CATCHING_UP {
            let past = start.duration_since(site.first_flood.start()).expect("floods are over");
            let now = site.first_flood.start() + past.mul_f64(part / CATCHING_UP);
            by_another_clock(&site, now, "catching up").await
        } else {
            match site.clock_off_s.load(Ordering::Relaxed) {
                0 => deployed(&site).await,
                1.. => by_another_clock(&site, clock::now() + JUMP, "an hour ahead").await,
                _ => by_another_clock(&site, clock::now() - JUMP, "an hour behind").await,
            }
        };
        *ended.entry(how).or_default() += 1;
        sleep((storm / SCANS).min(MOST_BETWEEN)).await;
    }
    ended
}

async fn by_another_clock(site: &Site, now: SystemTime, what: &str) -> String {
    let ended = if site.scan_at(now).await.is_ok() { "done" } else { "failed" };
    format!("{what}: {ended}")
}

async fn deployed(site: &Site) -> String {
    let event = std::fs::read(root().join("events/schedule.json")).expect("the event is there");
    let ended = match site.scan.invoke(event).await {
        Reply::Answer(_) => "done",
        Reply::Failure(_) => "failed",
        Reply::Dead => "died",
        Reply::Throttled => "throttled",
    };
    format!("deployed: {ended}")
}

/// Scans, each further ahead, until nothing is pending; answers how many that took.
pub(crate) async fn until_at_rest(site: &Site, sent: &Sent) -> usize {
    let mut ahead = Duration::from_secs(AHEAD_S.unsigned_abs()) + A_ROUND;
    for round in 1..=MOST_ROUNDS {
        // What fails is told by what is found in the end.
        let _ = site.scan_at(clock::now() + ahead).await;
        if is_at_rest(site, sent).await {
            return round;
        }
        ahead += A_ROUND;
        sleep(BETWEEN_ROUNDS).await;
    }
    MOST_ROUNDS
}

async fn is_at_rest(site: &Site, sent: &Sent) -> bool {
    let entries = entries(site).await;
    let all = entries.len() == sent.letters.len() && entries.values().flatten().all(Entry::is_settled);
    let left = objects::keys(&site.stack.s3).await.into_iter().filter(|key| key.starts_with("inbound/"));
    let left = left.filter(|key| !key.ends_with(".report.json")).count();
    all && left == 0 && pending(site).await == 0
}
