//! One series: from its checkpoint to the present, bucket by bucket.

use gatepost::{
    activity::{
        Activity, Channel, DISTINCT, TOP_1,
        part::{Share, Subject},
    },
    alert::Sources,
    anomaly::{AlertEvent, Announced, Explained, Observation, step},
    bucket::Bucket,
    calendar::Calendar,
    io::series_state::{CHECKPOINT, Checkpoint, IDLE_CHECKPOINT, Loaded, is_due},
    local_time::Clocks,
    recent::Point,
};

/// Buckets of silence that are judged at most, whatever a stored state says of its age: a little over 40 days.
const MOST_BUCKETS: u32 = 12_000;

/// What one step judges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// From where on counters were read: what was judged before and may not be stored, is judged again.
    pub(crate) window: Bucket,
    /// The first bucket that is new.
    pub(crate) from: Bucket,
    pub(crate) end: Bucket,
    /// From here on a bucket without counts means no traffic; before it nobody counted.
    pub(crate) counting_since: Bucket,
}

/// What operators have said.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) clocks: &'a Clocks,
}

/// Names of each sort that an alert can tell.
const MOST_NAMED: usize = 5;

/// What was counted of one series in one bucket.
pub(crate) struct Counted {
    observation: Observation,
    /// Of a new bucket, if anybody is known.
    sources: Option<Box<Sources>>,
}

/// Counts of one series, oldest first.
pub(crate) type Counts = Vec<Counted>;

/// A series and what becomes of it.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) name: String,
    pub(crate) loaded: Loaded,
    pub(crate) counts: Counts,
    /// The first change that has to be stored before the series can go on.
    pub(crate) event: Option<AlertEvent>,
    /// Whether its change could not be stored: the next scan judges it again.
    pub(crate) is_given_up: bool,
    /// Whether there was a new bucket to judge.
    pub(crate) is_judged: bool,
    /// Where the stored state stands, or just before a new series began.
    stored: Option<Bucket>,
    was_active: bool,
}

impl Judged {
    pub(crate) fn new(name: String, loaded: Loaded, counts: Counts) -> Self {
        let stored = loaded.state.model.last();
        Self { name, loaded, counts, stored, ..Self::default() }
    }

    /// Goes on to the end of the span, or to the first change of an incident.
    pub(crate) fn advance(&mut self, span: &Span, given: &Given<'_>) {
        let expected = given.calendar.expected(&self.name);
        let Some(mut bucket) = self.begin(span) else { return };
        let mut next_count = self.counts.partition_point(|counted| counted.bucket() < bucket);
        while bucket < span.end && self.event.is_none() {
            let counted = self.counts.get(next_count).filter(|counted| counted.bucket() == bucket);
            next_count += usize::from(counted.is_some());
            let observation = counted.map(|counted| counted.observation);
            let silence = || (span.counting_since <= bucket).then(|| observation_of_silence(bucket));
            if let Some(observation) = observation.or_else(silence) {
                self.loaded.state.model.set_clock(given.clocks.minutes_ahead(&self.name, bucket));
                self.observe(&observation, span, &expected);
            }
            bucket = bucket.next();
        }
        if self.event.is_none() {
            self.close_if_stale(span.end);
        }
    }

    /// The first bucket to judge: the one after the last, but what lies before the window is silence and nothing else.
    fn begin(&self, span: &Span) -> Option<Bucket> {
        let Some(last) = self.loaded.state.model.last() else { return self.counts.first().map(Counted::bucket) };
        let silence_begins = span.counting_since.min(span.window);
        Some(last.next().max(silence_begins).max(span.end.minus(MOST_BUCKETS)))
    }

    fn observe(&mut self, observation: &Observation, span: &Span, expected: &[Announced]) {
        let bucket = observation.bucket;
        let state = &mut self.loaded.state;
        // A series begins with its first traffic and ends with a long silence.
        let is_watched = state.last_active.is_some() && !state.is_forgotten(bucket);
        if observation.total == 0.0 && !is_watched {
            return;
        }
        self.stored.get_or_insert_with(|| bucket.minus(1));
        self.was_active |= 0.0 < observation.total;
        self.is_judged |= span.from <= bucket;
        let point = Point { total: observation.total, expected: state.model.expected(bucket) };
        let judgement = state.model.observe_during(observation, Explained::by(expected, bucket));
        let judgement = Subject::of(&self.name).heard(judgement);
        let step = step(state.watch.as_ref(), &self.name, &judgement, bucket);
        state.watch = step.watch;
        state.remember(bucket, point);
        self.event = step.event;
    }

