//! What one instance remembers of a caller between writes: where its theoretical arrival time was last seen, permits that
//! were taken in advance, and how long a refusal is not worth another question.
//!
//! Pure: the store answers through [`Account::moved`] and [`Account::met`]. `rate_limit` proves the bound; taking permits in
//! advance widens it by the life of a lease, for which [`Quota`] makes room.

use std::time::Duration;

use crate::rate_limit::{Charge, LEASE, Quota, Remaining, Step, Write};

/// Permits that one write takes in advance at most.
const LARGEST_LEASE: u64 = 64;

/// After a refusal by the store the caller is not asked about for as long as another permit takes, then twice as long, up
/// to this: many instances that see one flooding caller would otherwise ask for each permit that becomes free.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// One caller, as one instance knows it.
#[derive(Debug, Clone, Default)]
pub struct Account {
    tat_us: Option<u64>,
    /// What writes that are under way add to it, if the store takes them.
    under_way_us: u64,
    lease: Lease,
    /// Refusals by the store in a row.
    refusals: u32,
    held_until_us: u64,
    /// What was refused: fewer permits may be there before.
    held_permits: u64,
}

/// Permits that are paid for.
#[derive(Debug, Clone, Copy, Default)]
struct Lease {
    left: u64,
    until_us: u64,
    /// How many were taken at once.
    size: u64,
}

/// What comes of a request for permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// From the lease; nothing is written.
    Granted(Remaining),
    /// From memory; nothing is written.
    Refused(Duration),
    /// The store has to be asked.
    Write(Purchase),
}

/// A conditional write, and what is bought by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    pub charge: Charge,
    pub write: Write,
    /// Those that were asked for.
    permits: u64,
    /// Permits beyond those that were asked for.
    advance: u64,
}

/// The request needs more permits than the quota can ever grant at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

