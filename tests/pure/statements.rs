//! Prepared statements of several clients over shared servers, against clients that have a server of their own each.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::BytesMut;
use floodwall::session::statements::{Bounds, Context, Known, Names, Parts, Passing, Plan, Repeats, Shared, plan};
use floodwall::wire::Outgoing;
use floodwall::wire::pg::deallocate::{deallocated, text};
use floodwall::wire::pg::execute::executed;
use floodwall::wire::pg::frame::{client_head, server_head};
use floodwall::wire::pg::own;
use floodwall::wire::pg::rename::{Asked, asked, renamed};
use proptest::prelude::*;

/// A server as far as prepared statements go, from the manual's chapter "Message Flow".
#[derive(Default)]
struct Server {
    named: HashMap<Vec<u8>, Vec<u8>>,
    unnamed: Option<Vec<u8>>,
    portal: Option<Vec<u8>>,
    skipping: bool,
    said: VecDeque<Vec<u8>>,
}

impl Server {
    fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(head) = client_head(bytes).unwrap() {
            let (frame, rest) = bytes.split_at(usize::try_from(head.size).unwrap());
            self.message(frame);
            bytes = rest;
        }
        assert!(bytes.is_empty(), "half a message");
    }

    fn say(&mut self, code: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        self.said.push_back([&[code][..], &length, body].concat());
    }

    fn fail(&mut self, state: &str) {
        self.say(b'E', format!("SERROR\0VERROR\0C{state}\0Mno\0\0").as_bytes());
        self.skipping = true;
    }

    fn message(&mut self, frame: &[u8]) {
        let head = client_head(frame).unwrap().unwrap();
        if self.skipping && head.code != b'S' {
            return;
        }
        match asked(head, frame).unwrap() {
            Asked::Parse { name, body } => self.parse(name, body.unwrap()),
            Asked::Bind { statement } => match self.statement(statement) {
                Some(body) => {
                    self.portal = Some(body);
                    self.say(b'2', b"");
                }
                None => self.fail("26000"),
            },
            Asked::Describe { statement } => match self.statement(statement) {
                Some(body) => {
                    self.say(b't', &body);
                    self.say(b'T', b"");
                }
                None => self.fail("26000"),
            },
            Asked::DescribePortal => match self.portal.clone() {
                Some(body) => self.columns(&body),
                None => self.fail("34000"),
            },
            Asked::Execute => self.execute(),
            Asked::Close { statement: b"" } => {
                self.unnamed = None;
                self.say(b'3', b"");
            }
            Asked::Close { statement } => {
                self.named.remove(statement);
                self.say(b'3', b"");
            }
            Asked::Sync => {
                (self.skipping, self.portal) = (false, None);
                self.say(b'Z', b"I");
            }
            Asked::Query => {
                (self.unnamed, self.portal) = (None, None);
                let text = text(head, frame).unwrap();
                if ran(text).is_some_and(|name| self.named.contains_key(&name)) {
                    self.columns(text);
                }
                self.run(text);
                self.skipping = false;
                self.say(b'Z', b"I");
            }
            // Data of a COPY, which tests answer themselves.
            Asked::CopyEnd => {}
            other => panic!("{other:?}"),
        }
    }

    fn parse(&mut self, name: &[u8], body: &[u8]) {
        let text = body.iter().position(|&byte| byte == 0).expect("the end of the text");
        assert!(body.len() >= text + 3, "types: {}", body.escape_ascii());
        if name.is_empty() {
            self.unnamed = None;
        }
        if body.starts_with(b"bad") {
            self.fail("42601");
        } else if self.named.contains_key(name) {
            self.fail("42P05");
        } else {
            if name.is_empty() {
                self.unnamed = Some(body.to_vec());
            } else {
                self.named.insert(name.to_vec(), body.to_vec());
            }
            self.say(b'1', b"");
        }
    }

    fn statement(&self, name: &[u8]) -> Option<Vec<u8>> {
        if name.is_empty() { self.unnamed.clone() } else { self.named.get(name).cloned() }
    }

    fn execute(&mut self) {
        match self.portal.clone() {
            None => self.fail("34000"),
            Some(body) => self.run(body.split(|&byte| byte == 0).next().unwrap()),
        }
    }

    /// What a portal returns: nobody knows of the EXECUTE of a statement that is not there.
    fn columns(&mut self, body: &[u8]) {
        let text = body.split(|&byte| byte == 0).next().unwrap();
        match ran(text) {
            Some(name) if !self.named.contains_key(&name) => self.say(b'n', b""),
            _ => self.say(b'T', body),
        }
    }

    fn run(&mut self, text: &[u8]) {
        if let Some(name) = ran(text) {
            return match self.named.get(&name).cloned() {
                Some(body) => self.run(body.split(|&byte| byte == 0).next().unwrap()),
                None => self.fail("26000"),
            };
        }
        if let Some(name) = deallocated(text) {
            return match self.named.remove(&*name) {
                Some(_) => self.say(b'C', b"DEALLOCATE\0"),
                None => self.fail("26000"),
            };
        }
        match text {
            b"fail" => self.fail("22012"),
            b"all" => {
                self.named.clear();
                self.say(b'C', b"DEALLOCATE ALL\0");
            }
            text => {
                self.say(b'D', text);
                self.say(b'C', b"SELECT 1\0");
            }
        }
    }
}

