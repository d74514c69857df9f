//! `cargo bench -p gatepost --features mail --bench addresses`: what an address goes through before DNS, on one core.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatepost::{
    address::{Domain, Mailbox, examine, suggest_domain},
    domain_list::DomainList,
    flow::Flow,
    look_alike::LookAlikes,
    mail_hosts::{Hosts, MailHosts},
    overlay::Overlay,
    verdict::{Context, Verdict},
    weights::Weights,
};

/// What arrives at a sign-up: mostly well-known providers and companies, some misspelt, disposable and malformed.
const ADDRESSES: [&str; 16] = [
    "ann@gmail.com",
    "Ann.Smith+news@googlemail.com",
    "bob.jones1987@yahoo.co.uk",
    "c.miller@small-company.example",
    "info@bakery-in-the-old-town.de",
    "d_ortega@hotmail.es",
    "firstname.lastname@subsidiary.large-company.com",
    "e@icloud.com",
    "f.nakamura@university.ac.jp",
    "o'brien@law-office.ie",
    "gina@gmial.com",
    "hans@web.de",
    "ida@mailinator.com",
    "jo..ann@example.com",
    "kim@outlook.com",
    "lea@startup.io",
];

fn addresses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("16 addresses");
    group.throughput(Throughput::Elements(ADDRESSES.len() as u64));
    group.bench_function("syntax: examine", |b| {
        b.iter(|| ADDRESSES.map(|text| examine(black_box(text)).syntax_valid()));
    });
    group.bench_function("syntax: Mailbox::parse", |b| {
        b.iter(|| ADDRESSES.map(|text| Mailbox::parse(black_box(text)).is_ok()));
    });
    let plain = ADDRESSES.map(|text| text.replace(['+', '_', '\'', '.'], "").replacen("com", ".com", 1));
    group.bench_function("syntax: examine, without anything unusual", |b| {
        b.iter(|| plain.iter().filter(|text| examine(black_box(text)).syntax_valid()).count());
    });
    let list = DomainList::embedded();
    let domains: Vec<Domain> = ADDRESSES.iter().filter_map(|text| Some(examine(text).mailbox?.domain)).collect();
    group.bench_function("classify: listing", |b| {
        b.iter(|| domains.iter().filter(|&domain| list.listing(black_box(domain)).is_some()).count());
    });
    group.bench_function("suggest", |b| {
        b.iter(|| {
            domains
                .iter()
                .filter(|&domain| suggest_domain(black_box(domain), list.find(domain), &list).is_some())
                .count()
        });
    });
    let (weights, overlay, look_alikes) = (Weights::default(), Overlay::default(), LookAlikes::new(&[]));
    let context = Context {
        flow: Flow::Signup,
        client: "bench",
        weights: &weights,
        list: &list,
        overlay: &overlay,
        look_alikes: &look_alikes,
    };
    let hosts = Hosts::from(MailHosts::NotChecked);
    group.bench_function("whole verdict, offline", |b| {
        b.iter(|| ADDRESSES.map(|text| Verdict::new(&examine(black_box(text)), &hosts, &context).risk));
    });
    group.finish();
}

criterion_group!(benches, addresses);
criterion_main!(benches);
