//! The phase beside a server that is played message by message: `Ready` must mean that nothing is owed.

use std::collections::VecDeque;

use floodwall::wire::Passage;
use floodwall::wire::Transaction;
use floodwall::wire::pg::phase::{Phase, Place};

use crate::seed::{Dice, fuzz};

/// What a server does with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Normal,
    /// After an error of the extended protocol.
    SkipToSync,
    CopyIn(Protocol),
    CopyBoth,
    /// It ended the connection.
    Gone,
}

/// What an error skips: nothing, or all up to Sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Simple,
    Extended,
}

/// What a refusal makes of a message that reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Plain,
    Refused,
}

/// A server, written from PostgreSQL's `postgres.c` and `copyfromparse.c` and independent of the phase.
#[derive(Debug)]
struct Server {
    mode: Mode,
    transaction: Transaction,
    /// Extended messages without their Sync.
    open: bool,
    inbox: VecDeque<(u8, Fate)>,
    outbox: VecDeque<(u8, Option<Transaction>)>,
}

impl Server {
    fn say(&mut self, codes: &[u8]) {
        self.outbox.extend(codes.iter().map(|&code| (code, None)));
    }

    fn ready(&mut self) {
        self.mode = Mode::Normal;
        self.open = false;
        self.outbox.push_back((b'Z', Some(self.transaction)));
    }

    fn fail(&mut self, protocol: Protocol) {
        self.say(b"E");
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
        if protocol == Protocol::Extended {
            self.mode = Mode::SkipToSync;
        } else {
            self.ready();
        }
    }

    /// Takes one message from the client.
    fn step(&mut self, dice: &mut Dice) {
        let Some((code, fate)) = self.inbox.pop_front() else { return };
        match self.mode {
            Mode::Normal => self.normal(code, fate, dice),
            Mode::SkipToSync => {
                if code == b'S' {
                    self.ready();
                }
            }
            Mode::CopyIn(protocol) => self.copy_in(code, protocol, dice),
            Mode::CopyBoth => match code {
                b'd' => {}
                b'c' => {
                    self.say(b"cC");
                    self.ready();
                }
                _ => self.gone(),
            },
            Mode::Gone => {}
        }
    }

    fn gone(&mut self) {
        self.say(b"E");
        self.mode = Mode::Gone;
        self.inbox.clear();
    }

    fn normal(&mut self, code: u8, fate: Fate, dice: &mut Dice) {
        match code {
            b'Q' | b'F' if fate == Fate::Refused || dice.once_in(5) => self.fail(Protocol::Simple),
            b'Q' => self.query(dice),
            b'F' => {
                self.say(b"V");
                self.ready();
            }
            b'P' | b'B' | b'D' | b'E' | b'C' => {
                self.open = true;
                match code {
                    _ if fate == Fate::Refused || dice.once_in(6) => self.fail(Protocol::Extended),
                    b'E' if dice.once_in(4) => {
                        self.say(b"G");
                        self.mode = Mode::CopyIn(Protocol::Extended);
                    }
                    _ => self.say(b"1"),
                }
            }
            b'S' => self.ready(),
            b'X' => self.gone(),
            _ => {}
        }
    }

    fn query(&mut self, dice: &mut Dice) {
        match dice.below(8) {
            0 => {
                self.say(b"G");
                self.mode = Mode::CopyIn(Protocol::Simple);
            }
            1 => {
                self.say(b"W");
                self.mode = Mode::CopyBoth;
            }
            2 => {
                self.say(b"HddcC");
                self.ready();
            }
            _ => {
                self.say(b"TDC");
                self.transaction = *dice.one(&[Transaction::None, Transaction::Open, self.transaction]);
                self.ready();
            }
        }
    }

    fn copy_in(&mut self, code: u8, protocol: Protocol, dice: &mut Dice) {
        match code {
            // Not at a Sync: one that was sent with the statement lies in the server's buffer when the COPY begins.
            b'd' if dice.once_in(6) => self.fail(protocol),
            b'd' | b'S' | b'H' => {}
            b'f' => self.fail(protocol),
            b'c' if protocol == Protocol::Simple && dice.once_in(5) => self.say(b"CG"),
            b'c' => {
                self.say(b"C");
                self.mode = Mode::Normal;
                if protocol == Protocol::Simple {
                    self.ready();
                }
            }
            _ => self.gone(),
        }
    }

    /// Nothing is on its way in either direction, and nothing waits for an end.
    fn owes_nothing(&self) -> bool {
        self.mode == Mode::Normal
            && !self.open
            && self.inbox.iter().all(|(code, _)| b"dcfH".contains(code))
            && !self.outbox.iter().any(|(code, _)| *code == b'Z')
    }
}

/// The client's next message: mostly what a client would send, sometimes anything.
fn asked(dice: &mut Dice, server: &Server) -> u8 {
    match server.mode {
        _ if dice.once_in(12) => *dice.one(b"QPBEDCSHFdcf"),
        Mode::CopyIn(_) | Mode::CopyBoth => *dice.one(b"dddcSf"),
        _ => *dice.one(b"QQPBEESSHC"),
    }
}

#[test]
fn phase() {
    fuzz("phase", |dice| {
        let transaction = Transaction::None;
        let mut server =
            Server { mode: Mode::Normal, transaction, open: false, inbox: VecDeque::new(), outbox: VecDeque::new() };
        let mut phase = Phase::default();
        let mut story = String::new();
        let eager = 2 + dice.below(6);
        for _ in 0..eager * 40 {
            if server.mode == Mode::Gone {
                return;
            }
            if !dice.once_in(eager) {
                play_server(&mut server, &mut phase, &mut story, dice);
            } else {
                play_client(&mut server, &mut phase, &mut story, dice);
            }
            if phase.is_ready() {
                assert!(server.owes_nothing(), "{story}\n{phase:?}\n{server:?}");
            }
        }
    });
}

fn play_server(server: &mut Server, phase: &mut Phase, story: &mut String, dice: &mut Dice) {
    if dice.once_in(2) {
        return server.step(dice);
    }
    if let Some((code, status)) = server.outbox.pop_front() {
        story.push_str(&format!(" <{}", char::from(code)));
        phase.server(code, status);
    }
}

fn play_client(server: &mut Server, phase: &mut Phase, story: &mut String, dice: &mut Dice) {
    let code = asked(dice, server);
    let skipping = matches!(phase, Phase::Skipping(_));
    let refused = matches!(code, b'Q' | b'P') && dice.once_in(4) && !skipping;
    story.push_str(&format!(" {}{}", if refused { '!' } else { '>' }, char::from(code)));
    if !refused {
        if phase.client(code) == Passage::Forward {
            server.inbox.push_back((code, Fate::Plain));
        }
        return;
    }
    match phase.refuse(code) {
        Place::Here => {
            assert!(server.owes_nothing() && server.transaction == Transaction::None, "{story}\n{phase:?}\n{server:?}");
        }
        Place::Server => server.inbox.push_back((code, Fate::Refused)),
    }
}
