//! From the first byte to the first ReadyForQuery, and bytes that never get there.

use std::time::{Duration, Instant};

use crate::support::cluster::major;
use crate::support::floodwall::direct;
use crate::support::raw::{self, Message, Raw, VERSION_3_0, reply_codes, sqlstates, startup};
use crate::support::site::Site;

#[test]
fn encryption_requests_are_answered_no_and_login_goes_on() {
    let site = Site::new("encryption", "");
    let mut client = Raw::open(site.proxy.port);
    client.send(&raw::ssl_request());
    assert_eq!(client.byte(), Some(b'N'));
    if !direct() {
        client.send(&raw::gss_request());
        assert_eq!(client.byte(), Some(b'N'));
    }
    client.send(&startup(VERSION_3_0, &[("user", "postgres"), ("database", &site.database)]));
    client.finish_login().unwrap();
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

#[test]
fn newer_minor_versions_are_negotiated_down_once() {
    let site = Site::new("minor", "");
    let mut client = Raw::open(site.proxy.port);
    let odd = "_pq_.test_protocol_negotiation";
    let version = VERSION_3_0 + 9999;
    client.send(&startup(version, &[("user", "postgres"), ("database", &site.database), (odd, "")]));
    let login = client.until(b"ZE");
    let negotiations: Vec<&Message> = login.iter().filter(|message| message.code == b'v').collect();
    assert_eq!(negotiations.len(), 1, "{}", raw::codes(&login));
    let (numbers, names) = negotiations[0].body.split_at(8);
    let newest = if major() >= 18 { VERSION_3_0 + 2 } else { VERSION_3_0 };
    assert_eq!(numbers[..4], *newest.to_be_bytes().as_slice(), "the version offered is the server's newest");
    assert_eq!(numbers[4..], [0, 0, 0, 1]);
    assert_eq!(names, raw::cstring(odd));
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

#[test]
fn protocol_3_2_logs_in() {
    let site = Site::new("v32", "");
    let mut client = Raw::open(site.proxy.port);
    client.send(&startup(VERSION_3_0 + 2, &[("user", "postgres"), ("database", &site.database)]));
    client.finish_login().unwrap();
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

/// Only pools told it; here the server's words stood alone.
#[test]
fn who_looks_for_the_console_in_a_database_is_told_where_it_is() {
    if direct() {
        return;
    }
    let site = Site::new("no_console", "");
    for (database, hinted) in [("pgbouncer", true), ("no_such_database", false)] {
        let told = Raw::login(site.proxy.port, "postgres", database).unwrap_err();
        assert!(told.summary().contains(&format!("database \"{database}\" does not exist")), "{}", told.summary());
        assert_eq!(told.field(b'C').as_deref(), Some("3D000"));
        assert_eq!(told.field(b'H').is_some_and(|hint| hint.contains("console has a port")), hinted);
    }
    site.finish();
}

#[test]
fn other_major_versions_get_an_error() {
    let site = Site::new("major", "");
    for version in [4 << 16, 9 << 16 | 1, 1234 << 16 | 5681] {
        let mut client = Raw::open(site.proxy.port);
        client.send(&startup(version, &[("user", "postgres")]));
        let reply = client.rest().unwrap();
        assert_eq!(sqlstates(&reply), ["0A000"], "version {version:#x}");
    }
    site.finish();
}

#[test]
fn a_start_up_packet_may_come_byte_by_byte() {
    let site = Site::new("bytes", "");
    let mut client = Raw::open(site.proxy.port);
    for byte in startup(VERSION_3_0, &[("user", "postgres"), ("database", &site.database)]) {
        client.send(&[byte]);
        std::thread::sleep(Duration::from_millis(1));
    }
    client.finish_login().unwrap();
    for byte in [raw::query("SELECT 42"), raw::run("SELECT 43"), raw::sync()].concat() {
        client.send(&[byte]);
    }
    assert_eq!(reply_codes(&client.until(b"Z")), "T D C Z");
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    drop(client);
    site.finish();
}

#[test]
fn start_up_packets_of_a_wrong_length_get_an_error_and_a_closed_connection() {
    let site = Site::new("length", "");
    let long = "x".repeat(10_000);
    let packets: [&[u8]; 4] = [
        &startup(VERSION_3_0, &[("user", "postgres"), ("options", &long)]),
        &[0, 0, 0, 7, 0, 3, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0],
    ];
    for packet in packets {
        assert_malformed(&site, packet);
    }
    site.finish();
}

/// What node-postgres sends where `end()` comes before its socket is connected, and its start-up packet behind that.
#[test]
fn a_client_that_leaves_before_its_first_packet_hears_nothing() {
    let site = Site::new("leaves", "");
    let mut client = Raw::open(site.proxy.port);
    client.send(&[raw::terminate(), startup(VERSION_3_0, &[("user", "postgres")])].concat());
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    // The server closes upon bytes unread, which resets the connection.
    assert!(client.rest().map_or_else(|_| direct(), |reply| reply.is_empty()));
    site.finish();
}

#[test]
fn start_up_packets_of_a_wrong_form_get_an_error_and_a_closed_connection() {
    let site = Site::new("form", "");
    let version = VERSION_3_0.to_be_bytes();
    let with = |rest: &[u8]| {
        let length = u32::try_from(8 + rest.len()).unwrap().to_be_bytes();
        [&length[..], &version, rest].concat()
    };
    // A name without a value; no zero at the end; bytes behind the end.
    for rest in [&b"user\0"[..], b"user\0postgres\0database", b"user\0postgres\0\0more\0"] {
        assert_malformed(&site, &with(rest));
    }
    site.finish();
}

#[test]
fn a_start_up_packet_without_a_user_is_refused() {
    let site = Site::new("nouser", "");
    let mut client = Raw::open(site.proxy.port);
    client.send(&startup(VERSION_3_0, &[("database", &site.database)]));
    assert_eq!(sqlstates(&client.rest().unwrap()), ["28000"]);
    site.finish();
}

#[test]
fn a_tls_hello_without_a_request_ends_the_connection() {
    let site = Site::new("tls", "");
    let mut client = Raw::open(site.proxy.port);
    let hello = [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03];
    client.send(&hello);
    let mut reply = Vec::new();
    let end = std::io::Read::read_to_end(&mut client.stream, &mut reply);
    assert!(direct() || end.is_ok(), "{end:?}");
    site.finish();
}

#[test]
fn garbage_never_hurts_the_next_client() {
    let site = Site::new("garbage", "");
    let junk: [&[u8]; 5] =
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[0; 64], &[0xff; 64], b"\x00\x00\x00\x08\x04", b"SSH-2.0-x\r\n"];
    for bytes in junk {
        let mut client = Raw::open(site.proxy.port);
        client.send(bytes);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        let end = std::io::Read::read_to_end(&mut client.stream, &mut reply);
        assert!(direct() || end.is_ok(), "{}: {end:?}", bytes.escape_ascii());
    }
    assert_eq!(site.raw().rows("SELECT 1"), [["1"]]);
    site.finish();
}

#[test]
fn garbage_in_a_session_gets_an_error_and_a_closed_connection() {
    let site = Site::new("session_garbage", "");
    let junk: [&[u8]; 3] = [&[0xff; 64], b"Q\x00\x00\x00\x03", b"Q\xff\xff\xff\xffSELECT 1\0"];
    for bytes in junk {
        let mut client = site.raw();
        client.send(bytes);
        client.send(&raw::sync());
        let reply = client.rest();
        let Ok(reply) = reply else { panic!("{}: {reply:?}", bytes.escape_ascii()) };
        let last = reply.last().map(Message::sqlstate);
        assert!(direct() || last.as_deref() == Some("08P01"), "{}: {last:?}", bytes.escape_ascii());
    }
    assert_eq!(site.raw().rows("SELECT 1"), [["1"]]);
    site.finish();
}

#[test]
fn a_statement_without_its_closing_zero_is_an_error() {
    let site = Site::new("no_zero", "");
    for bytes in [&b"P\x00\x00\x00\x06ab"[..], b"Q\x00\x00\x00\x06ab", b"P\x00\x00\x00\x07ab\0"] {
        let mut client = site.raw();
        client.send_all(&[bytes.to_vec(), raw::sync()]);
        let mut reply = Vec::new();
        while let Ok(Some(message)) = client.read() {
            let last = message.code == b'Z';
            reply.push(message);
            if last {
                break;
            }
        }
        assert_eq!(sqlstates(&reply), ["08P01"], "{}", bytes.escape_ascii());
    }
    site.finish();
}

#[test]
fn a_silent_client_is_closed_at_the_login_deadline() {
    let site = Site::new("silent", "[caps]\nlogin_timeout = '1s'");
    if !direct() {
        let begin = Instant::now();
        let mut quiet = Raw::open(site.proxy.port);
        let mut slow = Raw::open(site.proxy.port);
        slow.send(&startup(VERSION_3_0, &[("user", "postgres")])[..9]);
        quiet.rest().unwrap();
        slow.rest().unwrap();
        // Without a deadline they are closed by nobody.
        assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
    }
    site.finish();
}

#[test]
fn a_client_that_never_answers_the_password_request_is_closed_too() {
    let site = Site::new("mute", "[caps]\nlogin_timeout = '1s'");
    if !direct() {
        // Where the machine is busy, the time of a login may be over before the server asks.
        let asked = || {
            let mut client = Raw::open(site.proxy.port);
            client.send(&startup(VERSION_3_0, &[("user", "app"), ("database", &site.database)]));
            (client.message().code == b'R').then_some(client)
        };
        let mut client = (0..20).find_map(|_| asked()).expect("nobody is asked for a password");
        client.rest().unwrap();
    }
    site.finish();
}

#[test]
fn what_the_client_asks_for_at_start_up_reaches_the_server() {
    let site = Site::new("parameters", "");
    let mut client = Raw::open(site.proxy.port);
    let asked = [
        ("user", "postgres"),
        ("database", site.database.as_str()),
        ("application_name", "a b'c"),
        ("options", "-c work_mem=2MB -c search_path=one,two"),
        ("TimeZone", "Europe/Berlin"),
    ];
    client.send(&startup(VERSION_3_0, &asked));
    client.finish_login().unwrap();
    assert_eq!(client.rows("SHOW application_name"), [["a b'c"]]);
    assert_eq!(client.rows("SHOW work_mem"), [["2MB"]]);
    assert_eq!(client.rows("SHOW search_path"), [["one,two"]]);
    assert_eq!(client.rows("SHOW TimeZone"), [["Europe/Berlin"]]);
    drop(client);
    site.finish();
}

#[test]
fn a_query_sent_together_with_the_start_up_packet_is_answered() {
    let site = Site::new("eager", "");
    let mut client = Raw::open(site.proxy.port);
    let hello = startup(VERSION_3_0, &[("user", "postgres"), ("database", &site.database)]);
    client.send_all(&[hello, raw::query("SELECT 7")]);
    client.finish_login().unwrap();
    assert_eq!(reply_codes(&client.until(b"Z")), "T D C Z");
    drop(client);
    site.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_checked_by_the_server() {
    let site = Site::new("passwords", "");
    for user in ["app", "md5_user", "trusted"] {
        let client = site.session(user).await;
        let row = client.query_one("SELECT current_user::text", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), user);
    }
    for (user, password, state) in [("app", "wrong", "28P01"), ("md5_user", "wrong", "28P01"), ("nobody", "x", "28P01")]
    {
        let target = format!("host=127.0.0.1 port={} user={user} password={password} dbname=app", site.proxy.port);
        let error = tokio_postgres::connect(&target, tokio_postgres::NoTls).await.err().unwrap();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some(state), "{user}: {error:?}");
    }
    site.finish();
}

#[test]
fn errors_of_the_server_at_login_reach_the_client_as_they_are() {
    let site = Site::new("nodb", "");
    let error = Raw::login(site.proxy.port, "postgres", "no_such_database").unwrap_err();
    assert_eq!(error.sqlstate(), "3D000");
    assert_eq!(error.field(b'M').unwrap(), "database \"no_such_database\" does not exist");
    site.finish();
}

/// The proxy answers with one 08P01 and closes; the server itself only closes.
fn assert_malformed(site: &Site, packet: &[u8]) {
    let mut client = Raw::open(site.proxy.port);
    client.send(packet);
    if packet.len() < 64 {
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let Ok(reply) = client.rest() else {
        assert!(direct(), "{}: connection reset", packet.escape_ascii());
        return;
    };
    if !direct() {
        assert_eq!(sqlstates(&reply), ["08P01"], "{}", packet[..packet.len().min(40)].escape_ascii());
    }
}
