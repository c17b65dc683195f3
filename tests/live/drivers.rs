//! The client libraries that applications use, each in a small program of its own below `tests/drivers/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use futures::{SinkExt, TryStreamExt};
use tokio_postgres::error::SqlState;

use crate::support::command::{limited, stderr, stdout};
use crate::support::floodwall::direct;
use crate::support::site::Site;

#[test]
fn psycopg() {
    python("psycopg", &[]);
}

#[test]
fn asyncpg() {
    python("asyncpg", &[]);
}

#[test]
fn sqlalchemy() {
    python("sqlalchemy", &[]);
}

#[test]
fn django() {
    python("django", &[]);
}

#[test]
fn django_with_server_side_binding() {
    python("django", &[("SERVER_SIDE_BINDING", "1")]);
}

#[test]
fn node_postgres() {
    node().into_iter().for_each(|node| drive("node", node));
}

#[test]
fn jdbc() {
    java().into_iter().for_each(|java| drive("jdbc", java));
}

/// Seconds that a program may take.
const PATIENCE: u32 = 300;

/// Drivers that run against any site.
pub(crate) const ALL: [&str; 6] = ["sqlalchemy", "django", "jdbc", "node", "asyncpg", "psycopg"];

/// Runs one of them through a proxy that stands already.
pub(crate) fn drive_at(driver: &str, site: &Site) {
    let command = match driver {
        "node" => node(),
        "jdbc" => java(),
        name => interpreter(name),
    };
    command.into_iter().for_each(|command| drive_through(driver, command, site));
}

fn node() -> Option<Command> {
    let modules = built("node/node_modules");
    if !modules.join("pg").exists() {
        absent("node-postgres: target/node is not installed (make test-tools)");
        return None;
    }
    let mut node = program("node", "node --version")?;
    node.arg(source("node/main.js")).env("NODE_PATH", modules);
    Some(node)
}

fn java() -> Option<Command> {
    let jar = Path::new("/usr/share/java/postgresql.jar");
    if !jar.exists() {
        absent("JDBC: no /usr/share/java/postgresql.jar (make test-tools)");
        return None;
    }
    let mut java = program("java", "javac -version")?;
    java.arg("-Xmx256m").arg("-cp").arg(jar).arg(source("jdbc/Main.java"));
    Some(java)
}

#[tokio::test(flavor = "multi_thread")]
async fn tokio_postgres_pipelines_copies_cancels_and_streams() {
    let site = Site::new("tokio_postgres", "");
    let client = site.session("app").await;
    client.batch_execute("CREATE TABLE items (id int PRIMARY KEY, name text)").await.unwrap();
    copy_in_and_out(&client).await;
    pipeline(&client).await;
    cursor(&client).await;
    if !direct() {
        let refused = client.execute("DELETE FROM items", &[]).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED));
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    }
    drop(client);
    finish(site);
}

async fn copy_in_and_out(client: &tokio_postgres::Client) {
    let mut sink = Box::pin(client.copy_in::<_, bytes::Bytes>("COPY items FROM STDIN").await.unwrap());
    for chunk in 0..50 {
        let lines: String = (0..1000).map(|n| format!("{}\tcopied {n}\n", chunk * 1000 + n)).collect();
        sink.send(lines.into()).await.unwrap();
    }
    assert_eq!(sink.as_mut().finish().await.unwrap(), 50_000);
    let out = client.copy_out("COPY items TO STDOUT (FORMAT binary)").await.unwrap();
    let bytes: Vec<bytes::Bytes> = out.try_collect().await.unwrap();
    assert!(bytes.iter().map(bytes::Bytes::len).sum::<usize>() > 1_000_000);
}

async fn pipeline(client: &tokio_postgres::Client) {
    let statement = client.prepare("SELECT name FROM items WHERE id = $1").await.unwrap();
    let (one, two, failed) = tokio::join!(
        client.query_one(&statement, &[&7_i32]),
        client.query_one(&statement, &[&8_i32]),
        client.query_one("SELECT 1 / $1", &[&0_i32]),
    );
    assert_eq!(one.unwrap().get::<_, &str>(0), "copied 7");
    assert_eq!(two.unwrap().get::<_, &str>(0), "copied 8");
    assert_eq!(failed.unwrap_err().code(), Some(&SqlState::DIVISION_BY_ZERO));
}

async fn cursor(client: &tokio_postgres::Client) {
    let rows = client.query_raw("SELECT id FROM items WHERE id >= $1", [0_i32]).await.unwrap();
    let sum: i64 = rows.try_fold(0, |sum, row| async move { Ok(sum + i64::from(row.get::<_, i32>(0))) }).await.unwrap();
    assert_eq!(sum, (0..50_000).sum::<i64>());
}

fn python(name: &str, env: &[(&str, &str)]) {
    let Some(mut python) = interpreter(name) else { return };
    python.envs(env.iter().copied());
    drive(name, python);
}

fn interpreter(name: &str) -> Option<Command> {
    let interpreter = built("venv/bin/python");
    if !interpreter.exists() {
        absent("Python drivers: target/venv is not installed (make test-tools)");
        return None;
    }
    let mut python = limited(interpreter, PATIENCE);
    python.arg(source(&format!("{name}/main.py"))).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(python)
}

/// Runs a program through the proxy: it must succeed, and nothing may be refused but the one statement it asks for.
fn drive(label: &str, command: Command) {
    let site = Site::new(&format!("driver_{label}"), "");
    drive_through(label, command, &site);
    finish(site);
}

fn drive_through(label: &str, mut command: Command, site: &Site) {
    command.envs(site.program("psql").get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("FLOODWALL_GUARDED", if direct() { "0" } else { "1" });
    let out = command.output().unwrap();
    assert!(out.status.success(), "{label}: {}\n{}\n{}\n{}", out.status, stdout(&out), stderr(&out), site.proxy.log());
}

/// Exactly one refusal, the one that was asked for.
fn finish(site: Site) {
    if !direct() {
        assert_eq!(site.proxy.metric("floodwall_refusals_total", &[]), 1.0, "{}", site.proxy.log());
    }
    site.finish();
}

/// An interpreter of the system, or `None` after saying so where `probe` does not run.
fn program(name: &str, probe: &str) -> Option<Command> {
    let there = Command::new("sh").args(["-c", &format!("{probe} >/dev/null 2>&1")]).status().unwrap().success();
    if !there {
        absent(&format!("{name}: `{probe}` does not run"));
    }
    there.then(|| limited(name, PATIENCE))
}

/// Something that `make test` installs is not there: skipped aloud, except where everything must be there.
fn absent(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("SKIPPED {what}");
}

/// A file that `make test` put below the build folder.
pub(crate) fn built(path: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join(path)
}

pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers").join(path)
}
