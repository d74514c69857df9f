//! Who stands behind a count: the most frequent names, and how many different ones there were, in bounded space.
//!
//! Names come from strangers, so neither may grow with them. [`Crowd`] is what one instance keeps: the 16 most frequent
//! names by Space-Saving (Metwally, Agrawal, El Abbadi 2005), and a HyperLogLog sketch of 256 registers (Flajolet et al.
//! 2007). [`Standing`] adds crowds up.
//!
//! Error: a name's count is never overstated, and understated by at most a sixteenth of all that the instances counted (an
//! eighth where one instance absorbed what it counted late).
//! The number of different names has a standard error of 6.5 %, and is nearly exact below a hundred.

use std::collections::BTreeMap;

/// Names kept with their counts.
const TOP: usize = 16;

/// Registers of the sketch; the first 8 bits of a hash choose one.
const REGISTERS: usize = 256;
const INDEX_BITS: u32 = 8;

/// A longer name is counted by its beginning: strangers choose names, and an item has an end.
const MAX_NAME_OCTETS: usize = 100;

/// Begins what [`Crowd::encode`] writes.
const VERSION: u8 = 1;

/// One instance's view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crowd {
    top: Vec<Frequent>,
    seen: Sketch,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Frequent {
    name: Box<str>,
    count: u64,
    /// What of the count may belong to names that were here before.
    overstated: u64,
}

/// The view of all instances together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    counts: BTreeMap<Box<str>, u64>,
    seen: Sketch,
}

/// Counts different hashes. Each register holds the highest rank seen: 1 + the number of leading zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Absent until the first hash; most series never need it.
    registers: Option<Box<[u8; REGISTERS]>>,
}

impl Crowd {
    /// `hash` is a hash of `name` that is the same on all instances, and that strangers cannot foretell.
    pub fn add(&mut self, name: &str, hash: u64) {
        self.seen.add(hash);
        let name = name.get(..name.floor_char_boundary(MAX_NAME_OCTETS)).unwrap_or_default();
        if let Some(known) = self.top.iter_mut().find(|known| *known.name == *name) {
            known.count += 1;
        } else if self.top.len() < TOP {
            self.top.push(Frequent { name: name.into(), count: 1, overstated: 0 });
        } else if let Some(rarest) = self.top.iter_mut().min_by_key(|known| known.count) {
            *rarest = Frequent { name: name.into(), count: rarest.count + 1, overstated: rarest.count };
        }
    }

    /// Counts what another crowd counted as well.
    pub fn absorb(&mut self, other: &Self) {
        self.seen.absorb(&other.seen);
        for more in &other.top {
            match self.top.iter_mut().find(|known| known.name == more.name) {
                Some(known) => {
                    known.count += more.count;
                    known.overstated += more.overstated;
                }
                None => self.top.push(more.clone()),
            }
        }
        self.top.sort_by_key(|known| std::cmp::Reverse(known.count));
        self.top.truncate(TOP);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.top.is_empty()
    }

    /// At most 2.1 kB; about 300 octets for domains.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = vec![VERSION];
        self.seen.encode(&mut octets);
        for Frequent { name, count, overstated } in &self.top {
            octets.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            octets.extend_from_slice(name.as_bytes());
            encode_number(count - overstated, &mut octets);
        }
        octets
    }
}

impl Standing {
    /// Adds what [`Crowd::encode`] wrote; as much of it as can be read.
    pub fn add_encoded(&mut self, octets: &[u8]) {
        let Some((&VERSION, rest)) = octets.split_first() else { return };
        let Some(mut rest) = self.seen.absorb_encoded(rest) else { return };
        while let Some((name, count, following)) = decode_entry(rest) {
            self.add(name, count);
            rest = following;
        }
    }

    pub fn add(&mut self, name: &str, count: u64) {
        if let Some(known) = self.counts.get_mut(name) {
            *known += count;
        } else {
            self.counts.insert(name.into(), count);
        }
    }

    /// Adds a member of [`Sketch::member`].
    pub fn add_member(&mut self, member: u64) {
        self.seen.add_member(member);
    }

