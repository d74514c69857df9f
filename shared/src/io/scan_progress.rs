//! How far the scan has come: each shard by itself, so that one that fails repeats alone.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;

use super::{
    series_state::SHARDS,
    table::{Item, Table, TableError, key, number, read_number},
};
use crate::bucket::Bucket;

const COUNTING_SINCE: &str = "counting_since";
/// Where a shard begins that has no attribute of its own.
const NEXT: &str = "next_bucket";

/// How far the scan has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// From here on a bucket without counts means no traffic; before it nobody counted.
    pub counting_since: Bucket,
    /// The first bucket that was not judged yet, by shard.
    next: [Bucket; SHARDS as usize],
}

impl Progress {
    #[must_use]
    pub fn starting(next: Bucket, counting_since: Bucket) -> Self {
        Self { counting_since, next: [next; SHARDS as usize] }
    }

    /// Every shard with the first bucket that it has not judged yet.
    pub fn shards(&self) -> impl Iterator<Item = (u8, Bucket)> + '_ {
        (0..).zip(self.next)
    }

    /// The first bucket that some shard has not judged yet.
    #[must_use]
    pub fn earliest(&self) -> Bucket {
        self.next.into_iter().min().unwrap_or(self.counting_since)
    }

    pub fn advance(&mut self, shard: u8, next: Bucket) {
        if let Some(of_shard) = self.next.get_mut(usize::from(shard)) {
            *of_shard = next.max(*of_shard);
        }
    }
}

/// `None` before the first scan.
///
/// # Errors
/// When the table did not answer.
pub async fn read(table: &Table) -> Result<Option<Progress>, TableError> {
    let get = table.client.get_item().table_name(&table.name).consistent_read(true);
    let output = get.set_key(Some(key("scan", "watermark"))).send().await;
    let item = output.map_err(|error| TableError::new("read the watermark", error))?.item;
    Ok(item.as_ref().and_then(progress))
}

/// Sets every shard, as for a new stack.
///
/// # Errors
/// When the table did not take it.
pub async fn reset(table: &Table, next: Bucket, counting_since: Bucket) -> Result<(), TableError> {
    let mut item = key("scan", "watermark");
    item.insert(NEXT.to_owned(), number(u32::from(next)));
    item.insert(COUNTING_SINCE.to_owned(), number(u32::from(counting_since)));
    let put = table.client.put_item().table_name(&table.name).set_item(Some(item));
    put.send().await.map(drop).map_err(|error| TableError::new("set the watermark", error))
}

/// Moves shards on, each to `next`, unless a faster scan has moved the first of them as far. Should one of the others go back by
/// that, it is judged again, which changes nothing.
///
/// # Errors
/// When the table did not take it.
pub async fn advance(table: &Table, shards: &[u8], next: Bucket, counting_since: Bucket) -> Result<(), TableError> {
    let Some((first, _)) = shards.split_first() else { return Ok(()) };
    let update = table.client.update_item().table_name(&table.name).set_key(Some(key("scan", "watermark")));
    let names = shards.iter().map(|shard| format!("#s{shard} = :next"));
    let assignments = names.collect::<Vec<_>>().join(", ");
    let mut update = update
        .update_expression(format!("SET {assignments}, #since = if_not_exists(#since, :since)"))
        .condition_expression(format!("attribute_not_exists(#s{first}) OR #s{first} < :next"))
        .expression_attribute_names("#since", COUNTING_SINCE)
        .expression_attribute_values(":since", number(u32::from(counting_since)))
        .expression_attribute_values(":next", number(u32::from(next)));
    for shard in shards {
        update = update.expression_attribute_names(format!("#s{shard}"), attribute(*shard));
    }
    match update.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
        Err(error) => Err(TableError::new("move the watermark", error)),
    }
}

fn progress(item: &Item) -> Option<Progress> {
    let bucket = |name: &str| Bucket::try_from(read_number::<u32>(item, name)?).ok();
    let counting_since = bucket(COUNTING_SINCE)?;
    let start = bucket(NEXT).unwrap_or(counting_since);
    let mut progress = Progress::starting(start, counting_since);
    for shard in 0..SHARDS {
        bucket(&attribute(shard)).into_iter().for_each(|next| progress.advance(shard, next));
    }
    Some(progress)
}

fn attribute(shard: u8) -> String {
    format!("next_{shard}")
}
