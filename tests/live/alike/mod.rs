//! Each client gets the same answers from a pool as from a server of its own, message by message.
//!
//! A script is written while it is played at the server itself, with a connection for each client, one step after the other. Then it is
//! played through pools of several sizes. What differs is a fault, or one of the limits that README names; those the texts avoid.
//!
//! `FLOODWALL_ALIKE_SECONDS` is how long scripts are tried (3 by default), `FLOODWALL_ALIKE_SEED` where they come from: a failure names it,
//! and tells the shortest script that still shows it. `FLOODWALL_ALIKE_MODE` is the mode of pooling whose pools play them, `session`,
//! `plain`, `unnamed` or `few`; all of them unless it is given.

#![allow(
    clippy::print_stdout,
    reason = "it says what it tried, and what it saw before it looked for the shortest script"
)]

mod player;
mod step;
mod texts;
mod writer;

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::seed::Dice;
use crate::support::cluster::Cluster;
use crate::support::floodwall::{Proxy, direct};
use crate::support::ports::free_port;
use crate::support::process::Scratch;
use crate::support::raw::Raw;

use player::{Place, Players};
use step::Step;
use writer::Writer;

/// How long the shortest script is looked for: each that hangs costs as long as it is waited for.
const SHORTENING: Duration = Duration::from_secs(60);
/// Steps of a script.
const STEPS: usize = 120;

/// Listeners by mode: how many servers their pools have, and further keys.
const POOLS: [(&str, usize, &str); 11] = [
    ("session", SESSION, ""),
    ("plain", 1, ""),
    ("plain", 2, ""),
    ("plain", 5, ""),
    ("unnamed", 1, "prepare_unnamed = true"),
    ("unnamed", 2, "prepare_unnamed = true"),
    ("unnamed", 5, "prepare_unnamed = true"),
    ("few", 1, "max_prepared_statements = 2\nprepare_unnamed = true"),
    ("few", 1, "max_prepared_statements = 2"),
    ("few", 2, "max_prepared_statements = 2\nprepare_unnamed = true"),
    ("few", 2, "max_prepared_statements = 2"),
];

/// As many servers as sessions: `pool = "session"`.
const SESSION: usize = 1_000;

/// The proxy, and its pools by port.
struct Scene {
    cluster: Cluster,
    ports: Vec<u16>,
    proxy: Proxy,
    /// The mode whose pools play; all of them unless one is chosen.
    mode: Option<String>,
    _folder: Scratch,
}

#[test]
#[ignore = "make alike: new scripts each time, for as long as one likes"]
fn a_pool_answers_as_a_server_of_ones_own() {
    if direct() {
        return;
    }
    let scene = Scene::new();
    let end = Instant::now() + Duration::from_secs(number("FLOODWALL_ALIKE_SECONDS").unwrap_or(3));
    let given = number("FLOODWALL_ALIKE_SEED");
    let mut seed = given.unwrap_or_else(|| RandomState::new().hash_one("alike") >> 32);
    let mut played = 0;
    while played == 0 || (given.is_none() && Instant::now() < end) {
        scene.try_script(seed);
        (seed, played) = (seed + 1, played + 1);
    }
    println!("{played} scripts");
    scene.finish();
}

