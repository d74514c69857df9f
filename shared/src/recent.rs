//! The latest buckets of a series, as far as a chart needs them: what came, and what was expected.

use std::collections::VecDeque;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::Deserialize;

use crate::bucket::Bucket;

/// Buckets that are kept of a series in which nothing happens: four hours.
const USUAL: usize = 48;
/// Buckets that are kept while an incident is open: two days.
const DURING_INCIDENT: usize = 576;
/// Steps of the stored form per factor e: a value keeps 0.05 %, and a count below 500 is kept exactly.
const STEPS: f64 = 1000.0;
/// Stored for a number that is not known.
const UNKNOWN: u16 = u16::MAX;

/// One bucket. Not a number = not counted, or not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub total: f64,
    pub expected: f64,
}

/// The latest buckets without a hole between them. Four octets a bucket when stored, after the number of the last one.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(try_from = "Packed")]
pub struct Recent {
    last: Option<Bucket>,
    points: VecDeque<Point>,
}

/// How long a memory is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    Usual,
    DuringIncident,
}

/// Why stored points cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the packed points are cut off, or too many")]
pub struct Damaged;

/// What earlier versions stored: the points in base64.
#[derive(Deserialize)]
struct Packed(Option<Bucket>, String);

impl Point {
    const UNKNOWN: Self = Self { total: f64::NAN, expected: f64::NAN };
}

impl Recent {
    /// Adds a bucket; those between it and the last one were not counted. An older one changes nothing.
    pub fn push(&mut self, bucket: Bucket, point: Point, memory: Memory) {
        if self.last.is_some_and(|last| bucket <= last) {
            return;
        }
        let kept = match memory {
            Memory::Usual => USUAL,
            Memory::DuringIncident => DURING_INCIDENT,
        };
        let missed = self.last.map_or(0, |last| bucket.since(last).saturating_sub(1));
        let missed = usize::try_from(missed).unwrap_or(kept).min(kept);
        self.points.extend(std::iter::repeat_n(Point::UNKNOWN, missed));
        self.points.push_back(point);
        self.points.drain(..self.points.len().saturating_sub(kept));
        self.last = Some(bucket);
    }

    /// Oldest first, with the bucket of each.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = (Bucket, Point)> + '_ {
        let newest_first = self.points.iter().rev().zip(0..);
        let dated = newest_first.filter_map(|(point, age)| Some((self.last?.minus(age), *point)));
        dated.collect::<Vec<_>>().into_iter().rev()
    }

    /// Nothing for nothing.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let Some(last) = self.last else { return Vec::new() };
        let numbers = self.points.iter().flat_map(|point| [point.total, point.expected]);
        let octets = numbers.flat_map(|number| packed(number).to_le_bytes());
        u32::from(last).to_le_bytes().into_iter().chain(octets).collect()
    }

    /// # Errors
    /// When [`Recent::pack`] cannot have written it.
    pub fn unpack(octets: &[u8]) -> Result<Self, Damaged> {
        if octets.is_empty() {
            return Ok(Self::default());
        }
        let (last, points) = octets.split_first_chunk().ok_or(Damaged)?;
        let last = Bucket::try_from(u32::from_le_bytes(*last)).map_err(|_| Damaged)?;
        Ok(Self { last: Some(last), points: unpacked_points(points)? })
    }

    /// Totals, oldest first.
    #[must_use]
    pub fn totals(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.total).collect()
    }
}

impl TryFrom<Packed> for Recent {
    type Error = Damaged;

    fn try_from(Packed(last, text): Packed) -> Result<Self, Damaged> {
        let octets = STANDARD_NO_PAD.decode(text).map_err(|_| Damaged)?;
        Ok(Self { last, points: unpacked_points(&octets)? })
    }
}

fn unpacked_points(octets: &[u8]) -> Result<VecDeque<Point>, Damaged> {
    let (quads, rest) = octets.as_chunks::<4>();
    if !rest.is_empty() || DURING_INCIDENT < quads.len() {
        return Err(Damaged);
    }
    let points = quads.iter().map(|&[a, b, c, d]| Point {
        total: unpacked(u16::from_le_bytes([a, b])).round(),
        expected: unpacked(u16::from_le_bytes([c, d])),
    });
    Ok(points.collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to lie within 0 and 65534")]
fn packed(number: f64) -> u16 {
    if number.is_nan() { UNKNOWN } else { (number.max(0.0).ln_1p() * STEPS).round().min(65_534.0) as u16 }
}

fn unpacked(steps: u16) -> f64 {
    if steps == UNKNOWN { f64::NAN } else { (f64::from(steps) / STEPS).exp_m1() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_984_640 + index).expect("in range")
    }

    fn filled(indices: impl IntoIterator<Item = u32>, memory: Memory) -> Recent {
        let mut recent = Recent::default();
        for index in indices {
            recent.push(bucket(index), Point { total: f64::from(index), expected: 2.5 }, memory);
        }
        recent
    }

    #[test]
    fn it_keeps_four_hours_and_more_while_an_incident_is_open() {
        assert_eq!(filled(0..100, Memory::Usual).totals(), (52..100).map(f64::from).collect::<Vec<_>>());
        assert_eq!(filled(0..600, Memory::DuringIncident).totals().len(), 576);
    }

    #[test]
    fn a_gap_stays_a_gap_and_every_point_keeps_its_bucket() {
        let recent = filled([3, 5, 5, 4, 6], Memory::Usual);
        let dated: Vec<_> = recent.points().map(|(at, point)| (at, point.total.to_bits())).collect();
        let expected = [(3, 3.0), (4, f64::NAN), (5, 5.0), (6, 6.0)];
        assert_eq!(dated, expected.map(|(at, total)| (bucket(at), total.to_bits())));
        assert_eq!(filled([0, 100_000], Memory::Usual).totals().len(), 48);
    }

    #[test]
    fn counts_below_five_hundred_survive_storage_exactly_and_others_nearly() {
        let mut recent = filled(0..48, Memory::Usual);
        recent.push(bucket(48), Point { total: 499.0, expected: 0.25 }, Memory::Usual);
        recent.push(bucket(50), Point { total: 1e9, expected: f64::NAN }, Memory::Usual);
        let stored = recent.pack();
        let read = Recent::unpack(&stored).expect("what was stored");
        let (kept, found) = (recent.totals(), read.totals());
        assert_eq!(found[..46], kept[..46]);
        assert!(found[46].is_nan() && (found[47] / 1e9 - 1.0).abs() < 1e-3, "{found:?}");
        assert_eq!((read.last, stored.len()), (recent.last, 4 + 4 * USUAL));
        assert_eq!(Recent::unpack(&[]).expect("nothing"), Recent::default());
        for damaged in [&stored[..3], &stored[..9], &[u8::MAX; 8], &[0; 4 + 4 * (DURING_INCIDENT + 1)]] {
            assert!(Recent::unpack(damaged).is_err(), "{}", damaged.len());
        }
    }

    #[test]
    fn what_was_stored_as_text_is_read_as_well() {
        let recent = filled(0..48, Memory::Usual);
        let text = STANDARD_NO_PAD.encode(&recent.pack()[4..]);
        let read: Recent = serde_json::from_str(&format!("[{},\"{text}\"]", u32::from(bucket(47)))).expect("points");
        assert_eq!(read.pack(), recent.pack());
        assert!(serde_json::from_str::<Recent>("[null,\"AAA\"]").is_err());
    }
}
