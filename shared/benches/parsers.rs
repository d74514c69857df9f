//! `cargo bench -p gatepost --features mail`: the parsers and evaluators that every message meets, without DNS and network.

use std::{hint::black_box, net::IpAddr, time::SystemTime};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatepost::{
    author::Author,
    dkim::{Canonicalization, SignatureFacts},
    header_section::{HeaderSection, smuggling_mark},
    spf::{Answer, Data, Question, Record, Session, check_host},
};

const RECORD: &str =
    "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/22 ip6:2001:db8::/32 a mx include:_spf.carrier.test ~all";

const SIGNATURE: &str = " v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.test; s=rsa-2026; t=1795024930; \
    h=from:from:to:subject:date:message-id:mime-version:content-type; bh=psGozI4Q2eqtxWrAaKxV4XABmIiRUk8103BnfRrIpXw=; \
    b=JW+8sEeQ2N8pem4rfV8nRjRhaSJ8qsJY3OJPhN2apXtvK0HJbGl4D5Txu+JVL1f+X+aiNHT0zHw1m6EljijLFnvBBhMjoV5V+ZygLFx7N+hWLhJ";

fn message() -> Vec<u8> {
    let fields: String =
        (0..20).map(|n| format!("X-Field-{n}: some text that goes on\r\n for a second line\r\n")).collect();
    let body = "A line of a letter as people write them, seventy-two octets in each one.\r\n".repeat(70);
    format!("{fields}From: Ann Lee <ann@sender.test>\r\nSubject: hello\r\n\r\n{body}").into_bytes()
}

async fn answer(question: Question) -> Answer {
    match question.name.as_str() {
        "sender.test" => Answer::Records(vec![Data::Text(RECORD.as_bytes().to_vec())]),
        "_spf.carrier.test" => Answer::Records(vec![Data::Text(b"v=spf1 ip4:203.0.113.0/24 -all".to_vec())]),
        _ => Answer::NoRecords,
    }
}

fn parsers(criterion: &mut Criterion) {
    let message = message();
    let mut group = criterion.benchmark_group("message of 6.5 KB");
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("header section", |b| b.iter(|| HeaderSection::parse(black_box(&message)).fields.len()));
    group.bench_function("smuggling mark", |b| b.iter(|| smuggling_mark(black_box(&message))));
    let body = message.get(2_000..).unwrap_or_default();
    group.bench_function("body hash, relaxed", |b| b.iter(|| Canonicalization::Relaxed.body_hash(black_box(body))));
    group.finish();

    let section = HeaderSection::parse(&message);
    criterion
        .bench_function("author", |b| b.iter(|| Author::of(black_box(&section)).map(|author| author.domain.len())));
    criterion.bench_function("signature field", |b| {
        b.iter(|| {
            SignatureFacts::of(black_box(SIGNATURE.as_bytes()), 1_795_024_931).map(|facts| facts.signed_fields.len())
        });
    });
    criterion.bench_function("SPF record", |b| b.iter(|| Record::parse(black_box(RECORD.as_bytes())).is_ok()));
    let session = Session {
        client_ip: IpAddr::from([203, 0, 113, 9]),
        helo: "mail.sender.test",
        mail_from: "bounces@sender.test",
        receiver: "",
        now: SystemTime::UNIX_EPOCH,
    };
    criterion.bench_function("SPF evaluation with four look-ups", |b| {
        b.iter(|| {
            futures_util::FutureExt::now_or_never(check_host(answer, black_box(&session))).map(|check| check.lookups)
        });
    });
}

criterion_group!(benches, parsers);
criterion_main!(benches);
