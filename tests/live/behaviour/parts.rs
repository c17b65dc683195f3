//! `max_db_connections` and `max_user_connections`: servers of a database, and of a user, in all of their pools.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::limits::hold;
use super::*;
use crate::pooling::waits;
use crate::support::floodwall::direct;
use crate::support::process::Stop;
use crate::support::raw::{VERSION_3_0, query, startup};

/// Servers of these users at that database.
fn servers(pool: &Pooled, users: &str, database: &str) -> usize {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND usename IN ({users})");
    pool.site.direct_sql(&sql).parse().unwrap()
}

/// One that was closed to make room may still be on its way out at the server.
fn come_down(pool: &Pooled, users: &str, database: &str, most: usize) -> bool {
    wait_until(SOON, || servers(pool, users, database) <= most)
}

/// The row of SHOW CAPS.
fn cap(pool: &Pooled, cap: &str) -> Vec<String> {
    let rows = pool.site.proxy.console("SHOW CAPS").unwrap();
    let row = rows.iter().find(|row| row["cap"] == cap).unwrap_or_else(|| panic!("{rows:?}"));
    ["scope", "current", "limit"].map(|column| row[column].clone()).into()
}

const BOTH: &str = "'app', 'md5_user'";

#[test]
fn a_database_has_so_many_servers_of_all_its_users() {
    if direct() {
        return;
    }
    let pool = pool("bhv_db", 5, "max_db_connections = 2\nserver_idle_timeout = '1m'\n");
    let database = pool.site.database.clone();
    let (mut first, mut second) = (join(&pool), join(&pool));
    hold(&mut first);
    hold(&mut second);
    let mut third = join(&pool);
    third.send(&query("SELECT 'third'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    // Another database has its own.
    let mut elsewhere = [(); 2].map(|()| join_as(&pool, "app", "postgres"));
    let apart: BTreeSet<_> = elsewhere.iter_mut().map(hold).collect();
    let mut other = Raw::open(pool.site.proxy.port);
    other.send(&startup(VERSION_3_0, &[("user", "md5_user"), ("database", &database)]));
    assert_eq!(cap(&pool, "max_db_connections"), [&format!("database {database}"), "2", "2"]);
    first.rows("COMMIT");
    assert_eq!(third.until(b"Z").iter().filter(|message| message.code == b'D').count(), 1);
    // Its idle server makes room for another user's, who has none.
    other.finish_login().unwrap();
    assert_eq!(one(&mut other, "SELECT current_user"), "md5_user");
    assert!(come_down(&pool, BOTH, &database, 2), "{}", servers(&pool, BOTH, &database));
    second.rows("COMMIT");
    for _ in 0..3 {
        hold(&mut first);
        hold(&mut second);
        assert!(come_down(&pool, BOTH, &database, 2), "{}", servers(&pool, BOTH, &database));
        first.rows("COMMIT");
        second.rows("COMMIT");
        assert_eq!(one(&mut other, "SELECT 1"), "1");
    }
    elsewhere.iter_mut().for_each(|client| drop(client.rows("COMMIT")));
    assert_eq!(elsewhere.iter_mut().map(hold).collect::<BTreeSet<_>>(), apart, "one of another database was closed");
    drop((first, second, third, other, elsewhere));
    leave(&pool);
}

#[test]
fn a_user_has_so_many_servers_in_all_databases() {
    if direct() {
        return;
    }
    let entry = "[[pool]]\nmatch = { user = 'md5_user' }\nmax_user_connections = 0\n";
    let pool = pool("bhv_user", 5, &format!("max_user_connections = 2\nserver_idle_timeout = '1m'\n{entry}"));
    let database = pool.site.database.clone();
    let (mut here, mut there) = (join(&pool), join_as(&pool, "app", "postgres"));
    hold(&mut here);
    let moves = hold(&mut there);
    let mut waiter = join(&pool);
    waiter.send(&query("SELECT 'served'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    assert_eq!(cap(&pool, "max_user_connections"), ["user app", "2", "2"]);
    // An entry has taken the bound away for this one.
    let mut others = [(); 4].map(|()| join_as(&pool, "md5_user", &database));
    others.iter_mut().for_each(|client| drop(hold(client)));
    there.rows("COMMIT");
    assert_eq!(waiter.until(b"Z").iter().filter(|message| message.code == b'D').count(), 1);
    assert_eq!(servers(&pool, "'app'", &database), 2);
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {moves}");
    assert!(wait_until(SOON, || pool.site.direct_sql(&gone) == "0"));
    others.iter_mut().for_each(|client| drop(client.rows("COMMIT")));
    assert_eq!(servers(&pool, "'md5_user'", &database), 4);
    here.rows("COMMIT");
    drop((here, there, waiter, others));
    leave(&pool);
}

#[test]
fn a_user_without_a_server_gets_one_of_its_database_and_costs_no_other_one() {
    if direct() {
        return;
    }
    let pool = pool("bhv_part_turns", 2, "max_db_connections = 2\nserver_idle_timeout = '1m'\n");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        let work = |database: &str| {
            let mut client = join_as(&pool, "app", database);
            let stop = &stop;
            scope.spawn(move || {
                let mut pids = BTreeSet::new();
                while !stop.load(Ordering::Relaxed) {
                    pids.insert(one(&mut client, "SELECT pg_backend_pid() FROM pg_sleep(0.01)"));
                }
                pids
            })
        };
        let elsewhere: Vec<_> = (0..3).map(|_| work("postgres")).collect();
        let here: Vec<_> = (0..4).map(|_| work(&pool.site.database)).collect();
        assert!(wait_until(SOON, || pool.servers() == 2));
        for _ in 0..3 {
            let mut somebody = join_as(&pool, "md5_user", &pool.site.database);
            assert_eq!(one(&mut somebody, "SELECT current_user"), "md5_user");
            drop(somebody);
            assert!(wait_until(SOON, || pool.servers() == 2), "the other one gets it back");
        }
        stop.store(true, Ordering::Relaxed);
        let pids = elsewhere.into_iter().flat_map(|task| task.join().unwrap());
        assert_eq!(pids.collect::<BTreeSet<_>>().len(), 2, "servers of another database were closed");
        here.into_iter().for_each(|task| drop(task.join().unwrap()));
    });
    leave(&pool);
}

#[test]
fn sessions_count_as_servers_of_pools_do() {
    if direct() {
        return;
    }
    let entry = "[[pool]]\nmatch = { user = 'md5_user' }\npool = 'session'\n";
    let keys = format!("max_db_connections = 2\nquery_wait_timeout = '1s'\nserver_idle_timeout = '1m'\n{entry}");
    let pool = pool("bhv_part_own", 5, &keys);
    let database = pool.site.database.clone();
    let (mut first, mut second) = (join(&pool), join(&pool));
    hold(&mut first);
    hold(&mut second);
    first.rows("COMMIT");
    second.rows("COMMIT");
    // Idle servers make room.
    let sessions = [join_as(&pool, "md5_user", &database), join_as(&pool, "md5_user", &database)];
    assert!(come_down(&pool, "'app'", &database, 0));
    let reply = first.query("SELECT 1");
    let error = reply.iter().find(|message| message.code == b'E').expect("no server for it");
    assert_eq!(error.sqlstate(), "53300");
    let [detail, hint] = [b'D', b'H'].map(|field| error.field(field).unwrap_or_default());
    assert_eq!(detail, "The pool could not grow: max_db_connections is used up (2 of 2).");
    assert!(hint.contains("raise what is used up"), "{hint}");
    let [gone, _stays] = sessions;
    drop(gone);
    assert!(wait_until(SOON, || first.query("SELECT 1").iter().any(|message| message.code == b'D')));
    drop((first, second, _stays));
    leave(&pool);
}

#[test]
fn a_lower_bound_of_a_database_by_reload_closes_its_servers_and_no_others() {
    if direct() {
        return;
    }
    let pool = pool("bhv_part_lower", 6, "max_db_connections = 6\nserver_idle_timeout = '1m'\n");
    let database = pool.site.database.clone();
    let mut clients = [(); 6].map(|()| join(&pool));
    let mut elsewhere = [(); 4].map(|()| join_as(&pool, "app", "postgres"));
    clients.iter_mut().for_each(|client| drop(hold(client)));
    let apart: BTreeSet<_> = elsewhere.iter_mut().map(hold).collect();
    for client in clients.iter_mut().chain(&mut elsewhere) {
        client.rows("COMMIT");
    }
    assert_eq!(servers(&pool, BOTH, &database), 6);
    reload(&pool, "max_db_connections = 6", "max_db_connections = 4");
    assert!(come_down(&pool, BOTH, &database, 4), "{} are left", servers(&pool, BOTH, &database));
    assert_eq!(servers(&pool, BOTH, &database), 4);
    assert_eq!(elsewhere.iter_mut().map(hold).collect::<BTreeSet<_>>(), apart, "one of another database was closed");
    assert_eq!(one(&mut clients[0], "SELECT 1"), "1");
    drop((clients, elsewhere));
    leave(&pool);
}
