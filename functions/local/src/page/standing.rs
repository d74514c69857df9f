//! What the table and SNS tell: what was counted lately, the incidents, and the alerts that were sent.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::SystemTime,
};

use gatepost::{
    activity::{Channel, part::Subject},
    alert_group::AlertGroup,
    anomaly::{Band, Kind, Model},
    bucket::Bucket,
    chart::Charted,
    io::{
        alert_groups, counters, scan_progress,
        series_state::{Models, shard_of},
        table::{Reading, Table, TableError},
        telemetry::with_causes,
    },
};

use crate::{aws::sns::Published, stack::Stack};

/// Buckets of a chart that are over: nearly two hours.
const CHART: u32 = 23;
/// Series that are drawn: those with an incident, and then the busiest.
const MOST_CHARTS: usize = 12;
const MOST_INCIDENTS: usize = 20;
const MOST_ALERTS: usize = 10;

/// What is going on, as far as the table tells.
#[derive(Debug, Default)]
pub struct Standing {
    /// Those with an incident first, then by name.
    pub(super) series: Vec<Series>,
    /// Series that are not drawn.
    pub(super) more_series: usize,
    /// Open ones first, then the latest.
    pub(super) incidents: Vec<AlertGroup>,
    /// Newest first.
    pub(super) alerts: Vec<Published>,
}

/// A series as the page shows it.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Charted>,
    /// The bucket that is not over yet, and what it holds.
    pub(super) unfinished: (Bucket, f64),
    /// Of the incident that it is in.
    pub(super) incident: Option<(Kind, Bucket)>,
}

/// Totals of one series by bucket.
type Totals = BTreeMap<Bucket, f64>;

impl Standing {
    /// What cannot be read is left out, and the log says so.
    pub async fn read(stack: &Stack, now: SystemTime) -> Self {
        let models = &stack.scanner.models;
        let current = Bucket::of(now);
        let totals = totals(&models.table, current).await;
        let groups = or_nothing(alert_groups::load(&models.table).await);
        let mut incidents: Vec<AlertGroup> = groups.into_values().map(|(group, _)| group).collect();
        incidents.sort_by_key(|group| (!group.is_open(), std::cmp::Reverse(group.opened)));
        let (shown, more_series) = shown(totals, &incidents);
        let known = known(models, shown.iter().map(|(name, _)| name.as_str())).await;
        let progress = or_nothing(scan_progress::read(&models.table).await);
        let since = progress.map_or(current, |progress| progress.counting_since);
        let series = shown.into_iter().map(|(name, totals)| {
            let points = points(&totals, known.get(&name), current, since);
            let unfinished = (current, totals.get(&current).copied().unwrap_or(0.0));
            Series { incident: trouble(&incidents, &name), name, points, unfinished }
        });
        let mut series: Vec<Series> = series.collect();
        series.sort_by(|a, b| (a.incident.is_none(), &a.name).cmp(&(b.incident.is_none(), &b.name)));
        incidents.truncate(MOST_INCIDENTS);
        Self { series, more_series, incidents, alerts: stack.sns.latest(MOST_ALERTS) }
    }
}

async fn totals(table: &Table, current: Bucket) -> HashMap<String, Totals> {
    let (first, end) = (current.minus(CHART), current.next());
    let counted = or_nothing(counters::read_span(table, first, end, Reading::Eventual).await);
    let mut series: HashMap<String, Totals> = HashMap::new();
    for (bucket, activity) in counted {
        // Parts of the traffic have incidents, and no chart beside that of the whole.
        for (name, activity) in activity.into_iter().filter(|(name, _)| !Subject::of(name).is_derived()) {
            let total = activity.tally.get(Channel::Total.as_str()).copied().unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "no counter of five minutes reaches 2^52")]
            series.entry(name).or_default().insert(bucket, total as f64);
        }
    }
    series
}

/// The series that are drawn, and how many are not.
fn shown(totals: HashMap<String, Totals>, incidents: &[AlertGroup]) -> (Vec<(String, Totals)>, usize) {
    let mut series: Vec<(String, Totals)> = totals.into_iter().collect();
    // A series that went silent is in trouble and has no counts.
    let silent = incidents.iter().filter(|group| group.is_open()).flat_map(|group| group.members.keys());
    let is_drawn = |name: &String| series.iter().any(|(known, _)| known == name) || Subject::of(name).is_derived();
    let silent: BTreeSet<&String> = silent.filter(|name| !is_drawn(name)).collect();
    let silent: Vec<_> = silent.into_iter().map(|name| (name.clone(), Totals::new())).collect();
    series.extend(silent);
    series.sort_by(|(a, of_a), (b, of_b)| {
        let rank = |name: &str, totals: &Totals| (trouble(incidents, name).is_some(), totals.values().sum::<f64>());
        let ((has_a, sum_a), (has_b, sum_b)) = (rank(a, of_a), rank(b, of_b));
        has_b.cmp(&has_a).then(sum_b.total_cmp(&sum_a)).then(a.cmp(b))
    });
    let more = series.len().saturating_sub(MOST_CHARTS);
    series.truncate(MOST_CHARTS);
    (series, more)
}

/// The open incident of a series.
fn trouble(incidents: &[AlertGroup], series: &str) -> Option<(Kind, Bucket)> {
    let open = incidents.iter().filter(|group| group.is_open());
    let member = open.filter_map(|group| group.members.get(series)).find(|member| member.until.is_none());
    member.map(|member| (member.kind, member.since))
}

/// What the scan knows of these series.
async fn known(models: &Models, names: impl Iterator<Item = &str>) -> HashMap<String, Model> {
    let shards: BTreeSet<u8> = names.map(shard_of).collect();
    let loads = shards.into_iter().map(|shard| models.load_shard(shard, Reading::Eventual));
    let loaded = futures_util::future::join_all(loads).await;
    loaded.into_iter().flat_map(or_nothing).map(|(name, loaded)| (name, loaded.state.model)).collect()
}

fn points(totals: &Totals, model: Option<&Model>, current: Bucket, counting_since: Bucket) -> Vec<Charted> {
    // Before its first scan a series has no model, and a model that has seen nothing expects nothing in particular.
    let model = model.filter(|model| model.last().is_some());
    let unknown = Band { expected: f64::NAN, low: f64::NAN, high: f64::NAN };
    let buckets = (1..=CHART).rev().map(|age| current.minus(age));
    let charted = buckets.map(|bucket| {
        let silence = if counting_since <= bucket { 0.0 } else { f64::NAN };
        let total = totals.get(&bucket).copied().unwrap_or(silence);
        Charted { bucket, total, band: model.map_or(unknown, |model| model.band(bucket)) }
    });
    charted.collect()
}

fn or_nothing<T: Default>(read: Result<T, TableError>) -> T {
    read.unwrap_or_else(|error| {
        tracing::warn!(cause = with_causes(&error), "the page shows less than there is");
        T::default()
    })
}
