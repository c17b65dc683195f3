//! `[[database]]`: databases with another name or another role at the server.

use super::*;

/// Two listeners, and these entries: `main` relays logins, `own` checks them.
fn with(entries: &str) -> String {
    let own = "name = \"own\"\nbind = \"127.0.0.1:6433\"\nservers = [\"127.0.0.1:5433\"]\nlogin = \"query\"\nauth = { user = \"a\" }\n";
    format!("[[listener]]\n[[listener]]\n{own}{entries}")
}

#[test]
fn a_name_stands_for_a_database_of_the_server_on_the_listeners_that_are_named() {
    let entries = "[[database]]\nname = \"app_ro\"\ndatabase = \"app\"\nlistener = \"o*\"\n\
                   [[database]]\nname = \"app\"\ndatabase = \"app_2\"\n";
    let loaded = read(&with(entries)).unwrap();
    assert_eq!(loaded.warnings.list, []);
    let [main, own] = &loaded.config.listeners[..] else { panic!("two listeners") };
    assert_eq!((main.databases.at_server("app_ro"), own.databases.at_server("app_ro")), ("app_ro", "app"));
    // A name that stands for another one is not looked up again.
    assert_eq!((main.databases.at_server("app"), own.databases.at_server("other")), ("app_2", "other"));
    let names = |name: &str| own.databases.names_of(name).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        (names("app"), names("app_2"), names("x")),
        (vec!["app_ro".to_owned()], vec!["app".to_owned(), "app_2".to_owned()], vec!["x".to_owned()])
    );
    assert_eq!(own.databases.user("app"), None);
}

#[test]
fn a_reload_tells_which_names_mean_another_database() {
    let databases = |entries: &str| read(&with(entries)).unwrap().config.listeners[0].databases.clone();
    let entry = |name: &str, database: &str| format!("[[database]]\nname = \"{name}\"\ndatabase = \"{database}\"\n");
    let before = databases(&(entry("a", "1") + &entry("b", "1") + &entry("c", "c")));
    let after = databases(&(entry("b", "2") + &entry("d", "1")));
    assert_eq!(before.changed(&after).collect::<Vec<_>>(), ["a", "b", "d"]);
    assert_eq!(before.changed(&before).count(), 0);
}

#[test]
fn a_role_is_taken_with_its_password_and_never_shown() {
    let entries = "[[database]]\nname = \"shop\"\nlistener = \"own\"\nuser = \"app\"\npassword_env = \"APP\"\n";
    let config = read_on(&Machine::with(&[("APP", "s3cret")]), &with(entries)).unwrap().config;
    let user = config.listeners[1].databases.user("shop").unwrap();
    assert_eq!((user.name.as_str(), user.password.as_ref().unwrap().reveal()), ("app", "s3cret"));
    assert_eq!(config.listeners[0].databases.user("shop"), None);
    let shown = config.to_toml() + &format!("{:?}{config:?}", config.rows());
    assert!(!shown.contains("s3cret") && shown.contains("user = \"app\""), "{shown}");
}

#[test]
fn what_is_shown_of_an_entry_reads_as_the_same() {
    let entries = "[[database]]\nname = \"shop\"\nlistener = \"own\"\ndatabase = \"shop 2\"\nuser = \"app\"\n";
    let config = read(&with(entries)).unwrap().config;
    assert_eq!(read(&config.to_toml()).unwrap().config.databases, config.databases);
    assert!(config.rows().contains(&("database.0.database".to_owned(), "shop 2".to_owned())), "{:?}", config.rows());
}

#[test]
fn entries_that_cannot_be_are_refused() {
    let long = format!("[[database]]\nname = \"{}\"\ndatabase = \"a\"", "a".repeat(64));
    for (entries, key, says) in [
        ("[[database]]\ndatabase = \"a\"", "database[0]", "needs a name"),
        ("[[database]]\nname = \"*\"\ndatabase = \"a\"", "database[0].name", "is no name of a database"),
        (&long, "database[0].name", "longer than the 63 bytes"),
        (
            "[[database]]\nname = \"a\"\ndatabase = \"b\"\n[[database]]\nname = \"a\"\nlistener = \"own\"\ndatabase = \"c\"",
            "database[1].name",
            "an earlier database of the same listener",
        ),
        ("[[database]]\nname = \"a\"\nuser = \"b\"", "database[0].user", "not possible on listener \"main\""),
        // It would end the name in the start-up packet, and begin another parameter.
        ("[[database]]\nname = \"a\"\ndatabase = \"b\\u0000user\"", "database[0].database", "is no name of a database"),
        (
            "[[database]]\nname = \"a\"\nlistener = \"own\"\nuser = \"b\\u0000database\"",
            "database[0].user",
            "is no name of a role",
        ),
        (
            "[[database]]\nname = \"a\"\nlistener = \"own\"\nuser = \"b\"\npassword = \"c\"",
            "database[0].password",
            "does not stand in this file",
        ),
    ] {
        let list = problems(&with(entries));
        assert!(list.len() == 1 && list[0].key == key && list[0].message.contains(says), "{entries}: {list:?}");
    }
    let apart = "[[database]]\nname = \"a\"\nlistener = \"main\"\ndatabase = \"b\"\n\
                 [[database]]\nname = \"a\"\nlistener = \"own\"\ndatabase = \"c\"";
    assert_eq!(read(&with(apart)).unwrap().warnings.list, []);
}

#[test]
fn entries_without_effect_are_told() {
    for (entries, key, says) in [
        ("[[database]]\nname = \"a\"", "database[0]", "has no effect"),
        ("[[database]]\nname = \"a\"\nlistener = \"mian\"\ndatabase = \"b\"", "database[0].listener", "never applies"),
    ] {
        let told = read(&with(entries)).unwrap().warnings.list;
        assert!(told.len() == 1 && told[0].key == key && told[0].message.contains(says), "{entries}: {told:?}");
    }
}
