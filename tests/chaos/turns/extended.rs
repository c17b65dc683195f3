//! The extended protocol: unnamed and named statements, pipelines, portals.

use crate::client::Client;
use crate::conn::Fault;
use crate::support::raw;

pub(super) async fn unnamed(client: &mut Client) -> Result<(), Fault> {
    let (text, value) = (client.token(), client.token());
    let messages = [
        raw::parse("", &format!("SELECT '{text}'::text, $1::text")),
        raw::bind("", &[&value]),
        raw::execute(),
        raw::sync(),
    ];
    client.conn.ask(&messages).await?.is(&[&[&text, &value]]).map(drop)
}

/// Two pipelines in one go. What follows an error up to the Sync is not run; what follows the Sync is.
pub(super) async fn pipeline(client: &mut Client) -> Result<(), Fault> {
    let (first, never, next) = (client.token(), client.token(), client.token());
    let select = |token: &str| raw::run(&format!("SELECT '{token}'"));
    let fails = client.dice.once_in(2);
    let middle = if fails { raw::run("SELECT 1 / 0") } else { select(&never) };
    let messages = [select(&first), middle, select(&never), raw::sync(), select(&next), raw::sync()];
    let reply = client.conn.ask(&messages).await?;
    if fails {
        let reply = reply.failed("22012")?;
        if reply.rows != [[first.as_str()]] {
            return Err(Fault::Wrong(format!("{first} expected before the error, {:?} came", reply.rows)));
        }
    } else {
        reply.is(&[&[&first], &[&never], &[&never]])?;
    }
    client.conn.reply().await?.is(&[&[&next]]).map(drop)
}

/// A reply is read before the Sync is sent.
pub(super) async fn flushed(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    client.conn.send(&[raw::run(&format!("SELECT '{token}'")), raw::flush()].concat()).await?;
    let mut rows = Vec::new();
    loop {
        let message = client.conn.message().await?;
        match message.code {
            b'D' => rows.push(message.columns()),
            b'E' => return Err(Fault::Refused(message)),
            b'C' => break,
            _ => {}
        }
    }
    if rows != [[token.as_str()]] {
        return Err(Fault::Wrong(format!("{token} expected, {rows:?} came")));
    }
    client.conn.ask(&[raw::sync()]).await?.is(&[]).map(drop)
}

/// A portal that is read in portions, inside a transaction.
pub(super) async fn portal(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    client.conn.query("BEGIN").await?.good()?;
    let open = [
        raw::parse("", &format!("SELECT '{token}' || i FROM generate_series(1, 4) i")),
        raw::bind_portal("portal", "", &[]),
        raw::execute_portal("portal", 3),
        raw::sync(),
    ];
    let row = |number: u8| format!("{token}{number}");
    let reply = client.conn.ask(&open).await?.is(&[&[&row(1)], &[&row(2)], &[&row(3)]])?;
    if !reply.suspended {
        return Err(Fault::Wrong("the portal is not suspended".to_owned()));
    }
    client.conn.ask(&[raw::execute_portal("portal", 0), raw::sync()]).await?.is(&[&[&row(4)]])?;
    client.conn.query("COMMIT").await?.good().map(drop)
}

/// Clients give the same names to different statements.
pub(super) async fn prepared(client: &mut Client) -> Result<(), Fault> {
    let name = format!("s{}", client.dice.below(6));
    let mut messages = Vec::new();
    let known = client.own.prepared.get(&name).cloned();
    if let Some(text) = &known
        && client.dice.once_in(4)
    {
        // Closed, made anew, and run, in one pipeline.
        messages.push(raw::close_statement(&name));
        messages.push(raw::parse(&name, &format!("SELECT '{text}'::text, $1::text")));
    }
    let text = known.unwrap_or_else(|| {
        let text = client.token();
        messages.push(raw::parse(&name, &format!("SELECT '{text}'::text, $1::text")));
        text
    });
    let value = client.token();
    messages.extend([raw::bind(&name, &[&value]), raw::execute(), raw::sync()]);
    let reply = client.conn.ask(&messages).await?;
    client.own.prepared.insert(name, text.clone());
    reply.is(&[&[&text, &value]]).map(drop)
}
