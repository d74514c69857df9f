//! What has to hold whatever happened. Pure: what was sent and what was found go in, breaches come out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    evidence::{Entry, Found},
    load::{Letter, Sent, Specimen},
    requests::FLOWS,
    site::flooded,
};

/// One promise, what it was checked by, and where it was broken.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub(crate) name: &'static str,
    pub(crate) figure: String,
    pub(crate) breaches: Vec<String>,
}

/// Findings that say that a message could not be judged, and so may hold one back that is well.
const HELD_FOR_A_FAULT: [&str; 2] = ["inspection_failed", "judging_failed"];

const PLACES: [(&str, &str); 3] = [("deliver", "delivered"), ("quarantine", "quarantine"), ("reject", "rejected")];

/// What an instance may still grow when it has seen everything once: an allocator is not that exact.
const GROWTH_KB: u64 = 4 * 1024;

/// All of them, in the order of what an attacker gains by a breach.
pub(crate) fn check(sent: &Sent, found: &Found) -> Vec<Invariant> {
    vec![
        nothing_is_delivered_that_is_to_be_held(sent, found),
        every_message_has_one_disposition(sent, found),
        every_message_lies_in_one_place_with_its_report(sent, found),
        dispositions_are_due_or_a_fault_is_named(sent, found),
        nothing_is_passed_on_before_it_is_delivered(sent),
        messages_are_counted_once(sent, found),
        requests_are_answered(sent),
        requests_are_counted_once(sent, found),
        alerts_are_delivered(found),
        memory_is_flat(found),
        nobody_panics(found),
    ]
}

fn nothing_is_delivered_that_is_to_be_held(sent: &Sent, found: &Found) -> Invariant {
    let held = || sent.letters.iter().filter(|letter| specimen(sent, letter).disposition != "deliver");
    let is_delivered = |letter: &&Letter| found.objects.contains_key(&format!("delivered/{}", letter.id));
    Invariant {
        name: "nothing is delivered that is to be held",
        figure: format!("{} to be held", held().count()),
        breaches: held().filter(is_delivered).map(|letter| letter.id.clone()).collect(),
    }
}

fn every_message_has_one_disposition(sent: &Sent, found: &Found) -> Invariant {
    let ids: BTreeSet<&String> = sent.letters.iter().map(|letter| &letter.id).collect();
    let of = |id: &String| found.entries.get(id).map_or(&[][..], Vec::as_slice);
    let is_settled = |entries: &[Entry]| {
        let dispositions: BTreeSet<_> = entries.iter().map(|entry| &entry.disposition).collect();
        dispositions.len() == 1 && entries.iter().all(Entry::is_settled)
    };
    let unsettled = ids.iter().filter(|id| !is_settled(of(id))).map(|id| format!("{id}: {:?}", of(id)));
    let strangers = found.entries.keys().filter(|id| !ids.contains(id)).map(|id| format!("{id} was never sent"));
    Invariant {
        name: "every message has one disposition",
        figure: format!("{} messages, {} judgements", ids.len(), found.entries.values().flatten().count()),
        breaches: unsettled.chain(strangers).collect(),
    }
}

fn every_message_lies_in_one_place_with_its_report(sent: &Sent, found: &Found) -> Invariant {
    let broken =
        sent.letters.iter().filter_map(|letter| Some(format!("{}: {}", letter.id, misplaced(sent, found, letter)?)));
    let left = found.objects.keys().filter(|key| key.starts_with("inbound/") && !key.ends_with(".report.json"));
    Invariant {
        name: "every message lies in one place with its report",
        figure: format!("{} objects", found.objects.len()),
        breaches: broken.chain(left.map(|key| format!("{key} was left behind"))).collect(),
    }
}

/// What is wrong with where a message lies; `None` when it is well.
fn misplaced(sent: &Sent, found: &Found, letter: &Letter) -> Option<String> {
    let lies_in = PLACES.iter().filter(|(_, place)| found.objects.contains_key(&format!("{place}/{}", letter.id)));
    let [(disposition, place)] = lies_in.collect::<Vec<_>>()[..] else { return Some("not in one place".to_owned()) };
    let decided = found.entries.get(&letter.id)?.first()?.disposition.as_deref();
    let Some(report) = report(found, place, &letter.id) else { return Some("no report".to_owned()) };
    let told = (report["message_id"].as_str(), report["disposition"].as_str(), decided);
    if told != (Some(&letter.id), Some(disposition), Some(disposition)) {
        return Some(format!("it lies in {place}/, but report and ledger say {told:?}"));
    }
    let stored = specimen(sent, letter).stored(letter);
    let octets = &found.objects[&format!("{place}/{}", letter.id)];
    let expected = if place == &"delivered" { [stamp(&report), stored].concat() } else { stored };
    (octets != &expected).then(|| format!("other octets in {place}/ than report and sender account for"))
}

