//! Admission against the shared table: one conditional write per request, none for a remembered refusal, and one for up to 64
//! requests of a caller with a high limit.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    guard::Guard,
    table::{EXPIRES_AT, Table, TableError, key, number, read_number, unix_micros},
};
use crate::{
    account::{Account, Ask, Purchase, TooLarge},
    generations::Generations,
    local_limit::LocalLimit,
    rate_limit::{Charge, Quota, Remaining, Write},
};

/// Callers remembered per instance. Forgetting one costs a write, never an admission too many.
const REMEMBERED_CALLERS: usize = 10_000;

/// What was taken in advance did not fit, stale memory, a reset lost to another instance, then the advance: no request needs
/// a fifth write.
const MOST_WRITES: usize = 4;

/// While the table does not answer, one instance grants this part of a quota on its own.
const DEGRADED_SHARE: u32 = 8;

/// Admits or refuses callers. One per instance, shared by its requests.
pub struct RateLimits {
    table: Table,
    callers: Mutex<Generations<String, Arc<Caller>>>,
    /// In use while the table does not answer.
    degraded: Mutex<LocalLimit<String>>,
    guard: Guard,
    chance: RandomState,
}

#[derive(Default)]
struct Caller {
    account: Mutex<Account>,
    /// Held by the request that takes permits in advance, so that the others spend them.
    buying: tokio::sync::Mutex<()>,
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
    /// The caller's own partition is over what DynamoDB takes: so is the caller.
    Flooded,
}

impl RateLimits {
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self {
            table,
            callers: Mutex::new(Generations::new(REMEMBERED_CALLERS)),
            degraded: Mutex::new(LocalLimit::new(REMEMBERED_CALLERS)),
            guard: Guard::default(),
            chance: RandomState::new(),
        }
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
        let known = self.known(caller);
        let now_us = unix_micros(now);
        if let Some(decided) = known.decide(quota, permits, now_us)? {
            return decided;
        }
        // Where permits are taken in advance, one request does it for all that wait.
        let _buying = if quota.is_leased() { Some(known.buying.lock().await) } else { None };
        for attempt in 0..MOST_WRITES {
            let purchase = match known.ask(quota, permits, now_us)? {
                Ask::Granted(remaining) => return Ok(remaining),
                Ask::Refused(retry_after) => return Err(RateLimitError::Refused { retry_after }),
                Ask::Write(purchase) => purchase,
            };
            let _under_way = UnderWay::new(&known, purchase);
            match self.write(caller, purchase, now_us).await? {
                Written::Moved { tat_us } => return Ok(known.account().moved(purchase, tat_us)),
                Written::Met { tat_us } => {
                    known.account().met(purchase, tat_us, self.chance.hash_one((caller, now_us, attempt)));
                }
                Written::Flooded => {
                    known.account().flooded(permits, now_us);
                    break;
                }
            }
        }
        Err(RateLimitError::Refused { retry_after: Duration::from_secs(1) })
    }

    /// How long a caller is refused for, as far as this instance knows; nothing is asked and nothing spent.
    #[must_use]
    pub fn refusal(&self, caller: &str, quota: Quota, permits: u64, now: SystemTime) -> Option<Duration> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.get(caller)?.account().refusal(quota, permits, unix_micros(now))
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
        degraded.spend(caller.to_owned(), &charge).map_err(|retry_after| RateLimitError::Refused { retry_after })
    }

    async fn write(&self, caller: &str, purchase: Purchase, now_us: u64) -> Result<Written, RateLimitError> {
        let update = self.update(caller, &purchase.charge, purchase.write);
        self.guard.ask("spend a permit", now_us, update).await.map_err(RateLimitError::Unavailable)
    }

    async fn update(&self, caller: &str, charge: &Charge, write: Write) -> Result<Written, TableError> {
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
            Err(error) => met(error),
        }
    }

    fn known(&self, caller: &str) -> Arc<Caller> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = callers.get(caller) {
            return Arc::clone(known);
        }
        let known = Arc::new(Caller::default());
        callers.insert(caller.to_owned(), Arc::clone(&known));
        known
    }
}

/// Ends with the request, even with one that nobody waits for any more.
struct UnderWay<'a> {
    caller: &'a Caller,
    purchase: Purchase,
}

impl<'a> UnderWay<'a> {
    fn new(caller: &'a Caller, purchase: Purchase) -> Self {
        caller.account().set_out(purchase);
        Self { caller, purchase }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.caller.account().landed(self.purchase);
    }
}

impl Caller {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, quota: Quota, permits: u64, now_us: u64) -> Result<Ask, RateLimitError> {
        let too_large = |_: TooLarge| RateLimitError::TooLarge { largest: quota.largest_request() };
        self.account().ask(quota, permits, now_us).map_err(too_large)
    }

    /// What memory alone decides; `None` when the table has to be asked.
    fn decide(
        &self,
        quota: Quota,
        permits: u64,
        now_us: u64,
    ) -> Result<Option<Result<Remaining, RateLimitError>>, RateLimitError> {
        Ok(match self.ask(quota, permits, now_us)? {
            Ask::Granted(remaining) => Some(Ok(remaining)),
            Ask::Refused(retry_after) => Some(Err(RateLimitError::Refused { retry_after })),
            Ask::Write(_) => None,
        })
    }
}

fn charge(quota: Quota, permits: u64, now: SystemTime) -> Result<Charge, RateLimitError> {
    Charge::new(quota, permits, unix_micros(now)).ok_or(RateLimitError::TooLarge { largest: quota.largest_request() })
}

fn met(error: SdkError<UpdateItemError>) -> Result<Written, TableError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
            Ok(Written::Met { tat_us: failure.item.as_ref().and_then(|item| read_number(item, "tat")) })
        }
        Some(refusal) if is_flooded(refusal) => Ok(Written::Flooded),
        Some(_) | None => Err(TableError::new("spend a permit", error)),
    }
}

/// Whether it is this key's partition that is throttled, and not the table: there are more requests of one caller than one
/// partition takes.
fn is_flooded(refusal: &UpdateItemError) -> bool {
    let reasons = match refusal {
        UpdateItemError::ProvisionedThroughputExceededException(throttled) => throttled.throttling_reasons(),
        UpdateItemError::ThrottlingException(throttled) => throttled.throttling_reasons(),
        _ => &[],
    };
    reasons.iter().any(|reason| reason.reason().is_some_and(|reason| reason.contains("KeyRange")))
}