/// The statement that a text runs by SQL.
fn ran(text: &[u8]) -> Option<Vec<u8>> {
    let frame = frame(b'Q', &[text, b"\0"].concat());
    executed(Asked::Query, client_head(&frame).unwrap()?, &frame).map(|executed| executed.name.into_owned())
}

/// A client: what it got over shared servers, and from a server of its own.
#[derive(Default)]
struct Client {
    names: Names,
    plan: Plan,
    got: Vec<Vec<u8>>,
    own: Server,
}

struct House {
    shared: Shared,
    servers: Vec<(Server, Known)>,
    clients: Vec<Client>,
    bounds: Bounds,
}

fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[code][..], &length, body].concat()
}

fn cut(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(head) = server_head(bytes).unwrap() {
        let (frame, rest) = bytes.split_at(usize::try_from(head.size).unwrap());
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

fn cut_client(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(head) = client_head(bytes).unwrap() {
        let (frame, rest) = bytes.split_at(usize::try_from(head.size).unwrap());
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

impl House {
    fn new(servers: usize, most: usize, clients: usize) -> Self {
        let most = Arc::new(AtomicUsize::new(most));
        let servers = (0..servers).map(|_| (Server::default(), Known::new(&most))).collect();
        let clients = (0..clients).map(|_| Client::default()).collect();
        Self { shared: Shared::default(), servers, clients, bounds: Bounds::default() }
    }

    /// The client asks all of it at once, and hears every reply.
    fn play(&mut self, client: usize, server: usize, messages: &[u8]) {
        cut_client(messages).iter().for_each(|asked| self.ask(client, server, asked));
        self.hear(client, server, usize::MAX);
    }

    fn ask(&mut self, client: usize, server: usize, frame: &[u8]) {
        let Self { shared, servers, clients, bounds } = self;
        let (client, (server, known)) = (&mut clients[client], &mut servers[server]);
        client.own.feed(frame);
        let mut parts = Parts { shared, names: &mut client.names, known, bounds: *bounds, context: Context::default() };
        let mut caused = Outgoing::default();
        let head = client_head(frame).unwrap().unwrap();
        let asked = asked(head, frame).unwrap();
        let ended = text(head, frame).and_then(deallocated);
        let passing = ended.and_then(|name| client.plan.deallocates(asked, &name, &mut parts, &mut caused));
        let passing = passing
            .map(Ok)
            .or_else(|| client.plan.executes(asked, &executed(asked, head, frame)?, &mut parts, &mut caused));
        match passing.unwrap_or_else(|| client.plan.client(asked, &mut parts, &mut caused)) {
            Ok(Passing::AsIs) => caused.server.extend_from_slice(frame),
            Ok(Passing::As(name)) => {
                let skip = renamed(head, frame, &name, &mut caused.server).unwrap();
                caused.server.extend_from_slice(&frame[skip..]);
            }
            Ok(Passing::Withheld) => {}
            Err(_) => {
                client.plan.replaced(asked);
                own::parse(b"refused", b"bad\0\0\0", &mut caused.server);
            }
        }
        server.feed(&caused.server);
        client.got.extend(cut(&caused.client));
    }

    /// Up to `count` messages of the server are taken in.
    fn hear(&mut self, client: usize, server: usize, count: usize) {
        let Self { shared, servers, clients, bounds } = self;
        let (client, (server, known)) = (&mut clients[client], &mut servers[server]);
        for frame in server.said.drain(..count.min(server.said.len())).collect::<Vec<_>>() {
            let mut parts =
                Parts { shared, names: &mut client.names, known, bounds: *bounds, context: Context::default() };
            let (passes, mut behind) = (client.plan.passes(frame[0]), BytesMut::new());
            match client.plan.server(frame[0], &frame, &mut parts, &mut behind) {
                plan::Reply::Pass => client.got.push(frame),
                _ if passes => panic!("{} would have passed", frame.escape_ascii()),
                plan::Reply::Drop => {}
                plan::Reply::OutOfStep => panic!("out of step at {}", frame.escape_ascii()),
            }
            assert!(!passes || behind.is_empty());
            client.got.extend(cut(&behind));
        }
    }

    fn end(&mut self, client: usize, server: usize) {
        self.ask(client, server, &frame(b'S', b""));
        self.hear(client, server, usize::MAX);
        assert!(self.clients[client].plan.is_settled());
    }

    /// What every client got is what its own server said; errors may have other words. Descriptions, which tell the text here, tell
    /// another name where that is what a DEALLOCATE ends, or an EXECUTE runs.
    fn compare(&mut self) {
        for client in &mut self.clients {
            let plain = |frame: &Vec<u8>| match frame[0] {
                b'E' => b"E".to_vec(),
                code @ (b't' | b'T')
                    if [&b"DEALLOCATE"[..], b"EXECUTE", b"EXPLAIN"].iter().any(|word| frame[5..].starts_with(word)) =>
                {
                    vec![code]
                }
                _ => frame.clone(),
            };
            let got: Vec<_> = client.got.drain(..).map(|frame| plain(&frame)).collect();
            let own: Vec<_> = client.own.said.drain(..).map(|frame| plain(&frame)).collect();
            let text = |frames: &[Vec<u8>]| frames.iter().map(|f| f.escape_ascii().to_string()).collect::<Vec<_>>();
            assert_eq!(text(&got), text(&own));
            assert_eq!(client.names.len(), client.own.named.len(), "names of the client");
        }
        for (server, known) in &self.servers {
            assert!(server.named.keys().all(|name| name.starts_with(b"FLOODWALL_")));
            let ours = server.named.keys().filter(|name| name.as_slice() != b"FLOODWALL_GONE").count();
            assert!(ours >= known.len(), "what the books say, the server has");
        }
    }
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

fn bind(name: &str) -> Vec<u8> {
    frame(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes())
}

fn describe(name: &str) -> Vec<u8> {
    frame(b'D', format!("S{name}\0").as_bytes())
}

fn close(name: &str) -> Vec<u8> {
    frame(b'C', format!("S{name}\0").as_bytes())
}

fn execute() -> Vec<u8> {
    frame(b'E', &[0; 5])
}

fn query(text: &str) -> Vec<u8> {
    frame(b'Q', format!("{text}\0").as_bytes())
}

fn codes(frames: &[Vec<u8>]) -> String {
    frames.iter().map(|frame| char::from(frame[0])).collect()
}

#[test]
fn a_statement_is_prepared_once_at_each_server_whoever_asks() {
    let mut house = House::new(2, 10, 2);
    for (client, name) in [(0, "a"), (1, "b")] {
        house.ask(client, 0, &parse(name, "SELECT 1"));
        house.end(client, 0);
    }
    assert_eq!(house.servers[0].0.named.len(), 1);
    for (client, name) in [(0, "a"), (1, "b"), (0, "a")] {
        house.ask(client, 1, &bind(name));
        house.ask(client, 1, &execute());
        house.end(client, 1);
    }
    assert_eq!(house.servers[1].0.named.len(), 1);
    house.compare();
}

#[test]
fn a_name_that_looks_like_ours_reaches_nobody_else() {
    let mut house = House::new(1, 10, 2);
    house.ask(0, 0, &parse("secret", "SELECT 1"));
    house.end(0, 0);
    for frame in [bind("FLOODWALL_1"), describe("FLOODWALL_1")] {
        house.ask(1, 0, &frame);
        house.end(1, 0);
    }
    house.ask(1, 0, &close("FLOODWALL_1"));
    house.end(1, 0);
    assert_eq!(codes(&house.clients[1].got), "EZEZ3Z");
    house.ask(0, 0, &bind("secret"));
    house.end(0, 0);
    house.compare();
}

#[test]
fn an_unnamed_statement_of_another_client_is_never_bound() {
    let mut house = House::new(1, 10, 2);
    house.ask(0, 0, &parse("", "SELECT 'mine'"));
    house.end(0, 0);
    house.ask(1, 0, &bind(""));
    house.end(1, 0);
    assert_eq!(codes(&house.clients[1].got), "EZ");
    house.ask(1, 0, &parse("", "SELECT 'theirs'"));
    house.end(1, 0);
    house.ask(0, 0, &bind(""));
    house.ask(0, 0, &execute());
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "1Z2DCZ");
    house.compare();
}

#[test]
fn an_unnamed_statement_that_is_repeated_is_prepared_once_at_each_server() {
    let mut house = House::new(2, 2, 2);
    house.bounds.repeats = Repeats::Prepared;
    let sent = |house: &House, server: usize| -> Vec<u8> {
        house.servers[server].0.said.iter().map(|frame| frame[0]).collect()
    };
    let group = [parse("", "SELECT $1"), bind(""), execute()];
    for (time, server, expected) in
        [(4, 0, b"12DC"), (5, 0, b"12DC"), (6, 0, b"2DC "), (7, 1, b"12DC"), (8, 1, b"2DC ")]
    {
        for client in if time == 4 { vec![0; 4] } else { vec![time % 2] } {
            group.iter().for_each(|asked| house.ask(client, server, asked));
            assert_eq!(sent(&house, server), expected.trim_ascii(), "time {time}");
            house.end(client, server);
        }
    }
    house.compare();
    // It is the client's unnamed statement all the same: at any server, until it prepares another, closes it or asks by Query.
    for asked in [describe(""), bind(""), execute(), parse("", "bad $1"), bind("")] {
        house.ask(0, 1, &asked);
    }
    house.end(0, 1);
    house.ask(0, 0, &bind(""));
    house.end(0, 0);
    for ends in [close(""), query("SELECT 1")] {
        group.iter().for_each(|asked| house.ask(1, 0, asked));
        house.end(1, 0);
        house.ask(1, 0, &ends);
        house.end(1, 0);
        house.ask(1, 0, &bind(""));
        house.end(1, 0);
    }
    house.compare();
    assert_eq!(codes(&house.clients[1].got), "");
}

#[test]
fn all_of_one_client_is_nothing_of_another() {
    let mut house = House::new(1, 10, 2);
    for client in [0, 1] {
        house.ask(client, 0, &parse("a", "SELECT 1"));
        house.end(client, 0);
    }
    for asked in [parse("", "all"), bind(""), execute()] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    for client in [1, 0] {
        house.ask(client, 0, &bind("a"));
        house.ask(client, 0, &execute());
        house.end(client, 0);
    }
    assert_eq!(codes(&house.clients[1].got), "1Z2DCZ");
    assert!(codes(&house.clients[0].got).ends_with("EZ"));
    house.compare();
}

#[test]
fn a_plan_whose_result_has_changed_is_made_anew_at_the_next_try() {
    let mut house = House::new(1, 10, 1);
    house.ask(0, 0, &parse("a", "SELECT * FROM t"));
    house.end(0, 0);
    house.ask(0, 0, &bind("a"));
    let said = &mut house.servers[0].0.said;
    *said = [frame(b'E', b"SERROR\0C0A000\0Mcached plan must not change result type\0\0")].into();
    house.hear(0, 0, 1);
    house.end(0, 0);
    house.clients[0].got.clear();
    house.ask(0, 0, &bind("a"));
    let said: Vec<_> = house.servers[0].0.said.iter().map(|frame| frame[0]).collect();
    assert_eq!(said, b"312", "closed, prepared, bound");
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "2Z");
}

#[test]
fn a_text_that_means_something_else_by_now_fails_for_who_has_it_and_is_prepared_anew_for_who_asks() {
    let mut house = House::new(2, 10, 2);
    let insert = "INSERT INTO t (name) VALUES ($1)";
    for server in [0, 1] {
        house.ask(server, server, &parse("a", insert));
        house.end(server, server);
    }
    house.ask(0, 0, &bind("a"));
    house.servers[0].0.said = [frame(b'E', b"SERROR\0C42804\0Mcolumn is of type integer\0\0")].into();
    house.hear(0, 0, 1);
    house.end(0, 0);
    let sent = |house: &House, server: usize| -> Vec<u8> {
        house.servers[server].0.said.iter().map(|frame| frame[0]).collect()
    };
    // By another name, as drivers do: at this server and at the other.
    house.ask(0, 0, &parse("b", insert));
    assert_eq!(sent(&house, 0), b"1");
    house.end(0, 0);
    house.ask(0, 1, &bind("b"));
    assert_eq!(sent(&house, 1), b"12", "prepared and bound");
    house.end(0, 1);
    // The other client has what it had.
    house.ask(1, 1, &bind("a"));
    assert_eq!(sent(&house, 1), b"2");
    house.end(1, 1);
}

#[test]
fn what_sql_deallocates_is_given_up_and_stays_at_the_server_for_others() {
    let mut house = House::new(2, 10, 2);
    for client in [0, 1] {
        house.ask(client, 0, &parse("a", "SELECT 1"));
        house.end(client, 0);
    }
    // At a server that never had it, too; and once only.
    for (server, expected) in [(1, "CZ"), (0, "EZ")] {
        house.clients[0].got.clear();
        house.clients[0].own.said.clear();
        house.ask(0, server, &query("DEALLOCATE a"));
        house.hear(0, server, usize::MAX);
        assert_eq!(codes(&house.clients[0].got), expected);
    }
    house.ask(1, 0, &bind("a"));
    house.end(1, 0);
    house.ask(0, 0, &parse("a", "SELECT 2"));
    for asked in [parse("", "DEALLOCATE a"), bind(""), execute()] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    assert!(codes(&house.clients[0].got).ends_with("112CZ"));
    house.compare();
}

#[test]
fn a_deallocate_that_the_server_does_not_get_to_takes_nothing_away() {
    let mut house = House::new(1, 10, 1);
    house.ask(0, 0, &parse("a", "SELECT 1"));
    house.end(0, 0);
    for asked in [bind("none"), parse("", "DEALLOCATE a"), bind(""), execute()] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    // In a failed transaction the server denies the first message of ours, and what follows up to Sync is skipped.
    house.ask(0, 0, &query("DEALLOCATE a"));
    house.clients[0].own.said.clear();
    house.clients[0].own.named.insert(b"a".to_vec(), b"SELECT 1\0\0\0".to_vec());
    house.servers[0].0.said = [frame(b'E', b"SERROR\0C25P02\0Mno\0\0"), frame(b'Z', b"E")].into();
    house.clients[0].got.clear();
    house.hear(0, 0, usize::MAX);
    assert_eq!(codes(&house.clients[0].got), "EZ");
    house.clients[0].got.clear();
    house.ask(0, 0, &bind("a"));
    house.end(0, 0);
    house.compare();
}

#[test]
fn nobody_deallocates_what_others_use() {
    let mut house = House::new(1, 10, 2);
    house.ask(0, 0, &parse("a", "SELECT 1"));
    house.end(0, 0);
    house.ask(1, 0, &query("DEALLOCATE \"FLOODWALL_1\""));
    house.hear(1, 0, usize::MAX);
    for asked in [parse("", "DEALLOCATE \"FLOODWALL_1\""), bind(""), execute()] {
        house.ask(1, 0, &asked);
    }
    house.end(1, 0);
    assert_eq!(codes(&house.clients[1].got), "EZ12EZ");
    house.ask(0, 0, &bind("a"));
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "1Z2Z");
    house.compare();
}

#[test]
fn what_sql_executes_by_a_name_of_the_protocol_is_what_its_client_means() {
    for outer in ["", "runs"] {
        let mut house = House::new(2, 10, 2);
        for (client, text) in [(0, "SELECT 1"), (1, "SELECT 2")] {
            house.play(client, 0, &[parse("a", text), frame(b'S', b"")].concat());
        }
        // At a server that never had it, too.
        for server in [0, 1] {
            for client in [0, 1] {
                house.play(client, server, &query("EXECUTE a"));
            }
        }
        let runs = [bind(outer), frame(b'D', b"P\0"), execute(), frame(b'S', b"")].concat();
        house.play(0, 0, &[parse(outer, "EXPLAIN (VERBOSE) EXECUTE a(NULL)"), frame(b'S', b"")].concat());
        house.play(0, 1, &runs);
        house.play(0, 0, &runs);
        house.compare();
        // The name is gone, and stands for another statement: no earlier one is run.
        house.play(0, 1, &[close("a"), frame(b'S', b"")].concat());
        house.clients[0].got.clear();
        house.play(0, 1, &runs);
        assert_eq!(codes(&house.clients[0].got), "EZ");
        house.play(0, 1, &[parse("a", "SELECT 3"), frame(b'S', b""), runs].concat());
        assert_eq!(codes(&house.clients[0].got), "EZ1ZEZ");
    }
}

#[test]
fn nobody_executes_what_others_have_prepared() {
    let mut house = House::new(1, 10, 2);
    house.play(0, 0, &[parse("a", "SELECT 1"), frame(b'S', b"")].concat());
    house.play(1, 0, &query("EXECUTE \"FLOODWALL_1\""));
    let runs = [parse("", "EXECUTE \"FLOODWALL_1\""), bind(""), execute(), frame(b'S', b"")].concat();
    house.play(1, 0, &runs);
    assert_eq!(codes(&house.clients[1].got), "EZ12EZ");
    house.compare();
}

/// A client that does not wait for its groups: what the server was to learn in one that fails is there for the next.
#[test]
fn what_a_failed_group_was_to_teach_a_server_is_taught_by_the_next() {
    for repeats in [Repeats::Unnamed, Repeats::Prepared] {
        let mut house = House::new(2, 10, 1);
        house.bounds.repeats = repeats;
        house.ask(0, 0, &parse("a", "SELECT 2 + $1"));
        house.end(0, 0);
        let sync = frame(b'S', b"");
        let named = [bind("a"), execute(), sync.clone()].concat();
        let unnamed = [parse("", "SELECT 3 + $1"), bind(""), execute(), sync.clone()].concat();
        for _ in 0..4 {
            house.play(0, 0, &unnamed);
        }
        let groups = [bind("nosuch"), named.clone(), named.clone(), bind("nosuch"), unnamed.clone(), unnamed, named];
        house.play(0, 1, &groups.concat());
        assert!(codes(&house.clients[0].got).ends_with("EZ2DCZEZ12DCZ2DCZ"), "{}", codes(&house.clients[0].got));
        house.compare();
    }
}

/// Where a group fails before it comes to its Parse, the server has what somebody else has left there.
#[test]
fn an_unnamed_statement_that_a_failed_group_was_to_set_is_never_another_clients() {
    let mut house = House::new(2, 10, 2);
    let sync = frame(b'S', b"");
    let others = [parse("", "SELECT 'of another'"), bind(""), execute(), sync.clone()].concat();
    house.play(1, 0, &others);
    let fails = [bind("nosuch"), parse("", "SELECT 'mine'"), sync.clone()].concat();
    let next = [bind(""), execute(), sync].concat();
    house.play(0, 0, &[fails, next].concat());
    let got = house.clients[0].got.concat();
    assert!(!got.windows(10).any(|part| part == b"of another"), "{}", got.escape_ascii());
}

/// A group that fails takes back what it did, and not what the next one has done since.
#[test]
fn what_a_failed_group_takes_back_is_not_what_the_next_one_did() {
    for repeats in [Repeats::Unnamed, Repeats::Prepared] {
        let mut house = House::new(2, 10, 1);
        house.bounds.repeats = repeats;
        let sync = frame(b'S', b"");
        let old = [parse("", "SELECT 3 + $1"), bind(""), execute(), sync.clone()].concat();
        for _ in 0..5 {
            house.play(0, 0, &old);
        }
        let fails = [bind("nosuch"), parse("", "SELECT 4"), parse("a", "SELECT 4"), sync.clone()].concat();
        let next = [parse("", "SELECT 5 + $1"), bind(""), execute(), sync.clone()].concat();
        house.play(0, 0, &[fails, next].concat());
        assert!(codes(&house.clients[0].got).ends_with("EZ12DCZ"), "{}", codes(&house.clients[0].got));
        // At a server that has never seen it: what was prepared last, and no other.
        house.play(0, 1, &[bind(""), execute(), sync].concat());
        assert!(codes(&house.clients[0].got).ends_with("EZ12DCZ2DCZ"), "{}", codes(&house.clients[0].got));
        house.compare();
    }
}

#[test]
fn syncs_that_a_copy_swallows_are_not_waited_for() {
    let mut house = House::new(1, 10, 1);
    for asked in [parse("", "COPY"), bind(""), execute(), frame(b'S', b"")] {
        house.ask(0, 0, &asked);
    }
    let said = &mut house.servers[0].0.said;
    *said = [frame(b'1', b""), frame(b'2', b""), frame(b'G', b"\0\0\0")].into();
    house.hear(0, 0, 3);
    assert!(!house.clients[0].plan.is_settled());
    let client = &mut house.clients[0];
    let (server, known) = &mut house.servers[0];
    let mut parts = Parts {
        shared: &mut house.shared,
        names: &mut client.names,
        known,
        bounds: Bounds::default(),
        context: Context::default(),
    };
    let mut caused = Outgoing::default();
    for asked in [Asked::Silent, Asked::Sync, Asked::CopyEnd, Asked::Sync] {
        assert_eq!(client.plan.client(asked, &mut parts, &mut caused), Ok(Passing::AsIs));
    }
    server.said = [frame(b'C', b"COPY 0\0"), frame(b'Z', b"I")].into();
    house.hear(0, 0, 2);
    assert!(house.clients[0].plan.is_settled());
}

#[test]
fn data_of_a_copy_may_be_sent_before_the_server_asks_for_them() {
    let (end, sync) = (frame(b'c', b""), frame(b'S', b""));
    // Each COPY swallows the Syncs before the end of its own data, and no other.
    for between in [vec![], vec![sync.clone()], vec![sync.clone(), sync.clone()]] {
        let mut house = House::new(1, 10, 1);
        let copies = [vec![parse("", "COPY"), bind(""), execute()], between, vec![end.clone(), sync.clone()]].concat();
        for asked in [copies.clone(), copies].concat() {
            house.ask(0, 0, &asked);
        }
        let answers = [(b'1', &b""[..]), (b'2', b""), (b'G', b"\0\0\0"), (b'C', b"COPY 1\0"), (b'Z', b"I")];
        let answers: Vec<Vec<u8>> = answers.iter().map(|(code, body)| frame(*code, body)).collect();
        house.servers[0].0.said = [answers.clone(), answers].concat().into();
        house.hear(0, 0, usize::MAX);
        assert_eq!(codes(&house.clients[0].got), "12GCZ12GCZ");
        assert!(house.clients[0].plan.is_settled());
    }
}

#[test]
fn a_client_that_may_keep_no_more_is_refused_and_goes_on() {
    let mut house = House::new(1, 10, 1);
    house.bounds.statements = 1;
    for asked in [parse("a", "SELECT 1"), parse("b", "SELECT 2"), bind("a")] {
        house.ask(0, 0, &asked);
    }
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "1EZ");
    house.ask(0, 0, &bind("a"));
    house.end(0, 0);
    assert_eq!(codes(&house.clients[0].got), "1EZ2Z");
    assert_eq!(house.clients[0].names.len(), 1);
}

const NAMES: [&str; 5] = ["", "a", "b", "c", "FLOODWALL_1"];
const TEXTS: [&str; 6] = ["SELECT 1", "SELECT 2 + $1", "SELECT 3 + $1", "bad $1", "fail", "SELECT 4"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn clients_that_share_servers_see_what_they_would_see_alone(
        most in 1_usize..5,
        repeats in prop_oneof![Just(Repeats::Unnamed), Just(Repeats::Prepared)],
        pipelines in proptest::collection::vec(
            (0_usize..3, 0_usize..2, proptest::collection::vec((0_u8..14, 0_usize..5, 0_usize..6, 0_usize..4), 0..12)),
            1..12,
        )
    ) {
        let mut house = House::new(2, most, 3);
        house.bounds.repeats = repeats;
        // So often that the next time counts.
        for text in TEXTS.into_iter().flat_map(|text| [text; 4]) {
            house.ask(0, 0, &parse("", text));
            house.end(0, 0);
        }
        house.compare();
        for (client, server, steps) in pipelines {
            for (kind, name, text, heard) in steps {
                let (name, text) = (NAMES[name], TEXTS[text]);
                let asked = match kind {
                    0..=2 => parse(name, text),
                    3 | 4 => bind(name),
                    5 => execute(),
                    6 => describe(name),
                    7 => close(name),
                    8 => frame(b'D', b"P\0"),
                    9 => query("SELECT 1"),
                    10 => query(&format!("DEALLOCATE \"{name}\"")),
                    11 => parse("", &format!("DEALLOCATE \"{name}\"")),
                    12 => query(&format!("EXECUTE \"{name}\"")),
                    _ => parse("runs", &format!("EXECUTE \"{name}\"")),
                };
                // A driver asks it between its pipelines, and what it parses it runs, once.
                if kind == 10 || kind == 12 {
                    house.end(client, server);
                }
                house.ask(client, server, &asked);
                if kind == 11 {
                    house.ask(client, server, &bind(""));
                    house.ask(client, server, &execute());
                    house.end(client, server);
                    house.ask(client, server, &close(""));
                }
                if kind == 13 {
                    for asked in [bind("runs"), frame(b'D', b"P\0"), execute()] {
                        house.ask(client, server, &asked);
                    }
                    house.end(client, server);
                    house.ask(client, server, &close("runs"));
                    house.end(client, server);
                }
                house.hear(client, server, heard);
            }
            house.end(client, server);
            house.compare();
        }
    }
}
