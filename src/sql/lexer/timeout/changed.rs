//! What sets a limit: `SET` and its like, a call, a definition.

use super::tokens::{Token, Tokens};
use super::{Change, Scope, Timeout, Value, milliseconds};
use crate::sql::lexer::Piece;

/// `SET`, `RESET` or `DISCARD`, from its first word on.
pub(super) fn setting(tokens: &mut Tokens<'_>, scope: Scope, found: &mut Vec<Change>) {
    match tokens.next() {
        Token::Word(word) if is(word, "set") => assignment(tokens, scope, found),
        Token::Word(word) if is(word, "reset") => match tokens.next() {
            Token::Word(word) if is(word, "all") => every(Value::Default, scope, found),
            name => of(name, Value::Default, scope, found),
        },
        Token::Word(word) if is(word, "discard") => {
            if matches!(tokens.next(), Token::Word(word) if is(word, "all")) {
                every(Value::Default, scope, found);
            }
        }
        _ => {}
    }
}

/// What follows `SET`.
fn assignment(tokens: &mut Tokens<'_>, mut scope: Scope, found: &mut Vec<Change>) {
    let mut name = tokens.next();
    if let Token::Word(word) = name
        && (is(word, "session") || is(word, "local"))
    {
        if is(word, "local") && scope == Scope::Session {
            scope = Scope::Local;
        }
        name = tokens.next();
    }
    let assigns = match tokens.next() {
        Token::Symbol(b'=') => true,
        Token::Word(word) => is(word, "to") || is(word, "from"),
        _ => false,
    };
    if assigns {
        let value = assigned(tokens);
        of(name, value, scope, found);
    }
}

/// The value behind `=` or `TO`. `FROM CURRENT` is as good as a value that nobody can tell.
fn assigned(tokens: &mut Tokens<'_>) -> Value {
    let value = match tokens.next() {
        Token::Word(word) if is(word, "default") => Value::Default,
        Token::Symbol(b'+') => number_of(tokens.next()),
        token => number_of(token),
    };
    match tokens.peek() {
        // A list, or a literal that goes on in the next line.
        Token::Symbol(b',') | Token::Text(_) => Value::Unreadable,
        _ => value,
    }
}

fn number_of(token: Token<'_>) -> Value {
    match token {
        Token::Number(number) => milliseconds(number),
        Token::Text(text) => milliseconds(text),
        _ => Value::Unreadable,
    }
}

/// `SET` and `RESET` inside `ALTER` and `CREATE`.
pub(super) fn stored(tokens: &mut Tokens<'_>, found: &mut Vec<Change>) {
    loop {
        match tokens.peek() {
            Token::End => return,
            Token::Word(word) if is(word, "set") || is(word, "reset") => setting(tokens, Scope::Stored, found),
            _ => drop(tokens.next()),
        }
    }
}

/// `set_config(…)` anywhere, and an `UPDATE` of `pg_settings`.
pub(super) fn calls(tokens: &mut Tokens<'_>, piece: &Piece, found: &mut Vec<Change>) {
    loop {
        let called = match tokens.next() {
            Token::End => return,
            Token::Word(name) | Token::Name(name) => name,
            Token::Unicode => {
                if tokens.peek() == Token::Symbol(b'(') {
                    every(Value::Unreadable, Scope::Session, found);
                }
                continue;
            }
            _ => continue,
        };
        if is(called, "pg_settings") && piece.writes() {
            every(Value::Unreadable, Scope::Session, found);
        }
        if is(called, "set_config") && tokens.peek() == Token::Symbol(b'(') {
            tokens.next();
            set_config(tokens, found);
        }
    }
}

/// The arguments of `set_config`.
fn set_config(tokens: &mut Tokens<'_>, found: &mut Vec<Change>) {
    let (Token::Text(name), Token::Symbol(b',')) = (tokens.next(), tokens.next()) else {
        // A name that is computed may be any.
        return every(Value::Unreadable, Scope::Session, found);
    };
    let Some(timeout) = Timeout::named(name) else { return };
    let value = match (tokens.next(), tokens.peek()) {
        (Token::Text(text), Token::Symbol(b',')) => milliseconds(text),
        (Token::Word(word), Token::Symbol(b',')) if is(word, "null") => Value::Default,
        _ => Value::Unreadable,
    };
    let scope = match (tokens.next(), tokens.next(), tokens.peek()) {
        (Token::Symbol(b','), Token::Word(word), Token::Symbol(b')')) if is(word, "true") => Scope::Local,
        _ => Scope::Session,
    };
    found.push(Change { timeout, value, scope });
}

fn of(name: Token<'_>, value: Value, scope: Scope, found: &mut Vec<Change>) {
    match name {
        Token::Word(name) | Token::Name(name) => {
            found.extend(Timeout::named(name).map(|timeout| Change { timeout, value, scope }));
        }
        // It may spell any name.
        Token::Unicode => every(Value::Unreadable, scope, found),
        _ => {}
    }
}

fn every(value: Value, scope: Scope, found: &mut Vec<Change>) {
    found.extend(Timeout::ALL.map(|timeout| Change { timeout, value, scope }));
}

fn is(word: &[u8], wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted.as_bytes())
}
