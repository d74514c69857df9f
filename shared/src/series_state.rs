//! One series between two scans, and the form in which it is stored.

use serde::Deserialize;

use crate::{
    anomaly::{Measure, Model, ModelError, Packed, Watch},
    bucket::Bucket,
    chart::Charted,
    recent::{Damaged, Memory, Point, Recent},
};

/// Buckets of silence after which a series is forgotten: a week and a day, so that a weekly job is not.
pub const FORGOTTEN_AFTER: u32 = 8 * 288;

/// One series between two scans. It can be read as the JSON that earlier versions stored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SeriesState {
    pub model: Model,
    pub watch: Option<Watch>,
    pub recent: Recent,
    /// The last bucket with any traffic.
    pub last_active: Option<Bucket>,
}

/// What is stored of a series with every checkpoint: about 850 octets, unless an incident is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The hot part of the model.
    pub model: Vec<u8>,
    pub recent: Vec<u8>,
    pub last_active: Option<Bucket>,
    /// As JSON; absent while nothing is suspicious.
    pub watch: Option<String>,
}

/// Why a stored series begins anew.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the model cannot be read")]
    Model(#[source] ModelError),
    #[error("the latest buckets cannot be read")]
    Recent(#[source] Damaged),
    #[error("the incident cannot be read")]
    Watch(#[source] serde_json::Error),
    #[error("it is not what an earlier version stored")]
    Earlier(#[source] serde_json::Error),
}

impl Default for SeriesState {
    fn default() -> Self {
        Self { model: Model::new(Measure::Count), watch: None, recent: Recent::default(), last_active: None }
    }
}

impl SeriesState {
    /// Whether the series has been silent for so long that it is no longer watched. Its item expires soon after.
    #[must_use]
    pub fn is_forgotten(&self, bucket: Bucket) -> bool {
        let silent = |last: Bucket| FORGOTTEN_AFTER < bucket.since(last);
        !self.has_incident() && self.last_active.is_some_and(silent)
    }

    #[must_use]
    pub fn has_incident(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.incident.is_some())
    }

    pub fn remember(&mut self, bucket: Bucket, point: Point) {
        if 0.0 < point.total {
            self.last_active = Some(bucket);
        }
        let memory = if self.has_incident() { Memory::DuringIncident } else { Memory::Usual };
        self.recent.push(bucket, point, memory);
    }

    /// The latest buckets with the band that the model draws around what was expected of them, oldest first.
    #[must_use]
    pub fn chart(&self) -> Vec<Charted> {
        let points = self.recent.points();
        let charted = points.map(|(bucket, Point { total, expected })| {
            let band = self.model.band_around(expected);
            Charted { bucket, total, band }
        });
        charted.collect()
    }

    /// What is stored beside `profile`, and the profile as it is now.
    #[must_use]
    pub fn pack(&self, profile: &[u8]) -> (Stored, Vec<u8>) {
        let packed = self.model.pack();
        let now = packed.profile.clone();
        let watch = self.watch.as_ref().filter(|watch| !watch.is_quiet());
        let stored = Stored {
            model: packed.beside(profile),
            recent: self.recent.pack(),
            last_active: self.last_active,
            watch: watch.and_then(|watch| serde_json::to_string(watch).ok()),
        };
        (stored, now)
    }

    /// # Errors
    /// When [`SeriesState::pack`] cannot have made it, or its profile is gone.
    pub fn unpack(stored: Stored, profile: Vec<u8>) -> Result<Self, StateError> {
        let Stored { model: hot, recent, last_active, watch } = stored;
        Ok(Self {
            model: Model::unpack(&Packed { hot, profile }).map_err(StateError::Model)?,
            watch: watch.map(|text| serde_json::from_str(&text)).transpose().map_err(StateError::Watch)?,
            recent: Recent::unpack(&recent).map_err(StateError::Recent)?,
            last_active,
        })
    }

    /// # Errors
    /// When no earlier version stored it.
    pub fn of_earlier_version(json: &[u8]) -> Result<Self, StateError> {
        serde_json::from_slice(json).map_err(StateError::Earlier)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

    use super::*;
    use crate::anomaly::{Observation, step};

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_984_640 + index).expect("in range")
    }

    /// A state after `buckets` of traffic, of which the last is a flood if that is wanted.
    fn after(buckets: u32, flood: bool) -> SeriesState {
        let mut state = SeriesState::default();
        for index in 0..buckets {
            let total = if flood && index + 1 == buckets { 5_000.0 } else { f64::from(20 + index % 7) };
            let (bucket, part) = (bucket(index), Some((total / 3.0).round()));
            let observation = Observation { bucket, total, auth_fail: part, top1: part, distinct: part, limited: None };
            let judgement = state.model.observe(&observation);
            state.watch = step(state.watch.as_ref(), "signup/k1", &judgement, bucket).watch;
            state.remember(bucket, Point { total, expected: 22.0 });
        }
        state
    }

    #[test]
    fn a_state_is_read_as_it_was_stored_with_and_without_an_incident() {
        for (flood, length) in [(false, 850), (true, 1_300)] {
            let state = after(500, flood);
            let (_, profile) = after(480, false).pack(&[]);
            let (stored, now) = state.pack(&profile);
            let octets = stored.model.len() + stored.recent.len() + stored.watch.as_ref().map_or(0, String::len);
            assert!(octets <= length, "{octets}");
            let read = SeriesState::unpack(stored.clone(), profile.clone()).expect("what was stored");
            assert_eq!(read.pack(&profile), (stored.clone(), now));
            assert_eq!((read.has_incident(), read.last_active), (flood, state.last_active));
            assert!(matches!(SeriesState::unpack(stored, Vec::new()), Err(StateError::Model(ModelError::NoProfile))));
        }
    }

    #[test]
    fn a_state_that_an_earlier_version_stored_is_read_and_goes_on() {
        let state = after(500, false);
        let Packed { hot, profile } = state.model.pack();
        let text = |octets: &[u8]| STANDARD_NO_PAD.encode(octets);
        let json = serde_json::json!({
            "model": {"version": 2, "hot": text(&hot), "profile": text(&profile)},
            "watch": null,
            "recent": [bucket(499), text(&state.recent.pack()[4..])],
            "last_active": bucket(499),
        });
        let read = SeriesState::of_earlier_version(json.to_string().as_bytes()).expect("an earlier state");
        assert_eq!(read.pack(&[]), state.pack(&[]));
        let cut_off = &json.to_string()[1..];
        assert!(matches!(SeriesState::of_earlier_version(cut_off.as_bytes()), Err(StateError::Earlier(_))));
    }
}
