//! `config.toml`: what it resolves to, and what it says where it is wrong.

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

const DEFAULT_FILE: &str = include_str!("../../config.toml");

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

// --- the default file

#[test]
fn default_file_resolves_to_the_defaults_in_code() {
    let loaded = read(DEFAULT_FILE).unwrap();
    assert_eq!(loaded.warnings.list, []);
    let mut config = loaded.config;
    // The two things that the file states and the code does not: a monitor, and the rules' own defaults.
    let monitor = config.listeners[0].monitor.take().unwrap();
    assert_eq!((monitor.user.as_str(), monitor.database.as_str(), monitor.password), ("floodwall", "postgres", None));
    config.rules.clear();
    assert_eq!(config, resolved(""));
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = resolved("");
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    assert_eq!(config.workers, 6);
    assert_eq!(config.limits.memory_bytes, 512 << 20);
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Text, "info"));
    assert_eq!(config.admin.http, Some(address("127.0.0.1:9300")));
    assert_eq!(config.admin.console, Some(address("127.0.0.1:9301")));
    assert_eq!(config.listeners[0].bind, address("127.0.0.1:6432"));
    assert_eq!(config.listeners[0].servers, ["127.0.0.1:5432"]);
    assert_eq!((config.caps.max_clients, config.caps.max_logins, config.caps.max_logins_per_address), (10_000, 50, 25));
    assert_eq!((config.caps.over, config.caps.queue_length), (Over::Queue, 1000));
    assert_eq!(config.caps.login_timeout, Duration::from_secs(15));
    assert_eq!(config.caps.queue_wait, Duration::from_secs(5));
    assert_eq!(config.caps.address_max_connections, 2000);
    assert_eq!(config.caps.client_key, [KeyPart::User, KeyPart::Database]);
    assert_eq!((config.caps.client.max_connections, config.caps.client.new_connections_per_second), (100, 500));
}

/// `#key = value` and `#[section]` are examples; `# Words` are words.
fn with_examples_switched_on() -> String {
    let is_example = |line: &str| {
        let rest = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty());
        rest.map(str::to_owned)
    };
    let lines =
        DEFAULT_FILE.lines().filter(|line| !line.starts_with("#password_file") && !line.starts_with("#key_file"));
    lines.map(|line| is_example(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn examples_of_the_default_file_are_valid() {
    let machine = Machine::with(&[("FLOODWALL_CONSOLE_PASSWORD", "s3cret"), ("FLOODWALL_BREAK_GLASS_KEY", GLASS_KEY)]);
    // The file's listener has no pools, whose keys would have no effect there: a pool needs another login.
    let of_pools = "has no effect: it belongs to pool = \"transaction\"";
    let mut loaded = read_on(&machine, &with_examples_switched_on()).unwrap();
    loaded.warnings.list.retain(|problem| problem.message != of_pools);
    assert_eq!(loaded.warnings.list, []);
    let config = loaded.config;
    assert_eq!(config.state_dir, Path::new("/var/lib/floodwall"));
    assert_eq!((config.admin.users[0].role, config.admin.users[0].password.reveal()), (Role::Admin, "s3cret"));
    assert_eq!(config.listeners[0].max_server_connections, Some(100));
    assert_eq!(config.clients.len(), 2);
    assert_eq!(config.clients[0].matches.addresses.len(), 2);
    assert!(config.clients[1].replication);
    assert_eq!(config.break_glass.unwrap().reveal(), GLASS_KEY);
}

#[test]
fn every_key_stands_in_the_default_file() {
    let sections = [
        "zzz=1\n[[listener]]\n[caps]\nzzz=1\n[caps.address]\nzzz=1\n[caps.client]\nzzz=1",
        "[limits]\nzzz=1\n[log]\nzzz=1\n[admin]\nzzz=1\n[[admin.user]]\nname=\"a\"\nzzz=1\n[[listener]]\nzzz=1",
        "[break_glass]\nzzz=1\n[[client]]\nname=\"a\"\nzzz=1\nmatch={zzz=1}\ncaps={zzz=1}\n[[listener]]\nmonitor={user=\"a\",zzz=1}",
    ];
    // Refused, without effect, or an array of tables that the file writes out.
    let unlisted = ["watch", "alert", "password", "key", "pool_size"];
    for text in sections {
        for problem in problems(text).iter().filter(|problem| problem.message == "unknown key") {
            let known = problem.advice.as_deref().and_then(|advice| advice.strip_prefix("known here: ")).unwrap();
            for key in known.split(", ").filter(|key| !unlisted.contains(key)) {
                let written = [format!("{key} ="), format!("{key}]"), format!("{key}.")];
                assert!(written.iter().any(|form| DEFAULT_FILE.contains(form)), "{}: {key}", problem.key);
            }
        }
    }
}

/// The benches run on files of their own.
#[test]
fn every_file_of_the_benches_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let users = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/users.toml");
    let text = include_str!("../../benches/compare/users.toml");
    let machine = Machine { files: [(users, text)].into(), ..Machine::default() };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        let loaded = config::load(&path, &machine, &any_rules).unwrap();
        // A checkout can't keep a file from being read by others.
        let told: Vec<_> = loaded.warnings.list.iter().filter(|problem| !problem.key.ends_with("users_file")).collect();
        assert!(told.is_empty(), "{}: {told:?}", path.display());
    }
}