    /// The most frequent names, at most `most` of them, with their counts; equal ones by name.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.counts.iter().map(|(name, count)| (&**name, *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all.truncate(most);
        all
    }

    /// How many different names there were, about.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        self.seen.distinct()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl Sketch {
    /// Notes a hash; whether that told something new.
    pub fn add(&mut self, hash: u64) -> bool {
        let (index, rank) = Self::place(hash);
        self.raise(index, rank)
    }

    /// A number below 2^14 that stands for a hash in a set of numbers: register x 64 + rank.
    #[must_use]
    pub fn member(hash: u64) -> u64 {
        let (index, rank) = Self::place(hash);
        u64::try_from(index).unwrap_or(0) * 64 + u64::from(rank)
    }

    fn add_member(&mut self, member: u64) {
        if let (Ok(index), Ok(rank)) = (usize::try_from(member / 64), u8::try_from(member % 64)) {
            self.raise(index, rank);
        }
    }

    fn place(hash: u64) -> (usize, u8) {
        let index = usize::try_from(hash >> (64 - INDEX_BITS)).unwrap_or(0);
        let zeros = (hash << INDEX_BITS).leading_zeros().min(63 - INDEX_BITS);
        (index, u8::try_from(zeros + 1).unwrap_or(u8::MAX))
    }

    fn raise(&mut self, index: usize, rank: u8) -> bool {
        let registers = self.registers.get_or_insert_with(|| Box::new([0; REGISTERS]));
        match registers.get_mut(index) {
            Some(register) if *register < rank => {
                *register = rank;
                true
            }
            Some(_) | None => false,
        }
    }

    fn absorb(&mut self, other: &Self) {
        for (index, rank) in other.taken() {
            self.raise(index, rank);
        }
    }

    fn taken(&self) -> impl Iterator<Item = (usize, u8)> {
        let registers = self.registers.iter().flat_map(|registers| registers.iter().copied().enumerate());
        registers.filter(|(_, rank)| 0 < *rank)
    }

    /// The estimate of the paper, by the count of empty registers where few are taken.
    fn distinct(&self) -> u64 {
        let Some(registers) = &self.registers else { return 0 };
        let size = 256.0_f64;
        let empty: f64 = registers.iter().map(|rank| if *rank == 0 { 1.0 } else { 0.0 }).sum();
        let sum: f64 = registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / size) * size * size / sum;
        let estimate = if raw <= 2.5 * size && 0.0 < empty { size * (size / empty).ln() } else { raw };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^63, never negative")]
        let whole = estimate.round() as u64;
        whole
    }

    /// The number of taken registers (0 for all), then each with its rank; or all ranks.
    fn encode(&self, into: &mut Vec<u8>) {
        let taken: Vec<(usize, u8)> = self.taken().collect();
        match u8::try_from(taken.len()) {
            Ok(count) if taken.len() < REGISTERS / 2 => {
                into.extend([1, count]);
                into.extend(taken.iter().flat_map(|(index, rank)| [u8::try_from(*index).unwrap_or(0), *rank]));
            }
            _ => {
                into.push(0);
                into.extend(self.registers.iter().flat_map(|registers| registers.iter()));
            }
        }
    }

    /// What follows the sketch.
    fn absorb_encoded<'o>(&mut self, octets: &'o [u8]) -> Option<&'o [u8]> {
        match octets.split_first()? {
            (1, rest) => {
                let (count, rest) = rest.split_first()?;
                let (pairs, rest) = rest.split_at_checked(usize::from(*count) * 2)?;
                for pair in pairs.chunks_exact(2) {
                    if let [index, rank] = pair {
                        self.raise(usize::from(*index), *rank);
                    }
                }
                Some(rest)
            }
            (0, rest) => {
                let (ranks, rest) = rest.split_at_checked(REGISTERS)?;
                for (index, rank) in ranks.iter().enumerate() {
                    self.raise(index, *rank);
                }
                Some(rest)
            }
            _ => None,
        }
    }
}

