//! What the requests of a scenario ask, and with whose key.

use axum::{
    body::Bytes,
    http::{Method, Request, Uri, request::Builder},
};
use gatepost::api_key::{ApiKey, ENTROPY_LEN};
use http_body_util::Full;
use serde_json::json;

use super::scenario::{Due, Kind, Scenario, mixed};

/// Customers with much traffic, who have four fifths of it, and all customers.
const LARGE: usize = 4;
const CUSTOMERS: usize = 32;

/// Addresses of a batch, and what a posture costs.
const BATCH: u64 = 10;
const POSTURE: u64 = 10;

/// Permits that a request of a customer costs on average, rounded up: most cost one, one of 25 costs ten.
const PERMITS_PER_REQUEST: f64 = 1.5;

/// So much more than it needs a customer may, as traffic is not even.
const HEADROOM: f64 = 2.0;

/// Tells the local stack where a request is to come from.
const SOURCE_IP: &str = "x-local-source-ip";

/// Header fields of a flood; API Gateway takes 10,240 octets of them in all.
const FLOOD_FIELDS: u64 = 300;

/// Domains that the zone of the local stack knows.
const KNOWN: [&str; 7] = [
    "example.com",
    "example.net",
    "example.org",
    "mail.example",
    "implicit.example",
    "nullmx.example",
    "loopback.example",
];

/// What is no address.
const MALFORMED: [&str; 5] = ["ann", "ann@", "@example.com", "ann..b@example.com", "ann@exa mple.com"];

/// The keys of everybody who calls: customers first, the hot key last.
pub struct Traffic {
    keys: Vec<String>,
}

/// What a key is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub requests_per_minute: u32,
    pub burst: u32,
}

impl Traffic {
    /// `keys` has one for each of [`Self::shares`].
    #[must_use]
    pub fn new(keys: Vec<String>) -> Self {
        Self { keys }
    }

    /// What the callers of a scenario may: customers more than they need, the hot key a tenth.
    #[must_use]
    pub fn shares(scenario: Scenario) -> Vec<Share> {
        let customer = |index: usize| {
            let (part, among) = if index < LARGE { (0.8, LARGE) } else { (0.2, CUSTOMERS - LARGE) };
            let needed = f64::from(scenario.surge_per_minute()) * part / among as f64 * PERMITS_PER_REQUEST;
            let rate = (HEADROOM * needed) as u32;
            Share { requests_per_minute: rate.max(200), burst: rate.max(140) }
        };
        let hot = scenario.hot_requests_per_minute();
        (0..CUSTOMERS).map(customer).chain([Share { requests_per_minute: hot, burst: (hot / 6).max(4) }]).collect()
    }

    #[must_use]
    pub fn callers(&self) -> usize {
        self.keys.len()
    }

    /// Who asks, and the request; `None` for a URL that cannot be asked.
    #[must_use]
    pub fn request(&self, url: &Uri, due: Due) -> (usize, Option<Request<Full<Bytes>>>) {
        let caller = self.caller(due);
        let api_key = match due.kind {
            Kind::GuessedKey => guessed(due.chance),
            _ => self.keys.get(caller).cloned().unwrap_or_default(),
        };
        let request = asking(url, due).and_then(|(request, body)| {
            request.header("x-api-key", api_key).header(SOURCE_IP, source(due, caller)).body(body).ok()
        });
        (caller, request)
    }

    fn caller(&self, due: Due) -> usize {
        let chance = mixed(due.chance);
        let among = |from: usize, to: usize| from + (chance / 5 % (to - from) as u64) as usize;
        match (due.kind, chance % 5) {
            (Kind::HotKey, _) => self.keys.len().saturating_sub(1),
            (_, 0) => among(LARGE, CUSTOMERS),
            _ => among(0, LARGE),
        }
    }
}

/// Attackers have addresses of their own, as customers have.
fn source(due: Due, caller: usize) -> String {
    match due.kind {
        Kind::GuessedKey | Kind::HeaderFlood => format!("203.0.113.{}", due.chance % 8),
        _ => format!("192.0.2.{caller}"),
    }
}

/// Permits that an admitted request costs.
#[must_use]
pub fn permits(kind: Kind) -> u64 {
    match kind {
        Kind::Batch => BATCH,
        Kind::Posture => POSTURE,
        Kind::Validate | Kind::HotKey => 1,
        Kind::Malformed | Kind::GuessedKey | Kind::HeaderFlood => 0,
    }
}

