//! `--counters`: traffic history that a fresh stack begins with.

use std::path::{Path, PathBuf};

use gatepost::{
    activity::{Tally, series},
    bucket::{Bucket, BucketError},
    flow::Flow,
};

/// History of one series, oldest first.
#[derive(Debug, Clone)]
pub struct History {
    pub series: String,
    pub buckets: Vec<(Bucket, Tally)>,
}

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("{}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: the first line has to be a header that begins with `ts`", path.display())]
    Header { path: PathBuf },
    #[error("{}:{line}", path.display())]
    Time { path: PathBuf, line: usize, source: BucketError },
    #[error("{}:{line}: {cell:?} is no count", path.display())]
    Count { path: PathBuf, line: usize, cell: String },
}

impl History {
    /// Reads `ts,total,..` rows. The file's stem names the series; a flow alone means the flow of `client`.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn read(path: &Path, client: &str) -> Result<Self, HistoryError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| HistoryError::File { path: path.to_owned(), source })?;
        let mut lines = text.lines().enumerate();
        let header = lines.next().map(|(_, line)| line).unwrap_or_default();
        let Some(channels) = header.strip_prefix("ts,") else {
            return Err(HistoryError::Header { path: path.to_owned() });
        };
        let channels: Vec<&str> = channels.split(',').map(str::trim).collect();
        let rows = lines.filter(|(_, line)| !line.trim().is_empty());
        let buckets = rows.map(|(index, line)| row(path, index + 1, line, &channels)).collect::<Result<_, _>>()?;
        Ok(Self { series: series_of(path, client), buckets })
    }
}

fn row(path: &Path, line: usize, text: &str, channels: &[&str]) -> Result<(Bucket, Tally), HistoryError> {
    let mut cells = text.split(',').map(str::trim);
    let time = Bucket::parse(cells.next().unwrap_or_default());
    let bucket = time.map_err(|source| HistoryError::Time { path: path.to_owned(), line, source })?;
    let counted = channels.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    let tally = counted.map(|(channel, cell)| match cell.parse::<f64>() {
        Ok(count) if (0.0..1e12).contains(&count) => Ok(((*channel).to_owned(), whole(count))),
        Ok(_) | Err(_) => Err(HistoryError::Count { path: path.to_owned(), line, cell: cell.to_owned() }),
    });
    Ok((bucket, tally.collect::<Result<_, _>>()?))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within 0 and 1e12")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

fn series_of(path: &Path, client: &str) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if Flow::parse(&stem).is_some() { series(&stem, client) } else { stem }
}
