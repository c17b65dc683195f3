//! The command line: what it prints and how it exits, where no server is needed.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::SystemTime;

use floodwall::guard::pass;

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
    assert!(text(&output.stderr).contains(":2: warning: listener[0].pool_size: has no effect"));
}

/// As most would write it; it was an unexpected argument.
#[test]
fn a_configuration_may_be_named_without_config() {
    let (_folder, path) = file("workers = -1\n[[listener]]\n");
    let path = path.to_str().unwrap();
    for arguments in [&["check", path][..], &["run", path], &["check", "-c", path], &["run", "--config", path]] {
        let output = floodwall(arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).starts_with(&format!("{path}:1: workers: ")), "{}", text(&output.stderr));
    }
    assert_eq!(floodwall(&["check", path, "--config", path], &[]).status.code(), Some(2));
}

/// Only `users_file` was looked at.
#[test]
fn check_warns_of_secrets_that_everybody_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = file(
        "[[admin.user]]\nname = \"sre\"\npassword_file = \"secret\"\n[break_glass]\nkey_file = \"secret\"\n[[listener]]\n\
         monitor = { user = \"m\", password_file = \"secret\" }\n\
         client_tls = { mode = \"prefer\", cert_file = \"a.crt\", key_file = \"secret\" }\n",
    );
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap();
    std::fs::write(folder.path().join("a.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, key.serialize_pem()).unwrap();
    let told = |mode| {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stderr).to_owned()
    };
    let open = told(0o644);
    for key in [
        "3: warning: admin.user[0].password_file",
        "5: warning: break_glass.key_file",
        "7: warning: listener[0].monitor.password_file",
        "8: warning: listener[0].client_tls.key_file",
    ] {
        assert!(open.contains(&format!("{}:{key}: {}", path.display(), secret.display())), "{key}: {open}");
    }
    assert_eq!((open.matches("chmod 640 or 600").count(), told(0o640).as_str()), (4, ""));
}

/// As `floodwall ctl SHOW CLIENTS`, which was an unexpected argument.
#[test]
fn a_command_for_the_console_needs_no_quotes_and_who_is_not_there_is_told_of_by_the_key() {
    let (_folder, path) = file("state_dir = \"none\"\n[admin]\nconsole = \"127.0.0.1:1\"\n[[listener]]\n");
    for words in [&["SHOW CLIENTS"][..], &["SHOW", "CLIENTS"]] {
        let output = floodwall(&[&["ctl", "--config", path.to_str().unwrap()], words].concat(), &[]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("no console answers at 127.0.0.1:1") && told.contains("--config"), "{told}");
    }
}

#[test]
fn run_does_not_start_with_a_wrong_file() {
    let (_folder, path) = file("workers = -1\n[[listener]]\n");
    let output = floodwall(&["run", "--config", path.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(":1: workers: "));
}

#[test]
fn a_file_of_pgbouncer_is_met_with_one_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pgbouncer.ini");
    std::fs::write(&path, "[databases]\n* = host=db\n[pgbouncer]\nlisten_addr = *\npool_mode = session\n").unwrap();
    let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[]);
    let told = text(&output.stderr);
    assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains(&format!("floodwall import {} --output config.toml", path.display())), "{told}");
}

/// What only the use of a value shows is told like any other mistake: by file, line and key.
#[test]
fn files_of_tls_that_cannot_be_used_are_told_by_key_and_line() {
    let (folder, path) = file(
        "[[listener]]\nbind = \"127.0.0.1:0\"\nclient_tls = { mode = \"require\", cert_file = \"gone.crt\", key_file = \"a.key\" }\n\
         [[listener]]\nname = \"b\"\nbind = \"127.0.0.1:0\"\n[listener.server_tls]\nmode = \"verify-ca\"\nca_file = \"empty\"\n",
    );
    std::fs::write(folder.path().join("empty"), "").unwrap();
    for command in ["check", "run"] {
        let output = floodwall(&[command, "--config", path.to_str().unwrap()], &[]);
        let (told, folder) = (text(&output.stderr), folder.path().display());
        assert_eq!(output.status.code(), Some(1), "{told}");
        let first = format!(
            "{}:3: listener[0].client_tls.cert_file: {folder}/gone.crt: cannot read it: No such file",
            path.display()
        );
        let second =
            format!("{}:9: listener[1].server_tls.ca_file: {folder}/empty: no certificate in PEM form", path.display());
        assert!(told.contains(&first) && told.contains(&second), "{command}: {told}");
    }
}

