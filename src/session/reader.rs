//! From statement texts to readings, remembered by each worker.
//!
//! A text that was seen before costs one hash and one compare; a new text of a known shape one pass of the lexer. Only a new shape
//! is parsed, by the worker's analyst: a thread with a large stack, since the parser recurses, and texts too long for a quick pass are
//! lexed there too. An analyst's queue is bounded; a session whose text finds no room in it waits, and nobody else.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::memo::Memo;
use crate::sql::cache::{ShapeCache, TextCache};
use crate::sql::facts::{self, Facts, STACK_BYTES};
use crate::sql::lexer::{Lexed, lex, lex_into};
use crate::sql::{Flags, Reading, Verb};
use crate::telemetry::shapes::{ShapeStat, Shapes};
use crate::telemetry::{CacheKind, StatementKind, WorkerMetrics};

/// Texts up to here are lexed on the worker: a few tens of microseconds at the most.
const LEX_HERE_MAX: usize = 64 * 1024;
/// What is kept of a shape's text, for logs.
const SHAPE_TEXT_MAX: usize = 512;
/// Texts that wait for the analyst of one worker.
const QUEUE: usize = 64;
/// Of the bytes that a worker's caches may take, the part for texts; the rest is for shapes.
const TEXTS_SHARE: usize = 2;

/// A statement text with everything that is known of it.
#[derive(Debug)]
pub struct Text {
    /// What rules see.
    pub reading: Reading,
    /// What it shares with all texts of its shape.
    pub shape: Rc<Shape>,
    /// Under what it passed last.
    pub memo: RefCell<Memo>,
}

/// What is known of a shape.
#[derive(Debug)]
pub struct Shape {
    facts: Arc<Facts>,
    /// The beginning of its text, without literals: fit for a log.
    pub text: Box<[u8]>,
    /// What its first statement is.
    pub kind: StatementKind,
    /// Whether it may change the tables of its database.
    pub changes_schema: ChangesSchema,
    /// What it cost so far.
    pub stat: Arc<ShapeStat>,
}

/// Whether a text may change which tables there are, or how large they are at a stroke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangesSchema {
    /// It may.
    Yes,
    /// It does not.
    No,
}

/// What the analyst made of a text.
#[derive(Debug)]
pub struct Analysis {
    lexed: Lexed,
    facts: Arc<Facts>,
}

/// An analysis that is under way.
pub type Pending = Pin<Box<dyn Future<Output = Option<Analysis>>>>;

/// What a look-up gives.
#[expect(missing_debug_implementations, reason = "a future has none")]
pub enum Found {
    /// The text is known.
    Known(Rc<Text>),
    /// It is being read; give the result to [`Reader::learn`].
    Reading(Pending),
}

/// A shape, and the text of it that was read last: texts that differ in nothing but their literals share one.
#[derive(Debug)]
struct Known {
    shape: Rc<Shape>,
    last: RefCell<Rc<Text>>,
}

/// The caches and the analyst of one worker.
#[derive(Debug)]
pub struct Reader {
    texts: TextCache<Rc<Text>>,
    shapes: ShapeCache<Known>,
    /// Lexed into again and again.
    lexed: Lexed,
    analyst: mpsc::Sender<Job>,
    statistics: Arc<Shapes>,
    metrics: Arc<WorkerMetrics>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    tell: oneshot::Sender<Analysis>,
}

#[derive(Debug)]
enum Work {
    Parse(Lexed),
    Lex(Flags, Bytes),
}

