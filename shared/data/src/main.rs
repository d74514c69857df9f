//! `cargo run -p gatepost-data`: writes the list that the program carries, and says what is in it.
//!
//! With a path it writes the object for running functions there instead: `aws s3 cp` puts it under `data/domains.gpd` of
//! the stack's bucket.

use std::{collections::BTreeMap, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let (path, octets) = match std::env::args_os().nth(1) {
        Some(path) => (PathBuf::from(path), gatepost_data::object()?),
        None => (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("domains.fst"), gatepost_data::file()?),
    };
    fs::write(&path, &octets)?;
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for listing in gatepost_data::names()?.values() {
        *classes.entry(format!("{:?}", listing.class)).or_default() += 1;
    }
    println!("{}: {} octets, of {}", path.display(), octets.len(), gatepost_data::date()?);
    for (class, count) in classes {
        println!("{count:7} {class}");
    }
    Ok(())
}
