//! Which series belong together.

use std::collections::BTreeMap;

use super::{AlertGroup, Scope};
use crate::{
    anomaly::{AlertEvent, Incident, Kind, State, fingerprint},
    bucket::Bucket,
};

/// Buckets within which series have to get into trouble to belong together: a quarter of an hour.
const TOGETHER: u32 = 3;

/// Of so many series in a flow, that many in trouble at once are no coincidence. At most one false alarm a series in 20 weeks is
/// promised; in a quarter of an hour that makes one in 13,000.
const COINCIDENCE: usize = 500;

/// Openings that people are told of in an hour, and the same per series; what exceeds both becomes one incident of everything.
const OPENINGS_AN_HOUR: usize = 20;
const SERIES_PER_OPENING: usize = 2_000;

/// A series that got into trouble.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    pub series: &'a str,
    pub bucket: Bucket,
    pub incident: &'a Incident,
}

/// How many series there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    flows: BTreeMap<String, usize>,
    all: usize,
}

/// The groups of a deployment, and which of them have changed.
#[derive(Debug, Default)]
pub struct Gathering {
    pub groups: BTreeMap<String, AlertGroup>,
}

/// Kinds of trouble that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    More,
    Failures,
    Mix,
    Less,
    /// Parts of the traffic, which change with all that happens to it.
    Part,
}

impl Family {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Flood | Kind::Spike => Self::More,
            Kind::AuthFailSurge | Kind::KeyGuessing => Self::Failures,
            Kind::SingleSender | Kind::MixShift => Self::Mix,
            Kind::Silence | Kind::CountersMissing => Self::Less,
            Kind::RejectionSurge | Kind::DisposableSurge | Kind::QuarantineSurge | Kind::InspectorFailures => {
                Self::Part
            }
        }
    }
}

impl Sizes {
    pub fn count(&mut self, series: &str) {
        let flow = flow_of(series);
        match self.flows.get_mut(flow) {
            Some(count) => *count += 1,
            None => drop(self.flows.insert(flow.to_owned(), 1)),
        }
        self.all += 1;
    }

    pub fn add(&mut self, other: &Self) {
        other.flows.iter().for_each(|(flow, count)| *self.flows.entry(flow.clone()).or_default() += count);
        self.all += other.all;
    }

    /// Series of a flow that have to be in trouble at once to be one incident.
    fn of_a_flow(&self, flow: &str) -> usize {
        self.flows.get(flow).map_or(2, |count| count.div_ceil(COINCIDENCE).max(2))
    }

    fn openings_an_hour(&self) -> usize {
        OPENINGS_AN_HOUR.max(self.all / SERIES_PER_OPENING)
    }
}

impl Gathering {
    /// Takes the latest event of some series, one each, and answers which group each of them belongs to. A series that nobody follows
    /// belongs to none.
    pub fn take(&mut self, events: &[(&str, &AlertEvent)], sizes: &Sizes) -> Vec<Option<String>> {
        let opened: Vec<_> =
            events.iter().filter(|(_, event)| event.state == State::Opened).copied().map(opened).collect();
        events.iter().map(|&(series, event)| self.take_one(series, event, &opened, sizes)).collect()
    }

    fn take_one(
        &mut self,
        series: &str,
        event: &AlertEvent,
        opened_together: &[Opened<'_>],
        sizes: &Sizes,
    ) -> Option<String> {
        let of_series = self.groups.values_mut().find(|group| group.is_open() && group.members.contains_key(series));
        match (event.state, of_series) {
            (State::Opened, Some(group)) => {
                group.join(&opened((series, event)));
                Some(group.fingerprint.clone())
            }
            (State::Opened, None) => Some(self.place(&opened((series, event)), opened_together, sizes)),
            (State::Updated, group) => group.map(|group| {
                group.update(series, &event.incident);
                group.fingerprint.clone()
            }),
            (State::Closed, group) => group.map(|group| {
                group.close(series, event.bucket);
                group.fingerprint.clone()
            }),
        }
    }

    fn place(&mut self, opened: &Opened<'_>, opened_together: &[Opened<'_>], sizes: &Sizes) -> String {
        if let Some(group) = self.joinable(opened, sizes) {
            group.join(opened);
            return group.fingerprint.clone();
        }
        let scope = self.scope(opened, opened_together, sizes);
        let fingerprint = fingerprint(&scope.pattern(), opened.incident.kind);
        match self.groups.get_mut(&fingerprint) {
            Some(group) if group.is_open() => group.join(opened),
            Some(earlier) => {
                *earlier = AlertGroup::opened(scope, opened).reopened(earlier);
            }
            None => {
                self.groups.insert(fingerprint.clone(), AlertGroup::opened(scope, opened));
            }
        }
        fingerprint
    }

