//! What is sent when: steady traffic, a surge of ten times as much, an attack inside the surge, and whether it recovers.
//!
//! A schedule that waits for no answer: what is late is late by the server's fault and counts (no coordinated omission).
//! The same numbers give the same schedule.

use std::time::Duration;

use serde::Serialize;

/// The surge is so many times the steady rate.
const SURGE: f64 = 10.0;

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Steady,
    Surge,
    /// The surge goes on.
    Attack,
    Recovery,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One address.
    Validate,
    /// Ten addresses.
    Batch,
    Posture,
    /// A body that is no question.
    Malformed,
    /// A well-formed API key that nobody was given.
    GuessedKey,
    /// One customer with ten times what it may.
    HotKey,
    /// More header fields than anybody needs.
    HeaderFlood,
}

/// A request of the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// After the start.
    pub at: Duration,
    pub phase: Phase,
    pub kind: Kind,
    /// Random, and the same in each run: decides who asks about what.
    pub chance: u64,
}

/// How much, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Requests a second while it is steady.
    pub rate: u32,
    pub seconds: u32,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Steady, Self::Surge, Self::Attack, Self::Recovery];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Surge => "surge",
            Self::Attack => "attack",
            Self::Recovery => "recovery",
        }
    }

    /// Part of the run, in percent.
    fn share(self) -> u32 {
        match self {
            Self::Steady => 40,
            Self::Surge | Self::Recovery => 15,
            Self::Attack => 30,
        }
    }

    /// Requests of customers, and of attackers of each kind, in multiples of the steady rate.
    fn rates(self) -> (f64, &'static [(Kind, f64)]) {
        match self {
            Self::Steady | Self::Recovery => (1.0, &[]),
            Self::Surge => (SURGE, &[]),
            Self::Attack => (SURGE, &[(Kind::GuessedKey, 2.0), (Kind::HotKey, 1.0), (Kind::HeaderFlood, 0.5)]),
        }
    }
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Batch => "batch",
            Self::Posture => "posture",
            Self::Malformed => "malformed",
            Self::GuessedKey => "guessed_key",
            Self::HotKey => "hot_key",
            Self::HeaderFlood => "header_flood",
        }
    }

    /// Whether this is what such a request should be answered with.
    #[must_use]
    pub fn expects(self, status: u16) -> bool {
        match self {
            Self::Validate | Self::Batch | Self::Posture => status == 200,
            Self::Malformed => status == 400,
            Self::GuessedKey => matches!(status, 401 | 429),
            Self::HotKey => matches!(status, 200 | 429),
            Self::HeaderFlood => (400..500).contains(&status),
        }
    }

    /// What customers ask, in per mille.
    fn of_customer(per_mille: u64) -> Self {
        match per_mille {
            0..40 => Self::Batch,
            40..45 => Self::Posture,
            45..60 => Self::Malformed,
            _ => Self::Validate,
        }
    }
}

impl Scenario {
    /// What the hot key may, in requests a minute: a tenth of what is sent with it.
    #[must_use]
    pub fn hot_requests_per_minute(self) -> u32 {
        (6 * self.rate).max(1)
    }

    /// Requests a minute of all customers at the height of the surge.
    #[must_use]
    pub fn surge_per_minute(self) -> u32 {
        600 * self.rate
    }

    /// The schedule in order, made as it is asked for.
    pub fn requests(self) -> impl Iterator<Item = Due> {
        let mut begun = Duration::ZERO;
        Phase::ALL.into_iter().enumerate().flat_map(move |(index, phase)| {
            let start = begun;
            begun += Duration::from_secs(u64::from(self.seconds)) * phase.share() / 100;
            self.requests_of(phase, start, begun, index as u64)
        })
    }

    fn requests_of(self, phase: Phase, start: Duration, end: Duration, seed: u64) -> impl Iterator<Item = Due> {
        let (of_customers, attacks) = phase.rates();
        let total = of_customers + attacks.iter().map(|(_, rate)| rate).sum::<f64>();
        let per_second = total * f64::from(self.rate.max(1));
        let mut at = start;
        (0_u64..).map_while(move |serial| {
            // Gaps of a Poisson process: independent people, not a metronome.
            at += Duration::from_secs_f64(-(1.0 - fraction(mixed(seed << 48 | serial << 2))).ln() / per_second);
            let chance = mixed(seed << 48 | serial << 2 | 1);
            let whose = total * fraction(mixed(seed << 48 | serial << 2 | 2));
            let kind = attacker(whose - of_customers, attacks).unwrap_or(Kind::of_customer(chance % 1_000));
            (at < end).then_some(Due { at, phase, kind, chance: chance / 1_000 })
        })
    }
}

/// `None` for a customer.
fn attacker(mut beyond: f64, attacks: &[(Kind, f64)]) -> Option<Kind> {
    if beyond < 0.0 {
        return None;
    }
    let found = attacks.iter().find(|(_, rate)| {
        beyond -= rate;
        beyond < 0.0
    });
    found.or(attacks.last()).map(|(kind, _)| *kind)
}

/// A random number that depends on nothing but `seed` (the finaliser of SplitMix64).
#[must_use]
pub fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// In [0, 1).
fn fraction(random: u64) -> f64 {
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn counts() -> BTreeMap<(Phase, Kind), u32> {
        let mut counts = BTreeMap::new();
        for due in (Scenario { rate: 100, seconds: 100 }).requests() {
            *counts.entry((due.phase, due.kind)).or_default() += 1;
        }
        counts
    }

    /// Within five standard deviations.
    #[track_caller]
    fn about(expected: f64, count: Option<&u32>) {
        let count = f64::from(*count.expect("some"));
        assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{count}, not about {expected}");
    }

    #[test]
    fn the_surge_is_ten_times_the_steady_rate_and_the_attack_comes_on_top() {
        let counts = counts();
        about(0.94 * 4_000.0, counts.get(&(Phase::Steady, Kind::Validate)));
        about(0.94 * 15_000.0, counts.get(&(Phase::Surge, Kind::Validate)));
        about(0.94 * 30_000.0, counts.get(&(Phase::Attack, Kind::Validate)));
        about(0.94 * 1_500.0, counts.get(&(Phase::Recovery, Kind::Validate)));
        about(0.04 * 30_000.0, counts.get(&(Phase::Attack, Kind::Batch)));
        about(2.0 * 3_000.0, counts.get(&(Phase::Attack, Kind::GuessedKey)));
        about(1.0 * 3_000.0, counts.get(&(Phase::Attack, Kind::HotKey)));
        about(0.5 * 3_000.0, counts.get(&(Phase::Attack, Kind::HeaderFlood)));
        assert!(counts.keys().all(|(phase, kind)| *phase == Phase::Attack || *kind <= Kind::Malformed));
    }

    #[test]
    fn the_hot_key_is_used_ten_times_as_much_as_it_may() {
        let scenario = Scenario { rate: 100, seconds: 100 };
        about(
            10.0 * f64::from(scenario.hot_requests_per_minute()) * 30.0 / 60.0,
            counts().get(&(Phase::Attack, Kind::HotKey)),
        );
    }

    #[test]
    fn the_schedule_is_in_order_and_ends_in_time() {
        let schedule: Vec<Due> = (Scenario { rate: 20, seconds: 10 }).requests().collect();
        assert!(schedule.is_sorted_by_key(|due| (due.at, due.phase)));
        assert!(schedule.last().expect("some").at < Duration::from_secs(10));
    }
}
