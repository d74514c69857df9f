//! What is told of a run: for people as a table, for machines as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use gatepost::rate_limit::WINDOW;
use serde::Serialize;

use super::{
    latencies::Latencies,
    scenario::{Kind, Phase, Scenario},
    tally::{Answers, Granted, Tally},
};

/// Operations of DynamoDB that write.
const WRITES: [&str; 5] = ["UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"];

/// A run in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Requests a second while it was steady.
    pub rate: u32,
    pub seconds: u32,
    /// How long it took: more than `seconds` when answers were late.
    pub took_seconds: f64,
    pub requests: u64,
    /// Answers that such a request should not get, or none.
    pub unexpected: u64,
    pub phases: Vec<Row>,
    pub dynamodb: DynamoDbCalls,
    pub limits: Limits,
}

/// Requests of one kind in one phase.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub phase: Phase,
    pub kind: Kind,
    pub requests: u64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
    pub statuses: BTreeMap<u16, u64>,
    /// Without an answer.
    pub failed: u64,
}

/// What the stack asked of its table meanwhile, everything included.
#[derive(Debug, Clone, Serialize)]
pub struct DynamoDbCalls {
    /// Requests that the limits decided about.
    pub decisions: u64,
    pub writes: u64,
    pub writes_per_decision: f64,
    pub by_operation: BTreeMap<String, u64>,
}

/// Permits against what `RateLimit-Policy` promises.
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    pub callers: usize,
    /// Permits beyond the bound in the fullest window of each caller, all callers together.
    pub over_admitted: u64,
    pub hot_key: HotKey,
}

/// The caller who wants ten times what it may.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HotKey {
    pub admitted: u64,
    /// In the fullest minute.
    pub most_in_60_s: u64,
    /// `None` when no answer named one.
    pub bound: Option<u64>,
}

impl Report {
    /// `calls` is what was counted between start and end.
    #[must_use]
    pub fn new(scenario: Scenario, took: Duration, tally: &Tally, calls: BTreeMap<String, u64>) -> Self {
        let rows = tally.answers.iter().map(|((phase, kind), answers)| Row::new(*phase, *kind, answers));
        Self {
            rate: scenario.rate,
            seconds: scenario.seconds,
            took_seconds: took.as_secs_f64(),
            requests: tally.requests(),
            unexpected: tally.unexpected,
            phases: rows.collect(),
            dynamodb: DynamoDbCalls::new(tally.decisions, calls),
            limits: Limits::new(&tally.callers),
        }
    }
}

impl Row {
    fn new(phase: Phase, kind: Kind, answers: &Answers) -> Self {
        let latencies = &answers.latencies;
        let ms = |per_mille| milliseconds(latencies, per_mille);
        Self {
            phase,
            kind,
            requests: latencies.count(),
            p50_ms: ms(500),
            p90_ms: ms(900),
            p99_ms: ms(990),
            p999_ms: ms(999),
            max_ms: ms(1_000),
            statuses: answers.statuses.clone(),
            failed: answers.failed,
        }
    }
}

impl DynamoDbCalls {
    fn new(decisions: u64, by_operation: BTreeMap<String, u64>) -> Self {
        let writes = WRITES.iter().filter_map(|operation| by_operation.get(*operation)).sum();
        Self { decisions, writes, writes_per_decision: writes as f64 / decisions.max(1) as f64, by_operation }
    }
}

impl Limits {
    fn new(callers: &[Granted]) -> Self {
        let over = |granted: &Granted| {
            let bound = granted.bound?;
            Some(granted.admissions.most_within(WINDOW).saturating_sub(bound))
        };
        let hot_key = callers.last().map_or_else(HotKey::default, |granted| HotKey {
            admitted: granted.admissions.total(),
            most_in_60_s: granted.admissions.most_within(WINDOW),
            bound: granted.bound,
        });
        Self { callers: callers.len(), over_admitted: callers.iter().filter_map(over).sum(), hot_key }
    }
}

