//! What instances of verify-inbound count: each message in the transaction that records its disposition.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{AttributeValue, TransactWriteItem, Update, builders::UpdateBuilder},
};

use super::{FROM, Lane, OVERFLOW_SERIES, SEEN, attribute, expires_at_s, partition, sort_key};
use crate::{
    activity::{Channel, part::SENDER, series as named},
    api_key::HashSecret,
    bucket::Bucket,
    crowd::Sketch,
    io::table::{EXPIRES_AT, key, number},
};

/// Series in one item, and those of them that tell how many senders they had: every addition is charged by the size of the
/// item, and one that is too large could record no disposition any more.
const MOST_SERIES: usize = 40;
const MOST_SKETCHES: usize = 20;

/// Sender domains that are counted by name in one item, per series. Those that come later are counted as different ones, but
/// not by name, unless they come often.
const MOST_NAMES: usize = 64;

/// Room for those that come often, and how often that is.
const MOST_FREQUENT_NAMES: usize = 32;
const OFTEN: u32 = 8;

/// Room for all of these names.
const MOST_NAME_OCTETS: usize = 8 * 1024;

/// Sender domains whose frequency is watched.
const WATCHED_SENDERS: usize = 4_096;

/// Sender domains in one item that are series of their own; those that come often.
const MOST_SENDER_SERIES: usize = 20;
/// What is counted of them.
const OF_SENDERS: [Channel; 4] = [Channel::Total, Channel::AuthFail, Channel::SpfFail, Channel::DkimFail];

/// Names the item that one instance of verify-inbound adds to, and bounds what is in it.
pub struct MailCounters {
    table: String,
    writer: String,
    /// The function has no secret: who knows the name of the table can find domains that count as one.
    hasher: HashSecret,
    known: Mutex<Known>,
}

/// What the item of one bucket holds.
#[derive(Default)]
struct Known {
    bucket: Option<Bucket>,
    series: HashMap<String, Sketch>,
    sketches: HashSet<String>,
    names: HashSet<String>,
    name_octets: usize,
    sender_series: HashSet<String>,
    /// Stays from bucket to bucket.
    watched: HashMap<String, u32>,
}

impl MailCounters {
    #[must_use]
    pub fn new(table: String, instance: &str) -> Self {
        let hasher = HashSecret::new(&table);
        Self { table, writer: format!("inbound-{instance}"), hasher, known: Mutex::default() }
    }

    /// The addition for one message from `sender`, to be part of the transaction that records its disposition.
    ///
    /// # Errors
    /// Never for a valid table name.
    pub fn addition(
        &self,
        series: &str,
        channels: &[Channel],
        sender: Option<&str>,
        bucket: Bucket,
    ) -> Result<TransactWriteItem, BuildError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.turn_to(bucket);
        let series = known.bounded(series);
        let mut additions = Additions::new(&self.table, bucket, &self.writer);
        for channel in channels {
            additions.add(attribute(series, channel.as_str()), number(1));
        }
        if let Some(sender) = sender {
            let hash = self.hasher.hash(sender);
            let name = attribute(series, &format!("{FROM}{sender}"));
            let comes_often = known.comes_often(sender);
            if known.is_counted_by_name(&name, comes_often) {
                additions.add(name, number(1));
            }
            if known.is_series(sender, comes_often) {
                let of_sender = channels.iter().filter(|channel| OF_SENDERS.contains(channel));
                of_sender.for_each(|it| additions.add(attribute(&named(SENDER, sender), it.as_str()), number(1)));
            }
            if known.is_new(series, hash) {
                additions.add(attribute(series, SEEN), AttributeValue::Ns(vec![Sketch::member(hash).to_string()]));
            }
        }
        additions.build()
    }
}

impl Known {
    fn turn_to(&mut self, bucket: Bucket) {
        if self.bucket != Some(bucket) {
            *self = Self { bucket: Some(bucket), watched: std::mem::take(&mut self.watched), ..Self::default() };
        }
    }

    /// Recipient domains come from strangers wherever a rule takes any sub-domain.
    fn bounded<'s>(&mut self, series: &'s str) -> &'s str {
        let is_full = MOST_SERIES <= self.series.len() && !self.series.contains_key(series);
        let series = if is_full { OVERFLOW_SERIES } else { series };
        self.series.entry(series.to_owned()).or_default();
        series
    }

    /// What the sketch of a series does not know yet. Adding it twice changes nothing.
    fn is_new(&mut self, series: &str, hash: u64) -> bool {
        if !self.sketches.contains(series) {
            if MOST_SKETCHES <= self.sketches.len() {
                return false;
            }
            self.sketches.insert(series.to_owned());
        }
        self.series.get_mut(series).is_some_and(|sketch| sketch.add(hash))
    }

    fn is_series(&mut self, sender: &str, comes_often: bool) -> bool {
        if self.sender_series.contains(sender) {
            return true;
        }
        let has_room = comes_often && self.sender_series.len() < MOST_SENDER_SERIES;
        if has_room {
            self.sender_series.insert(sender.to_owned());
        }
        has_room
    }

    fn is_counted_by_name(&mut self, name: &str, comes_often: bool) -> bool {
        if self.names.contains(name) {
            return true;
        }
        let room = if comes_often { MOST_NAMES + MOST_FREQUENT_NAMES } else { MOST_NAMES };
        let has_room = self.names.len() < room && self.name_octets + name.len() <= MOST_NAME_OCTETS;
        if has_room {
            self.name_octets += name.len();
            self.names.insert(name.to_owned());
        }
        has_room
    }

    fn comes_often(&mut self, sender: &str) -> bool {
        if WATCHED_SENDERS <= self.watched.len() && !self.watched.contains_key(sender) {
            self.watched.clear();
        }
        let times = self.watched.entry(sender.to_owned()).or_default();
        *times += 1;
        OFTEN <= *times
    }
}

