//! What the server says unasked: notifications and changed parameters.

use std::time::Duration;

use crate::support::raw::{self, Message};
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
