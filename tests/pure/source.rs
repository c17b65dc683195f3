//! Reads Rust source just well enough to tell code from comments, strings and tests.

use std::path::{Path, PathBuf};

/// One source file, split into what rules look at. Tests in it are blanked out everywhere.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Below `src/`, with `/` between folders.
    pub(crate) path: String,
    /// Code alone: comments and the insides of strings and characters are spaces, lines stay where they are.
    pub(crate) code: String,
    /// Strings, with the line each begins in.
    pub(crate) strings: Vec<(usize, String)>,
    /// Byte literals such as `b'Q'`, with their line.
    pub(crate) bytes: Vec<(usize, u8)>,
    /// Lines that say something and are no test.
    pub(crate) lines: usize,
}

/// Every file of `src/` that is not a test itself.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let read = |path: &PathBuf| {
        let below = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        (below, std::fs::read_to_string(path).unwrap())
    };
    let sources: Vec<_> = files.iter().map(read).collect();
    let tests: Vec<String> = sources.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    let is_test =
        |path: &str| tests.iter().any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")));
    sources.iter().filter(|(path, _)| !is_test(path)).map(|(path, text)| Source::read(path, text)).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

/// Modules that a file declares as `#[cfg(test)] mod name;`, as paths without `.rs`.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let folder = module_path(path).join("/");
    let below = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && let Some(name) = lines.next().and_then(|next| next.rsplit("mod ").next()?.strip_suffix(';'))
        {
            found.push(below(name));
        }
    }
    found
}

/// `session/relay.rs` is `[session, relay]`, `session/mod.rs` is `[session]`, `lib.rs` and `main.rs` are the root.
pub(crate) fn module_path(path: &str) -> Vec<&str> {
    let mut parts: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
        parts.pop();
    }
    parts
}

impl Source {
    /// Splits a text.
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut source = Self { path: path.to_owned(), ..Self::default() };
        Scanner { text: text.as_bytes(), at: 0, line: 1 }.run(&mut source);
        source.drop_tests(text);
        source
    }

    /// The line of a place in `code`.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        1 + self.code.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count()
    }

    fn drop_tests(&mut self, text: &str) {
        let mut tests = Vec::new();
        for (at, _) in self.code.match_indices("#[cfg(test)]") {
            let end = at + item_length(&self.code[at..]);
            tests.push((at, end));
        }
        let lines: Vec<_> = tests.iter().map(|&(at, end)| self.line_of(at)..=self.line_of(end - 1)).collect();
        let kept = |line: usize| !lines.iter().any(|range| range.contains(&line));
        self.strings.retain(|&(line, _)| kept(line));
        self.bytes.retain(|&(line, _)| kept(line));
        self.lines = (1..).zip(text.lines()).filter(|&(at, line)| kept(at) && !line.trim().is_empty()).count();
        let mut code = std::mem::take(&mut self.code).into_bytes();
        for (at, end) in tests {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        self.code = String::from_utf8(code).unwrap();
    }
}

/// Up to the `;` or the closing brace of the item that starts here.
fn item_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
}

impl Scanner<'_> {
    fn run(&mut self, source: &mut Source) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let (length, keep) = match rest {
                [b'/', b'/', ..] => (rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()), false),
                [b'/', b'*', ..] => (comment_length(rest), false),
                [b'"', ..] => (string_length(rest), false),
                [b'r', b'"' | b'#', ..] if !self.in_word() => {
                    (raw_length(rest).unwrap_or(1), raw_length(rest).is_none())
                }
                [b'\'', ..] => (char_length(rest).unwrap_or(1), char_length(rest).is_none()),
                _ => (1, true),
            };
            let piece = &rest[..length];
            if !keep && matches!(piece[0], b'"' | b'r') {
                source.strings.push((self.line, String::from_utf8_lossy(piece).into_owned()));
            }
            if !keep && length == 3 && self.at > 0 && self.text[self.at - 1] == b'b' && piece[0] == b'\'' {
                source.bytes.push((self.line, piece[1]));
            }
            for &byte in piece {
                // One byte stays one byte, so that places in `code` are places in the file.
                let kept = if byte.is_ascii() { char::from(byte) } else { '_' };
                source.code.push(if keep || byte == b'\n' { kept } else { ' ' });
                self.line += usize::from(byte == b'\n');
            }
            self.at += length;
        }
    }

    fn in_word(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map(|at| self.text[at]);
        let word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        word(before(1)) && (before(1) != Some(b'b') || word(before(2)))
    }
}

fn comment_length(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_length(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    (rest.get(1 + hashes) == Some(&b'"')).then(|| {
        let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        let body = 2 + hashes;
        rest[body..].windows(end.len()).position(|window| window == end).map_or(rest.len(), |at| body + at + end.len())
    })
}

/// `None`: a lifetime.
fn char_length(rest: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(&rest[..rest.len().min(16)])
        .or_else(|error| std::str::from_utf8(&rest[..error.valid_up_to()]));
    let mut chars = text.ok()?[1..].chars();
    match chars.next()? {
        '\\' => {
            let close = rest.iter().skip(3).position(|&byte| byte == b'\'')?;
            Some(close + 4)
        }
        first => (chars.next() == Some('\'')).then(|| first.len_utf8() + 2),
    }
}

#[test]
fn code_is_told_from_comments_strings_and_tests() {
    let text = r##"
use crate::wire; // use crate::nowhere;
/* crate::no /* nested */ crate::no */
const A: &str = "crate::no \" {"; const B: u8 = b'Q'; const C: char = '\''; const D: &str = r#"crate::"no" {"#;
fn f<'a>(x: &'a str) -> char { '{' }
#[cfg(test)]
mod tests {
    use crate::client;
    const E: u8 = b'Z';
}
fn last() { crate::sql::read() }
"##;
    let source = Source::read("guard/mod.rs", text);
    assert_eq!(source.code.matches("crate::").count(), 2, "{}", source.code);
    assert_eq!(source.line_of(source.code.find("crate::sql").unwrap()), 11);
    assert_eq!(source.bytes, [(4, b'Q')]);
    assert_eq!(source.strings.len(), 2);
    assert_eq!(source.lines, 5);
    assert_eq!(source.code.matches('{').count(), 2);
}
