//! `cargo bench -p gatepost --features mail --bench anomaly`: what a scan pays for a series beside its reads and writes.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gatepost::{
    anomaly::{Measure, Model, Observation},
    bucket::Bucket,
};

/// Buckets of a week.
const WEEK: u32 = 2016;

/// A client with office hours and noise, all channels counted.
fn observation(bucket: Bucket) -> Observation {
    let hour = bucket.minute_of_week() / 60 % 24;
    let noise = f64::from(u32::from(bucket).wrapping_mul(2_654_435_761) >> 28);
    let total = if (8..18).contains(&hour) { 60.0 } else { 8.0 } + noise;
    let part = |divisor: f64| Some((total / divisor).round());
    Observation { bucket, total, auth_fail: part(20.0), top1: part(3.0), distinct: part(1.5), limited: Some(0.0) }
}

fn anomaly(criterion: &mut Criterion) {
    let first = Bucket::parse("2026-01-05T00:00").expect("a time");
    let week = |number: u32| (0..WEEK).map(move |offset| observation(first.plus(number * WEEK + offset)));
    let mut known = Model::new(Measure::Count);
    (0..3).flat_map(week).for_each(|observation| drop(known.observe(&observation)));
    let next: Vec<Observation> = week(3).collect();

    let mut group = criterion.benchmark_group("a week of buckets");
    group.throughput(Throughput::Elements(u64::from(WEEK)));
    group.bench_function("judge and learn", |b| {
        let judge = |mut model: Model| next.iter().map(|it| model.observe(black_box(it)).score()).sum::<f64>();
        b.iter_batched(|| known.clone(), judge, BatchSize::SmallInput);
    });
    group.finish();

    let mut group = criterion.benchmark_group("a stored model");
    let packed = known.pack();
    group.bench_function("pack", |b| b.iter(|| black_box(&known).pack()));
    group.bench_function("unpack", |b| b.iter(|| Model::unpack(black_box(&packed))));
    group.finish();
}

criterion_group!(benches, anomaly);
criterion_main!(benches);
