//! The texts that are compared.

use std::collections::BTreeSet;
use std::path::Path;

use floodwall::sql::Flags;
use floodwall::sql::lexer::{self, Lexed};

use super::generate;

/// A text with the file that it is from.
#[derive(Debug)]
pub struct Case {
    pub file: String,
    pub text: String,
}

/// Every text: those of `corpus/`, the verdict corpora of the main package, and the generated ones; each once.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for file in files(&here().join("corpus")) {
        cases.extend(read(&file));
    }
    cases.extend(generate::texts().into_iter().map(|text| Case { file: "generated".to_owned(), text }));
    let mut seen = BTreeSet::new();
    cases.retain(|case| seen.insert(case.text.clone()));
    cases
}

/// The statements that the guard's own tests judge, without MySQL's; each file has its own form.
pub fn verdicts() -> Vec<Case> {
    let folder = here().join("../pure/corpus");
    let mut cases: Vec<Case> = files(&folder).iter().flat_map(|file| read(file)).collect();
    cases.retain(|case| !case.file.starts_with("mysql_"));
    for case in &mut cases {
        if case.file == "refused.txt"
            && let Some((_rule, text)) = case.text.split_once(' ')
        {
            case.text = text.to_owned();
        }
    }
    cases
}

/// A text, the same with a statement after it, and its first half.
pub fn variants(text: &str) -> [String; 3] {
    let half = text.chars().count() / 2;
    [text.to_owned(), format!("{text}\n; SELECT 1"), text.chars().take(half).collect()]
}

/// The statements of files as `psql` reads them: lines that begin with a backslash are commands to it.
pub fn of_psql(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for file in files(folder) {
        let content = String::from_utf8(std::fs::read(&file).unwrap()).unwrap_or_default();
        let lines = content.lines().filter(|line| !line.starts_with('\\'));
        let text = lines.collect::<Vec<_>>().join("\n");
        let mut rest = text.as_str();
        let mut lexed = Lexed::default();
        while let Some(end) = lexer::first_statement(Flags::POSTGRES, rest.as_bytes(), &mut lexed) {
            cases.push(Case { file: file.display().to_string(), text: rest[..end].trim().to_owned() });
            rest = &rest[end..];
        }
    }
    cases
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One text a line; in a file named `*.sql` a text goes up to a line of dashes.
fn read(file: &Path) -> Vec<Case> {
    let content = std::fs::read_to_string(file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let case = |text: &str| Case { file: name.clone(), text: text.to_owned() };
    if file.extension().is_some_and(|extension| extension == "sql") {
        content.split("\n----\n").map(|text| case(text.trim_end_matches('\n'))).collect()
    } else {
        content.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(case).collect()
    }
}
