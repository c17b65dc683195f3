//! Cutting messages and reading what they mean, in bytes per second: the traffic of each protocol from both sides.

#![allow(clippy::unwrap_used, dead_code, reason = "a bench may fail; the pipes are shared with other benches")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use floodwall::wire::pg::Pg;
use floodwall::wire::{Protocol, Reply, Request};

mod pipes;

use pipes::traffic::Scenario;

/// Statements in one buffer.
const STATEMENTS: usize = 100;
const HOLD: u64 = 16 << 20;

fn frame(criterion: &mut Criterion) {
    for scenario in Scenario::ALL {
        let asked: Vec<u8> = (0..STATEMENTS).flat_map(|number| scenario.request(number)).collect();
        let said = scenario.reply().repeat(STATEMENTS);
        let mut group = criterion.benchmark_group(format!("frame/{}", scenario.name()));
        for (side, bytes) in [("client", &asked), ("server", &said)] {
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_with_input(BenchmarkId::from_parameter(side), bytes, |bencher, bytes| match side {
                "client" => bencher.iter(|| from_client(black_box(bytes))),
                _ => bencher.iter(|| from_server(black_box(bytes))),
            });
        }
        group.finish();
    }
}

fn from_client(mut rest: &[u8]) -> usize {
    let mut phase = <Pg as Protocol>::Phase::default();
    let mut texts = 0;
    while let Some(head) = Pg::client_head(rest).unwrap() {
        let (frame, next) = rest.split_at(usize::try_from(head.size).unwrap());
        black_box(Pg::client_needs(head, HOLD));
        let request = Pg::request(head, frame).unwrap();
        texts += usize::from(matches!(request, Request::Run { .. } | Request::Prepare { .. }));
        black_box(Pg::client(&mut phase, head));
        rest = next;
    }
    texts
}

fn from_server(mut rest: &[u8]) -> usize {
    let mut phase = <Pg as Protocol>::Phase::default();
    let mut boundaries = 0;
    while let Some(head) = Pg::server_head(rest).unwrap() {
        let (frame, next) = rest.split_at(usize::try_from(head.size).unwrap());
        black_box(Pg::server_needs(&phase, head));
        boundaries += usize::from(matches!(Pg::server(&mut phase, head, frame), Reply::Boundary(_)));
        rest = next;
    }
    boundaries
}

criterion_group!(benches, frame);
criterion_main!(benches);
