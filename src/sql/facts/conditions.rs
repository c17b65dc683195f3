//! What the conditions of a FROM say of single columns: which have a fixed value, which are equal to each other.

use std::ops::Range;

use sqlparser::ast::{BinaryOperator, DataType, Expr, TableFactor, UnaryOperator, Value};

use super::Reach;
use super::calls;
use super::compare;
use super::join;
use super::keyed::{
    CONDITIONS_MAX, Column, Equal, Goal, Keyed, Link, Match, Pin, SOURCES_MAX, Source, Sources, Values,
};

/// The items of a FROM while it is read, with what its conditions say.
#[derive(Debug, Default)]
pub(super) struct Scope {
    sources: Vec<Source>,
    /// The names by which columns are qualified, one for each source.
    aliases: Vec<Option<String>>,
    pins: Vec<Pin>,
    links: Vec<Equal>,
    /// Names of the FROM around a LATERAL: their columns are fixed values in here.
    pub(super) outer: Vec<String>,
}

impl Scope {
    pub(super) fn inside(outer: Vec<String>) -> Self {
        Self { outer, ..Self::default() }
    }

    /// How many sources there are.
    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }

    /// The names that a LATERAL item sees.
    pub(super) fn names(&self) -> Vec<String> {
        self.outer.iter().chain(self.aliases.iter().flatten()).cloned().collect()
    }

    /// Adds an item of FROM.
    pub(super) fn add(&mut self, factor: &TableFactor, rows: &Reach, table: Option<u16>) {
        let table = table.filter(|_| !renames(factor));
        // A long formula stands in the whole one already, and doubling it at each level would have no end.
        let rows = if rows.weight() <= ROWS_WEIGHT_MAX { rows.clone() } else { Reach::Unknown };
        self.sources.push(Source { rows, table, match_: Match::Required });
        self.aliases.push(join::alias(factor).map(str::to_owned));
    }

    /// What was added from `from` on becomes one item, whose columns are not known.
    pub(super) fn merge(&mut self, from: usize, alias: Option<&str>, rows: &Reach) {
        self.sources.truncate(from);
        self.aliases.truncate(from);
        let gone = Sources::range(0, from);
        self.pins.retain(|pin| pin.column.of.within(gone));
        self.links.retain(|link| link.first.of.within(gone) && link.second.of.within(gone));
        let rows = if rows.weight() <= ROWS_WEIGHT_MAX { rows.clone() } else { Reach::Unknown };
        self.sources.push(Source { rows, table: None, match_: Match::Required });
        self.aliases.push(alias.map(str::to_owned));
    }

    /// These stand on the optional side of an outer join.
    pub(super) fn optional(&mut self, from: usize, to: usize) {
        for source in self.sources.get_mut(from..to).unwrap_or_default() {
            source.match_ = Match::Optional;
        }
    }

    /// Takes in a condition over the sources of `among`, which can narrow those of `narrows`.
    pub(super) fn condition(&mut self, condition: &Expr, among: Sources, narrows: Sources) {
        for part in join::conjuncts(condition) {
            if self.pins.len() < CONDITIONS_MAX && self.links.len() < CONDITIONS_MAX {
                self.part(part, among, narrows);
            }
        }
    }

    /// Takes in `USING (name)` between the sources of `left` and those of `right`.
    pub(super) fn using(&mut self, name: &str, sides: [Sources; 2], narrows: Sources) {
        let [first, second] = sides.map(|of| Column { of, name: name.into() });
        self.links.push(Equal { first, second, narrows });
    }

    fn part(&mut self, part: &Expr, among: Sources, narrows: Sources) {
        match part {
            Expr::Nested(inner) => self.condition(inner, among, narrows),
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => self.equal([left, right], among, narrows),
            Expr::IsNull(inner) => self.pin(inner, Values::Null, among, narrows),
            Expr::InList { expr, list, negated: false } if list.iter().all(|item| self.is_fixed(item)) => {
                self.pin(expr, Values::List, among, narrows);
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } if self.is_fixed_array(right) => {
                self.pin(left, Values::Array, among, narrows);
            }
            _ => {}
        }
    }

    fn equal(&mut self, sides: [&Expr; 2], among: Sources, narrows: Sources) {
        let sides = sides.map(bare);
        if let [Expr::Tuple(left), Expr::Tuple(right)] = sides {
            if left.len() == right.len() {
                left.iter().zip(right).for_each(|(left, right)| self.equal([left, right], among, narrows));
            }
            return;
        }
        match sides.map(|side| self.is_fixed(side)) {
            [false, true] => self.pin(sides[0], Values::One, among, narrows),
            [true, false] => self.pin(sides[1], Values::One, among, narrows),
            [true, true] => {}
            [false, false] => {
                if let (Some(first), Some(second)) = (self.column(sides[0], among), self.column(sides[1], among)) {
                    self.links.push(Equal { first, second, narrows });
                }
            }
        }
    }

    fn pin(&mut self, expr: &Expr, values: Values, among: Sources, narrows: Sources) {
        let Some(mut column) = self.column(bare(expr), among) else { return };
        column.of = column.of.only(narrows);
        if !column.of.is_empty() {
            self.pins.push(Pin { column, values });
        }
    }

    /// The column that an expression is, of one of these sources.
    fn column(&self, expr: &Expr, among: Sources) -> Option<Column> {
        let name = compare::column(expr)?.into();
        match expr {
            Expr::CompoundIdentifier(parts) => {
                let source = self.source(join::qualifier(parts))?;
                among.has(source).then(|| Column { of: Sources::one(source), name })
            }
            _ => Some(Column { of: among, name }),
        }
    }

    /// The source of a name; of two with the same name neither.
    fn source(&self, alias: &str) -> Option<usize> {
        let mut found = self.aliases.iter().enumerate().filter(|(_, known)| known.as_deref() == Some(alias));
        let (index, _) = found.next()?;
        found.next().is_none().then_some(index)
    }

    /// A qualified column, as a join compares it.
    pub(super) fn link(&self, column: &Expr) -> Option<Link> {
        let Expr::CompoundIdentifier(parts) = column else { return None };
        let source = self.source(join::qualifier(parts))?;
        Some(self.link_of(source, compare::column(column)?))
    }

    /// Columns of these names in each of some sources.
    pub(super) fn columns(&self, names: &[&str], sources: Range<usize>) -> Vec<Link> {
        sources.flat_map(|source| names.iter().map(move |name| self.link_of(source, name))).collect()
    }

    fn link_of(&self, source: usize, column: &str) -> Link {
        let table = self.table(source);
        Link { table, source: u8::try_from(source).unwrap_or(u8::MAX), column: column.into() }
    }

    /// The table of one source.
    pub(super) fn table(&self, source: usize) -> Option<u16> {
        self.sources.get(source)?.table
    }

    /// True for what has one value for all rows: literals and parameters, and what is computed of them. A function
    /// may give another value for each row; a type or collation of its own may find more than one row for a value.
    fn is_fixed(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Value(value) => !matches!(value.value, Value::Null),
            Expr::TypedString(_) => true,
            Expr::Nested(inner) => self.is_fixed(inner),
            Expr::UnaryOp { op: UnaryOperator::Plus | UnaryOperator::Minus, expr } => self.is_fixed(expr),
            Expr::Cast { expr, data_type, .. } => is_exact(data_type) && self.is_fixed(expr),
            Expr::CompoundIdentifier(parts) => {
                let name = join::qualifier(parts);
                self.source(name).is_none() && self.outer.iter().any(|outer| outer == name)
            }
            _ => false,
        }
    }

    fn is_fixed_array(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Array(array) => array.elem.iter().all(|item| self.is_fixed_element(item)),
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.is_fixed_array(inner),
            other => self.is_fixed(other),
        }
    }

    /// An element is one value, or an array of such; what is cast to an array, or to a type that nobody knows here, may be many.
    fn is_fixed_element(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Array(_) => self.is_fixed_array(expr),
            Expr::Nested(inner) => self.is_fixed_element(inner),
            Expr::Cast { data_type: DataType::Array(_) | DataType::Custom(..), .. } => false,
            other => self.is_fixed(other),
        }
    }

    /// True where the arguments of `unnest` are values: its rows are their elements.
    pub(super) fn are_fixed_arrays(&self, arrays: &[Expr]) -> bool {
        arrays.iter().all(|array| self.is_fixed_array(array))
    }

    /// The formula of all this, where a key may bound it.
    pub(super) fn keyed(self, goal: Goal, otherwise: Reach) -> Reach {
        let conditions = !self.pins.is_empty() || !self.links.is_empty();
        let tables = self.sources.iter().any(|source| source.table.is_some());
        if !conditions || !tables || self.sources.len() > SOURCES_MAX {
            return otherwise;
        }
        let Self { sources, pins, links, .. } = self;
        Reach::Keyed(Box::new(Keyed { sources, pins, links, goal, otherwise }))
    }
}

/// Only parentheses: a cast of a column makes another value of it, of which the key says nothing.
fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// True where a table's columns have other names here than in the catalogue.
fn renames(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { alias, .. } => alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()),
        _ => true,
    }
}

/// True where different values of a column never equal one value of this type. A number with a floating point is
/// near to many, and a padded string is equal to those with more or less padding.
fn is_exact(data_type: &DataType) -> bool {
    if let DataType::Custom(name, _) = data_type {
        return calls::last_name(name).is_some_and(|name| EXACT_TYPES.contains(&name));
    }
    !matches!(
        data_type,
        DataType::Float(_)
            | DataType::Real
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Float4
            | DataType::Float8
            | DataType::Float32
            | DataType::Float64
            | DataType::Char(_)
            | DataType::Character(_)
    )
}

/// Types of the server that the parser has no name for. One that nobody knows here may be equal to many values, as citext is.
const EXACT_TYPES: &[&str] = &["cidr", "inet", "macaddr", "macaddr8", "money", "name", "oid", "timestamptz", "xid8"];

/// What a source's own formula may weigh.
const ROWS_WEIGHT_MAX: usize = 16;
