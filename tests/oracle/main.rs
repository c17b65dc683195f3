//! What Floodwall reads of a statement, held against PostgreSQL's own parser and against a server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod compare;
mod corpus;
mod generate;
mod ours;
mod theirs;
mod view;

use floodwall::sql::Strings;
use floodwall::sql::facts::STACK_BYTES;

/// Long statements need the stack that parsing asks for.
fn on_large_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn both_parsers_read_the_same() {
    on_large_stack(|| {
        let cases = corpus::all();
        let mut wrong = Vec::new();
        let (mut statements, mut scanned) = (0, 0);
        for case in &cases {
            match compare::compare(&case.text, Strings::Standard) {
                Ok(outcome) => {
                    statements += outcome.statements;
                    scanned += outcome.scanned;
                    wrong.extend(outcome.differences.iter().map(|difference| format!("{}: {}\n    {difference}", case.file, case.text)));
                }
                Err(error) => wrong.push(format!("{}: {}\n    does not parse: {error}", case.file, case.text)),
            }
        }
        println!("{} texts, {statements} statements, {scanned} of them not parsed but scanned", cases.len());
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    });
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
