//! What a wrong file says, and where.

use super::*;

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

/// Each client came back as a newcomer until no place was left, and was told that many logins are in progress; `check` said nothing.
#[test]
fn a_listener_is_not_its_own_server() {
    for (bind, server) in [
        ("127.0.0.1:6432", "127.0.0.1:6432"),
        ("127.0.0.1:6432", "localhost:6432"),
        ("0.0.0.0:6432", "127.0.0.1:6432"),
        ("[::]:5432", "::1"),
    ] {
        let problems = problems(&format!("[[listener]]\nbind = \"{bind}\"\nservers = [\"db1\", \"{server}\"]\n"));
        let [problem] = &problems[..] else { panic!("{server}: {problems:?}") };
        assert_eq!((problem.line, problem.key.as_str()), (Some(3), "listener[0].servers"), "{server}");
        assert!(problem.message.ends_with("is this listener itself"), "{problem}");
    }
    for (bind, server) in
        [("127.0.0.1:6432", "127.0.0.1:5432"), ("127.0.0.1:6432", "10.0.0.1:6432"), ("0.0.0.0:6432", "db1:6432")]
    {
        read(&format!("[[listener]]\nbind = \"{bind}\"\nservers = [\"{server}\"]\n")).unwrap();
    }
}

/// `known here` and a list of thirty keys did not say that the key was right, and its place was not.
#[test]
fn a_key_of_another_section_is_told_its_section() {
    for (text, key, advice) in [
        ("[[listener]]\ndrain_timeout = \"5s\"", "listener[0].drain_timeout", "it stands at the top level of the file"),
        ("[[listener]]\nmax_clients = 5", "listener[0].max_clients", "it stands in [caps]"),
        (
            "[caps]\nmax_server_connections = 5\n[[listener]]",
            "caps.max_server_connections",
            "it stands in [[listener]]",
        ),
        ("[caps.client]\nover = \"refuse\"\n[[listener]]", "caps.client.over", "it stands in [caps]"),
        ("[[listener]]\nmax_client_conn = 5", "listener[0].max_client_conn", "did you mean \"max_clients\" in [caps]?"),
        ("[[listener]]\naccess = []", "listener[0].access", "it stands at the top level of the file"),
    ] {
        let problem = problems(text).into_iter().next().unwrap();
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
