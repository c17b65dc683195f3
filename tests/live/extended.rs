//! The extended protocol, pipelines and large messages, frame by frame.

use std::io::Write;
use std::time::Duration;

use crate::support::raw::{self, Message, reply_codes, sqlstates};
use crate::support::site::Site;

#[test]
fn a_pipeline_is_answered_in_order() {
    let site = Site::new("pipeline", "");
    let mut client = site.raw();
    client.send_all(&[raw::run("SELECT 1"), raw::run("SELECT 2"), raw::sync(), raw::run("SELECT 3"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C 1 2 D C Z");
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    drop(client);
    site.finish();
}

#[test]
fn an_error_in_a_pipeline_skips_to_the_next_sync() {
    let site = Site::new("skip", "");
    let mut client = site.raw();
    let batch = [raw::run("SELECT 1"), raw::run("SELECT 1/0"), raw::run("SELECT 2"), raw::sync()].concat();
    client.send_all(&[batch, raw::run("SELECT 3"), raw::sync()]);
    let first = client.until(b"Z");
    assert_eq!(reply_codes(&first), "1 2 D C 1 E Z");
    assert_eq!(sqlstates(&first), ["22012"]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D C Z");
    drop(client);
    site.finish();
}

#[test]
fn flush_brings_the_reply_without_sync() {
    let site = Site::new("flush", "");
    let mut client = site.raw();
    client.send_all(&[raw::parse("s", "SELECT $1::int + 1"), raw::describe_statement("s"), raw::flush()]);
    assert_eq!(reply_codes(&client.until(b"T")), "1 t T");
    client.send_all(&[raw::bind("s", &["41"]), raw::execute(), raw::flush()]);
    let reply = client.until(b"C");
    assert_eq!(reply_codes(&reply), "2 D C");
    assert_eq!(reply[1].columns(), ["42"]);
    assert!(client.is_silent(Duration::from_millis(100)));
    client.send(&raw::sync());
    assert_eq!(reply_codes(&client.until(b"Z")), "Z");
    drop(client);
    site.finish();
}

#[test]
fn portals_can_be_read_in_parts() {
    let site = Site::new("portal", "");
    let mut client = site.raw();
    let sql = "SELECT n FROM generate_series(1, 5) AS n";
    let open = [raw::parse("", sql), raw::bind_portal("p", "", &[])].concat();
    let parts: Vec<Vec<u8>> = (0..3).map(|_| raw::execute_portal("p", 2)).collect();
    client.send_all(&[raw::query("BEGIN"), open, parts.concat(), raw::sync(), raw::query("COMMIT")]);
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    assert_eq!(reply_codes(&client.until(b"Z")), "1 2 D D s D D s D C Z");
    assert_eq!(reply_codes(&client.until(b"Z")), "C Z");
    drop(client);
    site.finish();
}

#[test]
fn named_statements_live_as_long_as_the_session() {
    let site = Site::new("named", "");
    let mut client = site.raw();
    let long_name = "n".repeat(9_000);
    client.send_all(&[raw::parse(&long_name, "SELECT $1::text"), raw::sync()]);
    assert_eq!(reply_codes(&client.until(b"Z")), "1 Z");
    for value in ["a", "b"] {
        client.send_all(&[raw::bind(&long_name, &[value]), raw::execute(), raw::sync()]);
        assert_eq!(client.until(b"Z")[1].columns(), [value]);
    }
    client.send_all(&[raw::close_statement(&long_name), raw::bind(&long_name, &["c"]), raw::sync()]);
    let reply = client.until(b"Z");
    assert_eq!(reply_codes(&reply), "3 E Z");
    assert_eq!(sqlstates(&reply), ["26000"]);
    drop(client);
    site.finish();
}

#[test]
fn simple_queries_of_no_one_and_several_statements() {
    let site = Site::new("simple", "");
    let mut client = site.raw();
    assert_eq!(reply_codes(&client.query("")), "I Z");
    assert_eq!(reply_codes(&client.query(" ; -- nothing\n")), "I Z");
    assert_eq!(reply_codes(&client.query("SELECT 1; SELECT 2; SET work_mem = '1MB'")), "T D C T D C C Z");
    assert_eq!(reply_codes(&client.query("SELECT 1; SELECT 1/0; SELECT 2")), "T D C E Z");
    assert_eq!(reply_codes(&client.query("SELEC 1")), "E Z");
    drop(client);
    site.finish();
}

#[test]
fn function_calls_pass() {
    let site = Site::new("fastpath", "");
    let mut client = site.raw();
    let int4pl: u32 = client.rows("SELECT 'int4pl'::regproc::oid")[0][0].parse().unwrap();
    let argument = |value: &str| [&u32::try_from(value.len()).unwrap().to_be_bytes()[..], value.as_bytes()].concat();
    let head = [&int4pl.to_be_bytes()[..], &[0, 0, 0, 2]].concat();
    client.send(&raw::frame(b'F', &[head, argument("40"), argument("2"), vec![0, 0]].concat()));
    let reply = client.until(b"Z");
    assert_eq!(reply_codes(&reply), "V Z");
    assert_eq!(reply[0].body[4..], *b"42");
    assert_eq!(client.rows("SELECT 1"), [["1"]]);
    drop(client);
    site.finish();
}

#[test]
fn large_texts_values_and_rows_pass_whole() {
    let site = Site::new("large", "");
    let mut client = site.raw();
    let text = "x".repeat(8 << 20);
    assert_eq!(client.rows(&format!("SELECT length('{text}')")), [[text.len().to_string()]]);
    let value = "v".repeat(48 << 20);
    client.send_all(&[
        raw::parse("", "SELECT length($1::text), $1::text"),
        raw::bind("", &[&value]),
        raw::execute(),
        raw::sync(),
    ]);
    let reply = client.until(b"Z");
    assert_eq!(reply_codes(&reply), "1 2 D C Z");
    let columns = reply[2].columns();
    assert_eq!(columns[0], value.len().to_string());
    assert!(columns[1] == value, "the value came back changed");
    drop(client);
    site.finish();
}

#[test]
fn sizes_around_every_buffer_border_pass_whole() {
    let site = Site::new("borders", "");
    let mut client = site.raw();
    let borders = [1 << 10, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17];
    for size in borders.into_iter().flat_map(|border| border - 40..border + 8).step_by(3) {
        let value = "b".repeat(size);
        client.send_all(&[raw::parse("", "SELECT $1::text"), raw::bind("", &[&value]), raw::execute(), raw::sync()]);
        let reply = client.until(b"Z");
        assert!(reply[2].columns()[0] == value, "size {size}");
    }
    drop(client);
    site.finish();
}

#[test]
fn both_directions_can_be_full_at_once() {
    let site = Site::new("duplex", "");
    let mut client = site.raw();
    let mut writer = client.stream.try_clone().unwrap();
    let batch = raw::run(&format!("SELECT repeat('r', 4000), '{}'", "q".repeat(4_000)));
    let count = 4_000;
    let sender = std::thread::spawn(move || {
        for _ in 0..count {
            writer.write_all(&batch).unwrap();
        }
        writer.write_all(&raw::sync()).unwrap();
    });
    let reply = client.until(b"Z");
    sender.join().unwrap();
    assert_eq!(reply.iter().filter(|message| message.code == b'D').count(), count);
    drop(client);
    site.finish();
}

#[test]
fn a_flood_of_notices_passes() {
    let site = Site::new("notices", "");
    let mut client = site.raw();
    let reply = client.query("DO $$ BEGIN FOR n IN 1..20000 LOOP RAISE NOTICE 'number %', n; END LOOP; END $$");
    let notices: Vec<&Message> = reply.iter().filter(|message| message.code == b'N').collect();
    assert_eq!(notices.len(), 20_000);
    assert_eq!(notices[19_999].field(b'M').unwrap(), "number 20000");
    drop(client);
    site.finish();
}

#[test]
fn a_reader_that_stops_reading_holds_nobody_else_up() {
    let site = Site::new("slow_reader", "[rules.result_budget]\nmode = 'off'");
    let mut slow = site.raw();
    slow.send(&raw::query("SELECT repeat('s', 1000) FROM generate_series(1, 200000)"));
    std::thread::sleep(Duration::from_millis(200));
    let mut other = site.raw();
    for _ in 0..20 {
        assert_eq!(other.rows("SELECT 1"), [["1"]]);
    }
    assert_eq!(slow.until(b"Z").len(), 200_003);
    drop((slow, other));
    site.finish();
}

#[test]
fn a_session_without_terminate_ends_as_well() {
    let site = Site::new("goodbye", "");
    let mut polite = site.raw();
    polite.send(&raw::terminate());
    assert!(polite.rest().unwrap().is_empty());
    let mut abrupt = site.raw();
    abrupt.query("BEGIN");
    drop(abrupt);
    site.finish();
}