/// One `ADD` expression under construction.
struct Additions {
    update: UpdateBuilder,
    clauses: Vec<String>,
}

impl Additions {
    fn new(table: &str, bucket: Bucket, writer: &str) -> Self {
        let update = Update::builder()
            .table_name(table)
            .set_key(Some(key(partition(bucket, Lane::Mail), sort_key(bucket, writer))))
            .expression_attribute_names("#exp", EXPIRES_AT)
            .expression_attribute_values(":exp", number(expires_at_s(bucket)));
        Self { update, clauses: Vec::new() }
    }

    fn add(&mut self, name: String, value: AttributeValue) {
        let index = self.clauses.len();
        let update = std::mem::take(&mut self.update);
        self.update = update
            .expression_attribute_names(format!("#c{index}"), name)
            .expression_attribute_values(format!(":c{index}"), value);
        self.clauses.push(format!("#c{index} :c{index}"));
    }

    fn build(self) -> Result<TransactWriteItem, BuildError> {
        let expression = format!("SET #exp = :exp ADD {}", self.clauses.join(", "));
        Ok(TransactWriteItem::builder().update(self.update.update_expression(expression).build()?).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(item: &TransactWriteItem) -> Vec<&str> {
        let names = item.update.as_ref().and_then(|update| update.expression_attribute_names.as_ref());
        let mut names: Vec<&str> = names.into_iter().flat_map(|names| names.values()).map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_message_counts_by_sender_and_a_sender_is_new_once_a_bucket() {
        let counters = MailCounters::new("table".to_owned(), "one");
        let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
        let add = |bucket| counters.addition("inbound/x", &[Channel::Total], Some("a.example"), bucket).expect("valid");
        let first = ["expires_at", "inbound/x|total", "inbound/x|~from:a.example", "inbound/x|~seen"];
        assert_eq!(names_in(&add(bucket)), first);
        assert_eq!(names_in(&add(bucket)), first[..3]);
        assert_eq!(names_in(&add(bucket.next())), first);
    }

    #[test]
    fn a_sender_that_comes_often_is_a_series_of_its_own_from_one_bucket_to_the_next() {
        let counters = MailCounters::new("table".to_owned(), "one");
        let mut bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
        let channels = [Channel::Total, Channel::SpfFail, Channel::Quarantine];
        let add = |bucket| {
            let item = counters.addition("inbound/x", &channels, Some("a.example"), bucket).expect("valid");
            names_in(&item).iter().filter(|name| name.starts_with("sender/")).map(ToString::to_string).collect()
        };
        let mut seen: Vec<Vec<String>> = Vec::new();
        for _ in 0..9 {
            seen.push(add(bucket));
            bucket = bucket.next();
        }
        assert!(seen[..7].iter().all(Vec::is_empty), "{seen:?}");
        assert!(seen[7..].iter().all(|names| names == &["sender/a.example|spf_fail", "sender/a.example|total"]));
    }

    #[test]
    fn strangers_cannot_make_the_item_grow_beyond_what_a_transaction_takes() {
        let counters = MailCounters::new("table".to_owned(), "one");
        let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
        let long = |n: usize, of: usize| format!("{n}-{}.example", "x".repeat(of));
        let (mut names, mut members) = (HashSet::new(), HashSet::new());
        for n in 0..20_000 {
            let series = format!("inbound/{}", long(n % 100, 200));
            let sender = long(n / 10, 230);
            let channels = [Channel::Total, Channel::AuthFail, Channel::Deliver, Channel::Quarantine];
            let item = counters.addition(&series, &channels, Some(&sender), bucket).expect("valid");
            let update = item.update.expect("an update");
            names.extend(update.expression_attribute_names.into_iter().flatten().map(|(_, name)| name));
            let sets = update.expression_attribute_values.into_iter().flatten();
            members.extend(sets.filter_map(|(_, value)| Some((series.clone(), value.as_ns().ok()?.clone()))));
        }
        let octets = names.iter().map(|name| name.len() + 8).sum::<usize>() + members.len() * 5;
        assert!(octets < 100_000, "{octets}");
    }

    #[test]
    fn who_writes_often_is_counted_by_name_though_others_came_first() {
        let mut known = Known::default();
        let mut is_counted = |sender: &str| {
            let comes_often = known.comes_often(sender);
            known.is_counted_by_name(&format!("inbound/x|~from:{sender}"), comes_often)
        };
        let counted = (0..100_000).filter(|n| is_counted(&format!("{n}"))).count();
        assert_eq!(counted, MOST_NAMES);
        let counted = (0..20).filter(|_| is_counted("often")).count();
        assert_eq!(counted, 20 - 7);
        assert!(known.watched.len() <= WATCHED_SENDERS);
    }
}
