//! Plays steps at one address, and tells what each was answered, without what differs from server to server by itself.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use crate::support::process::{SOON, wait_until};
use crate::support::raw::{self, Message, Raw, VERSION_3_0, cancel_request};

use super::step::{Act, Sent, Step, Waits};
use super::texts::SLEEPS;

/// Where the steps are played.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) port: u16,
    pub(super) database: String,
    /// A superuser at the server itself.
    pub(super) helper: Raw,
}

/// The clients of one play.
pub(super) struct Players {
    place: Place,
    clients: Vec<Player>,
}

/// One client.
struct Player {
    raw: Raw,
    parameters: BTreeMap<String, String>,
    notifications: Vec<String>,
    /// An error came, and no ReadyForQuery behind it.
    skips: bool,
    /// As the last ReadyForQuery says.
    status: u8,
    /// It has begun a pipeline.
    is_open: bool,
}

impl Players {
    pub(super) fn new(place: Place, count: usize) -> Self {
        let clients = (0..count).map(|_| Player::login(&place, &[])).collect();
        Self { place, clients }
    }

    /// As its last ReadyForQuery told it.
    pub(super) fn status(&self, client: usize) -> u8 {
        self.clients[client].status
    }

    /// The answer to a step; a fault of the connection is one as well.
    pub(super) fn play(&mut self, step: &Step) -> Vec<String> {
        let at_work = self.at_work_but(step.client);
        let place = &mut self.place;
        let player = &mut self.clients[step.client];
        let answer = match &step.act {
            Act::Send(sent, waits) => {
                player.is_open = matches!(waits, Waits::Answers(_));
                player.send(&bytes(sent)).and_then(|()| player.answer(*waits))
            }
            Act::Cancel => player.is_cancelled(place, &raw::query(SLEEPS)),
            Act::CancelFirst(sent) => player.is_cancelled(place, &bytes(sent)),
            Act::CancelNothing => {
                player.cancel(place);
                Ok(Vec::new())
            }
            Act::ComesAgain(parameters) => {
                player.send(&raw::terminate()).ok();
                let heard = std::mem::take(&mut player.notifications);
                *player = Player::login(place, parameters);
                player.notifications = heard;
                Ok(vec![player.told()])
            }
            Act::Garbles(sent) => player.garbles(place, &bytes(sent)),
            Act::Breaks(sent) => player.breaks(place, &bytes(sent), at_work),
            Act::BreaksAsleep(sent) => player.breaks_asleep(place, &bytes(sent), at_work),
        };
        answer.unwrap_or_else(|fault| vec![fault])
    }

    /// How many others are in a transaction, or in a pipeline.
    fn at_work_but(&self, client: usize) -> usize {
        let others = self.clients.iter().enumerate().filter(|(at, _)| *at != client);
        others.filter(|(_, other)| other.status != b'I' || other.is_open).count()
    }

    /// Takes back what is prepared to be committed: its name is taken everywhere.
    pub(super) fn forget_transactions(&mut self) {
        let left = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()";
        for gid in self.place.helper.rows(left).concat() {
            self.place.helper.rows(&format!("ROLLBACK PREPARED '{gid}'"));
        }
    }

    /// Is there a transaction, prepared to be committed, that keeps a temporary schema locked?
    pub(super) fn locks_what_is_temporary(&mut self) -> bool {
        let locked = "SELECT count(*) FROM pg_locks l JOIN pg_namespace n ON n.oid = l.objid \
                      WHERE l.classid = 'pg_namespace'::regclass AND l.pid IS NULL AND l.mode = 'AccessExclusiveLock' \
                      AND starts_with(n.nspname, 'pg_temp_')";
        self.place.helper.rows(locked)[0][0] != "0"
    }

    /// What each was notified of.
    pub(super) fn notifications(&self) -> Vec<String> {
        self.clients.iter().map(|player| format!("{:?}", player.notifications)).collect()
    }
}

