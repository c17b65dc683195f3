//! Records what ordinary programs send: from the log of a server that they speak to directly.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use floodwall::sql::Flags;
use floodwall::sql::lexer::lex;
use serde_json::Value;

use super::format::{Statement, Traffic};
use crate::drivers::{built, source};
use crate::support::cluster::{Cluster, run};
use crate::support::command::{limited, pg, stdout};

/// A server that logs every statement with its values, one JSON object a line.
const LOG_EVERYTHING: [(&str, &str); 7] = [
    ("logging_collector", "on"),
    ("log_destination", "jsonlog"),
    ("log_statement", "all"),
    ("log_directory", "log"),
    ("log_filename", "traffic.log"),
    ("log_rotation_age", "0"),
    ("log_rotation_size", "0"),
];

#[test]
#[ignore = "writes tests/traffic anew: make record-traffic"]
fn record() {
    let cluster = Cluster::start(&LOG_EVERYTHING);
    for (name, programs) in [("django", django()), ("sqlalchemy", sqlalchemy()), ("pgbench", pgbench())] {
        let database = cluster.create_database(name);
        let mut said = String::new();
        for mut program in programs {
            let envs = pg("psql", cluster.port, "app", &database);
            program.envs(envs.get_envs().filter_map(|(name, value)| Some((name, value?))));
            program.env("FLOODWALL_GUARDED", "0").env("PYTHONDONTWRITEBYTECODE", "1");
            said.push_str(&stdout(&run(&mut program)));
            said.push('\n');
        }
        let traffic = Traffic { tables: tables(&said), statements: distinct(statements(&cluster, &database)) };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/traffic/{name}.jsonl"));
        std::fs::write(file, traffic.write()).unwrap();
    }
}

/// Twice: values in the text, as is its default, and apart from it.
fn django() -> Vec<Command> {
    let site = |binding: &str| {
        let mut command = python("django/main.py");
        command.env("SERVER_SIDE_BINDING", binding);
        command
    };
    let mut between = limited("psql", 60);
    between.args(["-Xqc", "DROP SCHEMA public CASCADE; CREATE SCHEMA public"]);
    vec![site("0"), between, site("1")]
}

fn sqlalchemy() -> Vec<Command> {
    vec![python("sqlalchemy/main.py")]
}

fn pgbench() -> Vec<Command> {
    let command = |args: &[&str]| {
        let mut command = limited(crate::support::cluster::bin("pgbench"), 120);
        command.args(args);
        command
    };
    let mut all = vec![
        command(&["-i", "-s", "2", "-q", "-I", "dtGvpf", "--partitions=3"]),
        command(&["-i", "-s", "2", "-q", "--foreign-keys"]),
    ];
    for protocol in ["simple", "extended", "prepared"] {
        for script in ["tpcb-like", "simple-update", "select-only"] {
            all.push(command(&["-t", "5", "-M", protocol, "-b", script]));
        }
    }
    all.push(sizes_of_pgbench());
    all
}

/// pgbench cannot say how large its tables are.
fn sizes_of_pgbench() -> Command {
    let mut psql = limited("psql", 60);
    let sizes = ["branches", "tellers", "accounts", "history"]
        .map(|table| format!("SELECT 'size pgbench_{table} ' || count(*) FROM pgbench_{table}"));
    psql.args(["-XAtqc", &sizes.join("; ")]);
    psql
}

fn python(program: &str) -> Command {
    let mut command = limited(built("venv/bin/python"), 300);
    command.arg(source(program));
    command
}

/// Lines such as `size shop_book 12000`; of two for one table the larger counts.
fn tables(said: &str) -> Vec<(String, u64)> {
    let mut sizes = std::collections::BTreeMap::new();
    for line in said.lines().filter_map(|line| line.strip_prefix("size ")) {
        let (table, rows) = line.split_once(' ').unwrap();
        let rows: u64 = rows.parse().unwrap();
        sizes.entry(table.to_owned()).and_modify(|known: &mut u64| *known = rows.max(*known)).or_insert(rows);
    }
    sizes.into_iter().collect()
}

