//! `GET /`: the state of the stack on one page, without external assets.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    sync::{Mutex, PoisonError},
};

use gatepost::alert::{escaped, sparkline};
use lambda_http::Body;
use serde_json::Value;

use crate::aws::sns::Published;

/// Rows of each table.
const ROWS: usize = 50;

/// What was seen last. Domains and verdicts only: an address is never kept.
#[derive(Debug, Default)]
pub struct Page {
    verdicts: Mutex<VecDeque<[String; 3]>>,
    dispositions: Mutex<VecDeque<[String; 3]>>,
}

/// Buckets of a chart: two hours.
const CHART: usize = 24;

/// A series as the page shows it.
#[derive(Debug, Clone)]
pub struct SeriesRow {
    /// Totals of the last two hours, oldest first.
    totals: [f64; CHART],
    /// The kind of its incident; empty without one.
    pub incident: &'static str,
}

impl Default for SeriesRow {
    fn default() -> Self {
        Self { totals: [0.0; CHART], incident: "" }
    }
}

impl SeriesRow {
    /// Notes what was counted `age` buckets ago.
    pub fn note(&mut self, age: u32, total: u64) {
        let from_the_end = usize::try_from(age).unwrap_or(usize::MAX);
        if let Some(of_bucket) = self.totals.iter_mut().rev().nth(from_the_end) {
            #[expect(clippy::cast_precision_loss, reason = "no counter of five minutes reaches 2^52")]
            let total = total as f64;
            *of_bucket = total;
        }
    }
}

impl Page {
    /// Remembers the verdicts in an answer of the API.
    pub fn note_answer(&self, body: &Body) {
        let Body::Text(text) = body else { return };
        let Ok(answer) = serde_json::from_str::<Value>(text) else { return };
        match answer.get("results").and_then(Value::as_array) {
            Some(results) => results.iter().for_each(|result| self.note_verdict(result)),
            None => self.note_verdict(&answer),
        }
    }

    /// Remembers the disposition in a report.
    pub fn note_report(&self, report: &Value) {
        let Some(disposition) = report["disposition"].as_str() else { return };
        let codes = codes(&report["findings"]);
        let domain = report["from_domain"].as_str().unwrap_or("nobody").to_owned();
        remember(&self.dispositions, [domain, disposition.to_owned(), codes]);
    }

    /// The page as HTML. Every text in it is escaped: domains and series names come from strangers.
    #[must_use]
    pub fn render(&self, series: &BTreeMap<String, SeriesRow>, alerts: &[Published]) -> String {
        let verdicts = table(["domain", "verdict", "reasons"], rows(&self.verdicts));
        let dispositions = table(["author domain", "disposition", "findings"], rows(&self.dispositions));
        let charts = series.iter().take(ROWS);
        let charts = charts.map(|(name, row)| [name.clone(), sparkline(&row.totals), row.incident.to_owned()]);
        let charts = table(["series", "last two hours", "incident"], charts.collect());
        let alerts = alerts.iter().rev().take(ROWS).map(|alert| {
            let attribute =
                |name| alert.message_attributes.get(name).map_or("", |value| &value.string_value).to_owned();
            [alert.subject.clone().unwrap_or_default(), attribute("state"), attribute("severity")]
        });
        let alerts = table(["alert", "state", "severity"], alerts.collect());
        format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <title>gatepost</title><style>{STYLE}</style><h1>gatepost</h1>\
             <h2>Verdicts</h2>{verdicts}<h2>Dispositions</h2>{dispositions}<h2>Series</h2>{charts}<h2>Alerts</h2>{alerts}"
        )
    }

    fn note_verdict(&self, answer: &Value) {
        let Some(verdict) = answer["verdict"].as_str() else { return };
        let domain = answer["normalized"].as_str().and_then(|address| address.rsplit_once('@'));
        let domain = domain.map_or("no domain", |(_, domain)| domain).to_owned();
        remember(&self.verdicts, [domain, verdict.to_owned(), codes(&answer["reasons"])]);
    }
}

const STYLE: &str = "body{font:16px/1.4 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color-scheme:light dark}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem .2rem 0;\
    border-bottom:1px solid #8884;overflow-wrap:anywhere}";

fn codes(list: &Value) -> String {
    let codes = list.as_array().into_iter().flatten().filter_map(|item| item["code"].as_str());
    codes.collect::<Vec<_>>().join(", ")
}

fn remember(list: &Mutex<VecDeque<[String; 3]>>, row: [String; 3]) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.push_front(row);
    list.truncate(ROWS);
}

fn rows(list: &Mutex<VecDeque<[String; 3]>>) -> Vec<[String; 3]> {
    list.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

fn table(head: [&str; 3], rows: Vec<[String; 3]>) -> String {
    if rows.is_empty() {
        return "<p>Nothing yet.".to_owned();
    }
    let mut html = format!("<table><tr><th>{}", head.join("<th>"));
    for row in rows {
        let _ = write!(html, "<tr><td>{}", row.map(|cell| escaped(&cell)).join("<td>"));
    }
    html + "</table>"
}
