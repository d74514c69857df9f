//! `gatepost backtest`: the anomaly detector over CSV history, as it would have judged at the time.

mod calendar;
mod chart;
mod inputs;
mod replay;
mod rows;
mod summary;

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use gatepost::bucket::BucketError;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use serde::Serialize;

use calendar::Calendar;
use chart::Chart;
use inputs::{Input, inputs};
use replay::{Alert, History, Replay};
pub use rows::RowFault;
use rows::{Columns, Lines, Row};
use summary::Summary;

/// Judge traffic history bucket by bucket, without look-ahead and with one setting for all series.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// CSV files, or folders of them, with a header `timestamp,value` or `ts,total[,auth_fail,top1,distinct,limited]`
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Write the alerts, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// Write a CSV of scores for each input, under the same relative path
    #[arg(long, value_name = "DIR")]
    pub scores: Option<PathBuf>,
    /// Draw a chart of each input, as SVG: the series, what was expected of it, and the alerts
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,
    /// The clock that the weekly rhythm follows: a name such as Europe/Berlin, or CET-1CEST,M3.5.0,M10.5.0/3. Times in files stay UTC
    #[arg(long, value_name = "ZONE", value_parser = time_zone, default_value = "UTC")]
    pub time_zone: TimeZone,
    /// TOML file of settings; none of them changes the detector, which has one setting for all series
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Announced events: JSON `{"series": [{"start", "end", "kind"}]}`
    #[arg(long, value_name = "FILE")]
    pub calendar: Option<PathBuf>,
}

/// Why the history could not be judged; names the file and line to look at.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {fault}", path.display())]
    Row { path: PathBuf, line: u64, fault: RowFault },
    #[error("{}", path.display())]
    Calendar { path: PathBuf, source: serde_json::Error },
    #[error("calendar of series {series}")]
    CalendarTime { series: String, source: BucketError },
    #[error("no .csv file in {}", .0.display())]
    NothingToRead(PathBuf),
    #[error("cannot write the summary: {0}")]
    Summary(#[source] io::Error),
}

/// Runs the detector over every input and writes a summary to `out`.
///
/// # Errors
/// The first file that cannot be read, understood or written.
pub fn run(args: &Args, out: &mut impl Write) -> Result<(), BacktestError> {
    let calendar = args.calendar.as_deref().map_or_else(|| Ok(Calendar::default()), Calendar::read)?;
    let mut alerts = args.alerts.as_deref().map(create).transpose()?;
    let mut summary = Summary::default();
    let inputs = inputs(&args.inputs)?;
    let progress = progress(inputs.len());
    for input in inputs {
        let history = replay(args, &input, &calendar)?;
        summary.add(&history);
        if let Some(sink) = &mut alerts {
            history.alerts.iter().try_for_each(|alert| sink.line(&alert_line(&input.series, alert)))?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    alerts.map_or(Ok(()), Sink::finish)?;
    summary.write(out).map_err(BacktestError::Summary)
}

/// A bar on standard error, when somebody looks at it.
fn progress(inputs: usize) -> ProgressBar {
    let bar = "{bar:40} {pos} of {len} series, {eta} left";
    match ProgressStyle::with_template(bar).ok().filter(|_| io::stderr().is_terminal()) {
        Some(style) => ProgressBar::new(inputs as u64).with_style(style),
        None => ProgressBar::hidden(),
    }
}

fn time_zone(text: &str) -> Result<TimeZone, jiff::Error> {
    TimeZone::get(text).or_else(|unknown| TimeZone::posix(text).map_err(|_| unknown))
}

/// Judges one input and writes its scores and its chart.
fn replay(args: &Args, input: &Input, calendar: &Calendar) -> Result<History, BacktestError> {
    let mut lines = Lines::open(&input.path)?;
    let header = lines.next()?.unwrap_or_default();
    let columns = Columns::of(header.trim_start_matches('\u{feff}')).map_err(|fault| lines.fault(fault))?;
    let mut scores = args.scores.as_deref().map(|folder| Sink::below(folder, &input.relative)).transpose()?;
    if let Some(sink) = &mut scores {
        sink.line("timestamp,value,anomaly_score")?;
    }
    let mut chart = args.charts.as_ref().map(|_| Chart::new(columns.measure));
    let mut replay = Replay::new(&input.series, calendar.of(&input.series), &args.time_zone, columns.measure);
    while let Some(line) = lines.next()? {
        let row = Row::parse(&line, &columns).map_err(|fault| lines.fault(fault))?;
        let score = replay.take(&row, chart.as_mut());
        if let Some(sink) = &mut scores {
            sink.line(&format!("{},{},{score:.6}", row.time, row.value))?;
        }
    }
    let history = replay.finish();
    scores.map_or(Ok(()), Sink::finish)?;
    if let (Some(folder), Some(chart)) = (&args.charts, chart) {
        let mut sink = Sink::below(folder, &input.relative.with_extension("svg"))?;
        sink.line(&chart.svg(&input.series, &history.alerts))?;
        sink.finish()?;
    }
    Ok(history)
}

#[derive(Serialize)]
struct AlertLine<'a> {
    series: &'a str,
    start: &'a str,
    end: &'a str,
    severity: &'a str,
    kind: &'a str,
    channel: &'a str,
    expected: f64,
    actual: f64,
}

/// A file being written.
struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Sink {
    fn below(folder: &Path, relative: &Path) -> Result<Self, BacktestError> {
        let path = folder.join(relative);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|source| at(parent, source))?;
        create(&path)
    }

    fn line(&mut self, text: &str) -> Result<(), BacktestError> {
        writeln!(self.file, "{text}").map_err(|source| at(&self.path, source))
    }

    fn finish(mut self) -> Result<(), BacktestError> {
        self.file.flush().map_err(|source| at(&self.path, source))
    }
}

