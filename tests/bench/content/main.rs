//! The whole content pass of one process: parts, links, files. `cargo bench --bench content -- FOLDER [SECONDS]`
//!
//! With `SECONDS`, each message of `FOLDER` is judged again and again for so long: prints its name, octets and how many a second.
//! Without, each is judged once: prints name, severity, code, place and reason of every finding.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{hint::black_box, path::PathBuf, time::Instant};

use gatepost_inspect_attachment::inspect::{Limits, inspect};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let folder = arguments.next().expect("FOLDER");
    let seconds: Option<f64> = arguments.next().map(|text| text.parse().expect("seconds"));
    let entries = std::fs::read_dir(folder).expect("a folder of messages");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    for file in files {
        let message = std::fs::read(&file).expect("a message");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match seconds {
            Some(seconds) => println!("{name} {} {:.1}", message.len(), rate(&message, seconds)),
            None => tell(&name, &message),
        }
    }
}

fn rate(message: &[u8], seconds: f64) -> f64 {
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed().as_secs_f64() < seconds {
        black_box(inspect(black_box(message), Limits::DEFAULT));
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn tell(name: &str, message: &[u8]) {
    for found in inspect(message, Limits::DEFAULT).findings {
        println!("{name}\t{}\t{}\t{}\t{}", found.severity.as_str(), found.code, found.location, found.detail);
    }
}
