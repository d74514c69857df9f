//! What instances of validate count: in memory, and into the table once nobody waits.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use aws_sdk_dynamodb::{operation::put_item::PutItemError, primitives::Blob, types::AttributeValue};

use super::{DOMAINS, Lane, NETWORKS, OVERFLOW_SERIES, attribute, empty_item};
use crate::{
    activity::{Channel, Counts},
    api_key::HashSecret,
    bucket::Bucket,
    crowd::Crowd,
    io::{
        guard::Guard,
        table::{Item, Table, TableError, number, unix_micros},
    },
    ip_prefix::IpPrefix,
};

/// Series that one instance counts in one bucket; what exceeds them is counted together. All are one item, which has 400 kB
/// at most, so not all of them can tell who stands behind them.
const MOST_SERIES: usize = 200;
/// Series of one instance that do.
pub const MOST_CROWDS: usize = 40;

/// Buckets that wait for a table which does not answer; older counts are lost then.
const MOST_BUCKETS: usize = 24;

/// A written bucket is forgotten when it is this old: a slow request may still count in the one before.
const FORGOTTEN_AFTER: u32 = 2;

/// Attribute of an item: requests that it counts. No bar in the name, so that no reader takes it for a series.
const REQUESTS: &str = "n";

/// After an answer an item is written when more than one in eight of its requests are not in the table yet. So an instance
/// that handles `n` requests in a bucket writes about `8 + 8 ln(n / 8)` times, and one that is frozen or dies lacks an
/// eighth of the bucket at most.
const UNWRITTEN_SHARE: u64 = 8;

/// The counts of one instance that were not written yet, or may still grow.
pub struct Counters {
    table: Table,
    /// Names this instance among all writers of a bucket.
    writer: String,
    /// So that nobody outside can name domains that count as one.
    secret: HashSecret,
    pending: Mutex<BTreeMap<Bucket, Pending>>,
    guard: Guard,
    /// Two flushes at once could set an item back to the older of their counts.
    flushing: tokio::sync::Mutex<()>,
}

/// One request, as it is counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    pub series: &'a str,
    pub channels: &'a [Channel],
    /// What it asked about.
    pub domain: Option<&'a str>,
    /// Where it came from.
    pub network: Option<IpPrefix>,
    pub urgency: Urgency,
}

/// Whether a request may cause a write of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// When enough of them came.
    Soon,
    /// Only once its bucket is over: strangers cause no more than one write an instance and bucket.
    WithBucket,
}

#[derive(Debug, Default, Clone)]
struct Pending {
    series: HashMap<String, Counts>,
    /// Series that tell who stands behind them.
    crowds: usize,
    /// Requests counted, and those of them that may cause a write.
    all: u64,
    urgent: u64,
    /// How many of both are in the table.
    written_all: u64,
    written_urgent: u64,
    /// A write was tried: part of it may be in the table.
    is_tried: bool,
}

impl Counters {
    #[must_use]
    pub fn new(table: Table, writer: String, secret: HashSecret) -> Self {
        Self {
            table,
            writer,
            secret,
            pending: Mutex::default(),
            guard: Guard::default(),
            flushing: tokio::sync::Mutex::default(),
        }
    }

    /// Counts in memory: nothing is awaited, nothing fails.
    pub fn count(&self, counted: &Counted<'_>, bucket: Bucket) {
        let hash = counted.domain.map(|domain| (domain, self.secret.hash(domain)));
        let network = counted.network.map(|network| network.to_string());
        let network = network.as_deref().map(|network| (network, self.secret.hash(network)));
        let mut pending = self.pending();
        let pending = pending.entry(bucket).or_default();
        pending.all += 1;
        pending.urgent += u64::from(counted.urgency == Urgency::Soon);
        let counts = pending.counts(counted.series);
        counted.channels.iter().for_each(|channel| counts.count(*channel));
        if let Some(crowds) = pending.crowds_of(counted.series) {
            let [domains, networks] = crowds;
            hash.inspect(|(domain, hash)| domains.add(domain, *hash));
            network.inspect(|(network, hash)| networks.add(network, *hash));
        }
    }

    /// Writes what is worth a write once an answer is on its way, one item a bucket.
    ///
    /// # Errors
    /// When the table did not take an item, or has not answered for a while.
    pub async fn flush_due(&self, now: SystemTime) -> Result<(), TableError> {
        self.flush_if(Bucket::of(now), Some(unix_micros(now)), Pending::is_due).await
    }

