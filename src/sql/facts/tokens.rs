//! The words of a shape, and which of them stand outside of parentheses.

use std::borrow::Cow;

use crate::sql::dialect::Dialect;

/// A token of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Parentheses around it.
    pub(super) depth: usize,
}

impl Token<'_> {
    pub(super) const fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// The tokens of a shape. Shapes have no comments and no literals but `''` and `'%'`, so this takes no more than
/// knowing quotes, words and single characters.
pub(super) fn tokens(dialect: Dialect, text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    let mut depth = 0_usize;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let first = rest.chars().next()?;
        let len = match first {
            '"' | '\'' => quoted_len(rest, first),
            '`' if dialect == Dialect::MySql => quoted_len(rest, first),
            c if is_word(dialect, c) => rest.find(|c| !is_word(dialect, c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        depth = if first == ')' { depth.saturating_sub(1) } else { depth };
        let token = Token { text: &rest[..len], at, depth };
        depth += usize::from(first == '(');
        at += len;
        Some(token)
    })
}

/// Placeholders and variables are words too: `$1` to PostgreSQL, `?1` and `@a` to MySQL.
fn is_word(dialect: Dialect, c: char) -> bool {
    let own = dialect == Dialect::MySql && matches!(c, '?' | '@');
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii() || own
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut from = 1;
    while let Some(stop) = text[from..].find(quote) {
        from += stop + 1;
        if !text[from..].starts_with(quote) {
            return from;
        }
        from += 1;
    }
    text.len()
}

/// The name that a token is, unquoted; `None` where it is none.
pub(super) fn name(token: &str) -> Option<Cow<'_, str>> {
    let Some(quote) = token.chars().next().filter(|first| matches!(first, '"' | '`')) else {
        return token.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(token.into());
    };
    let quoted = token.strip_prefix(quote)?.strip_suffix(quote)?;
    Some(quoted.replace(&format!("{quote}{quote}"), &quote.to_string()).into())
}

/// What stands before the parenthesis that `text` closes without having opened it.
pub(super) fn parenthesised(dialect: Dialect, text: &str) -> &str {
    let mut depth = 0_usize;
    for token in tokens(dialect, text) {
        match token.text {
            "(" => depth += 1,
            ")" if depth == 0 => return text[..token.at].trim_end(),
            ")" => depth -= 1,
            _ => {}
        }
    }
    text
}

/// All tokens of a shape of PostgreSQL's SQL, by number.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token<'a>>,
    /// Where the parenthesis or bracket that opens at a token closes; the token itself where it opens none.
    closes: Vec<usize>,
    /// The parenthesis that a token stands in.
    inside: Vec<Option<usize>>,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let tokens: Vec<_> = tokens(Dialect::Postgres, text).collect();
        let mut closes: Vec<_> = (0..tokens.len()).collect();
        let mut inside = Vec::with_capacity(tokens.len());
        let mut open: Vec<usize> = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            if matches!(token.text, ")" | "]")
                && let Some(opened) = open.pop()
                && let Some(close) = closes.get_mut(opened)
            {
                *close = index;
            }
            inside.push(open.last().copied());
            if matches!(token.text, "(" | "[") {
                open.push(index);
            }
        }
        Self { text, tokens, closes, inside }
    }

    pub(super) fn token(&self, index: usize) -> Option<&Token<'a>> {
        self.tokens.get(index)
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Where the parenthesis closes that a token stands in; the number of tokens where it stands in none.
    pub(super) fn enclosing_end(&self, index: usize) -> usize {
        let open = self.inside.get(index).copied().flatten();
        open.map(|open| self.close(open)).filter(|&close| close > index).unwrap_or(self.tokens.len())
    }

    /// True where a DISTINCT ON stands anywhere.
    pub(super) fn has_distinct_on(&self) -> bool {
        self.tokens.windows(2).any(|pair| pair[0].text == "distinct" && pair[1].text == "on")
    }

    /// The text of a token; empty beyond the end.
    pub(super) fn word(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| token.text)
    }

    /// The text of the token that stands `back` before one; empty before the beginning.
    pub(super) fn before(&self, index: usize, back: usize) -> &'a str {
        index.checked_sub(back).map_or("", |at| self.word(at))
    }

    /// Where what opens at a token closes; the token itself where nothing does.
    pub(super) fn close(&self, index: usize) -> usize {
        self.closes.get(index).copied().unwrap_or(index)
    }

    /// The word before the parenthesis that a token stands in: the function whose argument it is.
    pub(super) fn around(&self, index: usize) -> &'a str {
        self.inside.get(index).copied().flatten().map_or("", |open| self.before(open, 1))
    }

    /// True where a token stands in the list of columns of an INSERT.
    pub(super) fn in_columns(&self, index: usize) -> bool {
        let open = self.inside.get(index).copied().flatten();
        let table = open.and_then(|open| self.name_start(open.checked_sub(1)?));
        table.is_some_and(|table| matches!(self.before(table, 1), "into" | "as"))
    }

    /// True where nothing stands between a token and the next.
    pub(super) fn touch(&self, index: usize) -> bool {
        matches!((self.token(index), self.token(index + 1)), (Some(this), Some(next)) if this.end() == next.at)
    }

    /// The next `word` from `from` on at the depth of `from`, among the next 1,000 tokens.
    pub(super) fn find(&self, from: usize, word: &str) -> Option<usize> {
        let depth = self.token(from)?.depth;
        let tail = self.tokens.get(from..)?.iter().take(1_000);
        tail.enumerate().find(|(_, token)| token.depth == depth && token.text == word).map(|(index, _)| from + index)
    }

    /// Where the qualified name that ends at a token begins; `None` where the token is no name.
    pub(super) fn name_start(&self, last: usize) -> Option<usize> {
        let mut first = last;
        name(self.word(first))?;
        while first >= 2 && self.word(first - 1) == "." && name(self.word(first - 2)).is_some() {
            first -= 2;
        }
        Some(first)
    }

    /// Where the qualified name that begins at a token ends.
    pub(super) fn name_end(&self, first: usize) -> usize {
        let mut last = first;
        while self.word(last + 1) == "." {
            last += 2;
        }
        last
    }

    /// The text from a token up to and including another.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        match (self.token(from), self.token(to)) {
            (Some(from), Some(to)) => self.text.get(from.at..to.end()).unwrap_or_default(),
            _ => "",
        }
    }
}