impl Player {
    fn login(place: &Place, parameters: &[(&str, &str)]) -> Self {
        let mut raw = Raw::open(place.port);
        let base = [("user", "trusted"), ("database", place.database.as_str())];
        raw.send(&raw::startup(VERSION_3_0, &[&base, parameters].concat()));
        let mut player = Self {
            raw,
            parameters: BTreeMap::new(),
            notifications: Vec::new(),
            skips: false,
            status: b'I',
            is_open: false,
        };
        for message in player.raw.until(b"ZE") {
            assert_ne!(message.code, b'E', "{}", message.summary());
            player.take(&message);
        }
        player
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        use std::io::Write as _;
        self.raw.stream.write_all(bytes).map_err(|_| CLOSED.to_owned())
    }

    fn answer(&mut self, waits: Waits) -> Result<Vec<String>, String> {
        let mut told = Vec::new();
        let mut left = match waits {
            Waits::Answers(_) if self.skips => 0,
            Waits::Ready(count) | Waits::Answers(count) => count,
        };
        while left > 0 {
            let message = match self.raw.read() {
                Ok(Some(message)) => message,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(told.into_iter().chain([SILENT.to_owned()]).collect());
                }
                _ => return Ok(told.into_iter().chain([CLOSED.to_owned()]).collect()),
            };
            told.extend(self.take(&message));
            left = match (waits, message.code) {
                (Waits::Ready(_), b'Z') => left - 1,
                (Waits::Answers(_), b'E') => 0,
                (Waits::Answers(_), b'1' | b'2' | b'3' | b'T' | b'n' | b'C' | b's' | b'I') => left - 1,
                _ => left,
            };
        }
        Ok(told)
    }

    /// What a message says, where it is part of an answer.
    fn take(&mut self, message: &Message) -> Option<String> {
        match message.code {
            b'S' => {
                let mut parts =
                    message.body.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
                self.parameters.insert(parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                return None;
            }
            b'A' => {
                self.notifications.push(message.body[4..].escape_ascii().to_string());
                return None;
            }
            b'K' => {
                self.raw.key = Some((number(&message.body), message.body[4..].to_vec()));
                return None;
            }
            b'Z' => {
                (self.skips, self.status) = (false, message.body[0]);
                return Some(format!("Z {} {}", char::from(message.body[0]), self.told()));
            }
            b'E' => self.skips = true,
            _ => {}
        }
        Some(words(message))
    }

    /// The parameters that it was told.
    fn told(&self) -> String {
        self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }

    /// The first statement of these bytes sleeps, and is cancelled then.
    fn is_cancelled(&mut self, place: &mut Place, sent: &[u8]) -> Result<Vec<String>, String> {
        self.send(sent)?;
        // In a transaction that has failed it does not sleep.
        let fails = self.status == b'E';
        if !fails && !wait_until(SOON, || place.helper.rows(SLEEPERS)[0][0] == "1") {
            return Err("it does not sleep".to_owned());
        }
        if !fails {
            self.cancel(place);
        }
        self.answer(Waits::Ready(1))
    }

    /// What these bytes, which ask for `THE_END` at last, are answered until the connection ends or tells that.
    fn garbles(&mut self, place: &Place, bytes: &[u8]) -> Result<Vec<String>, String> {
        self.send(bytes)?;
        let mut told = Vec::new();
        while !told.iter().any(|word: &String| word == CLOSED || word == SILENT || word.contains("the end")) {
            told.append(&mut self.answer(Waits::Ready(1))?);
        }
        if told.last().is_some_and(|word| word == CLOSED) {
            // PostgreSQL tells of a length that can't be in its log alone, and we tell the client.
            told = vec!["ended".to_owned()];
            let heard = std::mem::take(&mut self.notifications);
            *self = Self::login(place, &[]);
            self.notifications = heard;
        }
        Ok(told)
    }

    /// It is gone behind these bytes, and comes again when the server has seen to that; so many others are at work.
    fn breaks(&mut self, place: &mut Place, bytes: &[u8], others: usize) -> Result<Vec<String>, String> {
        self.send(bytes)?;
        self.breaks_off(place, others)
    }

    /// The same where the first statement of these bytes sleeps, unless that fails.
    fn breaks_asleep(&mut self, place: &mut Place, bytes: &[u8], others: usize) -> Result<Vec<String>, String> {
        self.send(bytes)?;
        let mut error = None;
        let asleep = wait_until(SOON, || {
            while error.is_none() && !self.raw.is_silent(Duration::from_millis(1)) {
                let Ok(Some(message)) = self.raw.read() else { break };
                error = self.take(&message).filter(|_| message.code == b'E');
            }
            error.is_some() || place.helper.rows(SLEEPERS)[0][0] == "1"
        });
        if !asleep {
            return Err("it does not sleep".to_owned());
        }
        let told = self.breaks_off(place, others)?;
        Ok(error.into_iter().chain(told).collect())
    }

    fn breaks_off(&mut self, place: &mut Place, others: usize) -> Result<Vec<String>, String> {
        self.raw.stream.shutdown(std::net::Shutdown::Both).map_err(|_| CLOSED.to_owned())?;
        let at_work = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND usename = 'trusted' AND state <> 'idle'";
        if !wait_until(SOON, || place.helper.rows(at_work)[0][0].parse::<usize>().is_ok_and(|count| count <= others)) {
            return Err("it stays".to_owned());
        }
        let heard = std::mem::take(&mut self.notifications);
        *self = Self::login(place, &[]);
        self.notifications = heard;
        Ok(vec![self.told()])
    }

    /// Sends a cancel, and waits until it was delivered.
    fn cancel(&self, place: &Place) {
        let (pid, secret) = self.raw.key.clone().expect("no key");
        let mut lane = Raw::open(place.port);
        lane.send(&cancel_request(pid, &secret));
        lane.byte();
    }
}