// --- errors

#[test]
fn all_errors_come_at_once_by_line() {
    let text = "workers = -1\n[limits]\nmemory = \"5\"\n[[listener]]\nbind = \"localhost\"\nport = 3\n[caps]\nover = \"que\"\n";
    let found: Vec<_> = problems(text).into_iter().map(|problem| (problem.line.unwrap(), problem.key)).collect();
    let expected =
        [(1, "workers"), (3, "limits.memory"), (5, "listener[0].bind"), (6, "listener[0].port"), (8, "caps.over")];
    assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
}

#[test]
fn errors_print_with_file_line_and_key() {
    let error = config::read("[[listener]]\nbnd = 1\n", &Machine::default(), &any_rules).unwrap_err();
    assert_eq!(error.to_string(), "config:2: listener[0].bnd: unknown key; did you mean \"bind\"?");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    for (text, key, advice) in [
        ("[limts]\nmemory = \"1GiB\"", "limts", "did you mean \"limits\"?"),
        ("stat_dir = \"/x\"", "stat_dir", "did you mean \"state_dir\"?"),
        ("[caps]\nmax_client = 5", "caps.max_client", "did you mean \"max_clients\"?"),
        ("[caps.client]\nmax_conections = 5", "caps.client.max_conections", "did you mean \"max_connections\"?"),
        ("[admin]\nhtp = \"off\"", "admin.htp", "did you mean \"http\"?"),
        ("[log]\nlevl = \"info\"", "log.levl", "did you mean \"level\"?"),
        ("[[client]]\nname = \"a\"\nmatch = { usr = \"x\" }", "client[0].match.usr", "did you mean \"user\"?"),
        ("[log]\ncolour = true", "log.colour", "known here: format, level"),
        // As PgBouncer calls it.
        ("[caps]\nmax_client_conn = 5", "caps.max_client_conn", "did you mean \"max_clients\"?"),
    ] {
        let problem = only_problem(text);
        assert_eq!((problem.key.as_str(), problem.advice.as_deref()), (key, Some(advice)));
    }
}

#[test]
fn wrong_values_say_what_to_write() {
    for (text, key, says) in [
        ("workers = \"two\"", "workers", "expected a whole number, found string"),
        ("workers = 99999999", "workers", "out of range"),
        ("drain_timeout = 30", "drain_timeout", "as in \"15s\""),
        ("drain_timeout = \"2d\"", "drain_timeout", "longer than a day"),
        ("state_dir = \"\"", "state_dir", "must not be empty"),
        ("[limits]\nmemory = \"512MB\"", "limits.memory", "write \"512MiB\""),
        ("[limits]\nmemory = \"1MiB\"", "limits.memory", "at least 16MiB"),
        ("[log]\nlevel = \"infos\"", "log.level", "did you mean \"info\"?"),
        ("[log]\nformat = \"xml\"", "log.format", "known: text, json"),
        ("[caps]\nmax_clients = 0", "caps.max_clients", "0 does not mean unlimited"),
        ("[caps]\nlogin_timeout = \"0s\"", "caps.login_timeout", "longer than nothing"),
        ("[caps.client]\nkey = []", "caps.client.key", "must not be empty"),
        ("[caps.client]\nkey = [\"user\", \"user\"]", "caps.client.key", "\"user\" is there twice"),
        ("[caps.client]\nkey = [\"role\"]", "caps.client.key", "\"role\" is not known"),
        ("[caps.client]\nnew_connections_per_second = 0", "caps.client.new_connections_per_second", "at least 1"),
        ("caps = 5", "caps", "expected a table, found integer"),
        ("client = { name = \"a\" }", "client", "write it as [[client]]"),
        ("[[client]]\nname = \"a\"\nmatch = { address = \"10.1.0.0/33\" }", "client[0].match.address", "is no network"),
        ("[[client]]\nmatch = { user = \"x\" }", "client[0]", "needs a name"),
        ("[[client]]\nname = \"a\\nb\"", "client[0].name", "\"a\\nb\" is no name"),
    ] {
        let problem = only_problem(text);
        assert_eq!(problem.key, key);
        assert!(problem.to_string().contains(says), "{text}: {problem}");
        assert!(problem.line.is_some(), "{text}");
    }
}

