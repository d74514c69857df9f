//! What happens while an episode lasts.

use std::{
    process::Stdio,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    process::Command,
    time::{Instant, sleep, sleep_until},
};

use super::{
    name_server::DnsFault,
    plan::{Dice, Episode, Kind},
    site::Site,
};
use crate::proxy::{Fault, KEY_THROTTLED, Refusal, THROTTLED};

const BUSY_BUCKET: Refusal = Refusal {
    status: "503 Slow Down",
    content_type: "application/xml",
    body: "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
};
const FAILING_TOPIC: Refusal = Refusal {
    status: "500 Internal Server Error",
    content_type: "text/xml",
    body: "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>failed</Message></Error></ErrorResponse>",
};
const THROTTLED_INVOCATIONS: Refusal = Refusal {
    status: "429 Too Many Requests",
    content_type: "application/json",
    body: r#"{"Type":"User","Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}"#,
};

/// About what one attempt is given, or a little less.
const SLOW_DNS: Duration = Duration::from_millis(300);
const SLOW_TABLE: Duration = Duration::from_millis(700);
const SLOW_BUCKET: Duration = Duration::from_millis(1_500);

/// The head of an answer of S3, and a little of a message.
const TRUNCATED_ANSWER: u64 = 900;

/// A claim of somebody whose clock is ahead holds so much longer; it is waited for in the end.
pub(crate) const AHEAD_S: i64 = 15;
const BEHIND_S: i64 = -3_600;

/// How often, and how many times in a row, children are looked for.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(3);
const LOOKS: usize = 60;

/// How often somebody is killed.
const KILLED_AFTER: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(900)];

/// Lets every episode happen in its time.
pub(crate) async fn rage(site: Arc<Site>, seed: u64, episodes: Vec<Episode>, started: Instant) {
    let happening = (0..).zip(episodes).map(|(number, episode)| {
        let (site, dice) = (Arc::clone(&site), Dice::new(seed, 1_000 + number));
        tokio::spawn(async move {
            sleep_until(started + episode.begins).await;
            let ends = started + episode.begins + episode.lasts;
            happen(&site, episode.kind, dice, ends).await;
        })
    });
    for episode in happening.collect::<Vec<_>>() {
        episode.await.expect("nobody panics in it");
    }
}

async fn happen(site: &Site, kind: Kind, mut dice: Dice, ends: Instant) {
    if let Some(fault) = of_dns(kind) {
        site.dns.set(fault);
        sleep_until(ends).await;
        site.dns.set(DnsFault::None);
    } else if let Some((proxy, fault)) = of_service(site, kind) {
        proxy.set(fault);
        sleep_until(ends).await;
        proxy.set(Fault::None);
    } else if let Some(seconds) = of_clock(kind) {
        site.clock_off_s.store(seconds, Ordering::Relaxed);
        sleep_until(ends).await;
        site.clock_off_s.store(0, Ordering::Relaxed);
    } else {
        kill_now_and_then(site, kind, &mut dice, ends).await;
    }
}

fn of_dns(kind: Kind) -> Option<DnsFault> {
    let fault = match kind {
        Kind::DnsSlow => DnsFault::Slow(SLOW_DNS),
        Kind::DnsSilent => DnsFault::Silent,
        Kind::DnsFailing => DnsFault::Failing,
        Kind::DnsTruncated => DnsFault::Truncated,
        Kind::DnsTruncatedForGood => DnsFault::TruncatedForGood,
        Kind::DnsCutShort => DnsFault::CutShort,
        Kind::DnsLyingCounts => DnsFault::LyingCounts,
        Kind::DnsLyingLengths => DnsFault::LyingLengths,
        Kind::DnsGarbage => DnsFault::Garbage,
        Kind::DnsForged => DnsFault::Forged,
        _ => return None,
    };
    Some(fault)
}

fn of_service(site: &Site, kind: Kind) -> Option<(&crate::proxy::Proxy, Fault)> {
    let (table, bucket, topic, invocations) = (&site.table, &site.bucket, &site.topic, &site.invocations);
    let fault = match kind {
        Kind::TableThrottled => (table, Fault::Answer(&THROTTLED)),
        Kind::TableKeyThrottled => (table, Fault::Answer(&KEY_THROTTLED)),
        Kind::TableDown => (table, Fault::Close),
        Kind::TableSilent => (table, Fault::Hang),
        Kind::TableSlow => (table, Fault::Slow(SLOW_TABLE)),
        Kind::TableLosesAnswers => (table, Fault::LoseAnswers),
        Kind::TableHoldsAnswers => (table, Fault::HoldAnswers),
        Kind::BucketDown => (bucket, Fault::Close),
        Kind::BucketBusy => (bucket, Fault::Answer(&BUSY_BUCKET)),
        Kind::BucketSlow => (bucket, Fault::Slow(SLOW_BUCKET)),
        Kind::BucketTruncates => (bucket, Fault::Truncate(TRUNCATED_ANSWER)),
        Kind::BucketLosesAnswers => (bucket, Fault::LoseAnswers),
        Kind::TopicDown => (topic, Fault::Close),
        Kind::TopicFailing => (topic, Fault::Answer(&FAILING_TOPIC)),
        Kind::TopicLosesAnswers => (topic, Fault::LoseAnswers),
        Kind::InvocationsThrottled => (invocations, Fault::Answer(&THROTTLED_INVOCATIONS)),
        Kind::InvocationsCut => (invocations, Fault::LoseAnswers),
        _ => return None,
    };
    Some(fault)
}

fn of_clock(kind: Kind) -> Option<i64> {
    match kind {
        Kind::ClockAhead => Some(AHEAD_S),
        Kind::ClockBehind => Some(BEHIND_S),
        _ => None,
    }
}

async fn kill_now_and_then(site: &Site, kind: Kind, dice: &mut Dice, ends: Instant) {
    while Instant::now() < ends {
        match kind {
            Kind::InspectorsKilled => site.inspect.kill_one(dice),
            Kind::VerifiersKilled => site.verify.kill_one(dice),
            _ => kill_inspecting_children(site).await,
        }
        let [least, most] = KILLED_AFTER;
        sleep(dice.between(least, most)).await;
    }
}

/// A child lives for a moment only, so they are looked for again and again.
async fn kill_inspecting_children(site: &Site) {
    let inspectors: Vec<u32> = site.inspect.living().iter().map(|instance| instance.process_id()).collect();
    for _ in 0..LOOKS {
        for child in inspectors.iter().flat_map(|inspector| children(*inspector)) {
            // It may have ended meanwhile.
            let killed = Command::new("kill").args(["-KILL", &child]).stderr(Stdio::null()).status().await;
            let is_killed = killed.is_ok_and(|status| status.success());
            site.children_killed.fetch_add(usize::from(is_killed), Ordering::Relaxed);
        }
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

fn children(process_id: u32) -> Vec<String> {
    let listed = std::fs::read_to_string(format!("/proc/{process_id}/task/{process_id}/children")).unwrap_or_default();
    listed.split_whitespace().map(str::to_owned).collect()
}
