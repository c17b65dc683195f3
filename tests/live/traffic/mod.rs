//! The recorded traffic of Django, SQLAlchemy and pgbench, sent once more through Floodwall at its default configuration.

#[path = "../../traffic/mod.rs"]
mod format;
mod record;

use crate::support::floodwall::direct;
use crate::support::raw::{self, Message, Raw};
use crate::support::site::Site;
use format::{Statement, Traffic};

#[test]
fn what_ordinary_programs_sent_meets_no_refusal() {
    for (name, text) in format::ALL {
        let traffic = Traffic::read(text);
        let site = Site::new(&format!("traffic_{name}"), "");
        let mut client = site.raw();
        let failed: Vec<String> =
            traffic.statements.iter().filter_map(|statement| send(&mut client, statement)).collect();
        let refused: Vec<_> = failed.iter().filter(|error| error.contains("FLOODWALL[")).collect();
        assert!(refused.is_empty(), "{name}: {refused:#?}");
        // The server itself refuses a few: rows that are there already, since not every statement was kept.
        let worked = traffic.statements.len() - failed.len();
        assert!(worked * 100 >= traffic.statements.len() * 85, "{name}: {worked} worked; {failed:#?}");
        if !direct() {
            assert_eq!(site.proxy.metric("floodwall_refusals_total", &[]), 0.0, "{name}");
        }
        drop(client);
        site.finish();
    }
}

/// Sends a statement as it was sent; its error, where it had one. A transaction that failed is rolled back.
fn send(client: &mut Raw, statement: &Statement) -> Option<String> {
    match &statement.values {
        None => client.send(&raw::query(&statement.sql)),
        Some(values) => {
            client.send_all(&[raw::parse("", &statement.sql), bind(values), raw::execute(), raw::sync()]);
        }
    }
    let reply = reply(client, statement);
    if reply.last().is_some_and(|ready| ready.body == b"E") {
        client.query("ROLLBACK");
    }
    let error = reply.iter().find(|message| message.code == b'E')?;
    Some(format!("{:.200}: {}", statement.sql, error.summary()))
}

/// The whole reply. Data that the server asks for was not recorded: the COPY is given up.
fn reply(client: &mut Raw, statement: &Statement) -> Vec<Message> {
    let mut seen = client.until(b"ZG");
    while seen.last().is_some_and(|last| last.code == b'G') {
        client.send(&raw::frame(b'f', &raw::cstring("not recorded")));
        if statement.values.is_some() {
            client.send(&raw::sync());
        }
        seen.extend(client.until(b"ZG"));
    }
    seen
}

/// Bind of text values, some of them NULL, to the unnamed statement.
fn bind(values: &[Option<String>]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        let length = value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend(length.to_be_bytes());
        body.extend(value.iter().flat_map(|value| value.bytes()));
    }
    body.extend([0, 0]);
    raw::frame(b'B', &body)
}
