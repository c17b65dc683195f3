//! `config.toml` as it was read: values, the line of each key, and the problems found so far.
//!
//! A [`Section`] hands out its keys one by one and remembers which were asked for: what is left over is unknown. So a
//! key is declared once, where it is read.

use std::cell::RefCell;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::problem::{Fault, Problem, nearest};
use super::strays::{self, Stray, Strays};

/// The text of a file, taken apart.
pub(super) struct Document<'t> {
    text: &'t str,
    values: Table,
    spans: Spanned<DeTable<'t>>,
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    strays: RefCell<Strays>,
}

impl<'t> Document<'t> {
    /// Reads the text as TOML. Broken syntax is all that is reported then, since nothing after it can be trusted.
    pub(super) fn parse(text: &'t str) -> Result<Self, Vec<Problem>> {
        let (spans, broken) = DeTable::parse_recoverable(text);
        if !broken.is_empty() {
            return Err(broken.iter().map(|error| syntax_problem(text, error)).collect());
        }
        let values = text.parse::<Table>().map_err(|error| vec![syntax_problem(text, &error)])?;
        let (errors, warnings, strays) = (RefCell::default(), RefCell::default(), RefCell::default());
        Ok(Self { text, values, spans, errors, warnings, strays })
    }

    /// The top level.
    pub(super) fn root(&self) -> Section<'_> {
        Section { document: self, path: Vec::new(), values: Some(&self.values), asked: Vec::new() }
    }

    /// Notes what is wrong at a path from the top.
    pub(super) fn error(&self, path: &[String], fault: Fault) {
        self.errors.borrow_mut().push(self.problem(path, fault));
    }

    /// Notes what works, but hardly as meant.
    pub(super) fn warn(&self, path: &[String], fault: Fault) {
        self.warnings.borrow_mut().push(self.problem(path, fault));
    }

    /// Errors and warnings, each by line.
    pub(super) fn into_problems(self) -> (Vec<Problem>, Vec<Problem>) {
        for (path, fault) in self.strays.take().into_faults() {
            self.error(&path, fault);
        }
        let by_line = |list: RefCell<Vec<Problem>>| {
            let mut list = list.into_inner();
            list.sort_by_key(|problem| problem.line);
            list
        };
        (by_line(self.errors), by_line(self.warnings))
    }

    fn problem(&self, path: &[String], fault: Fault) -> Problem {
        Problem { key: key_text(path), line: self.line(path), message: fault.message, advice: fault.advice }
    }

    /// Whether the file gives the key at the end of that path.
    pub(super) fn has(&self, path: &[String]) -> bool {
        let mut node = Node::Table(self.spans.get_ref());
        path.iter().all(|step| match node.child(step) {
            Some((_, value)) => {
                node = Node::of(value);
                true
            }
            None => false,
        })
    }

    /// Line of the deepest part of the path that the file has.
    pub(super) fn line(&self, path: &[String]) -> Option<usize> {
        let mut offset = None;
        let mut node = Node::Table(self.spans.get_ref());
        for step in path {
            let Some((start, value)) = node.child(step) else { break };
            offset = Some(start);
            node = Node::of(value);
        }
        offset.map(|offset| line_at(self.text, offset))
    }
}

enum Node<'d> {
    Table(&'d DeTable<'d>),
    Array(&'d [Spanned<DeValue<'d>>]),
    Leaf,
}

impl<'d> Node<'d> {
    fn of(value: &'d DeValue<'d>) -> Self {
        match value {
            DeValue::Table(table) => Self::Table(table),
            DeValue::Array(array) => Self::Array(array),
            _ => Self::Leaf,
        }
    }

    /// Where a key or an item begins, and what it holds.
    fn child(&self, step: &str) -> Option<(usize, &'d DeValue<'d>)> {
        match self {
            Self::Table(table) => {
                let (key, value) = table.get_key_value(step)?;
                Some((key.span().start, value.get_ref()))
            }
            Self::Array(array) => {
                let value = array.get(step.parse::<usize>().ok()?)?;
                Some((value.span().start, value.get_ref()))
            }
            Self::Leaf => None,
        }
    }
}

