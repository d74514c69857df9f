//! What a drill would find if nothing had happened, and that each invariant is seen to break when something did.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    breaches,
    evidence::{Entry, Found},
    invariants,
    load::{self, Letter, Sent},
    memory::{Memory, Sample},
    site::flooded,
};

/// Of the client that nobody knows; the others are judged alike.
const REQUESTS: (&str, u64) = ("validate/unknown|total", 7);

const STEADY: Sample = Sample { resident_kb: 20_000, answered: 100 };

fn sent() -> Sent {
    let sent = load::letters(1, Duration::from_secs(20));
    sent.note(|noted| {
        noted.requests.insert("401".to_owned(), 7);
        noted.counted.insert(REQUESTS.0.to_owned(), REQUESTS.1);
    });
    sent
}

fn calm(sent: &Sent) -> Found {
    let mut found = Found {
        entries: BTreeMap::new(),
        objects: BTreeMap::new(),
        counted: BTreeMap::from([(REQUESTS.0.to_owned(), REQUESTS.1)]),
        alerts: flooded().iter().flat_map(|series| ["opened", "closed"].map(|state| alert(series, state))).collect(),
        incidents: Vec::new(),
        pending: 0,
        panics: Vec::new(),
        memory: vec![Memory { program: "validate", limit_kb: 100_000, samples: vec![STEADY; 90] }],
    };
    sent.letters.iter().for_each(|letter| settle(&mut found, sent, letter));
    found
}

fn alert(series: &str, state: &str) -> serde_json::Value {
    json!({"series": series, "state": state, "dedup_id": format!("{series}:{state}:1")})
}

/// Judged for all of its recipients, put in its place and counted.
fn settle(found: &mut Found, sent: &Sent, letter: &Letter) {
    let specimen = &sent.specimens[letter.specimen];
    let disposition = specimen.disposition.as_str();
    let (place, stamp) = match disposition {
        "deliver" => ("delivered", "Authentication-Results: x\r\n"),
        "quarantine" => ("quarantine", ""),
        _ => ("rejected", ""),
    };
    let report = json!({"message_id": letter.id, "disposition": disposition, "authentication_results": "x"});
    found.objects.insert(format!("{place}/{}.report.json", letter.id), report.to_string().into_bytes());
    let octets = [stamp.as_bytes(), &specimen.stored(letter)].concat();
    found.objects.insert(format!("{place}/{}", letter.id), octets);
    let entry = |recipients: &Vec<String>| Entry {
        recipients: recipients.join("\n"),
        disposition: Some(disposition.to_owned()),
        is_placed: true,
    };
    found.entries.insert(letter.id.clone(), letter.recipients.iter().map(entry).collect());
    for channel in ["total", disposition] {
        let counted = found.counted.entry(format!("inbound/receiver.example|{channel}")).or_default();
        *counted += letter.recipients.len() as u64;
    }
}

#[test]
fn each_invariant_of_the_drill_holds_in_a_calm_and_is_seen_to_break() {
    let sent = sent();
    let found = calm(&sent);
    let invariants = invariants::check(&sent, &found);
    let broken: Vec<_> = invariants.iter().filter(|invariant| !invariant.breaches.is_empty()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let breaches = breaches::all(&sent);
    assert_eq!(breaches.len(), invariants.len(), "one for each");
    for (breach, broken) in breaches {
        let (noted, mut tampered) = (sent.noted(), found.clone());
        breach(&sent, &mut tampered);
        let invariants = invariants::check(&sent, &tampered);
        sent.note(|tampered| *tampered = noted);
        let found_broken = invariants.iter().filter(|invariant| !invariant.breaches.is_empty());
        let names: Vec<_> = found_broken.map(|invariant| invariant.name).collect();
        assert!(names.contains(&broken), "{broken}: {names:?}");
    }
}