fn alert_line(series: &str, alert: &Alert) -> String {
    let Alert { start, end, incident, .. } = alert;
    let line = AlertLine {
        series,
        start,
        end,
        severity: incident.severity.as_str(),
        kind: incident.kind.as_str(),
        channel: incident.channel.as_str(),
        expected: incident.expected,
        actual: incident.actual,
    };
    serde_json::to_string(&line).expect("strings and finite numbers are JSON")
}

fn create(path: &Path) -> Result<Sink, BacktestError> {
    let file = File::create(path).map_err(|source| at(path, source))?;
    Ok(Sink { path: path.to_owned(), file: BufWriter::new(file) })
}

fn at(path: &Path, source: io::Error) -> BacktestError {
    BacktestError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use gatepost::bucket::Bucket;

    use super::*;

    /// A folder of its own for one test, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("gatepost-backtest-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("in/deep")).expect("a folder");
            Self(folder)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            fs::write(self.0.join(name), text).expect("a file");
            self.0.join(name)
        }

        fn args(&self) -> Args {
            let named = |name: &str| Some(self.0.join(name));
            Args {
                inputs: vec![self.0.join("in")],
                alerts: named("alerts"),
                scores: named("scores"),
                charts: named("charts"),
                time_zone: TimeZone::UTC,
                calendar: None,
                config: None,
            }
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn summary(args: &Args) -> Result<String, BacktestError> {
        let mut out = Vec::new();
        run(args, &mut out)?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    /// Ten requests a bucket for a day, then two buckets of a thousand; the last three hours are missing.
    fn flooded() -> String {
        let first = Bucket::parse("2026-01-19T00:00").expect("a time");
        let rows = (0..290).map(|index| format!("{},{}\n", first.plus(index), if index < 288 { 10 } else { 1000 }));
        "ts,total\n".to_owned() + &rows.collect::<String>()
    }

    #[test]
    fn a_flood_becomes_one_alert_line_and_a_score_per_row() {
        let scratch = Scratch::new("flood");
        scratch.write("in/deep/k1.csv", &flooded());
        let summary = summary(&scratch.args()).expect("readable");
        let lines: Vec<&str> = summary.lines().collect();
        assert_eq!(lines[0], "series 1  rows 290  alerts 1  alerts per series-week 6.952");
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["flood", "1"]);
        let alert: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(scratch.0.join("alerts")).expect("written")).expect("JSON");
        assert_eq!(
            (&alert["series"], &alert["kind"], &alert["channel"]),
            (&"k1".into(), &"flood".into(), &"total".into())
        );
        assert_eq!((&alert["start"], &alert["end"]), (&"2026-01-20T00:00".into(), &"2026-01-20T00:05".into()));
        let scores = fs::read_to_string(scratch.0.join("scores/deep/k1.csv")).expect("written");
        assert_eq!(scores.lines().count(), 291);
        assert!(scores.starts_with("timestamp,value,anomaly_score\n2026-01-19T00:00,10,0.000"), "{scores:.80}");
        let chart = fs::read_to_string(scratch.0.join("charts/deep/k1.svg")).expect("written");
        assert!(chart.contains("<title>flood, critical, 2026-01-20T00:00 to 2026-01-20T00:05</title>"), "{chart}");
    }

    #[test]
    fn the_summary_tells_what_another_sensitivity_would_have_done() {
        let scratch = Scratch::new("sensitivity");
        // A bump at the end of a noisy week that half the sensitivity would have let pass.
        let first = Bucket::parse("2026-01-19T00:00").expect("a time");
        let total = |index: u32| if (1800..1806).contains(&index) { 38 } else { 10 + index * 7 % 11 };
        let rows = (0..1900).map(|index| format!("{},{}\n", first.plus(index), total(index)));
        scratch.write("in/k1.csv", &("ts,total\n".to_owned() + &rows.collect::<String>()));
        let summary = summary(&scratch.args()).expect("readable");
        let alerts = |factor: &str| {
            let line =
                summary.lines().find(|line| line.trim_start().starts_with(&format!("x {factor}"))).expect(factor);
            line.split_whitespace().nth(2).and_then(|count| count.parse::<u32>().ok()).expect("a count")
        };
        assert_eq!((alerts("0.50"), alerts("1.00")), (0, 1), "{summary}");
        assert!(alerts("2.00") >= alerts("1.50") && alerts("1.50") >= 1, "{summary}");
    }

    #[test]
    fn a_time_zone_is_a_name_or_its_rules() {
        let summer = "2026-07-01T12:00:00Z".parse::<jiff::Timestamp>().expect("a time");
        for text in ["Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"] {
            assert_eq!(time_zone(text).expect(text).to_offset(summer).seconds(), 7200, "{text}");
        }
        assert!(time_zone("Nowhere/At all").expect_err("no zone").to_string().contains("Nowhere/At all"));
    }

    #[test]
    fn an_announced_surge_is_not_alerted() {
        let scratch = Scratch::new("calendar");
        scratch.write("in/k1.csv", &flooded());
        let entry = r#"{"k1": [{"start": "2026-01-20T00:00", "end": "2026-01-20T01:00", "kind": "campaign"}]}"#;
        let args = Args { calendar: Some(scratch.write("calendar.json", entry)), ..scratch.args() };
        let summary = summary(&args).expect("readable");
        assert!(summary.starts_with("series 1  rows 290  alerts 0  alerts per series-week 0.000\n"), "{summary}");
    }

    #[test]
    fn a_fault_is_named_with_file_and_line() {
        let scratch = Scratch::new("faults");
        for (text, fault) in [
            ("", "1: the header is neither `timestamp,value` nor `ts,total,..`"),
            ("ts,auth_fail\n", "1: the header is neither `timestamp,value` nor `ts,total,..`"),
            ("ts,total\n\n2026-01-19T00:00,ten\n", "3: column 2 is not a number"),
            ("timestamp,value\nnoon,1\n", "2: not a UTC time such as 2026-01-19T11:05 or an RFC 3339 time: \"noon\""),
        ] {
            let path = scratch.write("in/k1.csv", text);
            let error = summary(&scratch.args()).expect_err("a fault");
            assert_eq!(error.to_string(), format!("{}:{fault}", path.display()));
        }
        scratch.write("in/k1.csv", &"x".repeat(70_000));
        assert!(summary(&scratch.args()).expect_err("a fault").to_string().ends_with("or not UTF-8"));
    }
}