    /// Writes all that changed, one item a bucket. What fails stays pending; what is written and old at `current` is
    /// forgotten.
    ///
    /// # Errors
    /// When the table did not take an item.
    pub async fn flush(&self, current: Bucket) -> Result<(), TableError> {
        self.flush_if(current, None, |pending, _| pending.has_changed()).await
    }

    /// A bucket that cannot be written does not hold up the others. With `guarded_at_us`, a table that does not answer is left
    /// alone.
    async fn flush_if(
        &self,
        current: Bucket,
        guarded_at_us: Option<u64>,
        is_wanted: impl Fn(&Pending, HasEnded) -> bool,
    ) -> Result<(), TableError> {
        if !self.pending().iter().any(|(bucket, pending)| is_wanted(pending, *bucket < current)) {
            return Ok(());
        }
        let _alone = self.flushing.lock().await;
        self.tidy(current);
        let mut flushed = Ok(());
        for (bucket, written) in self.to_write(|bucket, pending| is_wanted(pending, bucket < current)) {
            let write = self.write(bucket, &written);
            let result = match guarded_at_us {
                Some(now_us) => self.guard.ask("count activity", now_us, write).await,
                None => write.await,
            };
            match result {
                Ok(()) => self.mark_written(bucket, &written),
                Err(error) => flushed = Err(error),
            }
        }
        flushed
    }

