//! Servers that die or hang while Floodwall itself talks to them: before a client's first statement, and behind its last one; and those
//! that die under the statement itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{SOON, cancel, join, leave, one, pid, pool, state};
use crate::pooling::Pooled;
use crate::support::cluster::Cluster;
use crate::support::floodwall::direct;
use crate::support::process::wait_until;
use crate::support::raw::{
    Message, Raw, VERSION_3_0, bind, codes, execute, parse, query, reply_codes, sqlstates, startup, sync,
};

/// In what gives a server the settings of its client, and in nothing that the monitor asks.
const SETTINGS: &[u8] = b"set_config($1";
/// In the question what a transaction has left, likewise.
/// What gives a server the name of its client's application, where nothing else differs.
const NAME: &[u8] = b"application_name TO";
const QUESTION: &[u8] = b"s.source OPERATOR(pg_catalog.=) 'session'";
/// How long a server may take for either where one is made to hang; far below [`LONG`].
const HASTY: &str = "8s";
/// The same; far beyond it.
const PATIENT: &str = "5m";
const LONG: Duration = Duration::from_secs(60);

/// Stands before a server, and falls shut on what is sent there.
struct Trap {
    port: u16,
    set: Arc<Mutex<Snare>>,
}

struct Snare {
    on: &'static [u8],
    times: usize,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The connection dies.
    Cut,
    /// Nothing gets through any more, and nothing comes back.
    Hold,
    /// It gets through, spoilt: the server does not understand it.
    Spoil,
}

impl Trap {
    fn new(target: u16) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let set = Arc::new(Mutex::new(Snare { on: b"", times: 0, how: How::Cut }));
        let seen = Arc::clone(&set);
        thread::spawn(move || {
            for client in socket.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
                let (back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pump(back, &to, |_| None));
                let seen = Arc::clone(&seen);
                thread::spawn(move || pump(client, &server, |chunk| seen.lock().unwrap().falls(chunk)));
            }
        });
        Self { port, set }
    }

    fn set(&self, on: &'static [u8], how: How, times: usize) {
        *self.set.lock().unwrap() = Snare { on, times, how };
    }

    /// How often it has not fallen yet.
    fn left(&self) -> usize {
        self.set.lock().unwrap().times
    }
}

impl Snare {
    fn falls(&mut self, chunk: &mut [u8]) -> Option<How> {
        self.times.checked_sub(1)?;
        let at = chunk.windows(self.on.len()).position(|part| part == self.on)?;
        self.times -= 1;
        if self.how == How::Spoil {
            chunk[at] = b'_';
        }
        Some(self.how)
    }
}