/// One table of the file, whether it is there or not.
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    path: Vec<String>,
    values: Option<&'d Table>,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The value of a key; `None` where it is not given, and where it is wrong, which is noted.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&'d Value) -> Result<T, Fault>,
    ) -> Option<T> {
        let value = self.raw(key)?;
        parse(value).map_err(|fault| self.error(key, fault)).ok()
    }

    /// The table of that key: absent and empty read alike.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let values = self.read(key, |value| {
            value.as_table().ok_or_else(|| Fault::new(format!("expected a table, found {}", value.type_str())))
        });
        self.below(&[key], values)
    }

    /// The tables of an array of tables.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let written = self.full_path(key);
        let tables = self.read(key, |value| {
            let tables: Option<Vec<&Table>> =
                value.as_array().and_then(|items| items.iter().map(Value::as_table).collect());
            let heading = format!("write it as [[{}]]", key_text(&written));
            tables.ok_or_else(|| Fault::new("expected an array of tables").advise(heading))
        });
        let numbered = tables.unwrap_or_default().into_iter().enumerate();
        numbered.map(|(index, table)| self.below(&[key, &index.to_string()], Some(table))).collect()
    }

    /// True where it is there, as a table.
    pub(super) fn is_given(&self) -> bool {
        self.values.is_some()
    }

    /// True where the file gives that key. Does not count as asking for it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.is_some_and(|table| table.contains_key(key))
    }

    /// Refuses a key that only a later version can honour.
    pub(super) fn refuse(&mut self, key: &'static str, fault: impl FnOnce() -> Fault) {
        if self.raw(key).is_some() {
            self.error(key, fault());
        }
    }

    /// The whole table as it stands, for a reader that knows its keys.
    pub(super) fn whole(&self) -> Table {
        self.values.cloned().unwrap_or_default()
    }

    /// Notes an error at a key of this section; an empty key means the section.
    pub(super) fn error(&self, key: &str, fault: Fault) {
        self.document.error(&self.full_path(key), fault);
    }

    /// Notes an error somewhere below this section.
    pub(super) fn error_below(&self, path: &[String], fault: Fault) {
        self.document.error(&[self.path.as_slice(), path].concat(), fault);
    }

    /// Notes a warning at a key.
    pub(super) fn warn(&self, key: &str, fault: Fault) {
        self.document.warn(&self.full_path(key), fault);
    }

    /// Call it last: whatever was not asked for is unknown.
    pub(super) fn finish(self) {
        let given = self.values.into_iter().flat_map(Table::keys);
        let mut strays = self.document.strays.borrow_mut();
        for key in given.filter(|key| !self.asked.contains(&key.as_str())) {
            let meant = strays::translated(key, &self.asked).or_else(|| nearest(key, self.asked.iter().copied()));
            match meant {
                Some(meant) => self.error(key, Fault::new("unknown key").advise(format!("did you mean \"{meant}\"?"))),
                None => strays.note(Stray { path: self.full_path(key), known: self.asked.join(", ") }),
            }
        }
        strays.learn(&self.path, self.asked);
    }

    fn raw(&mut self, key: &'static str) -> Option<&'d Value> {
        self.asked.push(key);
        self.values?.get(key)
    }

    fn below(&self, steps: &[&str], values: Option<&'d Table>) -> Self {
        let path = self.path.iter().cloned().chain(steps.iter().map(|step| (*step).to_owned())).collect();
        Self { document: self.document, path, values, asked: Vec::new() }
    }

    fn full_path(&self, key: &str) -> Vec<String> {
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        self.path.iter().cloned().chain(key).collect()
    }
}

/// `["listener", "0", "bind"]` as `listener[0].bind`.
pub(super) fn key_text(path: &[String]) -> String {
    let mut out = String::new();
    for step in path {
        if step.bytes().all(|byte| byte.is_ascii_digit()) && !out.is_empty() {
            out.push_str(&format!("[{step}]"));
        } else if out.is_empty() {
            out.push_str(step);
        } else {
            out.push_str(&format!(".{step}"));
        }
    }
    out
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| line_at(text, span.start));
    Problem { key: String::new(), line, message: error.message().replace('\n', "; "), advice: None }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
}
