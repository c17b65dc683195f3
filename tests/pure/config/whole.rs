//! The file that comes with Floodwall, and those of the benches.

use super::*;

const DEFAULT_FILE: &str = include_str!("../../../config.toml");

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
    // Another way to say the same, and what the file's listener can't do, since it leaves logins to the server.
    let others = ["#password_file", "#key_file", "#user = \"app_reader\"", "#password_env = \"APP_READER_PASSWORD\""];
    let lines = DEFAULT_FILE.lines().filter(|line| !others.iter().any(|other| line.starts_with(other)));
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
    assert_eq!(config.databases.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["app_ro"]);
    assert_eq!((config.pools.len(), config.pools[0].size), (1, Some(5)));
    assert_eq!(config.break_glass.unwrap().reveal(), GLASS_KEY);
}

#[test]
fn every_key_stands_in_the_default_file() {
    let sections = [
        "zzz=1\n[[listener]]\n[caps]\nzzz=1\n[caps.address]\nzzz=1\n[caps.client]\nzzz=1",
        "[limits]\nzzz=1\n[log]\nzzz=1\n[admin]\nzzz=1\n[[admin.user]]\nname=\"a\"\nzzz=1\n[[listener]]\nzzz=1",
        "[[listener]]\n[[pool]]\nzzz=1\nmatch={zzz=1}",
        "[[listener]]\n[[database]]\nname=\"a\"\nzzz=1",
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
    let text = include_str!("../../../benches/compare/users.toml");
    let machine = Machine { files: [(users, text)].into(), ..Machine::default() };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        let loaded = config::load(&path, &machine, &any_rules).unwrap();
        // A checkout can't keep a file from being read by others.
        let told: Vec<_> = loaded.warnings.list.iter().filter(|problem| !problem.key.ends_with("users_file")).collect();
        assert!(told.is_empty(), "{}: {told:?}", path.display());
    }
}
