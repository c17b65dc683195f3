//! Transactions, and what lasts as long as they do.

use crate::client::Client;
use crate::conn::Fault;
use crate::ledger::Fate;
use crate::support::raw;

/// One row, written for good, unless the answer to the COMMIT is lost.
pub(super) async fn whole(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let ledger = &client.scene.ledger;
    if client.dice.once_in(3) {
        ledger.note(&token, Fate::Unknown);
        client.conn.query(&format!("INSERT INTO public.kept VALUES ('{token}')")).await?.good()?;
        ledger.note(&token, Fate::Committed);
        return Ok(());
    }
    ledger.note(&token, Fate::RolledBack);
    begin(client).await?;
    let insert = format!("INSERT INTO public.kept VALUES ('{token}') RETURNING token");
    let reply = if client.dice.once_in(2) {
        client.conn.query(&insert).await?
    } else {
        client.conn.ask(&[raw::run(&insert), raw::sync()]).await?
    };
    reply.is(&[&[&token]])?;
    client.scene.ledger.note(&token, Fate::Unknown);
    client.conn.query("COMMIT").await?.good()?;
    client.scene.ledger.note(&token, Fate::Committed);
    Ok(())
}

/// A savepoint that is rolled back to keeps what was before it; a ROLLBACK nothing.
pub(super) async fn aborted(client: &mut Client) -> Result<(), Fault> {
    let (kept, lost) = (client.token(), client.token());
    let commits = client.dice.once_in(2);
    client.scene.ledger.note(&lost, Fate::RolledBack);
    client.scene.ledger.note(&kept, Fate::RolledBack);
    begin(client).await?;
    client.conn.query(&format!("INSERT INTO public.kept VALUES ('{kept}'); SAVEPOINT here")).await?.good()?;
    client.conn.query(&format!("INSERT INTO public.kept VALUES ('{lost}'); SELECT 1 / 0")).await?.failed("22012")?;
    let refused = client.conn.query("SELECT 'nothing runs here'").await?.failed("25P02")?;
    if refused.status != b'E' {
        return Err(Fault::Wrong(format!("status {} in a failed transaction", refused.status)));
    }
    client.conn.query("ROLLBACK TO here").await?.good()?;
    if commits {
        client.scene.ledger.note(&kept, Fate::Unknown);
        client.conn.query("COMMIT").await?.good()?;
        client.scene.ledger.note(&kept, Fate::Committed);
        return Ok(());
    }
    client.conn.query("ROLLBACK").await?.good().map(drop)
}

pub(super) async fn cursor(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    begin(client).await?;
    let declare = format!("DECLARE c CURSOR FOR SELECT '{token}' || i FROM generate_series(1, 5) i");
    client.conn.query(&declare).await?.good()?;
    let row = |number: u8| format!("{token}{number}");
    client.conn.query("FETCH 2 FROM c").await?.is(&[&[&row(1)], &[&row(2)]])?;
    client.conn.query("FETCH 1 FROM c").await?.is(&[&[&row(3)]])?;
    client.conn.query("COMMIT").await?.good().map(drop)
}

/// Settings, a table and a lock that end with the transaction.
pub(super) async fn local(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    begin(client).await?;
    client.conn.query(&format!("SET LOCAL app.local = '{token}'")).await?.good()?;
    client.conn.query("CREATE TEMP TABLE scratch_local (token text) ON COMMIT DROP").await?.good()?;
    client.conn.query(&format!("INSERT INTO scratch_local VALUES ('{token}')")).await?.good()?;
    let lock = format!("SELECT pg_try_advisory_xact_lock(hashtextextended('{token}', 0))");
    client.conn.query(&lock).await?.is(&[&["t"]])?;
    let look = "SELECT current_setting('app.local'), string_agg(token, ',') FROM scratch_local";
    client.conn.query(look).await?.is(&[&[&token, &token]])?;
    let end = if client.dice.once_in(2) { "COMMIT" } else { "ROLLBACK" };
    client.conn.query(end).await?.good().map(drop)
}

async fn begin(client: &mut Client) -> Result<(), Fault> {
    let reply = client.conn.query("BEGIN").await?.good()?;
    if reply.status == b'T' { Ok(()) } else { Err(Fault::Wrong(format!("status {} after BEGIN", reply.status))) }
}
