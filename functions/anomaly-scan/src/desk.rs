//! What changed in series becomes incidents that people are told of: gathered, stored with the states it follows from, and put into
//! the outbox, all in one transaction each.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::TransactWriteItem;
use gatepost::{
    alert::Alert,
    alert_group::{Gathering, Sizes},
    anomaly::{AlertEvent, State},
    bucket::Bucket,
    calendar::Calendar,
    io::{
        alert_groups::{self, store},
        alerts::enqueue,
        calendar::CalendarTable,
        series_state::Saved,
        table::{Table, TableError, unix_seconds},
    },
};

use crate::{
    ScanError, Scanned, Scanner,
    judge::{Given, Judged, Span},
};

/// States that are stored in one transaction; it takes 100 items, and the incident and its alert are two of them.
const STATES_AT_ONCE: usize = 90;

/// What is known while a scan runs.
pub(crate) struct Desk {
    pub(crate) calendar: Calendar,
    gathering: Gathering,
    revisions: BTreeMap<String, u64>,
}

/// A shard's series that have, or have had, an incident in this step.
#[derive(Default)]
pub(crate) struct Troubled {
    pub(crate) series: Vec<(u8, Judged)>,
    pub(crate) sizes: Sizes,
}

/// Changes that could not be stored: the shards are repeated by the next scan.
#[derive(Default)]
pub(crate) struct Failures(pub(crate) BTreeMap<u8, ScanError>);

impl Desk {
    pub(crate) async fn open(table: &Table) -> Result<Self, TableError> {
        let calendar = CalendarTable { table: table.clone() };
        let (calendar, stored) = tokio::try_join!(calendar.load(), alert_groups::load(table))?;
        let mut desk = Self { calendar, gathering: Gathering::default(), revisions: BTreeMap::new() };
        for (fingerprint, (group, revision)) in stored {
            desk.revisions.insert(fingerprint.clone(), revision);
            desk.gathering.groups.insert(fingerprint, group);
        }
        Ok(desk)
    }
}

impl Scanner {
    /// Works through all changes, round by round: a series goes on once its change is stored.
    pub(crate) async fn report(
        &self,
        desk: &mut Desk,
        troubled: &mut Troubled,
        span: &Span,
        failures: &mut Failures,
    ) -> Scanned {
        let mut scanned = Scanned::default();
        loop {
            let changed: Vec<usize> =
                (0..).zip(&troubled.series).filter(|(_, (_, it))| it.event.is_some()).map(|(at, _)| at).collect();
            let groups = gather(desk, troubled, &changed);
            let is_last = changed.is_empty();
            for (fingerprint, members) in groups {
                let stored = match &fingerprint {
                    Some(fingerprint) => self.tell(desk, fingerprint, &members, troubled, span).await,
                    None => self.store_alone(&members, troubled).await.map(|()| None),
                };
                match stored {
                    Ok(state) => {
                        scanned.count(state);
                        for &at in &members {
                            go_on(troubled, at, span, &Given { calendar: &desk.calendar, clocks: &self.clocks });
                        }
                    }
                    Err(error) => give_up(troubled, &members, error, failures),
                }
            }
            if is_last {
                return scanned;
            }
        }
    }

    /// Stores a group, the states of `members`, and the alert, if there is something to tell.
    async fn tell(
        &self,
        desk: &mut Desk,
        fingerprint: &str,
        members: &[usize],
        troubled: &Troubled,
        span: &Span,
    ) -> Result<Option<State>, ScanError> {
        let Some(group) = desk.gathering.groups.get_mut(fingerprint) else { return Ok(None) };
        let events = members.iter().filter_map(|&at| troubled.series.get(at)?.1.event.as_ref());
        let bucket = events.map(|event| event.bucket).max().unwrap_or_else(|| span.end.minus(1));
        let untold = group.clone();
        let state = group.announce(bucket, &desk.calendar);
        if state.is_none() && members.is_empty() {
            return Ok(None);
        }
        let table = &self.models.table.name;
        let found = desk.revisions.get(fingerprint).copied();
        let mut writes = vec![store(table, group, found).map_err(|error| TableError::new("store an incident", error))?];
        if let Some(state) = state {
            let alert = self.with_page(alert(group, state, bucket, troubled)).await;
            let kept_since = unix_seconds(span.end.start());
            writes.push(enqueue(table, &alert, kept_since).map_err(|error| TableError::new("store an alert", error))?);
        }
        if let Err(error) = self.commit(members, troubled, writes).await {
            // Whoever joins it next tells what this did not.
            desk.gathering.groups.insert(fingerprint.to_owned(), untold);
            return Err(error);
        }
        desk.revisions.insert(fingerprint.to_owned(), found.map_or(0, |found| found + 1));
        Ok(state)
    }

