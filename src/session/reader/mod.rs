//! From statement texts to readings, remembered by each worker.
//!
//! A text that was seen before costs one hash and one compare, and so does one that differs from it in nothing but numbers, once more; a
//! new text of a known shape costs one pass of the lexer. Only a new shape
//! is parsed, by one of the worker's [`analyst`](self::analyst)s, and so is whatever is too long for a quick pass.

pub mod analyst;
pub mod manner;
pub mod sketch;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::analyst::{Analysis, Analysts, Counted, LongText, LongValues, Means, Pending};
use self::sketch::Sketch;
use super::memo::Memo;
use super::tidy::Traced;
use crate::clock;
use crate::sql::cache::{ShapeCache, TextCache};
use crate::sql::facts::{Facts, PARSED_BYTES_MAX};
use crate::sql::lexer::{Lexed, lex_into};
use crate::sql::mask::mask;
use crate::sql::{Dialect, Flags, Reading};
use crate::telemetry::shapes::Shapes;
use crate::telemetry::{CacheKind, WorkerMetrics};

/// Texts up to here are read on the worker: a few hundred microseconds at the most.
pub const READ_HERE_MAX: usize = 64 * 1024;
/// The same for a text that is read in up to six ways.
pub const READ_OFTEN_MAX: usize = 8 * 1024;
/// Semicolons of a text that is read on the worker: each may end a statement, and what is done for each takes longer than its bytes.
pub const READ_HERE_SEMICOLONS: usize = 1_000;
/// What is shorter takes no longer than asking the time twice is worth.
const TIMED_MIN: usize = 4 * 1024;
/// Of the bytes that a worker's caches may take, the part for texts.
const TEXTS_SHARE: usize = 2;
/// The part for what each of the two analysts remembers; the rest is for shapes.
const ANALYSTS_SHARE: usize = 16;

/// A statement text with everything that is known of it.
#[derive(Debug)]
pub struct Text {
    /// What rules see.
    pub reading: Reading,
    /// What it shares with all texts of its shape.
    pub shape: Rc<Shape>,
    /// Under what it passed last.
    pub memo: RefCell<Memo>,
    /// What it leaves behind in its session.
    pub(super) traced: RefCell<Traced>,
}

/// What is known of a shape.
#[derive(Debug)]
pub struct Shape {
    facts: Arc<Facts>,
    sketch: Sketch,
    /// Whether the log has said that reading it takes too long.
    pub told_slow: Cell<bool>,
}

impl std::ops::Deref for Shape {
    type Target = Sketch;

    fn deref(&self) -> &Sketch {
        &self.sketch
    }
}

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
    /// The mask of the text at hand.
    masked: Vec<u8>,
    analysts: Analysts,
    ceiling: Duration,
    metrics: Arc<WorkerMetrics>,
}

impl Reader {
    /// A reader; starts its analysts. `means.cache_bytes` is what all of its caches may take.
    ///
    /// # Errors
    /// A thread could not be made.
    pub fn start(means: Means, statistics: Arc<Shapes>) -> std::io::Result<Self> {
        let all = means.cache_bytes;
        let (texts, analyst) = (all / TEXTS_SHARE, all / ANALYSTS_SHARE);
        let analysts = Analysts::start(&Means { cache_bytes: analyst, ..means.clone() }, &statistics)?;
        Ok(Self {
            texts: TextCache::new(texts),
            shapes: ShapeCache::new(all.saturating_sub(texts).saturating_sub(2 * analyst)),
            lexed: Lexed::default(),
            masked: Vec::new(),
            analysts,
            ceiling: means.ceiling,
            metrics: means.metrics,
        })
    }

