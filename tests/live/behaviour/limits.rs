//! Bounds of clients and servers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::gate::{Gate, Manner};
use super::{SOON, join, join_as, leave, one, pid, pool, reload};
use crate::pooling::{Pooled, waits};
use crate::support::cluster::Cluster;
use crate::support::floodwall::direct;
use crate::support::process::{Stop, wait_until};
use crate::support::raw::{Raw, VERSION_3_0, query, startup, terminate};

/// Opens a transaction and has it use its server.
pub(super) fn hold(client: &mut Raw) -> String {
    client.rows("BEGIN");
    pid(client)
}

/// Servers of all users at the test's database.
fn of_everybody(pool: &Pooled) -> usize {
    let users = "usename IN ('app', 'md5_user')";
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {users}");
    pool.site.direct_sql(&sql).parse().unwrap()
}

/// One that was closed to make room may still be on its way out at the server; one that is kept would idle for a minute.
fn are_two_at_most(pool: &Pooled) -> bool {
    wait_until(SOON, || of_everybody(pool) <= 2)
}

#[test]
fn each_user_and_database_has_a_pool() {
    if direct() {
        return;
    }
    let pool = pool("bhv_pools", 2, "");
    let (mut first, mut second, mut third) = (join(&pool), join(&pool), join(&pool));
    hold(&mut first);
    hold(&mut second);
    third.send(&query("SELECT 'served'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    let mut somebody = join_as(&pool, "md5_user", &pool.site.database);
    assert_eq!(one(&mut somebody, "SELECT current_user"), "md5_user");
    let mut elsewhere = join_as(&pool, "app", "postgres");
    assert_eq!(one(&mut elsewhere, "SELECT current_database()"), "postgres");
    assert_eq!((waits(&pool), pool.servers()), (1, 2));
    first.rows("COMMIT");
    assert_eq!(third.until(b"Z")[1].columns(), ["served"]);
    drop((first, second, third, somebody, elsewhere));
    pool.finish();
}

#[test]
fn clients_of_a_database_and_of_a_user_are_bounded() {
    if direct() {
        return;
    }
    let keys = "[caps]\nover = 'refuse'\n\
                [[client]]\nname = 'of a database'\nmatch = { database = 'bhv_caps*' }\ncaps = { max_connections = 3 }\n\
                [[client]]\nname = 'of a user'\nmatch = { user = 'md5_user' }\ncaps = { max_connections = 1 }\n";
    let pool = pool("bhv_caps", 1, keys);
    let (port, database) = (pool.site.proxy.port, pool.site.database.clone());
    let refused = |user: &str, database: &str| {
        let refused = Raw::login(port, user, database).err().map(|error| error.sqlstate());
        assert_eq!(refused.as_deref(), Some("53300"), "{user} at {database}");
    };
    let somebody = join_as(&pool, "md5_user", &database);
    refused("md5_user", &database);
    refused("md5_user", "postgres");
    let others = [join(&pool), join(&pool)];
    refused("app", &database);
    assert_eq!(one(&mut join_as(&pool, "app", "postgres"), "SELECT 1"), "1");
    drop(somebody);
    // Its place is free for anybody of that database, and for its user at any other.
    assert!(wait_until(SOON, || Raw::login(port, "app", &database).is_ok()));
    assert!(wait_until(SOON, || Raw::login(port, "md5_user", "postgres").is_ok()));
    drop(others);
    pool.finish();
}

#[test]
fn idle_servers_of_one_pool_make_room_for_another() {
    if direct() {
        return;
    }
    let pool = pool("bhv_most", 2, "server_idle_timeout = '1m'\nmax_server_connections = 2\n");
    let (mut first, mut second) = (join(&pool), join(&pool));
    hold(&mut first);
    hold(&mut second);
    assert_eq!(pool.servers(), 2);
    drop(join(&pool));
    let mut somebody = Raw::open(pool.site.proxy.port);
    let start = [("user", "md5_user"), ("database", pool.site.database.as_str())];
    somebody.send(&startup(VERSION_3_0, &start));
    // One that is given back goes to the pool that has none, long before its time.
    first.rows("COMMIT");
    somebody.finish_login().unwrap();
    assert_eq!(one(&mut somebody, "SELECT current_user"), "md5_user");
    assert!(are_two_at_most(&pool), "{}", of_everybody(&pool));
    second.rows("COMMIT");
    // And to and fro, one after the other: never more than two.
    for _ in 0..3 {
        hold(&mut first);
        hold(&mut second);
        assert!(are_two_at_most(&pool), "{}", of_everybody(&pool));
        first.rows("COMMIT");
        second.rows("COMMIT");
        assert_eq!(one(&mut somebody, "SELECT 1"), "1");
    }
    drop((first, second, somebody));
    leave(&pool);
}

#[test]
fn a_pool_keeps_its_least() {
    if direct() {
        return;
    }
    let pool = pool("bhv_least", 4, "min_pool_size = 2\nserver_idle_timeout = '1s'\n");
    let mut clients = [join(&pool), join(&pool), join(&pool), join(&pool)];
    assert!(wait_until(SOON, || pool.servers() == 2), "{} without any work", pool.servers());
    for client in &mut clients {
        hold(client);
    }
    assert_eq!(pool.servers(), 4);
    for client in &mut clients {
        client.rows("COMMIT");
    }
    assert!(wait_until(SOON, || pool.servers() == 2), "what is beyond it goes after server_idle_timeout");
    let all = "FROM pg_stat_activity WHERE usename = 'app' AND datname = current_database()";
    assert_eq!(pool.site.direct_sql(&format!("SELECT count(pg_terminate_backend(pid)) {all}")), "2");
    assert!(wait_until(SOON, || pool.servers() == 2), "and what is lost comes again");
    drop(clients);
    leave(&pool);
}

#[test]
fn the_server_used_last_is_used_next() {
    if direct() {
        return;
    }
    let pool = pool("bhv_lifo", 3, "server_idle_timeout = '1m'\n");
    let (mut first, mut second, mut third) = (join(&pool), join(&pool), join(&pool));
    let used = [hold(&mut first), hold(&mut second), hold(&mut third)];
    for client in [&mut first, &mut second, &mut third] {
        client.rows("COMMIT");
    }
    let again = pid(&mut first);
    assert!(used.contains(&again));
    for _ in 0..10 {
        assert_eq!(pid(&mut first), again);
    }
    drop((first, second, third));
    leave(&pool);
}

#[test]
fn a_reload_changes_the_size_of_a_pool() {
    if direct() {
        return;
    }
    let pool = pool("bhv_resize", 1, "server_idle_timeout = '1m'\n");
    let (mut first, mut second) = (join(&pool), join(&pool));
    hold(&mut first);
    second.send(&query("BEGIN; SELECT 'served'"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    reload(&pool, "pool_size = 1", "pool_size = 2");
    // Without anybody giving a server back.
    assert!(second.until(b"Z").iter().any(|message| message.code == b'D'));
    assert_eq!(pool.servers(), 2);
    reload(&pool, "pool_size = 2", "pool_size = 1");
    assert_eq!(pool.servers(), 2, "no transaction is cut");
    second.rows("COMMIT");
    first.rows("COMMIT");
    assert!(wait_until(SOON, || pool.servers() <= 1));
    assert_eq!(one(&mut second, "SELECT 1"), "1");
    drop((first, second));
    leave(&pool);
}

#[test]
fn a_reload_leads_lent_servers_to_another_address() {
    if direct() {
        return;
    }
    let [old, new] = [(); 2].map(|()| Gate::new(Cluster::shared().port, Manner::Open));
    let pool = pool("bhv_moved", 2, &format!("{}server_idle_timeout = '1m'\n", old.key()));
    let (mut idle, mut busy) = (join(&pool), join(&pool));
    let server = hold(&mut busy);
    let before = pid(&mut idle);
    reload(&pool, &old.port.to_string(), &new.port.to_string());
    assert_ne!(pid(&mut idle), before);
    assert!(new.passed() > 0);
    assert_eq!(pid(&mut busy), server, "no transaction is cut");
    busy.rows("COMMIT");
    old.set(Manner::Shut);
    old.cut();
    assert_eq!(one(&mut busy, "SELECT 'there as well'"), "there as well");
    drop((idle, busy));
    leave(&pool);
}

/// Neither a client that waits and leaves nor one that has sent half a message takes a server.
#[test]
fn only_who_has_asked_something_gets_a_server() {
    if direct() {
        return;
    }
    let pool = pool("bhv_asks", 1, "");
    let (mut busy, mut leaver, mut slow, mut other) = (join(&pool), join(&pool), join(&pool), join(&pool));
    hold(&mut busy);
    leaver.send(&query("SELECT 1"));
    assert!(wait_until(SOON, || waits(&pool) == 1));
    drop(leaver);
    assert!(wait_until(SOON, || waits(&pool) == 0));
    let whole = query("SELECT 'whole'");
    slow.send(&whole[..whole.len() - 3]);
    busy.rows("COMMIT");
    for _ in 0..5 {
        assert_eq!(one(&mut other, "SELECT 'mine'"), "mine");
    }
    slow.send(&whole[whole.len() - 3..]);
    assert_eq!(slow.until(b"Z")[1].columns(), ["whole"]);
    drop((busy, slow, other));
    pool.finish();
}

/// What was sent before a goodbye is done, as the server itself would.
#[test]
fn a_goodbye_ends_nothing_that_was_asked_for() {
    if direct() {
        return;
    }
    let pool = pool("bhv_goodbye", 1, "");
    pool.site.direct_sql("CREATE TABLE t (n int); GRANT ALL ON t TO app");
    let mut other = join(&pool);
    let server = pid(&mut other);
    for turn in 1..=3 {
        let mut client = join(&pool);
        client.send_all(&[query("INSERT INTO t SELECT 1 FROM pg_sleep(0.2)"), terminate()]);
        drop(client);
        let done = || pool.site.direct_sql("SELECT count(*) FROM t") == turn.to_string();
        assert!(wait_until(SOON, done), "turn {turn}");
        let mut client = join(&pool);
        client.rows("BEGIN");
        client.send_all(&[query("INSERT INTO t VALUES (2)"), terminate()]);
        drop(client);
        assert_eq!(one(&mut other, "SELECT count(*) FROM t"), turn.to_string());
    }
    assert_eq!(pid(&mut other), server);
    drop(other);
    pool.finish();
}

#[test]
fn a_pool_without_a_server_is_served_beside_one_that_never_rests() {
    if direct() {
        return;
    }
    let pool = pool("bhv_starves", 2, "max_server_connections = 2\nserver_idle_timeout = '1m'\n");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = join(&pool);
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(one(&mut client, "SELECT 'mine' FROM pg_sleep(0.01)"), "mine");
                }
            });
        }
        assert!(wait_until(SOON, || pool.servers() == 2));
        for _ in 0..3 {
            let mut somebody = join_as(&pool, "md5_user", &pool.site.database);
            assert_eq!(one(&mut somebody, "SELECT current_user"), "md5_user");
            drop(somebody);
            assert!(wait_until(SOON, || pool.servers() == 2), "the other one gets it back");
        }
    });
    leave(&pool);
}