    async fn store_alone(&self, members: &[usize], troubled: &Troubled) -> Result<(), ScanError> {
        self.commit(members, troubled, Vec::new()).await
    }

    /// The first part carries the incident and the alert. Should the rest fail, those series join again what they have joined.
    async fn commit(
        &self,
        members: &[usize],
        troubled: &Troubled,
        mut writes: Vec<TransactWriteItem>,
    ) -> Result<(), ScanError> {
        let states: Vec<&Judged> = members.iter().filter_map(|&at| Some(&troubled.series.get(at)?.1)).collect();
        for part in states.chunks(STATES_AT_ONCE).chain(states.is_empty().then_some([].as_slice())) {
            let checkpoints: Vec<_> = part.iter().map(|judged| judged.checkpoint()).collect();
            if self.models.commit(&checkpoints, std::mem::take(&mut writes)).await? == Saved::Outrun {
                let series = part.first().map_or_else(|| "an incident".to_owned(), |judged| judged.name.clone());
                return Err(ScanError::Outrun { series });
            }
        }
        Ok(())
    }

    /// The page comes before the message that names it. Without the bucket the message goes out without a page.
    async fn with_page(&self, alert: Alert) -> Alert {
        let key = alert.page_key_to_be();
        match self.messages.put_page(&key, alert.page()).await {
            Ok(()) => alert.with_page(key),
            Err(error) => {
                tracing::error!(
                    cause = gatepost::io::telemetry::with_causes(&error),
                    "the page of an incident was not stored; the alert goes out without it"
                );
                alert
            }
        }
    }
}

/// The groups that change, each with the series whose change it is; open groups without one are looked at as well, since a silence
/// may have ended.
fn gather(desk: &mut Desk, troubled: &Troubled, changed: &[usize]) -> Vec<(Option<String>, Vec<usize>)> {
    let series = changed.iter().filter_map(|&at| troubled.series.get(at));
    let events: Vec<_> = series.filter_map(|(_, it)| Some((it.name.as_str(), it.event.as_ref()?))).collect();
    let of_groups = desk.gathering.take(&events, &troubled.sizes);
    let mut groups: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (&at, fingerprint) in changed.iter().zip(of_groups) {
        groups.entry(fingerprint).or_default().push(at);
    }
    if changed.is_empty() {
        let open = desk.gathering.groups.values().filter(|group| group.is_open());
        groups.extend(open.map(|group| (Some(group.fingerprint.clone()), Vec::new())));
    }
    groups.into_iter().collect()
}

fn go_on(troubled: &mut Troubled, at: usize, span: &Span, given: &Given<'_>) {
    if let Some((_, judged)) = troubled.series.get_mut(at) {
        judged.note_stored();
        judged.advance(span, given);
    }
}

fn give_up(troubled: &mut Troubled, members: &[usize], error: ScanError, failures: &mut Failures) {
    let series = members.iter().filter_map(|&at| Some(troubled.series.get(at)?.0));
    let shards: BTreeSet<u8> = series.collect();
    for &at in members {
        if let Some((_, judged)) = troubled.series.get_mut(at) {
            judged.event = None;
            judged.is_given_up = true;
        }
    }
    tracing::warn!(
        cause = gatepost::io::telemetry::with_causes(&error),
        "a change was not stored; the next scan comes to it again"
    );
    let mut error = Some(error);
    for shard in shards {
        let error = error.take().unwrap_or(ScanError::Together { shard });
        failures.0.entry(shard).or_insert(error);
    }
}

fn alert(group: &gatepost::alert_group::AlertGroup, state: State, bucket: Bucket, troubled: &Troubled) -> Alert {
    let lead = troubled.series.iter().map(|(_, judged)| judged).find(|judged| judged.name == group.lead);
    let latest: Option<&AlertEvent> = lead.and_then(|judged| judged.event.as_ref());
    let chart = lead.map(|judged| judged.loaded.state.chart()).unwrap_or_default();
    let sources = lead.map(|judged| judged.sources(bucket)).unwrap_or_default();
    Alert::new(group, state, bucket, latest, &sources, chart)
}