#[test]
fn wrong_listeners_say_what_to_write() {
    for (text, key, says) in [
        ("bind = \"*:6432\"", "bind", "write an IP address and a port"),
        ("servers = []", "servers", "must not be empty"),
        ("servers = \"127.0.0.1:5432\"", "servers", "expected a list"),
        ("servers = [\"db:0\"]", "servers", "is no server"),
        ("servers = [\"db:5432:1\"]", "servers", "is no server"),
        ("servers = [\"a:1\", \"a:1\"]", "servers", "named twice"),
        ("server_check_interval = \"1ms\"", "server_check_interval", "at least 100ms"),
        ("proxy_protocol_from = [\"ten\"]", "proxy_protocol_from", "is no network"),
        ("servers = [\"/run/postgresql:0\"]", "servers", "is no server"),
        ("protocol = \"mysql\"", "protocol", "\"mysql\" is not in this version yet"),
        ("protocol = \"postgre\"", "protocol", "did you mean \"postgres\"?"),
        ("login = \"users\"", "login", "needs a file of users"),
        ("login = \"query\"", "login", "needs a role that may ask"),
        ("auth_query = \"SELECT 1\"", "auth_query", "names no user"),
        ("auth = { database = \"x\" }", "auth", "auth needs a user"),
        ("pool = \"transaction\"", "pool", "can't go with login = \"relay\""),
        ("pool = \"statement\"", "pool", "known: session, transaction"),
        // As PgBouncer calls them.
        ("pool_mode = \"transaction\"", "pool_mode", "did you mean \"pool\"?"),
        ("auth_type = \"scram-sha-256\"", "auth_type", "did you mean \"login\"?"),
        // What a faulty login was taken for is not told.
        ("login = \"user\"\npool = \"transaction\"", "login", "did you mean \"users\"?"),
        ("login = \"users\"\npool = \"transaction\"", "login", "needs a file of users"),
        ("min_pool_size = 21", "min_pool_size", "more than pool_size (20)"),
        ("client_tls = { mode = \"require\" }", "client_tls", "needs cert_file and key_file"),
        (
            "client_tls = { mode = \"verify\" }",
            "client_tls.mode",
            "known: disable, prefer, require, verify-ca, verify-full",
        ),
        ("server_tls = { mode = \"disable\", ca = \"x\" }", "server_tls.ca", "unknown key"),
        ("server_tls = { mode = \"verify-full\" }", "server_tls.mode", "needs ca_file"),
        ("server_tls = { mode = \"require\", key_file = \"x\" }", "server_tls.key_file", "cert_file is missing"),
        ("server_tls = { mode = \"allow\" }", "server_tls.mode", "\"prefer\" takes both"),
        ("server_tls = \"require\"", "server_tls", "expected a table"),
        (
            "server_tls = { mode = \"require\", protocols = [\"tlsv1.1\"] }",
            "server_tls.protocols",
            "nothing below TLS 1.2",
        ),
        ("server_tls = { mode = \"require\", protocols = \"tlsv1.3\" }", "server_tls.protocols", "expected a list"),
        (
            "server_tls = { mode = \"require\", protocols = [\"tls1.3\"] }",
            "server_tls.protocols",
            "did you mean \"tlsv1.3\"?",
        ),
        ("max_server_connections = 0", "max_server_connections", "at least 1"),
        ("monitor = { database = \"x\" }", "monitor", "needs a user"),
        ("monitor = { user = \"x\", password = \"y\" }", "monitor.password", "does not stand in this file"),
        ("monitor = { user = \"x\", password_env = \"NONE\" }", "monitor.password_env", "is not there"),
    ] {
        let list = problems(&format!("[[listener]]\n{text}\n"));
        assert_eq!(list.len(), 1, "{text}: {list:#?}");
        assert_eq!((list[0].key.clone(), list[0].line), (format!("listener[0].{key}"), Some(2)), "{text}");
        assert!(list[0].to_string().contains(says), "{text}: {}", list[0]);
    }
}

