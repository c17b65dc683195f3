//! The statements of one worker's clients: each text kept once.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::session::memory::{Prepared, Share};

use super::context::Context;
use super::entry::Entry;
use super::repeated::Repeated;

/// What every name of ours begins with.
pub const PREFIX: &str = "FLOODWALL_";
/// A name that no statement ever has.
pub const NOWHERE: &[u8] = b"FLOODWALL_0";

/// Is it a name of ours, which no client is to call anything by?
pub(super) fn is_ours(name: &[u8]) -> bool {
    name.starts_with(PREFIX.as_bytes())
}

/// A statement that one or more clients have prepared.
#[derive(Debug)]
pub struct Statement {
    /// Its number, from 1, never used again.
    pub number: u64,
    /// Its name at servers.
    pub name: Rc<[u8]>,
    key: Rc<[u8]>,
    /// Where its body begins there.
    body: usize,
    /// How often objects had changed when it was made.
    era: u64,
    /// Its text has a `*`, so it may return all columns of a table, whatever they are.
    has_star: bool,
    /// The one that its text runs by SQL.
    runs: OnceCell<Runs>,
    /// Its part of the memory, given back with it.
    _room: Option<Share>,
}

/// What the text of a statement runs by SQL, which only its client has.
#[derive(Debug)]
pub(super) struct Runs {
    /// What the client calls it.
    pub(super) name: Box<[u8]>,
    /// What that stood for.
    pub(super) statement: Rc<Statement>,
}

impl Statement {
    /// Text and types as in a Parse.
    pub fn body(&self) -> &[u8] {
        self.key.get(self.body..).unwrap_or_default()
    }

    /// The one that its text runs by SQL: a server needs that too.
    pub(super) fn runs(&self) -> Option<&Runs> {
        self.runs.get()
    }

    /// Its text runs that one by SQL, which is said once.
    pub(super) fn set_runs(&self, runs: Runs) {
        let _ = self.runs.set(runs);
    }

    /// What the server had reported when its text was prepared; `None` where nobody knew.
    pub(super) fn reported(&self) -> Option<&[u8]> {
        Context::reported_in(self.key.get(..self.body)?)
    }

    /// True where it was prepared under these settings.
    pub(super) fn is_under(&self, context: Context<'_>) -> bool {
        self.key.get(..self.body).is_some_and(|key| context.is_written(key))
    }
}

/// The name at servers of the statement with this number.
pub fn name(number: u64) -> Rc<[u8]> {
    format!("{PREFIX}{number}").into_bytes().into()
}

/// All statements that clients of this worker have prepared; it keeps none alive itself, so their number is bounded by what clients may keep.
#[derive(Debug, Default)]
pub struct Shared {
    known: HashMap<Rc<[u8]>, Weak<Statement>>,
    last: u64,
    sweep_at: usize,
    /// Where a key is put together.
    scratch: Vec<u8>,
    /// Unnamed statements that were seen lately, while anybody is there.
    pub(super) repeated: Repeated,
    clients: usize,
    /// Statements whose result has changed lately.
    changed: HashSet<u64>,
    /// Statements that nobody else gets: who prepares their text gets it anew.
    retired: HashSet<u64>,
    /// Empty queues of pipelines that are through: whoever asks next takes one.
    queues: Vec<VecDeque<Entry>>,
    /// What they take is counted here; `None`: nowhere.
    prepared: Option<Arc<Prepared>>,
}

impl Shared {
    /// Counts what statements take in these books.
    pub fn counted(prepared: &Arc<Prepared>) -> Self {
        Self { prepared: Some(Arc::clone(prepared)), ..Self::default() }
    }

    /// Numbers those of one worker: servers move between workers, so no two give out the same.
    pub fn number_for(&mut self, worker: usize) {
        self.last = u64::try_from(worker).unwrap_or(u64::MAX).wrapping_shl(WORKER_BITS);
    }

    /// A client comes.
    pub fn enters(&mut self) {
        self.clients = self.clients.saturating_add(1);
    }

    /// A client that came leaves; the last one leaves nothing behind.
    pub fn leaves(&mut self) {
        self.clients = self.clients.saturating_sub(1);
        if self.clients == 0 {
            self.repeated = Repeated::default();
        }
    }

    /// A share of the memory for the names of one client; `None` where nothing is counted.
    pub fn share(&self) -> Option<Share> {
        self.prepared.as_ref().map(|prepared| Share::of(&prepared.names))
    }

