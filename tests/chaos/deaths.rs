//! How clients go without a word.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::conn::{Buffers, CLEARTEXT, Conn, Fault};
use crate::ledger::Fate;
use crate::scene::{DEADLINE, Scene};
use crate::seed::Dice;
use crate::support::raw::{self, VERSION_3_0};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Closes the socket; a reset where something was unread.
    Close,
    Reset,
    /// Closes its half and waits for the other.
    Half,
    /// Stays, neither reads nor writes.
    Silent,
}

/// Someone who never gets in: it ends at any byte of its login.
pub(crate) async fn before_login(scene: &Arc<Scene>, dice: &mut Dice) {
    let Ok(mut conn) = Conn::open(scene.proxy.port, Buffers::any(dice)).await else { return };
    let parameters = [("user", scene.mode.user(dice)), ("database", "app")];
    let packet = if dice.once_in(4) { raw::ssl_request() } else { raw::startup(VERSION_3_0, &parameters) };
    if dice.once_in(3) {
        conn.send(&raw::startup(VERSION_3_0, &parameters)).await.ok();
        half_a_password(&mut conn, dice).await.ok();
    } else {
        conn.send(&packet[..dice.below(packet.len() + 1)]).await.ok();
    }
    sleep(Duration::from_millis(dice.size(50) as u64)).await;
    let death = *dice.one(&[Death::Close, Death::Reset, Death::Half, Death::Silent]);
    end_with(scene, conn, death, "before its login").await;
}

/// Where it is asked for one.
async fn half_a_password(conn: &mut Conn, dice: &mut Dice) -> Result<(), Fault> {
    if conn.message().await?.body == CLEARTEXT {
        let password = raw::frame(b'p', &raw::cstring("never sent in full"));
        conn.send(&password[..dice.below(password.len())]).await?;
    }
    Ok(())
}

/// A client of whom nobody hears again, in the middle of something. A process that is killed is the same to its peer: the system closes
/// its sockets, with a reset where something was unread.
pub(crate) async fn anywhere(mut client: Client) {
    // Whoever is pinned and stays keeps its server, as long as it likes.
    let staying = if client.own.is_pinned() { Death::Reset } else { Death::Silent };
    let death = *client.dice.one(&[Death::Close, Death::Close, Death::Reset, Death::Half, staying]);
    let place = client.dice.below(11);
    // Someone who stays must not hold a server for ever: then only where a time-out ends it.
    let place = if death == Death::Silent { place % 3 } else { place };
    if let Err(fault @ Fault::Hangs(_)) = go_to(place, &mut client).await {
        return client.scene.fail(format!("{} on its way out, place {place}: {}", client.name(), fault.describe()));
    }
    sleep(Duration::from_millis(client.dice.size(100) as u64)).await;
    let who = format!("{} as {death:?} at place {place}", client.name());
    client.scene.count(&format!("{death:?} at {place}"));
    end_with(&client.scene, client.conn, death, &who).await;
}

/// Leads the client to where it will end. What fails on the way does not matter any more.
async fn go_to(place: usize, client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let endless = raw::query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
    match place {
        0 => Ok(()),
        1 => {
            client.scene.ledger.note(&token, Fate::RolledBack);
            // Whoever got no server in time is not in a transaction: another statement would wait once more.
            client.conn.query("BEGIN").await?.good()?;
            client.conn.query(&format!("INSERT INTO public.kept VALUES ('{token}')")).await.map(drop)
        }
        2 => {
            let whole = raw::query(&format!("SELECT '{token}'"));
            client.conn.send(&whole[..1 + client.dice.below(whole.len() - 1)]).await
        }
        3 => client.conn.send(&raw::query(&format!("SELECT '{token}'"))).await,
        4 => client.conn.send(&endless).await,
        5 => client.conn.send(&raw::query("SELECT pg_sleep(60)")).await,
        6 => {
            client.conn.send(&raw::query("COPY public.copied FROM STDIN")).await?;
            client.conn.message().await?;
            client.conn.send(&raw::frame(b'd', b"nobody\t1\nnob")).await
        }
        7 => {
            // Without a Sync nothing of it is committed.
            client.scene.ledger.note(&token, Fate::RolledBack);
            let write = raw::run(&format!("INSERT INTO public.kept VALUES ('{token}')"));
            client.conn.send(&[write, raw::flush()].concat()).await
        }
        8 => {
            client.conn.send(&raw::query("BEGIN; SELECT pg_sleep(60)")).await?;
            cancel(&client.scene, client.conn.key.clone()).await;
            Ok(())
        }
        // Where servers are shared, this one is asked what was left there when its client is gone.
        9 => {
            client.conn.send(&raw::query(&format!("SET app.owner = '{token}'; CREATE TEMP TABLE left_behind ()"))).await
        }
        _ => {
            client.conn.send(&raw::query("COPY (SELECT generate_series(1, 100000)) TO STDOUT")).await?;
            client.conn.message().await.map(drop)
        }
    }
}

/// Sends a cancel request and waits until it was taken.
pub(crate) async fn cancel(scene: &Scene, key: (u32, Vec<u8>)) {
    if timeout(DEADLINE, cancel_at(scene.proxy.port, key)).await.is_err() {
        scene.fail("a cancel request hangs".to_owned());
    }
}

/// The same, however long it takes.
pub(crate) async fn cancel_at(port: u16, (pid, secret): (u32, Vec<u8>)) {
    let Ok(mut conn) = Conn::open(port, Buffers::Usual).await else { return };
    conn.send(&raw::cancel_request(pid, &secret)).await.ok();
    conn.drain().await;
}

async fn end_with(scene: &Arc<Scene>, mut conn: Conn, death: Death, who: &str) {
    match death {
        Death::Close => drop(conn),
        Death::Reset => conn.reset(),
        Death::Silent => scene.keep_silent(conn),
        Death::Half => {
            conn.half_close().await;
            if timeout(DEADLINE, conn.drain()).await.is_err() {
                scene.fail(format!("{who}: closed its half, and the other half stays open"));
            }
        }
    }
}
