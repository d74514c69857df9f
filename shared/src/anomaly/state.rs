//! The stored form of a model: versioned, packed, and closed to anything that is not a finite number.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Measure;
use super::detector::Model;
use crate::bucket::Bucket;

/// Changes with every change of the fields or of their meaning; a model of another version is begun anew.
const VERSION: u32 = 1;

/// Why a stored model cannot be used. The remedy is always the same: begin with a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("stored by version {0} of the detector")]
    OtherVersion(u32),
    #[error("the packed numbers are cut off, too many, or not finite")]
    Damaged,
}

/// The numbers as base64 of little-endian `f32`, in the order of `numbers`.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    version: u32,
    measure: Measure,
    last: Option<Bucket>,
    seen: u32,
    numbers: String,
}

impl From<Model> for Saved {
    fn from(mut model: Model) -> Self {
        let packed: Vec<u8> = numbers(&mut model).flat_map(|number| narrow(*number).to_le_bytes()).collect();
        let Model { measure, last, seen, .. } = model;
        Self { version: VERSION, measure, last, seen, numbers: STANDARD_NO_PAD.encode(packed) }
    }
}

impl TryFrom<Saved> for Model {
    type Error = ModelError;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        if saved.version != VERSION {
            return Err(ModelError::OtherVersion(saved.version));
        }
        let packed = STANDARD_NO_PAD.decode(&saved.numbers).map_err(|_| ModelError::Damaged)?;
        let (quads, rest) = packed.as_chunks::<4>();
        let mut model = Self { last: saved.last, seen: saved.seen, ..Self::new(saved.measure) };
        if !rest.is_empty() || quads.len() != numbers(&mut model).count() {
            return Err(ModelError::Damaged);
        }
        for (number, quad) in numbers(&mut model).zip(quads) {
            *number = f64::from(f32::from_le_bytes(*quad));
        }
        if model.is_finite() { Ok(model) } else { Err(ModelError::Damaged) }
    }
}

impl Model {
    /// A stored model may hold finite numbers that no history leads to; what comes of them must not stay.
    pub(super) fn begin_anew_if_astray(&mut self) {
        if !self.is_finite() {
            *self = Self { last: self.last, ..Self::new(self.measure) };
        }
    }

    pub(super) fn is_finite(&mut self) -> bool {
        numbers(self).all(|number| number.is_finite())
    }
}

/// Every number of a model, in the stored order. What the measure or the channels do not use is stored as well: a packed
/// model has one length.
fn numbers(model: &mut Model) -> impl Iterator<Item = &mut f64> {
    let Model { highest, volume, auth_fail, top1, breadth, drift, extremes, .. } = model;
    let profile = &mut volume.profile;
    std::iter::once(highest)
        .chain(&mut profile.week)
        .chain(&mut profile.week_weight)
        .chain(&mut profile.day)
        .chain(&mut profile.day_weight)
        .chain(&mut profile.level)
        .chain(&mut volume.observed.0)
        .chain(&mut volume.expected.0)
        .chain(volume.noise.as_flattened_mut())
        .chain(&mut volume.local)
        .chain(
            [auth_fail, top1]
                .into_iter()
                .flat_map(|share| share.part.0.iter_mut().chain(&mut share.whole.0).chain(&mut share.usual)),
        )
        .chain(&mut breadth.off.0)
        .chain(&mut breadth.weight.0)
        .chain(&mut breadth.line)
        .chain(&mut breadth.noise)
        .chain(&mut drift.off.0)
        .chain(&mut drift.moments)
        .chain(extremes.iter_mut().flat_map(|one| [&mut one.largest, &mut one.mean, &mut one.spread]))
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose; the clamp keeps it finite")]
fn narrow(number: f64) -> f32 {
    number.clamp(-1e38, 1e38) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Observation;

    fn observation(bucket: Bucket, total: f64) -> Observation {
        let part = Some(total / 2.0);
        Observation { bucket, total, auth_fail: part, top1: part, distinct: part, limited: None }
    }

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_900_000 + index).expect("in range")
    }

    /// A generator of bits (Vigna's splitmix64), so that a failure repeats.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    #[test]
    fn a_model_survives_storage_to_within_the_precision_of_f32() {
        let mut model = Model::new(Measure::Count);
        (0..1000).for_each(|index| drop(model.observe(&observation(bucket(index), f64::from(index % 7)))));
        let stored = serde_json::to_string(&model).expect("JSON");
        let mut loaded: Model = serde_json::from_str(&stored).expect("what was stored");
        assert_eq!(serde_json::to_string(&loaded).expect("JSON"), stored);
        let next = observation(bucket(1000), 40.0);
        assert!((loaded.observe(&next).score() - model.observe(&next).score()).abs() < 1e-4);
        assert!(stored.len() < 3200, "{}", stored.len());
    }

    #[test]
    fn what_is_not_a_whole_model_of_this_version_is_refused() {
        let saved = || Saved::from(Model::new(Measure::Count));
        let numbers = saved().numbers;
        let not_a_number = STANDARD_NO_PAD.encode(f32::NAN.to_le_bytes().repeat(numbers.len() * 3 / 16));
        for (saved, error) in [
            (Saved { version: 99, ..saved() }, ModelError::OtherVersion(99)),
            (Saved { numbers: String::new(), ..saved() }, ModelError::Damaged),
            (Saved { numbers: numbers[..numbers.len() - 8].to_owned(), ..saved() }, ModelError::Damaged),
            (Saved { numbers: "?".to_owned(), ..saved() }, ModelError::Damaged),
            (Saved { numbers: not_a_number, ..saved() }, ModelError::Damaged),
        ] {
            assert_eq!(Model::try_from(saved), Err(error));
        }
    }

    #[test]
    fn no_stored_numbers_make_a_model_panic_or_keep_what_is_not_a_number() {
        let mut state = 7;
        for round in 0..2000 {
            let measure = if round % 2 == 0 { Measure::Count } else { Measure::Gauge };
            let mut model = Model::new(measure);
            for number in numbers(&mut model) {
                let bits = u32::try_from(random(&mut state) >> 32).expect("32 bits");
                *number = Some(f64::from(f32::from_bits(bits))).filter(|number| number.is_finite()).unwrap_or(0.0);
            }
            model.seen = u32::try_from(random(&mut state) >> 32).expect("32 bits");
            for index in 0..3 {
                let judgement = model.observe(&observation(bucket(index * index), 100.0));
                assert!(model.is_finite() && (0.0..=1.0).contains(&judgement.score()), "round {round}");
            }
        }
    }
}
