//! The relations that a statement names, found by where names stand.
//!
//! More names than there are relations do no harm: one that the catalogue does not know costs a look at the server.

use super::tokens::{Words, name};
use crate::sql::schema::TableName;

/// Walks the words of one statement.
pub(super) struct Relations<'w, 'a> {
    words: &'w Words<'a>,
    ctes: Vec<Cte>,
    /// Depths at which a list of FROM items is open, with whether the next word begins an item.
    lists: Vec<List>,
    found: Vec<TableName>,
}

/// A WITH query and where its name can be used.
struct Cte {
    name: String,
    from: usize,
    to: usize,
}

struct List {
    depth: usize,
    item: bool,
}

impl<'w, 'a> Relations<'w, 'a> {
    /// The relations of the statement that begins at a token.
    pub(super) fn of(words: &'w Words<'a>, from: usize) -> Vec<TableName> {
        let mut walk = Self { words, ctes: Vec::new(), lists: Vec::new(), found: Vec::new() };
        for at in from..words.len() {
            walk.word(at);
        }
        walk.found
    }

    fn word(&mut self, at: usize) {
        let Some(token) = self.words.token(at) else { return };
        let depth = token.depth;
        while self.lists.last().is_some_and(|list| list.depth > depth) {
            self.lists.pop();
        }
        match token.text {
            "with" => {
                self.lists.retain(|list| list.depth != depth);
                self.ctes(at);
            }
            // Where COPY's data comes from.
            "from" if depth == 0 && self.words.word(0) == "copy" => {}
            "from" | "using" => self.from(at, depth),
            "into" | "update" | "table" | "copy" => self.target(at),
            "truncate" => self.lists.push(List { depth, item: true }),
            "join" => self.expect(depth),
            "," => {
                if let Some(list) = self.lists.last_mut().filter(|list| list.depth == depth) {
                    list.item = true;
                }
            }
            "(" => self.open(depth),
            _ if self.ends_list(at) => self.lists.retain(|list| list.depth != depth),
            "only" | "lateral" => {}
            _ => self.item(at, depth),
        }
    }

    /// Words that no alias can be, or that are none in their place: behind them a comma parts something else.
    fn ends_list(&self, at: usize) -> bool {
        let next = self.words.word(at + 1);
        match self.words.word(at) {
            "where" | "having" | "limit" | "offset" | "union" | "intersect" | "except" | "returning" | "window"
            | "fetch" | "select" => true,
            "group" | "order" => next == "by",
            "for" => matches!(next, "update" | "share" | "no" | "key"),
            "set" => self.words.before(at, 1) == "update",
            _ => false,
        }
    }

    /// `FROM` of a query, and not of `extract(… FROM …)` or `IS DISTINCT FROM`.
    fn from(&mut self, at: usize, depth: usize) {
        let words = self.words;
        let in_call = matches!(words.around(at), "extract" | "substring" | "trim" | "overlay" | "position");
        let distinct = words.before(at, 1) == "distinct" && matches!(words.before(at, 2), "is" | "not");
        // JOIN … USING (columns); CREATE … USING.
        let columns = words.word(at) == "using" && words.word(at + 1) == "(" && !self.begins_query(at + 1);
        if !in_call && !distinct && !columns {
            self.expect(depth);
        }
    }

    fn begins_query(&self, open: usize) -> bool {
        matches!(self.words.word(open + 1), "select" | "values" | "with" | "(")
    }

    fn expect(&mut self, depth: usize) {
        match self.lists.last_mut() {
            Some(list) if list.depth == depth => list.item = true,
            _ => self.lists.push(List { depth, item: true }),
        }
    }

    /// A parenthesis where an item may begin: a join in parentheses, or a query.
    fn open(&mut self, depth: usize) {
        if let Some(list) = self.lists.last_mut()
            && list.depth == depth
            && std::mem::take(&mut list.item)
        {
            self.lists.push(List { depth: depth + 1, item: true });
        }
    }

    fn item(&mut self, at: usize, depth: usize) {
        let Some(list) = self.lists.last_mut() else { return };
        if list.depth == depth && std::mem::take(&mut list.item) {
            self.name(at);
        }
    }

    /// The table that INSERT, UPDATE, MERGE, COPY or TABLE names.
    fn target(&mut self, at: usize) {
        let words = self.words;
        let no_target = match words.word(at) {
            "update" => matches!(words.before(at, 1), "for" | "key" | "do" | "then"),
            "into" => {
                words.before(at, 1) != "insert" && words.before(at, 1) != "merge" && is_persistence(words.word(at + 1))
            }
            // TRUNCATE TABLE has a list of its own.
            "table" => words.before(at, 1) == "truncate",
            _ => false,
        };
        if no_target {
            return;
        }
        let next = if words.word(at + 1) == "only" { at + 2 } else { at + 1 };
        self.name(next);
    }

    fn name(&mut self, first: usize) {
        let words = self.words;
        let last = words.name_end(first);
        let Some(own) = name(words.word(last)) else { return };
        if words.word(last + 1) == "(" && !matches!(words.before(first, 1), "into" | "copy") {
            // A function: read as a call.
            return;
        }
        if first == last {
            if !self.is_cte(&own, first) {
                self.found.push(TableName::new(&own));
            }
        } else if let Some(schema) = name(words.word(last.saturating_sub(2))) {
            self.found.push(TableName::qualified(&schema, &own));
        }
    }

    fn is_cte(&self, own: &str, at: usize) -> bool {
        self.ctes.iter().any(|cte| cte.name == own && cte.from < at && at < cte.to)
    }

    /// The names of a WITH: each is known behind its query, in a recursive one within it too, up to the end of the
    /// parentheses around the WITH.
    fn ctes(&mut self, with: usize) {
        let words = self.words;
        let recursive = words.word(with + 1) == "recursive";
        let to = words.enclosing_end(with);
        let mut at = with + 1 + usize::from(recursive);
        loop {
            let Some(own) = name(words.word(at)) else { return };
            let mut next = at + 1;
            if words.word(next) == "(" {
                next = words.close(next) + 1;
            }
            if words.word(next) != "as" {
                return;
            }
            next += 1;
            while matches!(words.word(next), "not" | "materialized") {
                next += 1;
            }
            if words.word(next) != "(" {
                return;
            }
            let end = words.close(next);
            self.ctes.push(Cte { name: own.into_owned(), from: if recursive { with } else { end }, to });
            // SEARCH and CYCLE may follow; what comes behind them is taken for tables.
            if words.word(end + 1) != "," {
                return;
            }
            at = end + 2;
        }
    }
}

/// What may stand between INTO and the name of a new table.
fn is_persistence(word: &str) -> bool {
    matches!(word, "temp" | "temporary" | "local" | "global" | "unlogged")
}
