//! What earlier versions stored, as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;

use super::{Bytes, LARGEST, ModelError, Packed, VERSION};
use crate::anomaly::Measure;
use crate::anomaly::detector::Model;
use crate::anomaly::profile::Profile;
use crate::bucket::Bucket;

const VERSION_OF_ONE_PART: u8 = 1;

/// Both parts as base64; or what version 1 stored.
#[derive(Debug, Default, Deserialize)]
pub(in crate::anomaly) struct Saved {
    version: u32,
    #[serde(default)]
    hot: String,
    #[serde(default)]
    profile: String,
    /// Of version 1: little-endian `f32` in base64.
    #[serde(default)]
    numbers: String,
    #[serde(default)]
    measure: Option<Measure>,
    #[serde(default)]
    last: Option<Bucket>,
}

impl TryFrom<Saved> for Model {
    type Error = ModelError;

    /// Of version 1 the profile is taken over, and nothing else.
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
