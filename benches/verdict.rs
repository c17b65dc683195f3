//! What it costs to judge a text that was read before: every rule at its defaults.

use criterion::{Criterion, criterion_group, criterion_main};
use floodwall::guard::{Guard, Intake};
use floodwall::sql::{Estimate, Flags, Reading, Schema};

const TEXTS: &[(&str, &str)] = &[
    ("begin", "BEGIN"),
    ("point_select", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"),
    ("update", "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2"),
    ("page", "SELECT * FROM orders JOIN users ON users.id = orders.user_id ORDER BY orders.id LIMIT 100"),
    ("small_table", "SELECT * FROM countries"),
    ("eight_statements", "BEGIN; SELECT 1; SELECT 2; SELECT 3; SELECT 4; SELECT 5; SELECT 6; COMMIT"),
    ("refused", "SELECT * FROM orders"),
];

fn verdict(c: &mut Criterion) {
    let Ok(guard) = Guard::build(&toml::Table::new()) else { return };
    let mut builder = Schema::builder();
    for n in 0..1000 {
        builder.add("public", &format!("table_{n}"), Estimate::Known(n));
    }
    builder.add("public", "countries", Estimate::Known(250));
    builder.add("public", "orders", Estimate::Known(2_000_000));
    builder.add("public", "users", Estimate::Known(400_000));
    let schema = builder.build();
    let mut group = c.benchmark_group("verdict");
    for (name, text) in TEXTS {
        let reading = Reading::of(Flags::POSTGRES, text.as_bytes());
        let schema = Some(&schema);
        let intake = Intake::of_text(&reading, schema, text.len() as u64);
        group.bench_function(*name, |b| b.iter(|| guard.judge(&intake)));
    }
    group.finish();
}

criterion_group!(benches, verdict);
criterion_main!(benches);
