use std::net::IpAddr;

use super::*;
use crate::client::admission::fixture::{self, config, rule};

fn who(user: &str, database: &str, application_name: &str, address: &str) -> Identity {
    Identity {
        listener: "main".into(),
        user: user.into(),
        database: database.into(),
        role: None,
        application_name: application_name.into(),
        address: address.parse::<IpAddr>().unwrap(),
    }
}

fn limits(config: &Config, identity: &Identity) -> Vec<(String, Option<usize>)> {
    let resolved = Identities::new(config).resolve(identity);
    resolved.parts.iter().map(|part| (part.key.label().to_string(), part.max_connections)).collect()
}

#[test]
fn without_entries_the_default_applies_by_key() {
    let found = limits(&config(), &who("django", "shop", "", "10.0.0.1"));
    assert_eq!(found, [("django/shop".to_owned(), Some(fixture::CLIENT_MAX))]);
}

#[test]
fn every_matching_entry_applies_and_its_limit_takes_the_place_of_the_default() {
    let mut config = config();
    config.clients =
        vec![rule("web", "django", Some(60)), rule("all", "*", Some(500)), rule("other", "rails", Some(1))];
    let identity = who("django", "shop", "", "10.0.0.1");
    let expected = [("django/shop", None), ("web", Some(60)), ("all", Some(500))];
    assert_eq!(limits(&config, &identity), expected.map(|(label, limit)| (label.to_owned(), limit)));
    assert_eq!(&*Identities::new(&config).resolve(&identity).label, "web");
}

#[test]
fn an_entry_without_limits_leaves_the_default_and_gives_the_label() {
    let mut config = config();
    config.clients = vec![rule("", "*", None), rule("web", "django", None)];
    let resolved = Identities::new(&config).resolve(&who("django", "shop", "", "10.0.0.1"));
    assert_eq!(&*resolved.label, "web");
    assert_eq!(resolved.parts[0].max_connections, Some(fixture::CLIENT_MAX));
}

#[test]
fn a_chosen_application_name_lifts_nothing() {
    let mut config = config();
    let mut generous = rule("backup", "*", Some(9_999));
    generous.matches.application_name = "pg_dump".into();
    config.clients = vec![generous];
    let found = limits(&config, &who("django", "shop", "pg_dump", "10.0.0.1"));
    assert_eq!(found[0], ("django/shop".to_owned(), Some(fixture::CLIENT_MAX)));
    assert_eq!(found[1], ("backup".to_owned(), Some(9_999)));

    config.clients.clear();
    config.caps.client_key = vec![KeyPart::User, KeyPart::ApplicationName];
    let found = limits(&config, &who("django", "shop", "a", "10.0.0.1"));
    assert_eq!(found[0], ("django".to_owned(), Some(fixture::CLIENT_MAX)));
    assert_eq!(found[1], ("django/a".to_owned(), Some(fixture::CLIENT_MAX)));
}

#[test]
fn globs_networks_and_listeners_all_have_to_match() {
    let mut config = config();
    let mut web = rule("web", "dj?ngo", Some(1));
    web.matches.database = "shop*".into();
    web.matches.addresses = vec!["10.1.0.0/16".parse().unwrap()];
    web.matches.listener = "ma*".into();
    config.clients = vec![web];
    let table = [
        ("django", "shop_eu", "10.1.2.3", true),
        ("django", "shop_eu", "::ffff:10.1.2.3", true),
        ("django", "shop_eu", "10.2.2.3", false),
        ("django", "blog", "10.1.2.3", false),
        ("djngo", "shop", "10.1.2.3", false),
    ];
    for (user, database, address, expected) in table {
        let found = limits(&config, &who(user, database, "", address));
        assert_eq!(found.iter().any(|(label, _)| label == "web"), expected, "{user} {database} {address}");
    }
}

#[test]
fn names_that_the_server_takes_for_the_same_are_the_same_client() {
    let long = "x".repeat(63);
    let resolve = |user: &str| Identities::new(&config()).resolve(&who(user, "shop", "", "10.0.0.1")).base;
    assert_eq!(resolve(&long), resolve(&format!("{long}tail")));
    assert!(resolve(&"é".repeat(5_000)).label().len() < 100);
}

#[test]
fn a_slash_in_a_name_makes_no_two_clients_one() {
    let identities = Identities::new(&config());
    let base = |user: &str, database: &str| identities.resolve(&who(user, database, "", "10.0.0.1")).base;
    assert_ne!(base("a/b", "c"), base("a", "b/c"));
    assert_ne!(base("a\\", "/c"), base("a", "\\/c"));
    assert!(!base("a\nb", "c").label().contains('\n'));
}

#[test]
fn addresses_in_a_key_are_grouped() {
    let mut config = config();
    config.caps.client_key = vec![KeyPart::Address];
    let found = limits(&config, &who("u", "d", "", "2001:db8::1"));
    assert_eq!(found[0].0, "2001:db8::/64");
}
