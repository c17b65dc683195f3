//! What the server says unasked: notifications and changed parameters.

use std::time::Duration;

use crate::pooling::Pooled;
use crate::support::floodwall::direct;
use crate::support::raw::{self, Message, Raw};
use crate::support::site::Site;

#[test]
fn a_notification_reaches_an_idle_listener() {
    let site = Site::new("notify", "");
    let mut listener = site.raw();
    listener.query("LISTEN news");
    assert!(listener.is_silent(Duration::from_millis(50)));
    assert_eq!(site.sql("NOTIFY news, 'all is well'"), "");
    let Message { code, body } = listener.message();
    assert_eq!(code, b'A');
    assert_eq!(body[4..], *[raw::cstring("news"), raw::cstring("all is well")].concat());
    drop(listener);
    site.finish();
}

#[test]
fn many_notifications_arrive_in_order() {
    let site = Site::new("notify_many", "");
    let mut listener = site.raw();
    listener.query("LISTEN n");
    site.sql("DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_notify('n', i::text); END LOOP; END $$");
    for expected in 1..=2000 {
        let body = listener.message().body;
        assert_eq!(body[4..], *[raw::cstring("n"), raw::cstring(&expected.to_string())].concat());
    }
    drop(listener);
    site.finish();
}

/// As the manual says under "NOTIFY": a client ignores its own by the process that its login named.
#[test]
fn a_client_of_a_pool_knows_its_own_notifications() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_notify", 2, "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'");
    let login = || Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    let (mut client, mut other) = (login(), login());
    let own = client.key.as_ref().unwrap().0;
    let senders = |replies: &[Message]| -> Vec<u32> {
        let news = replies.iter().filter(|message| message.code == b'A');
        news.map(|message| u32::from_be_bytes(message.body[..4].try_into().unwrap())).collect()
    };
    // It may come behind the end of its statement, or behind a question of Floodwall's own.
    let next = |client: &mut Raw, sql: &str| {
        let mut replies = client.query(sql);
        while senders(&replies).is_empty() {
            replies.push(client.message());
        }
        senders(&replies)
    };
    assert_eq!(next(&mut client, "LISTEN news; NOTIFY news, 'first'"), [own]);
    for sql in ["NOTIFY news, 'second'", "BEGIN; NOTIFY news, 'third'; COMMIT", "SET work_mem = '5MB'; NOTIFY news"] {
        assert_eq!(next(&mut client, sql), [own], "{sql}");
    }
    let pid: u32 = other.rows("SELECT pg_notify('news', 'other'), pg_backend_pid()")[0][1].parse().unwrap();
    let from_other = client.message();
    assert_eq!((senders(&[from_other]), pid != own), (vec![pid], true));
    drop((client, other));
    pooled.finish();
}

/// What a client has committed is told, whatever becomes of the statement behind it in the same text.
#[test]
fn a_client_of_a_pool_hears_its_own_notification_behind_a_reply_that_was_cut() {
    if direct() {
        return;
    }
    let keys = "[[access]]\nuser = 'app'\naddress = '127.0.0.0/8'\nmethod = 'trust'\n\
                [rules.result_budget]\nmode = 'enforce'\nmax_rows = 10";
    let pooled = Pooled::new("pool_notify_cut", 1, keys);
    let mut client = Raw::login(pooled.site.proxy.port, "app", &pooled.site.database).unwrap();
    client.query("LISTEN news");
    let replies = client.query("BEGIN; NOTIFY news, 'committed'; COMMIT; SELECT generate_series(1, 100000)");
    let codes: Vec<u8> = replies.iter().map(|message| message.code).filter(|&code| code != b'D').collect();
    assert_eq!(String::from_utf8_lossy(&codes), "CCCTEAZ");
    drop(client);
    pooled.finish();
}

#[test]
fn a_changed_parameter_is_reported() {
    let site = Site::new("parameter", "");
    let mut client = site.raw();
    let reply = client.query("SET application_name = 'other'");
    let status = reply.iter().find(|message| message.code == b'S').unwrap();
    assert_eq!(status.body, [raw::cstring("application_name"), raw::cstring("other")].concat());
    drop(client);
    site.finish();
}

#[test]
fn session_state_stays_with_the_session() {
    let site = Site::new("state", "");
    let mut one = site.raw();
    let mut two = site.raw();
    one.query(
        "SET work_mem = '7MB'; CREATE TEMP TABLE mine (n int); PREPARE p AS SELECT 8; SELECT pg_advisory_lock(1)",
    );
    assert_eq!(one.rows("SHOW work_mem"), [["7MB"]]);
    assert_eq!(one.rows("EXECUTE p"), [["8"]]);
    assert_eq!(two.rows("SELECT to_regclass('mine') IS NULL, pg_try_advisory_lock(1)"), [["t", "f"]]);
    drop((one, two));
    site.finish();
}