#[test]
fn later_sections_are_refused_as_not_there_yet() {
    for text in ["[watch.lock_wait]", "[[alert.webhook]]\nurl = \"http://127.0.0.1/\""] {
        assert!(only_problem(text).message.ends_with("is not in this version yet"), "{text}");
    }
}

#[test]
fn keys_of_later_modes_warn_in_session_mode() {
    let loaded = read("[[listener]]\npool_size = 20\nusers_file = \"users.toml\"\n").unwrap();
    let keys: Vec<_> = loaded.warnings.list.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    assert_eq!(keys, [(Some(2), "listener[0].pool_size"), (Some(3), "listener[0].users_file")]);
}

#[test]
fn a_relay_between_two_encrypted_legs_is_warned_about() {
    let shown = "cert_file = \"a\", key_file = \"b\"";
    let both = format!("client_tls = {{ mode = \"prefer\", {shown} }}\nserver_tls = {{ mode = \"require\" }}");
    let one = [both.replace("\"require\"", "\"disable\""), both.replace("\"prefer\"", "\"disable\"")];
    let warnings = |text: &str| read(&format!("[[listener]]\n{text}\n")).unwrap().warnings.list;
    let told = warnings(&both);
    assert_eq!((told.len(), told[0].key.as_str(), told[0].line), (1, "listener[0].server_tls", Some(3)));
    assert!(told[0].to_string().contains("channel_binding=disable"), "{}", told[0]);
    for text in one {
        assert_eq!(warnings(&text), [], "{text}");
    }
    let unused = "server_tls = { mode = \"require\", ca_file = \"x\" }";
    assert_eq!(warnings(unused)[0].key, "listener[0].server_tls.ca_file");
}

/// Each would learn all that the server has, so that nobody else would get in there.
#[test]
fn listeners_that_share_a_server_are_told_to_share_its_connections() {
    let two = |first: &str, second: &str| {
        let text = format!(
            "[[listener]]\nservers = [\"db1:5432\", \"db2:5432\"]\n{first}\n\
             [[listener]]\nname = \"b\"\nbind = \"127.0.0.1:7000\"\nservers = [\"db2:5432\"]\n{second}\n"
        );
        read(&text).unwrap().warnings.list
    };
    let bound = "max_server_connections = 40";
    for (first, second) in [("", ""), (bound, ""), ("", bound)] {
        let told = two(first, second);
        assert_eq!((told.len(), told[0].key.as_str()), (1, "listener[1].max_server_connections"));
        assert!(told[0].to_string().contains("listener \"main\" has the server db2:5432 as well"), "{}", told[0]);
    }
    assert_eq!(two(bound, bound), []);
}

#[test]
fn caps_that_bound_nothing_are_warned_about() {
    for (text, key) in [
        ("[caps]\nqueue_wait = \"16s\"", "caps.queue_wait"),
        ("[caps]\nmax_logins_per_address = 51", "caps.max_logins_per_address"),
    ] {
        let warnings = read(&with_listener(text)).unwrap().warnings.list;
        assert_eq!((warnings.len(), warnings[0].key.as_str(), warnings[0].line), (1, key, Some(2)));
    }
}

#[test]
fn a_file_without_a_listener_is_refused() {
    let list = problems("[caps]\nmax_clients = 5\n");
    assert_eq!(list.len(), 1);
    assert!(list[0].message.contains("no [[listener]] is given"));
}