    /// An earlier write that was given up on may arrive after a later one: it changes nothing then.
    async fn write(&self, bucket: Bucket, pending: &Pending) -> Result<(), TableError> {
        let put = self.table.client.put_item().table_name(&self.table.name);
        let put = put
            .set_item(Some(item(bucket, &self.writer, pending)))
            .condition_expression("attribute_not_exists(#n) OR #n <= :n")
            .expression_attribute_names("#n", REQUESTS)
            .expression_attribute_values(":n", number(pending.all));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(is_outdated) => Ok(()),
            Err(error) => Err(TableError::new("count activity", error)),
        }
    }

    fn to_write(&self, is_wanted: impl Fn(Bucket, &Pending) -> bool) -> Vec<(Bucket, Pending)> {
        let mut all = self.pending();
        let wanted = all.iter_mut().filter(|(bucket, pending)| is_wanted(**bucket, pending));
        let wanted = wanted.map(|(bucket, pending)| {
            pending.is_tried = true;
            (*bucket, pending.clone())
        });
        wanted.collect()
    }

    fn mark_written(&self, bucket: Bucket, written: &Pending) {
        if let Some(pending) = self.pending().get_mut(&bucket) {
            (pending.written_all, pending.written_urgent) = (written.all, written.urgent);
        }
    }

    /// Forgets what is written and old. What an idle instance never got to write, and the scan has gone past, counts in the
    /// current bucket: the scan would not see it in its own.
    fn tidy(&self, current: Bucket) {
        let mut all = self.pending();
        let oldest = current.minus(FORGOTTEN_AFTER);
        all.retain(|bucket, pending| oldest <= *bucket || pending.has_changed());
        let late: Vec<Bucket> =
            all.iter().filter(|(bucket, pending)| **bucket < oldest && !pending.is_tried).map(|(b, _)| *b).collect();
        for bucket in late {
            if let Some(pending) = all.remove(&bucket) {
                all.entry(current).or_default().absorb(&pending);
            }
        }
        while MOST_BUCKETS < all.len() {
            all.pop_first();
        }
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<Bucket, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a bucket is over.
type HasEnded = bool;

impl Pending {
    fn counts(&mut self, series: &str) -> &mut Counts {
        let is_full = MOST_SERIES <= self.series.len() && !self.series.contains_key(series);
        let series = if is_full { OVERFLOW_SERIES } else { series };
        if !self.series.contains_key(series) {
            self.series.insert(series.to_owned(), Counts::default());
        }
        self.series.entry(series.to_owned()).or_default()
    }

    /// Where the series has room to tell who stands behind it.
    fn crowds_of(&mut self, series: &str) -> Option<[&mut Crowd; 2]> {
        let counts = self.series.get_mut(series)?;
        let is_new = counts.domains.is_empty() && counts.networks.is_empty();
        if is_new && MOST_CROWDS <= self.crowds {
            return None;
        }
        self.crowds += usize::from(is_new);
        Some([&mut counts.domains, &mut counts.networks])
    }

    fn has_changed(&self) -> bool {
        self.written_all < self.all
    }

    fn is_due(&self, has_ended: HasEnded) -> bool {
        let unwritten = self.urgent - self.written_urgent;
        if has_ended { self.has_changed() } else { self.written_urgent < unwritten * UNWRITTEN_SHARE }
    }

    fn absorb(&mut self, late: &Self) {
        self.all += late.all;
        self.urgent += late.urgent;
        late.series.iter().for_each(|(series, counts)| self.counts(series).absorb(counts));
    }
}

fn is_outdated(refusal: &PutItemError) -> bool {
    matches!(refusal, PutItemError::ConditionalCheckFailedException(_))
}

fn item(bucket: Bucket, writer: &str, pending: &Pending) -> Item {
    let mut item = empty_item(bucket, Lane::Api, writer);
    item.insert(REQUESTS.to_owned(), number(pending.all));
    for (series, counts) in &pending.series {
        for (channel, count) in counts.counted() {
            item.insert(attribute(series, channel.as_str()), number(count));
        }
        for (name, crowd) in [(DOMAINS, &counts.domains), (NETWORKS, &counts.networks)] {
            if !crowd.is_empty() {
                item.insert(attribute(series, name), AttributeValue::B(Blob::new(crowd.encode())));
            }
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::{
        super::{BucketActivity, add_item},
        *,
    };

    fn bucket() -> Bucket {
        Bucket::parse("2026-11-23T02:10").expect("a time")
    }

    fn signup(count: u64) -> Pending {
        let mut pending = Pending { all: count, urgent: count, ..Pending::default() };
        (0..count).for_each(|_| pending.counts("signup/a|b").count(Channel::Total));
        pending.counts("signup/a|b").domains.add("example.com", 7);
        pending
    }

    #[test]
    fn what_writers_write_is_what_the_reader_reads_added_up() {
        let mut hour = BTreeMap::new();
        add_item(&mut hour, bucket(), &item(bucket(), "one", &signup(3)));
        add_item(&mut hour, bucket(), &item(bucket(), "two", &signup(4)));
        let activity: &BucketActivity = &hour[&bucket()];
        assert_eq!(activity["signup/a|b"].tally["total"], 7);
        assert_eq!(activity["signup/a|b"].domains.top(3), [("example.com", 2)]);
        assert_eq!(activity["signup/a|b"].domains.distinct(), 1);
    }

    #[test]
    fn the_busier_an_instance_is_the_fewer_of_its_requests_write() {
        let mut pending = Pending::default();
        let mut writes = 0;
        for _ in 0..10_000 {
            pending.all += 1;
            pending.urgent += 1;
            assert!((pending.urgent - pending.written_urgent) * UNWRITTEN_SHARE <= pending.written_urgent + 8);
            if pending.is_due(false) {
                (pending.written_all, pending.written_urgent) = (pending.all, pending.urgent);
                writes += 1;
            }
        }
        assert!(writes < 70, "{writes}");
    }

    #[test]
    fn strangers_cause_no_write_before_their_bucket_is_over() {
        let mut pending = Pending { all: 10_000, ..Pending::default() };
        assert!(!pending.is_due(false));
        assert!(pending.is_due(true));
        pending.written_all = 10_000;
        assert!(!pending.is_due(true));
    }

    #[test]
    fn an_item_is_never_larger_than_the_table_takes() {
        let mut pending = Pending::default();
        for n in 0..MOST_SERIES * 40 {
            let series = format!("password_reset/token:01234567:{n:0>64}");
            let series = series.as_str();
            let of_mail = [Channel::Deliver, Channel::Defer, Channel::Quarantine, Channel::SpfFail, Channel::DkimFail];
            let channels = Channel::ALL.into_iter().filter(|it| !of_mail.contains(it) && *it != Channel::Uninspected);
            channels.for_each(|channel| pending.counts(series).count(channel));
            if let Some([domains, networks]) = pending.crowds_of(series) {
                for m in 0..2_000_u64 {
                    let hash = m.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    domains.add(&format!("{m}-{}", "x".repeat(253)), hash);
                    networks.add(&format!("2001:db8:{m}::/48"), hash);
                }
            }
        }
        let item = item(bucket(), "one", &pending);
        let octets: usize =
            item.iter().map(|(name, value)| name.len() + value.as_b().map_or(8, |b| b.as_ref().len())).sum();
        assert!(octets < 350_000, "{octets}");
    }

    #[test]
    fn series_beyond_the_room_of_an_instance_are_counted_together() {
        let mut pending = Pending::default();
        (0..MOST_SERIES + 50).for_each(|n| pending.counts(&format!("signup/{n}")).count(Channel::Total));
        assert_eq!(pending.series.len(), MOST_SERIES + 1);
        let overflow: Vec<_> = pending.series[OVERFLOW_SERIES].counted().collect();
        assert_eq!(overflow, [(Channel::Total, 50)]);
    }
}