fn pump(mut from: TcpStream, mut to: &TcpStream, falls: impl Fn(&mut [u8]) -> Option<How>) {
    let mut chunk = [0; 16_384];
    let mut held = false;
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        match falls(&mut chunk[..count]) {
            Some(How::Cut) => break,
            Some(How::Hold) => held = true,
            Some(How::Spoil) | None => {}
        }
        if !held && to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

/// A pool of one server behind a trap.
struct Scene {
    trap: Trap,
    pool: Pooled,
}

impl Scene {
    /// `None` where there is no Floodwall. `patience`: how long a server may take for what is Floodwall's own.
    fn new(label: &str, patience: &str) -> Option<Self> {
        if direct() {
            return None;
        }
        let trap = Trap::new(Cluster::shared().port);
        let keys = format!(
            "servers = ['127.0.0.1:{}']\nserver_connect_timeout = '{patience}'\nserver_idle_timeout = '1m'\n",
            trap.port
        );
        let pool = pool(label, 1, &keys);
        Some(Self { trap, pool })
    }

    /// A client with a setting of its own, and one without: each turn has the only server dressed anew.
    fn two(&self) -> (Raw, Raw) {
        let (mut own, mut plain) = (join(&self.pool), join(&self.pool));
        own.rows("SET TimeZone = 'Asia/Tokyo'");
        assert_eq!(one(&mut plain, "SELECT 1"), "1");
        (own, plain)
    }

    /// Waits for the trap to fall.
    fn falls(&self) {
        assert!(wait_until(SOON, || self.trap.left() == 0));
    }

    /// `clients` go.
    fn end<T>(&self, clients: T) {
        drop(clients);
        leave(&self.pool);
    }
}

fn zone(client: &mut Raw) -> String {
    one(client, "SHOW TimeZone")
}

/// The error of a reply, and that its session lives.
fn error(reply: &[Message]) -> &Message {
    assert_eq!(state(reply), b'I');
    reply.iter().find(|message| message.code == b'E').expect("an error")
}

#[test]
fn a_server_that_dies_or_hangs_while_it_is_dressed_is_replaced_and_nobody_is_told() {
    let Some(scene) = Scene::new("bhv_undressed", HASTY) else { return };
    let (mut own, mut plain) = scene.two();
    for (how, times) in [(How::Cut, 1), (How::Cut, 2), (How::Hold, 1)] {
        let before = pid(&mut plain);
        scene.trap.set(SETTINGS, how, times);
        let begin = Instant::now();
        assert_eq!(zone(&mut own), "Asia/Tokyo");
        assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
        assert_eq!(scene.trap.left(), 0);
        assert_ne!(pid(&mut own), before);
    }
    scene.end((own, plain));
}

#[test]
fn servers_that_die_in_a_row_while_they_are_dressed_are_told_as_what_they_are() {
    let Some(scene) = Scene::new("bhv_in_a_row", PATIENT) else { return };
    let (mut own, mut plain) = scene.two();
    scene.trap.set(SETTINGS, How::Cut, 3);
    let reply = own.query("SELECT 1");
    let told = error(&reply);
    assert_eq!(told.sqlstate(), "08006", "{}", told.summary());
    let words = [b'M', b'D', b'H'].map(|field| told.field(field).unwrap_or_default()).join("\n");
    for part in ["FLOODWALL[rule=server] 3 servers in a row", "closed the connection", "Nothing of it has run"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(zone(&mut own), "Asia/Tokyo", "its settings are still there");
    assert_eq!(one(&mut plain, "SELECT 2"), "2");
    scene.end((own, plain));
}

/// A client whose application has this name.
fn named(scene: &Scene, name: &str) -> Raw {
    let mut client = Raw::open(scene.pool.site.proxy.port);
    let parameters = [("user", "app"), ("database", &scene.pool.site.database), ("application_name", name)];
    client.send(&startup(VERSION_3_0, &parameters));
    client.finish_login().unwrap_or_else(|error| panic!("{}", error.summary()));
    client
}

fn name(client: &mut Raw) -> String {
    one(client, "SHOW application_name")
}

#[test]
fn a_statement_whose_server_does_not_take_a_name_runs_under_the_one_before() {
    let Some(scene) = Scene::new("bhv_name", PATIENT) else { return };
    let (mut web, mut cron) = (named(&scene, "web"), named(&scene, "cron"));
    assert_eq!((name(&mut web), name(&mut cron)), ("web".to_owned(), "cron".to_owned()));
    scene.trap.set(NAME, How::Spoil, 1);
    let reply = web.query("SELECT current_setting('application_name')");
    assert_eq!(
        codes(&reply),
        "T D C Z",
        "the error is nobody's: {:?}",
        reply.iter().map(Message::summary).collect::<Vec<_>>()
    );
    assert_eq!(reply[1].columns(), ["cron"]);
    assert_eq!(scene.trap.left(), 0);
    // It is known what the server has: the one goes on with it, the other is asked for once more.
    scene.trap.set(NAME, How::Spoil, 1);
    assert_eq!(name(&mut cron), "cron");
    assert_eq!(scene.trap.left(), 1, "nothing had to be changed");
    scene.trap.set(NAME, How::Cut, 0);
    assert_eq!((name(&mut web), name(&mut cron)), ("web".to_owned(), "cron".to_owned()));
    scene.end((web, cron));
}

#[test]
fn a_server_that_dies_or_hangs_on_a_name_does_so_on_the_statement_behind_it() {
    let Some(scene) = Scene::new("bhv_name_lost", PATIENT) else { return };
    let (mut web, mut cron) = (named(&scene, "web"), named(&scene, "cron"));
    let key = web.key.clone().unwrap();
    assert_eq!((name(&mut web), name(&mut cron)), ("web".to_owned(), "cron".to_owned()));
    scene.trap.set(NAME, How::Cut, 1);
    let reply = web.query("SELECT 1");
    assert_eq!((sqlstates(&reply), state(&reply)), (vec!["08006".to_owned()], b'I'));
    assert_eq!((name(&mut web), name(&mut cron)), ("web".to_owned(), "cron".to_owned()));
    // What hangs is waited for like any statement, and a client that has enough of it is heard.
    scene.trap.set(NAME, How::Hold, 1);
    web.send(&query("SELECT 'never'"));
    scene.falls();
    cancel(&scene.pool, &key);
    drop(web);
    assert_eq!(name(&mut cron), "cron");
    scene.end(cron);
}

#[test]
fn a_login_outlives_servers_that_die_while_they_take_its_settings() {
    let Some(scene) = Scene::new("bhv_entering", PATIENT) else { return };
    drop(join(&scene.pool));
    let login = |zone: &str| {
        let mut client = Raw::open(scene.pool.site.proxy.port);
        let database = scene.pool.site.database.as_str();
        let options = format!("-c TimeZone={zone}");
        let parameters = [("user", "app"), ("database", database), ("options", options.as_str())];
        client.send(&startup(VERSION_3_0, &parameters));
        client.finish_login().map(|()| client)
    };
    scene.trap.set(SETTINGS, How::Cut, 2);
    assert_eq!(zone(&mut login("Asia/Tokyo").unwrap_or_else(|error| panic!("{}", error.summary()))), "Asia/Tokyo");
    scene.trap.set(SETTINGS, How::Cut, 3);
    let told = login("Asia/Seoul").expect_err("three servers are lost");
    assert_eq!(told.sqlstate(), "08006", "{}", told.summary());
    assert_eq!(zone(&mut login("Asia/Seoul").unwrap_or_else(|error| panic!("{}", error.summary()))), "Asia/Seoul");
    scene.end(());
}

#[test]
fn a_server_that_hangs_when_it_is_asked_what_was_left_is_replaced() {
    let Some(scene) = Scene::new("bhv_asked", HASTY) else { return };
    let (mut own, mut plain) = scene.two();
    scene.trap.set(QUESTION, How::Hold, 1);
    // Its own reply is not kept back by that.
    own.rows("SET TimeZone = 'Asia/Seoul'");
    let begin = Instant::now();
    assert_eq!(one(&mut plain, "SELECT 1"), "1", "another client gets another server");
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    let reply = own.query("SELECT 1");
    let told = error(&reply);
    assert_eq!(told.sqlstate(), "08006", "{}", told.summary());
    assert!(told.field(b'D').is_some_and(|detail| detail.contains("did not answer within 8s")), "{}", told.summary());
    assert_eq!(zone(&mut own), "Asia/Tokyo", "told once; what is known of before holds");
    scene.end((own, plain));
}

#[test]
fn a_cancel_hits_a_statement_whose_server_is_still_being_dressed() {
    let Some(scene) = Scene::new("bhv_cancel_dressed", PATIENT) else { return };
    let (mut own, mut plain) = scene.two();
    let key = own.key.clone().unwrap();
    for _ in 0..2 {
        let before = pid(&mut plain);
        scene.trap.set(SETTINGS, How::Hold, 1);
        own.send(&query("SELECT 'never'"));
        scene.falls();
        let begin = Instant::now();
        cancel(&scene.pool, &key);
        let reply = own.until(b"Z");
        assert_eq!((sqlstates(&reply), state(&reply)), (vec!["57014".to_owned()], b'I'));
        // What hangs, half dressed, is nobody's any more.
        assert_eq!(zone(&mut own), "Asia/Tokyo");
        assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
        assert_ne!(pid(&mut plain), before);
    }
    scene.end((own, plain));
}

#[test]
fn a_cancel_hits_a_statement_that_waits_for_what_the_last_one_left() {
    let Some(scene) = Scene::new("bhv_cancel_asked", HASTY) else { return };
    let (mut own, mut plain) = scene.two();
    let key = own.key.clone().unwrap();
    scene.trap.set(QUESTION, How::Hold, 1);
    own.rows("SET TimeZone = 'Asia/Seoul'");
    own.send(&query("SELECT 'never'"));
    scene.falls();
    assert!(own.is_silent(Duration::from_millis(100)));
    cancel(&scene.pool, &key);
    let told = sqlstates(&own.until(b"Z"));
    // It is told at once, and what was lost with the next statement; on a slow machine that may have come before.
    if told == ["57014"] {
        assert_eq!(error(&own.query("SELECT 1")).sqlstate(), "08006");
    } else {
        assert_eq!(told, ["08006"]);
    }
    assert_eq!((zone(&mut own).as_str(), one(&mut plain, "SELECT 1").as_str()), ("Asia/Tokyo", "1"));
    scene.end((own, plain));
}

/// A statement that each kind of client sends, with a mark for the trap.
const MARK: &[u8] = b"'here it dies'";
const MARKED: &str = "SELECT 'here it dies'";

#[test]
fn a_server_that_dies_under_a_statement_costs_its_client_that_statement() {
    let Some(scene) = Scene::new("bhv_under", PATIENT) else { return };
    let (mut own, mut plain) = scene.two();
    let prepared = [parse("kept", "SELECT 'kept', $1::int"), sync()].concat();
    own.send(&prepared);
    assert_eq!(reply_codes(&own.until(b"Z")), "1 Z");
    let kept = [bind("kept", &["1"]), execute(), sync()].concat();
    for whole in [
        query(MARKED),
        [parse("", MARKED), bind("", &[]), execute(), sync()].concat(),
        // One that was never prepared for all the client knows.
        [parse("new", MARKED), bind("new", &[]), execute(), sync()].concat(),
    ] {
        scene.trap.set(MARK, How::Cut, 1);
        own.send(&whole);
        let reply = own.until(b"Z");
        let told = error(&reply);
        assert_eq!((reply_codes(&reply).as_str(), told.sqlstate().as_str()), ("E Z", "08006"));
        assert_eq!(told.field(b'S').as_deref(), Some("ERROR"), "{}", told.summary());
        assert_eq!(scene.trap.left(), 0);
        assert_eq!(zone(&mut own), "Asia/Tokyo");
        own.send(&kept);
        assert_eq!(reply_codes(&own.until(b"Z")), "2 D C Z", "what was prepared before stays");
        own.send(&[bind("new", &[]), execute(), sync()].concat());
        assert_eq!(sqlstates(&own.until(b"Z")), ["26000"], "what failed to be prepared has no name");
        assert_eq!(one(&mut plain, "SELECT 2"), "2");
    }
    // Of a statement at work that an operator ends, the server says so itself.
    own.send(&query("SELECT pg_sleep(60)"));
    assert!(wait_until(SOON, || scene.pool.sleepers() == 1));
    let sleepers = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    scene.pool.site.direct_sql(&format!("SELECT pg_terminate_backend(pid) {sleepers}"));
    let reply = own.until(b"Z");
    assert_eq!((reply_codes(&reply).as_str(), error(&reply).sqlstate().as_str()), ("T E Z", "57P01"));
    assert_eq!(zone(&mut own), "Asia/Tokyo");
    scene.end((own, plain));
}

#[test]
fn a_server_that_dies_with_more_than_a_statement_takes_its_session_along() {
    let Some(scene) = Scene::new("bhv_with_more", PATIENT) else { return };
    for begin in ["BEGIN", "CREATE TEMP TABLE gone ()", "LISTEN news"] {
        let mut client = join(&scene.pool);
        client.rows(begin);
        scene.trap.set(MARK, How::Cut, 1);
        client.send(&query(MARKED));
        let last = client.rest().unwrap();
        assert_eq!(codes(&last), "E", "{begin}");
        assert_eq!(last[0].field(b'S').as_deref(), Some("FATAL"), "{begin}: {}", last[0].summary());
        assert_eq!(one(&mut join(&scene.pool), "SELECT 1"), "1");
    }
    scene.end(());
}
