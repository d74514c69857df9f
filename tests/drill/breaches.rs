//! What a drill is tampered with, to see that each invariant can break.

use super::{
    evidence::{Entry, Found},
    load::Sent,
    memory::Sample,
};

pub(super) type Breach = Box<dyn Fn(&Sent, &mut Found)>;

/// What a fault that nobody noticed would leave behind, and the invariant that tells: one for each.
pub(super) fn all(sent: &Sent) -> Vec<(Breach, &'static str)> {
    let mut breaches = of_messages(sent);
    breaches.extend(of_all_together());
    breaches
}

fn of_messages(sent: &Sent) -> Vec<(Breach, &'static str)> {
    let of = |disposition: &str| {
        let mut letters = sent.letters.iter();
        letters.find(|letter| sent.specimens[letter.specimen].disposition == disposition).expect("sent").id.clone()
    };
    let (held, lost, counted, due) = (of("reject"), of("reject"), of("deliver"), of("reject"));
    let report = |found: &Found, id: &str| {
        found
            .objects
            .keys()
            .find(|key| key.ends_with(&format!("{id}.report.json")) && !key.starts_with("inbound/"))
            .cloned()
    };
    vec![
        (
            Box::new(move |_, found| drop(found.objects.insert(format!("delivered/{held}"), Vec::new()))),
            "nothing is delivered that is to be held",
        ),
        (
            Box::new(move |_, found| {
                let other = Entry { recipients: "x".into(), disposition: Some("deliver".into()), is_placed: true };
                found.entries.get_mut(&lost).expect("judged").push(other);
            }),
            "every message has one disposition",
        ),
        (
            Box::new(move |_, found| {
                let report = report(found, &counted).expect("it has one");
                found.objects.remove(&report);
            }),
            "every message lies in one place with its report",
        ),
        (
            Box::new(move |_, found| {
                let entries = found.entries.get_mut(&due).expect("judged");
                entries.iter_mut().for_each(|entry| entry.disposition = Some("quarantine".to_owned()));
            }),
            "dispositions are due, or a fault is named",
        ),
        (
            Box::new(|sent, _| sent.note(|noted| noted.passed_early.push("drill000000".to_owned()))),
            "nothing is passed on before it is delivered",
        ),
        (
            Box::new(|sent, _| sent.note(|noted| noted.requests.extend([("connection reset".to_owned(), 1)]))),
            "every request is answered",
        ),
    ]
}

fn of_all_together() -> Vec<(Breach, &'static str)> {
    vec![
        (
            Box::new(|_, found| *found.counted.get_mut("inbound/receiver.example|total").expect("counted") += 100),
            "messages are counted once",
        ),
        (
            Box::new(|_, found| *found.counted.get_mut("validate/unknown|total").expect("counted") -= 1),
            "requests are counted once",
        ),
        (
            Box::new(|_, found| found.alerts.retain(|alert| alert["state"] != "closed")),
            "every alert is delivered at least once",
        ),
        (
            Box::new(|_, found| {
                let growing = |n: u64| Sample { resident_kb: n * 1_000, answered: 100 };
                found.memory.iter_mut().for_each(|it| it.samples = (0..90).map(growing).collect());
            }),
            "memory is flat",
        ),
        (Box::new(|_, found| found.panics.push("thread 'main' panicked".to_owned())), "nobody panics"),
    ]
}