#[test]
fn broken_syntax_is_told_with_its_line() {
    let list = problems("[[listener]]\nbind = \n");
    assert_eq!(list[0].line, Some(2), "{list:#?}");
    let twice = problems("[[listener]]\nname = \"a\"\nname = \"b\"\n");
    assert_eq!(twice[0].line, Some(3), "{twice:#?}");
}

// --- what must be unique, and who may reach it

#[test]
fn names_and_addresses_must_not_meet() {
    for (text, key) in [
        ("[[listener]]\n[[listener]]\nbind = \"127.0.0.1:1\"", "listener[1].name"),
        ("[[listener]]\n[[listener]]\nname = \"b\"", "listener[1].bind"),
        ("[[listener]]\n[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:6432\"", "listener[1].bind"),
        ("[[listener]]\nbind = \"127.0.0.1:9300\"", "listener[0].bind"),
        ("[[listener]]\n[admin]\nconsole = \"127.0.0.1:9300\"", "admin.console"),
        ("[[listener]]\n[[client]]\nname = \"a\"\n[[client]]\nname = \"a\"", "client[1].name"),
    ] {
        let keys: Vec<_> = problems(text).into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, [key], "{text}");
    }
}

#[test]
fn port_zero_never_meets_another() {
    let text = "[admin]\nhttp = \"127.0.0.1:0\"\nconsole = \"127.0.0.1:0\"\n[[listener]]\nbind = \"127.0.0.1:0\"\n";
    assert!(read(text).is_ok());
}

#[test]
fn addresses_for_others_want_credentials() {
    for key in ["http", "console"] {
        let text = format!("[admin]\n{key} = \"0.0.0.0:9400\"\n");
        assert_eq!(only_problem(&text).key, format!("admin.{key}"));
        let user = "[[admin.user]]\nname = \"sre\"\npassword_env = \"PW\"\n";
        assert!(read_on(&Machine::with(&[("PW", "x")]), &with_listener(&(text + user))).is_ok());
    }
    assert_eq!(resolved("[admin]\nhttp = \"off\"\nconsole = \"[::1]:9301\"").admin.http, None);
}

#[test]
fn admin_users_need_a_name_and_one_password() {
    let machine = Machine::with(&[("PW", "x")]);
    for (text, says) in [
        ("name = \"a\"", "needs a password"),
        ("password_env = \"PW\"", "needs a name"),
        ("name = \"a\"\npassword = \"open\"", "does not stand in this file"),
        ("name = \"a\"\npassword_env = \"PW\"\npassword_file = \"f\"", "keep one of the two"),
        ("name = \"a\"\npassword_file = \"f\"", "is not there"),
        ("name = \"a\"\npassword_env = \"PW\"\nrole = \"root\"", "known: admin, read"),
        ("name = \"a\"\npassword_env = \"PW\"\n[[admin.user]]\nname = \"a\"\npassword_env = \"PW\"", "earlier user"),
    ] {
        let list = read_on(&machine, &with_listener(&format!("[[admin.user]]\n{text}"))).unwrap_err().list;
        assert_eq!(list.len(), 1, "{text}: {list:#?}");
        assert!(list[0].to_string().contains(says), "{text}: {}", list[0]);
    }
}

#[test]
fn break_glass_needs_one_key_of_32_bytes() {
    let machine = Machine::with(&[("KEY", GLASS_KEY), ("SHORT", &GLASS_KEY[1..])]);
    let read_section = |text: &str| read_on(&machine, &with_listener(&format!("[break_glass]\n{text}")));
    assert_eq!(read_section("").unwrap().config.break_glass, None);
    let key = read_section("key_env = \"KEY\"").unwrap().config.break_glass.unwrap();
    assert!(floodwall::guard::pass::Key::new(key.reveal().as_bytes()).is_some(), "both sides agree on the length");
    for (text, says) in [
        ("key_env = \"SHORT\"", "break_glass.key_env: the key has 31 bytes"),
        ("key_env = \"NONE\"", "is not there"),
        ("key = \"open\"", "a key does not stand in this file; name its place in key_env or key_file"),
        ("key_env = \"KEY\"\nkey_file = \"f\"", "keep one of the two"),
        ("keyenv = \"KEY\"", "did you mean \"key_env\"?"),
    ] {
        let list = read_section(text).unwrap_err().list;
        assert_eq!(list.len(), 1, "{text}: {list:#?}");
        assert!(list[0].to_string().contains(says), "{text}: {}", list[0]);
    }
}