#[test]
fn check_warns_of_a_certificate_that_has_ended() {
    let (folder, path) =
        file("[[listener]]\nclient_tls = { mode = \"prefer\", cert_file = \"old.crt\", key_file = \"old.key\" }\n");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    std::fs::write(folder.path().join("old.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.path().join("old.key"), key.serialize_pem()).unwrap();
    let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(":2: warning: listener[0].client_tls.cert_file: the certificate has expired"), "{told}");
}

/// It was shown to everybody, and nobody was told why peers stayed away.
#[test]
fn check_warns_of_a_certificate_that_does_not_hold_yet() {
    let (folder, path) =
        file("[[listener]]\nclient_tls = { mode = \"prefer\", cert_file = \"new.crt\", key_file = \"new.key\" }\n");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2098, 1, 1);
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    std::fs::write(folder.path().join("new.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.path().join("new.key"), key.serialize_pem()).unwrap();
    let output = floodwall(&["check", "--config", path.to_str().unwrap()], &[]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let warning = ":2: warning: listener[0].client_tls.cert_file: the certificate is not valid yet, it begins in ";
    assert!(told.contains(warning), "{told}");
}

#[test]
fn run_tells_which_address_is_taken_and_where_it_stands() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let table = [
        (format!("bind = \"{address}\""), "3: listener[0].bind: "),
        (format!("bind = \"127.0.0.1:0\"\n[admin]\nconsole = \"off\"\nhttp = \"{address}\""), "6: admin.http: "),
        (format!("bind = \"127.0.0.1:0\"\n[admin]\nconsole = \"{address}\""), "5: admin.console: "),
    ];
    for (keys, place) in table {
        let (_folder, path) = file(&format!("state_dir = \"state\"\n[[listener]]\n{keys}\n"));
        let output = floodwall(&["run", "--config", path.to_str().unwrap()], &[]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        let place = format!("{}:{place}", path.display());
        assert!(told.contains(&place) && told.contains("another process listens there"), "{told}");
    }
}

#[test]
fn judge_exits_with_2_where_it_has_no_verdict() {
    for arguments in [
        &["judge", "/nowhere.sql"][..],
        &["judge", "--config", "/nowhere.toml", "-"],
        &["judge"],
        &["judge", "--fail-on", "sometimes", "-"],
    ] {
        let output = floodwall(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn judge_exits_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, sql).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (refused, warned, fine) =
        (path("r.sql", "DELETE FROM t"), path("w.sql", "SELECT * FROM t"), path("f.sql", "SELECT 1"));
    for (file, fail_on, code) in [
        (&refused, "refuse", 1),
        (&refused, "warn", 1),
        (&refused, "never", 0),
        (&warned, "refuse", 0),
        (&warned, "warn", 1),
        (&fine, "warn", 0),
    ] {
        let output = floodwall(&["judge", "--fail-on", fail_on, file], &[]);
        assert_eq!(output.status.code(), Some(code), "{file} --fail-on {fail_on}: {}", text(&output.stderr));
    }
    let output = floodwall(&["judge", &fine, &refused], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&floodwall(&["judge", &fine], &[]).stdout)
            .ends_with("1 statement: 0 would be refused, 0 would pass with a warning\n")
    );
    assert!(text(&output.stdout).ends_with("2 statements: 1 would be refused, 0 would pass with a warning\n"));
    let export = path("export.csv", "query,calls\nSELECT 1,oops\n");
    let output = floodwall(&["judge", &export], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("export.csv:2: \"calls\" is no number"), "{}", text(&output.stderr));
    let output = floodwall(&["judge", "gone.sql"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "gone.sql: cannot be read: No such file or directory (os error 2)\n");
    let help = floodwall(&["judge", "--help"], &[]);
    assert!(
        text(&help.stdout).contains("floodwall judge statements.csv") && text(&help.stdout).contains("Exit code: 0")
    );
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

const GLASS_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A configuration that is wrong elsewhere, and whose other secrets are not at hand.
const GLASS: &str =
    "workers = -1\n[break_glass]\nkey_env = \"KEY\"\n[[listener]]\nmonitor = { user = \"m\", password_env = \"PW\" }\n";

/// `floodwall pass` with these arguments behind those that every pass needs.
fn signed(config: &str, arguments: &[&str], key: &str) -> Output {
    let (_folder, path) = file(config);
    let common = ["pass", "--config", path.to_str().unwrap(), "--user", "django", "--reason", "INC-7"];
    floodwall(&[&common[..], arguments].concat(), &[("KEY", key)])
}

#[test]
fn pass_prints_a_comment_that_holds() {
    let arguments = ["--rule", "unbounded_select,bulk_write", "--database", "shop", "--for", "10m"];
    let output = signed(GLASS, &arguments, GLASS_KEY);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let comment = text(&output.stdout).trim_end();
    let head = "/* floodwall: allow=bulk_write,unbounded_select user=django database=shop until=";
    assert!(comment.starts_with(head) && comment.ends_with(" */"), "{comment}");
    assert!(!comment.contains(GLASS_KEY));
    let key = pass::Key::new(GLASS_KEY.as_bytes()).unwrap();
    let bearer = pass::Bearer { user: "django", database: "shop" };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let read = pass::Pass::verify(pass::find(comment.as_bytes()).unwrap(), &key, bearer, now).unwrap();
    assert_eq!((read.rules, read.reason.as_str()), (vec!["bulk_write", "unbounded_select"], "INC-7"));
    assert!((now + 540..=now + 600).contains(&read.until), "{} at {now}", read.until);
}

#[test]
fn pass_exits_with_1_without_a_key_and_with_2_for_wrong_arguments() {
    let right = ["--rule", "bulk_write", "--for", "10m"];
    for (config, key, says) in [
        ("[[listener]]\n", GLASS_KEY, "has no key"),
        (GLASS, "short", "break_glass.key_env: "),
        (GLASS, &GLASS_KEY[1..], "the key has 31 bytes"),
    ] {
        let output = signed(config, &right, key);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{says}");
        assert!(text(&output.stderr).contains(says), "{says}: {}", text(&output.stderr));
    }
    for (arguments, says) in [
        (["--rule", "bulk_writes", "--for", "10m"], "the rules are unfiltered_write, bulk_write"),
        (["--rule", "bulk_write", "--for", "10"], "is no duration"),
        (["--rule", "bulk_write", "--for", "25h"], "write a time from 1s to 1d"),
        (["--rule", "bulk_write", "--for", "1ms"], "write a time from 1s to 1d"),
    ] {
        let output = signed(GLASS, &arguments, GLASS_KEY);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{says}");
        assert!(text(&output.stderr).contains(says), "{says}: {}", text(&output.stderr));
    }
}

#[test]
fn pass_teaches_with_examples() {
    let output = floodwall(&["pass", "--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    for told in ["floodwall pass --rule unfiltered_write", "at most 24h", "psql -h 127.0.0.1", "Exits with 1"] {
        assert!(text(&output.stdout).contains(told), "{told}");
    }
}
