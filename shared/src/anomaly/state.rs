//! The stored form of a model: versioned, packed, and closed to anything that is not a finite number.
//!
//! Two parts, since they change at different speeds: `hot` (under 700 bytes) with every bucket, `profile` (under 600 bytes) by a
//! little in an hour. A profile that is an hour older than the hot part belongs to it all the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Measure;
use super::detector::Model;
use super::extremes::UNHEARD;
use super::profile::Profile;
use crate::bucket::Bucket;

/// Changes with every change of the numbers or of their meaning. Of version 1 the profile is taken over; any other is begun anew.
const VERSION: u8 = 2;
const VERSION_OF_ONE_PART: u8 = 1;
/// The `last` of a model that has seen nothing.
const NEVER: u32 = u32::MAX;
/// No sum of a model is larger, since no count is larger than 1e12; nor is a sum of squares.
const LARGEST: f32 = 1e15;
const LARGEST_SQUARE: f32 = 1e31;

/// Why a stored model cannot be used. The remedy is always the same: begin with a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("stored by version {0} of the detector")]
    OtherVersion(u32),
    #[error("the packed numbers are cut off, too many, or out of range")]
    Damaged,
}

/// A model as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub hot: Vec<u8>,
    pub profile: Vec<u8>,
}

/// Both parts as base64; or what version 1 stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    hot: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    profile: String,
    /// Of version 1: little-endian `f32` in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    numbers: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measure: Option<Measure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Bucket>,
}

impl From<Model> for Saved {
    fn from(model: Model) -> Self {
        let Packed { hot, profile } = model.pack();
        let (hot, profile) = (STANDARD_NO_PAD.encode(hot), STANDARD_NO_PAD.encode(profile));
        Self { version: VERSION.into(), hot, profile, ..Self::default() }
    }
}

impl TryFrom<Saved> for Model {
    type Error = ModelError;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let decoded = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| ModelError::Damaged);
        match u8::try_from(saved.version) {
            Ok(VERSION) => Self::unpack(&Packed { hot: decoded(&saved.hot)?, profile: decoded(&saved.profile)? }),
            Ok(VERSION_OF_ONE_PART) => {
                let profile = profile_of_one_part(&decoded(&saved.numbers)?)?;
                let measure = saved.measure.unwrap_or(Measure::Count);
                Ok(Self { last: saved.last, profile, ..Self::new(measure) })
            }
            _ => Err(ModelError::OtherVersion(saved.version)),
        }
    }
}

impl Model {
    /// The model as bytes, at the precision that is stored.
    #[must_use]
    pub fn pack(&self) -> Packed {
        let mut model = self.clone();
        let last = self.last.map_or(NEVER, u32::from);
        let mut hot = vec![VERSION, u8::from(self.measure == Measure::Gauge), self.stale, 0];
        hot.extend(last.to_le_bytes());
        hot.extend(self.seen.to_le_bytes());
        hot.extend(self.ahead.to_le_bytes());
        hot.extend(sums(&mut model).flat_map(|number| number.to_le_bytes()));
        hot.extend(squares(&mut model).flat_map(|number| number.to_le_bytes()));
        hot.extend(extremes(&mut model).flat_map(|number| coarse(*number).to_le_bytes()));
        let (means, weights) = hours(&mut model.profile);
        let mut profile = vec![VERSION];
        profile.extend(means.flat_map(|number| coarse(*number).to_le_bytes()));
        profile.extend(weights.map(|number| small(*number)));
        Packed { hot, profile }
    }

    /// # Errors
    /// What another version stored, or what no model can have stored.
    pub fn unpack(packed: &Packed) -> Result<Self, ModelError> {
        let mut hot = Bytes(&packed.hot);
        let [version, measure, stale, _] = hot.take()?;
        if version != VERSION {
            return Err(ModelError::OtherVersion(version.into()));
        }
        let mut model = Self::new(if measure == 1 { Measure::Gauge } else { Measure::Count });
        let last = u32::from_le_bytes(hot.take()?);
        model.last = if last == NEVER { None } else { Some(Bucket::try_from(last).map_err(|_| ModelError::Damaged)?) };
        model.seen = u32::from_le_bytes(hot.take()?);
        model.set_clock(i16::from_le_bytes(hot.take()?).into());
        model.stale = stale;
        sums(&mut model).try_for_each(|number| hot.take().map(|bytes| *number = f32::from_le_bytes(bytes)))?;
        squares(&mut model).try_for_each(|number| hot.take().map(|bytes| *number = f32::from_le_bytes(bytes)))?;
        extremes(&mut model)
            .try_for_each(|number| hot.take().map(|bytes| *number = fine(u16::from_le_bytes(bytes))))?;
        unpack_profile(&mut model.profile, &packed.profile)?;
        if hot.0.is_empty() && model.is_sound() { Ok(model) } else { Err(ModelError::Damaged) }
    }

    /// A stored model may hold numbers that no history leads to; what comes of them must not stay.
    pub(super) fn begin_anew_if_astray(&mut self) {
        if !self.is_sound() {
            *self = Self { last: self.last, ahead: self.ahead, ..Self::new(self.measure) };
        }
    }