/// Each client has so many, on a machine that is busy with other things as well.
const TURNS: usize = 30;

#[test]
fn more_pools_than_servers_take_turns_and_nobody_waits_long() {
    if direct() {
        return;
    }
    let pool = pool("bhv_turns", 2, "max_server_connections = 2\nserver_idle_timeout = '1m'\n");
    let whose = [("app", &*pool.site.database), ("md5_user", &*pool.site.database), ("app", "postgres")];
    let began = Instant::now();
    let until = began + Duration::from_secs(6);
    let longest = thread::scope(|scope| {
        let clients = whose.iter().flat_map(|who| [who; 2]).map(|(user, database)| {
            let mut client = join_as(&pool, user, database);
            scope.spawn(move || {
                let (mut longest, mut turns) = (Duration::ZERO, 0);
                while Instant::now() < until || turns < TURNS {
                    let begin = Instant::now();
                    assert_eq!(one(&mut client, "SELECT 'mine' FROM pg_sleep(0.005)"), "mine");
                    longest = longest.max(begin.elapsed());
                    turns += 1;
                }
                longest
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    // The six share two servers all the time: nobody had to wait for the end of the others.
    let much = began.elapsed() * 2 / 3;
    assert!(longest.iter().all(|longest| *longest < much), "{longest:?} of {:?}", began.elapsed());
    leave(&pool);
}

/// More than there is room for: what there is room for is kept, and nobody asks the server for more, over and over.
#[test]
fn a_least_that_is_over_the_most_is_the_most() {
    if direct() {
        return;
    }
    let gate = Gate::new(Cluster::shared().port, Manner::Open);
    let keys = format!("{}min_pool_size = 6\nmax_server_connections = 2\nserver_idle_timeout = '1m'\n", gate.key());
    let pool = pool("bhv_least_most", 8, &keys);
    let mut client = join(&pool);
    assert_eq!(one(&mut client, "SELECT 1"), "1");
    assert!(wait_until(SOON, || pool.servers() == 2), "{}", pool.servers());
    // What the monitor does and says of other databases is no concern of the pool's.
    let lines = || pool.site.proxy.log().lines().filter(|line| !line.contains("::catalog::")).count();
    let (before, told) = (gate.logins_of("app"), lines());
    thread::sleep(Duration::from_secs(2));
    assert_eq!((before, gate.logins_of("app")), (2, 2), "servers made before and in two seconds more");
    assert!(lines() <= told + 2, "{}", pool.site.proxy.log());
    assert_eq!((pool.servers(), one(&mut client, "SELECT 2").as_str()), (2, "2"));
    drop(client);
    leave(&pool);
}

/// Whoever could not come in because of its database or server counts nowhere.
#[test]
fn logins_that_the_server_denies_leave_no_client_behind() {
    if direct() {
        return;
    }
    let cluster = Cluster::shared();
    let gate = Gate::new(cluster.port, Manner::Shut);
    let keys = format!(
        "{}server_connect_timeout = '20s'\n[caps]\nover = 'refuse'\n\
         [[client]]\nname = 'app'\nmatch = {{ user = 'app' }}\ncaps = {{ max_connections = 2 }}\n",
        gate.key()
    );
    let pool = pool("bhv_denied", 2, &keys);
    let refused = |database: &str| Raw::login(pool.site.proxy.port, "app", database).map(drop).unwrap_err().sqlstate();
    for _ in 0..5 {
        assert_ne!(refused(&pool.site.database), "53300", "a place was left behind");
        leave(&pool);
    }
    gate.set(Manner::Open);
    assert!(wait_until(SOON, || Raw::login(pool.site.proxy.port, "app", &pool.site.database).is_ok()));
    for _ in 0..5 {
        leave(&pool);
        assert_eq!(refused("no_such_database"), "3D000");
    }
    leave(&pool);
    let both = [join(&pool), join(&pool)];
    assert_eq!(refused(&pool.site.database), "53300");
    drop(both);
    leave(&pool);
}