fn bytes(sent: &[Sent]) -> Vec<u8> {
    sent.iter().flat_map(|sent| sent.bytes.clone()).collect()
}

/// How many sleep.
const SLEEPERS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

/// The connection has ended; by which of the system's words depends on who is quicker.
pub(super) const CLOSED: &str = "closed";

/// Nothing came for a minute.
pub(super) const SILENT: &str = "no answer";

/// What a message says to a person, without numbers that a server makes up.
fn words(message: &Message) -> String {
    let body = &message.body;
    // Their words name a statement, which has another name at a server that others use.
    if ["42P05", "26000", "08P01"].contains(&message.sqlstate().as_str()) {
        return format!("E {}", message.sqlstate());
    }
    // A statement that is run by SQL has another name as well.
    if message.code == b'E' && message.sqlstate() == "42601" && message.summary().contains("parameters for prepared") {
        return "E 42601, parameters".to_owned();
    }
    // What is temporary has a schema at a server where somebody had something of that kind.
    if message.code == b'E' && message.summary().contains("pg_temp") {
        return "E pg_temp".to_owned();
    }
    let text = match message.code {
        b'T' => columns(&body[2..]),
        b't' => body[2..].chunks(4).map(|oid| kind(number(oid))).collect::<Vec<_>>().join(" "),
        // Not where in its source the server was.
        b'E' | b'N' => body
            .split(|byte| *byte == 0)
            .filter(|field| field.first().is_some_and(|kind| !b"FLR".contains(kind)))
            .map(|field| format!("{} ", String::from_utf8_lossy(field)))
            .collect(),
        b'D' => String::from_utf8_lossy(body).chars().take(400).flat_map(char::escape_debug).collect(),
        _ => body.escape_ascii().to_string(),
    };
    let size = if body.len() > 400 { format!(" [{}]", body.len()) } else { String::new() };
    format!("{}{size} {}", char::from(message.code), without_numbers(&text))
}

/// Name, column, type, size, modifier and format of each; the table is another one in each database.
fn columns(mut rest: &[u8]) -> String {
    let mut all = String::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (name, after) = rest.split_at(end);
        let Some((fixed, next)) = after.split_at_checked(19) else { break };
        all.push_str(&format!("{} {} {:?}; ", String::from_utf8_lossy(name), kind(number(&fixed[7..])), &fixed[5..7]));
        all.push_str(&format!("{:?} ", &fixed[11..]));
        rest = next;
    }
    all
}

/// A type: those of the server's own have the same number everywhere.
fn kind(oid: u32) -> String {
    if oid < 16_384 { oid.to_string() } else { "own".to_owned() }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Digits behind these words are the server's own.
fn without_numbers(text: &str) -> String {
    let mut text = text.to_owned();
    for word in ["pg_temp_", "process ", "PID ", "relation ", "oid ", "tuple ("] {
        let mut from = 0;
        while let Some(at) = text[from..].find(word) {
            from += at + word.len();
            let digits = text[from..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b',').count();
            text.replace_range(from..from + digits, "#");
        }
    }
    text
}