    pub(super) fn is_sound(&mut self) -> bool {
        let profile = &self.profile;
        let positive = [&profile.base, &profile.level, &self.volume.local].into_iter().flatten().all(|it| *it >= 0.0);
        let (means, weights) = hours(&mut self.profile);
        positive && means.chain(weights).all(|it| (0.0..=LARGEST).contains(it)) && {
            sums(self).all(|it| it.abs() <= LARGEST)
                && squares(self).all(|it| it.abs() <= LARGEST_SQUARE)
                && extremes(self).all(|it| (UNHEARD..=LARGEST).contains(it))
        }
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(ModelError::Damaged)?;
        self.0 = rest;
        Ok(*head)
    }
}

fn unpack_profile(profile: &mut Profile, packed: &[u8]) -> Result<(), ModelError> {
    let mut bytes = Bytes(packed);
    let [version] = bytes.take()?;
    if version != VERSION {
        return Err(ModelError::OtherVersion(version.into()));
    }
    let (mut means, mut weights) = hours(profile);
    means.try_for_each(|number| bytes.take().map(|code| *number = fine(u16::from_le_bytes(code))))?;
    weights.try_for_each(|number| bytes.take().map(|[weight]| *number = weight.into()))?;
    if bytes.0.is_empty() { Ok(()) } else { Err(ModelError::Damaged) }
}

/// Version 1 began with the highest total, then means and weights of the week, the same of the day, and the level.
fn profile_of_one_part(packed: &[u8]) -> Result<Profile, ModelError> {
    let mut bytes = Bytes(packed);
    let mut profile = Profile::new();
    let mut highest = 0.0;
    let Profile { week, week_weight, day, day_weight, level, .. } = &mut profile;
    let numbers =
        std::iter::once(&mut highest).chain(week).chain(week_weight).chain(day).chain(day_weight).chain(level);
    for number in numbers {
        *number = f32::from_le_bytes(bytes.take()?);
        if !(0.0..=LARGEST).contains(number) {
            return Err(ModelError::Damaged);
        }
    }
    let weight: f32 = profile.day_weight.iter().sum();
    let sum: f32 = profile.day.iter().zip(&profile.day_weight).map(|(mean, weight)| mean * weight).sum();
    profile.base = [if weight > 0.0 { sum / weight } else { 0.0 }, weight];
    Ok(profile)
}

/// The numbers that change with every bucket. What the measure or the channels do not use is stored as well: a packed model has
/// one length.
fn sums(model: &mut Model) -> impl Iterator<Item = &mut f32> {
    let Model { highest, profile, volume, auth_fail, top1, breadth, drift, changes, .. } = model;
    let shares = [auth_fail, top1].into_iter();
    std::iter::once(highest)
        .chain(&mut profile.base)
        .chain(&mut profile.level)
        .chain(&mut volume.observed.0)
        .chain(&mut volume.expected.0)
        .chain(&mut volume.local)
        .chain(shares.flat_map(|it| it.part.0.iter_mut().chain(&mut it.whole.0).chain(&mut it.usual)))
        .chain(&mut breadth.off.0)
        .chain(&mut breadth.weight.0)
        .chain(&mut breadth.line)
        .chain(&mut breadth.noise)
        .chain(&mut drift.off.0)
        .chain(drift.moments.iter_mut().take(2))
        .chain(changes.iter_mut().flat_map(|it| [&mut it.risen, &mut it.fallen].into_iter().chain(&mut it.peaks)))
}

/// The numbers that are squares of counts.
fn squares(model: &mut Model) -> impl Iterator<Item = &mut f32> {
    let Model { volume, drift, .. } = model;
    volume.noise.as_flattened_mut().iter_mut().chain(drift.moments.iter_mut().skip(2))
}

/// Means and spreads change once a block.
fn extremes(model: &mut Model) -> impl Iterator<Item = &mut f32> {
    let both = [&mut model.usual.more, &mut model.usual.less].into_iter();
    both.flat_map(|it| it.largest.iter_mut().chain(&mut it.mean).chain(&mut it.spread))
}

fn hours(profile: &mut Profile) -> (impl Iterator<Item = &mut f32>, impl Iterator<Item = &mut f32>) {
    let Profile { week, week_weight, day, day_weight, .. } = profile;
    (week.iter_mut().chain(day), week_weight.iter_mut().chain(day_weight))
}

/// A number of at least 0 to within 0.07 %, and `UNHEARD` as the last code.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the codes below the last one")]
fn coarse(number: f32) -> u16 {
    if number < 0.0 {
        return u16::MAX;
    }
    (1500.0 * (100.0 * f64::from(number)).ln_1p()).round().min(65_534.0) as u16
}

#[expect(clippy::cast_possible_truncation, reason = "to the precision that is stored")]
fn fine(code: u16) -> f32 {
    if code == u16::MAX { UNHEARD } else { ((f64::from(code) / 1500.0).exp_m1() / 100.0) as f32 }
}

