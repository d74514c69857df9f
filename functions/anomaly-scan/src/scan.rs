//! Buckets in, incidents out: shard by shard, in steps that are stored before the next.

use std::{
    collections::{BTreeMap, HashMap},
    time::SystemTime,
};

use futures_util::{StreamExt, stream};
use gatepost::{
    activity::part::{Subject, shares},
    alert_group::Sizes,
    bucket::Bucket,
    calendar::Calendar,
    io::{
        counters::{BucketActivity, read_span},
        scan_progress::{self, Progress},
        series_state::{CHECKPOINT, Loaded, Saved, shard_of},
        table::{Reading, TableError},
    },
    metric,
};

use crate::{
    ScanError, Scanned, Scanner,
    desk::{Desk, Failures, Troubled},
    judge::{Counted, Counts, Given, Judged, Span},
};

/// Buckets that one scan judges at most: a little over 40 days. The rest waits for the next scan.
const MOST_BUCKETS: u32 = 12_000;

/// Buckets between two saves when there is much to catch up with.
const STEP: u32 = 48;

/// Shards that are judged, and series of one shard that are stored, at the same time.
const SHARDS_AT_ONCE: usize = 4;
const SAVES_AT_ONCE: usize = 16;

/// Where the first scan ever begins: late counters of the last hour are still there.
const FIRST_LOOK_BACK: u32 = 12;

/// Counts of all series of one shard.
type ShardCounts = HashMap<String, Counts>;

/// What became of one shard in one step.
struct JudgedShard {
    shard: u8,
    /// Series with new buckets, without those that are made of others.
    judged: usize,
    sizes: Sizes,
    troubled: Vec<Judged>,
    error: Option<ScanError>,
}

impl Scanner {
    /// Goes on from where each shard stands, in steps, each stored before the next: a scan that is killed, or has much to catch
    /// up with, loses nothing, and a shard that fails is repeated alone by the next scan.
    pub(crate) async fn scan(&self, now: SystemTime) -> Result<Scanned, ScanError> {
        let current = Bucket::of(now);
        let found = scan_progress::read(&self.models.table).await?;
        let mut progress = found.unwrap_or_else(|| first_progress(current));
        note_lag(current.since(progress.earliest()));
        let end = current.min(progress.earliest().plus(MOST_BUCKETS));
        let (mut scanned, mut failures) = (Scanned::default(), Failures::default());
        let mut reading = Reading::Eventual;
        while let Some((span, shards)) = next_span(&progress, &failures, end) {
            let before = failures.0.len();
            let step = self.scan_step(span, &shards, reading, &mut failures).await?;
            scanned.follow(step);
            let done: Vec<u8> = shards.into_iter().filter(|shard| !failures.0.contains_key(shard)).collect();
            scan_progress::advance(&self.models.table, &done, span.end, span.counting_since).await?;
            done.iter().for_each(|shard| progress.advance(*shard, span.end));
            tracing::debug!(
                shards.done = done.len(),
                shards.failed = failures.0.len() - before,
                "judged up to {}",
                span.end
            );
            // What was just written is to be read.
            reading = Reading::Consistent;
        }
        failures.0.into_values().next().map_or(Ok(scanned), Err)
    }

    async fn scan_step(
        &self,
        span: Span,
        shards: &[u8],
        reading: Reading,
        failures: &mut Failures,
    ) -> Result<Scanned, ScanError> {
        let mut desk = Desk::open(&self.models.table).await?;
        let mut counts = self.counts(&span).await?;
        let calendar = desk.calendar.clone();
        let judged = shards.iter().map(|&shard| {
            let counts = counts.remove(&shard).unwrap_or_default();
            self.judge_shard(shard, counts, span, &calendar, reading)
        });
        let judged: Vec<_> = judged.collect();
        let mut judged = stream::iter(judged).buffer_unordered(SHARDS_AT_ONCE);
        let (mut scanned, mut troubled) = (Scanned::default(), Troubled::default());
        while let Some(shard) = judged.next().await {
            scanned.series += shard.judged;
            troubled.sizes.add(&shard.sizes);
            troubled.series.extend(shard.troubled.into_iter().map(|judged| (shard.shard, judged)));
            shard.error.into_iter().for_each(|error| drop(failures.0.insert(shard.shard, error)));
        }
        // In an order that a repetition comes to as well: parts of traffic join what happens to the traffic.
        let place = |judged: &Judged| (Subject::of(&judged.name).is_derived(), judged.name.clone());
        troubled.series.sort_by_cached_key(|(_, judged)| place(judged));
        let told = self.report(&mut desk, &mut troubled, &span, failures).await;
        self.store_due(&mut troubled, failures).await;
        Ok(Scanned { series: scanned.series, ..told })
    }

