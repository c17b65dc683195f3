//! A session over in-memory pipes, with every rule on, beside a plain copy: ping-pong in each protocol, and a large result.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

mod pipes;

use pipes::traffic::Scenario;
use pipes::{Between, Worker};

const STATEMENTS: usize = 50;

fn relay(criterion: &mut Criterion) {
    let workers =
        [Between::Floodwall, Between::RulesOff, Between::Copy].map(|between| (between, Worker::start(between)));
    for scenario in Scenario::ALL {
        let mut group = criterion.benchmark_group(format!("relay/{}", scenario.name()));
        let bytes = scenario.request(0).len() + scenario.reply().len();
        group.throughput(Throughput::Bytes((bytes * STATEMENTS) as u64));
        for (between, worker) in &workers {
            group.bench_function(BenchmarkId::from_parameter(format!("{between:?}")), |bencher| {
                bencher.iter(|| worker.run(scenario, STATEMENTS));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, relay);
criterion_main!(benches);
