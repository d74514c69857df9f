use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::*;
use crate::anomaly::Observation;

/// Bytes before the numbers of the hot part: version, measure, stale, need of a profile, last, seen, ahead.
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
    let stored = model.pack();
    let mut loaded = Model::unpack(&stored).expect("what was stored");
    assert_eq!(loaded.pack(), stored);
    let next = observation(bucket(1000), 40.0);
    assert!((loaded.observe(&next).score() - model.observe(&next).score()).abs() < 1e-3);
}

#[test]
fn the_hot_part_and_the_profile_have_one_length_each() {
    for model in [known(), Model::new(Measure::Count), Model::new(Measure::Gauge)] {
        let Packed { hot, profile } = model.pack();
        assert_eq!((hot.len(), profile.len()), (626, 577));
    }
}

#[test]
fn beside_an_earlier_profile_the_hot_part_tells_the_hours_that_differ() {
    let mut model = known();
    let earlier = model.pack();
    (1000..1030).for_each(|index| drop(model.observe(&observation(bucket(index), 9.0))));
    let now = model.pack();
    // Two and a half hours touch three or four, of the week and of the day.
    let changes = now.changes(&earlier.profile);
    assert!((6..=8).contains(&changes), "{changes}");
    let hot = now.clone().beside(&earlier.profile);
    assert_eq!(hot.len(), 626 + 4 * changes);
    for profile in [&earlier.profile, &now.profile] {
        let loaded = Model::unpack(&Packed { hot: hot.clone(), profile: profile.clone() }).expect("it belongs to it");
        assert_eq!(loaded.pack(), now);
    }
    assert_eq!(Model::unpack(&Packed { hot, profile: Vec::new() }), Err(ModelError::NoProfile));
}

#[test]
fn a_hot_part_that_was_stored_without_a_profile_needs_none() {
    let now = known().pack();
    let hot = now.clone().beside(&[]);
    assert_eq!(Model::unpack(&Packed { hot, profile: Vec::new() }).expect("all of it").pack(), now);
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
    let numbers: Vec<u8> = (0..600).flat_map(|index| if index < 169 { 7.0_f32 } else { 30.0 }.to_le_bytes()).collect();
    let numbers = STANDARD_NO_PAD.encode(numbers);
    let stored = format!(r#"{{"version":1,"measure":"count","last":5900000,"seen":9000,"numbers":"{numbers}"}}"#);
    let model: Model = serde_json::from_str(&stored).expect("an older model");
    assert_eq!((model.last(), model.profile.week[100], model.seen), (Some(bucket(0)), 7.0, 0));
}

#[test]
fn of_the_second_version_both_parts_are_taken_over() {
    let Packed { hot, profile } = known().pack();
    let [hot_text, profile_text] = [&hot, &profile].map(|octets| STANDARD_NO_PAD.encode(octets));
    let stored = format!(r#"{{"version":2,"hot":"{hot_text}","profile":"{profile_text}"}}"#);
    let model: Model = serde_json::from_str(&stored).expect("an older model");
    assert_eq!(model.pack(), Packed { hot, profile });
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
        ([hot.as_slice(), &[HOURS, 0, 0, 0]].concat(), profile.clone(), ModelError::Damaged),
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
