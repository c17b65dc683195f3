//! The first packet of a client, before anybody knows who it is.

use std::io;

use crate::net::framed::{Broken, Framed};
use crate::net::stream::Stream;
use crate::wire::Malformed;
use crate::wire::pg::startup::{self, Cancel, First, Startup, TLS_HANDSHAKE};

/// Refuses an encryption request.
const NO: &[u8] = b"N";
/// Encryption requests that one client may make: one for TLS, one for GSSAPI.
const REQUESTS_MAX: usize = 2;

/// What a client came for.
#[derive(Debug)]
pub enum Opening {
    /// A session.
    Session(Startup),
    /// To cancel a statement of another connection.
    Cancel(Cancel),
    /// TLS from the first byte, which this listener does not speak.
    DirectTls,
}

/// Reads packets until it is clear what the client wants; encryption is declined. Not cancel-safe.
///
/// # Errors
/// The client left or sent what no server would accept.
pub async fn receive(client: &mut Framed<Stream>) -> Result<Opening, Broken> {
    for _ in 0..=REQUESTS_MAX {
        let Some(packet) = packet(client).await? else { return Ok(Opening::DirectTls) };
        match startup::read(&packet)? {
            First::Startup(startup) => return Ok(Opening::Session(startup)),
            First::Cancel(cancel) => return Ok(Opening::Cancel(cancel)),
            First::Ssl | First::Gss => decline(client).await?,
        }
    }
    Err(Malformed::Content.into())
}

/// Bytes that came together with an encryption request would be read as if they had been encrypted: refused, as
/// PostgreSQL has done since CVE-2021-23214.
async fn decline(client: &mut Framed<Stream>) -> Result<(), Broken> {
    if !client.peek().is_empty() {
        return Err(Malformed::Content.into());
    }
    client.send(NO).await.map_err(io::Error::into)
}

async fn packet(client: &mut Framed<Stream>) -> Result<Option<bytes::Bytes>, Broken> {
    loop {
        if client.peek().first() == Some(&TLS_HANDSHAKE) {
            return Ok(None);
        }
        if let Some(size) = startup::size(client.peek())?
            && client.peek().len() >= size
        {
            return Ok(Some(client.take(size)));
        }
        client.fill().await?;
    }
}
