//! When a service that does not answer is left alone, so that nobody waits for it in vain.

/// Failures in a row before it is left alone.
const FAILURES: u32 = 3;

/// It is left alone for this long, then one request may try; after each failed try for twice as long.
const SHORTEST_PAUSE_US: u64 = 500_000;
const LONGEST_PAUSE_US: u64 = 8_000_000;

/// Closed while things go well. Times are Unix microseconds.
#[derive(Debug, Clone, Default)]
pub struct CircuitBreaker {
    failures: u32,
    open_until_us: u64,
}

impl CircuitBreaker {
    /// Whether a request may ask. When a pause is over one may, and the pause begins anew for the others.
    pub fn lets_through(&mut self, now_us: u64) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        let is_over = self.open_until_us <= now_us;
        if is_over {
            self.open_until_us = now_us + self.pause_us();
        }
        is_over
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub fn failed(&mut self, now_us: u64) {
        self.failures = self.failures.saturating_add(1);
        self.open_until_us = now_us + self.pause_us();
    }

    fn pause_us(&self) -> u64 {
        let doublings = self.failures.saturating_sub(FAILURES).min(8);
        (SHORTEST_PAUSE_US << doublings).min(LONGEST_PAUSE_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn it_opens_after_three_failures_in_a_row_and_one_success_closes_it() {
        let mut breaker = CircuitBreaker::default();
        for _ in 0..2 {
            breaker.failed(0);
        }
        breaker.succeeded();
        for _ in 0..2 {
            breaker.failed(0);
            assert!(breaker.lets_through(0));
        }
        breaker.failed(0);
        assert!(!breaker.lets_through(SECOND_US / 4));
        breaker.succeeded();
        assert!(breaker.lets_through(SECOND_US / 4));
    }

    #[test]
    fn when_a_pause_is_over_one_request_tries_and_the_pauses_grow_to_eight_seconds() {
        let mut breaker = CircuitBreaker::default();
        (0..3).for_each(|_| breaker.failed(0));
        let mut tries = Vec::new();
        for now_us in (0..40 * SECOND_US).step_by(50_000) {
            if breaker.lets_through(now_us) {
                assert!(!breaker.lets_through(now_us), "two at once");
                tries.push(now_us / 500_000);
                breaker.failed(now_us);
            }
        }
        assert_eq!(tries, [1, 3, 7, 15, 31, 47, 63, 79]);
    }
}
