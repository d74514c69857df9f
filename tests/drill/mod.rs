//! A reliability drill: the programs that are deployed, under load, while everything around them fails in turn; and what has to
//! hold when it is over. `tests/drill/README.md` says what is covered and what is not.

mod breaches;
mod calm;
mod evidence;
mod fleet;
mod invariants;
mod load;
mod memory;
mod name_server;
mod plan;
mod report;
mod requests;
mod scans;
mod site;
mod storm;

use std::{io::IsTerminal, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use self::{load::Sent, plan::Episode, report::Report, site::Site};

/// Long enough for every kind of fault to come more than once.
const DRILL: Duration = Duration::from_secs(600);

/// Samples of the memory of an instance that lives from beginning to end.
const SAMPLES: u32 = 120;

/// Rounds after which what is not at rest never will be.
const MOST_ROUNDS: usize = 20;

/// What is to be seen of the storm itself before its end.
const SAID_EVERY: Duration = Duration::from_secs(5);

async fn drill(name: &str, seed: u64, storm: Duration) -> Report {
    let site = Arc::new(Site::open(name).await);
    let (episodes, sent) = (plan::plan(seed, storm), Arc::new(load::letters(seed, storm)));
    let started = Instant::now();
    let saying = tokio::spawn(say(Arc::clone(&site), Arc::clone(&sent), seed, episodes.clone(), storm, started));
    let watching = tokio::spawn(memory::watch(Arc::clone(&site), storm / SAMPLES, started + storm));
    let scanning = tokio::spawn(scans::scan_again_and_again(Arc::clone(&site), storm, started));
    let raging = tokio::spawn(storm::rage(Arc::clone(&site), seed, episodes.clone(), started));
    load::send(Arc::clone(&site), Arc::clone(&sent), seed, storm, started).await;
    raging.await.expect("the storm ends");
    let scans = scanning.await.expect("scans end");
    let memory = watching.await.expect("watching ends");
    saying.abort();
    let rounds = scans::until_at_rest(&site, &sent).await;
    site.validate.end().await;
    let found = evidence::collect(&site, memory).await;
    let invariants = invariants::check(&sent, &found);
    Report {
        seed,
        storm,
        episodes,
        noted: sent.noted(),
        dispositions: report::dispositions(&found),
        struck: report::struck(&site),
        scans,
        rounds,
        memory: report::memory(&found),
        invariants,
    }
}

/// A line on a terminal, and elsewhere a line now and then.
async fn say(site: Arc<Site>, sent: Arc<Sent>, seed: u64, episodes: Vec<Episode>, storm: Duration, started: Instant) {
    eprintln!("drill: seed {seed}, {} s, {} faults planned", storm.as_secs(), episodes.len());
    let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
    loop {
        sleep(SAID_EVERY).await;
        let (elapsed, noted) = (started.elapsed(), sent.noted());
        let begun = episodes.iter().filter(|episode| episode.begins < elapsed).count();
        let (events, requests) = (noted.events.values().sum::<usize>(), noted.requests.values().sum::<usize>());
        let instances: usize = site.fleets().iter().map(|fleet| fleet.started()).sum();
        eprint!(
            "{:4} s: {events} events and {requests} requests answered, {begun} faults begun, {instances} instances{end}",
            elapsed.as_secs()
        );
    }
}

/// Set by `tests/drill/run.sh`; a number.
#[expect(clippy::disallowed_methods, reason = "a drill is told from outside how long to last and what to repeat")]
fn told_by_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn any_seed() -> u64 {
    gatepost::io::table::unix_millis(gatepost_local::clock::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes: tests/drill/run.sh"]
async fn the_drill() {
    let seed = told_by_environment("DRILL_SEED").unwrap_or_else(any_seed);
    let storm = told_by_environment("DRILL_SECONDS").map_or(DRILL, Duration::from_secs);
    let report = drill(&format!("drill-{seed}"), seed, storm).await;
    println!("{report}");
    assert!(!report.is_broken(), "repeat it with DRILL_SEED={seed} DRILL_SECONDS={}", storm.as_secs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and a person looks at it"]
async fn a_drill_of_twenty_seconds_breaks_nothing() {
    let report = drill("short-drill", 20_261_126, Duration::from_secs(20)).await;
    assert!(!report.is_broken(), "{report}");
    // Whether a process is met in its short life, or SNS in a call, is chance; what every message needs is struck.
    let is_struck = report.struck.iter().take(3).all(|(_, times)| 0 < *times);
    assert!(is_struck, "a storm that struck nothing shows nothing: {report}");
}
