//! `config.toml`: what it resolves to, and what it says where it is wrong.

mod databases;
mod logins;
mod pools;
mod warned;
mod whole;
mod wrong;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use floodwall::config::{
    self, Config, KeyPart, Loaded, LogFormat, Login, Over, Problem, Problems, Role, RulesTable, Secret, SecretSource,
    SettingError, Surroundings, UserSecret,
};
use proptest::prelude::*;

/// As short as a key may be.
const GLASS_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A machine that exists only in a test.
#[derive(Default)]
struct Machine {
    variables: HashMap<&'static str, &'static str>,
    files: HashMap<&'static str, &'static str>,
    root: bool,
}

impl Machine {
    fn with(variables: &[(&'static str, &'static str)]) -> Self {
        Self { variables: variables.iter().copied().collect(), ..Self::default() }
    }
}

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|text| (*text).to_owned())
    }

    fn secret(&self, source: &SecretSource) -> Result<Secret, String> {
        let found = match source {
            SecretSource::Env(name) => self.variables.get(name.as_str()),
            SecretSource::File(path) => self.files.get(path.to_str().unwrap()),
        };
        found.map(|text| Secret::new(*text)).ok_or_else(|| format!("{source:?} is not there"))
    }

    fn is_root(&self) -> bool {
        self.root
    }

    fn cores(&self) -> usize {
        6
    }
}

fn any_rules(_: RulesTable<'_>) -> Vec<SettingError> {
    Vec::new()
}

fn read_on(machine: &Machine, text: &str) -> Result<Loaded, Problems> {
    config::read(text, machine, &any_rules)
}

fn read(text: &str) -> Result<Loaded, Problems> {
    read_on(&Machine::default(), text)
}

/// The one listener that a file needs, in front of the text.
fn with_listener(text: &str) -> String {
    format!("{text}\n[[listener]]\n")
}

fn resolved(text: &str) -> Config {
    read(&with_listener(text)).unwrap().config
}

fn problems(text: &str) -> Vec<Problem> {
    read(text).unwrap_err().list
}

/// The only error of a text that has a listener.
fn only_problem(text: &str) -> Problem {
    let mut list = problems(&with_listener(text));
    assert_eq!(list.len(), 1, "{list:#?}");
    list.remove(0)
}

#[test]
fn addresses_of_a_match_are_networks() {
    let networks = |text: &str| {
        let config = resolved(&format!("[[client]]\nname = \"a\"\nmatch = {{ address = {text} }}"));
        config.clients[0].matches.addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(networks("\"10.1.2.3/16\""), ["10.1.0.0/16"]);
    assert_eq!(networks("[\"10.1.2.3\", \"fd00::1\"]"), ["10.1.2.3/32", "fd00::1/128"]);
}

#[test]
fn servers_may_leave_the_port_out() {
    for (text, server) in [("db.internal", "db.internal:5432"), ("::1", "[::1]:5432"), ("[::1]:6", "[::1]:6")] {
        let config = read(&format!("[[listener]]\nservers = [\"{text}\"]")).unwrap().config;
        assert_eq!(config.listeners[0].servers, [server]);
    }
}

#[test]
fn half_of_the_logins_may_come_from_one_address() {
    for (max, each) in [(1, 1), (2, 1), (9, 4), (50, 25)] {
        assert_eq!(resolved(&format!("[caps]\nmax_logins = {max}")).caps.max_logins_per_address, each);
    }
    assert_eq!(resolved("[caps]\nmax_logins_per_address = 7").caps.max_logins_per_address, 7);
}

#[test]
fn state_goes_to_the_system_for_root_and_home_for_others() {
    let state_dir = |machine: &Machine| read_on(machine, "[[listener]]").unwrap().config.state_dir;
    let home = ("HOME", "/home/a");
    assert_eq!(state_dir(&Machine { root: true, ..Machine::with(&[home]) }), Path::new("/var/lib/floodwall"));
    assert_eq!(state_dir(&Machine::with(&[home])), Path::new("/home/a/.local/state/floodwall"));
    assert_eq!(state_dir(&Machine::with(&[home, ("XDG_STATE_HOME", "/s")])), Path::new("/s/floodwall"));
    assert_eq!(
        state_dir(&Machine::with(&[home, ("XDG_STATE_HOME", "s")])),
        Path::new("/home/a/.local/state/floodwall")
    );
    assert_eq!(state_dir(&Machine::default()), Path::new("/var/lib/floodwall"));
}

#[test]
fn files_are_loaded_with_paths_from_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pw"), "s3cret\n").unwrap();
    let path = folder.path().join("f.toml");
    let text = "state_dir = \"state\"\n[[listener]]\nmonitor = { user = \"m\", password_file = \"pw\" }\n";
    std::fs::write(&path, text).unwrap();
    let config = config::load(&path, &config::Process::WithSecrets, &any_rules).unwrap().config;
    assert_eq!(config.state_dir, folder.path().join("state"));
    assert_eq!(config.listeners[0].monitor.as_ref().unwrap().password.as_ref().unwrap().reveal(), "s3cret");

    std::fs::remove_file(folder.path().join("pw")).unwrap();
    let error = config::load(&path, &config::Process::WithSecrets, &any_rules).unwrap_err();
    assert_eq!((error.list[0].line, error.list[0].key.as_str()), (Some(3), "listener[0].monitor.password_file"));
    assert!(config::load(&path, &config::Process::WithoutSecrets, &any_rules).is_ok());
    let missing = config::load(&PathBuf::from("/nowhere/f.toml"), &config::Process::WithSecrets, &any_rules);
    assert!(missing.unwrap_err().to_string().starts_with("/nowhere/f.toml: cannot read it"));
}

