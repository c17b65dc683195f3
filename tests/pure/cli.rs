//! The command line: what it prints and how it exits, where no server is needed.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the program with no environment but what is given.
fn floodwall(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodwall"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A file in a folder that goes away with the first of the pair.
fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floodwall.toml");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn check_prints_what_a_file_resolves_to_without_its_secrets() {
    let (_folder, path) = file("[[listener]]\nmonitor = { user = \"m\", password_env = \"PW\" }\n");
    let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[("PW", "hunter2")]);
    assert_eq!(output.status.code(), Some(0));
    let printed = text(&output.stdout);
    assert!(printed.contains("max_clients = 10000\n") && printed.contains("password = \"***\""), "{printed}");
    assert!(!printed.contains("hunter2") && output.stderr.is_empty(), "{printed}");
}

#[test]
fn check_tells_every_error_and_exits_with_1() {
    let (_folder, path) = file("workers = -1\n[caps]\nmax_client = 3\n[[listener]]\nlogin = \"users\"\n");
    let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let lines: Vec<_> = text(&output.stderr).lines().collect();
    let expected =
        ["1: workers: ", "3: caps.max_client: unknown key; did you mean \"max_clients\"?", "5: listener[0].login: "];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, end) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("{}:{end}", path.display())), "{line}");
    }
}

#[test]
fn check_warns_and_still_accepts() {
    let (_folder, path) = file("[[listener]]\npool_size = 20\n");
    let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("listener[0].pool_size: has no effect"));
}

#[test]
fn run_does_not_start_with_a_wrong_file() {
    let (_folder, path) = file("workers = -1\n[[listener]]\n");
    let output = floodwall(&["run", "--config", path.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(":1: workers: "));
}

#[test]
fn judge_exits_with_2_where_it_has_no_verdict() {
    for arguments in [&["judge", "/nowhere.sql"][..], &["judge", "--config", "/nowhere.toml", "-"]] {
        let output = floodwall(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn ctl_says_where_no_console_answers() {
    let (folder, path) = file("state_dir = \"state\"\n[admin]\nconsole = \"127.0.0.1:1\"\n[[listener]]\n");
    let output = floodwall(&["ctl", "--config", path.to_str().unwrap(), "SHOW CLIENTS"], &[]);
    drop(folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no console answers at 127.0.0.1:1"), "{}", text(&output.stderr));
}

#[test]
fn ctl_finds_the_console_of_a_file_that_is_wrong_elsewhere() {
    let content = "state_dir = \"state\"\n[admin]\nconsole = \"127.0.0.1:1\"\n[caps]\nmax_client = 3\n";
    let (_folder, path) = file(content);
    let output = floodwall(&["ctl", "--config", path.to_str().unwrap(), "SHOW CLIENTS"], &[]);
    assert!(text(&output.stderr).contains("no console answers at 127.0.0.1:1"), "{}", text(&output.stderr));
    let (_folder, path) = file("[admin]\nconsole = 5\n");
    let output = floodwall(&["ctl", "--config", path.to_str().unwrap(), "SHOW CLIENTS"], &[]);
    assert!(text(&output.stderr).contains(":2: admin.console: "), "{}", text(&output.stderr));
}

#[test]
fn help_teaches_with_examples() {
    let output = floodwall(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    for example in
        ["floodwall check --config", "floodwall run --config", "floodwall ctl 'SHOW CLIENTS'", "floodwall judge"]
    {
        assert!(text(&output.stdout).contains(example), "{example}");
    }
}
