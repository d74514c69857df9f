//! How many requests a caller may make: floor-GCRA, the generic cell rate algorithm (ITU-T I.371) with a floor.
//!
//! One number per caller, the theoretical arrival time (TAT), moves forward by one increment per permit. The store
//! moves it with a conditional write, so nothing is read first and no loop retries. In any window of `t` seconds the
//! admissions of all instances together never exceed `t / interval + burst`, see [`Quota::window_bound`].

use std::time::Duration;

/// The window that [`Quota::window_bound`] and the `RateLimit-Policy` field speak about.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How far the clocks of two instances may lie apart before the published bound is no longer true.
pub const CLOCK_ERROR: Duration = Duration::from_millis(50);

/// Permits that an instance takes in advance are good for so long.
pub const LEASE: Duration = Duration::from_secs(1);

/// From this rate on, in permits a minute, an instance takes permits in advance.
const LEAST_LEASED: u32 = 1_000;

/// What a caller may spend. Requests are counted in permits: a batch costs one permit an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Sustained rate, in permits a minute; never zero.
    requests_per_minute: u32,
    /// Permits beyond the sustained rate that any window may hold; never zero.
    burst: u32,
}

impl Quota {
    /// A zero is read as one: a quota that admits nothing is a revoked key, not a limit.
    #[must_use]
    pub fn new(requests_per_minute: u32, burst: u32) -> Self {
        Self { requests_per_minute: requests_per_minute.max(1), burst: burst.max(1) }
    }

    /// The most permits that any [`WINDOW`] ever holds: `rate x window + burst`.
    #[must_use]
    pub fn window_bound(self) -> u64 {
        u64::from(self.requests_per_minute) + u64::from(self.burst)
    }

    /// The most permits that one request can ever be granted, for a caller who has been idle or is new.
    #[must_use]
    pub fn largest_request(self) -> u64 {
        self.tolerance_us() / self.interval_us()
    }

    /// The share of this quota that one instance may grant on its own while the store does not answer.
    #[must_use]
    pub fn share_of_one_in(self, instances: u32) -> Self {
        Self::new(self.requests_per_minute / instances, self.burst / instances)
    }

    /// Whether the limit is high enough that permits may be taken in advance: some of them will not be spent.
    #[must_use]
    pub fn is_leased(self) -> bool {
        LEAST_LEASED <= self.requests_per_minute
    }

    /// Time one permit takes, widened so that [`Self::window_bound`] holds in spite of [`CLOCK_ERROR`] and [`LEASE`].
    fn interval_us(self) -> u64 {
        let lease = if self.is_leased() { LEASE } else { Duration::ZERO };
        let window_us = micros(WINDOW + 2 * CLOCK_ERROR + lease);
        window_us.div_ceil(u64::from(self.requests_per_minute))
    }

    /// How far below now the stored TAT may lie before it has to be reset: a quarter of the burst.
    fn slack_us(self) -> u64 {
        if self.burst < 4 { 0 } else { u64::from(self.burst) * self.interval_us() / 4 }
    }

    /// How far ahead of now the TAT may run.
    fn tolerance_us(self) -> u64 {
        u64::from(self.burst) * self.interval_us() - self.slack_us()
    }
}

/// One attempt to spend permits: everything that the conditional writes compare and set, in Unix microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    quota: Quota,
    now_us: u64,
    increment_us: u64,
}

/// What to do next about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask this of the store.
    Write(Write),
    /// Refuse without a write; the caller may come back after this long.
    Refuse(Duration),
}

/// A conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Add the increment if the TAT is absent or lies between floor and ceiling.
    Advance,
    /// Set the TAT to now plus the increment if it lies below the floor.
    Reset,
}

/// What a caller has left, for the `RateLimit` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Permits that would be granted right now.
    pub permits: u64,
    /// Time until the whole burst is available again.
    pub full_after: Duration,
}

impl Charge {
    /// `None` when the request needs more permits than the quota can ever grant at once.
    #[must_use]
    pub fn new(quota: Quota, permits: u64, now_us: u64) -> Option<Self> {
        let fits = permits <= quota.largest_request();
        fits.then(|| Self { quota, now_us, increment_us: permits * quota.interval_us() })
    }

    /// What to do next about a caller whose TAT was last known to be `tat_us`, from memory or from the write that just
    /// failed on it. A known TAT is never ahead of the stored one, as that only grows: a refusal from memory is
    /// therefore sound and costs no write.
    #[must_use]
    pub fn step(&self, tat_us: Option<u64>) -> Step {
        match tat_us {
            Some(tat_us) if self.ceiling_us() < tat_us => self.refuse(tat_us),
            Some(tat_us) if tat_us < self.floor_us() => Step::Write(Write::Reset),
            Some(_) | None => Step::Write(Write::Advance),
        }
    }

    /// The highest stored TAT that still admits this request.
    #[must_use]
    pub fn ceiling_us(&self) -> u64 {
        (self.now_us + self.quota.tolerance_us()).saturating_sub(self.increment_us)
    }

