//! What it costs to judge a text that was read before: every rule at its defaults.

use criterion::{Criterion, criterion_group, criterion_main};
use floodwall::guard::{Guard, Intake, Whole};
use floodwall::sql::schema::{Columns, Key, Table};
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
    for (name, rows, key) in
        [("orders", 2_000_000, "id"), ("users", 400_000, "id"), ("pgbench_accounts", 100_000, "aid")]
    {
        let columns = Columns { keys: [Key::primary(&[key])].into(), never_null: [key.into()].into() };
        builder.describe("public", name, Table::sized(Estimate::Known(rows)).with_columns(columns));
    }
    let schema = builder.build();
    let readings = TEXTS.iter().map(|(name, text)| (name, text, Reading::of(Flags::POSTGRES, text.as_bytes())));
    let readings: Vec<_> = readings.collect();
    for (group, plans) in [("verdict", false), ("plan", true)] {
        let mut group = c.benchmark_group(group);
        for (name, text, reading) in &readings {
            let schema = Some(&schema);
            let intake = Intake { reading, schema, text_bytes: text.len() as u64, whole: Whole::Whole };
            if plans {
                group.bench_function(**name, |b| b.iter(|| guard.plan(&intake)));
            } else {
                group.bench_function(**name, |b| b.iter(|| guard.judge(&intake)));
            }
        }
        group.finish();
    }
}

criterion_group!(benches, verdict);
criterion_main!(benches);