/// Seven bits an octet, the lowest first; the top bit says that more follow (LEB128).
fn encode_number(mut number: u64, into: &mut Vec<u8>) {
    while 0x80 <= number {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push((number & 0x7f) as u8);
}

fn decode_number(octets: &[u8]) -> Option<(u64, &[u8])> {
    let length = octets.iter().take(10).position(|octet| octet & 0x80 == 0)? + 1;
    let (digits, rest) = octets.split_at_checked(length)?;
    Some((digits.iter().rev().fold(0, |number, digit| number << 7 | u64::from(digit & 0x7f)), rest))
}

fn decode_entry(octets: &[u8]) -> Option<(&str, u64, &[u8])> {
    let (length, rest) = octets.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (count, rest) = decode_number(rest)?;
    Some((std::str::from_utf8(name).ok()?, count, rest))
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use proptest::prelude::{any, proptest};

    use super::*;

    fn crowd(names: impl Iterator<Item = String>) -> Crowd {
        let (hasher, mut crowd) = (RandomState::new(), Crowd::default());
        names.for_each(|name| crowd.add(&name, hasher.hash_one(&name)));
        crowd
    }

    fn standing(crowds: &[Crowd]) -> Standing {
        let mut standing = Standing::default();
        crowds.iter().for_each(|crowd| standing.add_encoded(&crowd.encode()));
        standing
    }

    #[test]
    fn few_names_are_counted_exactly_over_all_instances() {
        let one = crowd(["a.example", "b.example", "a.example"].map(str::to_owned).into_iter());
        let other = crowd(["a.example", "c.example"].map(str::to_owned).into_iter());
        assert_eq!(standing(&[one, other]).top(2), [("a.example", 3), ("b.example", 1)]);
    }

    #[test]
    fn a_count_is_never_overstated_and_understated_by_a_sixteenth_at_most() {
        // Every third is one name; the others never come again.
        let names = (0..9_000).map(|n| if n % 3 == 0 { "often.example".to_owned() } else { format!("{n}.example") });
        let standing = standing(&[crowd(names)]);
        let (name, count) = standing.top(1)[0];
        assert_eq!(name, "often.example");
        assert!((3_000 - 9_000 / 16..=3_000).contains(&count), "{count}");
        assert!(standing.top(16)[1].1 <= 1, "{:?}", standing.top(16));
    }

    #[test]
    fn different_names_are_told_within_a_few_standard_errors_however_many() {
        for (names, most_off) in [(0, 0.0), (1, 0.0), (20, 0.15), (90, 0.2), (1_000, 0.3), (100_000, 0.3)] {
            // Two instances that see half of the names in common.
            let crowds = [(0..names * 3 / 4), (names / 4..names)].map(crowd_of_hashes);
            let found = standing(&crowds).distinct();
            let off = (found as f64 - f64::from(names)).abs();
            assert!(off <= f64::from(names) * most_off, "{found} instead of {names}");
        }
    }

    /// The same hash on both instances, as a keyed one would be.
    fn crowd_of_hashes(numbers: std::ops::Range<u32>) -> Crowd {
        let mut crowd = Crowd::default();
        for number in numbers {
            let digest = ring::digest::digest(&ring::digest::SHA256, &number.to_be_bytes());
            let hash = digest.as_ref().iter().take(8).fold(0, |hash, octet| hash << 8 | u64::from(*octet));
            crowd.add(&number.to_string(), hash);
        }
        crowd
    }

    #[test]
    fn a_set_of_members_says_what_the_hashes_said() {
        let mut standing = Standing::default();
        let hashes = (0..500_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ n << 40);
        let mut sketch = Sketch::default();
        for hash in hashes {
            sketch.add(hash);
            standing.add_member(Sketch::member(hash));
        }
        assert_eq!(standing.seen, sketch);
        assert!(0 < standing.distinct());
    }

    #[test]
    fn what_one_crowd_absorbs_it_counts_itself() {
        let mut one = crowd(["a", "b"].map(str::to_owned).into_iter());
        let other = crowd((0..40).map(|n| format!("{}", n % 10)));
        one.absorb(&other);
        one.absorb(&other);
        assert_eq!(one.top.len(), 2 + 10);
        assert_eq!(one.top[0].count, 8);
    }

    #[test]
    fn strangers_cannot_make_a_crowd_grow() {
        let crowd = crowd((0..100_000).map(|n| format!("{n}-{}", "x".repeat(400))));
        assert!(crowd.encode().len() <= 2_100, "{}", crowd.encode().len());
    }

    proptest! {
        #[test]
        fn any_octets_can_be_read(octets: Vec<u8>, is_ours in any::<bool>()) {
            let mut octets = octets;
            if is_ours {
                octets.insert(0, VERSION);
            }
            let mut standing = Standing::default();
            standing.add_encoded(&octets);
            assert!(standing.top(usize::MAX).len() <= octets.len());
            let _ = standing.distinct();
        }
    }
}
