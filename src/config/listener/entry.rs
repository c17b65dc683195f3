//! How clients reach a listener, beside its `bind`.

use super::super::context::Context;
use super::super::document::Section;

/// How clients reach a listener, beside its `bind`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {}

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(_section: &mut Section<'_>, _context: &Context<'_>) -> Entry {
    Entry {}
}
