//! `[[pool]]`: pools with bounds of their own.

use super::*;
use floodwall::config::Pool;

/// A listener with pools, in front of these entries.
fn pooled(text: &str) -> String {
    format!(
        "[[listener]]\npool = \"transaction\"\nlogin = \"query\"\nauth = {{ user = \"a\" }}\npool_size = 5\n{text}\n"
    )
}

#[test]
fn an_entry_has_its_own_keys_and_the_rest_of_the_listener() {
    let text = "[[pool]]\nmatch = { database = \"shop\" }\npool_size = 7\nquery_wait_timeout = \"2s\"\n";
    let loaded = read(&pooled(text)).unwrap();
    assert_eq!(loaded.warnings.list, []);
    let Config { listeners, pools, .. } = loaded.config;
    let bounds = pools[0].bounds(&listeners[0].pool);
    assert_eq!((bounds.size, bounds.query_wait_timeout), (7, Duration::from_secs(2)));
    assert_eq!((bounds.min_size, bounds.server_lifetime), (0, listeners[0].pool.server_lifetime));
    assert_eq!((pools[0].matches.user.as_str(), pools[0].matches.listener.as_str()), ("*", "*"));
}

/// 0 takes away what the listener says; there it would be no bound at all, so it is a mistake.
#[test]
fn an_entry_bounds_the_servers_of_a_database_or_leaves_them_unbounded() {
    let keys = "max_db_connections = 30\nmax_user_connections = 9\n";
    let entries = "[[pool]]\nmatch = { database = \"shop\" }\nmax_db_connections = 0\n\
                   [[pool]]\nmatch = { user = \"cron\" }\nmax_user_connections = 2\n";
    let loaded = read(&pooled(&format!("{keys}{entries}"))).unwrap();
    assert_eq!(loaded.warnings.list, []);
    let common = &loaded.config.listeners[0].pool;
    let of = |pool: &Pool| (pool.max_db_connections, pool.max_user_connections);
    let [shop, cron] = [0, 1].map(|at| loaded.config.pools[at].bounds(common));
    assert_eq!([of(common), of(&shop), of(&cron)], [(Some(30), Some(9)), (None, Some(9)), (Some(30), Some(2))]);
    let wrong = read(&pooled("max_db_connections = 0")).unwrap_err();
    assert!(wrong.to_string().contains("must be at least 1"), "{wrong}");
}

#[test]
fn what_is_shown_of_an_entry_reads_as_the_same() {
    let text = "[[pool]]\nmatch = { database = \"shop\", user = \"a*\" }\npool = \"transaction\"\npool_size = 7\nmin_pool_size = 1\n\
                min_guaranteed_pool_size = 2\nserver_idle_timeout = \"1m\"\nserver_lifetime = \"2m\"\n\
                query_wait_timeout = \"2s\"\npool_queue_length = 9\nmax_db_connections = 0\nmax_user_connections = 8\n";
    let config = read(&pooled(text)).unwrap().config;
    assert_eq!(read(&config.to_toml()).unwrap().config.pools, config.pools);
    assert!(config.rows().contains(&("pool.0.pool_size".to_owned(), "7".to_owned())), "{:?}", config.rows());
}

