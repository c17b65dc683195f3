//! What Floodwall reads of a statement, held against PostgreSQL's own parser and against a server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod compare;
mod corpus;
mod generate;
mod ours;
mod server;
mod support;
mod theirs;
mod view;

use floodwall::sql::facts::{self, STACK_BYTES};
use floodwall::sql::lexer::{self, Marks};
use floodwall::sql::{Flags, Strings, Verb};

use server::{Answer, Server};

/// Long statements need the stack that parsing asks for.
fn on_large_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn both_parsers_read_the_same() {
    on_large_stack(|| {
        let cases = corpus::all();
        assert!(cases.len() >= 2_000, "{} texts are too few", cases.len());
        let mut wrong = Vec::new();
        let (mut statements, mut scanned) = (0, 0);
        for case in &cases {
            match compare::compare(&case.text, Strings::Standard) {
                Ok(outcome) => {
                    statements += outcome.statements;
                    scanned += outcome.scanned;
                    let told = outcome.differences.iter().map(|it| format!("{}: {}\n    {it}", case.file, case.text));
                    wrong.extend(told);
                }
                Err(error) => wrong.push(format!("{}: {}\n    does not parse: {error}", case.file, case.text)),
            }
        }
        println!("{} texts, {statements} statements, {scanned} of them not parsed but scanned", cases.len());
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// What the guard's own tests judge, and everything once more with backslashes that escape. Not all of it is SQL.
#[test]
fn both_parsers_read_verdict_corpora_and_escapes_the_same() {
    on_large_stack(|| {
        let verdicts = corpus::verdicts();
        let standard = verdicts.iter().map(|case| (case, Strings::Standard));
        let all = corpus::all();
        let escapes = all.iter().chain(&verdicts).map(|case| (case, Strings::Escapes));
        let mut wrong = Vec::new();
        let mut read = 0;
        for (case, strings) in standard.chain(escapes) {
            let Ok(outcome) = compare::compare(&case.text, strings) else { continue };
            read += 1;
            wrong.extend(outcome.differences.iter().map(|it| format!("{}: {}\n    {it}", case.file, case.text)));
        }
        assert!(read >= 2_000, "only {read} texts could be read");
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// A known difference that is none any more has no place in the list.
#[test]
fn known_differences_are_differences() {
    on_large_stack(|| {
        for known in compare::KNOWN {
            let found = compare::unfiltered(known.text, Strings::Standard).unwrap().differences;
            let expected = |difference: &String| difference.starts_with(known.field);
            assert!(found.iter().any(expected), "{}: {} ({})", known.text, known.field, known.harmless_since);
        }
    });
}

/// A server refuses a Parse of more than one statement: it must be so exactly where the lexer splits a text.
#[test]
fn a_server_splits_texts_where_the_lexer_does() {
    let cluster = support::cluster::Cluster::start(&[]);
    let port = cluster.port;
    on_large_stack(move || {
        let mut wrong = Vec::new();
        let mut asked = 0;
        for strings in [Strings::Standard, Strings::Escapes] {
            let mut server = Server::connect(port, strings);
            let flags = Flags::POSTGRES.with_strings(strings);
            for case in corpus::all().iter().chain(&corpus::verdicts()) {
                let [whole, followed, half] = corpus::variants(&case.text);
                for (text, form) in [(whole, Form::Written), (followed, Form::Written), (half, Form::Broken)] {
                    asked += 1;
                    let answer = server.parse(&text);
                    let found = contradiction(&text, form, flags, &answer);
                    wrong.extend(found.map(|what| format!("{text}\n    {what}: {answer:?}")));
                }
            }
        }
        println!("asked a server about {asked} texts");
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Whether a text was written by somebody, or is what was left of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Written,
    Broken,
}

/// How the lexer and the facts contradict a server. That they read what it does not is fine.
fn contradiction(text: &str, form: Form, flags: Flags, answer: &Answer) -> Option<String> {
    let lexed = lexer::lex(flags, text.as_bytes());
    let pieces: Vec<_> = lexed.pieces.iter().filter(|piece| piece.verb != Verb::Empty).collect();
    let open = pieces.iter().any(|piece| piece.marks.has(Marks::UNTERMINATED));
    let unread = form == Form::Written && facts::parse(&lexed).unreadable().is_some();
    match answer {
        Answer::One if pieces.len() > 1 => Some(format!("{} statements", pieces.len())),
        Answer::Several if pieces.len() < 2 => Some(format!("{} statements", pieces.len())),
        Answer::One | Answer::Several if open => Some("not terminated".to_owned()),
        Answer::One | Answer::Several if unread && !compare::is_known_unread(text) => Some("not parsed".to_owned()),
        _ => None,
    }
}

/// For looking at other texts by hand: FLOODWALL_ORACLE_FILES names a folder of files as `psql` reads them, such as
/// PostgreSQL's own regression suite.
#[test]
#[ignore = "wants a folder of files"]
fn files_of_others_are_read_the_same() {
    let folder = std::env::var("FLOODWALL_ORACLE_FILES").unwrap();
    on_large_stack(move || {
        let cases = corpus::of_psql(folder.as_ref());
        let (mut read, mut invalid, mut scanned, mut different) = (0, 0, 0, 0);
        for case in &cases {
            match compare::compare(&case.text, Strings::Standard) {
                Ok(outcome) => {
                    read += outcome.statements;
                    scanned += outcome.scanned;
                    different += usize::from(!outcome.differences.is_empty());
                    for difference in outcome.differences {
                        println!("{}: {}\n    {difference}", case.file, case.text);
                    }
                    if outcome.scanned > 0 {
                        println!("{}: {}\n    scanned", case.file, case.text);
                    }
                }
                Err(error) => {
                    invalid += 1;
                    println!("{}: {}\n    invalid: {error}", case.file, case.text);
                }
            }
        }
        println!("{read} statements, {invalid} texts with a syntax error, {scanned} scanned, {different} differ");
    });
}
