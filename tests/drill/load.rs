//! What is sent while the storm lasts. The seed decides what and when; what came of it is noted for the end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use gatepost_local::{aws::s3::BUCKET, clock, ses::Session};
use gatepost_verify_inbound::{SesDisposition, event::MessageId};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{fleet::Reply, plan::Dice, requests, site::Site};
use crate::inbound::Case;

/// Messages a second, and requests.
const MESSAGES: f64 = 5.0;
const REQUESTS: f64 = 12.0;

/// The examples, and what they have in common with most mail: not to be told from it by their looks.
const EXAMPLES: [&str; 9] = [
    "aligned",
    "aligned-ed25519",
    "dmarc-quarantine",
    "dmarc-reject",
    "duplicate-subject",
    "executable-attachment",
    "forwarded-arc",
    "two-from",
    "unsigned-no-policy",
];

/// Octets of a message that is read in many pieces.
const LARGE: usize = 150_000;

/// A kind of message, and what is due to it while all is well.
pub(crate) struct Specimen {
    pub(crate) case: Case,
    pub(crate) disposition: String,
}

/// One message, and the events about it.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) specimen: usize,
    /// Sets of recipients, each of which is one judgement.
    pub(crate) recipients: Vec<Vec<String>>,
    stored_at: Duration,
    events: Vec<Event>,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    at: Duration,
    recipients: usize,
}

/// What was sent, and what was said to it at once.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) letters: Vec<Letter>,
    pub(crate) specimens: Vec<Specimen>,
    pub(crate) noted: Mutex<Noted>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Noted {
    /// Events by what came of them.
    pub(crate) events: BTreeMap<String, usize>,
    /// Messages that SES was told to pass on though they were not in their place.
    pub(crate) passed_early: Vec<String>,
    /// Requests by their status, or by what came instead.
    pub(crate) requests: BTreeMap<String, usize>,
    /// What has to be counted for them, by `<series>|<channel>`.
    pub(crate) counted: BTreeMap<String, u64>,
}

impl Sent {
    pub(crate) fn note(&self, note: impl FnOnce(&mut Noted)) {
        note(&mut self.noted.lock().expect("nobody panics with it"));
    }

    pub(crate) fn noted(&self) -> Noted {
        self.noted.lock().expect("nobody panics with it").clone()
    }
}

impl Specimen {
    fn of(case: Case) -> Self {
        Self { disposition: case.disposition().to_owned(), case }
    }

    fn session(&self, id: &str, recipients: &[String]) -> Session {
        Session {
            message_id: MessageId::parse(id).expect("a plain name"),
            client_ip: self.case.word("client_ip").parse().expect("an address"),
            helo: self.case.word("helo").to_owned(),
            mail_from: self.case.word("mail_from").to_owned(),
            rcpt_to: recipients.to_vec(),
            received_at: "2026-11-23T02:15:02.000Z".to_owned(),
            received_date: "Mon, 23 Nov 2026 02:15:02 +0000 (UTC)".to_owned(),
        }
    }

    /// As SES stored it, when these were the first recipients.
    pub(crate) fn stored(&self, letter: &Letter) -> Vec<u8> {
        self.session(&letter.id, &letter.recipients[0]).stored(&self.case.message)
    }
}

/// The examples, a large one, and one that is no message.
fn specimens() -> Vec<Specimen> {
    let large = |mut case: Case| {
        case.message.extend(b"All work and no play makes a dull message.\r\n".iter().cycle().take(LARGE));
        case
    };
    let garbage = |mut case: Case| {
        case.message = b"\x00\xff\x8f neither a field\r\n nor a body".to_vec();
        case
    };
    let examples = EXAMPLES.map(|name| Specimen::of(Case::named(name)));
    let others = [
        Specimen::of(large(Case::named("unsigned-no-policy"))),
        Specimen::of(large(Case::named("dmarc-reject"))),
        Specimen { disposition: "reject".to_owned(), case: garbage(Case::named("two-from")) },
    ];
    examples.into_iter().chain(others).collect()
}

pub(crate) fn letters(seed: u64, storm: Duration) -> Sent {
    let specimens = specimens();
    let mut dice = Dice::new(seed, 100);
    let letters = moments(&mut dice, storm, MESSAGES).into_iter().zip(0..);
    let letters = letters.map(|(at, number)| letter(&mut dice, number, at, &specimens, storm)).collect();
    Sent { letters, specimens, noted: Mutex::default() }
}

/// So many a second, not evenly.
pub(crate) fn moments(dice: &mut Dice, storm: Duration, a_second: f64) -> Vec<Duration> {
    let mean = Duration::from_secs_f64(1.0 / a_second);
    let mut moments = Vec::new();
    let mut at = Duration::ZERO;
    while at < storm {
        moments.push(at);
        at += dice.between(Duration::ZERO, mean * 2);
    }
    moments
}