impl Account {
    /// Spends permits from the lease, refuses from memory, or says what to write.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn ask(&mut self, quota: Quota, permits: u64, now_us: u64) -> Result<Ask, TooLarge> {
        let charge = Charge::new(quota, permits, now_us).ok_or(TooLarge)?;
        if permits <= self.lease.left && now_us < self.lease.until_us {
            self.lease.left -= permits;
            return Ok(Ask::Granted(charge.remaining(self.tat_us.unwrap_or(now_us))));
        }
        if now_us < self.held_until_us && self.held_permits <= permits {
            return Ok(Ask::Refused(Duration::from_micros(self.held_until_us - now_us)));
        }
        if let Some(wait) = self.wait_behind_others(&charge) {
            return Ok(Ask::Refused(wait));
        }
        let advance = if quota.is_leased() { self.next_lease() } else { 0 };
        let step =
            |advance| Charge::new(quota, permits + advance, now_us).map(|charge| (charge, charge.step(self.tat_us)));
        Ok(match step(advance) {
            Some((charge, Step::Write(write))) => Ask::Write(Purchase { charge, write, permits, advance }),
            // What does not fit in advance may fit by itself.
            Some(_) | None => match charge.step(self.tat_us) {
                Step::Write(write) => Ask::Write(Purchase { charge, write, permits, advance: 0 }),
                Step::Refuse(wait) => Ask::Refused(wait),
            },
        })
    }

    /// A write is under way, until [`Self::landed`].
    pub fn set_out(&mut self, purchase: Purchase) {
        self.under_way_us += purchase.charge.increment_us();
    }

    /// The write is no longer under way, whatever became of it.
    pub fn landed(&mut self, purchase: Purchase) {
        self.under_way_us = self.under_way_us.saturating_sub(purchase.charge.increment_us());
    }

    /// Requests that come together with the one that gets the last permit would each ask the store in vain.
    fn wait_behind_others(&self, charge: &Charge) -> Option<Duration> {
        let tat_us = self.tat_us.filter(|_| 0 < self.under_way_us)?;
        let base_us = if tat_us < charge.floor_us() { charge.now_us() } else { tat_us };
        match charge.step(Some(base_us + self.under_way_us)) {
            Step::Refuse(wait) => Some(wait),
            Step::Write(_) => None,
        }
    }

    /// How long these permits are refused for, as far as memory tells; nothing is spent.
    #[must_use]
    pub fn refusal(&self, quota: Quota, permits: u64, now_us: u64) -> Option<Duration> {
        if permits <= self.lease.left && now_us < self.lease.until_us {
            return None;
        }
        if now_us < self.held_until_us && self.held_permits <= permits {
            return Some(Duration::from_micros(self.held_until_us - now_us));
        }
        match Charge::new(quota, permits, now_us)?.step(self.tat_us) {
            Step::Refuse(wait) => Some(wait),
            Step::Write(_) => None,
        }
    }

    /// The partition of the caller takes no more writes: it is not asked for a second.
    pub fn flooded(&mut self, permits: u64, now_us: u64) {
        (self.held_until_us, self.held_permits) = (now_us + 1_000_000, permits);
    }

    /// The store took the write; the arrival time is now this.
    pub fn moved(&mut self, purchase: Purchase, tat_us: u64) -> Remaining {
        self.see(tat_us);
        (self.refusals, self.held_until_us) = (0, 0);
        if 0 < purchase.advance {
            let until_us = purchase.charge.now_us() + micros(LEASE);
            self.lease = Lease { left: purchase.advance, until_us, size: purchase.advance };
        }
        purchase.charge.remaining(tat_us)
    }

    /// The store refused on this arrival time; `chance` is a random number, of which only the low bits count.
    pub fn met(&mut self, purchase: Purchase, tat_us: Option<u64>, chance: u64) {
        let Some(tat_us) = tat_us else {
            // The item has expired: what is remembered of it is worth nothing, and an advance makes a new one.
            self.tat_us = None;
            return;
        };
        self.see(tat_us);
        if purchase.advance == 0 && purchase.charge.ceiling_us() < tat_us {
            self.hold(purchase, tat_us, chance);
        }
    }

    /// Until a permit becomes free; when it was gone again by then, a random part of a time that doubles longer. Requests
    /// that were under way together are one question.
    fn hold(&mut self, Purchase { charge, permits, .. }: Purchase, tat_us: u64, chance: u64) {
        let free_at_us = charge.now_us() + (tat_us - charge.ceiling_us());
        if charge.now_us() < self.held_until_us && self.held_permits <= permits {
            return;
        }
        // The first refusal of a row is exact: who waits as told is admitted.
        let longest_us = (charge.increment_us() << self.refusals.min(16)).min(micros(LONGEST_HOLD));
        let spread_us = if self.refusals == 0 { 0 } else { chance % longest_us.max(1) };
        self.refusals = self.refusals.saturating_add(1);
        (self.held_until_us, self.held_permits) = (free_at_us + spread_us, permits);
    }

    /// Twice as many when the last ones were all spent in time, half as many otherwise.
    fn next_lease(&self) -> u64 {
        let Lease { left, size, .. } = self.lease;
        let next = if left == 0 { 2 * size + 1 } else { size / 2 };
        next.min(LARGEST_LEASE)
    }

    /// It only ever grows, so an older answer that comes late is no news.
    fn see(&mut self, tat_us: u64) {
        self.tat_us = Some(self.tat_us.map_or(tat_us, |known| known.max(tat_us)));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::rate_limit::{CLOCK_ERROR, WINDOW};

    const NOW_US: u64 = 1_800_000_000_000_000;

    /// The store as its conditional writes see it.
    #[derive(Default)]
    struct Store {
        tat_us: Option<u64>,
        expires_at_s: u64,
        writes: u64,
    }

    impl Store {
        fn write(&mut self, Purchase { charge, write, .. }: Purchase) -> Result<u64, Option<u64>> {
            self.writes += 1;
            let fits = match (write, self.tat_us) {
                (Write::Advance, None) => true,
                (Write::Advance, Some(tat)) => (charge.floor_us()..=charge.ceiling_us()).contains(&tat),
                (Write::Reset, Some(tat)) => tat < charge.floor_us(),
                (Write::Reset, None) => false,
            };
            if !fits {
                return Err(self.tat_us);
            }
            let base = match write {
                Write::Advance => self.tat_us.unwrap_or(charge.now_us()),
                Write::Reset => charge.now_us(),
            };
            self.expires_at_s = charge.expires_at_s();
            Ok(*self.tat_us.insert(base + charge.increment_us()))
        }
    }

    /// Asks as `io::rate_limits` does; `true` when it was admitted.
    fn admit(account: &mut Account, store: &mut Store, quota: Quota, permits: u64, now_us: u64, chance: u64) -> bool {
        for _ in 0..4 {
            match account.ask(quota, permits, now_us) {
                Ok(Ask::Granted(_)) => return true,
                Ok(Ask::Refused(_)) | Err(TooLarge) => return false,
                Ok(Ask::Write(purchase)) => match store.write(purchase) {
                    Ok(tat_us) => {
                        return {
                            account.moved(purchase, tat_us);
                            true
                        };
                    }
                    Err(tat_us) => account.met(purchase, tat_us, chance),
                },
            }
        }
        false
    }

    /// One thing that happens to one of the instances.
    #[derive(Debug, Clone)]
    enum Event {
        Ask {
            instance: usize,
            permits: u64,
            times: u64,
        },
        Wait {
            millis: u64,
        },
        /// The store deletes what has expired, as its time to live allows.
        Delete,
        /// The instance starts anew and remembers nothing.
        Forget {
            instance: usize,
        },
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => (0..4_usize, 1..4_u64, 1..200_u64).prop_map(|(instance, permits, times)| Event::Ask { instance, permits, times }),
            4 => prop_oneof![0..50_u64, 50..3_000_u64, 3_000..70_000_u64].prop_map(|millis| Event::Wait { millis }),
            1 => Just(Event::Delete),
            1 => (0..4_usize).prop_map(|instance| Event::Forget { instance }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Four instances with clocks that differ, leases, restarts and deletions: no window of a minute of true time holds
        /// more than the published bound.
        #[test]
        fn no_window_holds_more_than_the_published_bound(
            rate in prop_oneof![1..300_u32, 1_000..20_000_u32],
            burst in 1..600_u32,
            skews in prop::array::uniform4(0..=u64::try_from(CLOCK_ERROR.as_micros()).unwrap_or(0) * 2),
            events in prop::collection::vec(event(), 1..60),
        ) {
            let quota = Quota::new(rate, burst);
            let mut accounts: [Account; 4] = Default::default();
            let (mut store, mut true_us, mut chance) = (Store::default(), NOW_US, 1_u64);
            let mut admitted: VecDeque<(u64, u64)> = VecDeque::new();
            for event in events {
                match event {
                    Event::Wait { millis } => true_us += 1_000 * millis,
                    Event::Forget { instance } => accounts[instance] = Account::default(),
                    // A clock that is behind by the error would see the same.
                    Event::Delete if store.expires_at_s * 1_000_000 < true_us => store.tat_us = None,
                    Event::Delete => {}
                    Event::Ask { instance, permits, times } => for _ in 0..times {
                        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let now_us = true_us - micros(CLOCK_ERROR) + skews[instance];
                        if admit(&mut accounts[instance], &mut store, quota, permits, now_us, chance >> 33) {
                            admitted.push_back((true_us, permits));
                        }
                        while admitted.front().is_some_and(|(at, _)| at + micros(WINDOW) < true_us) {
                            admitted.pop_front();
                        }
                        let held: u64 = admitted.iter().map(|(_, permits)| permits).sum();
                        prop_assert!(held <= quota.window_bound(), "{held} of {} with {quota:?}", quota.window_bound());
                        true_us += 500;
                    },
                }
            }
        }
    }

    #[test]
    fn a_busy_caller_with_a_high_limit_costs_few_writes_and_a_quiet_one_takes_little_in_advance() {
        let quota = Quota::new(60_000, 20_000);
        let (mut account, mut store) = (Account::default(), Store::default());
        let admitted = (0..2_000).filter(|n| admit(&mut account, &mut store, quota, 1, NOW_US + n * 1_000, 0)).count();
        assert_eq!(admitted, 2_000);
        assert!(store.writes <= 100, "{}", store.writes);
        let before = store.writes;
        let slow = (1..=10).filter(|n| admit(&mut account, &mut store, quota, 1, NOW_US + n * 10_000_000, 0)).count();
        assert_eq!((slow, store.writes - before), (10, 10));
        assert!(account.lease.size <= 1, "{:?}", account.lease);
    }

    #[test]
    fn a_limit_that_is_not_high_is_spent_one_by_one() {
        let (mut account, mut store) = (Account::default(), Store::default());
        let quota = Quota::new(200, 140);
        let admitted = (0..300).filter(|_| admit(&mut account, &mut store, quota, 1, NOW_US, 0)).count();
        assert_eq!((admitted, store.writes), (105, 105));
    }

    /// Permits that four greedy instances with fast clocks are granted in one minute of true time. Just before it, by `held_us`,
    /// and with slow clocks, each of them takes as many in advance as it can, from an arrival time at the floor.
    fn worst_window(quota: Quota, held_us: u64) -> u64 {
        let (mut accounts, mut store): ([Account; 4], Store) = Default::default();
        let apart_us = micros(CLOCK_ERROR);
        for n in 0..4_000_u32 {
            let account = &mut accounts[n as usize % 4];
            admit(account, &mut store, quota, 1, NOW_US + 2_000 * u64::from(n), 0);
        }
        for account in &mut accounts {
            account.lease.left = 0;
        }
        let tat_us = store.tat_us.expect("it was asked");
        let slack_us = tat_us - Charge::new(quota, 1, tat_us).expect("one fits").floor_us();
        let before_us = tat_us + slack_us + apart_us;
        let take = |account| u64::from(admit(account, &mut store, quota, 1, before_us - apart_us, 0));
        let taken: u64 = accounts.iter_mut().map(take).sum();
        let start_us = before_us + held_us;
        let mut granted = if held_us == 0 { taken } else { 0 };
        for now_us in (start_us..=start_us + micros(WINDOW)).step_by(2_000) {
            for account in &mut accounts {
                while admit(account, &mut store, quota, 1, now_us + apart_us, 0) {
                    granted += 1;
                }
            }
        }
        granted
    }

    #[test]
    fn the_worst_window_comes_near_the_published_bound_and_keeps_it() {
        for (rate, burst) in [(20_000, 400), (20_000, 4_000), (1_000, 4), (600, 40), (200, 140), (60, 1)] {
            let quota = Quota::new(rate, burst);
            for held_us in [0, 800_000, 30_000_000] {
                let granted = worst_window(quota, held_us);
                assert!(granted <= quota.window_bound(), "{granted} of {quota:?}, {held_us} us");
                // After half a minute the arrival time has to be reset, which costs a quarter of the burst.
                let is_worst = held_us < 30_000_000;
                let is_near = quota.window_bound() * 9 <= granted * 10;
                assert!(!is_worst || is_near, "{granted} of {quota:?} shows nothing, {held_us} us");
            }
        }
    }

    #[test]
    fn a_caller_whose_item_expired_is_admitted() {
        let (quota, mut account, mut store) = (Quota::new(60, 4), Account::default(), Store::default());
        assert!(admit(&mut account, &mut store, quota, 1, NOW_US, 0));
        store.tat_us = None;
        assert!(admit(&mut account, &mut store, quota, 1, NOW_US + 3_600_000_000, 0));
    }

    #[test]
    fn what_memory_refuses_it_refuses_without_spending() {
        let (quota, mut account, mut store) = (Quota::new(60, 4), Account::default(), Store::default());
        assert_eq!(account.refusal(quota, 1, NOW_US), None);
        while admit(&mut account, &mut store, quota, 1, NOW_US, 0) {}
        let wait = account.refusal(quota, 1, NOW_US).expect("it is over its quota");
        assert_eq!(account.refusal(quota, 1, NOW_US + micros(wait)), None);
        let mut flooded = Account::default();
        flooded.flooded(2, NOW_US);
        assert_eq!(flooded.refusal(quota, 2, NOW_US), Some(Duration::from_secs(1)));
        assert_eq!([flooded.refusal(quota, 1, NOW_US), flooded.refusal(quota, 2, NOW_US + 1_000_000)], [None; 2]);
    }

    #[test]
    fn requests_beside_the_one_that_takes_the_last_permit_do_not_ask_in_vain() {
        let (quota, mut account, mut store) = (Quota::new(60, 4), Account::default(), Store::default());
        assert!(admit(&mut account, &mut store, quota, 2, NOW_US, 0));
        let Ok(Ask::Write(last)) = account.ask(quota, 1, NOW_US) else { panic!("one is left") };
        account.set_out(last);
        assert!(matches!(account.ask(quota, 1, NOW_US), Ok(Ask::Refused(wait)) if Duration::ZERO < wait));
        // The answer was lost: nothing is known to be spent.
        account.landed(last);
        assert!(matches!(account.ask(quota, 1, NOW_US), Ok(Ask::Write(_))));
    }

    #[test]
    fn a_refused_batch_does_not_hold_up_a_single_request() {
        let quota = Quota::new(60, 40);
        let ([mut rival, mut account], mut store): ([Account; 2], Store) = Default::default();
        assert!(admit(&mut rival, &mut store, quota, 20, NOW_US, 0));
        // Only the store knows what the rival spent.
        assert!(!admit(&mut account, &mut store, quota, 20, NOW_US, 0));
        assert!(admit(&mut account, &mut store, quota, 1, NOW_US, 0));
    }

    #[test]
    fn a_refused_caller_is_asked_about_less_and_less_and_admitted_when_it_waits_as_told() {
        let quota = Quota::new(60, 4);
        let (mut account, mut store) = (Account::default(), Store::default());
        while admit(&mut account, &mut store, quota, 1, NOW_US, 0) {}
        // Another instance spends whatever becomes free.
        let mut rival = Account::default();
        let before = store.writes;
        for n in 0..60_000 {
            admit(&mut rival, &mut store, quota, 1, NOW_US + n * 1_000, 0);
            admit(&mut account, &mut store, quota, 1, NOW_US + n * 1_000, n * 7_919);
        }
        assert!(store.writes - before < 60 + 40, "{}", store.writes - before);
        let Ok(Ask::Refused(wait)) = account.ask(quota, 1, NOW_US + 60_000_000) else { panic!("it is over its quota") };
        assert!(admit(&mut account, &mut store, quota, 1, NOW_US + 60_000_000 + micros(wait) + 6_000_000, 0));
    }
}