    /// Looks a text up, or begins to read it. It must not be longer than [`READ_HERE_MAX`].
    pub fn find(&mut self, flags: Flags, text: &[u8]) -> Found {
        if let Some(known) = self.texts.find(flags, text) {
            self.metrics.cache_hit(CacheKind::Text);
            return Found::Known(Rc::clone(known));
        }
        self.metrics.cache_miss(CacheKind::Text);
        let hidden = (flags.dialect == Dialect::Postgres).then(|| mask(text, &mut self.masked)).flatten();
        if let Some(known) = hidden.and_then(|_| self.texts.find(flags, &self.masked)).map(Rc::clone) {
            self.metrics.cache_hit(CacheKind::Shape);
            self.remember(flags, text, &known);
            return Found::Known(known);
        }
        let began = (text.len() >= TIMED_MIN).then(clock::now);
        lex_into(flags, text, &mut self.lexed);
        if let Some(began) = began {
            self.spent(clock::now().saturating_duration_since(began));
        }
        let whole = self.lexed.is_whole();
        let Some(known) = whole.then(|| self.shapes.find(flags, &self.lexed.shape)).flatten() else {
            self.metrics.cache_miss(CacheKind::Shape);
            let lexed = std::mem::take(&mut self.lexed);
            return Found::Reading(self.analysts.parse(flags, lexed));
        };
        self.metrics.cache_hit(CacheKind::Shape);
        let read = known.text(&self.lexed);
        self.remember(flags, text, &read);
        if hidden.is_some_and(|hidden| hidden.is_of(self.lexed.numbers)) {
            let masked = std::mem::take(&mut self.masked);
            self.remember(flags, &masked, &read);
            self.masked = masked;
        }
        Found::Known(read)
    }

    /// Begins to read a text that is too long for [`Reader::find`].
    pub fn read(&self, text: LongText) -> Pending {
        self.analysts.read(text)
    }

    /// Begins to read values that are too long for a worker.
    pub fn count(&self, values: LongValues) -> Pending<Counted> {
        self.analysts.count(values)
    }

    /// Counts time that reading a text took; true where it is over the ceiling.
    pub fn spent(&self, time: Duration) -> bool {
        self.metrics.guard_time(time);
        let over = time > self.ceiling;
        if over {
            self.metrics.guard_over_time();
        }
        over
    }

    /// Takes in what an analyst found. `text` is remembered where it is short and was read whole.
    pub fn learn(&mut self, text: Option<&[u8]>, analysis: Analysis) -> Rc<Text> {
        let Analysis { flags, lexed, facts, reading, sketch } = analysis;
        // Longer shapes are not remembered.
        let short = lexed.shape.len() <= PARSED_BYTES_MAX && lexed.is_whole();
        // Another session may have had the same shape read meanwhile.
        let read = match short.then(|| self.shapes.find(flags, &lexed.shape)).flatten() {
            Some(known) => known.text(&lexed),
            None => self.learn_shape(flags, &lexed, reading, Shape { facts, sketch, told_slow: Cell::new(false) }),
        };
        if let Some(text) = text {
            self.remember(flags, text, &read);
        }
        read
    }

    fn learn_shape(&mut self, flags: Flags, lexed: &Lexed, reading: Reading, shape: Shape) -> Rc<Text> {
        let weight = shape.facts.weight_bytes().saturating_add(lexed.shape.len()).saturating_add(size_of::<Shape>());
        let shape = Rc::new(shape);
        let memo = RefCell::default();
        let text = Rc::new(Text { reading, shape: Rc::clone(&shape), memo, traced: RefCell::default() });
        let weight = weight.saturating_add(text.reading.weight_bytes()).saturating_add(size_of::<Text>());
        if lexed.shape.len() > PARSED_BYTES_MAX || !lexed.is_whole() {
            return text;
        }
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
}

impl Text {
    fn new(lexed: &Lexed, shape: &Rc<Shape>) -> Self {
        let reading = Reading::new(lexed, Arc::clone(&shape.facts));
        Self { reading, shape: Rc::clone(shape), memo: RefCell::default(), traced: RefCell::default() }
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