    /// An open group that this series belongs to, which becomes wider where it has to.
    fn joinable(&mut self, opened: &Opened<'_>, sizes: &Sizes) -> Option<&mut AlertGroup> {
        let (flow, of) = opened.series.split_once('/').unwrap_or((opened.series, ""));
        let small_flow = sizes.of_a_flow(flow) <= 2;
        self.groups.values_mut().filter(|group| group.is_open() && moves_with(group, opened)).find_map(|group| {
            let wider = match &group.scope {
                Scope::Series(name) => match name.split_once('/') {
                    Some((of_group, _)) if of_group == flow && small_flow => Scope::Flow(flow.to_owned()),
                    Some((_, of_group)) if of_group == of => Scope::Of(of.to_owned()),
                    Some(_) | None => return None,
                },
                scope if scope.covers(opened.series) => scope.clone(),
                Scope::Flow(_) | Scope::Of(_) | Scope::All => return None,
            };
            group.scope = wider;
            Some(group)
        })
    }

    /// The scope of a new group: what most of those that got into trouble with it have in common.
    fn scope(&self, opened: &Opened<'_>, opened_together: &[Opened<'_>], sizes: &Sizes) -> Scope {
        let bucket = opened.bucket;
        let told: usize = self.groups.values().map(|group| group.openings_within_an_hour(bucket)).sum();
        let (flow, of) = opened.series.split_once('/').unwrap_or((opened.series, ""));
        let (in_flow, with_client) = (Scope::Flow(flow.to_owned()), Scope::Of(of.to_owned()));
        let family = Family::of(opened.incident.kind);
        let related = opened_together.iter().filter(|other| Family::of(other.incident.kind) == family);
        let related: Vec<_> = related.filter(|other| apart(other.bucket, bucket) <= TOGETHER).collect();
        let is_of_flow = |flow: &str| {
            let scope = Scope::Flow(flow.to_owned());
            sizes.of_a_flow(flow) <= related.iter().filter(|other| scope.covers(other.series)).count()
        };
        let flow_count = related.iter().filter(|other| in_flow.covers(other.series)).count();
        // Those that belong to an incident of their flow are no company.
        let of_client = related.iter().filter(|other| with_client.covers(other.series));
        let is_alone = |series: &str| series == opened.series || !is_of_flow(flow_of(series));
        let client_count = of_client.filter(|other| is_alone(other.series)).count();
        if sizes.of_a_flow(flow) <= flow_count && client_count <= flow_count {
            in_flow
        } else if 2 <= client_count {
            with_client
        } else if sizes.openings_an_hour() <= told {
            Scope::All
        } else {
            Scope::Series(opened.series.to_owned())
        }
    }
}

fn opened<'a>((series, event): (&'a str, &'a AlertEvent)) -> Opened<'a> {
    Opened { series, bucket: event.bucket, incident: &event.incident }
}

fn moves_with(group: &AlertGroup, opened: &Opened<'_>) -> bool {
    let (of_group, family) = (Family::of(group.kind), Family::of(opened.incident.kind));
    let belongs = of_group == family || family == Family::Part && of_group != Family::Less;
    belongs && apart(opened.bucket, group.last_joined) <= TOGETHER
}

fn flow_of(series: &str) -> &str {
    series.split_once('/').map_or(series, |(flow, _)| flow)
}

fn apart(one: Bucket, other: Bucket) -> u32 {
    one.since(other).max(other.since(one))
}
