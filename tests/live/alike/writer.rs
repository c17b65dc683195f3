//! Writes what clients do next, so that as many of them at once as there are servers hold one, and nobody waits for another.

use std::collections::BTreeMap;

use crate::seed::Dice;

use super::step::{Act, Sent, Step, Waits};
use super::texts::{Form, Kind, LETS_GO, Text};

#[derive(Debug)]
pub(super) struct Writer {
    dice: Dice,
    /// How many clients may hold a server.
    servers: usize,
    clients: Vec<Client>,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one of several causes that may come together")]
struct Client {
    /// Outside of a transaction.
    idle: bool,
    /// Asked without a Sync.
    flushed: bool,
    /// Something may keep its server.
    pinned: bool,
    /// It has settings from its start: what it resets has the default of its role until its transaction ends.
    dressed: bool,
    /// What it lets go of, step by step.
    lets_go: Vec<&'static str>,
    statements: BTreeMap<&'static str, Prepared>,
}

/// A statement that a client has prepared, unless that failed.
#[derive(Debug, Clone, Default)]
struct Prepared {
    /// The values that fit it.
    values: Vec<String>,
    may_pin: bool,
    /// It means something else in a pipeline than in a Query.
    goes_by_pipeline: bool,
}

impl Client {
    fn holds(&self) -> bool {
        !self.idle || self.flushed || self.pinned
    }
}

const NAMES: [&str; 4] = ["", "a", "b", "c"];
const PORTALS: [&str; 3] = ["", "", "p"];

impl Writer {
    pub(super) fn new(mut dice: Dice, servers: usize) -> Self {
        let clients = (0..2 + dice.below(3)).map(|_| Client { idle: true, ..Client::default() }).collect();
        Self { dice, servers, clients }
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// What the last step of a client came to.
    pub(super) fn heard(&mut self, client: usize, status: u8) {
        self.clients[client].idle = status == b'I';
    }

    /// The next step of somebody.
    pub(super) fn step(&mut self) -> Step {
        let client = self.who();
        if self.clients[client].lets_go.is_empty() && self.clients[client].holds() && self.dice.once_in(12) {
            self.leads_out(client);
        }
        let act = match self.clients[client].lets_go.pop() {
            Some(sql) => self.ends(client, sql),
            None => self.act(client),
        };
        Step { client, act }
    }

    /// The steps after which nobody holds a server.
    pub(super) fn end(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for client in (0..self.clients.len()).filter(|&at| self.clients[at].holds()).collect::<Vec<_>>() {
            self.leads_out(client);
            while let Some(sql) = self.clients[client].lets_go.pop() {
                steps.push(Step { client, act: self.ends(client, sql) });
            }
        }
        steps
    }

    /// Whoever holds a server goes on where no other is left.
    fn who(&mut self) -> usize {
        let holders: Vec<usize> = (0..self.clients.len()).filter(|&at| self.clients[at].holds()).collect();
        if holders.len() < self.servers { self.dice.below(self.clients.len()) } else { *self.dice.one(&holders) }
    }

    fn leads_out(&mut self, client: usize) {
        let ways: [&[&str]; 2] = [&["DISCARD ALL", "ROLLBACK"], &LETS_GO];
        let way = if self.dice.once_in(2) && !self.clients[client].dressed {
            ways[0].to_vec()
        } else {
            ways[1].iter().rev().copied().collect()
        };
        self.clients[client].lets_go = way;
    }

    fn ends(&mut self, client: usize, sql: &str) -> Act {
        let held = &mut self.clients[client];
        held.pinned &= !held.lets_go.is_empty();
        let sync = std::mem::take(&mut held.flushed).then(Sent::sync);
        let count = 1 + usize::from(sync.is_some());
        Act::Send(sync.into_iter().chain([Sent::query(sql)]).collect(), Waits::Ready(count))
    }

    fn act(&mut self, client: usize) -> Act {
        let flushed = self.clients[client].flushed;
        match self.dice.below(40) {
            0 if !flushed => Act::Cancel,
            1 => Act::CancelNothing,
            // What it leaves behind is seen to a moment later, with a server of its own as well.
            2 if !self.clients[client].holds() => self.comes_again(client),
            3 | 4 if !flushed => self.copies(client),
            5 if !flushed => self.calls(),
            6 | 7 if !flushed => self.asks_of_a_name(client),
            8 | 9 if !flushed => self.goes_on(client),
            10 if !flushed => self.reads_in_portions(client),
            11..=20 if !flushed => self.asks(client),
            _ => self.pipeline(client),
        }
    }

    fn comes_again(&mut self, client: usize) -> Act {
        let all = [
            ("application_name", "named"),
            ("TimeZone", "Europe/Berlin"),
            ("options", "-c search_path=s0 -c work_mem=2MB"),
            ("client_encoding", "LATIN1"),
            ("DateStyle", "German"),
        ];
        let parameters: Vec<_> = all.into_iter().filter(|_| self.dice.once_in(3)).collect();
        self.clients[client] = Client { idle: true, dressed: !parameters.is_empty(), ..Client::default() };
        Act::ComesAgain(parameters)
    }

    fn calls(&mut self) -> Act {
        Act::Send(vec![self.call()], Waits::Ready(1))
    }

    fn call(&mut self) -> Sent {
        Sent::call(["3", *self.dice.one(&["4", "x"])])
    }

    /// SQL about what the protocol has prepared.
    fn asks_of_a_name(&mut self, client: usize) -> Act {
        let name = *self.dice.one(&NAMES[1..]);
        let sql = self.of_a_name(client, name);
        let goes_by_pipeline = self.clients[client].statements.get(name).is_some_and(|had| had.goes_by_pipeline);
        if self.dice.once_in(2) && !goes_by_pipeline {
            return Act::Send(vec![Sent::query(&sql)], Waits::Ready(1));
        }
        // Whoever has it prepared runs it.
        let mut sent = vec![Sent::parse("", &sql), Sent::bind("", "", &[])];
        if self.dice.once_in(2) {
            sent.push(Sent::describe('P', ""));
        }
        // What it runs is read from the text when it is parsed: it is not there to be bound once the name may be another one.
        sent.extend([Sent::execute("", 0), Sent::sync(), Sent::close('S', ""), Sent::sync()]);
        Act::Send(sent, Waits::Ready(2))
    }

    fn of_a_name(&mut self, client: usize, name: &'static str) -> String {
        let quote = |value: &String| format!("'{}'", value.replace('\'', "''"));
        let values: Vec<String> =
            self.clients[client].statements.get(name).iter().flat_map(|had| had.values.iter().map(quote)).collect();
        let given = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        match self.dice.below(4) {
            0 => {
                self.gives_up(client, name);
                format!("DEALLOCATE {name}")
            }
            1 => {
                self.gives_up(client, name);
                format!("DEALLOCATE PREPARE \"{name}\"")
            }
            _ => {
                self.clients[client].pinned |= self.may_pin(client, name);
                format!("EXECUTE {name}{given}")
            }
        }
    }

    fn may_pin(&self, client: usize, name: &str) -> bool {
        self.clients[client].statements.get(name).is_some_and(|had| had.may_pin)
    }

    /// Queries, calls and pipelines, one behind the other without waiting.
    fn goes_on(&mut self, client: usize) -> Act {
        let (mut sent, mut count) = (Vec::new(), 0);
        for _ in 0..2 + self.dice.below(2) {
            match self.dice.below(5) {
                0 | 1 => sent.push(Sent::query(&self.text(client).sql)),
                2 => sent.push(self.call()),
                _ => {
                    for _ in 0..1 + self.dice.below(2) {
                        let name = *self.dice.one(&NAMES);
                        self.part(client, name, &mut sent);
                    }
                    sent.push(Sent::sync());
                }
            }
            count += 1;
        }
        Act::Send(sent, Waits::Ready(count))
    }

    /// A portal that is read bit by bit, over several Syncs: outside of a transaction it is gone with the first.
    fn reads_in_portions(&mut self, client: usize) -> Act {
        let (mut sent, mut syncs) = (Vec::new(), 0);
        let (text, prepared) = self.written(client, Form::Parameters);
        self.clients[client].pinned |= prepared.may_pin;
        let may_pin = prepared.may_pin | self.may_pin(client, "");
        self.clients[client].statements.insert("", Prepared { may_pin, ..prepared });
        sent.extend([Sent::parse("", &text.sql), Sent::bind("r", "", &text.values)]);
        for _ in 0..2 + self.dice.below(3) {
            let rows = u32::try_from(self.dice.below(3)).unwrap();
            match self.dice.below(6) {
                0 => sent.push(Sent::describe('P', "r")),
                1 => sent.push(Sent::close('P', "r")),
                _ => sent.push(Sent::execute("r", rows)),
            }
            if self.dice.once_in(3) {
                sent.push(Sent::sync());
                syncs += 1;
            }
        }
        sent.push(Sent::sync());
        Act::Send(sent, Waits::Ready(syncs + 1))
    }

    /// A text of some kind, to be run now; notes what it does to its client.
    fn text(&mut self, client: usize) -> Text {
        let (text, prepared) = self.written(client, Form::Literals);
        self.clients[client].pinned |= prepared.may_pin;
        text
    }

    /// A text of some kind.
    fn written(&mut self, client: usize, form: Form) -> (Text, Prepared) {
        let kind = match self.dice.below(20) {
            0..=7 => Kind::Reads,
            8..=10 => Kind::Writes,
            11..=13 => Kind::Sets,
            14 | 15 => Kind::Pins,
            16 => Kind::Unpins,
            _ => Kind::Transaction,
        };
        let text = Text::of(kind, form, &mut self.dice);
        if self.clients[client].dressed
            && ["RESET", "DEFAULT", "DISCARD ALL", "pg_settings"].iter().any(|word| text.sql.contains(word))
        {
            return self.written(client, form);
        }
        let may_pin = kind == Kind::Pins || text.sql.contains("watched");
        let goes_by_pipeline = matches!(kind, Kind::Transaction | Kind::Unpins) || text.sql.contains("DISCARD");
        let prepared = Prepared { values: text.values.clone(), may_pin, goes_by_pipeline };
        (text, prepared)
    }

    /// Simple queries: one, several in a text, or several without waiting.
    fn asks(&mut self, client: usize) -> Act {
        let count = if self.dice.once_in(3) { 1 + self.dice.below(4) } else { 1 };
        let texts: Vec<String> = (0..count).map(|_| self.text(client).sql).collect();
        if self.dice.once_in(2) {
            return Act::Send(vec![Sent::query(&texts.join("; "))], Waits::Ready(1));
        }
        Act::Send(texts.iter().map(|sql| Sent::query(sql)).collect(), Waits::Ready(count))
    }

    fn copies(&mut self, client: usize) -> Act {
        if self.dice.once_in(3) {
            let sql = *self.dice.one(&[
                "COPY t TO STDOUT",
                "COPY (SELECT * FROM t ORDER BY 1) TO STDOUT",
                "COPY nosuch TO STDOUT",
            ]);
            return Act::Send(vec![Sent::query(sql)], Waits::Ready(1));
        }
        let table = *self.dice.one(&["t (k, v)", "numbered (v)", "watched", "nosuch"]);
        self.clients[client].pinned |= table == "watched";
        let sql = format!("COPY {table} FROM STDIN");
        let line = *self.dice.one(&["1\ta\n", "9\tb\n", "wrong\n", "x\n", ""]);
        let end = if self.dice.once_in(3) { Sent::copy_fail() } else { Sent::copy_done() };
        let data = [Sent::copy_data(line), end];
        if self.dice.once_in(2) {
            return Act::Send([vec![Sent::query(&sql)], data.to_vec()].concat(), Waits::Ready(1));
        }
        let run = vec![Sent::parse("", &sql), Sent::bind("", "", &[]), Sent::execute("", 0)];
        // Bound once more, it would wait for data that nobody sends.
        let end = vec![Sent::sync(), Sent::close('S', ""), Sent::sync()];
        Act::Send([run, data.to_vec(), end].concat(), Waits::Ready(2))
    }

    /// Messages of the extended protocol up to a Sync, to several, or to a Flush.
    fn pipeline(&mut self, client: usize) -> Act {
        let (mut sent, mut syncs) = (Vec::new(), 0);
        for _ in 0..1 + self.dice.below(4) {
            let name = *self.dice.one(&NAMES);
            self.part(client, name, &mut sent);
            if self.dice.once_in(5) {
                sent.push(Sent::sync());
                syncs += 1;
            }
        }
        if syncs == 0 && self.dice.once_in(5) {
            let answers = sent.len();
            sent.push(Sent::flush());
            self.clients[client].flushed = true;
            return Act::Send(sent, Waits::Answers(answers));
        }
        sent.push(Sent::sync());
        self.clients[client].flushed = false;
        Act::Send(sent, Waits::Ready(syncs + 1))
    }

    fn part(&mut self, client: usize, name: &'static str, sent: &mut Vec<Sent>) {
        match self.dice.below(12) {
            0..=2 => self.runs(client, sent),
            3..=5 => self.prepares(client, name, sent),
            6..=8 => self.binds(client, name, sent),
            9 => sent.push(Sent::describe('S', name)),
            10 => {
                self.gives_up(client, name);
                sent.push(Sent::close('S', name));
            }
            _ if self.dice.once_in(2) => sent.push(Sent::execute("p", 2)),
            _ => sent.push(Sent::close('P', "p")),
        }
    }

    fn runs(&mut self, client: usize, sent: &mut Vec<Sent>) {
        let (text, prepared) = self.written(client, Form::Parameters);
        self.clients[client].pinned |= prepared.may_pin;
        let may_pin = self.clients[client].statements.get("").is_some_and(|before| before.may_pin);
        self.clients[client].statements.insert("", Prepared { may_pin: prepared.may_pin | may_pin, ..prepared });
        sent.push(Sent::parse("", &text.sql));
        sent.push(Sent::bind("", "", &text.values));
        if self.dice.once_in(2) {
            sent.push(Sent::describe('P', ""));
        }
        sent.push(Sent::execute("", 0));
    }

    fn prepares(&mut self, client: usize, name: &'static str, sent: &mut Vec<Sent>) {
        if self.clients[client].statements.contains_key(name) && !self.dice.once_in(5) {
            sent.push(Sent::close('S', name));
        }
        let (text, mut prepared) = self.written(client, Form::Parameters);
        sent.push(Sent::parse(name, &text.sql));
        // Where the name is taken, or the group fails, the other one stays.
        let statements = &mut self.clients[client].statements;
        if let Some(before) = statements.get(name) {
            prepared.may_pin |= before.may_pin;
            prepared.goes_by_pipeline |= before.goes_by_pipeline;
        }
        statements.insert(name, prepared);
    }

    /// A name is given up, unless the group fails.
    fn gives_up(&mut self, client: usize, name: &'static str) {
        if let Some(before) = self.clients[client].statements.get_mut(name) {
            before.values.clear();
        }
    }

    fn binds(&mut self, client: usize, name: &'static str, sent: &mut Vec<Sent>) {
        let Prepared { values, may_pin, .. } = self.clients[client].statements.get(name).cloned().unwrap_or_default();
        self.clients[client].pinned |= may_pin;
        let portal = *self.dice.one(&PORTALS);
        sent.push(Sent::bind(portal, name, &values));
        if self.dice.once_in(3) {
            sent.push(Sent::describe('P', portal));
        }
        let rows = if self.dice.once_in(3) { 1 + self.dice.below(2) } else { 0 };
        sent.push(Sent::execute(portal, u32::try_from(rows).unwrap()));
    }
}