    /// The statement of this body under these settings; `None` where the memory has no room for it.
    pub fn statement(&mut self, context: Context<'_>, body: &[u8]) -> Option<Rc<Statement>> {
        let context = if context.is_unsettled() { context.of_its_own(self.number()) } else { context };
        self.set_key(context, body);
        let begin = self.scratch.len().saturating_sub(body.len());
        let known = self.known.get(&*self.scratch).and_then(Weak::upgrade);
        let era = self.era();
        let retired = known.as_ref().filter(|known| self.is_past(known)).map(|known| known.number);
        if known.is_some() && retired.is_none() {
            return known;
        }
        let mut room = self.prepared.as_ref().map(|prepared| Share::of(&prepared.texts));
        if room.as_mut().is_some_and(|room| !room.resize(self.scratch.len().saturating_add(OVERHEAD_BYTES))) {
            return None;
        }
        self.sweep();
        let number = self.number();
        self.succeeds(retired, number);
        let key: Rc<[u8]> = self.scratch.as_slice().into();
        let (key_of, name, has_star) = (Rc::clone(&key), name(number), body.contains(&STAR));
        let statement = Rc::new(Statement {
            number,
            name,
            key: key_of,
            body: begin,
            era,
            has_star,
            runs: OnceCell::new(),
            _room: room,
        });
        self.known.insert(key, Rc::downgrade(&statement));
        Some(statement)
    }

    pub(super) fn set_key(&mut self, context: Context<'_>, body: &[u8]) {
        self.scratch.clear();
        context.write(&mut self.scratch);
        self.scratch.extend_from_slice(body);
    }

    /// The key that was put together last.
    pub(super) fn key(&self) -> &[u8] {
        &self.scratch
    }

    /// True where it is the statement of the key that was put together last, for who prepares its text now.
    pub(super) fn is_current(&self, statement: &Statement) -> bool {
        *statement.key == *self.scratch && !self.is_past(statement)
    }

    fn is_past(&self, statement: &Statement) -> bool {
        statement.era != self.era() || self.retired.contains(&statement.number)
    }

    /// Tables, types or functions may be others than before, so a text may mean something else: who prepares one from now on gets it anew,
    /// as at a server of its own. Those who have it keep it.
    pub(super) fn objects_changed(&self) {
        if let Some(prepared) = &self.prepared {
            prepared.note_change();
        }
    }

    fn era(&self) -> u64 {
        self.prepared.as_ref().map_or(0, |prepared| prepared.changes())
    }

    /// A number that nothing else has.
    pub fn number(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// A server has said that a statement may work once it is prepared anew. Those who have it keep it.
    pub(super) fn retire(&mut self, number: u64) {
        if self.retired.len() >= CHANGED_MAX {
            self.retired.clear();
        }
        self.retired.insert(number);
    }

    /// The text of a retired statement goes on under another number.
    fn succeeds(&mut self, retired: Option<u64>, number: u64) {
        let Some(retired) = retired else { return };
        self.retired.remove(&retired);
        if self.changed.contains(&retired) {
            self.note_changed(number);
        }
    }

    /// A server has said that the result of a statement has another shape by now.
    pub(super) fn note_changed(&mut self, number: u64) {
        if self.changed.len() >= CHANGED_MAX {
            self.changed.clear();
        }
        self.changed.insert(number);
    }

    /// Is the shape of its result likely to change under it? That of all columns is.
    pub fn may_change(&self, statement: &Statement) -> bool {
        statement.has_star || (!self.changed.is_empty() && self.changed.contains(&statement.number))
    }

    /// An empty queue for a pipeline, with the memory of an earlier one where there is one.
    pub(super) fn queue(&mut self) -> VecDeque<Entry> {
        self.queues.pop().unwrap_or_default()
    }

    /// Takes back a queue in which nothing waits.
    pub(super) fn keep(&mut self, queue: VecDeque<Entry>) {
        if self.queues.len() < QUEUES_KEPT && (1..=STEPS_KEPT).contains(&queue.capacity()) {
            self.queues.push(queue);
        }
    }

    /// How many are known, those included that nobody has any more.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True where none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn sweep(&mut self) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, statement| statement.strong_count() > 0);
            self.sweep_at = self.known.len().saturating_mul(2).max(SWEEP_MIN);
            self.scratch.shrink_to(SCRATCH_KEPT);
        }
    }
}