#[test]
fn application_name_may_only_tighten() {
    let entry = "[[client]]\nname = \"a\"\nmatch = { application_name = \"dump*\" }\n";
    assert!(read(&with_listener(&format!("{entry}caps = {{ max_connections = 3 }}"))).is_ok());
    assert_eq!(only_problem(&format!("{entry}rules = {{ mode = \"off\" }}")).key, "client[0].rules");
    assert_eq!(only_problem(&format!("{entry}replication = true")).key, "client[0].replication");
}

#[test]
fn an_entry_for_no_listener_is_warned_about() {
    let loaded = read(&with_listener("[[client]]\nname = \"a\"\nmatch = { listener = \"mian\" }")).unwrap();
    assert_eq!(loaded.warnings.list[0].key, "client[0].match.listener");
}

// --- values

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

// --- rules

#[test]
fn rule_errors_are_placed_in_the_file() {
    let text = "[[listener]]\n[rules]\nnotice = true\n[rules.bulk_write]\nmax_rows = -1\n\
                [[client]]\nname = \"a\"\nrules = { bulk_wriet = {} }\n[[client]]\nname = \"b\"\n";
    let seen = RefCell::new(Vec::new());
    let check = |table: RulesTable<'_>| {
        let (kind, path): (_, &[&str]) = match table {
            RulesTable::Base(table) => ("base", if table.is_empty() { &[] } else { &["bulk_write", "max_rows"] }),
            RulesTable::Override(table) => ("override", if table.is_empty() { &[] } else { &["bulk_wriet"] }),
        };
        seen.borrow_mut().push(kind);
        let path: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
        if path.is_empty() { Vec::new() } else { vec![SettingError { path, message: "no".to_owned() }] }
    };
    let error = config::read(text, &Machine::default(), &check).unwrap_err();
    let places: Vec<_> = error.list.iter().map(|problem| (problem.line.unwrap(), problem.key.as_str())).collect();
    assert_eq!(places, [(5, "rules.bulk_write.max_rows"), (8, "client[0].rules.bulk_wriet")]);
    assert_eq!(*seen.borrow(), ["override", "override", "base"]);
}

// --- secrets, rows, reload

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

/// What a file of users is said to be, with the key at which it is told.
fn users(text: &'static str) -> Result<Loaded, Problems> {
    let files = HashMap::from([("users.toml", text)]);
    let machine = Machine { files, ..Machine::with(&[("APP_PASSWORD", "from outside")]) };
    read_on(&machine, "[[listener]]\nlogin = \"users\"\nusers_file = \"users.toml\"\n")
}

const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

#[test]
fn a_file_of_users_says_who_may_log_in_and_never_shows_it() {
    let text = "[[user]]\nname = \"a\"\npassword = \"hunter2\"\nvalid_until = 1970-01-02T00:00:00Z\n\
                [[user]]\nname = \"b\"\npassword_env = \"APP_PASSWORD\"\n\
                [[user]]\nname = \"c\"\nmd5 = \"md5d41d8cd98f00b204e9800998ecf8427e\"\n";
    let config = users(text).unwrap().config;
    let Login::Users(found) = &config.listeners[0].login else { panic!("{:?}", config.listeners[0].login) };
    let secrets: Vec<_> = found.users.iter().map(|user| &user.secret).collect();
    let (a, b, c) = ("hunter2", "from outside", "md5d41d8cd98f00b204e9800998ecf8427e");
    let expected =
        [UserSecret::Password(Secret::new(a)), UserSecret::Password(Secret::new(b)), UserSecret::Md5(Secret::new(c))];
    assert_eq!(secrets, expected.iter().collect::<Vec<_>>());
    assert_eq!(found.users[0].valid_until, Some(86_400));
    let shown = format!("{config:?}{}", config.to_toml());
    assert!([a, b, c].iter().all(|secret| !shown.contains(secret)), "{shown}");
}