/// The request without its key.
fn asking(url: &Uri, due: Due) -> Option<(Builder, Full<Bytes>)> {
    let (method, path, body) = match due.kind {
        Kind::Posture => (Method::GET, "/v1/domains/example.com/posture", String::new()),
        Kind::Batch => (Method::POST, "/v1/validate/batch", batch(due.chance)),
        Kind::Malformed => (Method::POST, "/v1/validate", "{\"email\": 5}".to_owned()),
        Kind::Validate | Kind::GuessedKey | Kind::HotKey | Kind::HeaderFlood => {
            (Method::POST, "/v1/validate", question(due.chance))
        }
    };
    let uri = Uri::builder().scheme(url.scheme_str()?).authority(url.authority()?.as_str()).path_and_query(path);
    let mut request =
        Request::builder().method(method).uri(uri.build().ok()?).header("content-type", "application/json");
    if due.kind == Kind::HeaderFlood {
        for field in 0..FLOOD_FIELDS {
            request = request.header(format!("x-flood-{field}"), "0123456789abcdef");
        }
    }
    Some((request, Full::from(body)))
}

fn question(chance: u64) -> String {
    let flow = match chance % 10 {
        0..6 => "signup",
        6 | 7 => "login",
        8 => "password_reset",
        _ => "newsletter",
    };
    let email = address(mixed(chance));
    // Every other one names its end user, of which there are many.
    let client_ip = format!("2001:db8:{:x}:{:x}::1", chance >> 16 & 0xff, chance >> 24 & 0xff);
    match chance >> 8 & 1 {
        0 => json!({"email": email, "flow": flow, "client_ip": client_ip}).to_string(),
        _ => json!({"email": email, "flow": flow}).to_string(),
    }
}

fn batch(chance: u64) -> String {
    let emails: Vec<String> = (0..BATCH).map(|index| address(mixed(chance.wrapping_add(index)))).collect();
    json!({"emails": emails}).to_string()
}

/// Mostly an address at a domain that exists; some at one that does not, so that not every answer is in a cache; some that
/// are none.
fn address(chance: u64) -> String {
    let (choice, rest) = (chance % 100, chance / 100);
    let of = |list: &[&'static str]| list.get((rest % list.len() as u64) as usize).copied().unwrap_or_default();
    match choice {
        0..8 => of(&MALFORMED).to_owned(),
        8..20 => format!("user{}@shop{}.example.org", rest % 1_000, rest % 5_000),
        _ => format!("user{}@{}", rest % 100_000, of(&KNOWN)),
    }
}

/// Right in shape and checksum: the store has to be asked, or memory.
fn guessed(chance: u64) -> String {
    let mut entropy = [0; ENTROPY_LEN];
    for (index, octets) in entropy.chunks_mut(8).enumerate() {
        let random = mixed(chance.wrapping_add(index as u64)).to_le_bytes();
        octets.iter_mut().zip(random).for_each(|(octet, random)| *octet = random);
    }
    ApiKey::from_entropy(entropy).reveal()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::load::scenario::Phase;

    const SCENARIO: Scenario = Scenario { rate: 50, seconds: 120 };

    fn traffic() -> Traffic {
        Traffic::new((0..=CUSTOMERS).map(|index| format!("key {index}")).collect())
    }

    /// Permits of the minute of the surge in which each caller asks for most, if all were granted.
    fn wanted(phases: &[Phase]) -> HashMap<usize, u64> {
        let mut wanted: HashMap<(usize, u64), u64> = HashMap::new();
        for due in SCENARIO.requests().filter(|due| phases.contains(&due.phase)) {
            *wanted.entry((traffic().caller(due), due.at.as_secs() / 60)).or_default() += permits(due.kind);
        }
        let mut most: HashMap<usize, u64> = HashMap::new();
        for ((caller, _), permits) in wanted {
            let known = most.entry(caller).or_default();
            *known = permits.max(*known);
        }
        most
    }

    #[test]
    fn customers_stay_within_what_they_may_and_the_hot_key_does_not() {
        let shares = Traffic::shares(SCENARIO);
        let wanted = wanted(&Phase::ALL);
        for (caller, share) in shares.iter().enumerate() {
            let wanted = wanted.get(&caller).copied().unwrap_or_default();
            let may = u64::from(share.requests_per_minute);
            assert_eq!(caller == CUSTOMERS, may < wanted, "{caller}: {wanted} of {may}");
        }
    }

    #[test]
    fn a_guessed_key_passes_the_checksum_and_is_another_each_time() {
        let (one, other) = (guessed(1), guessed(2));
        assert!(ApiKey::parse(&one).is_some() && ApiKey::parse(&other).is_some());
        assert_ne!(one, other);
    }

    #[test]
    fn requests_go_to_the_stack_that_was_named() {
        let url: Uri = "http://127.0.0.1:3000".parse().expect("a URL");
        for due in SCENARIO.requests().take(2_000) {
            let (_, request) = traffic().request(&url, due);
            let uri = request.expect("a request").uri().to_string();
            assert!(uri.starts_with("http://127.0.0.1:3000/v1/"), "{uri}");
        }
    }
}
