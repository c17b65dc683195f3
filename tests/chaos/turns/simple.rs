//! The simple protocol.

use std::time::Duration;

use tokio::time::sleep;

use crate::client::Client;
use crate::conn::Fault;
use crate::support::raw;

pub(super) async fn one(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    client.conn.query(&format!("SELECT '{token}'")).await?.is(&[&[&token]]).map(drop)
}

/// Two texts in one go, the first with two statements.
pub(super) async fn several(client: &mut Client) -> Result<(), Fault> {
    let (a, b, c) = (client.token(), client.token(), client.token());
    let texts = [raw::query(&format!("SELECT '{a}'; SELECT '{b}'")), raw::query(&format!("SELECT '{c}'"))];
    client.conn.ask(&texts).await?.is(&[&[&a], &[&b]])?;
    client.conn.reply().await?.is(&[&[&c]]).map(drop)
}

/// The error carries the token, and the session serves on.
pub(super) async fn fails(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let reply = client.conn.query(&format!("SELECT '{token}'::text; SELECT '{token}'::int")).await?.failed("22P02")?;
    let text = reply.error.as_ref().and_then(|error| error.field(b'M')).unwrap_or_default();
    if !text.contains(&token) {
        return Err(Fault::Wrong(format!("an error of somebody else: {text}")));
    }
    one(client).await
}

pub(super) async fn rests(client: &mut Client) -> Result<(), Fault> {
    sleep(Duration::from_millis(client.dice.below(400) as u64)).await;
    one(client).await
}