#[test]
fn entries_that_never_apply_are_told() {
    let told = |text: &str| {
        let warnings = read(text).unwrap().warnings.list;
        warnings.into_iter().map(|warning| (warning.key, warning.message)).collect::<Vec<_>>()
    };
    for (text, key, says) in [
        (pooled("[[pool]]\nmatch = { listener = \"mian\" }"), "pool[0].match.listener", "never applies"),
        ("[[listener]]\n[[pool]]\npool_size = 3".to_owned(), "pool[0]", "belongs to pool = \"transaction\""),
        (pooled("[[pool]]\n[[pool]]\nmatch = { user = \"a\" }"), "pool[1].match", "never applies"),
        ("[[listener]]\n[[pool]]\npool = \"session\"".to_owned(), "pool[0]", "belongs to pool = \"transaction\""),
        (
            pooled("[[pool]]\npool = \"session\"\nmin_pool_size = 9"),
            "pool[0].min_pool_size",
            "belongs to pool = \"transaction\"",
        ),
        (
            pooled("[[pool]]\nmatch = { user = \"a\" }\n[[pool]]\nmatch = { user = \"a\", database = \"b\" }"),
            "pool[1].match",
            "never applies",
        ),
    ] {
        let told = told(&text);
        assert!(told.len() == 1 && told[0].0 == key && told[0].1.contains(says), "{text}: {told:?}");
    }
    // What bounds a database holds in every mode.
    let sessions = "[[listener]]\n[[pool]]\nmatch = { database = \"shop\" }\nmax_db_connections = 4\n";
    assert_eq!(told(sessions), []);
    let [told_of] = told(&format!("{sessions}pool_size = 3")).try_into().unwrap();
    assert_eq!(
        (told_of.0.as_str(), told_of.1.contains("belongs to pool = \"transaction\"")),
        ("pool[0].pool_size", true)
    );
    let apart = "[[pool]]\nmatch = { user = \"a\", database = \"b\" }\n[[pool]]\nmatch = { user = \"a\" }";
    assert_eq!(told(&pooled(apart)), []);
}

#[test]
fn bounds_that_cannot_be_are_refused() {
    for (text, key, says) in [
        ("[[pool]]\npool_size = 0", "pool[0].pool_size", "must be at least 1"),
        ("[[pool]]\nmin_pool_size = 6", "pool[0].min_pool_size", "6 is more than pool_size (5)"),
        ("[[pool]]\npool_size = 1\nmin_guaranteed_pool_size = 2", "pool[0].min_guaranteed_pool_size", "pool_size (1)"),
        ("[[pool]]\nmatch = { usr = \"a\" }", "pool[0].match.usr", "unknown key"),
        ("[[pool]]\nmax_server_logins = 3", "pool[0].max_server_logins", "unknown key"),
        ("[[pool]]\npool = \"statement\"", "pool[0].pool", "is not known"),
        (
            "[[pool]]\npool = \"transaction\"\nmin_pool_size = 6",
            "pool[0].min_pool_size",
            "6 is more than pool_size (5)",
        ),
    ] {
        let list = problems(&pooled(text));
        assert!(list.len() == 1 && list[0].key == key && list[0].message.contains(says), "{text}: {list:?}");
    }
}

#[test]
fn an_entry_may_have_another_mode_than_its_listener() {
    let sessions = "[[listener]]\nlogin = \"query\"\nauth = { user = \"a\" }\npool_size = 5\n";
    let lent = "[[pool]]\nmatch = { user = \"a\" }\npool = \"transaction\"\n";
    // Keys of pools have an effect where any pool lends.
    for (text, modes, lends) in [
        (format!("{sessions}{lent}"), ("session", "transaction"), true),
        (pooled("[[pool]]\nmatch = { user = \"a\" }\npool = \"session\""), ("transaction", "session"), true),
    ] {
        let loaded = read(&text).unwrap();
        assert_eq!(loaded.warnings.list, []);
        let listener = &loaded.config.listeners[0];
        let own = listener.pools[0].bounds(&listener.pool);
        assert_eq!((listener.pool.mode.label(), own.mode.label(), listener.lends()), (modes.0, modes.1, lends));
        assert_eq!(read(&loaded.config.to_toml()).unwrap().config, loaded.config);
    }
    let warned = read(sessions).unwrap().warnings.list;
    assert!(warned.len() == 1 && warned[0].key == "listener[0].pool_size", "{warned:?}");
    let relayed = problems(&format!("[[listener]]\n{lent}"));
    assert!(relayed.len() == 1 && relayed[0].key == "pool[0].pool", "{relayed:?}");
    assert!(relayed[0].advice.as_ref().unwrap().contains("login = \"users\""), "{relayed:?}");
    // An entry for another listener says nothing of this one.
    let elsewhere = format!(
        "{sessions}[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:7001\"\nservers = [\"b:1\"]\nlogin = \"query\"\nauth = {{ user = \"a\" }}\n\
         [[pool]]\nmatch = {{ listener = \"b\" }}\npool = \"transaction\"\n"
    );
    let warned = read(&elsewhere).unwrap().warnings.list;
    assert_eq!(warned.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["listener[0].pool_size"]);
}
