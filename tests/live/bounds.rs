//! Bounds against a real server: whatever Floodwall is sure of, the server's own rows confirm.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use floodwall::catalog::{Catalog, Sight};
use floodwall::guard::plan::Extent;
use floodwall::guard::{Guard, Intake};
use floodwall::sql::{Flags, Reading, Schema};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::cluster::{Cluster, password};
use crate::support::process::SOON;

/// Small tables with many equal values and many nulls, so that a bound that is too low shows.
const TABLES: &str = "
    CREATE TABLE k (id int PRIMARY KEY, x int, p int NOT NULL);
    CREATE TABLE u (id int, x int UNIQUE, q int);
    CREATE TABLE c (a int, b int, x int, PRIMARY KEY (a, b));
    CREATE TABLE n (id int, x int, r int);
    CREATE TABLE part (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (3);
    CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (3) TO (9);
    CREATE TABLE mother (id int PRIMARY KEY, x int);
    CREATE TABLE child () INHERITS (mother);
    INSERT INTO k SELECT i, nullif(i % 3, 0), i % 2 FROM generate_series(1, 8) i;
    INSERT INTO u SELECT i % 4, CASE WHEN i > 3 THEN NULL ELSE i END, i % 3 FROM generate_series(1, 8) i;
    INSERT INTO c SELECT i % 4, i / 4, i % 2 FROM generate_series(0, 11) i;
    INSERT INTO n SELECT i % 3, nullif(i % 4, 0), i FROM generate_series(1, 9) i;
    INSERT INTO part SELECT i % 3, i / 2 FROM generate_series(0, 9) i;
    INSERT INTO mother SELECT i, i FROM generate_series(1, 3) i;
    INSERT INTO child SELECT i, i FROM generate_series(1, 3) i;
    ANALYZE";

/// Statements that are made up; each takes the server a few hundred microseconds.
const STATEMENTS: usize = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sure_is_so_at_the_server() {
    let cluster = Cluster::shared();
    let database = cluster.create_database("bounds");
    cluster.sql(&database, TABLES);
    let schema = schema_of(cluster, &database).await;
    let (client, connection) =
        tokio_postgres::connect(&cluster.conn_str("postgres", &database), tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut maker = Maker { state: 0x5eed };
    let (mut sure, mut ran) = (0, 0);
    for _ in 0..STATEMENTS {
        let sql = maker.statement();
        let Some(rows) = rows(&client, &sql).await else { continue };
        ran += 1;
        for most in [1, 2, 3, 5, 8] {
            if is_within(&schema, &sql, most) {
                sure += 1;
                assert!(rows <= most, "at most {most}, says Floodwall, and the server sends {rows}: {sql}");
            }
        }
    }
    assert!(ran > STATEMENTS / 4, "{ran} of {STATEMENTS} were SQL");
    assert!(sure > ran / 4, "{sure} bounds of {ran} statements say too little");
    drop(client);
    driver.await.unwrap().unwrap();
}

/// What the catalogue reads of a database.
async fn schema_of(cluster: &Cluster, database: &str) -> Arc<Schema> {
    let catalog = Catalog::new(&super::catalog::listener(cluster.port, "floodwall", password("floodwall")));
    let reading = tokio::spawn(Arc::clone(&catalog).run(std::future::pending()));
    let read = async {
        loop {
            match catalog.schema(database, Sight::Changed) {
                Some(schema) => return schema,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let schema = tokio::time::timeout(SOON * 2, read).await.unwrap();
    reading.abort();
    schema
}

/// How many rows the server sends; `None` where it is no SQL.
async fn rows(client: &Client, sql: &str) -> Option<u64> {
    let reply = client.simple_query(sql).await.ok()?;
    Some(reply.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count() as u64)
}

fn is_within(schema: &Schema, sql: &str, most: u64) -> bool {
    let settings = format!("result_budget.max_rows = {most}").parse().unwrap();
    let reading = Reading::of(Flags::POSTGRES, sql.as_bytes());
    let text_bytes = sql.len() as u64;
    let intake = Intake::of_text(&reading, Some(schema), text_bytes);
    Guard::build(&settings).unwrap().plan(&intake).rows != Extent::Unknown
}

/// Makes statements up: joins of every kind under conditions of every kind.
struct Maker {
    state: u64,
}

const COLUMNS: &[(&str, &[&str])] = &[
    ("k", &["id", "x", "p"]),
    ("u", &["id", "x", "q"]),
    ("c", &["a", "b", "x"]),
    ("n", &["id", "x", "r"]),
    ("part", &["id", "at"]),
    ("mother", &["id", "x"]),
];

/// A table in FROM: its alias and its columns.
type Seen = (String, &'static [&'static str]);

impl Maker {
    /// splitmix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn statement(&mut self) -> String {
        let first = self.query(2);
        match self.below(8) {
            0 => format!("{first} UNION ALL {}", self.query(1)),
            1 => format!("WITH w AS ({first}) SELECT * FROM w"),
            2 => format!("SELECT 1 FROM ({first}) s GROUP BY ROLLUP (s)"),
            _ => first,
        }
    }

    fn query(&mut self, joins: usize) -> String {
        let mut seen: Vec<Seen> = Vec::new();
        let mut sql = format!("SELECT * FROM {}", self.item(&mut seen));
        for _ in 0..=self.below(joins + 1) {
            let join = self.one_of(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ","]);
            let item = self.item(&mut seen);
            write!(sql, " {join} {item}").unwrap();
            match self.below(8) {
                _ if join == "," => {}
                0 => write!(sql, " USING ({})", self.one_of(&["x", "id"])).unwrap(),
                _ => write!(sql, " ON {}", self.conditions(&seen)).unwrap(),
            }
        }
        if self.below(5) > 0 {
            write!(sql, " WHERE {}", self.conditions(&seen)).unwrap();
        }
        if self.below(10) == 0 {
            write!(sql, " LIMIT {}", self.below(4)).unwrap();
        }
        sql
    }

    fn item(&mut self, seen: &mut Vec<Seen>) -> String {
        let (table, columns) = self.one_of(COLUMNS);
        let alias = format!("{}{}", self.one_of(&["s", "t"]), seen.len());
        let before = seen.clone();
        seen.push((alias.clone(), columns));
        match self.below(12) {
            0 => format!("(SELECT * FROM {table} LIMIT {}) {alias}", self.below(3)),
            1 => format!("(SELECT * FROM {table} WHERE {}) {alias}", self.conditions(&[(table.to_owned(), columns)])),
            2 if !before.is_empty() => {
                let all: Vec<Seen> = before.into_iter().chain([(table.to_owned(), columns)]).collect();
                format!("LATERAL (SELECT * FROM {table} WHERE {}) {alias}", self.conditions(&all))
            }
            3 => format!("{table} {alias} ({})", columns.iter().rev().copied().collect::<Vec<_>>().join(", ")),
            _ => format!("{table} {alias}"),
        }
    }

    fn conditions(&mut self, seen: &[Seen]) -> String {
        let first = self.condition(seen);
        match self.below(6) {
            0 => first,
            1 => format!("{first} OR {}", self.condition(seen)),
            2 => format!("({first} AND {}) AND {}", self.condition(seen), self.condition(seen)),
            _ => format!("{first} AND {}", self.condition(seen)),
        }
    }

    fn condition(&mut self, seen: &[Seen]) -> String {
        let (left, right, value) = (self.column(seen), self.column(seen), self.below(4));
        match self.below(14) {
            0..=3 => format!("{left} = {value}"),
            4..=7 => format!("{left} = {right}"),
            8 => format!("{left} IN ({value}, {})", value + 1),
            9 => format!("{left} = ANY ('{{{value},{}}}')", value + 1),
            10 => format!("{left} IS NULL"),
            11 => format!("({left}, {right}) = ({value}, {})", self.below(3)),
            12 => format!("{left} > {value}"),
            _ => format!("{value} = ({left})"),
        }
    }

    fn column(&mut self, seen: &[Seen]) -> String {
        let (alias, columns) = &seen[self.below(seen.len())];
        let column = self.one_of(columns);
        if self.below(15) == 0 { column.to_owned() } else { format!("{alias}.{column}") }
    }
}
