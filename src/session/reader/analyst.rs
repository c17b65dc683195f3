//! Threads that read what is too much for a worker: new shapes, long texts, and long values.
//!
//! Each has a large stack, since the parser recurses. Shapes and whatever is long have a thread each, so that nobody's ordinary statement
//! waits behind somebody's 16 MiB. A session has one job at most, and jobs are taken in their order. What a job needs beside its
//! text is bounded by the lexer and the parser, whatever the text is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::manner::{Manner, manners};
use super::sketch::Sketch;
use super::values::for_sql;
use crate::clock;
use crate::session::memory::{Budget, Prepared, Share};
use crate::sql::Encoding;
use crate::sql::cache::ShapeCache;
use crate::sql::facts::{self, Facts, PARSED_BYTES_MAX, STACK_BYTES};
use crate::sql::lexer::{Lexed, lex};
use crate::sql::values::{Found, Wanted};
use crate::sql::{Flags, Reading, Values};
use crate::telemetry::shapes::Shapes;
use crate::telemetry::{Analyst as Seat, WorkerMetrics};
use crate::wire;

/// Jobs that wait for one thread; a session whose job finds no room in the queue waits, and nobody else.
const QUEUE: usize = 64;
/// A text that must be copied to be read, because of its encoding, may be this long: both fit in 32 MiB.
const COPIED_MAX: usize = 15 << 20;
/// A text may take so many times the ceiling before what is left of it counts as unreadable.
const PATIENCE: u32 = 20;

/// What was made of one reading of a text.
#[derive(Debug)]
pub struct Analysis {
    /// How it was read.
    pub flags: Flags,
    /// What the lexer read.
    pub lexed: Lexed,
    /// What its shape says.
    pub facts: Arc<Facts>,
    /// Both together, as rules see them.
    pub reading: Reading,
    /// What else its shape says.
    pub sketch: Sketch,
}

/// What became of a job.
#[derive(Debug)]
pub struct Report {
    /// One for each way to read the text, the session's own last.
    pub readings: Vec<Analysis>,
    /// Length of a long text without what follows its end.
    pub text_bytes: u64,
    /// How long it took, without the wait.
    pub spent: Duration,
}

/// Why a job came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The parser broke.
    Parser,
    /// There is no room for so many bytes.
    Room(usize),
}

/// A job that is under way. Dropping it lets the job go undone where it has not begun.
pub type Pending<T = Report> = Pin<Box<dyn Future<Output = Result<T, Failed>>>>;

/// What was found in long values.
#[derive(Debug)]
pub struct Counted {
    /// What was wanted of them.
    pub values: Values,
    /// Whether it was all there.
    pub found: Found,
    /// How long it took, without the wait.
    pub spent: Duration,
}

/// Whether other ways to read a text than the session's own must be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settings {
    /// The session's settings are known.
    Known,
    /// A statement that is not answered yet may have changed them.
    InDoubt,
}

/// A text that is too long for a worker.
#[derive(Debug)]
pub struct LongText {
    /// The text, with whatever stands behind the NUL that ends it.
    pub bytes: Bytes,
    /// How the session reads, as far as is known.
    pub own: Manner,
    /// How sure that is.
    pub settings: Settings,
}

/// Values that are too long for a worker.
#[derive(Debug)]
pub struct LongValues {
    /// What follows the names in a Bind, as far as it is at hand.
    pub bytes: Bytes,
    /// The statement's parameters that matter.
    pub wanted: Box<[Wanted]>,
}

/// What there is to read.
#[derive(Debug)]
enum Work {
    Shape(Flags, Lexed),
    Text(LongText),
}

/// Whom to tell.
type Tell<T> = oneshot::Sender<Result<T, Failed>>;

/// What there is to do.
#[derive(Debug)]
enum Job {
    Read(Work, Tell<Report>),
    Count(LongValues, Tell<Counted>),
}

/// The threads of one worker.
#[derive(Debug)]
pub struct Analysts {
    shapes: mpsc::Sender<Job>,
    texts: mpsc::Sender<Job>,
}

/// What the threads have in common.
#[derive(Debug, Clone)]
pub struct Means {
    /// Bytes that each may remember.
    pub cache_bytes: usize,
    /// Above this a text took too long.
    pub ceiling: Duration,
    /// Where a copy of a text is charged.
    pub memory: Arc<Budget>,
    /// Where prepared statements are.
    pub prepared: Arc<Prepared>,
    /// Counters.
    pub metrics: Arc<WorkerMetrics>,
}

impl Analysts {
    /// Starts the threads.
    ///
    /// # Errors
    /// A thread could not be made.
    pub fn start(means: &Means, statistics: &Arc<Shapes>) -> std::io::Result<Self> {
        let start = |seat| start(seat, means.clone(), Arc::clone(statistics));
        Ok(Self { shapes: start(Seat::Shapes)?, texts: start(Seat::Texts)? })
    }

    /// Has a shape parsed.
    pub fn parse(&self, flags: Flags, lexed: Lexed) -> Pending {
        give(&self.shapes, |tell| Job::Read(Work::Shape(flags, lexed), tell))
    }