/// Weights are whole and at most 252.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a byte")]
fn small(weight: f32) -> u8 {
    weight.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Observation;

    /// Bytes before the numbers of the hot part: version, measure, stale, unused, last, seen, ahead.
    const HEAD: usize = 14;

    fn observation(bucket: Bucket, total: f64) -> Observation {
        let part = Some(total / 2.0);
        Observation { bucket, total, auth_fail: part, top1: part, distinct: part, limited: None }
    }

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_900_000 + index).expect("in range")
    }

    fn known() -> Model {
        let mut model = Model::new(Measure::Count);
        model.set_clock(330);
        (0..1000).for_each(|index| drop(model.observe(&observation(bucket(index), f64::from(index % 7)))));
        model
    }

    /// A generator of bits (Vigna's splitmix64), so that a failure repeats.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    #[test]
    fn a_model_survives_storage_to_within_its_precision() {
        let mut model = known();
        let stored = serde_json::to_string(&model).expect("JSON");
        let mut loaded: Model = serde_json::from_str(&stored).expect("what was stored");
        assert_eq!(serde_json::to_string(&loaded).expect("JSON"), stored);
        let next = observation(bucket(1000), 40.0);
        assert!((loaded.observe(&next).score() - model.observe(&next).score()).abs() < 1e-3);
    }

    #[test]
    fn the_hot_part_fits_a_kilobyte_even_as_base64_and_the_profile_as_well() {
        let Packed { hot, profile } = known().pack();
        assert!(hot.len() < 700 && profile.len() < 600, "{} {}", hot.len(), profile.len());
        assert!(serde_json::to_string(&known()).expect("JSON").len() < 1800);
    }

    #[test]
    fn codes_are_fine_enough_and_keep_what_was_not_heard_of() {
        for number in [0.0_f32, 0.003, 0.5, 3.0, 77.0, 1e6, 1e12] {
            assert!((fine(coarse(number)) - number).abs() <= 7e-4 * number + 1e-5, "{number}");
        }
        assert!((fine(coarse(UNHEARD)) - UNHEARD).abs() < f32::EPSILON);
    }

    #[test]
    fn of_the_first_version_the_profile_is_taken_over() {
        let numbers: Vec<u8> =
            (0..600).flat_map(|index| if index < 169 { 7.0_f32 } else { 30.0 }.to_le_bytes()).collect();
        let numbers = STANDARD_NO_PAD.encode(numbers);
        let stored = format!(r#"{{"version":1,"measure":"count","last":5900000,"seen":9000,"numbers":"{numbers}"}}"#);
        let model: Model = serde_json::from_str(&stored).expect("an older model");
        assert_eq!((model.last(), model.profile.week[100], model.seen), (Some(bucket(0)), 7.0, 0));
    }

    #[test]
    fn what_is_not_a_whole_model_of_a_known_version_is_refused() {
        let Packed { hot, profile } = known().pack();
        let changed = |at: usize, bytes: [u8; 4]| {
            let mut hot = hot.clone();
            hot[at..at + 4].copy_from_slice(&bytes);
            hot
        };
        for (hot, profile, error) in [
            (changed(0, [99, 0, 0, 0]), profile.clone(), ModelError::OtherVersion(99)),
            (Vec::new(), profile.clone(), ModelError::Damaged),
            (hot[..hot.len() - 1].to_vec(), profile.clone(), ModelError::Damaged),
            ([hot.as_slice(), &[0]].concat(), profile.clone(), ModelError::Damaged),
            (hot.clone(), profile[1..].to_vec(), ModelError::OtherVersion(profile[1].into())),
            (hot.clone(), profile[..9].to_vec(), ModelError::Damaged),
            (changed(HEAD, f32::NAN.to_le_bytes()), profile.clone(), ModelError::Damaged),
            (changed(HEAD + 4, (-1.0_f32).to_le_bytes()), profile.clone(), ModelError::Damaged),
            (changed(4, (u32::MAX - 1).to_le_bytes()), profile, ModelError::Damaged),
        ] {
            assert_eq!(Model::unpack(&Packed { hot, profile }), Err(error));
        }
        let later: Result<Model, _> = serde_json::from_str(r#"{"version":3,"anything":1}"#);
        assert!(later.expect_err("a later version").to_string().contains("version 3"));
    }

    #[test]
    fn no_stored_numbers_make_a_model_panic_or_keep_what_is_not_a_number() {
        let (mut state, mut accepted) = (7, 0);
        for round in 0..300 {
            let Packed { mut hot, mut profile } = known().pack();
            for byte in hot.iter_mut().skip(HEAD).chain(profile.iter_mut().skip(1)) {
                if random(&mut state).is_multiple_of(100) {
                    *byte = random(&mut state).to_le_bytes()[0];
                }
            }
            let Ok(mut model) = Model::unpack(&Packed { hot, profile }) else { continue };
            accepted += 1;
            for index in 1..200 {
                let judgement = model.observe(&observation(bucket(1000 + index), 100.0));
                assert!((0.0..=1.0).contains(&judgement.score()), "round {round}");
            }
            assert!(model.is_sound(), "round {round}");
        }
        assert!(accepted > 20, "{accepted} models were tried");
    }
}
