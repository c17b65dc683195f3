//! What it costs to read a text: the lexer for every new text, the parser for every new shape, the cache for the rest.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use floodwall::sql::cache::TextCache;
use floodwall::sql::lexer::{Lexed, lex, lex_into};
use floodwall::sql::{Flags, facts};

fn texts() -> Vec<(&'static str, String)> {
    let rows = vec!["(1, 'some text', 2.5, now())"; 1000].join(", ");
    let items: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    vec![
        ("begin", "BEGIN".to_owned()),
        ("pgbench_select", "SELECT abalance FROM pgbench_accounts WHERE aid = 52345;".to_owned()),
        (
            "pgbench_update",
            "UPDATE pgbench_accounts SET abalance = abalance + -4127 WHERE aid = 52345;".to_owned(),
        ),
        (
            "parameters",
            "SELECT o.id, o.total FROM orders o WHERE o.user_id = $1 AND o.state = $2 ORDER BY o.id DESC LIMIT $3 OFFSET $4"
                .to_owned(),
        ),
        (
            "django",
            "SELECT \"shop_order\".\"id\", \"shop_order\".\"created\", \"shop_order\".\"state\", \"shop_order\".\"total\", \
             \"shop_order\".\"customer_id\", \"shop_customer\".\"id\", \"shop_customer\".\"name\", \
             \"shop_customer\".\"email\", \"shop_address\".\"id\", \"shop_address\".\"street\", \
             \"shop_address\".\"city\", \"shop_address\".\"zip\" FROM \"shop_order\" INNER JOIN \"shop_customer\" ON \
             (\"shop_order\".\"customer_id\" = \"shop_customer\".\"id\") LEFT OUTER JOIN \"shop_address\" ON \
             (\"shop_customer\".\"address_id\" = \"shop_address\".\"id\") WHERE (\"shop_order\".\"state\" IN (1, 2, 3) \
             AND \"shop_order\".\"created\" >= '2024-01-01T00:00:00+00:00'::timestamptz AND \
             \"shop_customer\".\"email\" LIKE '%example%') ORDER BY \"shop_order\".\"created\" DESC LIMIT 100"
                .to_owned(),
        ),
        ("insert_1000", format!("INSERT INTO events (a, b, c, d) VALUES {rows}")),
        ("in_1000", format!("UPDATE t SET state = 2 WHERE id IN ({})", items.join(", "))),
    ]
}

fn lexer(c: &mut Criterion) {
    let mut group = c.benchmark_group("shape");
    for (name, text) in texts() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut lexed = Lexed::default();
        group.bench_function(name, |b| b.iter(|| lex_into(Flags::POSTGRES, text.as_bytes(), &mut lexed)));
    }
    group.finish();
}

fn parser(c: &mut Criterion) {
    let mut group = c.benchmark_group("facts");
    for (name, text) in texts() {
        let lexed = lex(Flags::POSTGRES, text.as_bytes());
        group.bench_function(name, |b| b.iter(|| facts::parse(&lexed)));
    }
    group.finish();
}

fn cache(c: &mut Criterion) {
    let mut group = c.benchmark_group("cache");
    let mut cache = TextCache::new(1 << 20);
    for n in 0..1000_u32 {
        cache.insert(Flags::POSTGRES, format!("SELECT {n}").as_bytes(), n, 0);
    }
    for (name, text) in texts() {
        cache.insert(Flags::POSTGRES, text.as_bytes(), 0, 0);
        group.bench_function(name, |b| b.iter(|| cache.find(Flags::POSTGRES, text.as_bytes()).copied()));
    }
    group.finish();
}

criterion_group!(benches, lexer, parser, cache);
criterion_main!(benches);
