//! The stored form of a model: versioned, packed, and closed to anything that is not a finite number.
//!
//! Two parts, since they change at different speeds. The profile (under 600 bytes) is written once it differs in many hours. Until
//! then the hot part (under 700 bytes) goes with it, followed by the hours that differ, four bytes each: they replace those of the
//! profile, so that a profile which is newer than the hot part does no harm.

mod earlier;
#[cfg(test)]
mod tests;

pub(super) use self::earlier::Saved;
use super::Measure;
use super::detector::Model;
use super::extremes::UNHEARD;
use super::profile::Profile;
use crate::bucket::Bucket;

/// Changes with every change of the numbers or of their meaning. What `earlier` cannot read is begun anew.
const VERSION: u8 = 2;
/// The `last` of a model that has seen nothing.
const NEVER: u32 = u32::MAX;
/// No sum of a model is larger, since no count is larger than 1e12; nor is a sum of squares.
const LARGEST: f32 = 1e15;
const LARGEST_SQUARE: f32 = 1e31;
/// Hours of a profile: those of the week, then those of the day.
const HOURS: u8 = 168 + 24;
/// Where the hot part says whether it needs the profile that it was stored with.
const NEEDS_PROFILE: usize = 3;

/// Why a stored model cannot be used. The remedy is always the same: begin with a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("stored by version {0} of the detector")]
    OtherVersion(u32),
    #[error("the packed numbers are cut off, too many, or out of range")]
    Damaged,
    #[error("the profile that belongs to it is gone")]
    NoProfile,
}

/// A model as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub hot: Vec<u8>,
    pub profile: Vec<u8>,
}

impl Packed {
    /// The hot part as it goes with `stored`, an earlier profile (empty: there is none).
    #[must_use]
    pub fn beside(mut self, stored: &[u8]) -> Vec<u8> {
        self.hot.iter_mut().skip(NEEDS_PROFILE).take(1).for_each(|needs| *needs = u8::from(!stored.is_empty()));
        for slot in (0..HOURS).filter(|slot| hour(&self.profile, *slot) != hour(stored, *slot)) {
            self.hot.push(slot);
            self.hot.extend(hour(&self.profile, slot));
        }
        self.hot
    }

    /// Hours that differ from those of `stored`.
    #[must_use]
    pub fn changes(&self, stored: &[u8]) -> usize {
        (0..HOURS).filter(|slot| hour(&self.profile, *slot) != hour(stored, *slot)).count()
    }
}

/// Mean and weight of an hour in a packed profile; those of a new one where there is none.
fn hour(profile: &[u8], slot: u8) -> [u8; 3] {
    let (slot, hours) = (usize::from(slot), usize::from(HOURS));
    let at = |index: usize| profile.get(index).copied().unwrap_or_default();
    [at(1 + 2 * slot), at(2 + 2 * slot), at(1 + 2 * hours + slot)]
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

    /// Of a hot part and the profile it goes with.
    ///
    /// # Errors
    /// What another version stored, or what no model can have stored.
    pub fn unpack(packed: &Packed) -> Result<Self, ModelError> {
        let mut hot = Bytes(&packed.hot);
        let [version, measure, stale, needs_profile] = hot.take()?;
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
        model.usual.settle();
        match packed.profile.as_slice() {
            [] if needs_profile != 0 => return Err(ModelError::NoProfile),
            [] => {}
            profile => unpack_profile(&mut model.profile, profile)?,
        }
        change_hours(&mut model.profile, hot)?;
        if model.is_sound() { Ok(model) } else { Err(ModelError::Damaged) }
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

fn change_hours(profile: &mut Profile, mut changes: Bytes<'_>) -> Result<(), ModelError> {
    let (means, weights) = hours(profile);
    let mut hours: Vec<_> = means.zip(weights).collect();
    while !changes.0.is_empty() {
        let [slot, low, high, weight_code] = changes.take()?;
        let (mean, weight) = hours.get_mut(usize::from(slot)).ok_or(ModelError::Damaged)?;
        **mean = fine(u16::from_le_bytes([low, high]));
        **weight = weight_code.into();
    }
    Ok(())
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