#[test]
fn what_is_wrong_with_a_file_of_users_is_told_with_its_line() {
    for (text, says) in [
        ("[[user]]\npassword = \"x\"\n", "users.toml:1: user[0]: a user needs a name"),
        ("[[user]]\nname = \"a\"\n", "users.toml:1: user[0]: a user needs a secret"),
        ("[[user]]\nname = \"a\"\npassword = \"\"\n", "users.toml:3: user[0].password: must not be empty"),
        (
            "[[user]]\nname = \"a\"\npassword = \"x\"\nmd5 = \"md5d41d8cd98f00b204e9800998ecf8427e\"\n",
            "users.toml:4: user[0].md5: password is given as well",
        ),
        ("[[user]]\nname = \"a\"\npassword = \"md5d41d8cd98f00b204e9800998ecf8427e\"\n", "is no password but a hash"),
        ("[[user]]\nname = \"a\"\nverifier = \"SCRAM-SHA-256$4096:x\"\n", "is no SCRAM verifier"),
        ("[[user]]\nname = \"a\"\nmd5 = \"x\"\n", "is no md5 hash"),
        ("[[user]]\nname = \"a\"\npassword = \"x\"\nvalid_until = \"tomorrow\"\n", "is no moment"),
        ("[[user]]\nname = \"a\"\npasword = \"x\"\n", "did you mean \"password\"?"),
        (
            "[[user]]\nname = \"a\"\npassword = \"x\"\n[[user]]\nname = \"a\"\npassword = \"x\"\n",
            "users.toml:5: user[1].name: \"a\" is the name of an earlier user",
        ),
        ("[[users]]\n", "users.toml:1: users: unknown key"),
        ("[[user]", "users.toml:1: "),
    ] {
        let problems = users(text).unwrap_err();
        let told = problems.to_string();
        assert!(told.contains(says) && told.contains("config:3: listener[0].users_file: "), "{text}: {told}");
    }
    assert!(users("[[user]]\nname = \"a\"\nverifier = \"x\"\n").is_err());
    let right: &'static str = format!("[[user]]\nname = \"a\"\nverifier = \"{VERIFIER}\"\n").leak();
    assert!(users(right).is_ok());
}

#[test]
fn the_monitor_asks_for_verifiers_unless_somebody_else_is_named() {
    let query = |rest: &str| {
        let text = format!("[[listener]]\nlogin = \"query\"\nmonitor = {{ user = \"m\", database = \"d\" }}\n{rest}");
        match read(&text).unwrap().config.listeners[0].login.clone() {
            Login::Query(query) => (query.user, query.database, query.query),
            other => panic!("{other:?}"),
        }
    };
    let (user, database, text) = query("");
    assert_eq!((user.as_str(), database.as_str()), ("m", "d"));
    assert!(text.contains("pg_catalog.pg_authid"), "{text}");
    let (user, database, text) = query("auth = { user = \"a\" }\nauth_query = \"SELECT * FROM f($1)\"\n");
    assert_eq!((user.as_str(), database.as_str(), text.as_str()), ("a", "postgres", "SELECT * FROM f($1)"));
}

#[test]
fn entries_of_access_are_read_in_their_order_and_mistakes_are_told() {
    let text = "[[access]]\nuser = \"a\"\nmethod = \"reject\"\n[[access]]\naddress = \"10.0.0.0/8\"\ntls = true\nmethod = \"reject\"\n";
    let loaded = read(&with_listener(text)).unwrap();
    assert_eq!(loaded.warnings.list, []);
    let access = loaded.config.access;
    assert_eq!((access.len(), access[0].user.as_str(), access[1].tls), (2, "a", Some(true)));
    assert_eq!(only_problem("[[access]]\nuser = \"a\"").key, "access[0]");
    assert!(only_problem("[[access]]\nmethod = \"skram\"").to_string().contains("did you mean \"scram\"?"));
    let warned = |text: &str| {
        let warnings = read(&with_listener(text)).unwrap().warnings.list;
        warnings.into_iter().map(|warning| (warning.key, warning.message)).collect::<Vec<_>>()
    };
    for (text, key, says) in [
        ("[[access]]\nmethod = \"trust\"", "access[0].method", "only lets in"),
        ("[[access]]\ntls = true\nmethod = \"scram\"", "access[0].tls", "never applies"),
        ("[[access]]\nmethod = \"cert\"", "access[0].method", "checks the certificates"),
    ] {
        let warnings = warned(text);
        assert!(warnings.iter().any(|(at, message)| at == key && message.contains(says)), "{text}: {warnings:?}");
    }
}
