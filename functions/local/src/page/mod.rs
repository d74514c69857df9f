//! `GET /`: the state of the stack on one page, without external assets.
//!
//! - `seen`: verdicts and dispositions, as far as they are remembered
//! - `standing`: what the table and SNS tell: series, incidents, alerts
//! - `limits`: the rows of the running configuration
//! - `render`: all of it as HTML
//! - `security`: what the browser may do with it, and the pages of incidents beside it

mod limits;
mod render;
mod security;
mod seen;
mod standing;

pub use limits::{Limit, limits};
pub use security::{guarded, incident_key, incident_page};
pub use standing::Standing;

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use lambda_http::Body;
use serde_json::Value;

use seen::{Recent, Seen};

/// What was seen lately, and where the stack is.
pub struct Page {
    address: SocketAddr,
    started: SystemTime,
    limits: Vec<Limit>,
    verdicts: Mutex<Recent>,
    messages: Mutex<Recent>,
}

impl Page {
    #[must_use]
    pub fn new(address: SocketAddr, started: SystemTime, limits: Vec<Limit>) -> Self {
        Self { address, started, limits, verdicts: Mutex::default(), messages: Mutex::default() }
    }

    /// Remembers the verdicts in an answer of the API.
    pub fn note_answer(&self, body: &Body, now: SystemTime) {
        let Body::Text(text) = body else { return };
        let Ok(answer) = serde_json::from_str::<Value>(text) else { return };
        let answers = answer.get("results").and_then(Value::as_array);
        let seen = answers.map_or_else(|| vec![&answer], |answers| answers.iter().collect());
        let seen = seen.into_iter().filter_map(|answer| Seen::verdict(answer, now));
        remember(&self.verdicts, seen);
    }

    /// Remembers the disposition in a report.
    pub fn note_report(&self, report: &Value, now: SystemTime) {
        remember(&self.messages, Seen::message(report, now).into_iter());
    }

    /// The page as HTML. Every text in it is escaped: domains, series, files and findings are named by strangers.
    #[must_use]
    pub fn render(&self, standing: &Standing) -> String {
        let locked = |recent: &Mutex<Recent>| recent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        render::page(&render::Content {
            address: self.address,
            started: self.started,
            limits: &self.limits,
            verdicts: &locked(&self.verdicts),
            messages: &locked(&self.messages),
            standing,
        })
    }
}

fn remember(recent: &Mutex<Recent>, seen: impl Iterator<Item = Seen>) {
    let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
    seen.for_each(|seen| recent.remember(seen));
}
