//! Admission against the shared table: one conditional write per request, none for a remembered refusal.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::table::{EXPIRES_AT, Table, TableError, key, number, read_number};
use crate::rate_limit::{Charge, Quota, Remaining, Step, Write};

/// Callers remembered per instance. Forgetting one costs a write, never an admission too many.
const REMEMBERED_CALLERS: usize = 10_000;

/// Stale memory, then a reset lost to another instance, then the advance: no request needs a fourth write.
const MOST_WRITES: usize = 3;

/// While the table does not answer, one instance grants this part of a quota on its own.
const DEGRADED_SHARE: u32 = 8;

/// Admits or refuses callers. One per instance, shared by its requests.
#[derive(Debug)]
pub struct RateLimits {
    table: Table,
    remembered: Mutex<HashMap<String, u64>>,
    /// Theoretical arrival times of the local limit, in use while the table does not answer.
    degraded: Mutex<HashMap<String, u64>>,
}

/// Why a request was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum RateLimitError {
    #[error("the request needs more permits than the {largest} that can be granted at once")]
    TooLarge { largest: u64 },
    #[error("the caller is over its quota")]
    Refused { retry_after: Duration },
    #[error("the rate limit cannot be asked")]
    Unavailable(#[source] TableError),
}

enum Written {
    Moved {
        tat_us: u64,
    },
    /// The condition failed on this stored value.
    Met {
        tat_us: Option<u64>,
    },
}

impl RateLimits {
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, remembered: Mutex::default(), degraded: Mutex::default() }
    }

    /// Spends `permits` of the caller's quota.
    ///
    /// # Errors
    /// Says when to come back, or that the table did not answer: then the caller of this function chooses between
    /// [`Self::admit_degraded`] and refusal.
    pub async fn admit(
        &self,
        caller: &str,
        quota: Quota,
        permits: u64,
        now: SystemTime,
    ) -> Result<Remaining, RateLimitError> {
        let charge = charge(quota, permits, now)?;
        let mut known = self.recall(caller);
        for _ in 0..MOST_WRITES {
            let write = match charge.step(known) {
                Step::Refuse(retry_after) => return Err(RateLimitError::Refused { retry_after }),
                Step::Write(write) => write,
            };
            match self.write(caller, &charge, write).await? {
                Written::Moved { tat_us } => {
                    self.remember(caller, tat_us);
                    return Ok(charge.remaining(tat_us));
                }
                Written::Met { tat_us } => known = tat_us.inspect(|tat_us| self.remember(caller, *tat_us)),
            }
        }
        Err(RateLimitError::Refused { retry_after: Duration::from_secs(1) })
    }

    /// Spends permits of a local share of the quota, without the table.
    ///
    /// # Errors
    /// As [`Self::admit`], but never [`RateLimitError::Unavailable`].
    pub fn admit_degraded(
        &self,
        caller: &str,
        quota: Quota,
        permits: u64,
        now: SystemTime,
    ) -> Result<Remaining, RateLimitError> {
        let charge = charge(quota.share_of_one_in(DEGRADED_SHARE), permits, now)?;
        let mut degraded = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        let tat_us = degraded.get(caller).copied();
        if let Step::Refuse(retry_after) = charge.step(tat_us) {
            return Err(RateLimitError::Refused { retry_after });
        }
        let next_us = tat_us.unwrap_or(0).max(charge.now_us()) + charge.increment_us();
        insert_bounded(&mut degraded, caller, next_us);
        Ok(charge.remaining(next_us))
    }

    async fn write(&self, caller: &str, charge: &Charge, write: Write) -> Result<Written, RateLimitError> {
        let update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(key(format!("rate#{caller}"), "tat")))
            .expression_attribute_values(":exp", number(charge.expires_at_s()))
            .expression_attribute_values(":floor", number(charge.floor_us()))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = match write {
            Write::Reset => update
                .update_expression(format!("SET tat = :reset, {EXPIRES_AT} = :exp"))
                .condition_expression("tat < :floor")
                .expression_attribute_values(":reset", number(charge.now_us() + charge.increment_us())),
            Write::Advance => update
                .update_expression(format!("SET tat = if_not_exists(tat, :now) + :increment, {EXPIRES_AT} = :exp"))
                .condition_expression("attribute_not_exists(tat) OR tat BETWEEN :floor AND :ceiling")
                .expression_attribute_values(":now", number(charge.now_us()))
                .expression_attribute_values(":increment", number(charge.increment_us()))
                .expression_attribute_values(":ceiling", number(charge.ceiling_us())),
        };
        match update.send().await {
            Ok(output) => {
                let tat_us = output.attributes.as_ref().and_then(|item| read_number(item, "tat"));
                Ok(Written::Moved { tat_us: tat_us.unwrap_or(charge.now_us() + charge.increment_us()) })
            }
            Err(error) => met(error).map_err(RateLimitError::Unavailable),
        }
    }

    fn recall(&self, caller: &str) -> Option<u64> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(caller).copied()
    }

    fn remember(&self, caller: &str, tat_us: u64) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = remembered.get(caller).map_or(tat_us, |known| tat_us.max(*known));
        insert_bounded(&mut remembered, caller, latest);
    }
}

fn charge(quota: Quota, permits: u64, now: SystemTime) -> Result<Charge, RateLimitError> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX / 2);
    Charge::new(quota, permits, now_us).ok_or(RateLimitError::TooLarge { largest: quota.largest_request() })
}

fn met(error: SdkError<UpdateItemError>) -> Result<Written, TableError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
            Ok(Written::Met { tat_us: failure.item.as_ref().and_then(|item| read_number(item, "tat")) })
        }
        Some(_) | None => Err(TableError::new("spend a permit", error)),
    }
}

fn insert_bounded(map: &mut HashMap<String, u64>, caller: &str, tat_us: u64) {
    if REMEMBERED_CALLERS <= map.len() && !map.contains_key(caller) {
        map.clear();
    }
    map.insert(caller.to_owned(), tat_us);
}