/// The lower bits of a number: years of new statements.
const WORKER_BITS: u32 = 48;
const SWEEP_MIN: usize = 256;
/// What a statement takes beside its text.
const OVERHEAD_BYTES: usize = 256;
/// Statements that are known to have changed, and that are retired.
const CHANGED_MAX: usize = 1024;
const STAR: u8 = 0x2a;
/// Queues that are kept: as many clients may be at work at once before one has to be made.
const QUEUES_KEPT: usize = 64;
/// A queue that is kept has room for at most so many steps.
const STEPS_KEPT: usize = 16;
const SCRATCH_KEPT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::memory::Budget;

    #[test]
    fn one_text_is_one_statement_as_long_as_it_means_the_same() {
        let mut shared = Shared::default();
        let one = shared.statement(Context::default(), b"SELECT 1\0\0\0").unwrap();
        assert!(Rc::ptr_eq(&one, &shared.statement(Context::default(), b"SELECT 1\0\0\0").unwrap()));
        assert_eq!(one.body(), b"SELECT 1\0\0\0");
        assert_eq!(*one.name, *b"FLOODWALL_1");
        let (zone, path) = (b"timezone\0UTC\0", b"search_path\0a\0");
        let none = Context::default();
        let others = [
            (Context { reported: zone, ..none }, &b"SELECT 1\0\0\0"[..]),
            (Context { settings: zone, ..none }, b"SELECT 1\0\0\0"),
            (Context { settings: path, ..none }, b"SELECT 1\0\0\0"),
            (none, b"timezone\0UTC\0SELECT 1\0\0\0"),
            (none, b"SELECT 1\0\0\x01\0\0\0\x17"),
        ];
        for (at, (context, body)) in others.into_iter().enumerate() {
            assert_eq!(shared.statement(context, body).unwrap().number, one.number + 1 + at as u64, "each is another");
        }
    }

    #[test]
    fn the_text_of_a_retired_statement_is_prepared_anew_and_counts_as_changing_still() {
        let mut shared = Shared::default();
        let old = shared.statement(Context::default(), b"SELECT a FROM t").unwrap();
        shared.note_changed(old.number);
        shared.retire(old.number);
        let new = shared.statement(Context::default(), b"SELECT a FROM t").unwrap();
        assert!(new.number > old.number && shared.may_change(&new));
        assert_eq!(shared.statement(Context::default(), b"SELECT a FROM t").unwrap().number, new.number);
        assert!(shared.retired.is_empty());
        drop((old, new));
        assert!(shared.statement(Context::default(), b"SELECT a FROM t").unwrap().number > 2);
    }

    #[test]
    fn a_text_is_prepared_anew_behind_a_change_and_is_one_statement_again() {
        let prepared = Prepared::of(&Budget::new(10_000));
        let (mut shared, other) = (Shared::counted(&prepared), Shared::counted(&prepared));
        let old = shared.statement(Context::default(), b"SELECT a FROM t").unwrap();
        shared.note_changed(old.number);
        other.objects_changed();
        let new = shared.statement(Context::default(), b"SELECT a FROM t").unwrap();
        assert!(new.number > old.number && shared.may_change(&new));
        assert!(Rc::ptr_eq(&new, &shared.statement(Context::default(), b"SELECT a FROM t").unwrap()));
    }

    #[test]
    fn queues_go_round_and_neither_many_nor_large_ones_are_kept() {
        let mut shared = Shared::default();
        shared.keep(VecDeque::with_capacity(4));
        shared.keep(VecDeque::with_capacity(STEPS_KEPT + 1));
        assert_eq!([shared.queue().capacity(), shared.queue().capacity()], [4, 0]);
        (0..2 * QUEUES_KEPT).for_each(|_| shared.keep(VecDeque::with_capacity(1)));
        assert_eq!(shared.queues.len(), QUEUES_KEPT);
    }

    #[test]
    fn what_no_client_has_is_forgotten_and_its_name_never_used_again() {
        let mut shared = Shared::default();
        let kept = shared.statement(Context::default(), b"kept").unwrap();
        let gone = shared.statement(Context::default(), b"gone").unwrap().number;
        for n in 0..5_000_u32 {
            shared.statement(Context::default(), &n.to_be_bytes()).unwrap();
        }
        assert!(shared.len() <= 2 * SWEEP_MIN);
        assert_eq!(shared.statement(Context::default(), b"kept").unwrap().number, kept.number);
        assert!(shared.statement(Context::default(), b"gone").unwrap().number > gone);
    }

    #[test]
    fn a_text_counts_once_and_as_long_as_somebody_has_it() {
        let budget = Budget::new(2_000);
        let prepared = Prepared::of(&budget);
        let mut shared = Shared::counted(&prepared);
        let one = shared.statement(Context::default(), &[1; 1_000]).unwrap();
        let used = budget.used();
        assert!((1_000..1_500).contains(&used), "{used}");
        let same = shared.statement(Context::default(), &[1; 1_000]).unwrap();
        assert_eq!((budget.used(), prepared.statements(), prepared.bytes()), (used, 1, used));
        assert!(shared.statement(Context::default(), &[2; 1_000]).is_none());
        drop((one, same));
        assert_eq!((budget.used(), prepared.statements()), (0, 0));
        assert!(shared.statement(Context::default(), &[2; 1_000]).is_some());
    }
}