/// Most are told of once; others twice, too early, too late, for each recipient alone, or not at all.
fn letter(dice: &mut Dice, number: usize, at: Duration, specimens: &[Specimen], storm: Duration) -> Letter {
    let mut letter = Letter {
        id: format!("drill{number:06}"),
        specimen: dice.below(specimens.len()),
        recipients: vec![vec![format!("ann{}@receiver.example", dice.below(50))]],
        stored_at: at,
        events: vec![Event { at, recipients: 0 }],
    };
    let second = Duration::from_secs(1);
    match dice.below(100) {
        0..60 => {}
        60..80 => {
            let again =
                (0..=dice.below(2)).map(|_| Event { at: at + dice.between(Duration::ZERO, second * 4), recipients: 0 });
            letter.events.extend(again.collect::<Vec<_>>());
        }
        80..88 => {
            letter.recipients.push(vec!["ben@receiver.example".to_owned(), "carol@receiver.example".to_owned()]);
            letter.events.push(Event { at: at + dice.between(Duration::ZERO, second * 2), recipients: 1 });
        }
        88..93 => letter.stored_at = at + dice.between(Duration::from_millis(50), second * 2),
        93..97 => letter.events[0].at = storm.mul_f64(0.9) + dice.between(Duration::ZERO, second * 10),
        _ => letter.events.clear(),
    }
    letter
}

/// All of it, at its time; comes back when everything was answered.
pub(crate) async fn send(site: Arc<Site>, sent: Arc<Sent>, seed: u64, storm: Duration, started: Instant) {
    let mut sending = JoinSet::new();
    for number in 0..sent.letters.len() {
        sending.spawn(send_letter(Arc::clone(&site), Arc::clone(&sent), number, started));
    }
    let mut dice = Dice::new(seed, 200);
    for at in moments(&mut dice, storm, REQUESTS) {
        let ask = requests::throw(&mut dice, &site);
        let (site, sent) = (Arc::clone(&site), Arc::clone(&sent));
        sending.spawn(async move {
            sleep_until(started + at).await;
            requests::send(&site, &sent, ask).await;
        });
    }
    while let Some(done) = sending.join_next().await {
        done.expect("nobody panics in it");
    }
}

async fn send_letter(site: Arc<Site>, sent: Arc<Sent>, number: usize, started: Instant) {
    let letter = &sent.letters[number];
    let specimen = &sent.specimens[letter.specimen];
    let store = async {
        sleep_until(started + letter.stored_at).await;
        let put = site.objects.put_object().bucket(BUCKET).key(format!("inbound/{}", letter.id));
        put.body(specimen.stored(letter).into()).send().await.expect("SES is not drilled");
    };
    let tell = letter.events.iter().map(|event| async {
        sleep_until(started + event.at).await;
        let session = specimen.session(&letter.id, &letter.recipients[event.recipients]);
        let came_of_it = tell(&site, session.event(), number).await;
        let is_early = came_of_it == "CONTINUE" && !is_delivered(&site, &letter.id).await;
        sent.note(|noted| {
            *noted.events.entry(came_of_it).or_default() += 1;
            noted.passed_early.extend(is_early.then(|| letter.id.clone()));
        });
    });
    // SES tells of a message once it is stored; an event that comes too early is a test of its own.
    tokio::join!(store, futures_util::future::join_all(tell));
}

/// While clocks are wrong, every other event meets a wrong one.
async fn tell(site: &Site, event: serde_json::Value, number: usize) -> String {
    let off = site.clock_off_s.load(Ordering::Relaxed);
    if off != 0 && number.is_multiple_of(2) {
        let by = Duration::from_secs(off.unsigned_abs());
        let now = if off < 0 { clock::now() - by } else { clock::now() + by };
        let answer = gatepost_verify_inbound::handle(&site.elsewhen, event, now).await;
        return match answer.disposition {
            SesDisposition::Continue => "CONTINUE".to_owned(),
            SesDisposition::StopRuleSet => "STOP_RULE_SET".to_owned(),
        };
    }
    match site.verify.invoke(event.to_string().into_bytes()).await {
        Reply::Answer(answer) if answer == json!({"disposition": "CONTINUE"}) => "CONTINUE".to_owned(),
        Reply::Answer(answer) if answer == json!({"disposition": "STOP_RULE_SET"}) => "STOP_RULE_SET".to_owned(),
        Reply::Answer(other) | Reply::Failure(other) => format!("not an answer: {other}"),
        Reply::Dead => "died".to_owned(),
        Reply::Throttled => "throttled".to_owned(),
    }
}

async fn is_delivered(site: &Site, id: &str) -> bool {
    site.objects.head_object().bucket(BUCKET).key(format!("delivered/{id}")).send().await.is_ok()
}
