//! Texts that come again and again as unnamed statements: with `prepare_unnamed` each server prepares one once, and its Parse is not
//! sent any more.
//!
//! It is a prepared statement then, with what the PostgreSQL manual says of those under PREPARE: from its sixth run on the server may
//! plan it for all values at once (`plan_cache_mode`). So this is for who asks for it.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::rc::Rc;

use rapidhash::fast::GlobalState;

use super::context::Context;
use super::shared::{Shared, Statement};

/// Whether a text that is repeated is prepared under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeats {
    /// Unnamed statements stay what they are.
    #[default]
    Unnamed,
    /// From its fifth time on.
    Prepared,
}

/// What was seen lately: two generations, so that nothing has to be looked for that is to go.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    young: HashMap<u64, Seen, GlobalState>,
    old: HashMap<u64, Seen, GlobalState>,
}

#[derive(Debug, Clone)]
enum Seen {
    /// So often, and not enough yet.
    Times(u8),
    /// Often enough. It stays at the servers as long as it is here.
    Kept(Rc<Statement>),
    /// It would not be the same as a prepared statement.
    Never,
}

impl Repeated {
    /// What is known of the text with this hash: one that is new was never seen.
    fn seen(&mut self, hash: u64) -> &mut Seen {
        let Self { young, old } = self;
        if young.len() >= TEXTS_MAX && !young.contains_key(&hash) {
            *old = std::mem::take(young);
        }
        young.entry(hash).or_insert_with(|| old.remove(&hash).unwrap_or(Seen::Times(0)))
    }
}

impl Shared {
    /// An unnamed statement of this body comes: the shared one that takes its place, where it has come often enough and means the same
    /// whenever it is prepared.
    pub(super) fn repeated(&mut self, context: Context<'_>, body: &[u8]) -> Option<Rc<Statement>> {
        if body.len() > BODY_MAX {
            return None;
        }
        self.set_key(context, body);
        let hash = GlobalState::new().hash_one(self.key());
        match self.repeated.seen(hash) {
            Seen::Kept(statement) => {
                let statement = Rc::clone(statement);
                return if self.is_current(&statement) {
                    Some(statement)
                } else {
                    self.keep_repeated(hash, context, body)
                };
            }
            Seen::Never => return None,
            Seen::Times(times) if *times < TIMES => *times += 1,
            Seen::Times(_) => return self.keep_repeated(hash, context, body),
        }
        None
    }

    fn keep_repeated(&mut self, hash: u64, context: Context<'_>, body: &[u8]) -> Option<Rc<Statement>> {
        let statement = is_the_same_later(body).then(|| self.statement(context, body)).flatten();
        *self.repeated.seen(hash) = statement.clone().map_or(Seen::Never, Seen::Kept);
        statement
    }
}

/// How often a text is seen before it is prepared: as often as drivers let one pass (pgjdbc's `prepareThreshold`, psycopg's
/// `prepare_threshold`).
const TIMES: u8 = 4;
/// Texts of one generation.
const TEXTS_MAX: usize = 500;
/// Longer ones stay unnamed.
const BODY_MAX: usize = 4 * 1024;

/// False where a text is not worth it, having no parameter (the server would keep the plan that its first run got), or has a literal
/// that is the time of its Parse. Source: PostgreSQL manual, "Date/Time Input", "Special Values".
fn is_the_same_later(body: &[u8]) -> bool {
    let text = body.split(|&byte| byte == 0).next().unwrap_or_default();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"$_".contains(&byte);
    let mut has_literal = text.contains(&b'\'');
    let mut has_parameter = false;
    for three in text.windows(3) {
        match three {
            [before, b'$', b'1'..=b'9'] if !is_word(*before) => has_parameter = true,
            [_, b'$', _] => has_literal = true,
            _ => {}
        }
    }
    has_parameter && !(has_literal && TIMES_OF_DAY.iter().any(|word| has_word(text, word)))
}

const TIMES_OF_DAY: [&[u8]; 4] = [b"now", b"today", b"tomorrow", b"yesterday"];

fn has_word(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::memory::{Budget, Prepared};

    fn body(text: &str) -> Vec<u8> {
        [text.as_bytes(), b"\0\0\0"].concat()
    }

    fn numbers(shared: &mut Shared, text: &str, times: usize) -> Vec<Option<u64>> {
        let body = body(text);
        (0..times).map(|_| shared.repeated(Context::default(), &body).map(|statement| statement.number)).collect()
    }

    #[test]
    fn a_text_is_prepared_from_its_fifth_time_on_and_again_behind_a_change() {
        let mut shared = Shared::default();
        assert_eq!(numbers(&mut shared, "SELECT $1", 7), [None, None, None, None, Some(1), Some(1), Some(1)]);
        assert_eq!(numbers(&mut shared, "SELECT $2", 1), [None]);
        let named = shared.statement(Context::default(), &body("SELECT $1")).unwrap();
        assert_eq!(named.number, 1, "the same as under a name");
        shared.retire(1);
        assert_eq!(numbers(&mut shared, "SELECT $1", 2), [Some(2), Some(2)]);
        let elsewhere = Context { settings: b"search_path\0a\0", ..Context::default() };
        assert!(shared.repeated(elsewhere, &body("SELECT $1")).is_none(), "another text");
    }

    #[test]
    fn what_means_something_else_each_time_is_never_prepared() {
        for (text, expected) in [
            ("SELECT a FROM t WHERE b = $1", true),
            ("UPDATE t SET at = now() WHERE id = $1", true),
            ("SELECT a FROM t WHERE b = $1 AND state = 'open'", true),
            ("SELECT a FROM t", false),
            ("SELECT $$1$$", false),
            ("SELECT a FROM t WHERE b = $1 AND at < 'NOW'", false),
            ("SELECT a FROM t WHERE b = $1 AND at < date $$ yesterday $$", false),
            ("SELECT a FROM t WHERE b = $1 AND at < $x$today$x$", false),
        ] {
            assert_eq!(is_the_same_later(&body(text)), expected, "{text}");
            let seen = numbers(&mut Shared::default(), text, 9);
            assert_eq!(seen[8].is_some(), expected, "{text}");
        }
        let long = format!("SELECT $1 /* {} */", "x".repeat(BODY_MAX));
        assert_eq!(numbers(&mut Shared::default(), &long, 9)[8], None);
    }

    #[test]
    fn what_was_not_seen_lately_is_forgotten() {
        let mut shared = Shared::default();
        numbers(&mut shared, "SELECT $1", 5);
        for n in 0..5_000 {
            numbers(&mut shared, &format!("SELECT $1 + {n}"), 1);
            if n % 400 == 0 {
                assert_eq!(numbers(&mut shared, "SELECT $1", 1), [Some(1)], "seen lately");
            }
        }
        assert!(shared.repeated.young.len() + shared.repeated.old.len() <= 2 * TEXTS_MAX);
        for n in 0..2 * TEXTS_MAX {
            numbers(&mut shared, &format!("SELECT $2 + {n}"), 1);
        }
        assert_eq!(numbers(&mut shared, "SELECT $1", 1), [None]);
    }

    #[test]
    fn the_last_client_leaves_nothing_behind() {
        let prepared = Prepared::of(&Budget::new(10_000));
        let mut shared = Shared::counted(&prepared);
        shared.enters();
        shared.enters();
        numbers(&mut shared, "SELECT $1", 5);
        shared.leaves();
        assert_eq!(prepared.statements(), 1);
        shared.leaves();
        assert_eq!((prepared.statements(), prepared.bytes()), (0, 0));
    }
}
