//! `floodwall import`: configurations of PgBouncer as people have them, and what becomes of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use floodwall::import::{Failed, Imported, import};
use toml::Table;

type Files<'a> = &'a [(&'a str, &'a str)];

fn imported(files: Files<'_>, userlist: Option<&str>) -> Result<Imported, Failed> {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
    let read = |path: &Path| {
        files.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    import(Path::new("/etc/pgb/pgbouncer.ini"), userlist.map(Path::new), &read)
}

/// One file; its configuration as a table, and its notes as `line: key`.
fn of(ini: &str) -> (Table, Vec<String>) {
    let imported = imported(&[("/etc/pgb/pgbouncer.ini", ini)], None).unwrap();
    (table(&imported.config), notes(&imported))
}

fn table(text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn secret(imported: &Imported, file: &str) -> Option<String> {
    imported.secrets.iter().find(|(name, _)| name == file).map(|(_, text)| text.clone())
}

fn notes(imported: &Imported) -> Vec<String> {
    imported.notes.iter().map(|note| format!("{}: {}", note.place.line, note.key)).collect()
}

fn listener(config: &Table, index: usize) -> &Table {
    config["listener"].as_array().unwrap()[index].as_table().unwrap()
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table[key].as_str().unwrap()
}

const DEBIAN: &str = "\
;;; the file that packages install, with a database
[databases]
shop = host=10.0.0.5 port=5433 dbname=shop
* = host=10.0.0.5 port=5433
[pgbouncer]
logfile = /var/log/postgresql/pgbouncer.log
pidfile = /var/run/postgresql/pgbouncer.pid
listen_addr = localhost
listen_port = 6432
unix_socket_dir = /var/run/postgresql
auth_type = scram-sha-256
auth_file = userlist.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = 25
ignore_startup_parameters = extra_float_digits
server_reset_query = DISCARD ALL
";

const USERLIST: &str = "\
; comment
\"app\" \"earlier\"
\"app\" \"SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy\"
\"old\" \"md50123456789abcdef0123456789abcdef\"
\"quo\"\"te\" \"pa\"\"ss\\word\"
\"empty\" \"\"
";

#[test]
fn the_file_of_a_package_becomes_one_listener_with_its_users() {
    let files = [("/etc/pgb/pgbouncer.ini", DEBIAN), ("/etc/pgb/userlist.txt", USERLIST)];
    let imported = imported(&files, None).unwrap();
    let config = table(&imported.config);
    assert_eq!(config["listener"].as_array().unwrap().len(), 1);
    let listener = listener(&config, 0);
    for (key, value) in [
        ("bind", "127.0.0.1:6432"),
        ("login", "users"),
        ("users_file", "users.toml"),
        ("pool", "transaction"),
        ("unix_socket", "/var/run/postgresql"),
        ("query_wait_timeout", "120s"),
        ("server_lifetime", "3600s"),
        ("server_idle_timeout", "600s"),
    ] {
        assert_eq!(text(listener, key), value, "{key}");
    }
    assert_eq!(listener["servers"].as_array().unwrap()[0].as_str(), Some("10.0.0.5:5433"));
    assert_eq!(listener["pool_size"].as_integer(), Some(25));
    assert_eq!(text(listener["client_tls"].as_table().unwrap(), "mode"), "disable");
    assert_eq!(text(listener["server_tls"].as_table().unwrap(), "mode"), "prefer");
    assert_eq!(config["caps"]["max_clients"].as_integer(), Some(500));
    assert_eq!(config["caps"]["client"]["max_connections"].as_integer(), Some(500));
    assert_eq!(config["rules"]["mode"].as_str(), Some("warn"));
    assert_eq!(
        notes(&imported),
        ["6: logfile", "7: pidfile", "12: auth_file", "12: auth_file", "17: server_reset_query"]
    );

    let users = table(&secret(&imported, "users.toml").unwrap());
    let user = |index: usize| users["user"].as_array().unwrap()[index].as_table().unwrap().clone();
    assert_eq!(text(&user(0), "verifier"), "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy");
    assert_eq!(text(&user(1), "md5"), "md50123456789abcdef0123456789abcdef");
    assert_eq!((text(&user(2), "name"), text(&user(2), "password")), ("quo\"te", "pa\"ss\\word"));
    // A user without a password, and the earlier of two lines for one user, are none.
    assert_eq!(users["user"].as_array().unwrap().len(), 3);
}

/// `auth_type = scram-sha-256` keeps users with an md5 hash out; the import gave them md5.
#[test]
fn who_is_asked_for_scram_alone_gets_in_by_nothing_weaker() {
    let methods = |auth_type: &str| {
        let ini = DEBIAN.replace("auth_type = scram-sha-256", auth_type);
        let files = [("/etc/pgb/pgbouncer.ini", ini.as_str()), ("/etc/pgb/userlist.txt", USERLIST)];
        let config = table(&imported(&files, None).unwrap().config);
        let entries = config.get("access").map(|entries| entries.as_array().unwrap().clone()).unwrap_or_default();
        entries.iter().map(|rule| rule["method"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(methods("auth_type = scram-sha-256"), [""; 0]);
    assert_eq!(methods("auth_type = md5"), ["md5", "scram"]);
    assert_eq!(methods(""), ["md5", "scram"]);
}

#[test]
fn databases_of_other_servers_get_listeners_of_their_own_and_those_of_another_mode_an_entry() {
    let (config, told) = of("\
[databases]
a = host=db1 pool_size=5 max_db_connections=10
b = host=db1 pool_size=7 max_db_connections=20
c = host=db2 port=6000
d = host=db1 pool_mode=session
[pgbouncer]
listen_addr = *
listen_port = 7000
pool_mode = transaction
auth_query = SELECT 1
auth_user = asker
auth_dbname = admin
");
    let binds: Vec<_> = (0..2).map(|index| text(listener(&config, index), "bind").to_owned()).collect();
    assert_eq!(
        (binds, config["listener"].as_array().unwrap().len()),
        (vec!["0.0.0.0:7000".into(), "0.0.0.0:7001".into()], 2)
    );
    let first = listener(&config, 0);
    // Each has what it had; all others of the listener what is usual.
    assert_eq!(first["pool_size"].as_integer(), Some(20));
    let pools: Vec<_> = config["pool"].as_array().unwrap().iter().map(toml::Value::to_string).collect();
    assert_eq!(
        pools,
        [
            "{ match = { database = \"a\", listener = \"main\" }, max_db_connections = 10, pool_size = 5 }",
            "{ match = { database = \"b\", listener = \"main\" }, max_db_connections = 20, pool_size = 7 }",
            "{ match = { database = \"d\", listener = \"main\" }, pool = \"session\" }"
        ]
    );
    // What nothing bounded, nothing bounds.
    assert_eq!((first.get("max_server_connections"), first.get("max_db_connections")), (None, None));
    assert_eq!((text(first, "login"), text(first, "auth_query")), ("query", "SELECT 1"));
    let auth = first["auth"].as_table().unwrap();
    assert_eq!((text(auth, "user"), text(auth, "database")), ("asker", "admin"));
    assert_eq!(text(auth, "password_env"), "FLOODWALL_AUTH_PASSWORD");
    assert_eq!((text(first, "pool"), text(listener(&config, 1), "pool")), ("transaction", "transaction"));
    let expected = ["4: c", "5: d pool_mode", "7: listen_addr", "11: auth_user"];
    assert_eq!(told, expected);
}

#[test]
fn what_has_no_equivalent_is_told_by_key_and_line() {
    let (config, told) = of("\
[databases]
report = dbname=shop user=ro password='it''s' connect_query='SET x = 1'
pair = host=a,b
[users]
batch = pool_mode=session max_user_client_connections=3
[pgbouncer]
pool_mode = statement
auth_type = pam
reserve_pool_size = 5
max_client_conn = lots
frobnicate = 1
query_timeout = 2.5
idle_transaction_timeout = 30
query_wait_timeout = 0
client_tls_sslmode = allow
client_tls_key_file = /k
client_tls_cert_file = /c
[peers]
1 = host=x
");
    let expected = [
        "2: report connect_query",
        "2: report host",
        "2: report user",
        "3: pair",
        "3: pair host",
        "7: pool_mode",
        "8: auth_type",
        "9: reserve_pool_size",
        "10: max_client_conn",
        "11: frobnicate",
        "14: query_wait_timeout",
        "15: client_tls_sslmode",
        "19: 1",
    ];
    let mut told = told;
    told.dedup();
    assert_eq!(told, expected);
    assert_eq!(config["rules"]["statement_timeout"]["limit"].as_str(), Some("2500ms"));
    assert_eq!(config["rules"]["idle_transaction_timeout"]["limit"].as_str(), Some("30s"));
    assert!(config["rules"].get("transaction_timeout").is_none());
    let tls = listener(&config, 0)["client_tls"].as_table().unwrap();
    assert_eq!((text(tls, "mode"), text(tls, "cert_file"), text(tls, "key_file")), ("prefer", "/c", "/k"));
    assert_eq!(config["client"][0]["caps"]["max_connections"].as_integer(), Some(3));
}

#[test]
fn a_user_whose_pool_mode_is_that_of_all_needs_no_listener_of_its_own() {
    let told = |user: &str| {
        let text = format!("[databases]\n* = host=db\n[users]\napp = {user}\n[pgbouncer]\npool_mode = transaction\n");
        of(&(text + "auth_user = asker\nauth_query = SELECT $1\n")).1
    };
    assert!(!told("pool_mode=transaction").contains(&"4: app pool_mode".to_owned()));
    assert!(told("pool_mode=session").contains(&"4: app pool_mode".to_owned()));
}

#[test]
fn included_files_are_part_of_it() {
    let files = [
        ("/etc/pgb/pgbouncer.ini", "[pgbouncer]\nlisten_port = 1\n%include more/dbs.ini\n"),
        ("/etc/pgb/more/dbs.ini", "listen_port = 5000\n[databases]\n\"odd name\" = host=::1\n"),
    ];
    let imported = imported(&files, None).unwrap();
    let config = table(&imported.config);
    assert_eq!(text(listener(&config, 0), "bind"), "127.0.0.1:5000");
    assert_eq!(listener(&config, 0)["servers"][0].as_str(), Some("[::1]:5432"));
    assert!(imported.config.contains("# For odd name."));
}

/// As the operators of Crunchy and Percona write it. PgBouncer 1.18 and 1.26 run such a file in session mode.
#[test]
fn a_second_section_begins_from_the_defaults_again() {
    let files = [
        (
            "/etc/pgb/pgbouncer.ini",
            "[pgbouncer]\n%include own.ini\n[pgbouncer]\nauth_query = SELECT f($1)\nlisten_addr = ::1\n\
             [databases]\n'of one' = host=a\n[databases]\n* = host=a\n",
        ),
        ("/etc/pgb/own.ini", "[pgbouncer]\npool_mode = transaction\nauth_user = asker\nlisten_addr = 127.0.0.1\n"),
    ];
    let imported = imported(&files, None).unwrap();
    let config = table(&imported.config);
    let listener = listener(&config, 0);
    assert_eq!((text(listener, "pool"), text(listener, "bind")), ("session", "[::1]:6432"));
    assert_eq!(text(listener["auth"].as_table().unwrap(), "user"), "asker");
    assert!(imported.config.contains("# For of one, every other database."), "{}", imported.config);
    let told: Vec<_> = imported.notes.iter().filter(|note| note.advice.contains("no effect")).collect();
    let lines: Vec<_> = told.iter().map(|note| (note.place.line, note.key.as_str())).collect();
    assert_eq!(lines, [(2, "pool_mode"), (4, "listen_addr")]);
    assert!(told.iter().all(|note| note.place.file == Path::new("/etc/pgb/own.ini")));
}

#[test]
fn the_user_that_asks_for_passwords_keeps_the_one_that_it_had() {
    let ini = "[databases]\n* = host=db\n[pgbouncer]\nauth_user = asker\nauth_file = userlist.txt\nauth_query = SELECT f($1)\n";
    let import = |users: &str| {
        let files = [("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/userlist.txt", users)];
        let imported = imported(&files, None).unwrap();
        let auth = listener(&table(&imported.config), 0)["auth"].as_table().unwrap().to_string();
        (auth, secret(&imported, "auth.password"))
    };
    let variable = "password_env = \"FLOODWALL_AUTH_PASSWORD\"\nuser = \"asker\"\n";
    let table = [
        (
            "\"app\" \"x\"\n\"asker\" \"it's \"\"so\"\"\"\n",
            "password_file = \"auth.password\"\nuser = \"asker\"\n",
            Some("it's \"so\""),
        ),
        ("\"app\" \"x\"\n", "user = \"asker\"\n", None),
        ("\"asker\" \"\"\n", "user = \"asker\"\n", None),
        ("\"asker\" \"md594f6dfa9ce48919dd181f96e6e406c5f\"\n", variable, None),
        ("\"asker\" \"SCRAM-SHA-256$4096:x$y:z\"\n", variable, None),
    ];
    for (users, auth, password) in table {
        assert_eq!(import(users), (auth.to_owned(), password.map(str::to_owned)), "{users}");
    }
}

/// As the operator of Zalando writes it.
#[test]
fn the_user_that_asks_for_all_databases_asks_for_the_listener() {
    let ini = |last: &str, more: &str| {
        let databases = format!("* = host=db auth_user=pooler\npostgres = host=db auth_user={last}");
        format!("[databases]\n{databases}\n[pgbouncer]\npool_mode = transaction\nauth_dbname = own\n{more}")
    };
    let (config, told) = of(&ini("pooler", "auth_query = SELECT f($1)\n"));
    let auth = listener(&config, 0)["auth"].as_table().unwrap();
    assert_eq!((text(auth, "user"), text(auth, "database")), ("pooler", "own"));
    assert_eq!(told, ["2: * auth_user"]);
    // Where they differ, or a file knows the users, nobody can say who is meant.
    let (config, told) = of(&ini("other", "auth_query = SELECT f($1)\n"));
    assert!(!listener(&config, 0).contains_key("auth"));
    assert_eq!(told, ["2: * auth_user", "3: postgres auth_user", "7: auth_query"]);
    let users = ini("pooler", "auth_file = userlist.txt\n");
    let files = [("/etc/pgb/pgbouncer.ini", users.as_str()), ("/etc/pgb/userlist.txt", "\"app\" \"secret\"\n")];
    let config = table(&imported(&files, None).unwrap().config);
    assert_eq!(text(listener(&config, 0), "login"), "users");
}

/// PgBouncer lets in nobody that it does not know; whoever named a user, `postgres` itself, was let in on trust.
#[test]
fn who_is_asked_for_nothing_has_to_be_known() {
    let entries = |more: &str, userlist: &str| {
        let ini =
            format!("[databases]\n* = host=db\n[pgbouncer]\nauth_file = userlist.txt\nauth_hba_file = hba\n{more}");
        let hba = "host all all 127.0.0.1/32 trust\nhostssl all all all cert\nhost all all all scram-sha-256\n";
        let files = [("/etc/pgb/pgbouncer.ini", &*ini), ("/etc/pgb/userlist.txt", userlist), ("/etc/pgb/hba", hba)];
        let config = table(&imported(&files, None).unwrap().config);
        let part =
            |entry: &toml::Value, key: &str| entry.get(key).map_or("*", |part| part.as_str().unwrap()).to_owned();
        let entries = config["access"].as_array().unwrap().iter();
        entries.map(|entry| [part(entry, "user"), part(entry, "method")].join(" ")).collect::<Vec<_>>()
    };
    let two = "\"web\" \"\"\n\"app\" \"x\"\n\"app\" \"y\"\n\"s*\" \"\"\n";
    assert_eq!(entries("auth_type = trust\n", two), ["app trust", "web trust"]);
    assert_eq!(entries("auth_type = cert\n", two), ["app cert", "web cert"]);
    assert_eq!(entries("auth_type = trust\n", ""), ["* reject"]);
    let lines = ["app trust", "web trust", "app cert", "web cert", "* scram"];
    let lines: Vec<_> =
        entries("auth_type = hba\n", two).into_iter().filter(|entry| lines.contains(&&**entry)).collect();
    assert_eq!(lines, ["app trust", "web trust", "app cert", "web cert", "* scram"]);
    // Those that the server is asked for are known as well, and `any` takes whatever name.
    assert_eq!(entries("auth_type = trust\nauth_user = asker\n", two), ["* trust"]);
    assert_eq!(entries("auth_type = any\n", two), ["* trust"]);
}

/// It ends sessions at RECONNECT, which nothing here does: that went without a word.
#[test]
fn a_session_that_keeps_its_server_is_told() {
    let told = |value: &str| of(&format!("[databases]\n* = host=db\n[pgbouncer]\nserver_fast_close = {value}\n")).1;
    assert_eq!(told("1"), ["4: server_fast_close"]);
    assert_eq!(told("0"), Vec::<String>::new());
}

/// What is written behind the sign of a comment can be used as it is.
#[test]
fn the_entry_for_replication_can_be_used_as_it_is() {
    let imported =
        imported(&[("/etc/pgb/pgbouncer.ini", "[databases]\n* = host=db\n[pgbouncer]\nauth_type = md5\n")], None);
    let config = imported.unwrap().config;
    let entry = config.split_inclusive('\n').skip_while(|line| !line.starts_with("#[[client]]")).take(4);
    let entry = table(&entry.map(|line| &line[1..]).collect::<String>());
    assert_eq!(entry["client"][0]["replication"].as_bool(), Some(true));
}

#[test]
fn who_comes_on_trust_needs_no_password() {
    let told = |method: &str| {
        let ini = format!("[databases]\n* = host=db\n[pgbouncer]\nauth_file = userlist.txt\nauth_type = {method}\n");
        let files = [("/etc/pgb/pgbouncer.ini", ini.as_str()), ("/etc/pgb/userlist.txt", "\"app\" \"\"\n")];
        notes(&imported(&files, None).unwrap())
    };
    assert_eq!(told("trust"), Vec::<String>::new());
    assert_eq!(told("md5"), ["4: auth_file"]);
}

#[test]
fn what_pgbouncer_has_by_itself_is_told_beside_the_listener() {
    let (config, told) = of("[databases]\n* = host=db,db\n[pgbouncer]\nlisten_addr = *\n");
    assert_eq!((text(listener(&config, 0), "bind"), told), ("0.0.0.0:6432", vec!["4: listen_addr".to_owned()]));
    // A server that is named twice is one.
    assert_eq!(listener(&config, 0)["servers"].as_array().unwrap().len(), 1);
    let remarked = |dir: &str| {
        let ini = format!("[databases]\n* = host=db\n[pgbouncer]\n{dir}");
        let files = [("/etc/pgb/pgbouncer.ini", ini.as_str())];
        imported(&files, None).unwrap().config.contains("#unix_socket = ")
    };
    assert!(remarked("") && !remarked("unix_socket_dir =\n") && !remarked("unix_socket_dir = /run/pg\n"));
}

#[test]
fn what_pgbouncer_would_not_take_is_an_error_with_its_line() {
    let told = |files: Files<'_>, userlist| imported(files, userlist).unwrap_err().to_string();
    let ini = |text| [("/etc/pgb/pgbouncer.ini", text)];
    assert_eq!(told(&ini("[x\n"), None), "/etc/pgb/pgbouncer.ini:1: a section without its \"]\"");
    assert!(told(&ini("\nno key\n"), None).starts_with("/etc/pgb/pgbouncer.ini:2: neither"));
    assert!(told(&ini("%include gone.ini\n"), None).starts_with("/etc/pgb/gone.ini: cannot be read"));
    assert!(told(&ini("%include pgbouncer.ini\n"), None).contains("too deep"));
    assert!(told(&ini("[pgbouncer]\n"), Some("/users.txt")).starts_with("/users.txt: cannot be read"));
    assert!(told(&ini("[pgbouncer]\n"), None).ends_with("so there is no server to stand in front of"));
    let broken = [("/etc/pgb/pgbouncer.ini", ""), ("/u.txt", "\"a\" \"secret")];
    let error = told(&broken, Some("/u.txt"));
    assert!(error.starts_with("/u.txt:1: ") && !error.contains("secret"), "{error}");
}

#[test]
fn without_anybodys_password_the_server_checks_it() {
    let (config, told) = of("[databases]\n* = host=db\n[pgbouncer]\npool_mode = transaction\n");
    assert_eq!((text(listener(&config, 0), "login"), text(listener(&config, 0), "pool")), ("relay", "session"));
    assert_eq!(told, ["4: pool_mode"]);
    let (config, _) = of("[databases]\n* = host=db\n[pgbouncer]\nauth_type = trust\nauth_file = gone.txt\n");
    assert_eq!(text(listener(&config, 0), "login"), "users");
    assert_eq!(config["access"][0]["method"].as_str(), Some("trust"));
}

#[test]
fn no_file_is_written_over_and_none_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("pgbouncer.ini"), DEBIAN).unwrap();
    std::fs::write(path("userlist.txt"), USERLIST).unwrap();
    let run = |output: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floodwall"));
        command.arg("import").arg(path("pgbouncer.ini"));
        if output {
            command.arg("--output").arg(path("config.toml"));
        }
        command.env_clear().output().unwrap()
    };
    let printed = run(false);
    assert_eq!(printed.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&printed.stdout).contains("pa\\\"ss") && !path("users.toml").exists());
    let told = String::from_utf8(printed.stderr).unwrap();
    assert!(told.contains("pgbouncer.ini:6: logfile: ") && told.contains("it takes --output"), "{told}");
    let written = run(true);
    assert_eq!(written.status.code(), Some(0));
    // It ended without a word of what it had written, and where.
    let told = String::from_utf8(written.stderr).unwrap();
    let (config, users) = (path("config.toml").display().to_string(), path("users.toml").display().to_string());
    assert!(
        told.ends_with(&format!("written: {config}, {users}\nnext: floodwall check --config {config}\n")),
        "{told}"
    );
    assert_eq!(std::fs::read(path("config.toml")).unwrap(), printed.stdout);
    for name in ["config.toml", "users.toml"] {
        assert_eq!(std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let again = run(true);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("users.toml: cannot be written"));
}

#[test]
fn timeouts_and_versions_of_tls_are_taken_over_and_no_zero_is() {
    let ini = |more: &str| {
        let pool = "auth_user = asker\npool_mode = transaction\n";
        format!("[databases]\n* = host=db pool_size=0\n[pgbouncer]\n{pool}{more}")
    };
    let (config, told) = of(&ini("client_idle_timeout = 90\nserver_connect_timeout = 2.5\n\
                                  client_tls_protocols = tlsv1.3\nserver_tls_protocols = tlsv1.1, tlsv1.2\n"));
    let first = listener(&config, 0);
    assert_eq!((text(first, "client_idle_timeout"), text(first, "server_connect_timeout")), ("90s", "2500ms"));
    let protocols = |side: &str| first[side]["protocols"].as_array().unwrap().clone();
    assert_eq!(protocols("client_tls")[0].as_str(), Some("tlsv1.3"));
    assert_eq!((protocols("server_tls").len(), protocols("server_tls")[0].as_str()), (1, Some("tlsv1.2")));
    assert_eq!(told, ["2: * pool_size", "4: auth_user", "9: server_tls_protocols"]);
    let (config, told) = of(&ini("max_prepared_statements = 0\ndefault_pool_size = 0\nmax_client_conn = 0\n\
                                  client_idle_timeout = 0\ndisable_pqexec = 1\n"));
    let first = listener(&config, 0);
    assert_eq!((first["max_prepared_statements"].as_integer(), first["pool_size"].as_integer()), (Some(200), Some(20)));
    assert_eq!(config["caps"]["max_clients"].as_integer(), Some(100));
    assert!(first.get("client_idle_timeout").is_none() && first["server_tls"].get("protocols").is_none());
    let expected = [
        "2: * pool_size",
        "4: auth_user",
        "6: max_prepared_statements",
        "7: default_pool_size",
        "8: max_client_conn",
        "10: disable_pqexec",
    ];
    assert_eq!(told, expected);
}

/// What a large site has: sockets, exceptions for users and databases, several processes on one port.
#[test]
fn what_holds_for_one_user_or_database_becomes_an_exception() {
    let (config, told) = of("\
[databases]
shop = max_db_client_connections=40
bank = host=/run/pg port=5433 max_db_client_connections=0
cold = host=@hidden
* = host=/var/run/postgresql max_db_client_connections=9
[users]
report = query_timeout=300 idle_transaction_timeout=0 max_user_client_connections=5
batch = transaction_timeout=1.5 client_idle_timeout=7 pool_size=3
idle = max_user_client_connections=0
[pgbouncer]
unix_socket_dir = /var/run/postgresql
so_reuseport = 1
max_user_client_connections = 60
auth_query = SELECT * FROM find($1)
auth_user = asker
");
    let servers: Vec<_> = (0..3).map(|index| listener(&config, index)["servers"][0].as_str().unwrap()).collect();
    assert_eq!(servers, ["/var/run/postgresql", "/run/pg:5433", "127.0.0.1:5432"]);
    assert_eq!(config["listener"].as_array().unwrap().len(), 3);
    let clients: Vec<_> = config["client"].as_array().unwrap().iter().map(|client| client.to_string()).collect();
    assert_eq!(clients.len(), 3, "{clients:?}");
    assert_eq!(config["client"][0]["match"]["database"].as_str(), Some("shop"));
    assert_eq!(config["client"][0]["caps"]["max_connections"].as_integer(), Some(40));
    assert_eq!(config["client"][1]["match"]["user"].as_str(), Some("report"));
    assert_eq!(config["client"][1]["caps"]["max_connections"].as_integer(), Some(5));
    assert_eq!(config["client"][1]["rules"]["statement_timeout"]["limit"].as_str(), Some("300s"));
    assert_eq!(config["client"][2]["rules"]["transaction_timeout"]["limit"].as_str(), Some("1500ms"));
    assert_eq!(config["caps"]["client"]["key"][0].as_str(), Some("user"));
    assert_eq!(config["caps"]["client"]["max_connections"].as_integer(), Some(60));
    let expected = [
        "2: shop host",
        "3: bank",
        "4: cold",
        "4: cold host",
        "5: * max_db_client_connections",
        "8: batch",
        "8: batch client_idle_timeout",
        "12: so_reuseport",
        "14: auth_query",
        "15: auth_user",
    ];
    assert_eq!(told, expected);
}

#[test]
fn lines_of_the_hba_file_become_access_entries_and_what_differs_is_told() {
    let hba = "\
# who may
local   all  all  peer
host    all  \"big boss\",admin  10.1.0.0/16  scram-sha-256   # a comment
hostssl shop app  2001:db8::/32  cert map=people
host    shop,bank  all  192.168.1.0  255.255.255.0  md5
host    all  +ops  all  trust
host    sameuser  all  all  reject
host    all  all  db.example  md5
hostnossl all all all reject
host    replication all 127.0.0.1/32 trust
host    all all ::1 ldap ldapserver=x
local   all  app  md5
";
    let ini = "[databases]\n* = host=db\n[pgbouncer]\nauth_type = hba\nauth_hba_file = hba.conf\nauth_user = asker\n";
    let imported = imported(&[("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/hba.conf", hba)], None).unwrap();
    let config = table(&imported.config);
    let entries: Vec<_> = config["access"].as_array().unwrap().iter().map(|entry| entry.to_string()).collect();
    let expected = [
        "{ address = \"127.0.0.1/32\", method = \"scram\" }",
        "{ address = \"10.1.0.0/16\", method = \"scram\", user = \"big boss\" }",
        "{ address = \"10.1.0.0/16\", method = \"scram\", user = \"admin\" }",
        "{ address = \"2001:db8::/32\", database = \"shop\", method = \"cert\", tls = true, user = \"app\" }",
        "{ address = \"192.168.1.0/24\", database = \"shop\", method = \"md5\" }",
        "{ address = \"192.168.1.0/24\", database = \"bank\", method = \"md5\" }",
        "{ method = \"reject\" }",
        "{ method = \"reject\", tls = false }",
        "{ address = \"127.0.0.1/32\", method = \"md5\", user = \"app\" }",
    ];
    assert_eq!(entries, expected);
    let told: Vec<_> = imported.notes.iter().map(|note| (note.place.line, note.advice.contains("left out"))).collect();
    let expected = [(2, false), (4, false), (6, true), (7, false), (8, true), (10, true), (11, true), (12, false)];
    assert_eq!(told, [expected.as_slice(), &[(6, false)]].concat());

    // An empty file lets nobody in, as it does with PgBouncer, and so does one that is not there, which is told.
    let empty = [("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/hba.conf", "# nobody\n")];
    assert_eq!(table(&self::imported(&empty, None).unwrap().config)["access"][0]["method"].as_str(), Some("reject"));
    let (config, told) = of(ini);
    assert_eq!(config["access"].as_array().unwrap().len(), 1);
    assert_eq!(config["access"][0]["method"].as_str(), Some("reject"));
    assert!(told.contains(&"4: auth_type".to_owned()), "{told:?}");
}

/// Of a line with both, only the pattern was told.
#[test]
fn names_that_are_not_mapped_are_told_beside_all_else() {
    let ini = "[databases]\n* = host=db\n[pgbouncer]\nauth_type = hba\nauth_hba_file = hba.conf\nauth_user = asker\n";
    let hba = "hostssl all \"web*\",app all cert map=people\n";
    let imported = imported(&[("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/hba.conf", hba)], None).unwrap();
    let told = imported.notes.iter().find(|note| note.advice.contains("names are not mapped")).map(|note| &note.advice);
    assert!(
        told.is_some_and(|told| told.len() > "names are not mapped: a certificate has to name the user itself".len()),
        "{:?}",
        imported.notes
    );
}

/// Without that, whoever goes on asking the first port would be pooled in another manner, or get what PgBouncer would not have let it see.
#[test]
fn a_listener_lets_in_the_databases_that_were_declared_for_it_and_no_others() {
    let entries = |ini: &str, userlist: Option<&str>| {
        let mut files = vec![("/etc/pgb/pgbouncer.ini", ini)];
        files.extend(userlist.map(|users| ("/etc/pgb/users", users)));
        let imported = imported(&files, None).unwrap();
        let config = table(&imported.config);
        let entries = config.get("access").map(|entries| entries.as_array().unwrap().clone()).unwrap_or_default();
        entries
            .iter()
            .map(|entry| {
                let part = |key: &str| entry.get(key).map_or("*", |part| part.as_str().unwrap());
                [part("listener"), part("database"), part("user"), part("method")].join(" ")
            })
            .collect::<Vec<_>>()
    };
    let userlist = Some("\"app\" \"secret\"\n\"old\" \"md50123456789abcdef0123456789abcdef\"\n");
    let pools = "[pgbouncer]\npool_mode = transaction\nauth_file = users\n";
    let one = format!(
        "{pools}[databases]\nshop = host=db dbname=shop_production\nshop_production = host=db\nlogs = host=db\n"
    );
    assert_eq!(
        entries(&one, Some("\"app\" \"secret\"\n")),
        ["* shop * scram", "* shop_production * scram", "* logs * scram"]
    );
    let two = format!("{pools}[databases]\nshop = host=db\nlogs = host=other pool_mode=session\n");
    let expected = ["main shop old md5", "main shop * scram", "pool-2 logs old md5", "pool-2 logs * scram"];
    assert_eq!(entries(&two, userlist), expected);
    let rest = format!("{two}* = host=db\n");
    let expected =
        ["main logs * reject", "main * old md5", "main * * scram", "pool-2 logs old md5", "pool-2 logs * scram"];
    assert_eq!(entries(&rest, userlist), expected);
    assert_eq!(entries(&format!("{pools}[databases]\n* = host=db\n"), None), [""; 0]);
    // The server checks passwords, and has databases that PgBouncer was not told of.
    let relayed = "[databases]\nshop = host=db\nlogs = host=other\n[pgbouncer]\n";
    assert_eq!(entries(relayed, None), ["main shop * scram", "pool-2 logs * scram"]);
    assert_eq!(entries("[databases]\nshop = host=db\n[pgbouncer]\n", None), ["* shop * scram"]);
    let relayed = "[databases]\nlogs = host=other\n* = host=db\n[pgbouncer]\n";
    assert_eq!(entries(relayed, None), ["main logs * scram", "pool-2 logs * reject", "pool-2 * * scram"]);
    assert_eq!(entries("[databases]\n* = host=db\n[pgbouncer]\n", None), [""; 0]);
}

/// A line for all databases let in to those that PgBouncer had not been told of, and a line by another name than the server's was no line.
#[test]
fn lines_of_the_hba_file_let_in_to_declared_databases_and_no_others() {
    let entries = |databases: &str, hba: &str| {
        let ini = format!(
            "[databases]\n{databases}[pgbouncer]\nauth_type = hba\nauth_hba_file = hba.conf\nauth_user = asker\n"
        );
        let imported = imported(&[("/etc/pgb/pgbouncer.ini", &ini), ("/etc/pgb/hba.conf", hba)], None).unwrap();
        let config = table(&imported.config);
        let entries = config["access"].as_array().unwrap();
        let part =
            |entry: &toml::Value, key: &str| entry.get(key).map_or("*", |part| part.as_str().unwrap()).to_owned();
        let written = |entry| ["listener", "database", "user", "method"].map(|key| part(entry, key)).join(" ");
        entries.iter().map(written).collect::<Vec<_>>()
    };
    let everybody = "host all all 0.0.0.0/0 md5\n";
    assert_eq!(entries("shop = host=db\nlogs = host=db\n", everybody), ["* shop * md5", "* logs * md5"]);
    let expected = ["main shop * md5", "pool-2 logs * md5"];
    assert_eq!(entries("shop = host=db\nlogs = host=other\n", everybody), expected);
    let expected = ["main shop * md5", "pool-2 shop * reject", "pool-2 * * md5"];
    assert_eq!(entries("shop = host=db\n* = host=other\n", everybody), expected);
    // A line names a database as clients do.
    let some =
        "host old evil all reject\nhost postgres root all trust\nhost old,new app all md5\nhost all all all reject\n";
    let expected = ["* old evil reject", "* old app md5", "* new app md5", "* * * reject"];
    assert_eq!(entries("old = host=db dbname=shop\nnew = host=db dbname=logs\n", some), expected);
    let expected = ["main old evil reject", "main old app md5", "main * * reject", "pool-2 * * reject"];
    assert_eq!(entries("old = host=db dbname=shop\nlogs = host=other\n", some), expected);
    // Where nobody may come in, somebody has to say so: without any entry everybody may.
    let expected = ["main shop app md5", "pool-2 * * reject"];
    assert_eq!(entries("shop = host=db\nlogs = host=other\n", "host shop app all md5\n"), expected);
}

/// The `[[pool]]` entries, each in a line.
fn pools(config: &Table) -> Vec<String> {
    let entries = config.get("pool").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().map(toml::Value::to_string).collect()
}

#[test]
fn bounds_of_databases_and_users_are_taken_over() {
    let (config, told) = of("\
[databases]
jobs = host=db max_db_connections=2
shop = host=db
free = host=db max_db_connections=0
reports = host=db pool_mode=session pool_size=3 max_db_connections=9
a*b = host=db max_db_connections=4
[users]
cron = max_user_connections=3
web = max_user_connections=0 pool_size=5
[pgbouncer]
pool_mode = transaction
max_db_connections = 30
max_user_connections = 20
auth_query = SELECT 1
auth_user = asker
auth_dbname = admin
default_pool_size = 10
");
    let bounds = ["max_server_connections", "max_db_connections", "max_user_connections"];
    let of_listener = bounds.map(|key| listener(&config, 0).get(key).and_then(toml::Value::as_integer));
    assert_eq!(of_listener, [None, Some(30), Some(20)]);
    let entry = |user: &str, database: &str, keys: &str| {
        let part = |key: &str, name: &str| if name.is_empty() { None } else { Some(format!("{key} = \"{name}\"")) };
        let parts = [part("database", database), part("user", user)].into_iter().flatten().collect::<Vec<_>>();
        format!("{{ match = {{ {} }}, {keys} }}", parts.join(", "))
    };
    // The first that fits decides, so each that looks at both says what either has.
    assert_eq!(
        pools(&config),
        [
            entry("cron", "jobs", "max_db_connections = 2, max_user_connections = 3"),
            entry("cron", "free", "max_db_connections = 0, max_user_connections = 3"),
            entry("cron", "reports", "max_db_connections = 9, max_user_connections = 3, pool = \"session\""),
            entry("cron", "", "max_user_connections = 3"),
            entry("web", "jobs", "max_db_connections = 2, max_user_connections = 0, pool_size = 5"),
            entry("web", "free", "max_db_connections = 0, max_user_connections = 0, pool_size = 5"),
            entry("web", "reports", "max_db_connections = 9, max_user_connections = 0, pool = \"session\""),
            entry("web", "", "max_user_connections = 0, pool_size = 5"),
            entry("", "jobs", "max_db_connections = 2"),
            entry("", "free", "max_db_connections = 0"),
            entry("", "reports", "max_db_connections = 9, pool = \"session\""),
        ]
    );
    assert_eq!(told, ["5: reports pool_mode", "6: a*b", "6: a*b max_db_connections", "15: auth_user"]);
}

#[test]
fn bounds_of_databases_and_users_hold_for_sessions_too() {
    let (config, told) = of("\
[databases]
jobs = host=db max_db_connections=2 min_pool_size=1
* = host=db max_db_connections=7
[users]
cron = max_user_connections=3 pool_size=4
web = max_user_connections=many
[pgbouncer]
max_user_connections = 20
");
    assert_eq!(listener(&config, 0)["max_db_connections"].as_integer(), Some(7));
    assert_eq!(listener(&config, 0)["max_user_connections"].as_integer(), Some(20));
    assert_eq!(
        pools(&config),
        [
            "{ match = { database = \"jobs\", user = \"cron\" }, max_db_connections = 2, max_user_connections = 3 }",
            "{ match = { user = \"cron\" }, max_user_connections = 3 }",
            "{ match = { database = \"jobs\" }, max_db_connections = 2 }",
        ]
    );
    assert_eq!(told, ["2: jobs", "5: cron", "6: web max_user_connections"]);
}

/// PgBouncer's pool bounds the servers of a user and database in session mode too.
#[test]
fn sessions_hold_no_more_servers_than_a_pool_had() {
    let (config, told) = of("[databases]\n* = host=db\n[pgbouncer]\nmax_client_conn = 900\ndefault_pool_size = 7\n\
                             query_wait_timeout = 30\nmin_pool_size = 2\n");
    let caps = &config["caps"];
    assert_eq!(caps["client"]["max_connections"].as_integer(), Some(7));
    assert_eq!((caps["queue_length"].as_integer(), caps["queue_wait"].as_str()), (Some(900), Some("30s")));
    // And nothing that only pools have, so that `check` has nothing to warn of.
    let of_pools = ["pool_size", "min_pool_size", "query_wait_timeout", "server_lifetime", "max_prepared_statements"];
    assert!(of_pools.iter().all(|key| !listener(&config, 0).contains_key(*key)), "{config}");
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn what_is_longer_or_larger_than_can_be_is_as_much_as_can_be() {
    let (config, told) =
        of("[databases]\na = host=db pool_size=3\nb = host=other\n[users]\nu = query_timeout=100000\n[pgbouncer]\n\
                             auth_user = asker\npool_mode = transaction\nmin_pool_size = 5\nserver_lifetime = 604800\n\
                             query_timeout = 0.0001\n");
    assert_eq!(listener(&config, 0)["min_pool_size"].as_integer(), Some(3));
    assert_eq!(listener(&config, 1)["min_pool_size"].as_integer(), Some(5));
    assert_eq!(text(listener(&config, 0), "server_lifetime"), "86400s");
    assert_eq!(config["client"][0]["rules"]["statement_timeout"]["limit"].as_str(), Some("86400s"));
    assert_eq!(config["rules"]["statement_timeout"]["limit"].as_str(), Some("1ms"));
    assert_eq!(told, ["3: b", "5: u query_timeout", "7: auth_user", "10: server_lifetime"]);
}

/// What is written is taken, whatever the names are.
#[test]
fn what_is_written_can_be_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ini = "[databases]\n\"odd \"\"name\"\"\" = host=db1,db2 max_db_client_connections=3\nshop = pool_size=3\n\
               shop_ro = dbname=shop user=app pool_size=50 min_pool_size=60 server_lifetime=60 query_wait_timeout=9\n\
               \"shop ro\" = dbname=shop user=own password='it''s'\nshop* = dbname=shop pool_size=4\n\
               \"a b\" = dbname=shop max_db_client_connections=3\na_b = dbname=shop max_db_client_connections=4\n\
               [users]\napp = pool_size=7 query_wait_timeout=3\nwéird'user = query_timeout=3\n\"a b*\" = max_user_client_connections=2\n\
               [pgbouncer]\nauth_file = userlist.txt\npool_mode = transaction\nmax_db_client_connections = 70\n";
    std::fs::write(path("pgbouncer.ini"), ini).unwrap();
    let secret = "\"app\" \"app secret\"\n\"none\" \"\"\n\"old\" \"md50123456789abcdef0123456789abcdef\"\n";
    std::fs::write(path("userlist.txt"), secret).unwrap();
    let floodwall = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floodwall"));
        let done = command.args(args).current_dir(folder.path()).env_clear().output().unwrap();
        let told = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{args:?}: {told}\n{}", String::from_utf8_lossy(&done.stdout));
        told
    };
    let told = floodwall(&["import", "pgbouncer.ini", "--output", "config.toml"]);
    assert!(told.contains("users without a password are left out"), "{told}");
    floodwall(&["check", "--config", "config.toml"]);
}

/// In `[[access]]` and `match` `*` and `?` stand for other letters. What would let in, or hold for, a name with them held for others as well.
#[test]
fn a_name_that_would_be_a_pattern_lets_nobody_else_in() {
    let pools = "[pgbouncer]\npool_mode = transaction\nauth_file = users\n";
    let run = |ini: &str, files: &[(&'static str, &'static str)]| {
        let ini = format!("{ini}{pools}");
        let files = [&[("/etc/pgb/pgbouncer.ini", ini.as_str())], files].concat();
        let imported = imported(&files, None).unwrap();
        let config = table(&imported.config);
        let entry = |entry: &toml::Value| {
            let part = |key: &str| entry.get(key).map_or("", |part| part.as_str().unwrap());
            [part("listener"), part("database"), part("user"), part("method")].join(" ")
        };
        let entries = |key: &str| config.get(key).map_or(Vec::new(), |all| all.as_array().unwrap().clone());
        let access = entries("access").iter().map(entry).collect::<Vec<_>>();
        let told = imported.notes.iter().filter(|note| note.advice.contains("stand for other letters"));
        let told: Vec<_> = told.map(|note| format!("{}: {}", note.place.line, note.key)).collect();
        (access, entries("client").len(), told)
    };
    let users = [("/etc/pgb/users", "\"app\" \"secret\"\n")];
    // One that is let in is not written; where nothing else is, nobody may come in.
    let (access, _, told) = run("[databases]\nshop? = host=db\nlogs = host=db\n", &users);
    assert_eq!((access, told), (vec![" logs  scram".to_owned()], vec!["2: shop?".to_owned()]));
    let (access, _, told) = run("[databases]\nshop = host=db dbname=s*\n", &users);
    assert_eq!((access, told), (vec![" shop  scram".to_owned()], vec![]));
    // One that is kept out keeps out what looks like it, too.
    let (access, _, told) = run("[databases]\nshop? = host=other\n* = host=db\n", &users);
    assert_eq!(access, ["main   reject", "pool-2 shop?  reject", "pool-2   scram"]);
    assert_eq!(told, ["2: shop?"]);
    // What one user or database has of its own.
    let own = "[databases]\na* = host=db max_db_client_connections=1\n* = host=db\n[users]\n* = query_timeout=60\n";
    let (access, clients, told) = run(own, &users);
    assert_eq!((access.len(), clients), (0, 0));
    assert_eq!(told, ["2: a* max_db_client_connections", "5: *"]);
    // Users of the older hash.
    let old = "\"old\" \"md50123456789abcdef0123456789abcdef\"\n\"o*\" \"md50123456789abcdef0123456789abcdef\"\n";
    let (access, _, told) = run("[databases]\n* = host=db\n", &[("/etc/pgb/users", old)]);
    assert_eq!((access, told), (vec!["  old md5".to_owned(), "   scram".to_owned()], vec!["5: auth_file".to_owned()]));
}

/// The same in lines of `auth_hba_file`, where a later line may let in with less.
#[test]
fn a_pattern_in_the_hba_file_keeps_out() {
    let hba =
        "host all s*,app all md5\nhost d?,shop app all scram-sha-256\nhost all a? all reject\nhost all all all trust\n";
    let ini = "[databases]\n* = host=db\n[pgbouncer]\nauth_type = hba\nauth_hba_file = hba.conf\nauth_user = asker\n";
    let imported = imported(&[("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/hba.conf", hba)], None).unwrap();
    let config = table(&imported.config);
    let entries: Vec<_> = config["access"].as_array().unwrap().iter().map(|entry| entry.to_string()).collect();
    let expected = [
        "{ method = \"reject\", user = \"s*\" }",
        "{ method = \"md5\", user = \"app\" }",
        "{ database = \"d?\", method = \"reject\", user = \"app\" }",
        "{ database = \"shop\", method = \"scram\", user = \"app\" }",
        "{ method = \"reject\", user = \"a?\" }",
        "{ method = \"trust\" }",
    ];
    assert_eq!(entries, expected);
    let told = imported.notes.iter().filter(|note| note.place.file == Path::new("/etc/pgb/hba.conf"));
    assert_eq!(told.map(|note| note.place.line).collect::<Vec<_>>(), [1, 2, 3]);
}

/// What a line before one that lets everybody in becomes, and whether it is told.
fn before_everybody(line: &str) -> (Vec<String>, bool) {
    let ini = "[databases]\n* = host=db\n[pgbouncer]\nauth_type = hba\nauth_hba_file = hba.conf\nauth_user = asker\n";
    let hba = format!("{line}\nhost all all 0.0.0.0/0 trust\n");
    let imported = imported(&[("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/hba.conf", &hba)], None).unwrap();
    let config = table(&imported.config);
    let (everybody, own) = config["access"].as_array().unwrap().split_last().unwrap();
    assert_eq!(everybody.to_string(), "{ address = \"0.0.0.0/0\", method = \"trust\" }");
    let told = imported.notes.iter().any(|note| note.place.file == Path::new("/etc/pgb/hba.conf"));
    (own.iter().map(toml::Value::to_string).collect(), told)
}

/// Such a line was left out, so that a later one let in whom it had refused.
#[test]
fn whom_a_line_of_the_hba_file_means_without_words_for_it_here_is_kept_out() {
    let table = [
        ("host sameuser all 10.0.0.0/8 reject", "{ address = \"10.0.0.0/8\", method = \"reject\" }"),
        ("host sameuser app 10.0.0.0/8 md5", "{ address = \"10.0.0.0/8\", method = \"reject\", user = \"app\" }"),
        ("hostssl shop @list all cert", "{ database = \"shop\", method = \"reject\", tls = true }"),
        ("host shop sameuser all md5", "{ database = \"shop\", method = \"reject\" }"),
        ("host all app all ldap ldapserver=x ldapport=1", "{ method = \"reject\", user = \"app\" }"),
        ("host all app all peer", "{ method = \"reject\", user = \"app\" }"),
    ];
    for (line, meant) in table {
        assert_eq!(before_everybody(line), (vec![meant.to_owned()], true), "{line}");
    }
    let plain = [
        ("host replication,shop app all md5", "{ database = \"shop\", method = \"md5\", user = \"app\" }"),
        ("host all /app all reject", "{ method = \"reject\", user = \"/app\" }"),
        ("host all \"+app\" all md5", "{ method = \"md5\", user = \"+app\" }"),
    ];
    for (line, meant) in plain {
        assert_eq!(before_everybody(line), (vec![meant.to_owned()], false), "{line}");
    }
    // None at PgBouncer; what was meant is plain, and keeps somebody out, which is told.
    let stricter = [
        ("host all app 10.0.0.1 reject", "{ address = \"10.0.0.1/32\", method = \"reject\", user = \"app\" }"),
        ("host all app 10.0.0.1/8 reject", "{ address = \"10.0.0.0/8\", method = \"reject\", user = \"app\" }"),
        ("host all app all reject always", "{ method = \"reject\", user = \"app\" }"),
    ];
    for (line, meant) in stricter {
        assert_eq!(before_everybody(line), (vec![meant.to_owned()], true), "{line}");
    }
}

/// PgBouncer goes on with the next line, and so must we; but some of these let in.
#[test]
fn a_line_of_the_hba_file_that_pgbouncer_does_not_read_lets_nobody_in() {
    let table = [
        "host all +ops all reject",
        "host samerole all all reject",
        "host replication all all reject",
        "host all app db.example reject",
        "host all app 10.0.0.1 trust",
        "host all app 10.0.0.1/8 trust",
        "host all app 10.0.0.1 255.0.0.0 trust",
        "host all app all md5 clientcert=verify-full",
        "host all app all plain",
        "hostgssenc all app all reject",
    ];
    for line in table {
        assert_eq!(before_everybody(line), (Vec::new(), true), "{line}");
    }
}

/// A name in quotes is a name: `"all"` was taken for anybody, and `"a,b"` for two.
#[test]
fn a_quoted_word_of_the_hba_file_is_a_name() {
    let hba = "host \"all\" \"a,b\" 10.0.0.0/8 md5\nhost shop, logs \"o\"\"dd\" 10.0.0.0/8 trust\nhost \"sameuser\" app ::1/128 md5\n";
    let ini = "[databases]\n* = host=db\n[pgbouncer]\nauth_type = hba\nauth_hba_file = hba.conf\nauth_user = asker\n";
    let imported = imported(&[("/etc/pgb/pgbouncer.ini", ini), ("/etc/pgb/hba.conf", hba)], None).unwrap();
    let config = table(&imported.config);
    let named =
        |entry: &toml::Value| format!("{}/{}", entry["database"].as_str().unwrap(), entry["user"].as_str().unwrap());
    let entries: Vec<_> = config["access"].as_array().unwrap().iter().map(named).collect();
    assert_eq!(entries, ["all/a,b", "shop/o\"dd", "logs/o\"dd", "sameuser/app"]);
}

#[test]
fn a_cap_of_a_database_is_by_the_name_that_clients_use() {
    for order in
        ["dbname=shop_production max_db_client_connections=3", "max_db_client_connections=3 dbname=shop_production"]
    {
        let (config, told) =
            of(&format!("[databases]\nshop = host=db {order}\n[pgbouncer]\nauth_query = SELECT 1\nauth_user = a\n"));
        assert_eq!(config["client"][0]["match"]["database"].as_str(), Some("shop"));
        assert_eq!(config["database"][0].to_string(), "{ database = \"shop_production\", name = \"shop\" }");
        assert!(!told.iter().any(|note| note.contains("shop")), "{told:?}");
    }
}

#[test]
fn databases_with_another_name_or_role_keep_both() {
    let ini = |auth: &str| {
        format!(
            "[databases]\nro = host=db dbname=shop user=reader\nown = host=db user=app password='it''s'\n\
             hash = host=db dbname=hash user=hashed\nproven = host=db user=proven\n* = host=other dbname=one user=two\n[pgbouncer]\npool_mode = transaction\n{auth}"
        )
    };
    let run = |auth: &str| {
        let ini = ini(auth);
        let files = [("/etc/pgb/pgbouncer.ini", ini.as_str()), ("/etc/pgb/users", USERS_OF_ROLES)];
        let imported = imported(&files, None).unwrap();
        let all = table(&imported.config).get("database").map_or(Vec::new(), |all| all.as_array().unwrap().clone());
        (all.iter().map(ToString::to_string).collect::<Vec<_>>(), notes(&imported), imported.secrets)
    };
    let (databases, told, secrets) = run("auth_file = users\n");
    assert_eq!(
        databases,
        [
            "{ database = \"shop\", listener = \"main\", name = \"ro\", password_file = \"database-ro.password\", user = \"reader\" }",
            "{ listener = \"main\", name = \"own\", password_file = \"database-own.password\", user = \"app\" }",
            "{ listener = \"main\", name = \"hash\", password_file = \"database-hash.password\", user = \"hashed\" }",
            "{ listener = \"main\", name = \"proven\", password_env = \"FLOODWALL_PROVEN_PASSWORD\", user = \"proven\" }",
        ]
    );
    let passwords: Vec<_> = secrets.iter().filter(|(file, _)| file.ends_with(".password")).cloned().collect();
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let hash = file("database-hash.password", "md50123456789abcdef0123456789abcdef");
    assert_eq!(passwords, [file("database-ro.password", "s3cret"), file("database-own.password", "it's"), hash]);
    assert_eq!(told, ["5: proven user", "6: *", "6: * dbname", "6: * user", "9: auth_file"]);
    // Whom the server knows Floodwall can't be.
    let (databases, told, _) = run("");
    assert_eq!(databases, ["{ database = \"shop\", listener = \"main\", name = \"ro\" }"]);
    assert!(
        ["2: ro user", "3: own user", "4: hash user", "5: proven user"]
            .iter()
            .all(|note| told.contains(&(*note).to_owned())),
        "{told:?}"
    );
}

const USERS_OF_ROLES: &str = "\"reader\" \"s3cret\"\n\"hashed\" \"md50123456789abcdef0123456789abcdef\"\n\
                              \"proven\" \"SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy\"\n";

/// PgBouncer asks the user for a size first, and then the database.
#[test]
fn pools_of_single_databases_and_users_keep_their_sizes() {
    let ini = "[databases]\nshop = host=db pool_size=5 min_pool_size=9\nlogs = host=db server_lifetime=60 query_wait_timeout=200000\n\
               plain = host=db\nro = host=db user=reader password=r pool_size=6\n[users]\nbatch = pool_size=3\n\
               [pgbouncer]\npool_mode = transaction\nauth_query = SELECT 1\nauth_user = a\nauth_dbname = b\nmin_pool_size = 4\n";
    let (config, told) = of(ini);
    assert_eq!(listener(&config, 0)["pool_size"].as_integer(), Some(20));
    let pools: Vec<_> = config["pool"].as_array().unwrap().iter().map(toml::Value::to_string).collect();
    assert_eq!(
        pools,
        [
            "{ match = { database = \"shop\", user = \"batch\" }, min_pool_size = 3, pool_size = 3 }",
            "{ match = { database = \"logs\", user = \"batch\" }, min_pool_size = 3, pool_size = 3, query_wait_timeout = \"86400s\", server_lifetime = \"60s\" }",
            "{ match = { user = \"batch\" }, min_pool_size = 3, pool_size = 3 }",
            "{ match = { database = \"shop\" }, min_pool_size = 5, pool_size = 5 }",
            "{ match = { database = \"logs\" }, query_wait_timeout = \"86400s\", server_lifetime = \"60s\" }",
            // Its pools are the reader's, whoever comes.
            "{ match = { database = \"ro\" }, pool_size = 6 }",
        ]
    );
    assert_eq!(told, ["3: logs query_wait_timeout", "11: auth_user"]);
}

/// What is said of a user goes before what is said of a database, and both before what holds for all.
#[test]
fn modes_of_single_databases_and_users_become_pools_of_the_same_listener() {
    let ini = |mode: &str| {
        format!(
            "[databases]\nshop = host=db pool_size=7\njobs = host=db pool_mode=session pool_size=3 min_pool_size=2\n\
             [users]\nmigrator = pool_mode=session pool_size=9\nbatch = pool_size=4\nweb = pool_mode=transaction\n\
             [pgbouncer]\n{mode}auth_query = SELECT 1\nauth_user = asker\nauth_dbname = admin\n"
        )
    };
    let pools = |config: &Table| {
        let pools = config["pool"].as_array().unwrap().iter();
        pools.map(toml::Value::to_string).collect::<Vec<_>>()
    };
    let (config, told) = of(&ini("pool_mode = transaction\n"));
    let main = listener(&config, 0);
    assert_eq!((text(main, "pool"), main["pool_size"].as_integer()), ("transaction", Some(7)));
    assert_eq!(
        pools(&config),
        [
            "{ match = { user = \"migrator\" }, pool = \"session\" }",
            "{ match = { database = \"jobs\", user = \"batch\" }, pool = \"session\" }",
            "{ match = { user = \"batch\" }, pool_size = 4 }",
            "{ match = { database = \"jobs\", user = \"web\" }, pool_size = 3 }",
            "{ match = { user = \"web\" }, pool = \"transaction\" }",
            "{ match = { database = \"jobs\" }, pool = \"session\" }",
        ]
    );
    assert_eq!(told, ["3: jobs", "3: jobs pool_mode", "5: migrator", "5: migrator pool_mode", "11: auth_user"]);
    // The other way about: one user is lent servers where all others have their own.
    let (config, told) = of(&ini(""));
    let main = listener(&config, 0);
    assert_eq!((text(main, "pool"), main["pool_size"].as_integer()), ("session", Some(20)));
    assert_eq!(
        pools(&config),
        [
            "{ match = { database = \"shop\", user = \"web\" }, pool = \"transaction\", pool_size = 7 }",
            "{ match = { database = \"jobs\", user = \"web\" }, pool = \"transaction\", pool_size = 3 }",
            "{ match = { user = \"web\" }, pool = \"transaction\" }",
        ]
    );
    assert_eq!(told, ["2: shop pool_size", "3: jobs", "3: jobs pool_mode", "5: migrator", "6: batch", "10: auth_user"]);
}

/// The server checks the passwords, so nobody can be lent a server.
#[test]
fn a_mode_that_needs_users_is_told_where_it_stands() {
    let (config, told) =
        of("[databases]\nshop = host=db pool_mode=transaction\n[users]\nweb = pool_mode=transaction\n[pgbouncer]\n");
    assert_eq!(text(listener(&config, 0), "pool"), "session");
    assert!(config.get("pool").is_none());
    assert_eq!(told, ["2: shop pool_mode", "4: web pool_mode"]);
}
