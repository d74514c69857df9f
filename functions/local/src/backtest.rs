//! `gatepost backtest`: the anomaly detector over CSV history, as it would have judged at the time.

mod rows;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use gatepost::anomaly::{
    AlertEvent, Announced, Explained, Incident, Measure, Model, Observation, Occasion, State, Watch, step,
};
use gatepost::bucket::{BUCKET_SECONDS, Bucket, BucketError};
use serde::{Deserialize, Serialize};

pub use rows::RowFault;
use rows::{Columns, Lines, Row};

/// Folders within folders that are walked, so that a loop of links ends.
const DEEPEST_FOLDER: usize = 16;
/// Rows after which half of a score no longer counts against the scores that follow it.
const NOVELTY_HALF_LIFE: f64 = 50.0;
const BUCKETS_PER_WEEK: f64 = (7 * 24 * 3600 / BUCKET_SECONDS) as f64;

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
    for input in inputs(&args.inputs)? {
        let mut scores = args.scores.as_ref().map(|folder| Sink::scores(folder, &input.relative)).transpose()?;
        let history = replay(&input, calendar.of(&input.series), scores.as_mut())?;
        summary.add(&history);
        if let Some(sink) = &mut alerts {
            history.alerts.iter().try_for_each(|alert| sink.line(&alert_line(&input.series, alert)))?;
        }
        scores.map_or(Ok(()), Sink::finish)?;
    }
    alerts.map_or(Ok(()), Sink::finish)?;
    summary.write(out).map_err(BacktestError::Summary)
}

/// A CSV file to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Input {
    path: PathBuf,
    /// Below the folder that was named, or the file name.
    relative: PathBuf,
    series: String,
}

/// What came out of one input.
#[derive(Debug, Default)]
struct History {
    rows: u64,
    first: Option<Bucket>,
    last: Option<Bucket>,
    alerts: Vec<Alert>,
}

/// An incident with the times of its first and last row.
#[derive(Debug)]
struct Alert {
    start: String,
    end: String,
    incident: Incident,
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

#[derive(Deserialize)]
struct CalendarEntry {
    start: String,
    end: String,
    #[serde(default)]
    kind: String,
}

/// Announced events by series.
#[derive(Default)]
struct Calendar(HashMap<String, Vec<Announced>>);

impl Calendar {
    fn read(path: &Path) -> Result<Self, BacktestError> {
        let text = fs::read_to_string(path).map_err(|source| at(path, source))?;
        let entries: HashMap<String, Vec<CalendarEntry>> =
            serde_json::from_str(&text).map_err(|source| BacktestError::Calendar { path: path.to_owned(), source })?;
        let announced = entries.into_iter().map(|(series, entries)| match entries.iter().map(announced).collect() {
            Ok(announced) => Ok((series, announced)),
            Err(source) => Err(BacktestError::CalendarTime { series, source }),
        });
        Ok(Self(announced.collect::<Result<_, _>>()?))
    }

    fn of(&self, series: &str) -> &[Announced] {
        self.0.get(series).map_or(&[], Vec::as_slice)
    }
}

/// Model, watch and what they have found, while the rows of one file go by.
struct Replay<'a> {
    series: &'a str,
    announced: &'a [Announced],
    measure: Measure,
    model: Model,
    watch: Option<Watch>,
    open: Option<Alert>,
    last_time: String,
    /// The highest score of late, fading.
    familiar: f64,
    history: History,
}

impl<'a> Replay<'a> {
    fn new(series: &'a str, announced: &'a [Announced], measure: Measure) -> Self {
        let (model, history) = (Model::new(measure), History::default());
        Self {
            series,
            announced,
            measure,
            model,
            watch: None,
            open: None,
            last_time: String::new(),
            familiar: 0.0,
            history,
        }
    }

