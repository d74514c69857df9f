//! Judges the same message again and again, with warm DNS and one thread: `FOLDER` has `zone.txt` and messages.
//!
//! Prints a line for each message: its name and how many were judged in a second. `run.sh` compares that with others. With
//! `serve` it only answers DNS from the zone, and prints where.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use gatepost::{
    disposition::Overrides,
    envelope::Envelope,
    inspection::Seen,
    io::{authentication::Authenticator, dns::NameServer as Server},
};
use gatepost_local::name_server::NameServer;
use gatepost_verify_inbound::{
    arrived::Arrived,
    judge::{Judge, Patience, Policy, Terms},
};

const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let folder = PathBuf::from(arguments.next().expect("FOLDER"));
    let what = arguments.next();
    let zone = std::fs::read_to_string(folder.join("zone.txt")).expect("zone.txt");
    let server = NameServer::start(&zone, &[]).await.expect("a zone");
    if what.as_deref() == Some("serve") {
        println!("{}", server.address());
        return std::future::pending().await;
    }
    let seconds: f64 = what.map_or(2.0, |text| text.parse().expect("seconds"));
    let authenticator = Authenticator::new(Server::At(server.address()), Duration::from_secs(1)).expect("a resolver");
    let policy = Policy {
        authserv_id: "mx.receiver.test".to_owned(),
        trusted_arc_sealers: Vec::new(),
        protected_domains: vec!["bank.example".to_owned()],
        overrides: Overrides::default(),
        block_lists: Vec::new(),
    };
    let judge = Judge { authenticator, policy, contacts: None };
    for name in ["rsa2048", "ed25519"] {
        let message = std::fs::read(folder.join(format!("{name}.eml"))).expect("a message");
        judged(&judge, &message).await;
        let (started, mut count) = (Instant::now(), 0_u32);
        while started.elapsed().as_secs_f64() < seconds {
            judged(&judge, &message).await;
            count += 1;
        }
        println!("{name} {:.0}", f64::from(count) / started.elapsed().as_secs_f64());
    }
}

async fn judged(judge: &Judge, message: &[u8]) {
    let client_ip = "192.0.2.1".parse().expect("an address");
    let envelope = Envelope::new(client_ip, "mail.bookshop.example", "b@bookshop.example", &[]).expect("an envelope");
    let terms = Terms { patience: Patience::Left, within: DEADLINE, now: SystemTime::now() };
    let report = judge.report("m", &Arrived::over_smtp(envelope, message), terms, async { Seen::default() }).await;
    assert_eq!((report.spf, report.dkim, report.dmarc, report.disposition), ("pass", "pass", "pass", "deliver"));
}
