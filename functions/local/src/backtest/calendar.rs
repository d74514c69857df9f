//! `--calendar`: announced events by series.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use gatepost::anomaly::{Announced, Occasion};
use gatepost::bucket::{Bucket, BucketError};
use serde::Deserialize;

use super::{BacktestError, at};

#[derive(Deserialize)]
struct CalendarEntry {
    start: String,
    end: String,
    #[serde(default)]
    kind: String,
}

/// Announced events by series.
#[derive(Default)]
pub(super) struct Calendar(HashMap<String, Vec<Announced>>);

impl Calendar {
    pub(super) fn read(path: &Path) -> Result<Self, BacktestError> {
        let text = fs::read_to_string(path).map_err(|source| at(path, source))?;
        let entries: HashMap<String, Vec<CalendarEntry>> =
            serde_json::from_str(&text).map_err(|source| BacktestError::Calendar { path: path.to_owned(), source })?;
        let announced = entries.into_iter().map(|(series, entries)| match entries.iter().map(announced).collect() {
            Ok(announced) => Ok((series, announced)),
            Err(source) => Err(BacktestError::CalendarTime { series, source }),
        });
        Ok(Self(announced.collect::<Result<_, _>>()?))
    }

    pub(super) fn of(&self, series: &str) -> &[Announced] {
        self.0.get(series).map_or(&[], Vec::as_slice)
    }
}

fn announced(entry: &CalendarEntry) -> Result<Announced, BucketError> {
    let (first, last) = (Bucket::parse(&entry.start)?, Bucket::parse(&entry.end)?);
    Ok(Announced { first, last, occasion: Occasion::named(&entry.kind) })
}
