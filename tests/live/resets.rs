//! What pools of drivers send in front of the first statement of a connection's next user, in one write with it.

use crate::pooling::Pooled;
use crate::support::floodwall::direct;
use crate::support::raw::{self, Raw, codes, reply_codes};

const NO_PASSWORD: &str = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'";

/// As Npgsql resets a connection that has prepared statements, which are to stay.
const PIECEMEAL: [&str; 7] = [
    "SET SESSION AUTHORIZATION DEFAULT",
    "RESET ALL",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_advisory_unlock_all()",
    "DISCARD SEQUENCES",
    "DISCARD TEMP",
];

fn run(statement: &str, value: &str) -> Vec<u8> {
    [raw::bind(statement, &[value]), raw::execute(), raw::sync()].concat()
}

#[test]
fn a_reset_goes_in_front_of_the_next_users_first_statement() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("resets", 1, NO_PASSWORD);
    let login = || Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    let (mut client, mut other) = (login(), login());
    client.send_all(&[raw::parse("kept", "SELECT $1::int + 1"), raw::sync()]);
    assert_eq!(codes(&client.until(b"Z")), "1 Z");
    for round in 0..2 {
        client.rows("SET work_mem = '5MB'; CREATE TEMP TABLE mine (); SELECT pg_advisory_lock(1); LISTEN news");
        let resets: Vec<u8> = PIECEMEAL.iter().flat_map(|sql| raw::query(sql)).collect();
        client.send_all(&[resets, run("kept", "1")]);
        for sql in PIECEMEAL {
            let reply = reply_codes(&client.until(b"Z"));
            assert_eq!(reply, if sql.starts_with("SELECT") { "T D C Z" } else { "C Z" }, "{sql}, {round}");
        }
        assert_eq!(reply_codes(&client.until(b"Z")), "2 D C Z", "{round}");
        // Nothing of it is left, and the only server serves somebody else.
        assert_ne!(other.rows("SHOW work_mem"), [["5MB"]]);
        assert_eq!(other.rows("SELECT to_regclass('pg_temp.mine') IS NULL"), [["t"]]);
        client.send_all(&[raw::query("DISCARD ALL"), raw::parse("", "SELECT $1::int"), run("", "7")]);
        assert_eq!(reply_codes(&client.until(b"Z")), "C Z", "{round}");
        assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z", "{round}");
        client.send_all(&[run("kept", "1")]);
        assert_eq!(reply_codes(&client.until(b"Z")), "E Z", "it is gone with all else");
        client.send_all(&[raw::parse("kept", "SELECT $1::int + 1"), raw::sync()]);
        assert_eq!(codes(&client.until(b"Z")), "1 Z", "{round}");
    }
    drop((client, other));
    pooled.finish();
}
