//! What is found when the storm is over and everything had its time: in the table, in the bucket, at the topic, in the logs.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use gatepost::{
    alert_group::AlertGroup,
    io::table::{Item, PK, read_text},
};
use gatepost_local::aws::s3::BUCKET;
use serde_json::Value;

use super::{
    memory::Memory,
    site::{Site, told},
};
use crate::{objects, table};

/// Objects that are fetched at the same time.
const AT_ONCE: usize = 16;

/// Lines that are shown of what is wrong in a log.
const MOST_LINES: usize = 5;

#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The ledger, by message.
    pub(crate) entries: BTreeMap<String, Vec<Entry>>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    /// By `<series>|<channel>`.
    pub(crate) counted: BTreeMap<String, u64>,
    /// What alerts said, every delivery of them.
    pub(crate) alerts: Vec<Value>,
    pub(crate) incidents: Vec<AlertGroup>,
    /// Alerts that nobody was told of.
    pub(crate) pending: usize,
    pub(crate) panics: Vec<String>,
    pub(crate) memory: Vec<Memory>,
}

/// One judgement.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) recipients: String,
    pub(crate) disposition: Option<String>,
    pub(crate) is_placed: bool,
}

impl Entry {
    pub(crate) fn is_settled(&self) -> bool {
        self.is_placed && self.disposition.as_ref().is_some_and(|disposition| disposition != "defer")
    }
}

pub(crate) async fn collect(site: &Site, memory: Vec<Memory>) -> Found {
    let alerts = site.stack.alerts().await;
    Found {
        entries: entries(site).await,
        objects: fetch(site).await,
        counted: table::counted(&site.stack.dynamodb).await,
        alerts: alerts.iter().map(told).collect(),
        incidents: table::items(&site.stack.dynamodb, "incident").await.iter().map(incident).collect(),
        pending: pending(site).await,
        panics: panics(site),
        memory,
    }
}

pub(crate) async fn entries(site: &Site) -> BTreeMap<String, Vec<Entry>> {
    let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for item in table::items(&site.stack.dynamodb, "message#").await {
        let id = read_text(&item, PK).expect("every item has one").trim_start_matches("message#").to_owned();
        entries.entry(id).or_default().push(Entry {
            recipients: read_text(&item, "recipients").unwrap_or_default(),
            disposition: read_text(&item, "disposition"),
            is_placed: item.contains_key("placed_at"),
        });
    }
    entries
}

pub(crate) async fn pending(site: &Site) -> usize {
    table::items(&site.stack.dynamodb, "outbox").await.len()
}

fn incident(item: &Item) -> AlertGroup {
    serde_json::from_str(&read_text(item, "group").expect("an incident")).expect("JSON of ours")
}

async fn fetch(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let keys = objects::all_keys(&site.stack.s3).await;
    let fetch = |key: String| async {
        let got = site.objects.get_object().bucket(BUCKET).key(&key).send().await;
        let body = got.expect("it was listed").body.collect().await.expect("a whole object");
        (key, body.to_vec())
    };
    stream::iter(keys.into_iter().map(fetch).collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await
}

/// Lines of any log that tell of a panic.
fn panics(site: &Site) -> Vec<String> {
    let stack = std::fs::read_to_string(&site.log).expect("the log of the stack");
    let logs = site.fleets().map(super::fleet::Fleet::logs);
    let lines = logs.iter().chain([&stack]).flat_map(|log| log.lines());
    lines.filter(|line| line.contains("panicked")).take(MOST_LINES).map(str::to_owned).collect()
}
