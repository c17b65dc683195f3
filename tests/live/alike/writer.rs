//! Writes what clients do next, so that as many of them at once as there are servers hold one, and nobody waits for another.

use std::collections::BTreeMap;

use crate::seed::Dice;

use super::step::{Act, Columns, Sent, Step, Waits};
use super::texts::{COMMITS_AND_SLEEPS, FORGETS, Form, Kind, LETS_GO, SLEEPS, THE_END, Text, hides};

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
    leaves: Leaves,
    /// It means something else in a pipeline than in a Query.
    goes_by_pipeline: bool,
    /// Its client may have hidden a table since. Whether its text means the new one hangs on its server: one that has had temporary tables
    /// before reads it no more.
    is_old: bool,
}

/// What it may leave in its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Leaves {
    #[default]
    Nothing,
    /// Something that keeps the server with its client.
    Something,
    /// A temporary table that hides another one.
    Table,
}

impl Client {
    /// It may have a temporary table that hides another one.
    fn hides(&mut self) {
        self.statements.values_mut().for_each(|had| had.is_old = true);
    }

    fn is_old(&self, name: &str) -> bool {
        self.statements.get(name).is_some_and(|had| had.is_old)
    }

    fn holds(&self) -> bool {
        !self.idle || self.flushed || self.pinned
    }
}

const NAMES: [&str; 4] = ["", "a", "b", "c"];
const PORTALS: [&str; 3] = ["", "", "p"];

