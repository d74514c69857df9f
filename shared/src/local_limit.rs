//! A rate limit in the memory of one instance, for what no table is asked about.

use std::{borrow::Borrow, hash::Hash, time::Duration};

use crate::{
    generations::Generations,
    rate_limit::{Charge, Remaining, Step},
};

/// Theoretical arrival times, in Unix microseconds, by whoever is limited.
#[derive(Debug)]
pub struct LocalLimit<K> {
    tats_us: Generations<K, u64>,
}

impl<K: Eq + Hash> LocalLimit<K> {
    /// Remembers at most `most`; forgetting one gives it its burst back.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { tats_us: Generations::new(most) }
    }

    /// How long `who` has to wait until the charge fits.
    pub fn wait<Q: Eq + Hash + ?Sized>(&mut self, who: &Q, charge: &Charge) -> Option<Duration>
    where
        K: Borrow<Q>,
    {
        match charge.step(self.tats_us.get(who).copied()) {
            Step::Refuse(wait) => Some(wait),
            Step::Write(_) => None,
        }
    }

    /// Spends the charge.
    ///
    /// # Errors
    /// How long to wait.
    pub fn spend(&mut self, who: K, charge: &Charge) -> Result<Remaining, Duration> {
        if let Some(wait) = self.wait(&who, charge) {
            return Err(wait);
        }
        let tat_us = self.tats_us.get(&who).map_or(0, |tat_us| *tat_us).max(charge.now_us()) + charge.increment_us();
        self.tats_us.insert(who, tat_us);
        Ok(charge.remaining(tat_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::Quota;

    const NOW_US: u64 = 1_800_000_000_000_000;

    #[test]
    fn each_has_a_limit_of_its_own_and_waiting_as_told_helps() {
        let mut limit = LocalLimit::new(100);
        let charge = |now_us| Charge::new(Quota::new(60, 4), 1, now_us).expect("one permit fits");
        for _ in 0..3 {
            assert_eq!(limit.wait("a", &charge(NOW_US)), None);
            limit.spend("a", &charge(NOW_US)).expect("three quarters of the burst at once");
        }
        let wait = limit.spend("a", &charge(NOW_US)).expect_err("it is spent");
        assert_eq!(limit.wait("a", &charge(NOW_US)), Some(wait));
        assert_eq!(limit.wait("b", &charge(NOW_US)), None);
        let wait_us = u64::try_from(wait.as_micros()).expect("a second or so");
        limit.spend("a", &charge(NOW_US + wait_us)).expect("it waited");
    }
}