fn milliseconds(latencies: &Latencies, per_mille: u64) -> f64 {
    (latencies.quantile(per_mille).as_micros() as f64) / 1_000.0
}

/// A table in Markdown, so that it can stand in a document as it is.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| phase | kind | requests | p50 ms | p90 | p99 | p99.9 | max | answers |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        self.phases.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        let Self { requests, took_seconds, unexpected, dynamodb, limits, .. } = self;
        writeln!(
            f,
            "\n{requests} requests in {took_seconds:.1} s, {unexpected} with an answer that they should not get"
        )?;
        let DynamoDbCalls { decisions, writes, writes_per_decision, by_operation } = dynamodb;
        let calls: Vec<String> = by_operation.iter().map(|(operation, count)| format!("{operation} {count}")).collect();
        writeln!(
            f,
            "DynamoDB: {writes} writes for {decisions} decisions, {writes_per_decision:.3} each ({})",
            calls.join(", ")
        )?;
        let Limits { callers, over_admitted, hot_key } = limits;
        writeln!(f, "limits: {over_admitted} permits of {callers} callers beyond the published bound; {hot_key}")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, kind, requests, p50_ms, p90_ms, p99_ms, p999_ms, max_ms, statuses, failed } = self;
        let (phase, kind) = (phase.as_str(), kind.as_str());
        write!(
            f,
            "| {phase} | {kind} | {requests} | {p50_ms:.1} | {p90_ms:.1} | {p99_ms:.1} | {p999_ms:.1} | {max_ms:.1} | "
        )?;
        let counted = statuses.iter().map(|(status, count)| format!("{status}: {count}"));
        let without = (0 < *failed).then(|| format!("none: {failed}"));
        write!(f, "{} |", counted.chain(without).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for HotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { admitted, most_in_60_s, bound } = self;
        let bound = bound.map_or("no bound".to_owned(), |bound| bound.to_string());
        write!(f, "the hot key got {admitted}, at most {most_in_60_s} in 60 s of {bound}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{scenario::Due, tally::Answered};

    fn tally(permitted: u64, bound: u64) -> Tally {
        let mut tally = Tally::new(1);
        for n in 0..permitted {
            let due = Due { at: Duration::from_millis(n), phase: Phase::Attack, kind: Kind::HotKey, chance: n };
            let (asked, answered) = (due.at, due.at + Duration::from_millis(n));
            let latency = answered - asked;
            tally.note(&Answered { due, caller: 0, asked, answered, latency, status: Some(200), bound: Some(bound) });
        }
        tally
    }

    fn report(permitted: u64, bound: u64) -> Report {
        let calls =
            BTreeMap::from([("UpdateItem".to_owned(), 20), ("PutItem".to_owned(), 5), ("GetItem".to_owned(), 9)]);
        Report::new(Scenario { rate: 1, seconds: 10 }, Duration::from_secs(10), &tally(permitted, bound), calls)
    }

    #[test]
    fn only_what_exceeds_the_published_bound_is_over_admitted() {
        assert_eq!(report(100, 100).limits.over_admitted, 0);
        assert_eq!(report(103, 100).limits.over_admitted, 3);
    }

    #[test]
    fn writes_are_counted_and_reads_are_not() {
        let dynamodb = report(100, 100).dynamodb;
        assert_eq!((dynamodb.writes, dynamodb.decisions), (25, 100));
        assert!((dynamodb.writes_per_decision - 0.25).abs() < 1e-9, "{dynamodb:?}");
    }

    #[test]
    fn a_row_tells_percentiles_and_answers() {
        let text = report(100, 100).to_string();
        assert!(
            text.contains("\n| attack | hot_key | 100 | 49.2 | 89.1 | 98.3 | 99.0 | 99.0 | 200: 100 |\n"),
            "{text}"
        );
        assert!(text.contains("the hot key got 100, at most 100 in 60 s of 100"), "{text}");
    }
}
