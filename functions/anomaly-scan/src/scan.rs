//! Buckets in, incidents out.

use std::{
    collections::{BTreeMap, HashSet},
    time::SystemTime,
};

use futures_util::{StreamExt, stream};
use gatepost::{
    activity::{Channel, DISTINCT, TOP_1, Tally},
    alert::Alert,
    anomaly::{AlertEvent, Observation, State, step},
    bucket::Bucket,
    io::{
        alerts::enqueue,
        counters::{BucketActivity, read_hour},
        series_state::{Loaded, Saved, Watermark},
        table::{TableError, unix_seconds},
    },
};

use crate::{ScanError, Scanned, Scanner};

/// Buckets that one scan judges at most: a little over 40 days. The rest waits for the next scan.
const MOST_BUCKETS: u32 = 12_000;

/// Buckets between two saves: a series changes at most once a bucket, and one transaction takes 100 items.
const STEP: u32 = 48;

/// Series that are saved at the same time.
const SAVES_AT_ONCE: usize = 16;

/// Where the first scan ever begins: late counters of the last hour are still there.
const FIRST_LOOK_BACK: u32 = 12;

/// A series and what became of it in this scan.
#[derive(Default)]
struct Judged {
    loaded: Loaded,
    alerts: Vec<Alert>,
    events: Vec<State>,
    has_changed: bool,
}

impl Scanner {
    /// Goes on from the watermark in steps, each saved before the next: a scan that is killed, or has much to catch up
    /// with, loses nothing.
    pub(crate) async fn scan(&self, now: SystemTime) -> Result<Scanned, ScanError> {
        let current = Bucket::of(now);
        let mut watermark = self.models.watermark().await?.unwrap_or_else(|| first_watermark(current));
        let end = current.min(watermark.next.plus(MOST_BUCKETS));
        let mut scanned = Scanned::default();
        while watermark.next < end {
            let step_end = end.min(watermark.next.plus(STEP));
            let step = self.scan_step(watermark, step_end, now).await?;
            scanned.follow(step);
            watermark.next = step_end;
            self.models.set_watermark(watermark).await?;
        }
        Ok(scanned)
    }

    /// Judges the buckets before `end` and saves. The watermark may move on only when every series was saved by this
    /// scan: one that another scan or a failure has kept from it is met again.
    async fn scan_step(&self, watermark: Watermark, end: Bucket, now: SystemTime) -> Result<Scanned, ScanError> {
        let mut series = self.known_series().await?;
        self.judge(&mut series, watermark, end).await?;
        close_stale(&mut series, end);
        let saves: Vec<_> = series
            .into_iter()
            .filter(|(_, judged)| judged.has_changed)
            .map(|(name, judged)| self.save(name, judged, now))
            .collect();
        let saves: Vec<_> = stream::iter(saves).buffer_unordered(SAVES_AT_ONCE).collect().await;
        let mut scanned = Scanned::default();
        let mut incomplete = None;
        for save in saves {
            match save {
                Ok(saved) => scanned.add(saved),
                Err(error) => incomplete = Some(error),
            }
        }
        incomplete.map_or(Ok(scanned), Err)
    }

    async fn known_series(&self) -> Result<BTreeMap<String, Judged>, TableError> {
        let known = self.models.load().await?.into_iter();
        Ok(known.map(|(name, loaded)| (name, Judged { loaded, ..Judged::default() })).collect())
    }

    async fn judge(
        &self,
        series: &mut BTreeMap<String, Judged>,
        watermark: Watermark,
        end: Bucket,
    ) -> Result<(), TableError> {
        let mut bucket = watermark.next;
        while bucket < end {
            let hour = read_hour(&self.models.table, bucket).await?;
            let hour_key = bucket.hour_key();
            while bucket < end && bucket.hour_key() == hour_key {
                judge_bucket(series, bucket, hour.get(&bucket), watermark.counting_since);
                bucket = bucket.next();
            }
        }
        Ok(())
    }

    /// One transaction a series: its state and the alerts that follow from it.
    async fn save(&self, name: String, judged: Judged, now: SystemTime) -> Result<Scanned, ScanError> {
        let Judged { loaded, alerts, events, .. } = judged;
        let enqueued = alerts.iter().map(|alert| enqueue(&self.outbox.table.name, alert, unix_seconds(now)));
        let enqueued = enqueued.collect::<Result<_, _>>().map_err(|error| TableError::new("alert", error))?;
        match self.models.save(&name, &loaded.state, loaded.revision, enqueued).await? {
            Saved::Outrun => Err(ScanError::Outrun { series: name }),
            Saved::Ours => Ok(Scanned {
                series: 1,
                alerts_opened: events.iter().filter(|event| **event == State::Opened).count(),
                alerts_closed: events.iter().filter(|event| **event == State::Closed).count(),
                ..Scanned::default()
            }),
        }
    }
}

impl Judged {
    fn observe(&mut self, name: &str, observation: &Observation) {
        let state = &mut self.loaded.state;
        let is_known = state.model.last().is_some_and(|last| observation.bucket <= last);
        // A series begins with its first traffic and ends with a long silence.
        let is_watched = state.last_active.is_some() && !state.is_forgotten(observation.bucket);
        if is_known || (observation.total == 0.0 && !is_watched) {
            return;
        }
        self.has_changed = true;
        let judgement = state.model.observe(observation);
        state.remember(observation.bucket, observation.total);
        let step = step(state.watch.as_ref(), name, &judgement, observation.bucket);
        state.watch = step.watch;
        self.tell(name, step.event);
    }

    fn tell(&mut self, name: &str, event: Option<AlertEvent>) {
        let Some(event) = event else { return };
        self.has_changed = true;
        self.events.push(event.state);
        self.alerts.push(Alert::new(name, event, &self.loaded.state.recent));
    }
}

/// Judges what was counted and, from where counting began, the silence of every series that is known.
fn judge_bucket(
    series: &mut BTreeMap<String, Judged>,
    bucket: Bucket,
    activity: Option<&BucketActivity>,
    counting_since: Bucket,
) {
    let mut observed = HashSet::new();
    for (name, activity) in activity.into_iter().flatten() {
        observed.insert(name.as_str());
        series.entry(name.clone()).or_default().observe(name, &observation(bucket, &activity.tally));
    }
    if counting_since <= bucket {
        for (name, judged) in series.iter_mut().filter(|(name, _)| !observed.contains(name.as_str())) {
            judged.observe(name, &observation(bucket, &Tally::new()));
        }
    }
}

/// Incidents of series that nobody has counted for so long that nobody can say they go on.
fn close_stale(series: &mut BTreeMap<String, Judged>, end: Bucket) {
    for (name, judged) in series {
        if let Some(watch) = judged.loaded.state.watch.take() {
            let step = watch.close_if_stale(end);
            judged.loaded.state.watch = step.watch;
            judged.tell(name, step.event);
        }
    }
}

fn observation(bucket: Bucket, tally: &Tally) -> Observation {
    #[expect(clippy::cast_precision_loss, reason = "no counter of five minutes reaches 2^52")]
    let count = |channel: &str| tally.get(channel).map(|count| *count as f64);
    Observation {
        bucket,
        total: count(Channel::Total.as_str()).unwrap_or(0.0),
        auth_fail: count(Channel::AuthFail.as_str()).or(Some(0.0)),
        top1: count(TOP_1),
        distinct: count(DISTINCT),
        limited: count(Channel::Limited.as_str()).or(Some(0.0)),
    }
}

fn first_watermark(current: Bucket) -> Watermark {
    let next = current.minus(FIRST_LOOK_BACK);
    Watermark { next, counting_since: next }
}