    /// The counters of the window, by shard and series. What was judged before was written long ago, and is read at half the price.
    async fn counts(&self, span: &Span) -> Result<BTreeMap<u8, ShardCounts>, TableError> {
        let mut counts: BTreeMap<u8, ShardCounts> = BTreeMap::new();
        for (from, end, reading) in
            [(span.window, span.from, Reading::Eventual), (span.from, span.end, Reading::Consistent)]
        {
            // An hour at a time, since of what was read only the counts are kept.
            let mut first = from;
            while first < end {
                let next = end.min(first.hour().plus(12));
                add_counts(&mut counts, read_span(&self.models.table, first, next, reading).await?, span);
                first = next;
            }
        }
        Ok(counts)
    }

    async fn judge_shard(
        &self,
        shard: u8,
        mut counts: ShardCounts,
        span: Span,
        calendar: &Calendar,
        reading: Reading,
    ) -> JudgedShard {
        let mut judged = JudgedShard { shard, judged: 0, sizes: Sizes::default(), troubled: Vec::new(), error: None };
        let known = match self.models.load_shard(shard, reading).await {
            Ok(known) => known,
            Err(error) => return JudgedShard { error: Some(error.into()), ..judged },
        };
        let known: Vec<_> = known.into_iter().map(|(name, loaded)| (counts.remove(&name), name, loaded)).collect();
        let begins = |(name, counts): &(String, Counts)| counts.iter().any(|it| it.begins(Subject::of(name)));
        let new = counts.into_iter().filter(begins).map(|(name, counts)| (Some(counts), name, Loaded::default()));
        let given = Given { calendar, clocks: &self.clocks };
        let mut due = Vec::new();
        for (counts, name, loaded) in known.into_iter().chain(new) {
            let mut series = Judged::new(name, loaded, counts.unwrap_or_default());
            series.advance(&span, &given);
            judged.sizes.count(&series.name);
            judged.judged += usize::from(series.is_judged && !Subject::of(&series.name).is_derived());
            if series.event.is_some() || series.loaded.state.has_incident() {
                judged.troubled.push(series);
            } else if series.is_due() {
                due.push(series);
            }
        }
        judged.error = self.store(due.iter()).await;
        judged
    }

    /// Series with an incident are stored as often as the others.
    async fn store_due(&self, troubled: &mut Troubled, failures: &mut Failures) {
        let due = troubled.series.iter().filter(|(_, judged)| judged.is_due() && !judged.is_given_up);
        let mut by_shard: BTreeMap<u8, Vec<&Judged>> = BTreeMap::new();
        due.for_each(|(shard, judged)| by_shard.entry(*shard).or_default().push(judged));
        for (shard, due) in by_shard {
            if let Some(error) = self.store(due.into_iter()).await {
                failures.0.entry(shard).or_insert(error);
            }
        }
    }

    /// Each by itself; the last failure, if there was one.
    async fn store<'j>(&self, due: impl Iterator<Item = &'j Judged>) -> Option<ScanError> {
        let saves: Vec<_> = due.map(|judged| self.store_one(judged)).collect();
        let saves: Vec<_> = stream::iter(saves).buffer_unordered(SAVES_AT_ONCE).collect().await;
        saves.into_iter().filter_map(Result::err).last()
    }

    async fn store_one(&self, judged: &Judged) -> Result<(), ScanError> {
        match self.models.checkpoint(&judged.checkpoint()).await? {
            Saved::Ours => Ok(()),
            Saved::Outrun => Err(ScanError::Outrun { series: judged.name.clone() }),
        }
    }
}

fn add_counts(counts: &mut BTreeMap<u8, ShardCounts>, activity: BTreeMap<Bucket, BucketActivity>, span: &Span) {
    for (bucket, series) in activity {
        for (name, activity) in series {
            let counted = Counted::new(bucket, &activity, span);
            for share in shares(&name, &activity.tally) {
                let of_share = Counted::of_share(bucket, &share, counted.sources());
                of_share.join(counts.entry(shard_of(&share.series)).or_default().entry(share.series).or_default());
            }
            counts.entry(shard_of(&name)).or_default().entry(name).or_default().push(counted);
        }
    }
}

/// What is to be judged next, for which shards: those that are furthest behind, with whoever stands where they go.
fn next_span(progress: &Progress, failures: &Failures, end: Bucket) -> Option<(Span, Vec<u8>)> {
    let waiting = || progress.shards().filter(|(shard, next)| *next < end && !failures.0.contains_key(shard));
    let from = waiting().map(|(_, next)| next).min()?;
    let end = end.min(from.plus(STEP));
    let shards = waiting().filter(|(_, next)| *next < end).map(|(shard, _)| shard).collect();
    let window = from.minus(CHECKPOINT);
    Some((Span { window, from, end, counting_since: progress.counting_since }, shards))
}

fn first_progress(current: Bucket) -> Progress {
    let next = current.minus(FIRST_LOOK_BACK);
    Progress::starting(next, next)
}

/// The scan watches itself.
fn note_lag(behind: u32) {
    tracing::info!(name: metric::SCAN_BEGUN, { scan.lag_buckets = behind }, "the scan is {behind} buckets behind");
}
