//! The files to judge.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{BacktestError, at};

/// Folders within folders that are walked, so that a loop of links ends.
const DEEPEST_FOLDER: usize = 16;

/// A CSV file to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// Below the folder that was named, or the file name.
    pub(super) relative: PathBuf,
    pub(super) series: String,
}

/// The files named, and those in the folders named, in the order of their names.
pub(super) fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, BacktestError> {
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