impl Scene {
    fn new() -> Self {
        let cluster = Cluster::start(&[("autovacuum", "off"), ("max_prepared_transactions", "8")]);
        cluster.sql("postgres", "ALTER ROLE trusted SET lock_timeout = '100ms'");
        cluster.sql("postgres", texts::ROLE);
        let folder = Scratch::new("alike");
        let users = folder.path().join("users.toml");
        std::fs::write(&users, "[[user]]\nname = 'trusted'\npassword = 'unused'\n").unwrap();
        let ports: Vec<u16> = POOLS.iter().map(|_| free_port()).collect();
        let mut config = "[[access]]\nuser = 'trusted'\naddress = '127.0.0.0/8'\nmethod = 'trust'\n".to_owned();
        for ((_, size, keys), port) in POOLS.iter().zip(&ports) {
            let pool = match *size {
                SESSION => "pool = 'session'".to_owned(),
                size => format!("pool = 'transaction'\npool_size = {size}\nquery_wait_timeout = '10s'"),
            };
            write!(
                config,
                "[[listener]]\nname = 'of{port}'\nprotocol = 'postgres'\nbind = '127.0.0.1:{port}'\nservers = ['127.0.0.1:{}']\n\
                 {pool}\nlogin = 'users'\nusers_file = '{}'\n\
                 monitor = {{ user = 'postgres', database = 'postgres' }}\n{keys}\n",
                cluster.port,
                users.display()
            )
            .unwrap();
        }
        for port in ports.iter().chain([&cluster.port]) {
            cluster.sql("postgres", &format!("CREATE DATABASE of_{port} OWNER trusted"));
        }
        // A server of one's own works on for a client that is gone, unless it is told to look.
        let looks = "SET client_connection_check_interval = '50ms'";
        cluster.sql("postgres", &format!("ALTER DATABASE of_{} {looks}", cluster.port));
        let proxy = Proxy::start(&cluster, &config);
        Self { cluster, ports, proxy, mode: mode(), _folder: folder }
    }

    fn try_script(&self, seed: u64) {
        let mut dice = Dice(seed);
        let servers = *dice.one(&[1, 1, 2]);
        let (script, clients, expected) = self.write(Writer::new(dice, servers));
        // Every other one: more scripts find more than more pools of much the same.
        let turn = |at: usize| (u64::try_from(at).unwrap() + seed).is_multiple_of(2);
        let plays = |at: usize, mode: &str| self.mode.as_ref().map_or_else(|| turn(at), |chosen| chosen == mode);
        for (at, (mode, size, keys)) in POOLS.iter().enumerate() {
            if *size < servers || !plays(at, mode) {
                continue;
            }
            if let Some(seen) = self.difference(at, &script, clients, &expected) {
                let says = script.get(seen.at).map(Step::says).unwrap_or_default();
                println!(
                    "FLOODWALL_ALIKE_SEED={seed}, a pool of {size} {keys}, step {}: {says}\n{}",
                    seen.at, seen.words
                );
                // Somebody has kept the server of whom the script did not expect it; or nobody knows what is waited for.
                let waits = ["query_wait_timeout", player::SILENT].iter().any(|word| seen.words.contains(word));
                if waits {
                    script.iter().take(seen.at + 1).for_each(|step| println!("{}", step.says()));
                }
                assert!(!waits, "FLOODWALL_ALIKE_SEED={seed}");
                let (script, difference) = self.shortest(at, script, clients);
                let script: Vec<String> = script.iter().map(Step::says).collect();
                panic!("FLOODWALL_ALIKE_SEED={seed}, a pool of {size} {keys}:\n{}\n{difference}", script.join("\n"));
            }
        }
    }

    /// The database of a port, as every script finds it.
    fn place(&self, port: u16) -> Place {
        let database = format!("of_{port}");
        let mut helper = Raw::login(self.cluster.port, "postgres", &database).unwrap();
        helper.rows(texts::SCENE);
        Place { port, database, helper }
    }

