//! `cargo run -p gatepost-data`: writes the object that the program carries, and says what is in it.
//!
//! The same file, put under `data/domains.gpd` of a stack's bucket, is taken over by running functions.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("domains.gpd");
    let object = gatepost_data::object()?;
    fs::write(&path, &object)?;
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for listing in gatepost_data::names()?.values() {
        *classes.entry(format!("{:?}", listing.class)).or_default() += 1;
    }
    println!("{}: {} octets, of {}", path.display(), object.len(), gatepost_data::date()?);
    for (class, count) in classes {
        println!("{count:7} {class}");
    }
    Ok(())
}
