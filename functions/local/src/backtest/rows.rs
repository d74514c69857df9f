//! Counter files: a header that names the columns, then a line per bucket.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use gatepost::anomaly::{Measure, Observation};
use gatepost::bucket::{Bucket, BucketError};

use super::{BacktestError, at};

/// Bytes in a line; a longer one is not a counter file.
const LONGEST_LINE: u64 = 64 * 1024;

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    #[error("the header is neither `timestamp,value` nor `ts,total,..`")]
    Header,
    #[error("{0}")]
    Time(#[from] BucketError),
    #[error("column {0} is not a number")]
    Number(String),
    #[error("longer than {LONGEST_LINE} bytes, or not UTF-8")]
    Unreadable,
}

/// The columns of a file: what it measures and where each channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) measure: Measure,
    total: usize,
    auth_fail: Option<usize>,
    top1: Option<usize>,
    distinct: Option<usize>,
    limited: Option<usize>,
}

impl Columns {
    pub(super) fn of(header: &str) -> Result<Self, RowFault> {
        let names: Vec<&str> = cells(header).collect();
        let place = |name: &str| names.iter().skip(1).position(|known| *known == name).map(|index| index + 1);
        let (measure, total) = match (names.first(), place("value"), place("total")) {
            (Some(&("timestamp" | "ts")), _, Some(total)) => (Measure::Count, total),
            (Some(&("timestamp" | "ts")), Some(value), None) => (Measure::Gauge, value),
            _ => return Err(RowFault::Header),
        };
        let (auth_fail, top1) = (place("auth_fail"), place("top1"));
        Ok(Self { measure, total, auth_fail, top1, distinct: place("distinct"), limited: place("limited") })
    }
}

/// A line of a counter file.
pub(super) struct Row<'a> {
    pub(super) time: &'a str,
    pub(super) value: &'a str,
    pub(super) observation: Observation,
}

impl<'a> Row<'a> {
    pub(super) fn parse(line: &'a str, columns: &Columns) -> Result<Self, RowFault> {
        let cells: Vec<&str> = cells(line).collect();
        let time = cells.first().copied().unwrap_or_default();
        let bucket = Bucket::parse(time)?;
        let number = |index: usize| number(&cells, index);
        let channel = |index: Option<usize>| index.map_or(Ok(None), number);
        let observation = Observation {
            bucket,
            // Not a number is not counted: the model takes such a row for a gap.
            total: number(columns.total)?.unwrap_or(f64::NAN),
            auth_fail: channel(columns.auth_fail)?,
            top1: channel(columns.top1)?,
            distinct: channel(columns.distinct)?,
            limited: channel(columns.limited)?,
        };
        Ok(Self { time, value: cells.get(columns.total).copied().unwrap_or_default(), observation })
    }
}

/// Lines of a file that are not blank, with their numbers.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, BacktestError> {
        let file = File::open(path).map_err(|source| at(path, source))?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), line: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<String>, BacktestError> {
        loop {
            let mut bytes = Vec::new();
            let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes);
            let length = read.map_err(|source| at(&self.path, source))? as u64;
            self.line += 1;
            match String::from_utf8(bytes) {
                _ if length == 0 => return Ok(None),
                Ok(line) if length < LONGEST_LINE && line.trim().is_empty() => {}
                Ok(line) if length < LONGEST_LINE => return Ok(Some(line.trim().to_owned())),
                _ => return Err(self.fault(RowFault::Unreadable)),
            }
        }
    }

    pub(super) fn fault(&self, fault: RowFault) -> BacktestError {
        BacktestError::Row { path: self.path.clone(), line: self.line, fault }
    }
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|cell| cell.trim().trim_matches('"'))
}

/// An empty or missing cell is not counted.
fn number(cells: &[&str], index: usize) -> Result<Option<f64>, RowFault> {
    match cells.get(index).copied().unwrap_or_default() {
        "" => Ok(None),
        cell => cell.parse().map(Some).map_err(|_| RowFault::Number((index + 1).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_without_a_number_is_a_gap() {
        let columns = Columns::of("ts,total,top1").expect("a header");
        let row = Row::parse("2026-01-19T00:00,7,", &columns).expect("a row");
        assert_eq!((row.observation.top1, row.observation.auth_fail), (None, None));
        assert!(Row::parse("2026-01-19T00:00", &columns).expect("a row").observation.total.is_nan());
    }
}