fn statements(cluster: &Cluster, database: &str) -> Vec<Statement> {
    let log = std::fs::read_to_string(cluster.folder().join("data/log/traffic.json")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours = lines.filter(|line| line["dbname"] == database && line["user"] == "app");
    ours.filter(|line| !line["application_name"].as_str().unwrap_or_default().contains("psql"))
        .filter_map(|line| statement(line["message"].as_str()?, line["detail"].as_str()))
        .collect()
}

fn statement(message: &str, detail: Option<&str>) -> Option<Statement> {
    if let Some(sql) = message.strip_prefix("statement: ") {
        return Some(Statement { sql: redacted_literals(sql), values: None });
    }
    let (_, sql) = message.strip_prefix("execute ")?.split_once(": ")?;
    let values = detail.and_then(|detail| detail.strip_prefix("parameters: ")).map_or_else(Vec::new, values);
    Some(Statement { sql: redacted_literals(sql), values: Some(values) })
}

/// `$1 = 'it''s', $2 = NULL` as the server writes it.
fn values(mut rest: &str) -> Vec<Option<String>> {
    let mut found = Vec::new();
    while let Some((_, value)) = rest.split_once(" = ") {
        if let Some(after) = value.strip_prefix("NULL") {
            found.push(None);
            rest = after;
            continue;
        }
        let (value, after) = quoted(value.strip_prefix('\'').unwrap());
        found.push(Some(redacted(&value)));
        rest = after;
    }
    found
}

/// The inside of a literal whose opening quote is gone, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'').unwrap();
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return (value, after),
        }
    }
}

fn redacted_literals(sql: &str) -> String {
    let sql = sql.split('\'').map(redacted).collect::<Vec<_>>().join("'");
    // Cursors and savepoints are named by the number of a thread or the address of an object.
    let is_number = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
    let mut out = String::with_capacity(sql.len());
    for part in sql.split_inclusive(|letter| !is_number(letter)) {
        let number = part.trim_end_matches(|letter| !is_number(letter));
        out.push_str(if number.len() >= ADDRESS_DIGITS { "1" } else { number });
        out.push_str(&part[number.len()..]);
    }
    out
}

/// No number of an ordinary statement is as long.
const ADDRESS_DIGITS: usize = 12;

/// Keys, hashes and signatures of a throwaway site: no secrets, and yet nobody should have to wonder.
fn redacted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    let opaque = value.len() >= 32 && value.chars().all(plain) && value.chars().any(|letter| letter.is_ascii_digit());
    if value.starts_with("md5$") {
        "md5$salt$hash".to_owned()
    } else if opaque {
        "k".repeat(32)
    } else {
        value.to_owned()
    }
}

/// Of each shape the first statement, and the one that carries the most. Shapes that differ in the number of a cursor or a
/// savepoint count as one.
fn distinct(all: Vec<Statement>) -> Vec<Statement> {
    let mut kept: HashMap<(Vec<u8>, bool), [usize; 2]> = HashMap::new();
    let mut carried = Vec::new();
    for (at, statement) in all.iter().enumerate() {
        let lexed = lex(Flags::POSTGRES, statement.sql.as_bytes());
        carried.push(lexed.pieces.iter().map(|piece| piece.counts.largest()).max());
        let shape = lexed.shape.into_iter().filter(|byte| !byte.is_ascii_digit()).collect();
        let [_, most] = kept.entry((shape, statement.values.is_some())).or_insert([at, at]);
        if carried[at] > carried[*most] {
            *most = at;
        }
    }
    let kept: BTreeSet<usize> = kept.into_values().flatten().collect();
    let mut texts = BTreeSet::new();
    let chosen = all.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, statement)| statement);
    chosen.filter(|statement| texts.insert((statement.sql.clone(), statement.values.is_some()))).collect()
}