#[test]
fn secrets_show_nowhere() {
    let machine = Machine::with(&[("PW", "hunter2"), ("KEY", GLASS_KEY)]);
    let text = "break_glass.key_env = \"KEY\"\n[[admin.user]]\nname = \"sre\"\npassword_env = \"PW\"\n[[listener]]\nmonitor = { user = \"m\", password_env = \"PW\" }\n";
    let config = read_on(&machine, text).unwrap().config;
    let shown = format!("{config:?}\n{}\n{:?}", config.to_toml(), config.rows());
    assert!(!shown.contains("hunter2") && !shown.contains(GLASS_KEY), "{shown}");
    assert!(config.rows().contains(&("break_glass.key".to_owned(), "***".to_owned())));
    assert!(config.rows().contains(&("admin.user.sre.password".to_owned(), "***".to_owned())));
}

#[test]
fn rows_name_what_the_file_numbers() {
    let config = resolved("[[client]]\nname = \"web\"\nmatch = { user = \"django\" }\ncaps = { max_connections = 60 }");
    let rows: HashMap<_, _> = config.rows().into_iter().collect();
    for (key, value) in [
        ("workers", "6"),
        ("caps.max_clients", "10000"),
        ("caps.client.key", "[\"user\", \"database\"]"),
        ("caps.login_timeout", "15s"),
        ("limits.memory", "512MiB"),
        ("limits.guard_time", "50ms"),
        ("listener.main.bind", "127.0.0.1:6432"),
        ("listener.main.max_server_connections", "(learnt from the server)"),
        ("client.web.caps", "{ max_connections = 60 }"),
    ] {
        assert_eq!(rows.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[test]
fn printed_configuration_reads_back() {
    let text = "state_dir = \"/var/lib/x\"\nworkers = 3\n[admin]\nhttp = \"off\"\n[log]\nformat = \"json\"\n\
                [[listener]]\nallow_trust = true\nmax_server_connections = 9\nmonitor = { user = \"a \\\"b\\\"\" }\n\
                [caps.client]\nkey = [\"address\"]\n[rules]\nmode = \"warn\"\nbulk_write.max_rows = 7\n\
                [[client]]\nname = \"a b\"\nmatch = { user = \"*x\", address = \"10.0.0.0/8\" }\nreplication = true\n\
                caps = { max_connections = 3 }\nrules = { bulk_write = { mode = \"off\" } }\n";
    let config = read(text).unwrap().config;
    let printed = config.to_toml();
    assert_eq!(read(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}")).config, config, "{printed}");
}

#[test]
fn restart_is_needed_for_what_is_bound_or_sized_at_start() {
    let old = resolved("");
    for (text, expected) in [
        ("", &[][..]),
        ("workers = 2", &["workers"]),
        ("state_dir = \"/x\"", &["state_dir"]),
        ("[limits]\nmemory = \"1GiB\"", &["limits.memory"]),
        ("[limits]\nguard_time = \"1s\"", &["limits.guard_time"]),
        ("[log]\nformat = \"json\"", &["log.format"]),
        ("[admin]\nhttp = \"off\"\nconsole = \"127.0.0.1:1\"", &["admin.http", "admin.console"]),
        ("drain_timeout = \"1s\"\n[caps]\nmax_clients = 5\n[rules]\nmode = \"warn\"\n[log]\nlevel = \"debug\"", &[]),
    ] {
        assert_eq!(Config::needs_restart(&old, &resolved(text)), expected, "{text}");
    }
    let moved = read("[[listener]]\nbind = \"127.0.0.1:1\"\n[[listener]]\nname = \"b\"").unwrap().config;
    assert_eq!(Config::needs_restart(&old, &moved), ["listener.main.bind", "listener.b (added)"]);
    assert_eq!(Config::needs_restart(&moved, &old), ["listener.main.bind", "listener.b (removed)"]);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "([a-z_]{1,9}(\\.[a-z]{1,5})? ?= ?[-0-9a-z\"\\[\\]{}=, ]{0,12}\n|\\[{1,2}(caps|listener|client|admin|rules)(\\.[a-z]{1,6})?\\]{1,2}\n){0,8}") {
        let _ = read(&text);
    }

    #[test]
    fn any_caps_read_back(clients in 1usize..10_000_000, wait_ms in 0u64..86_400_000, rate in 1u32..10_000_000) {
        let mut config = resolved("");
        config.caps.max_clients = clients;
        config.caps.queue_wait = Duration::from_millis(wait_ms);
        config.caps.client.new_connections_per_second = rate;
        prop_assert_eq!(read(&config.to_toml()).unwrap().config, config);
    }
}
