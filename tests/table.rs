//! The table as its items lie there, read with the real SDK.

use std::{collections::BTreeMap, time::Duration};

use gatepost::io::table::{Item, PK, key, number, read_text};
use gatepost_local::aws::{clients, dynamodb::TABLE};
use tokio::time::{Instant, sleep};

const CALL: Duration = Duration::from_secs(30);

/// How long counters may take to be written, and how often somebody looks.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) fn client(endpoint: &str) -> gatepost::io::table::Table {
    gatepost::io::table::Table { client: clients::dynamodb(endpoint, CALL), name: TABLE.to_owned() }
}

/// Every item whose partition key begins with `prefix`.
pub(crate) async fn items(endpoint: &str, prefix: &str) -> Vec<Item> {
    let mut pages = client(endpoint).client.scan().table_name(TABLE).into_paginator().send();
    let mut items = Vec::new();
    while let Some(page) = pages.next().await {
        items.extend(page.expect("the table answers").items.unwrap_or_default());
    }
    items.retain(|item| read_text(item, PK).is_some_and(|key| key.starts_with(prefix)));
    items
}

/// Sets attributes of the item with this partition key and the sort key of credentials.
pub(crate) async fn put(endpoint: &str, pk: &str, attributes: &[(&str, u64)]) {
    let table = client(endpoint);
    for (name, value) in attributes {
        let update = table.client.update_item().table_name(&table.name).set_key(Some(key(pk, "key")));
        let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", *name);
        update.expression_attribute_values(":value", number(value)).send().await.expect("stored");
    }
}

/// What all writers counted in all buckets, by `<series>|<channel>`; without who stands behind it.
pub(crate) async fn counted(endpoint: &str) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for (name, value) in items(endpoint, "activity#").await.into_iter().flatten() {
        if let Some(count) = value.as_n().ok().filter(|_| name.contains('|') && !name.contains("|~")) {
            *counted.entry(name).or_default() += count.parse::<u64>().expect("counts are whole numbers");
        }
    }
    counted
}

/// The same, of one series and once it is `expected` or nobody has the patience left to wait for that.
pub(crate) async fn counted_at_last(endpoint: &str, series: &str, expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let expected = expected.iter().map(|(channel, count)| ((*channel).to_owned(), *count)).collect();
    let deadline = Instant::now() + WRITTEN_WITHIN;
    loop {
        let counted = of_series(counted(endpoint).await, series);
        if counted == expected || deadline < Instant::now() {
            return counted;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// By channel.
pub(crate) fn of_series(counted: BTreeMap<String, u64>, series: &str) -> BTreeMap<String, u64> {
    let of = counted.into_iter().filter_map(|(name, count)| {
        let channel = name.strip_prefix(series)?.strip_prefix('|')?;
        Some((channel.to_owned(), count))
    });
    of.collect()
}
