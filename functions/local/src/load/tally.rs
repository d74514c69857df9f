//! What was answered, in memory that does not grow with the number of requests.

use std::{collections::BTreeMap, time::Duration};

use super::{
    admissions::Admissions,
    latencies::Latencies,
    scenario::{Due, Kind, Phase},
    traffic::permits,
};

/// What became of one request.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub due: Due,
    pub caller: usize,
    /// When it was sent and when its answer was whole, since the start.
    pub asked: Duration,
    pub answered: Duration,
    /// Since it should have been sent.
    pub latency: Duration,
    /// `None` when there was no whole answer in time.
    pub status: Option<u16>,
    /// Permits a window, as the answer promises.
    pub bound: Option<u64>,
}

/// Requests of one kind in one phase.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    pub latencies: Latencies,
    pub statuses: BTreeMap<u16, u64>,
    /// Without an answer.
    pub failed: u64,
}

/// What one caller was granted and promised.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    pub admissions: Admissions,
    /// The highest bound that an answer named.
    pub bound: Option<u64>,
}

/// All of a run.
#[derive(Debug, Clone)]
pub struct Tally {
    pub answers: BTreeMap<(Phase, Kind), Answers>,
    pub callers: Vec<Granted>,
    /// Answers that such a request should not get, failures among them.
    pub unexpected: u64,
    /// Requests that the limits decided about.
    pub decisions: u64,
}

impl Tally {
    #[must_use]
    pub fn new(callers: usize) -> Self {
        Self { answers: BTreeMap::new(), callers: vec![Granted::default(); callers], unexpected: 0, decisions: 0 }
    }

    pub fn note(&mut self, answered: &Answered) {
        let Answered { due: Due { phase, kind, .. }, status, .. } = *answered;
        let answers = self.answers.entry((phase, kind)).or_default();
        answers.latencies.note(answered.latency);
        match status {
            Some(status) => *answers.statuses.entry(status).or_default() += 1,
            None => answers.failed += 1,
        }
        self.unexpected += u64::from(!status.is_some_and(|status| kind.expects(status)));
        self.decisions += u64::from(0 < permits(kind) && matches!(status, Some(200 | 429)));
        if let Some(granted) = self.callers.get_mut(answered.caller) {
            granted.note(answered);
        }
    }

    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answers.values().map(|answers| answers.latencies.count()).sum()
    }
}

impl Granted {
    fn note(&mut self, answered: &Answered) {
        if answered.status == Some(200) {
            self.admissions.note(answered.asked, answered.answered, permits(answered.due.kind));
        }
        self.bound = self.bound.max(answered.bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(kind: Kind, status: Option<u16>) -> Answered {
        let due = Due { at: Duration::ZERO, phase: Phase::Attack, kind, chance: 0 };
        let (asked, answered) = (Duration::from_millis(5), Duration::from_millis(9));
        Answered { due, caller: 1, asked, answered, latency: answered, status, bound: Some(340) }
    }

    #[test]
    fn an_answer_counts_once_where_it_belongs() {
        let mut tally = Tally::new(2);
        for (kind, status) in [
            (Kind::Validate, Some(200)),
            (Kind::Validate, Some(503)),
            (Kind::Validate, None),
            (Kind::Batch, Some(200)),
            (Kind::HotKey, Some(429)),
            (Kind::GuessedKey, Some(401)),
            (Kind::GuessedKey, Some(200)),
            (Kind::HeaderFlood, Some(431)),
        ] {
            tally.note(&answered(kind, status));
        }
        assert_eq!((tally.requests(), tally.decisions, tally.unexpected), (8, 3, 3));
        let validate = &tally.answers[&(Phase::Attack, Kind::Validate)];
        assert_eq!((validate.failed, &validate.statuses), (1, &BTreeMap::from([(200, 1), (503, 1)])));
        assert_eq!((tally.callers[1].admissions.total(), tally.callers[1].bound), (11, Some(340)));
        assert_eq!((tally.callers[0].admissions.total(), tally.callers[0].bound), (0, None));
    }
}
