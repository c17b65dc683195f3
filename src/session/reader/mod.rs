//! From statement texts to readings, remembered by each worker.
//!
//! A text that was seen before costs one hash and one compare, and so does one that differs from it in nothing but numbers, once more; a
//! new text of a known shape costs one pass of the lexer. Only a new shape is parsed, by one of the worker's [`analyst`]s, and so is
//! whatever is too long for a quick pass.

pub mod analyst;
pub mod manner;
pub mod memo;
pub mod sketch;
mod text;
mod traced;
pub mod values;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::analyst::{Analysis, Analysts, Counted, LongText, LongValues, Means, Pending};
use self::text::Known;
pub use self::text::{Shape, Text};
use crate::clock;
use crate::sql::cache::{ShapeCache, TextCache};
use crate::sql::facts::PARSED_BYTES_MAX;
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

/// What a look-up gives.
#[expect(missing_debug_implementations, reason = "a future has none")]
pub enum Found {
    /// The text is known.
    Known(Rc<Text>),
    /// It is being read; give the result to [`Reader::learn`].
    Reading(Pending),
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
            None => self.learn_shape(flags, &lexed, reading, Shape::new(facts, sketch)),
        };
        if let Some(text) = text {
            self.remember(flags, text, &read);
        }
        read
    }

    fn learn_shape(&mut self, flags: Flags, lexed: &Lexed, reading: Reading, shape: Shape) -> Rc<Text> {
        let shape = Rc::new(shape);
        let text = Rc::new(Text::new(reading, &shape));
        if lexed.shape.len() > PARSED_BYTES_MAX || !lexed.is_whole() {
            return text;
        }
        let weight = shape.weight_bytes().saturating_add(lexed.shape.len()).saturating_add(text.weight_bytes());
        self.shapes.insert(flags, &lexed.shape, Known::new(shape, &text), weight);
        self.metrics.cache(CacheKind::Shape, self.shapes.bytes() as u64, self.shapes.len() as u64);
        text
    }

    fn remember(&mut self, flags: Flags, text: &[u8], read: &Rc<Text>) {
        if self.texts.insert_second(flags, text, read, read.weight_bytes()) {
            self.metrics.cache(CacheKind::Text, self.texts.bytes() as u64, self.texts.len() as u64);
        }
    }
}
