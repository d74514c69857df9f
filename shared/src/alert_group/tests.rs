use super::*;
use crate::{
    anomaly::{AlertEvent, Judgement, Reading, Watch, step},
    calendar::{Entry, Pattern, Purpose},
};

fn bucket(index: u32) -> Bucket {
    Bucket::try_from(5_984_640 + index).expect("in range")
}

fn judged(kind: Kind, score: f64) -> Judgement {
    Judgement {
        readings: vec![Reading { channel: Channel::Total, kind, expected: 10.0, actual: 500.0, z: 9.0, score }],
    }
}

/// What a series says of itself, as the scan hears it.
#[derive(Default)]
struct Series(Option<Watch>);

impl Series {
    fn says(&mut self, name: &str, at: u32, kind: Kind, score: f64) -> AlertEvent {
        let step = step(self.0.as_ref(), name, &judged(kind, score), bucket(at));
        self.0 = step.watch;
        step.event.expect("a change")
    }

    /// Calm until it closes.
    fn calms(&mut self, name: &str, from: u32) -> AlertEvent {
        for at in from.. {
            let step = step(self.0.as_ref(), name, &judged(Kind::Flood, 0.0), bucket(at));
            self.0 = step.watch;
            if let Some(event) = step.event {
                return event;
            }
        }
        unreachable!("calm closes")
    }
}

fn opened_at(name: &str, at: u32) -> AlertEvent {
    Series::default().says(name, at, Kind::Flood, 0.7)
}

fn sizes(of_flow: usize) -> Sizes {
    let mut sizes = Sizes::default();
    (0..of_flow).for_each(|number| sizes.count(&format!("signup/k{number}")));
    sizes
}

/// The scopes of the groups after all series opened, each in its bucket, all in one scan.
fn scopes(series: &[(&str, u32)], sizes: &Sizes) -> Vec<String> {
    let events: Vec<_> = series.iter().map(|(name, at)| opened_at(name, *at)).collect();
    let named: Vec<_> = series.iter().map(|(name, _)| *name).zip(&events).collect();
    let mut gathering = Gathering::default();
    gathering.take(&named, sizes);
    let mut scopes: Vec<String> = gathering.groups.values().map(|group| group.scope.pattern()).collect();
    scopes.sort();
    scopes
}

#[test]
fn series_that_get_into_trouble_together_are_one_incident_of_what_they_share() {
    let few = sizes(10);
    for (series, expected) in [
        (vec![("signup/k1", 0)], vec!["signup/k1"]),
        (vec![("signup/k1", 0), ("signup/k2", 3)], vec!["signup/*"]),
        (vec![("signup/k1", 0), ("login/k1", 1)], vec!["*/k1"]),
        (vec![("signup/k1", 0), ("login/k2", 0)], vec!["login/k2", "signup/k1"]),
        (vec![("signup/k1", 0), ("signup/k2", 4)], vec!["signup/k1", "signup/k2"]),
        (vec![("signup/k1", 0), ("signup/k2", 0), ("signup/k3", 1), ("login/k1", 0)], vec!["login/k1", "signup/*"]),
    ] {
        assert_eq!(scopes(&series, &few), expected, "{series:?}");
    }
}

#[test]
fn two_of_thousands_are_a_coincidence_and_not_an_incident_of_the_flow() {
    let series = [("signup/k1", 0), ("signup/k2", 0)];
    assert_eq!(scopes(&series, &sizes(1_001)), ["signup/k1", "signup/k2"]);
    let three = [series.as_slice(), &[("signup/k3", 1)]].concat();
    assert_eq!(scopes(&three, &sizes(1_001)), ["signup/*"]);
}

#[test]
fn who_follows_within_a_quarter_of_an_hour_joins_under_the_same_name() {
    let (first, second, late) = (opened_at("signup/k1", 0), opened_at("signup/k2", 3), opened_at("signup/k3", 7));
    let mut gathering = Gathering::default();
    let fingerprints: Vec<_> = [("signup/k1", &first), ("signup/k2", &second), ("signup/k3", &late)]
        .into_iter()
        .flat_map(|event| gathering.take(&[event], &sizes(10)))
        .collect();
    assert_eq!(fingerprints[0], fingerprints[1]);
    assert_ne!(fingerprints[0], fingerprints[2]);
    let group = &gathering.groups[fingerprints[0].as_ref().expect("a group")];
    assert_eq!((group.scope.pattern().as_str(), group.members.len()), ("signup/*", 2));
}

#[test]
fn kinds_that_do_not_belong_together_stay_apart() {
    let (flood, silence) = (opened_at("signup/k1", 0), Series::default().says("signup/k2", 0, Kind::Silence, 0.7));
    let mut gathering = Gathering::default();
    gathering.take(&[("signup/k1", &flood), ("signup/k2", &silence)], &sizes(10));
    assert_eq!(gathering.groups.len(), 2);
}

