//! Cancels, one or many at once. Whoever has not asked for one must never see one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::conn::{Fault, Reply};
use crate::deaths;
use crate::scene::DEADLINE;
use crate::support::raw;

/// Sends cancels until the statement has ended, then works on at once.
pub(super) async fn turn(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let storm = *client.dice.one(&[1, 1, 2, 10]);
    let inside = client.dice.once_in(3);
    if inside {
        client.conn.query("BEGIN").await?.good()?;
    }
    client.conn.send(&raw::query(&format!("SELECT '{token}' FROM pg_sleep(2)"))).await?;
    sleep(Duration::from_millis(client.dice.size(200) as u64)).await;
    let ended = timeout(DEADLINE, cancelled(client, storm)).await.map_err(|_| Fault::Hangs("no cancel helped"))??;
    match &ended.error {
        Some(error) if error.sqlstate() == "57014" => {}
        Some(error) => return Err(Fault::Refused(error.clone())),
        None => drop(ended.is(&[&[&token]])?),
    }
    if inside {
        roll_back(client).await?;
    }
    // Its own late cancels may hit what it does next, and nobody else's work.
    let next = client.token();
    let reply = client.conn.query(&format!("SELECT '{next}'")).await?;
    match &reply.error {
        Some(error) if error.sqlstate() == "57014" => Ok(()),
        _ => reply.is(&[&[&next]]).map(drop),
    }
}

/// Its own late cancels may hit the ROLLBACK, which leaves the transaction as it is.
async fn roll_back(client: &mut Client) -> Result<(), Fault> {
    loop {
        let reply = client.conn.query("ROLLBACK").await?;
        match &reply.error {
            Some(error) if error.sqlstate() == "57014" && reply.status == b'E' => {}
            _ => return reply.good().map(drop),
        }
    }
}

async fn cancelled(client: &mut Client, storm: usize) -> Result<Reply, Fault> {
    // What was read so far stays where it is when the time is over, so that the next reply is whole.
    let mut reply = Reply::default();
    loop {
        for _ in 0..storm {
            let (scene, key, under_way) = (Arc::clone(&client.scene), client.conn.key.clone(), client.cancels.begin());
            tokio::spawn(async move {
                deaths::cancel(&scene, key).await;
                drop(under_way);
            });
        }
        match timeout(Duration::from_millis(300), client.conn.continue_reply(&mut reply)).await {
            Ok(ended) => return ended.map(|()| reply),
            Err(_) => continue,
        }
    }
}