fn report(found: &Found, place: &str, id: &str) -> Option<Value> {
    serde_json::from_slice(found.objects.get(&format!("{place}/{id}.report.json"))?).ok()
}

/// What a delivered message has on top.
fn stamp(report: &Value) -> Vec<u8> {
    let value = report["authentication_results"].as_str().unwrap_or_default();
    format!("Authentication-Results: {}\r\n", value.replace("; ", ";\r\n ")).into_bytes()
}

fn dispositions_are_due_or_a_fault_is_named(sent: &Sent, found: &Found) -> Invariant {
    let mut held_for_a_fault = 0;
    let mut breaches = Vec::new();
    for letter in &sent.letters {
        let due = &specimen(sent, letter).disposition;
        let entry = found.entries.get(&letter.id).and_then(|entries| entries.first());
        let Some(disposition) = entry.and_then(|entry| entry.disposition.as_ref()) else { continue };
        if disposition == due {
            continue;
        }
        let report = report(found, "quarantine", &letter.id).unwrap_or_default();
        let codes = report["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["code"].as_str());
        if disposition == "quarantine" && codes.clone().any(|code| HELD_FOR_A_FAULT.contains(&code)) {
            held_for_a_fault += 1;
        } else {
            let codes: Vec<&str> = codes.collect();
            let name = &specimen(sent, letter).case.name;
            breaches.push(format!("{} ({name}): {disposition} for {due}, {codes:?}", letter.id));
        }
    }
    let figure = format!("{held_for_a_fault} held for a fault");
    Invariant { name: "dispositions are due, or a fault is named", figure, breaches }
}

fn nothing_is_passed_on_before_it_is_delivered(sent: &Sent) -> Invariant {
    let noted = sent.noted();
    let figure = format!("{} events answered CONTINUE", noted.events.get("CONTINUE").unwrap_or(&0));
    Invariant { name: "nothing is passed on before it is delivered", figure, breaches: noted.passed_early }
}

/// A judgement is counted once. Whose recipients nobody knew is counted once for all that are told of later.
fn messages_are_counted_once(sent: &Sent, found: &Found) -> Invariant {
    let (mut least, mut most) = (BTreeMap::new(), BTreeMap::new());
    for letter in &sent.letters {
        let entries = found.entries.get(&letter.id).map_or(&[][..], Vec::as_slice);
        let is_certain = entries.iter().all(|entry| !entry.recipients.is_empty());
        let disposition = entries.first().and_then(|entry| entry.disposition.clone()).unwrap_or_default();
        let all = entries.len() as u64;
        let (fewest, all) = if is_certain { (all, all) } else { (1, letter.recipients.len() as u64) };
        for channel in ["total".to_owned(), disposition] {
            *least.entry(channel.clone()).or_insert(0) += fewest;
            *most.entry(channel).or_insert(0) += all;
        }
    }
    let counted = |channel: &str| -> u64 {
        let of_mail = |name: &str| name.starts_with("inbound/") && name.ends_with(&format!("|{channel}"));
        found.counted.iter().filter(|(name, _)| of_mail(name)).map(|(_, count)| count).sum()
    };
    let breach = |(channel, least): (&String, &u64)| {
        let (counted, most) = (counted(channel), most[channel]);
        (counted < *least || most < counted).then(|| format!("{channel}: {counted}, not {least} to {most}"))
    };
    Invariant {
        name: "messages are counted once",
        figure: format!(
            "{} counted of {} to {}, {} of them deferred first",
            counted("total"),
            least["total"],
            most["total"],
            counted("defer")
        ),
        breaches: least.iter().filter_map(breach).collect(),
    }
}

fn requests_are_answered(sent: &Sent) -> Invariant {
    let requests = sent.noted().requests;
    let is_answer = |status: &str| ["200", "400", "401", "429", "503"].contains(&status);
    let others = requests.iter().filter(|(status, _)| !is_answer(status));
    Invariant {
        name: "every request is answered",
        figure: format!("{} requests", requests.values().sum::<usize>()),
        breaches: others.map(|(what, times)| format!("{times} times {what}")).collect(),
    }
}

fn requests_are_counted_once(sent: &Sent, found: &Found) -> Invariant {
    let expected = sent.noted().counted;
    let floods = flooded();
    let is_of_requests = |name: &str| {
        let series = name.split('|').next().unwrap_or_default();
        let scope = series.split('/').next().unwrap_or_default();
        (FLOWS.contains(&scope) || scope == "validate") && !floods.iter().any(|flood| flood == series)
    };
    let counted = |name: &String| found.counted.get(name).copied().unwrap_or_default();
    let names: BTreeSet<&String> =
        expected.keys().chain(found.counted.keys().filter(|name| is_of_requests(name))).collect();
    let breach = |name: &&String| {
        let (counted, due) = (counted(name), expected.get(*name).copied().unwrap_or_default());
        (counted != due).then(|| format!("{name}: {counted}, not {due}"))
    };
    let totals = expected.iter().filter(|(name, _)| name.ends_with("|total")).map(|(_, count)| count).sum::<u64>();
    Invariant {
        name: "requests are counted once",
        figure: format!("{totals} addresses, postures and refusals"),
        breaches: names.iter().filter_map(breach).collect(),
    }
}

/// Each flood is an incident, opened and closed under one name each; of every other incident the last news is out.
fn alerts_are_delivered(found: &Found) -> Invariant {
    let names: BTreeSet<_> = found.alerts.iter().filter_map(|alert| alert["dedup_id"].as_str()).collect();
    let of = |series: &str, state: &str| {
        let of_series = |alert: &&Value| alert["series"] == series && alert["state"] == state;
        found
            .alerts
            .iter()
            .filter(of_series)
            .filter_map(|alert| alert["dedup_id"].as_str())
            .collect::<BTreeSet<_>>()
            .len()
    };
    let floods = flooded().into_iter().flat_map(|series| ["opened", "closed"].map(|state| (series.clone(), state)));
    let floods = floods.map(|(series, state)| (of(&series, state), series, state));
    let wrong = floods
        .filter(|(times, ..)| *times != 1)
        .map(|(times, series, state)| format!("{series} {state} under {times} names"));
    let is_told = |fingerprint: &str, sequence: u32| {
        let ends = format!(":{sequence}");
        names.iter().any(|name| name.starts_with(fingerprint) && name.ends_with(&ends))
    };
    let told = found.incidents.iter().filter(|incident| incident.told.is_some());
    let untold = told.filter(|incident| !is_told(&incident.fingerprint, incident.sequence));
    let untold = untold.map(|incident| format!("{}: nobody was told of {}", incident.lead, incident.sequence));
    let pending = (0 < found.pending).then(|| format!("{} alerts are pending", found.pending));
    Invariant {
        name: "every alert is delivered at least once",
        figure: format!("{} alerts in {} deliveries", names.len(), found.alerts.len()),
        breaches: wrong.chain(untold).chain(pending).collect(),
    }
}

fn memory_is_flat(found: &Found) -> Invariant {
    let watched: Vec<_> = found.memory.iter().filter_map(|memory| Some((memory, memory.growth_kb()?))).collect();
    let grown = watched.iter().filter(|(_, (before, after))| before + before / 10 + GROWTH_KB < *after);
    let grown = grown.map(|(memory, (before, after))| format!("{}: {before} kB, then {after} kB", memory.program));
    let above = found.memory.iter().filter(|memory| memory.limit_kb < memory.most());
    let above = above.map(|memory| format!("{}: {} of {} kB", memory.program, memory.most(), memory.limit_kb));
    let most = watched.iter().map(|(_, (before, after))| after.saturating_sub(*before)).max().unwrap_or_default();
    Invariant {
        name: "memory is flat",
        figure: format!("{} of {} instances lived long, growth {most} kB at most", watched.len(), found.memory.len()),
        breaches: grown.chain(above).collect(),
    }
}

fn nobody_panics(found: &Found) -> Invariant {
    Invariant { name: "nobody panics", figure: "every log was read".to_owned(), breaches: found.panics.clone() }
}

fn specimen<'s>(sent: &'s Sent, letter: &Letter) -> &'s Specimen {
    &sent.specimens[letter.specimen]
}
