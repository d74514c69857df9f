//! Metrics in the logs: which fields of which event CloudWatch reads as metrics (its embedded metric format).
//!
//! A metric costs no request: it is a field of an event that is logged anyway, and `_aws` beside it says so. How often
//! something happened is the sample count of its metric.

use serde_json::{Value, json};

/// Namespace of all metrics.
pub const NAMESPACE: &str = "gatepost";

/// The dimension that every metric has: the function's name, and with it the stack's.
pub const FUNCTION: &str = "function";

/// Events that have metrics.
pub const STARTED: &str = "started";
pub const ADDRESS_JUDGED: &str = "address_judged";
pub const BATCH_JUDGED: &str = "batch_judged";
pub const POSTURE_JUDGED: &str = "posture_judged";
pub const REQUEST_REFUSED: &str = "request_refused";
pub const LIMITS_DEGRADED: &str = "limits_degraded";
pub const COUNTS_UNWRITTEN: &str = "counts_unwritten";
pub const MESSAGE_JUDGED: &str = "message_judged";
pub const INSPECTION_FAILED: &str = "inspection_failed";
pub const SCAN_BEGUN: &str = "scan_begun";
pub const SCANNED: &str = "scanned";

/// What CloudWatch reads of an event.
#[derive(Debug)]
pub struct EventMetrics {
    /// Name of the event.
    pub event: &'static str,
    /// Fields that are metrics, each with its unit in CloudWatch's words.
    pub metrics: &'static [(&'static str, &'static str)],
    /// Field by whose value the metrics are told apart as well. Its values are few and none of a client's choosing.
    pub by: Option<&'static str>,
}

/// All of them.
pub const EVENTS: &[EventMetrics] = &[
    EventMetrics { event: STARTED, metrics: &[("init_ms", MILLISECONDS)], by: None },
    EventMetrics {
        event: ADDRESS_JUDGED,
        metrics: &[("took_ms", MILLISECONDS), ("dns_ms", MILLISECONDS)],
        by: Some("verdict"),
    },
    EventMetrics { event: BATCH_JUDGED, metrics: &[("addresses", COUNT)], by: None },
    EventMetrics { event: POSTURE_JUDGED, metrics: &[("posture_ms", MILLISECONDS)], by: None },
    EventMetrics { event: REQUEST_REFUSED, metrics: &[("refused_ms", MILLISECONDS)], by: Some("http.status") },
    EventMetrics { event: LIMITS_DEGRADED, metrics: &[("limits.degraded", COUNT)], by: None },
    EventMetrics { event: COUNTS_UNWRITTEN, metrics: &[("counts.unwritten", COUNT)], by: None },
    EventMetrics {
        event: MESSAGE_JUDGED,
        metrics: &[("took_ms", MILLISECONDS), ("dns_ms", MILLISECONDS), ("dns.queries", COUNT)],
        by: Some("disposition"),
    },
    EventMetrics { event: INSPECTION_FAILED, metrics: &[("inspector.failures", COUNT)], by: None },
    EventMetrics { event: SCAN_BEGUN, metrics: &[("scan.lag_buckets", COUNT)], by: None },
    EventMetrics {
        event: SCANNED,
        metrics: &[
            ("series", COUNT),
            ("scan_ms", MILLISECONDS),
            ("alerts.opened", COUNT),
            ("alerts.pending", COUNT),
            ("messages.swept", COUNT),
        ],
        by: None,
    },
];

const COUNT: &str = "Count";
const MILLISECONDS: &str = "Milliseconds";

/// The `_aws` of an event that was logged `time_ms` milliseconds after the epoch; `None` for one without metrics.
#[must_use]
pub fn embedded(event: &str, has_field: impl Fn(&str) -> bool, time_ms: u64) -> Option<Value> {
    let of_event = EVENTS.iter().find(|candidate| candidate.event == event)?;
    let present = of_event.metrics.iter().filter(|(name, _)| has_field(name));
    let metrics: Vec<Value> = present.map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
    let by = of_event.by.filter(|by| has_field(by));
    let dimensions: Vec<Vec<&str>> = std::iter::once(vec![FUNCTION]).chain(by.map(|by| vec![FUNCTION, by])).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics});
    (!metrics.is_empty()).then(|| json!({"Timestamp": time_ms, "CloudWatchMetrics": [directive]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_metrics_that_the_event_has_by_function_and_by_outcome() {
        let embedded = embedded(ADDRESS_JUDGED, |name| name != "dns_ms", 5).expect("metrics");
        assert_eq!(embedded["Timestamp"], 5);
        let directive = &embedded["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"], json!([{"Name": "took_ms", "Unit": "Milliseconds"}]));
        assert_eq!(directive["Dimensions"], json!([["function"], ["function", "verdict"]]));
    }

    #[test]
    fn says_nothing_of_an_event_without_metrics() {
        assert_eq!(embedded("released", |_| true, 5), None);
        assert_eq!(embedded(SCANNED, |_| false, 5), None);
    }

    #[test]
    fn an_event_has_metrics_once_and_a_metric_one_unit() {
        let mut units = std::collections::BTreeMap::new();
        for (name, unit) in EVENTS.iter().flat_map(|event| event.metrics) {
            assert_eq!(units.insert(name, unit).unwrap_or(unit), unit, "{name}");
        }
        let names: std::collections::BTreeSet<_> = EVENTS.iter().map(|event| event.event).collect();
        assert_eq!(names.len(), EVENTS.len());
    }
}
