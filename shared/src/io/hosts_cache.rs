//! What DNS said about domains, for as long as it is believed. Bounded in entries, each of which is bounded in octets.

use std::{hash::Hash, time::Duration};

use tokio::time::Instant;

use crate::{generations::Generations, mail_hosts::Hosts};

/// No answer is believed for longer than this, whatever its TTL says.
pub(super) const LONGEST_TTL: Duration = Duration::from_secs(3_600);

/// "No such name" and its like are asked again after this: somebody may just have set the domain up.
pub(super) const LONGEST_NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// A TTL of 0 is for whoever asked; all items of a batch did.
const SHORTEST_TTL: Duration = Duration::from_secs(1);

/// How long something is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lifetime(Duration);

impl Lifetime {
    /// Nobody answered.
    pub(super) const NONE: Self = Self(Duration::ZERO);
    /// Something is missing, or not known.
    pub(super) const OF_GAPS: Self = Self(LONGEST_NEGATIVE_TTL);
    pub(super) const LONGEST: Self = Self(LONGEST_TTL);

    pub(super) fn of_records(ttl: Duration) -> Self {
        Self(ttl.clamp(SHORTEST_TTL, LONGEST_TTL))
    }

    /// Of what rests on both.
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

/// What nobody asks for is forgotten first.
#[derive(Debug)]
pub(super) struct HostsCache<Q> {
    entries: Generations<Q, Entry>,
}

#[derive(Debug)]
struct Entry {
    hosts: Hosts,
    until: Instant,
}

impl<Q: Eq + Hash> HostsCache<Q> {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: Generations::new(most) }
    }

    pub(super) fn get(&mut self, question: &Q, now: Instant) -> Option<Hosts> {
        self.entries.get(question).filter(|entry| now < entry.until).map(|entry| entry.hosts.clone())
    }

    pub(super) fn insert(&mut self, question: Q, hosts: &Hosts, lifetime: Lifetime, now: Instant) {
        if lifetime != Lifetime::NONE {
            self.entries.insert(question, Entry { hosts: hosts.clone(), until: now + lifetime.0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail_hosts::MailHosts;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_is_believed_for_its_ttl_within_bounds() {
        let hosts = Hosts::from(MailHosts::NullMx);
        for (lifetime, seconds) in [
            (Lifetime::of_records(Duration::ZERO), 1),
            (Lifetime::of_records(SECOND * 300), 300),
            (Lifetime::of_records(SECOND * 86_400), 3_600),
            (Lifetime::of_records(SECOND * 300).and(Lifetime::OF_GAPS), 60),
            (Lifetime::of_records(SECOND * 300).and(Lifetime::NONE), 0),
        ] {
            let (mut cache, now) = (HostsCache::new(10), Instant::now());
            cache.insert("x.example", &hosts, lifetime, now);
            assert_eq!(cache.get(&"x.example", now + SECOND * seconds), None, "{lifetime:?}");
            let last = (0 < seconds).then(|| now + SECOND * seconds - Duration::from_millis(1));
            assert_eq!(
                last.and_then(|last| cache.get(&"x.example", last)),
                last.map(|_| hosts.clone()),
                "{lifetime:?}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_again_and_again_outlives_a_flood() {
        let (mut cache, now) = (HostsCache::new(100), Instant::now());
        let hosts = Hosts::from(MailHosts::NoMailHost);
        cache.insert(0, &hosts, Lifetime::LONGEST, now);
        cache.insert(1, &hosts, Lifetime::LONGEST, now);
        for name in 2..10_000 {
            cache.insert(name, &hosts, Lifetime::LONGEST, now);
            assert!(cache.get(&0, now).is_some(), "{name}");
        }
        assert_eq!(cache.get(&1, now), None);
    }
}