#[test]
fn a_group_is_told_of_once_grows_and_ends_with_its_last_series() {
    let (mut one, mut two) = (Series::default(), Series::default());
    let mut gathering = Gathering::default();
    let calendar = Calendar::default();
    let mut told = Vec::new();
    let mut take = |events: &[(&str, &AlertEvent)], at: u32| {
        let fingerprint = gathering.take(events, &sizes(10)).remove(0).expect("a group");
        let group = gathering.groups.get_mut(&fingerprint).expect("a group");
        let state = group.announce(bucket(at), &calendar);
        told.extend(state.map(|state| (state, at, group.dedup_id(state))));
        // Nothing is told twice.
        assert_eq!(group.announce(bucket(at), &calendar), None);
    };
    take(&[("signup/k1", &one.says("signup/k1", 0, Kind::Flood, 0.7))], 0);
    take(&[("signup/k2", &two.says("signup/k2", 1, Kind::Flood, 0.7))], 1);
    take(&[("signup/k1", &one.says("signup/k1", 2, Kind::Flood, 0.9))], 2);
    take(&[("signup/k1", &one.calms("signup/k1", 3))], 14);
    take(&[("signup/k2", &two.calms("signup/k2", 15))], 26);
    let states: Vec<_> = told.iter().map(|(state, at, _)| (*state, *at)).collect();
    let (opened, updated, closed) = (State::Opened, State::Updated, State::Closed);
    assert_eq!(states, [(opened, 0), (updated, 1), (updated, 2), (closed, 26)]);
    let sequences: Vec<&str> = told.iter().filter_map(|(_, _, id)| id.rsplit(':').next()).collect();
    assert_eq!(sequences, ["5984640", "5984641", "5984642", "5984666"]);
}

#[test]
fn a_second_change_in_one_bucket_has_a_sequence_of_its_own() {
    let event = opened_at("signup/k1", 0);
    let mut gathering = Gathering::default();
    let fingerprint = gathering.take(&[("signup/k1", &event)], &sizes(10)).remove(0).expect("a group");
    let group = gathering.groups.get_mut(&fingerprint).expect("a group");
    assert_eq!(group.announce(bucket(0), &Calendar::default()), Some(State::Opened));
    group.severity = Severity::Critical;
    assert_eq!(group.announce(bucket(0), &Calendar::default()), Some(State::Updated));
    assert_eq!(group.sequence, 5_984_641);
}

fn silence(series: &str, first: u32, last: u32) -> Calendar {
    let series = Pattern::parse(series).expect("a pattern");
    let (first, last, purpose) = (bucket(first), bucket(last), Purpose::Silence);
    Calendar { entries: vec![Entry { id: "e1".to_owned(), series, first, last, purpose, note: String::new() }] }
}

#[test]
fn during_a_silence_nobody_is_told_and_after_it_only_of_what_goes_on() {
    let (mut series, mut gathering) = (Series::default(), Gathering::default());
    let event = series.says("signup/k1", 0, Kind::Flood, 0.7);
    let fingerprint = gathering.take(&[("signup/k1", &event)], &sizes(10)).remove(0).expect("a group");
    let silence = silence("signup/*", 0, 5);
    let mut goes_on = gathering.groups[&fingerprint].clone();
    assert_eq!(goes_on.announce(bucket(0), &silence), None);
    assert_eq!(goes_on.announce(bucket(5), &silence), None);
    assert_eq!(goes_on.announce(bucket(6), &silence), Some(State::Opened));
    gathering.take(&[("signup/k1", &series.calms("signup/k1", 1))], &sizes(10));
    let ended = gathering.groups.get_mut(&fingerprint).expect("a group");
    assert_eq!((ended.is_open(), ended.announce(bucket(13), &silence)), (false, None));
}

#[test]
fn what_opens_and_closes_all_day_is_told_of_four_times_unless_it_gets_critical() {
    let mut gathering = Gathering::default();
    let mut told = Vec::new();
    for (round, score) in [0.7, 0.7, 0.7, 0.7, 0.7, 0.9].into_iter().enumerate() {
        let at = u32::try_from(round).expect("few") * 20;
        let mut series = Series::default();
        for event in [series.says("signup/k1", at, Kind::Flood, score), series.calms("signup/k1", at + 1)] {
            let fingerprint = gathering.take(&[("signup/k1", &event)], &sizes(10)).remove(0).expect("a group");
            let group = gathering.groups.get_mut(&fingerprint).expect("a group");
            told.extend(group.announce(event.bucket, &Calendar::default()).map(|state| (round, state)));
        }
    }
    let expected = [0, 1, 2, 3, 5].into_iter().flat_map(|round| [(round, State::Opened), (round, State::Closed)]);
    assert_eq!(told, expected.collect::<Vec<_>>());
}

#[test]
fn a_storm_of_openings_becomes_one_incident_of_everything() {
    let mut gathering = Gathering::default();
    let mut told = 0;
    // One every twenty minutes would be no storm; these come at once, each in a flow of its own.
    for number in 0..40 {
        let name = format!("flow{number}/k{number}");
        let event = opened_at(&name, number / 20);
        let fingerprint = gathering.take(&[(&name, &event)], &sizes(40)).remove(0).expect("a group");
        let group = gathering.groups.get_mut(&fingerprint).expect("a group");
        told += usize::from(group.announce(event.bucket, &Calendar::default()) == Some(State::Opened));
    }
    assert_eq!(told, 21);
    let storm = gathering.groups.values().find(|group| group.scope == Scope::All).expect("a storm");
    assert_eq!(storm.members.len(), 20);
}

#[test]
fn a_group_follows_five_hundred_series_and_counts_the_rest() {
    let names: Vec<String> = (0..600).map(|number| format!("signup/k{number}")).collect();
    let events: Vec<_> = names.iter().map(|name| opened_at(name, 0)).collect();
    let mut gathering = Gathering::default();
    gathering.take(&names.iter().map(String::as_str).zip(&events).collect::<Vec<_>>(), &sizes(600));
    let groups: Vec<_> = gathering.groups.values().map(|group| (group.members.len(), group.more_members)).collect();
    assert_eq!(groups, [(500, 100)]);
    let stored = serde_json::to_string(gathering.groups.values().next().expect("one")).expect("JSON");
    assert!(stored.len() < 300_000, "{}", stored.len());
}
