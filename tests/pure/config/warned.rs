//! What a file may say, and is asked about.

use super::*;

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
fn an_entry_for_no_listener_is_warned_about() {
    let loaded = read(&with_listener("[[client]]\nname = \"a\"\nmatch = { listener = \"mian\" }")).unwrap();
    assert_eq!(loaded.warnings.list[0].key, "client[0].match.listener");
}
