//! Keeps requests from waiting for a table that is known not to answer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::table::TableError;
use crate::circuit_breaker::CircuitBreaker;

/// A circuit breaker that many requests share.
#[derive(Default)]
pub(super) struct Guard {
    breaker: Mutex<CircuitBreaker>,
}

impl Guard {
    /// Asks, unless there was no answer a moment ago.
    pub(super) async fn ask<T>(
        &self,
        what: &'static str,
        now_us: u64,
        question: impl Future<Output = Result<T, TableError>>,
    ) -> Result<T, TableError> {
        if !self.breaker().lets_through(now_us) {
            return Err(TableError::new(what, "it did not answer a moment ago"));
        }
        let answer = question.await;
        match &answer {
            Ok(_) => self.breaker().succeeded(),
            Err(_) => self.breaker().failed(now_us),
        }
        answer
    }

    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
