//! Sources that show credentials which nobody knows: an instance looks few of these up.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use gatepost::{
    io::table::unix_micros,
    ip_prefix::IpPrefix,
    local_limit::LocalLimit,
    rate_limit::{Charge, Quota},
};

use crate::gate::Policy;

/// Sources remembered per instance.
const REMEMBERED: usize = 20_000;

/// How often each source was refused lately. By source and never by key: else an outsider could lock a client out.
pub(crate) struct Failures {
    quota: Quota,
    by_source: Mutex<LocalLimit<IpPrefix>>,
}

impl Failures {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { quota: Quota::new(per_minute, per_minute), by_source: Mutex::new(LocalLimit::new(REMEMBERED)) }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy { name: "failures", quota: self.quota }
    }

    /// How long a source has to wait before something unknown is looked up for it.
    pub(crate) fn wait(&self, source: IpPrefix, now: SystemTime) -> Option<Duration> {
        self.by_source().wait(&source, &self.charge(now)?)
    }

    /// Notes that a source was refused.
    pub(crate) fn note(&self, source: IpPrefix, now: SystemTime) {
        if let Some(charge) = self.charge(now) {
            // Over the limit there is nothing to note.
            let _ = self.by_source().spend(source, &charge);
        }
    }

    fn charge(&self, now: SystemTime) -> Option<Charge> {
        Charge::new(self.quota, 1, unix_micros(now))
    }

    fn by_source(&self) -> MutexGuard<'_, LocalLimit<IpPrefix>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