    /// The lowest stored TAT that may be advanced rather than reset.
    #[must_use]
    pub fn floor_us(&self) -> u64 {
        self.now_us.saturating_sub(self.quota.slack_us())
    }

    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    #[must_use]
    pub fn increment_us(&self) -> u64 {
        self.increment_us
    }

    /// When the stored item may be deleted, in Unix seconds: a missing item means "TAT is now", so not before then.
    #[must_use]
    pub fn expires_at_s(&self) -> u64 {
        (self.now_us + self.quota.tolerance_us()).div_ceil(1_000_000) + 60
    }

    /// What is left once the TAT stands at `tat_us`.
    #[must_use]
    pub fn remaining(&self, tat_us: u64) -> Remaining {
        let room_us = (self.now_us + self.quota.tolerance_us()).saturating_sub(tat_us);
        let full_after = Duration::from_micros(tat_us.saturating_sub(self.now_us));
        Remaining { permits: room_us / self.quota.interval_us(), full_after }
    }

    fn refuse(&self, tat_us: u64) -> Step {
        Step::Refuse(Duration::from_micros(tat_us - self.ceiling_us()))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: u64 = 1_800_000_000_000_000;

    /// The store as the conditional writes see it.
    fn spend(tat_us: &mut Option<u64>, charge: &Charge) -> Result<(), Duration> {
        let mut step = charge.step(None);
        loop {
            match (step, *tat_us) {
                (Step::Write(Write::Advance), None) => break *tat_us = Some(charge.now_us() + charge.increment_us()),
                (Step::Write(Write::Advance), Some(tat))
                    if (charge.floor_us()..=charge.ceiling_us()).contains(&tat) =>
                {
                    break *tat_us = Some(tat + charge.increment_us());
                }
                (Step::Write(Write::Advance), Some(tat)) => step = charge.step(Some(tat)),
                (Step::Write(Write::Reset), _) => break *tat_us = Some(charge.now_us() + charge.increment_us()),
                (Step::Refuse(wait), _) => return Err(wait),
            }
        }
        Ok(())
    }

    fn admitted(quota: Quota, tat_us: &mut Option<u64>, now_us: u64, tries: u32) -> u64 {
        let charge = Charge::new(quota, 1, now_us).expect("one permit fits");
        (0..tries).map(|_| u64::from(spend(tat_us, &charge).is_ok())).sum()
    }

    #[test]
    fn a_new_caller_may_take_three_quarters_of_the_burst_at_once() {
        assert_eq!(admitted(Quota::new(60, 20), &mut None, NOW_US, 1_000), 15);
        assert_eq!(admitted(Quota::new(200, 140), &mut None, NOW_US, 1_000), 105);
        assert_eq!(admitted(Quota::new(60, 1), &mut None, NOW_US, 1_000), 1);
    }

    #[test]
    fn the_default_burst_admits_a_batch_of_one_hundred() {
        assert!(100 <= Quota::new(200, 140).largest_request());
        assert_eq!(Charge::new(Quota::new(200, 140), 106, NOW_US), None);
    }

    #[test]
    fn no_window_holds_more_than_the_published_bound_however_the_caller_times_the_requests() {
        let quota = Quota::new(200, 140);
        for pause_ms in [0, 1, 299, 300, 301, 5_000, 29_999, 42_000] {
            let (mut tat_us, mut grants) = (None, Vec::new());
            let mut now_us = NOW_US;
            while now_us < NOW_US + 200_000_000 {
                let n = admitted(quota, &mut tat_us, now_us, 400);
                grants.push((now_us, n));
                now_us += 1_000 * pause_ms.max(50);
            }
            for (index, (start_us, _)) in grants.iter().enumerate() {
                let window: u64 =
                    grants.iter().skip(index).take_while(|(at, _)| *at < start_us + 60_000_000).map(|(_, n)| n).sum();
                assert!(window <= quota.window_bound(), "{window} permits with pauses of {pause_ms} ms");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_exact_wait_and_after_it_the_request_is_admitted() {
        let quota = Quota::new(60, 4);
        let mut tat_us = None;
        admitted(quota, &mut tat_us, NOW_US, 100);
        let charge = Charge::new(quota, 1, NOW_US).expect("one permit fits");
        let wait = spend(&mut tat_us, &charge).expect_err("the burst is spent");
        let early = Charge::new(quota, 1, NOW_US + micros(wait) - 1).expect("one permit fits");
        assert_eq!(spend(&mut tat_us.clone(), &early), Err(Duration::from_micros(1)));
        let in_time = Charge::new(quota, 1, NOW_US + micros(wait)).expect("one permit fits");
        assert_eq!(spend(&mut tat_us, &in_time), Ok(()));
    }

    #[test]
    fn a_remembered_refusal_needs_no_write() {
        let charge = Charge::new(Quota::new(60, 4), 1, NOW_US).expect("one permit fits");
        let beyond = charge.ceiling_us() + 2_500_000;
        assert_eq!(charge.step(Some(beyond)), Step::Refuse(Duration::from_millis(2_500)));
        assert_eq!(charge.step(Some(charge.floor_us() - 1)), Step::Write(Write::Reset));
        assert_eq!(charge.step(Some(charge.ceiling_us())), Step::Write(Write::Advance));
    }
}
