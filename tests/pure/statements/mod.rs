//! Prepared statements of several clients over shared servers, against clients that have a server of their own each.

mod deallocated;
mod executed;
mod groups;
mod unnamed;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::BytesMut;
use floodwall::session::statements::{
    Bounds, Context, Known, Names, Parts, Passing, Plan, Repeats, Reply, Shared, Tenure,
};
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
    portals: HashMap<Vec<u8>, Vec<u8>>,
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
                    self.portals.insert(portal(frame, 5), body);
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
            Asked::DescribePortal => match self.portals.get(&portal(frame, 6)).cloned() {
                Some(body) => self.columns(&body),
                None => self.fail("34000"),
            },
            Asked::Execute => self.execute(&portal(frame, 5)),
            Asked::ClosePortal => {
                self.portals.remove(&portal(frame, 6));
                self.say(b'3', b"");
            }
            Asked::Close { statement: b"" } => {
                self.unnamed = None;
                self.say(b'3', b"");
            }
            Asked::Close { statement } => {
                self.named.remove(statement);
                self.say(b'3', b"");
            }
            Asked::Sync => {
                self.skipping = false;
                self.portals.clear();
                self.say(b'Z', b"I");
            }
            Asked::Query => {
                self.unnamed = None;
                self.portals.clear();
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

    /// May what a message runs end all statements?
    fn ends_all(&self, frame: &[u8]) -> bool {
        let head = client_head(frame).unwrap().unwrap();
        let ends = |text: &[u8]| text == b"all" || ran(text).is_some();
        match asked(head, frame).unwrap() {
            Asked::Query => text(head, frame).is_some_and(ends),
            Asked::Bind { statement } => {
                self.statement(statement).is_some_and(|body| ends(body.split(|&byte| byte == 0).next().unwrap()))
            }
            _ => false,
        }
    }

    fn statement(&self, name: &[u8]) -> Option<Vec<u8>> {
        if name.is_empty() { self.unnamed.clone() } else { self.named.get(name).cloned() }
    }

    fn execute(&mut self, portal: &[u8]) {
        match self.portals.get(portal).cloned() {
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
            // Ours returns no rows, and is run once for every setting.
            text if text.starts_with(b"SELECT FROM (SELECT pg_catalog.set_config(") => self.say(b'C', b"SELECT 0\0"),
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

/// The name of the portal that stands there in a message.
fn portal(frame: &[u8], at: usize) -> Vec<u8> {
    frame[at..].iter().copied().take_while(|&byte| byte != 0).collect()
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
    tenure: Tenure,
    /// What its servers report.
    reported: &'static [u8],
    got: Vec<Vec<u8>>,
    own: Server,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
enum Passed {
    Now,
    Later,
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
        let ends_all = self.clients[client].own.ends_all(frame);
        self.clients[client].own.feed(frame);
        if self.pass(client, server, frame) == Passed::Later {
            assert!(self.clients[client].plan.owes(), "nothing to wait for");
            self.hear(client, server, usize::MAX);
            assert_eq!(self.pass(client, server, frame), Passed::Now);
        }
        if ends_all {
            self.clients[client].tenure = Tenure::MayEnd;
        }
    }

    fn pass(&mut self, client: usize, server: usize, frame: &[u8]) -> Passed {
        let Self { shared, servers, clients, bounds } = self;
        let (client, (server, known)) = (&mut clients[client], &mut servers[server]);
        let context = Context { tenure: client.tenure, reported: client.reported, ..Context::default() };
        let mut parts = Parts { shared, names: &mut client.names, known, bounds: *bounds, context };
        let (mut to_client, mut to_server) = (BytesMut::new(), BytesMut::new());
        let mut caused = Outgoing { client: &mut to_client, server: &mut to_server };
        let head = client_head(frame).unwrap().unwrap();
        let asked = asked(head, frame).unwrap();
        if client.plan.takes(asked) {
            server.feed(frame);
            return Passed::Now;
        }
        let ended = text(head, frame).and_then(deallocated);
        let passing = ended.and_then(|name| client.plan.deallocates(asked, &name, &mut parts, &mut caused));
        let passing = passing
            .map(Ok)
            .or_else(|| client.plan.executes(asked, &executed(asked, head, frame)?, &mut parts, &mut caused));
        match passing.unwrap_or_else(|| client.plan.client(asked, &mut parts, &mut caused)) {
            Ok(Passing::AsIs) => caused.server.extend_from_slice(frame),
            Ok(Passing::As(name)) => {
                let skip = renamed(head, frame, &name, caused.server).unwrap();
                caused.server.extend_from_slice(&frame[skip..]);
            }
            Ok(Passing::Withheld) => {}
            Ok(Passing::Later) => {
                assert!(caused.server.is_empty() && caused.client.is_empty());
                return Passed::Later;
            }
            Err(_) => {
                client.plan.replaced(asked);
                own::parse(b"refused", b"bad\0\0\0", caused.server);
            }
        }
        server.feed(caused.server);
        client.got.extend(cut(caused.client));
        Passed::Now
    }

    /// Up to `count` messages of the server are taken in.
    fn hear(&mut self, client: usize, server: usize, count: usize) {
        let Self { shared, servers, clients, bounds } = self;
        let (client, (server, known)) = (&mut clients[client], &mut servers[server]);
        for frame in server.said.drain(..count.min(server.said.len())).collect::<Vec<_>>() {
            let context = Context { reported: client.reported, ..Context::default() };
            let mut parts = Parts { shared, names: &mut client.names, known, bounds: *bounds, context };
            let (passes, mut behind) = (client.plan.passes(frame[0]), BytesMut::new());
            match client.plan.server(frame[0], &frame, &mut parts, &mut behind) {
                Reply::Pass => client.got.push(frame),
                _ if passes => panic!("{} would have passed", frame.escape_ascii()),
                Reply::Drop => {}
                Reply::OutOfStep => panic!("out of step at {}", frame.escape_ascii()),
            }
            assert!(!passes || behind.is_empty());
            client.got.extend(cut(&behind));
        }
    }

    fn end(&mut self, client: usize, server: usize) {
        self.ask(client, server, &frame(b'S', b""));
        self.hear(client, server, usize::MAX);
        assert!(self.clients[client].plan.is_settled());
        self.clients[client].tenure = Tenure::Stays;
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
const TEXTS: [&str; 8] =
    ["SELECT 1", "SELECT 2 + $1", "SELECT 3 + $1", "bad $1", "fail", "SELECT 4", "all", "SELECT '5' + $1"];
/// Settings under which a literal means something else.
const REPORTED: [&[u8]; 2] = [b"TimeZone\0UTC\0", b"TimeZone\0GB\0"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn clients_that_share_servers_see_what_they_would_see_alone(
        most in 1_usize..5,
        repeats in prop_oneof![Just(Repeats::Unnamed), Just(Repeats::Prepared)],
        pipelines in proptest::collection::vec(
            (0_usize..3, 0_usize..2, proptest::collection::vec((0_u8..17, 0_usize..5, 0_usize..8, 0_usize..4), 0..12)),
            1..12,
        )
    ) {
        let mut house = House::new(2, most, 3);
        house.bounds.repeats = repeats;
        house.clients.iter_mut().for_each(|client| client.reported = REPORTED[0]);
        // So often that the next time counts.
        for text in TEXTS.into_iter().flat_map(|text| [text; 4]) {
            house.ask(0, 0, &parse("", text));
            house.end(0, 0);
        }
        house.compare();
        for (client, server, steps) in pipelines {
            for (kind, name, text, heard) in steps {
                if kind == 16 {
                    house.end(client, server);
                    house.clients[client].reported = REPORTED[text % 2];
                    continue;
                }
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
                    12 => frame(b'S', b""),
                    11 => parse("", &format!("DEALLOCATE \"{name}\"")),
                    13 => query(&format!("EXECUTE \"{name}\"")),
                    15 => query("all"),
                    _ => parse("runs", &format!("EXECUTE \"{name}\"")),
                };
                // A driver asks it between its pipelines, and what it parses it runs, once.
                if kind == 10 || kind == 13 {
                    house.end(client, server);
                }
                house.ask(client, server, &asked);
                if kind == 11 {
                    house.ask(client, server, &bind(""));
                    house.ask(client, server, &execute());
                    house.end(client, server);
                    house.ask(client, server, &close(""));
                }
                if kind == 14 {
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