    /// Closes the incident of a series that nobody has counted for so long that nobody can say it goes on.
    fn close_if_stale(&mut self, end: Bucket) {
        if let Some(watch) = self.loaded.state.watch.take() {
            let step = watch.close_if_stale(end);
            self.loaded.state.watch = step.watch;
            self.event = step.event;
        }
    }

    /// Who was counted in a bucket.
    pub(crate) fn sources(&self, bucket: Bucket) -> Sources {
        let counted = self.counts.iter().find(|counted| counted.bucket() == bucket);
        counted.and_then(|counted| counted.sources.as_deref().cloned()).unwrap_or_default()
    }

    pub(crate) fn is_due(&self) -> bool {
        let Some((stored, judged)) = self.stored.zip(self.loaded.state.model.last()) else { return false };
        let every = if self.was_active { CHECKPOINT } else { IDLE_CHECKPOINT };
        is_due(&self.name, stored, judged, every)
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint<'_> {
        let Loaded { state, revision, profile } = &self.loaded;
        Checkpoint { series: &self.name, state, found: *revision, profile }
    }

    /// Notes that the state is stored as it is.
    pub(crate) fn note_stored(&mut self) {
        self.event = None;
        self.loaded.revision = Some(self.loaded.revision.map_or(0, |revision| revision + 1));
        self.stored = self.loaded.state.model.last();
        self.was_active = false;
    }
}

impl Counted {
    pub(crate) fn new(bucket: Bucket, activity: &Activity, span: &Span) -> Self {
        let is_new = span.from <= bucket;
        Self { observation: observation(bucket, activity), sources: is_new.then(|| sources(activity)).flatten() }
    }

    /// What others add to a series of their parts. Who stands behind it is told of the one that has most of it.
    pub(crate) fn of_share(bucket: Bucket, share: &Share, sources: Option<&Sources>) -> Self {
        let observation = Observation {
            bucket,
            total: float(share.whole),
            auth_fail: Some(float(share.part)),
            top1: None,
            distinct: Some(float(share.members)),
            limited: None,
        };
        Self { observation, sources: sources.map(|sources| Box::new(sources.clone())) }
    }

    /// Adds to the last of `counts` if it is of the same bucket.
    pub(crate) fn join(self, counts: &mut Counts) {
        let Some(last) = counts.last_mut().filter(|last| last.bucket() == self.bucket()) else {
            counts.push(self);
            return;
        };
        let more = |one: Option<f64>, other: Option<f64>| Some(one.unwrap_or(0.0) + other.unwrap_or(0.0));
        let (known, new) = (&mut last.observation, self.observation);
        known.total += new.total;
        known.auth_fail = more(known.auth_fail, new.auth_fail);
        known.distinct = more(known.distinct, new.distinct);
        let of = |sources: &Option<Box<Sources>>| sources.as_ref().map_or(0, |sources| sources.total);
        if of(&last.sources) < of(&self.sources) {
            last.sources = self.sources;
        }
    }

    pub(crate) fn begins(&self, subject: Subject) -> bool {
        subject.begins_with(&self.observation)
    }

    pub(crate) fn sources(&self) -> Option<&Sources> {
        self.sources.as_deref()
    }

    fn bucket(&self) -> Bucket {
        self.observation.bucket
    }
}

#[expect(clippy::cast_precision_loss, reason = "no counter of five minutes reaches 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

fn observation(bucket: Bucket, activity: &Activity) -> Observation {
    let count = |channel: &str| activity.tally.get(channel).map(|count| float(*count));
    Observation {
        bucket,
        total: count(Channel::Total.as_str()).unwrap_or(0.0),
        auth_fail: count(Channel::AuthFail.as_str()).or(Some(0.0)),
        top1: count(TOP_1),
        distinct: count(DISTINCT),
        limited: count(Channel::Limited.as_str()).or(Some(0.0)),
    }
}

fn sources(activity: &Activity) -> Option<Box<Sources>> {
    let owned = |top: Vec<(&str, u64)>| top.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    let (domains, networks) = (owned(activity.domains.top(MOST_NAMED)), owned(activity.networks.top(MOST_NAMED)));
    let total = activity.tally.get(Channel::Total.as_str()).copied().unwrap_or(0);
    let sources = Sources { domains, networks, total };
    (!sources.domains.is_empty() || !sources.networks.is_empty()).then(|| Box::new(sources))
}

fn observation_of_silence(bucket: Bucket) -> Observation {
    Observation { bucket, total: 0.0, auth_fail: Some(0.0), top1: None, distinct: None, limited: Some(0.0) }
}