impl Reader {
    /// A reader whose caches take at most `bytes_max`; starts its analyst.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(bytes_max: usize, statistics: Arc<Shapes>, metrics: Arc<WorkerMetrics>) -> std::io::Result<Self> {
        let (analyst, jobs) = mpsc::channel(QUEUE);
        thread::Builder::new().name("analyst".to_owned()).stack_size(STACK_BYTES).spawn(move || analyse(jobs))?;
        let texts = bytes_max / TEXTS_SHARE;
        Ok(Self {
            texts: TextCache::new(texts),
            shapes: ShapeCache::new(bytes_max.saturating_sub(texts)),
            lexed: Lexed::default(),
            analyst,
            statistics,
            metrics,
        })
    }

    /// Looks a text up, or begins to read it.
    pub fn find(&mut self, flags: Flags, text: &[u8]) -> Found {
        if let Some(known) = self.texts.find(flags, text) {
            self.metrics.cache_hit(CacheKind::Text);
            return Found::Known(Rc::clone(known));
        }
        self.metrics.cache_miss(CacheKind::Text);
        if text.len() > LEX_HERE_MAX {
            return Found::Reading(self.give(Work::Lex(flags, Bytes::copy_from_slice(text))));
        }
        lex_into(flags, text, &mut self.lexed);
        let Some(known) = self.shapes.find(flags, &self.lexed.shape) else {
            self.metrics.cache_miss(CacheKind::Shape);
            let lexed = std::mem::take(&mut self.lexed);
            return Found::Reading(self.give(Work::Parse(lexed)));
        };
        self.metrics.cache_hit(CacheKind::Shape);
        let read = known.text(&self.lexed);
        self.remember(flags, text, &read);
        Found::Known(read)
    }

    /// Takes in what the analyst found. `text` is remembered where it was read whole.
    pub fn learn(&mut self, flags: Flags, text: Option<&[u8]>, analysis: Analysis) -> Rc<Text> {
        let Analysis { lexed, facts } = analysis;
        // Another session may have had the same shape read meanwhile.
        let read = match self.shapes.find(flags, &lexed.shape) {
            Some(known) => known.text(&lexed),
            None => self.learn_shape(flags, &lexed, facts),
        };
        if let Some(text) = text {
            self.remember(flags, text, &read);
        }
        read
    }

    fn learn_shape(&mut self, flags: Flags, lexed: &Lexed, facts: Arc<Facts>) -> Rc<Text> {
        let kind = kind(lexed.pieces.first().map_or(Verb::Empty, |piece| piece.verb));
        let weight = facts.weight_bytes().saturating_add(lexed.shape.len()).saturating_add(size_of::<Shape>());
        let shape = Rc::new(Shape {
            facts,
            text: lexed.shape.get(..SHAPE_TEXT_MAX).unwrap_or(&lexed.shape).into(),
            kind,
            changes_schema: changes_schema(lexed),
            stat: self.statistics.entry(&lexed.shape, kind),
        });
        let text = Rc::new(Text::new(lexed, &shape));
        let weight = weight.saturating_add(text.reading.weight_bytes()).saturating_add(size_of::<Text>());
        self.shapes.insert(flags, &lexed.shape, Known { shape, last: RefCell::new(Rc::clone(&text)) }, weight);
        self.metrics.cache(CacheKind::Shape, self.shapes.bytes() as u64, self.shapes.len() as u64);
        text
    }

    fn remember(&mut self, flags: Flags, text: &[u8], read: &Rc<Text>) {
        let weight = read.reading.weight_bytes().saturating_add(size_of::<Text>());
        if self.texts.insert_second(flags, text, read, weight) {
            self.metrics.cache(CacheKind::Text, self.texts.bytes() as u64, self.texts.len() as u64);
        }
    }

    fn give(&self, work: Work) -> Pending {
        let analyst = self.analyst.clone();
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            analyst.send(Job { work, tell }).await.ok()?;
            told.await.ok()
        })
    }
}

impl Text {
    fn new(lexed: &Lexed, shape: &Rc<Shape>) -> Self {
        let reading = Reading::new(lexed, Arc::clone(&shape.facts));
        Self { reading, shape: Rc::clone(shape), memo: RefCell::default() }
    }
}

impl Known {
    /// The text that was read like this: the last one again, where no rule could tell the two apart.
    fn text(&self, lexed: &Lexed) -> Rc<Text> {
        let mut last = self.last.borrow_mut();
        if !last.reading.is_of(lexed) {
            *last = Rc::new(Text::new(lexed, &self.shape));
        }
        Rc::clone(&last)
    }
}

fn analyse(mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { work, tell }) = jobs.blocking_recv() {
        // A parser that panics must not take the readings of a whole worker with it: the session that waits is told nothing,
        // and treats its text as unreadable.
        if let Ok(analysis) = catch_unwind(AssertUnwindSafe(|| analysis(work))) {
            drop(tell.send(analysis));
        } else {
            tracing::error!("the SQL parser failed on a shape; the statement was treated as unreadable");
        }
    }
}

fn analysis(work: Work) -> Analysis {
    let lexed = match work {
        Work::Parse(lexed) => lexed,
        Work::Lex(flags, text) => lex(flags, &text),
    };
    let facts = Arc::new(facts::parse(&lexed));
    Analysis { lexed, facts }
}

fn changes_schema(lexed: &Lexed) -> ChangesSchema {
    let changes = |verb| matches!(verb, Verb::Schema | Verb::Truncate | Verb::Maintain | Verb::Copy);
    if lexed.pieces.iter().any(|piece| changes(piece.verb)) { ChangesSchema::Yes } else { ChangesSchema::No }
}

fn kind(verb: Verb) -> StatementKind {
    match verb {
        Verb::Select | Verb::Values | Verb::Table | Verb::Fetch | Verb::Handler => StatementKind::Select,
        Verb::Insert => StatementKind::Insert,
        Verb::Update => StatementKind::Update,
        Verb::Delete | Verb::Truncate => StatementKind::Delete,
        Verb::Merge => StatementKind::Merge,
        Verb::Copy | Verb::Load => StatementKind::Copy,
        Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint | Verb::Xa => StatementKind::Transaction,
        Verb::Set | Verb::Prepare | Verb::Deallocate | Verb::Declare | Verb::Close | Verb::Lock | Verb::Notify => {
            StatementKind::Session
        }
        Verb::Schema | Verb::Maintain => StatementKind::Schema,
        Verb::Execute | Verb::Call => StatementKind::Call,
        Verb::Empty | Verb::Explain | Verb::Kill | Verb::Other => StatementKind::Other,
    }
}
