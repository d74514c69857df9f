//! What instances keep of memory, as long as they live.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::site::Site;

/// The memory of one process, in the order of time.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) program: &'static str,
    pub(crate) limit_kb: u64,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) resident_kb: u64,
    /// Invocations that it answered by then.
    pub(crate) answered: usize,
}

/// Before, an instance has not seen everything once.
const WARM_AFTER: usize = 3;

/// Fewer say nothing about growth.
const FEWEST_SAMPLES: usize = 24;

impl Memory {
    pub(crate) fn most(&self) -> u64 {
        most(&self.samples)
    }

    /// The most in the first two thirds of its life, and in the last; `None` for a life that was short, or spent waiting.
    pub(crate) fn growth_kb(&self) -> Option<(u64, u64)> {
        let (before, after) = self.samples.split_at(2 * self.samples.len() / 3);
        let is_warm = before.last().is_some_and(|sample| WARM_AFTER <= sample.answered);
        (FEWEST_SAMPLES <= self.samples.len() && is_warm).then(|| (most(before), most(after)))
    }
}

fn most(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.resident_kb).max().unwrap_or_default()
}

/// Looks at everyone who lives, again and again until `ends`.
pub(crate) async fn watch(site: Arc<Site>, every: Duration, ends: Instant) -> Vec<Memory> {
    let mut watched: BTreeMap<u32, Memory> = BTreeMap::new();
    while Instant::now() < ends {
        for fleet in site.fleets() {
            for instance in fleet.living() {
                let Some(resident_kb) = resident_kb(instance.process_id()) else { continue };
                let sample = Sample { resident_kb, answered: fleet.answered_by(instance.process_id()) };
                let (program, limit_kb) = (fleet.deployed.program, fleet.deployed.memory_mb * 1024);
                let new = || Memory { program, limit_kb, samples: Vec::new() };
                watched.entry(instance.process_id()).or_insert_with(new).samples.push(sample);
            }
        }
        sleep(every).await;
    }
    watched.into_values().collect()
}

/// `None` when the process has ended.
fn resident_kb(process_id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
