//! Who may log in: files of users, verifiers, entries of access.

use super::*;

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

/// An imported file has an entry for each database.
#[test]
fn what_holds_for_all_entries_of_relayed_logins_is_told_once() {
    let text = "[[listener]]\n[[access]]\ndatabase = \"a\"\nmethod = \"scram\"\n[[access]]\ndatabase = \"b\"\nmethod = \"scram\"\n";
    let warnings = read(text).unwrap().warnings.list;
    let told: Vec<_> = warnings.iter().filter(|warning| warning.message.contains("only lets in")).collect();
    assert!(told.len() == 1 && told[0].key == "access[0].method", "{told:?}");
}

/// It let clients in by their certificates, and then failed to log in to the server for each.
#[test]
fn a_method_without_a_password_is_warned_of_where_the_server_is_asked_for_verifiers() {
    let warned = |login: &str, method: &str| {
        let tls = "client_tls = { mode = \"verify-ca\", cert_file = \"a\", key_file = \"b\", ca_file = \"c\" }";
        let text = format!(
            "[[listener]]\nlogin = \"{login}\"\nauth = {{ user = \"a\" }}\n{tls}\n[[access]]\naddress = \"::1\"\nmethod = \"{method}\"\n"
        );
        let warnings = read(&text).unwrap().warnings.list;
        warnings.iter().any(|warning| warning.key == "access[0].method" && warning.message.contains("asks for SCRAM"))
    };
    assert!(warned("query", "cert") && warned("query", "trust"));
    assert!(!warned("query", "scram") && !warned("query", "reject") && !warned("relay", "cert"));
}