    /// Judges a row and answers its score for the file of scores.
    fn take(&mut self, row: &Row) -> f64 {
        let bucket = row.observation.bucket;
        let observation = Observation { bucket: self.place(bucket), ..row.observation };
        let judgement = self.model.observe_during(&observation, Explained::by(self.announced, bucket));
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

    fn finish(mut self) -> History {
        if let Some(alert) = self.open.take() {
            self.history.alerts.push(Alert { end: self.last_time, ..alert });
        }
        self.history
    }
}

fn replay(input: &Input, announced: &[Announced], mut scores: Option<&mut Sink>) -> Result<History, BacktestError> {
    let mut lines = Lines::open(&input.path)?;
    let header = lines.next()?.unwrap_or_default();
    let columns = Columns::of(header.trim_start_matches('\u{feff}')).map_err(|fault| lines.fault(fault))?;
    let mut replay = Replay::new(&input.series, announced, columns.measure);
    if let Some(sink) = &mut scores {
        sink.line("timestamp,value,anomaly_score")?;
    }
    while let Some(line) = lines.next()? {
        let row = Row::parse(&line, &columns).map_err(|fault| lines.fault(fault))?;
        let score = replay.take(&row);
        if let Some(sink) = &mut scores {
            sink.line(&format!("{},{},{score:.6}", row.time, row.value))?;
        }
    }
    Ok(replay.finish())
}

/// A file being written.
struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Sink {
    fn scores(folder: &Path, relative: &Path) -> Result<Self, BacktestError> {
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

#[derive(Default)]
struct Summary {
    series: u64,
    rows: u64,
    alerts: usize,
    weeks: f64,
}

impl Summary {
    fn add(&mut self, history: &History) {
        self.series += 1;
        self.rows += history.rows;
        self.alerts += history.alerts.len();
        if let (Some(first), Some(last)) = (history.first, history.last) {
            self.weeks += f64::from(last.since(first) + 1) / BUCKETS_PER_WEEK;
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { series, rows, alerts, weeks } = self;
        let rate = if *weeks > 0.0 { f64::from(u32::try_from(*alerts).unwrap_or(u32::MAX)) / weeks } else { 0.0 };
        writeln!(out, "series {series}  rows {rows}  alerts {alerts}  alerts per series-week {rate:.3}")
    }
}

fn alert_line(series: &str, alert: &Alert) -> String {
    let Alert { start, end, incident } = alert;
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

fn announced(entry: &CalendarEntry) -> Result<Announced, BucketError> {
    let (first, last) = (Bucket::parse(&entry.start)?, Bucket::parse(&entry.end)?);
    Ok(Announced { first, last, occasion: Occasion::named(&entry.kind) })
}

/// The files named, and those in the folders named, in the order of their names.
fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, BacktestError> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        if path.is_dir() {
            walk(path, Path::new(""), DEEPEST_FOLDER, &mut found)?;
        } else {
            found.push(input(path.clone(), path.file_name().unwrap_or_default().into()));
        }
        if found.len() == before {
            return Err(BacktestError::NothingToRead(path.clone()));
        }
    }
    Ok(found)
}

fn walk(root: &Path, below: &Path, depth: usize, found: &mut Vec<Input>) -> Result<(), BacktestError> {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut names: Vec<_> =
        entries.map_err(|source| at(&folder, source))?.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    for name in names {
        let relative = below.join(name);
        let path = root.join(&relative);
        if path.is_dir() && depth > 0 {
            walk(root, &relative, depth - 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "csv") {
            found.push(input(path, relative));
        }
    }
    Ok(())
}

fn input(path: PathBuf, relative: PathBuf) -> Input {
    let series = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Input { path, relative, series }
}

/// `2014-02-14 14:30:00` as `2014-02-14T14:30`.
fn minute(time: &str) -> String {
    time.replacen(' ', "T", 1).chars().take(16).collect()
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
        assert_eq!(summary, "series 1  rows 290  alerts 1  alerts per series-week 6.952\n");
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
    }

    #[test]
    fn an_announced_surge_is_not_alerted() {
        let scratch = Scratch::new("calendar");
        scratch.write("in/k1.csv", &flooded());
        let entry = r#"{"k1": [{"start": "2026-01-20T00:00", "end": "2026-01-20T01:00", "kind": "campaign"}]}"#;
        let args = Args { calendar: Some(scratch.write("calendar.json", entry)), ..scratch.args() };
        assert_eq!(summary(&args).expect("readable"), "series 1  rows 290  alerts 0  alerts per series-week 0.000\n");
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
