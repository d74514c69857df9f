//! The rows of one file, one after the other, through model and incidents.

use gatepost::anomaly::{
    AlertEvent, Announced, Explained, Incident, Judgement, Measure, Model, Observation, State, Watch, step,
};
use gatepost::bucket::Bucket;
use gatepost::local_time::minutes_ahead;
use jiff::tz::TimeZone;

use super::chart::Chart;
use super::rows::Row;

/// Rows after which half of a score no longer counts against the scores that follow it.
const NOVELTY_HALF_LIFE: f64 = 50.0;
/// Other sensitivities that the summary tells of: the factor on how far a bucket is beyond the usual extremes.
pub(super) const SENSITIVITIES: [f64; 4] = [0.5, 0.75, 1.5, 2.0];

/// What came out of one input.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) rows: u64,
    pub(super) first: Option<Bucket>,
    pub(super) last: Option<Bucket>,
    pub(super) alerts: Vec<Alert>,
    /// Alerts there would have been at each of the other sensitivities.
    pub(super) otherwise: [u64; 4],
}

/// An incident with the times of its first and last row.
#[derive(Debug)]
pub(super) struct Alert {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) incident: Incident,
}

/// Model, watch and what they have found, while the rows of one file go by.
pub(super) struct Replay<'a> {
    series: &'a str,
    announced: &'a [Announced],
    time_zone: &'a TimeZone,
    measure: Measure,
    model: Model,
    watch: Option<Watch>,
    open: Option<Alert>,
    last_time: String,
    /// The same judgements at other sensitivities.
    others: [Option<Watch>; 4],
    /// The highest score of late, fading.
    familiar: f64,
    history: History,
}

impl<'a> Replay<'a> {
    pub(super) fn new(series: &'a str, announced: &'a [Announced], time_zone: &'a TimeZone, measure: Measure) -> Self {
        let (model, history) = (Model::new(measure), History::default());
        Self {
            series,
            announced,
            time_zone,
            measure,
            model,
            watch: None,
            open: None,
            last_time: String::new(),
            others: [const { None }; 4],
            familiar: 0.0,
            history,
        }
    }

    /// Judges a row, draws it, and answers its score for the file of scores.
    pub(super) fn take(&mut self, row: &Row, chart: Option<&mut Chart>) -> f64 {
        let bucket = row.observation.bucket;
        let observation = Observation { bucket: self.place(bucket), ..row.observation };
        self.model.set_clock(minutes_ahead(self.time_zone, bucket));
        if let Some(chart) = chart {
            chart.add(bucket, observation.total, self.model.band(observation.bucket));
        }
        let judgement = self.model.observe_during(&observation, Explained::by(self.announced, bucket));
        self.ask_otherwise(&judgement, observation.bucket);
        let step = step(self.watch.as_ref(), self.series, &judgement, observation.bucket);
        self.watch = step.watch;
        let time = minute(row.time);
        if let Some(event) = step.event {
            self.note(event, &time, observation.bucket);
        }
        self.last_time = time;
        self.history.rows += 1;
        self.history.first.get_or_insert(bucket);
        self.history.last = self.history.last.max(Some(bucket));
        self.novelty(judgement.score())
    }

    /// Counts what would have been opened at other sensitivities. The model learns as it did.
    fn ask_otherwise(&mut self, judgement: &Judgement, bucket: Bucket) {
        let others = self.others.iter_mut().zip(SENSITIVITIES).zip(&mut self.history.otherwise);
        for ((watch, factor), opened) in others {
            let step = step(watch.as_ref(), self.series, &judgement.at_sensitivity(factor), bucket);
            *opened += u64::from(step.event.is_some_and(|event| event.state == State::Opened));
            *watch = step.watch;
        }
    }

    /// The score lowered by those shortly before, so that an anomaly stands out where it begins and not once per row.
    fn novelty(&mut self, score: f64) -> f64 {
        let novelty = score * (1.0 - self.familiar);
        self.familiar = score.max(self.familiar * 0.5_f64.powf(1.0 / NOVELTY_HALF_LIFE));
        novelty
    }

    /// Gauges come at any interval, so each row is the next bucket; counters are judged by the clock.
    fn place(&self, bucket: Bucket) -> Bucket {
        match (self.measure, self.model.last()) {
            (Measure::Gauge, Some(last)) => last.next(),
            _ => bucket,
        }
    }

    fn note(&mut self, event: AlertEvent, time: &str, bucket: Bucket) {
        let AlertEvent { state, incident, .. } = event;
        match (state, self.open.take()) {
            (State::Closed, Some(alert)) => {
                // A gap closes an incident at the last row before it.
                let end = if event.bucket == bucket { time } else { &self.last_time };
                self.history.alerts.push(Alert { end: end.to_owned(), incident, ..alert });
            }
            (_, Some(alert)) => self.open = Some(Alert { incident, ..alert }),
            (_, None) => self.open = Some(Alert { start: time.to_owned(), end: String::new(), incident }),
        }
    }

    pub(super) fn finish(mut self) -> History {
        if let Some(alert) = self.open.take() {
            self.history.alerts.push(Alert { end: self.last_time, ..alert });
        }
        self.history
    }
}

/// `2014-02-14 14:30:00` as `2014-02-14T14:30`.
fn minute(time: &str) -> String {
    time.replacen(' ', "T", 1).chars().take(16).collect()
}
