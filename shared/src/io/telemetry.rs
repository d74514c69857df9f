//! Structured logs: one JSON object a line on standard error, which Lambda hands to CloudWatch.

use std::{error::Error, fmt, time::SystemTime};

use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::table::unix_millis;
use crate::{
    metric::{self, FUNCTION},
    ocsf,
};

/// Names what is logged, as `warn` or `info,gatepost_validate=debug`.
pub const FILTER_VARIABLE: &str = "RUST_LOG";

/// The name of the function, where Lambda runs one.
pub const FUNCTION_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Fields of the Lambda runtime's span around an event, and what they are called in a line.
const OF_THE_INVOCATION: [(&str, &str); 2] = [("requestId", "lambda.request_id"), ("xrayTraceId", "trace.id")];

/// Starts logging for this process; a second call changes nothing. What the filter does not say is logged from info on.
/// Events have their metrics with them when Lambda runs the process.
pub fn start(environment: impl Fn(&str) -> Option<String>, clock: fn() -> SystemTime) {
    let everything = Targets::new().with_default(tracing::Level::INFO);
    let filter = environment(FILTER_VARIABLE).and_then(|text| text.parse().ok()).unwrap_or(everything);
    let lines = Lines { function: environment(FUNCTION_VARIABLE), clock };
    let layer = tracing_subscriber::fmt::layer().event_format(lines).fmt_fields(JsonFields::new());
    // A subscriber that is there already stays: a process logs in one way.
    drop(tracing_subscriber::registry().with(filter).with(layer.with_writer(std::io::stderr)).try_init());
}

/// Says that this process is ready for its first event, and what it took: once for each cold start.
pub fn say_started(since: Instant) {
    let init_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(name: metric::STARTED, init_ms, "ready after {init_ms} ms");
}

/// An error with everything that caused it, for the log; never for a client.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Writes an event as one line of JSON.
struct Lines {
    function: Option<String>,
    clock: fn() -> SystemTime,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now = (self.clock)();
        let metadata = event.metadata();
        let mut line = Line::default();
        line.0.insert("timestamp".to_owned(), timestamp(now).into());
        line.0.insert("level".to_owned(), metadata.level().as_str().into());
        line.0.insert("target".to_owned(), metadata.target().into());
        line.add_invocation(context);
        event.record(&mut line);
        let Line(mut fields) = line;
        if let Some(function) = &self.function {
            fields.insert(FUNCTION.to_owned(), function.as_str().into());
            if let Some(metrics) = metric::embedded(metadata.name(), |name| fields.contains_key(name), unix_millis(now))
            {
                fields.insert("_aws".to_owned(), metrics);
            }
        }
        writeln!(writer, "{}", Value::Object(fields))
    }
}

/// The fields of a line.
#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    /// What Lambda calls the invocation, so that its own log, its traces and ours agree.
    fn add_invocation<S, N>(&mut self, context: &FmtContext<'_, S, N>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<N>>() else { continue };
            let Ok(fields) = serde_json::from_str::<Map<String, Value>>(fields) else { continue };
            let known = OF_THE_INVOCATION.iter().filter_map(|(theirs, ours)| Some((*ours, fields.get(*theirs)?)));
            self.0.extend(known.map(|(name, value)| (name.to_owned(), value.clone())));
        }
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    /// An OCSF event stays an object, so that a subscription of the SIEM can choose by its class.
    fn record_str(&mut self, field: &Field, value: &str) {
        let nested = (field.name() == ocsf::FIELD).then(|| serde_json::from_str(value).ok()).flatten();
        self.add(field, nested.unwrap_or_else(|| Value::from(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, with_causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// RFC 3339, to the microsecond.
fn timestamp(now: SystemTime) -> String {
    jiff::Timestamp::try_from(now).map_or_else(|_| String::new(), |now| format!("{now:.6}"))
}
