//! What instances keep of memory, as long as they live.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::site::Site;

/// The memory of one process, in kB, in the order of time.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) program: &'static str,
    pub(crate) limit_kb: u64,
    pub(crate) samples: Vec<u64>,
}

/// Fewer say nothing about growth.
const FEWEST_SAMPLES: usize = 24;

impl Memory {
    pub(crate) fn most(&self) -> u64 {
        self.samples.iter().copied().max().unwrap_or_default()
    }

    /// What the last third of its life has on the second, by their medians; `None` for a short life.
    pub(crate) fn growth_kb(&self) -> Option<(u64, u64)> {
        let third = self.samples.len() / 3;
        let of = |from: usize| median(&self.samples[from..from + third]);
        (FEWEST_SAMPLES <= self.samples.len()).then(|| (of(third), of(2 * third)))
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// Looks at everyone who lives, again and again until `ends`.
pub(crate) async fn watch(site: Arc<Site>, every: Duration, ends: Instant) -> Vec<Memory> {
    let mut watched: BTreeMap<u32, Memory> = BTreeMap::new();
    while Instant::now() < ends {
        for fleet in site.fleets() {
            for instance in fleet.living() {
                let Some(resident) = resident_kb(instance.process_id()) else { continue };
                let (program, limit_kb) = (fleet.deployed.program, fleet.deployed.memory_mb * 1024);
                let new = || Memory { program, limit_kb, samples: Vec::new() };
                watched.entry(instance.process_id()).or_insert_with(new).samples.push(resident);
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