    /// Has a long text read. Its bytes are let go before the report comes.
    pub fn read(&self, text: LongText) -> Pending {
        give(&self.texts, |tell| Job::Read(Work::Text(text), tell))
    }

    /// Has long values read. Their bytes are let go before the report comes.
    pub fn count(&self, values: LongValues) -> Pending<Counted> {
        give(&self.texts, |tell| Job::Count(values, tell))
    }
}

fn give<T: 'static>(to: &mpsc::Sender<Job>, job: impl FnOnce(Tell<T>) -> Job) -> Pending<T> {
    let to = to.clone();
    let (tell, told) = oneshot::channel();
    let job = job(tell);
    Box::pin(async move {
        to.send(job).await.map_err(|_| Failed::Parser)?;
        told.await.unwrap_or(Err(Failed::Parser))
    })
}

fn start(seat: Seat, means: Means, statistics: Arc<Shapes>) -> std::io::Result<mpsc::Sender<Job>> {
    let (give, mut jobs) = mpsc::channel::<Job>(QUEUE);
    let name = format!("analyst-{}", seat.label());
    let mut analyst = Analyst { known: ShapeCache::new(means.cache_bytes), means, statistics };
    thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || {
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Read(work, tell) => attempt(tell, || {
                    let report = analyst.report(work);
                    analyst.means.metrics.analyst_bytes(seat, analyst.known.bytes() as u64);
                    report
                }),
                Job::Count(values, tell) => attempt(tell, || Ok(count(values))),
            }
        }
    })?;
    Ok(give)
}

/// Does a job, unless whoever asked is gone. A parser that panics must not take the readings of a whole worker with it.
fn attempt<T>(tell: Tell<T>, job: impl FnOnce() -> Result<T, Failed>) {
    if tell.is_closed() {
        return;
    }
    let done = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| {
        tracing::error!("the SQL parser failed on a shape; the statement was treated as unreadable");
        Err(Failed::Parser)
    });
    drop(tell.send(done));
}

fn count(LongValues { bytes, wanted }: LongValues) -> Counted {
    let began = clock::now();
    let (values, found) = Values::read(&wanted, for_sql(wire::Values::new(&bytes)));
    Counted { values, found, spent: clock::now().saturating_duration_since(began) }
}

/// One thread.
struct Analyst {
    /// Shapes that were parsed: of several sessions that wait for one shape, the first has it parsed; and a long text of a known
    /// shape need not be parsed again.
    known: ShapeCache<Arc<Facts>>,
    means: Means,
    statistics: Arc<Shapes>,
}

impl Analyst {
    fn report(&mut self, work: Work) -> Result<Report, Failed> {
        let began = clock::now();
        let end = began + self.means.ceiling.saturating_mul(PATIENCE);
        let mut go_on = || clock::now() < end;
        let mut readings = Vec::new();
        let mut text_bytes = 0;
        match work {
            Work::Shape(flags, lexed) => readings.push(self.analysis(flags, lexed, &mut go_on)),
            Work::Text(LongText { bytes, own, settings }) => {
                let text = until_nul(&bytes);
                text_bytes = text.len() as u64;
                for manner in manners(text, own, settings) {
                    let lexed = self.lex(manner, text)?;
                    readings.push(self.analysis(manner.flags, lexed, &mut go_on));
                }
            }
        }
        Ok(Report { readings, text_bytes, spent: clock::now().saturating_duration_since(began) })
    }

    fn lex(&self, manner: Manner, text: &[u8]) -> Result<Lexed, Failed> {
        if manner.encoding == Encoding::Safe || text.is_ascii() {
            return Ok(lex(manner.flags, text));
        }
        let mut copy = Share::of(&self.means.memory);
        if text.len() > COPIED_MAX || !copy.resize(text.len()) {
            return Err(Failed::Room(text.len()));
        }
        Ok(lex(manner.flags, &manner.encoding.disarm(text)))
    }

    fn analysis(&mut self, flags: Flags, lexed: Lexed, go_on: &mut dyn FnMut() -> bool) -> Analysis {
        let facts = self.facts(flags, &lexed, go_on);
        let reading = Reading::new(&lexed, Arc::clone(&facts));
        let sketch = Sketch::of(&lexed, &self.statistics);
        Analysis { flags, lexed, facts, reading, sketch }
    }

    fn facts(&mut self, flags: Flags, lexed: &Lexed, go_on: &mut dyn FnMut() -> bool) -> Arc<Facts> {
        if lexed.shape.len() > PARSED_BYTES_MAX || !lexed.is_whole() {
            return Arc::new(facts::parse_while(lexed, go_on));
        }
        let known = self.known.find(flags, &lexed.shape).filter(|facts| facts.statements.len() == lexed.pieces.len());
        if let Some(facts) = known {
            return Arc::clone(facts);
        }
        let facts = Arc::new(facts::parse_while(lexed, go_on));
        self.known.insert(flags, &lexed.shape, Arc::clone(&facts), facts.weight_bytes());
        facts
    }
}

/// A text as the server reads it: up to its first NUL.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}
