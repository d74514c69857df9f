//! Judges the same addresses again and again, on one thread: `FILE` has `{"address", "valid_for_signup"}` a line.
//!
//! Prints a line for each judge: its name, how many addresses it judged in a second, and how many it took or refused wrongly.
//! `run.sh` compares that with others.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use email_address::{EmailAddress, Options};
use gatepost::{
    address::examine,
    domain_list::DomainList,
    flow::Flow,
    look_alike::LookAlikes,
    mail_hosts::{Hosts, MailHosts},
    overlay::Overlay,
    verdict::{Context, Verdict},
    weights::Weights,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    address: String,
    /// `None` is disputed, and not scored.
    valid_for_signup: Option<bool>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let file = std::fs::read_to_string(arguments.next().expect("FILE")).expect("FILE is text");
    let seconds = arguments.next().map_or(2.0, |text| text.parse().expect("seconds"));
    let rows: Vec<Row> = file.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let measured =
        |name: &str, takes: &dyn Fn(&str) -> bool| measure(name, &rows, Duration::from_secs_f64(seconds), takes);

    measured("gatepost-syntax", &|address| examine(address).form_accepted());
    let strict = Options::default().with_required_tld().without_domain_literal().without_display_text();
    measured("email_address", &|address| EmailAddress::parse_with_options(address, strict).is_ok());

    let (weights, overlay, look_alikes) = (Weights::default(), Overlay::default(), LookAlikes::new(&[]));
    let (list, hosts) = (DomainList::embedded(), Hosts::from(MailHosts::NotChecked));
    let context = Context {
        flow: Flow::Signup,
        client: "bench",
        weights: &weights,
        list: &list,
        overlay: &overlay,
        look_alikes: &look_alikes,
    };
    measured("gatepost-verdict", &|address| {
        let examination = examine(address);
        black_box(Verdict::new(&examination, &hosts, &context));
        // A verdict may reject for the host; what is scored is the form.
        examination.form_accepted()
    });
}

fn measure(name: &str, rows: &[Row], within: Duration, takes: &dyn Fn(&str) -> bool) {
    let (started, mut judged) = (Instant::now(), 0);
    while started.elapsed() < within {
        for row in rows {
            black_box(takes(black_box(&row.address)));
        }
        judged += rows.len();
    }
    let rate = judged as f64 / started.elapsed().as_secs_f64();
    let wrongly = |valid: bool| {
        rows.iter().filter(|row| row.valid_for_signup == Some(valid) && takes(&row.address) != valid).count()
    };
    println!("{name} {rate:.0} {} {}", wrongly(false), wrongly(true));
}