    /// A script, and what its clients were answered by servers of their own.
    fn write(&self, mut writer: Writer) -> (Vec<Step>, usize, Vec<Vec<String>>) {
        let clients = writer.clients();
        let place = self.place(self.cluster.port);
        let mut players = Players::new(place, clients);
        let (mut script, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..STEPS {
            let step = writer.step();
            let answer = players.play(&step);
            assert!(
                answer.last().is_none_or(|word| word != player::SILENT),
                "the server waits for more: {}",
                step.says()
            );
            answers.push(answer);
            writer.heard(step.client, players.status(step.client));
            script.push(step);
        }
        for step in writer.end() {
            answers.push(players.play(&step));
            script.push(step);
        }
        answers.push(players.notifications());
        players.forget_transactions();
        (script, clients, answers)
    }

    /// What a script is answered at this port; `None` where it waits for something there.
    fn play(&self, port: u16, script: &[Step], clients: usize) -> Option<Vec<Vec<String>>> {
        let mut players = Players::new(self.place(port), clients);
        let heard = |answer: &Vec<String>| answer.last().is_none_or(|word| word != player::SILENT);
        let answers: Option<Vec<_>> = script.iter().map(|step| Some(players.play(step)).filter(heard)).collect();
        players.forget_transactions();
        Some([answers?, vec![players.notifications()]].concat())
    }

    /// The first difference to what was expected.
    fn difference(&self, pool: usize, script: &[Step], clients: usize, expected: &[Vec<String>]) -> Option<Difference> {
        let mut players = Players::new(self.place(self.ports[pool]), clients);
        let difference = Self::parting(&mut players, script, expected);
        if difference.as_ref().is_some_and(|seen| seen.words.contains(player::SILENT)) {
            for what in ["SHOW CLIENTS", "SHOW SERVERS", "SHOW POOLS", "SHOW PINS"] {
                println!("{what}: {:#?}", self.proxy.console(what));
            }
        }
        players.forget_transactions();
        difference
    }

    /// The step at which the players are answered otherwise.
    fn parting(players: &mut Players, script: &[Step], expected: &[Vec<String>]) -> Option<Difference> {
        for (at, step) in script.iter().enumerate() {
            // From there on a client that is spared this goes its own way.
            if expected[at].iter().any(|word| word.contains(CHANGED)) {
                return None;
            }
            let answer = players.play(step);
            // And there is a transaction the less, or its name.
            if was_heard_before(&answer, &expected[at]) || was_learnt_first(&answer, &expected[at]) {
                return None;
            }
            if was_locked_out(&answer, &expected[at]) && players.locks_what_is_temporary() {
                return None;
            }
            if is_undescribed(&answer, &expected[at]) {
                // What follows in the same group is skipped, which a server of its own may have done.
                if !step.stays_open() && is_all_that_differs(&answer, &expected[at]) {
                    continue;
                }
                return None;
            }
            let is_same = if step.executes() {
                same(&told_of_execute(&answer), &told_of_execute(&expected[at]))
            } else {
                same(&answer, &expected[at])
            };
            if !is_same {
                return Some(Difference::of(at, &expected[at], &answer));
            }
            // What a client that has lost its session sends then fails sooner or later.
            if expected[at].iter().any(|word| word == player::CLOSED) {
                return None;
            }
        }
        let (answer, expected) = (players.notifications(), &expected[script.len()]);
        (answer != *expected).then(|| Difference::of(script.len(), expected, &answer))
    }

    /// Leaves out what is not needed to see the same difference.
    fn shortest(&self, pool: usize, mut script: Vec<Step>, clients: usize) -> (Vec<Step>, String) {
        let find = |script: &[Step]| {
            let expected = self.play(self.cluster.port, script, clients)?;
            self.difference(pool, script, clients, &expected)
        };
        let Some(mut seen) = find(&script) else {
            return (script, "not seen again".to_owned());
        };
        script.truncate(seen.at + 1);
        let mut size = script.len() / 2;
        let end = Instant::now() + SHORTENING;
        while size > 0 && Instant::now() < end {
            let mut from = 0;
            while from < script.len() && Instant::now() < end {
                let mut fewer = script.clone();
                fewer.drain(from..(from + size).min(fewer.len()));
                match find(&fewer) {
                    Some(other) if other.kind == seen.kind => (script, seen) = (fewer, other),
                    _ => from += size,
                }
            }
            size /= 2;
        }
        (script, seen.words)
    }

    fn finish(self) {
        self.proxy.console("RECONNECT").unwrap();
        self.proxy.assert_all_zero();
    }
}

/// What a pool nearly always spares its clients: README, "Prepared statements".
const CHANGED: &str = "Mcached plan must not change result type ";

/// The same answer? Of a name that is taken we tell before the text is read, the server behind that; and a server that learns a statement
/// may deny that before it looks at the values.
fn same(answer: &[String], expected: &[String]) -> bool {
    answer.len() == expected.len() && answer.iter().zip(expected).all(|(one, other)| means_the_same(one, other))
}

/// The first message that says something else.
fn parted(answer: &[String], expected: &[String]) -> usize {
    answer.iter().zip(expected).take_while(|(one, other)| means_the_same(one, other)).count()
}

fn means_the_same(one: &str, other: &str) -> bool {
    let is_late = match one {
        "E 42P05" => other.starts_with("E "),
        one => other == "E 08P01" && one.starts_with("E "),
    };
    one == other || is_late || is_untyped(one, other)
}

/// No such function, in the words of a server that had not read the text while there was one? A parameter that the function gave its type is
/// `unknown` to it; one that had read it names that type.
fn is_untyped(one: &str, other: &str) -> bool {
    let parts = |word: &str| -> Option<[String; 3]> {
        let (function, rest) = word.split_once('(')?;
        let (types, rest) = rest.split_once(')')?;
        Some([function, types, rest].map(str::to_owned))
    };
    let (Some([function, types, rest]), Some([wanted, _, behind])) = (parts(one), parts(other)) else { return false };
    let is_unread = types.split(", ").any(|kind| kind == "unknown");
    is_unread && one.starts_with("E ") && one.contains(" C42883 ") && [function, rest] == [wanted, behind]
}

/// What of an EXECUTE of what the protocol prepared is the same everywhere. It has a name of another length in a pool, from which errors
/// count their positions. And a Query goes there as a pipeline: its rows are described before it runs, so before what it says meanwhile,
/// and where it fails as well. What it runs is bound where its own server binds the EXECUTE, so it may fail a message earlier; and an EXECUTE of what
/// runs another one, which is gone, has no columns where it is read anew.
fn told_of_execute(answer: &[String]) -> Vec<String> {
    let mut told: Vec<String> = answer.iter().map(|word| without_position(word)).collect();
    for at in (0..told.len()).rev().filter(|&at| answer[at].starts_with("T ")) {
        let notices = told[at + 1..].iter().take_while(|word| word.starts_with("N ")).count();
        let columns = told.remove(at);
        if told.get(at + notices).is_none_or(|word| !word.starts_with("E ")) {
            told.insert(at + notices, columns);
        }
    }
    while let Some(failed) = told.iter().position(|word| word.starts_with("E ")).filter(|&at| at > 0)
        && is_early(&told[failed - 1], &told[failed])
    {
        told.remove(failed - 1);
    }
    told
}

/// May this come before an error of one server, and not of another?
fn is_early(word: &str, error: &str) -> bool {
    let is_unread = || error == "E 26000" || UNREADABLE.iter().any(|code| error.contains(code));
    word.starts_with("2 ") || (word.starts_with("n ") && is_unread())
}

/// An error without the place in its text.
fn without_position(word: &str) -> String {
    let is_position = |part: &&str| part.strip_prefix('P').is_some_and(|at| at.parse::<u32>().is_ok());
    if word.starts_with("E ") {
        word.split(' ').filter(|part| !is_position(part)).collect::<Vec<_>>().join(" ")
    } else {
        word.to_owned()
    }
}

/// A server that has to learn a statement before it describes it may deny that, where one of the client's own has it and tells its
/// parameters. That is so for a text that means nothing under the settings of now: where rows come of it, its own server tells the parameters
/// and then fails with the same words, reading the text once more for its columns; where none do, it has no reason to read the text, and denies
/// it when it is bound. And it is so in a transaction that has failed, where nothing is learnt: its own server describes there what returns no
/// rows, for clients that describe a ROLLBACK before they send it (`exec_describe_statement_message` in `postgres.c`); and a ROLLBACK is
/// learnt.
fn is_undescribed(answer: &[String], expected: &[String]) -> bool {
    let at = parted(answer, expected);
    let (Some(denied), Some(described)) = (answer.get(at), expected.get(at)) else { return false };
    let behind = expected.get(at + 1).map_or("", String::as_str);
    let is_denied_of_none = || UNREADABLE.iter().any(|code| denied.contains(code)) && behind.starts_with("n ");
    denied.starts_with("E ") && described.starts_with("t ") && (means_the_same(denied, behind) || is_denied_of_none())
}

/// Why a text is not read: in a transaction that has failed, and where a table or a function is not there any more.
const UNREADABLE: [&str; 3] = ["C25P02 ", "C42P01 ", "C42883 "];

/// A server that has listened once remembers an UNLISTEN, behind which it prepares no transaction to be committed; another one has nothing to
/// do for it (`Async_Unlisten` in `async.c`).
fn was_heard_before(answer: &[String], expected: &[String]) -> bool {
    let at = parted(answer, expected);
    let (Some(denied), Some(done)) = (answer.get(at), expected.get(at)) else { return false };
    denied.contains("that has executed LISTEN, UNLISTEN, or NOTIFY") && done.starts_with("C PREPARE TRANSACTION")
}

/// A transaction that has discarded what is temporary and was prepared to be committed keeps that locked at its server until it is; there
/// the next DISCARD waits, whoever sends it: README, "Limits of this version".
fn was_locked_out(answer: &[String], expected: &[String]) -> bool {
    let at = parted(answer, expected);
    let (Some(denied), Some(done)) = (answer.get(at), expected.get(at)) else { return false };
    denied.contains(" C55P03 ") && done.starts_with("C DISCARD ")
}

/// A statement that is only described is read by a server that has to learn it, which takes a snapshot as any text does that is read; behind
/// that the transaction's level is settled. One that knows it describes it without.
fn was_learnt_first(answer: &[String], expected: &[String]) -> bool {
    let at = parted(answer, expected);
    let (Some(denied), Some(done)) = (answer.get(at), expected.get(at)) else { return false };
    denied.contains(" C25001 MSET TRANSACTION ") && ["C SET", "C BEGIN"].iter().any(|word| done.starts_with(word))
}

/// Is that, an error in place of a description and of what is behind it, all that differs?
fn is_all_that_differs(answer: &[String], expected: &[String]) -> bool {
    let at = parted(answer, expected);
    same(answer.get(at + 1..).unwrap_or_default(), expected.get(at + 2..).unwrap_or_default())
}

/// Where two answers part.
struct Difference {
    /// At which step.
    at: usize,
    /// How the messages that differ begin.
    kind: [String; 2],
    words: String,
}

impl Difference {
    fn of(step: usize, expected: &[String], found: &[String]) -> Self {
        let at = parted(found, expected);
        let said = |answer: &[String], at: usize| answer.get(at).cloned().unwrap_or_else(|| "nothing".to_owned());
        let (direct, pooled, then) = (said(expected, at), said(found, at), said(found, at + 1));
        let kind = [&direct, &pooled].map(|text| text.chars().take(60).collect());
        let words = format!("at message {at}\n  directly: {direct}\n  pooled:   {pooled}\n  then:     {then}");
        Self { at: step, kind, words }
    }
}

fn mode() -> Option<String> {
    let chosen = std::env::var("FLOODWALL_ALIKE_MODE").ok()?;
    assert!(POOLS.iter().any(|(mode, ..)| *mode == chosen), "FLOODWALL_ALIKE_MODE: no mode {chosen}");
    Some(chosen)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}
