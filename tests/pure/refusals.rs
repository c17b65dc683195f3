//! What the words of a refusal tell its reader to do.

use floodwall::client::refuse::{NO_CONNECTION, pool_has_no_server, server_unreachable};

/// "Try again; if that fails, look at the server and at its log" stood below a server that runs, and that `server_tls` does not fit.
#[test]
fn a_server_that_cannot_be_reached_is_told_with_the_key_to_mend() {
    for (why, key) in [
        ("it does not speak TLS", "`server_tls`"),
        ("the TLS handshake failed: invalid peer certificate: UnknownIssuer", "`ca_file`"),
        ("connection refused", "`servers`"),
        ("the name cannot be looked up", "`servers`"),
    ] {
        let of_session = server_unreachable("db:5432", why);
        let of_pool = pool_has_no_server(&format!("{NO_CONNECTION} db:5432: {why}"));
        for refusal in [of_session, of_pool] {
            assert!(refusal.message.ends_with(why) && refusal.hint.contains(key), "{why}: {}", refusal.hint);
        }
    }
    let other = pool_has_no_server("the server closed the connection during the login");
    assert!(other.hint.starts_with("Try again"), "{}", other.hint);
}
