//! Many bytes: COPY in both directions, and replies that are read slowly.

use std::time::Duration;

use tokio::time::sleep;

use crate::client::Client;
use crate::conn::Fault;
use crate::support::raw;

/// Rows in pieces of any size, ended or given up by the client.
pub(super) async fn copy_in(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let rows = client.dice.size(2_000);
    client.conn.send(&raw::query("COPY public.copied FROM STDIN")).await?;
    loop {
        let message = client.conn.message().await?;
        match message.code {
            b'G' => break,
            b'E' => return Err(Fault::Refused(message)),
            _ => {}
        }
    }
    let data: String = (0..rows).map(|row| format!("{token}\t{row}\n")).collect();
    let mut rest = data.as_bytes();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + client.dice.size(8_192)));
        client.conn.send(&raw::frame(b'd', piece)).await?;
        rest = after;
    }
    let gives_up = client.dice.once_in(4);
    let end = if gives_up { raw::frame(b'f', &raw::cstring("given up")) } else { raw::frame(b'c', &[]) };
    let reply = client.conn.ask(&[end]).await?;
    if gives_up {
        // The word of a server for a COPY that its client gave up is that for a cancel.
        reply.failed("57014")?;
    } else {
        reply.good()?;
    }
    let count = if gives_up { 0 } else { rows };
    let look = format!("SELECT count(*), coalesce(sum(n), 0) FROM public.copied WHERE owner = '{token}'");
    let sum = count * count.saturating_sub(1) / 2;
    client.conn.query(&look).await?.is(&[&[&count.to_string(), &sum.to_string()]])?;
    client.conn.query(&format!("DELETE FROM public.copied WHERE owner = '{token}'")).await?.good().map(drop)
}

pub(super) async fn copy_out(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let rows = client.dice.size(3_000);
    let copy = format!("COPY (SELECT '{token}', i FROM generate_series(1, {rows}) i) TO STDOUT");
    let reply = client.conn.query(&copy).await?.good()?;
    let expected: String = (1..=rows).map(|row| format!("{token}\t{row}\n")).collect();
    if reply.copied != expected.as_bytes() {
        return Err(Fault::Wrong(format!("COPY of {rows} rows for {token}: {} bytes came", reply.copied.len())));
    }
    Ok(())
}

/// More than all buffers on the way hold, read with pauses.
pub(super) async fn slowly(client: &mut Client) -> Result<(), Fault> {
    let token = client.token();
    let rows = 200 + client.dice.below(2_000);
    let select = format!("SELECT '{token}', i, repeat('{token}', 100) FROM generate_series(1, {rows}) i");
    client.conn.send(&raw::query(&select)).await?;
    let mut seen = 0;
    let filling = token.repeat(100);
    loop {
        let message = client.conn.message().await?;
        match message.code {
            b'D' => {
                seen += 1;
                let columns = message.columns();
                if columns != [token.as_str(), &seen.to_string(), &filling] {
                    return Err(Fault::Wrong(format!("row {seen} for {token}: {columns:?}")));
                }
                if seen % 200 == 0 {
                    sleep(Duration::from_millis(20)).await;
                }
            }
            b'E' => return Err(Fault::Refused(message)),
            b'Z' if seen == rows => return Ok(()),
            b'Z' => return Err(Fault::Wrong(format!("{seen} rows of {rows} for {token}"))),
            _ => {}
        }
    }
}