/// What ends the connection, and what only fails. A message whose body is not what it says is none of these: README, "Limits of this version".
const BROKEN: [(&str, &[u8]); 7] = [
    ("a letter that nothing has", b"\x7f\0\0\0\x04"),
    ("a letter of servers", b"Z\0\0\0\x05I"),
    ("a Query of less than its length", b"Q\0\0\0\x03"),
    ("a Parse of no length", b"P\0\0\0\0"),
    ("a Bind of less than nothing", b"B\xff\xff\xff\xff"),
    ("a text that is no UTF-8", b"Q\0\0\0\x0fSELECT '\xff'\0"),
    ("a Parse that is no UTF-8", b"P\0\0\0\x12\0SELECT '\xff'\0\0\0"),
];

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
        match self.dice.below(46) {
            44 if !self.clients[client].holds() => self.garbles(),
            45 if !self.clients[client].holds() => self.breaks_asleep(client),
            40 if !flushed => self.is_cancelled_first(client),
            41 if !self.clients[client].holds() => self.breaks(client),
            42 if !flushed => self.forgets(client),
            43 if !flushed => self.runs_what_sql_prepared(),
            0 if !flushed => Act::Cancel,
            1 => Act::CancelNothing,
            // What it leaves behind is seen to a moment later, with a server of its own as well.
            2 if !self.clients[client].holds() => self.comes_again(client),
            3 | 4 if !flushed => self.copies(client),
            5 if !flushed => self.calls(client),
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

    /// A statement is cancelled, and the rest of its group goes with it. Nothing runs behind that: a server is sent two signals for each
    /// cancel (`signal_child` in `postmaster.c`), of which the second may come later.
    fn is_cancelled_first(&mut self, client: usize) -> Act {
        // What sleeps is bound, and not prepared any more.
        let mut sent =
            vec![Sent::parse("", SLEEPS), Sent::bind("", "", &[]), Sent::parse("", "SELECT 1"), Sent::execute("", 0)];
        self.clients[client].statements.insert("", Prepared::default());
        for _ in 0..self.dice.below(3) {
            let name = *self.dice.one(&NAMES[1..]);
            self.part(client, name, &mut sent);
        }
        sent.push(Sent::sync());
        Act::CancelFirst(sent)
    }

    /// What is not ended by a Sync is taken back.
    fn breaks(&mut self, client: usize) -> Act {
        let mut sent = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let kind = *self.dice.one(&[Kind::Reads, Kind::Writes]);
            let text = Text::of(kind, Form::Parameters, &mut self.dice);
            // What commits by itself may do so or not, whoever is quicker: see `breaks_asleep`.
            if !["watched", "CALL "].iter().any(|word| text.sql.contains(word)) {
                let name = *self.dice.one(&NAMES);
                sent.extend([Sent::parse(name, &text.sql), Sent::bind("", name, &text.values), Sent::execute("", 0)]);
            }
        }
        self.clients[client] = Client { idle: true, ..Client::default() };
        Act::Breaks(sent)
    }

    /// In a CALL that has committed once, and waits before it would again.
    fn breaks_asleep(&mut self, client: usize) -> Act {
        let by_protocol = |sql: &str| [Sent::parse("", sql), Sent::bind("", "", &[]), Sent::execute("", 0)];
        let never = "INSERT INTO public.numbered (v) VALUES ('never')";
        let sent = match self.dice.below(4) {
            0 => vec![Sent::query(COMMITS_AND_SLEEPS)],
            1 => vec![Sent::query(&format!("{COMMITS_AND_SLEEPS}; {never}"))],
            2 => [&by_protocol(COMMITS_AND_SLEEPS)[..], &[Sent::sync()]].concat(),
            // Behind the Sync the server would go on with what it has.
            _ => [&by_protocol(COMMITS_AND_SLEEPS)[..], &by_protocol(never), &[Sent::sync()]].concat(),
        };
        self.clients[client] = Client { idle: true, ..Client::default() };
        Act::BreaksAsleep(sent)
    }

    /// What it had prepared is given up: a pool does not tell it that it has no more, once its transaction is over.
    fn forgets(&mut self, client: usize) -> Act {
        let closes = NAMES[1..].iter().map(|name| Sent::close('S', name));
        let sent = std::iter::once(Sent::query(FORGETS)).chain(closes).chain([Sent::sync()]).collect();
        self.clients[client].statements.clear();
        Act::Send(sent, Waits::Ready(2))
    }

    fn runs_what_sql_prepared(&mut self) -> Act {
        let (name, values) = self.dice.one(&[("q0", vec![]), ("q1", vec!["3".to_owned()])]).clone();
        let mut sent = vec![Sent::bind("", name, &values), Sent::execute("", 0)];
        if self.dice.once_in(2) {
            sent.insert(0, Sent::describe('S', name));
        }
        if self.dice.once_in(4) {
            sent.push(Sent::close('S', name));
        }
        sent.push(Sent::sync());
        Act::Send(sent, Waits::Ready(1))
    }

    fn calls(&mut self, client: usize) -> Act {
        Act::Send(vec![self.call(client)], Waits::Ready(1))
    }

    fn call(&mut self, client: usize) -> Sent {
        match self.dice.below(6) {
            0 => {
                self.clients[client].pinned = true;
                Sent::call(("pg_try_advisory_lock", 2882), &["5"])
            }
            1 | 2 => {
                let (name, value) = *self.dice.one(&[
                    ("search_path", "s1"),
                    ("search_path", "s2"),
                    ("TimeZone", "Asia/Tokyo"),
                    ("app.x", "called"),
                ]);
                Sent::call(("set_config", 2078), &[name, value, *self.dice.one(&["f", "t"])])
            }
            _ => Sent::call(("int4pl", 177), &["3", *self.dice.one(&["4", "x"])]),
        }
    }

    /// What no driver sends. Some of it ends the connection.
    fn garbles(&mut self) -> Act {
        let (says, bytes) = self.dice.one(&BROKEN);
        Act::Garbles(vec![Sent::broken(says, bytes.to_vec()), Sent::sync(), Sent::query(THE_END)])
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
        let is_old = self.clients[client].is_old(name);
        let quote = |value: &String| format!("'{}'", value.replace('\'', "''"));
        let values: Vec<String> =
            self.clients[client].statements.get(name).iter().flat_map(|had| had.values.iter().map(quote)).collect();
        let given = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        match self.dice.below(4) {
            0 => {
                self.gives_up(client, name);
                format!("DEALLOCATE {name}")
            }
            way if way == 1 || is_old => {
                self.gives_up(client, name);
                format!("DEALLOCATE PREPARE \"{name}\"")
            }
            _ => {
                self.is_run(client, name);
                format!("EXECUTE {name}{given}")
            }
        }
    }

    /// What a client has prepared under this name is run.
    fn is_run(&mut self, client: usize, name: &str) {
        self.leaves(client, self.may_leave(client, name));
    }

    fn may_leave(&self, client: usize, name: &str) -> Leaves {
        self.clients[client].statements.get(name).map_or(Leaves::Nothing, |had| had.leaves)
    }

    fn leaves(&mut self, client: usize, leaves: Leaves) {
        self.clients[client].pinned |= leaves > Leaves::Nothing;
        if leaves == Leaves::Table {
            self.clients[client].hides();
        }
    }

    /// Queries, calls, pipelines and whole transactions, one behind the other without waiting.
    fn goes_on(&mut self, client: usize) -> Act {
        let (mut sent, mut count) = (Vec::new(), 0);
        for _ in 0..2 + self.dice.below(2) {
            match self.dice.below(6) {
                5 => {
                    let end = *self.dice.one(&["COMMIT", "COMMIT", "ROLLBACK"]);
                    let text = self.text(client).sql;
                    sent.extend(["BEGIN", text.as_str(), end].map(Sent::query));
                    count += 2;
                }
                0 | 1 => sent.push(Sent::query(&self.text(client).sql)),
                2 => {
                    let call = self.call(client);
                    sent.push(call);
                }
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

    /// A portal that is read bit by bit, over several Syncs: outside of a transaction it is gone with the first. Or over a Flush, behind which
    /// more of it may be read.
    fn reads_in_portions(&mut self, client: usize) -> Act {
        let (mut sent, mut syncs) = (Vec::new(), 0);
        let text = self.is_unnamed(client);
        sent.extend([Sent::parse_as("", &text.sql, &text.types), self.bound(client, "r", "", &text.values)]);
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
        if syncs == 0 && self.dice.once_in(3) {
            let answers = sent.len();
            sent.push(Sent::flush());
            self.clients[client].flushed = true;
            return Act::Send(sent, Waits::Answers(answers));
        }
        sent.push(Sent::sync());
        Act::Send(sent, Waits::Ready(syncs + 1))
    }

    /// A text of some kind, to be run now; notes what it does to its client.
    fn text(&mut self, client: usize) -> Text {
        let (text, prepared) = self.written(client, Form::Literals);
        self.leaves(client, prepared.leaves);
        text
    }

    /// A text of some kind.
    fn written(&mut self, client: usize, form: Form) -> (Text, Prepared) {
        let kind = match self.dice.below(20) {
            0..=7 => Kind::Reads,
            8..=10 => Kind::Writes,
            11..=13 => Kind::Sets,
            14 => Kind::Pins,
            15 => *self.dice.one(&[Kind::Pins, Kind::Role]),
            16 => Kind::Unpins,
            _ => Kind::Transaction,
        };
        let form = if form == Form::Parameters && self.dice.once_in(3) { Form::Typed } else { form };
        let text = Text::of(kind, form, &mut self.dice);
        if self.clients[client].dressed
            && ["RESET", "DEFAULT", "DISCARD ALL", "pg_settings"].iter().any(|word| text.sql.contains(word))
        {
            return self.written(client, form);
        }
        let leaves = match kind {
            _ if hides(&text.sql) => Leaves::Table,
            Kind::Pins | Kind::Role => Leaves::Something,
            _ if text.sql.contains("watched") => Leaves::Something,
            _ => Leaves::Nothing,
        };
        let goes_by_pipeline = matches!(kind, Kind::Transaction | Kind::Unpins) || text.sql.contains("DISCARD");
        let prepared = Prepared { values: text.values.clone(), leaves, goes_by_pipeline, is_old: false };
        (text, prepared)
    }

    /// Simple queries: one, several in a text, or several without waiting.
    fn asks(&mut self, client: usize) -> Act {
        let count = if self.dice.once_in(3) { 1 + self.dice.below(4) } else { 1 };
        let texts: Vec<String> = (0..count).map(|_| self.text(client).sql).collect();
        if self.dice.once_in(2) {
            return Act::Send(vec![Sent::query(&texts.join("; "))], Waits::Ready(1));
        }
        if self.dice.once_in(40) {
            let long = format!("{}; SELECT length('{}')", texts[0], "x".repeat(1 << 20));
            return Act::Send(vec![Sent::query(&long)], Waits::Ready(1));
        }
        Act::Send(texts.iter().map(|sql| Sent::query(sql)).collect(), Waits::Ready(count))
    }

    fn copies(&mut self, client: usize) -> Act {
        if self.dice.once_in(3) {
            let sql = *self.dice.one(&[
                "COPY t TO STDOUT",
                "COPY t TO STDOUT (FORMAT binary)",
                "COPY (SELECT * FROM t ORDER BY 1) TO STDOUT",
                "COPY nosuch TO STDOUT",
            ]);
            return Act::Send(vec![Sent::query(sql)], Waits::Ready(1));
        }
        let table = *self.dice.one(&["t (k, v)", "numbered (v)", "watched", "nosuch"]);
        self.clients[client].pinned |= table == "watched";
        let (sql, data) = if self.dice.once_in(4) {
            (format!("COPY {table} FROM STDIN (FORMAT binary)"), self.binary())
        } else {
            let line = *self.dice.one(&["1\ta\n", "9\tb\n", "wrong\n", "x\n", ""]);
            (format!("COPY {table} FROM STDIN"), vec![Sent::copy_data(line)])
        };
        let end = if self.dice.once_in(3) { Sent::copy_fail() } else { Sent::copy_done() };
        let data = [data, vec![end]].concat();
        if self.dice.once_in(2) {
            return Act::Send([vec![Sent::query(&sql)], data].concat(), Waits::Ready(1));
        }
        if self.dice.once_in(3) {
            return self.copies_within(client, &sql, data);
        }
        let run = vec![Sent::parse("", &sql), Sent::bind("", "", &[]), Sent::execute("", 0)];
        // Bound once more, it would wait for data that nobody sends.
        let end = vec![Sent::sync(), Sent::close('S', ""), Sent::sync()];
        Act::Send([run, data, end].concat(), Waits::Ready(2))
    }

    /// In the middle of a group, with its data.
    fn copies_within(&mut self, client: usize, sql: &str, data: Vec<Sent>) -> Act {
        let mut sent = Vec::new();
        let (before, behind) = (self.dice.below(3), self.dice.below(3));
        for _ in 0..before {
            let name = *self.dice.one(&NAMES[1..]);
            self.part(client, name, &mut sent);
        }
        sent.extend([Sent::parse("", sql), Sent::bind("", "", &[]), Sent::execute("", 0)]);
        sent.extend(data);
        for _ in 0..behind {
            let name = *self.dice.one(&NAMES[1..]);
            self.part(client, name, &mut sent);
        }
        sent.extend([Sent::sync(), Sent::close('S', ""), Sent::sync()]);
        self.clients[client].statements.remove("");
        Act::Send(sent, Waits::Ready(2))
    }

    /// A row in the binary format, in one message or in several, now and then without its head or its end.
    fn binary(&mut self) -> Vec<Sent> {
        let head = [&b"PGCOPY\n\xff\r\n\0"[..], &[0; 8]].concat();
        let row = [&[0, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 1][..], b"b"].concat();
        let parts = [head, row, vec![0xff, 0xff]];
        let parts: Vec<Vec<u8>> = parts.into_iter().filter(|_| !self.dice.once_in(8)).collect();
        if self.dice.once_in(2) {
            return vec![Sent::copy_bytes(&parts.concat())];
        }
        parts.iter().map(|part| Sent::copy_bytes(part)).collect()
    }

    /// Messages of the extended protocol up to a Sync, to several, or to a Flush; and a Flush anywhere.
    fn pipeline(&mut self, client: usize) -> Act {
        let (mut sent, mut syncs) = (Vec::new(), 0);
        for _ in 0..1 + self.dice.below(4) {
            let name = *self.dice.one(&NAMES);
            self.part(client, name, &mut sent);
            if self.dice.once_in(8) {
                sent.push(Sent::flush());
            }
            if self.dice.once_in(5) {
                sent.push(Sent::sync());
                syncs += 1;
            }
        }
        if syncs == 0 && self.dice.once_in(5) {
            let answers = sent.iter().filter(|sent| !sent.is_flush()).count();
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
            9 if self.clients[client].is_old(name) => self.prepares(client, name, sent),
            9 => sent.push(Sent::describe('S', name)),
            10 => {
                self.gives_up(client, name);
                sent.push(Sent::close('S', name));
            }
            _ => {
                let portal = *self.dice.one(&["p", "r"]);
                sent.push(if self.dice.once_in(3) { Sent::close('P', portal) } else { Sent::execute(portal, 2) });
            }
        }
    }

    fn runs(&mut self, client: usize, sent: &mut Vec<Sent>) {
        let text = self.is_unnamed(client);
        sent.push(Sent::parse_as("", &text.sql, &text.types));
        sent.push(self.bound(client, "", "", &text.values));
        if self.dice.once_in(2) {
            sent.push(Sent::describe('P', ""));
        }
        sent.push(Sent::execute("", 0));
    }

    /// What runs now without a name.
    fn is_unnamed(&mut self, client: usize) -> Text {
        let (text, mut prepared) = self.written(client, Form::Parameters);
        prepared.leaves = prepared.leaves.max(self.may_leave(client, ""));
        self.clients[client].statements.insert("", prepared);
        self.is_run(client, "");
        text
    }

    fn prepares(&mut self, client: usize, name: &'static str, sent: &mut Vec<Sent>) {
        if self.clients[client].statements.contains_key(name) && !self.dice.once_in(5) {
            sent.push(Sent::close('S', name));
        }
        let (text, mut prepared) = self.written(client, Form::Parameters);
        sent.push(Sent::parse_as(name, &text.sql, &text.types));
        // Where the name is taken, or the group fails, the other one stays.
        let statements = &mut self.clients[client].statements;
        if let Some(before) = statements.get(name) {
            prepared.leaves = prepared.leaves.max(before.leaves);
            prepared.goes_by_pipeline |= before.goes_by_pipeline;
            prepared.is_old = before.is_old;
        }
        statements.insert(name, prepared);
    }

    /// A name is given up, unless the group fails.
    fn gives_up(&mut self, client: usize, name: &'static str) {
        if let Some(before) = self.clients[client].statements.get_mut(name) {
            before.values.clear();
        }
    }

    /// A Bind of these values, now and then with a NULL among them, or with columns in binary.
    fn bound(&mut self, client: usize, portal: &str, name: &str, values: &[String]) -> Sent {
        let mut values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
        // A setting of NULL is a RESET.
        if !values.is_empty() && !self.clients[client].dressed && self.dice.once_in(10) {
            let at = self.dice.below(values.len());
            values[at] = None;
        }
        let columns = if self.dice.once_in(4) { Columns::Binary } else { Columns::Text };
        Sent::bind_as(portal, name, &values, columns)
    }

    fn binds(&mut self, client: usize, name: &'static str, sent: &mut Vec<Sent>) {
        if self.clients[client].is_old(name) {
            // Unless the group fails before that.
            sent.push(Sent::close('S', name));
        }
        let Prepared { values, .. } = self.clients[client].statements.get(name).cloned().unwrap_or_default();
        self.is_run(client, name);
        let portal = *self.dice.one(&PORTALS);
        sent.push(self.bound(client, portal, name, &values));
        if self.dice.once_in(3) {
            sent.push(Sent::describe('P', portal));
        }
        let rows = if self.dice.once_in(3) { 1 + self.dice.below(2) } else { 0 };
        sent.push(Sent::execute(portal, u32::try_from(rows).unwrap()));
    }
}
