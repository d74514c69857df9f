//! What a drill says in the end.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    time::Duration,
};

use super::{
    evidence::Found,
    invariants::Invariant,
    load::Noted,
    plan::{Episode, census},
    site::Site,
};
use std::sync::atomic::Ordering;

/// Breaches of one invariant that are shown.
const SHOWN: usize = 5;

pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) storm: Duration,
    pub(crate) episodes: Vec<Episode>,
    pub(crate) noted: Noted,
    /// Dispositions by how many messages have them.
    pub(crate) dispositions: BTreeMap<String, usize>,
    /// What a fault struck, by the way that it took.
    pub(crate) struck: Vec<(&'static str, usize)>,
    pub(crate) scans: BTreeMap<String, usize>,
    /// Rounds that everything took to come to rest.
    pub(crate) rounds: usize,
    pub(crate) memory: BTreeMap<&'static str, (usize, u64)>,
    pub(crate) invariants: Vec<Invariant>,
}

pub(crate) fn struck(site: &Site) -> Vec<(&'static str, usize)> {
    vec![
        ("questions to DNS", site.dns.faulty()),
        ("connections to DynamoDB", site.table.faulty()),
        ("connections to S3", site.bucket.faulty()),
        ("connections to SNS", site.topic.faulty()),
        ("connections to Lambda", site.invocations.faulty()),
        ("inspectors killed", site.inspect.killed()),
        ("inspecting children killed", site.children_killed.load(Ordering::Relaxed)),
        ("verifiers killed", site.verify.killed()),
    ]
}

pub(crate) fn dispositions(found: &Found) -> BTreeMap<String, usize> {
    let mut dispositions = BTreeMap::new();
    for entry in found.entries.values().filter_map(|entries| entries.first()) {
        let disposition = entry.disposition.clone().unwrap_or_else(|| "none".to_owned());
        *dispositions.entry(disposition).or_default() += 1;
    }
    dispositions
}

/// Instances by program, and the largest of them in kB.
pub(crate) fn memory(found: &Found) -> BTreeMap<&'static str, (usize, u64)> {
    let mut programs: BTreeMap<&'static str, (usize, u64)> = BTreeMap::new();
    for memory in &found.memory {
        let (instances, most) = programs.entry(memory.program).or_default();
        (*instances, *most) = (*instances + 1, memory.most().max(*most));
    }
    programs
}

impl Report {
    pub(crate) fn is_broken(&self) -> bool {
        self.invariants.iter().any(|invariant| !invariant.breaches.is_empty())
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "drill: seed {}, {} s of storm", self.seed, self.storm.as_secs())?;
        writeln!(out, "\n{} faults by kind:", self.episodes.len())?;
        for (kind, times) in census(&self.episodes) {
            writeln!(out, "  {:26} {times:6}", format!("{kind:?}"))?;
        }
        table(out, "struck by them", self.struck.iter().map(|(what, times)| (*what, *times)))?;
        table(out, "requests by status", self.noted.requests.iter().map(|(what, times)| (what.as_str(), *times)))?;
        table(out, "events by answer", self.noted.events.iter().map(|(what, times)| (what.as_str(), *times)))?;
        table(out, "scans", self.scans.iter().map(|(what, times)| (what.as_str(), *times)))?;
        table(out, "messages by disposition", self.dispositions.iter().map(|(what, times)| (what.as_str(), *times)))?;
        writeln!(out, "\nat rest after {} rounds\n\nmemory:", self.rounds)?;
        for (program, (instances, most)) in &self.memory {
            writeln!(out, "  {program:26} {instances:6} instances, {most} kB at most")?;
        }
        writeln!(out, "\ninvariants:")?;
        for Invariant { name, figure, breaches } in &self.invariants {
            let verdict = if breaches.is_empty() { "holds" } else { "BROKEN" };
            writeln!(out, "  {verdict:6} {name} ({figure})")?;
            for breach in breaches.iter().take(SHOWN) {
                writeln!(out, "           {breach}")?;
            }
            if SHOWN < breaches.len() {
                writeln!(out, "           and {} more", breaches.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

fn table<'r>(out: &mut Formatter<'_>, title: &str, rows: impl Iterator<Item = (&'r str, usize)>) -> fmt::Result {
    writeln!(out, "\n{title}:")?;
    for (what, times) in rows {
        writeln!(out, "  {what:26} {times:6}")?;
    }
    Ok(())
}
