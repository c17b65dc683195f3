//! Servers that die or hang while Floodwall itself talks to them: before a client's first statement, and behind its last one.

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
use crate::support::raw::{Message, Raw, VERSION_3_0, query, sqlstates, startup};

/// In what gives a server the settings of its client, and in nothing that the monitor asks.
const SETTINGS: &[u8] = b"set_config($1";
/// In the question what a transaction has left, likewise.
const QUESTION: &[u8] = b"s.source OPERATOR(pg_catalog.=) 'session'";
/// How long a server may take for either; far below [`LONG`].
const KEYS: &str = "server_connect_timeout = '1s'\nserver_idle_timeout = '1m'\n";
const LONG: Duration = Duration::from_secs(9);

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

    fn pool(&self, label: &str) -> Pooled {
        pool(label, 1, &format!("servers = ['127.0.0.1:{}']\n{KEYS}", self.port))
    }
}

impl Snare {
    fn falls(&mut self, chunk: &[u8]) -> Option<How> {
        let seen = self.times > 0 && chunk.windows(self.on.len()).any(|part| part == self.on);
        self.times -= usize::from(seen);
        seen.then_some(self.how)
    }
}

fn pump(mut from: TcpStream, mut to: &TcpStream, falls: impl Fn(&[u8]) -> Option<How>) {
    let mut chunk = [0; 16_384];
    let mut held = false;
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        match falls(&chunk[..count]) {
            Some(How::Cut) => break,
            Some(How::Hold) => held = true,
            None => {}
        }
        if !held && to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

/// A client with a setting of its own, and one without: each turn has the only server dressed anew.
fn two(pool: &Pooled) -> (Raw, Raw) {
    let (mut own, mut plain) = (join(pool), join(pool));
    own.rows("SET TimeZone = 'Asia/Tokyo'");
    assert_eq!(one(&mut plain, "SELECT 1"), "1");
    (own, plain)
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
    if direct() {
        return;
    }
    let trap = Trap::new(Cluster::shared().port);
    let pool = trap.pool("bhv_undressed");
    let (mut own, mut plain) = two(&pool);
    for (how, times) in [(How::Cut, 1), (How::Cut, 2), (How::Hold, 1)] {
        let before = pid(&mut plain);
        trap.set(SETTINGS, how, times);
        let begin = Instant::now();
        assert_eq!(zone(&mut own), "Asia/Tokyo");
        assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
        assert_eq!(trap.left(), 0);
        assert_ne!(pid(&mut own), before);
    }
    drop((own, plain));
    leave(&pool);
}

#[test]
fn servers_that_die_in_a_row_while_they_are_dressed_are_told_as_what_they_are() {
    if direct() {
        return;
    }
    let trap = Trap::new(Cluster::shared().port);
    let pool = trap.pool("bhv_in_a_row");
    let (mut own, mut plain) = two(&pool);
    trap.set(SETTINGS, How::Cut, 3);
    let reply = own.query("SELECT 1");
    let told = error(&reply);
    assert_eq!(told.sqlstate(), "08006", "{}", told.summary());
    let words = [b'M', b'D', b'H'].map(|field| told.field(field).unwrap_or_default()).join("\n");
    for part in ["FLOODWALL[rule=server] 3 servers in a row", "closed the connection", "Nothing of it has run"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(zone(&mut own), "Asia/Tokyo", "its settings are still there");
    assert_eq!(one(&mut plain, "SELECT 2"), "2");
    drop((own, plain));
    leave(&pool);
}

#[test]
fn a_login_outlives_servers_that_die_while_they_take_its_settings() {
    if direct() {
        return;
    }
    let trap = Trap::new(Cluster::shared().port);
    let pool = trap.pool("bhv_entering");
    drop(join(&pool));
    let login = |zone: &str| {
        let mut client = Raw::open(pool.site.proxy.port);
        let database = pool.site.database.as_str();
        let options = format!("-c TimeZone={zone}");
        let parameters = [("user", "app"), ("database", database), ("options", options.as_str())];
        client.send(&startup(VERSION_3_0, &parameters));
        client.finish_login().map(|()| client)
    };
    trap.set(SETTINGS, How::Cut, 2);
    assert_eq!(zone(&mut login("Asia/Tokyo").unwrap_or_else(|error| panic!("{}", error.summary()))), "Asia/Tokyo");
    trap.set(SETTINGS, How::Cut, 3);
    let told = login("Asia/Seoul").expect_err("three servers are lost");
    assert_eq!(told.sqlstate(), "08006", "{}", told.summary());
    assert_eq!(zone(&mut login("Asia/Seoul").unwrap_or_else(|error| panic!("{}", error.summary()))), "Asia/Seoul");
    leave(&pool);
}

#[test]
fn a_server_that_hangs_when_it_is_asked_what_was_left_is_replaced() {
    if direct() {
        return;
    }
    let trap = Trap::new(Cluster::shared().port);
    let pool = trap.pool("bhv_asked");
    let (mut own, mut plain) = two(&pool);
    trap.set(QUESTION, How::Hold, 1);
    // Its own reply is not kept back by that.
    own.rows("SET TimeZone = 'Asia/Seoul'");
    let begin = Instant::now();
    assert_eq!(one(&mut plain, "SELECT 1"), "1", "another client gets another server");
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    let reply = own.query("SELECT 1");
    let told = error(&reply);
    assert_eq!(told.sqlstate(), "08006", "{}", told.summary());
    assert!(told.field(b'D').is_some_and(|detail| detail.contains("did not answer within 1s")), "{}", told.summary());
    assert_eq!(zone(&mut own), "Asia/Tokyo", "told once; what is known of before holds");
    drop((own, plain));
    leave(&pool);
}

#[test]
fn a_cancel_hits_a_statement_whose_server_is_still_being_dressed_or_asked() {
    if direct() {
        return;
    }
    let trap = Trap::new(Cluster::shared().port);
    let pool = trap.pool("bhv_cancel_own");
    let (mut own, mut plain) = two(&pool);
    let key = own.key.clone().unwrap();
    trap.set(SETTINGS, How::Hold, 1);
    own.send(&query("SELECT 'never'"));
    assert!(wait_until(SOON, || trap.left() == 0));
    cancel(&pool, &key);
    let reply = own.until(b"Z");
    assert_eq!(sqlstates(&reply), ["57014"], "it waited for the settings");
    assert_eq!((state(&reply), zone(&mut own).as_str()), (b'I', "Asia/Tokyo"));
    // One that waits for the end of a question behind the last transaction.
    trap.set(QUESTION, How::Hold, 1);
    own.rows("SET TimeZone = 'Asia/Seoul'");
    own.send(&query("SELECT 'never'"));
    assert!(wait_until(SOON, || trap.left() == 0));
    assert!(own.is_silent(Duration::from_millis(100)));
    cancel(&pool, &key);
    assert_eq!(sqlstates(&own.until(b"Z")).len(), 1, "cancelled, or told what was lost");
    assert_eq!((zone(&mut own).as_str(), one(&mut plain, "SELECT 1").as_str()), ("Asia/Tokyo", "1"));
    drop((own, plain));
    leave(&pool);
}
