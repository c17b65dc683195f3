//! What outlives a transaction: settings, temporary tables, advisory locks.

use super::mine;
use crate::client::Client;
use crate::conn::Fault;

pub(super) async fn settings(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let (name, value) = match client.dice.below(4) {
        0 => ("app.owner", token),
        1 => ("application_name", token),
        2 => ("work_mem", format!("{}kB", 65 + 2 * client.dice.below(400))),
        _ => ("search_path", format!("own_{token}")),
    };
    if client.dice.once_in(4) {
        // A value that is rolled back leaves the one before.
        client.conn.query(&format!("BEGIN; SET {name} = '{value}'")).await?.good()?;
        client.conn.query("ROLLBACK").await?.good()?;
    } else {
        client.conn.query(&format!("SET {name} = '{value}'")).await?.good()?;
        client.own.settings.insert(name, value);
    }
    mine::look(client).await
}

pub(super) async fn temporary(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    if client.own.temporary.is_none() {
        client.conn.query("CREATE TEMP TABLE scratch (token text)").await?.good()?;
        client.own.temporary = Some(Vec::new());
    }
    client.conn.query(&format!("INSERT INTO pg_temp.scratch VALUES ('{token}')")).await?.good()?;
    let rows = client.own.temporary.get_or_insert_default();
    rows.push(token);
    let rows: Vec<[&str; 1]> = rows.iter().map(|row| [row.as_str()]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(<[_; 1]>::as_slice).collect();
    client.conn.query("SELECT token FROM pg_temp.scratch").await?.is(&rows)?;
    if client.dice.once_in(3) || !client.scene.mode.has_servers_to_spare() {
        client.conn.query("DROP TABLE pg_temp.scratch").await?.good()?;
        client.own.temporary = None;
    }
    Ok(())
}

/// Keys are made of tokens, so nobody else ever holds one.
pub(super) async fn locks(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let lock = format!("SELECT pg_try_advisory_lock(hashtextextended('{token}', 0))");
    client.conn.query(&lock).await?.is(&[&["t"]])?;
    client.own.locks += 1;
    mine::look(client).await?;
    if client.dice.once_in(2) || !client.scene.mode.has_servers_to_spare() {
        client.conn.query("SELECT 1 FROM (SELECT pg_advisory_unlock_all()) AS gone").await?.is(&[&["1"]])?;
        client.own.locks = 0;
    }
    Ok(())
}
