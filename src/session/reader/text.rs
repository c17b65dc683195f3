//! Texts and their shapes, with everything that is known of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::memo::Memo;
use super::sketch::Sketch;
use super::traced::Traced;
use crate::sql::Reading;
use crate::sql::facts::Facts;
use crate::sql::lexer::Lexed;

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

/// A shape, and the text of it that was read last: texts that differ in nothing but their literals share one.
#[derive(Debug)]
pub(super) struct Known {
    shape: Rc<Shape>,
    last: RefCell<Rc<Text>>,
}

impl Shape {
    /// What was parsed of it.
    pub(super) const fn new(facts: Arc<Facts>, sketch: Sketch) -> Self {
        Self { facts, sketch, told_slow: Cell::new(false) }
    }

    /// What it takes.
    pub(super) fn weight_bytes(&self) -> usize {
        self.facts.weight_bytes().saturating_add(size_of::<Self>())
    }
}

impl std::ops::Deref for Shape {
    type Target = Sketch;

    fn deref(&self) -> &Sketch {
        &self.sketch
    }
}

impl Text {
    /// One that nothing was thought of yet.
    pub(super) fn new(reading: Reading, shape: &Rc<Shape>) -> Self {
        Self { reading, shape: Rc::clone(shape), memo: RefCell::default(), traced: RefCell::default() }
    }

    /// What it takes, without its shape.
    pub(super) fn weight_bytes(&self) -> usize {
        self.reading.weight_bytes().saturating_add(size_of::<Self>())
    }
}

impl Known {
    /// A shape of which nothing but this text was read.
    pub(super) fn new(shape: Rc<Shape>, text: &Rc<Text>) -> Self {
        Self { shape, last: RefCell::new(Rc::clone(text)) }
    }

    /// The text that was read like this: the last one again, where no rule could tell the two apart.
    pub(super) fn text(&self, lexed: &Lexed) -> Rc<Text> {
        let mut last = self.last.borrow_mut();
        if !last.reading.is_of(lexed) {
            *last = Rc::new(Text::new(Reading::new(lexed, Arc::clone(&self.shape.facts)), &self.shape));
        }
        Rc::clone(&last)
    }
}
