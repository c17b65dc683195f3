//! Frames of a console connection: cut here to their declared length, bounded before anything is allocated, and given to
//! `pgwire` one at a time.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::{GssEncRequest, SslRequest, Startup};
use pgwire::messages::{
    DecodeContext, Message, PgWireBackendMessage as Reply, PgWireFrontendMessage as Request, ProtocolVersion,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answer::{Failure, fatal};

/// A start-up packet is never longer, as in PostgreSQL.
const STARTUP_BYTES_MAX: usize = 10_000;
/// Messages before the login is done. SCRAM needs a few hundred bytes.
pub(super) const LOGIN_BYTES_MAX: usize = 4 * 1024;
/// Messages of a session: commands are short.
pub(super) const SESSION_BYTES_MAX: usize = 64 * 1024;
/// Replies are written when so much has gathered.
const REPLY_BYTES: usize = 64 * 1024;
/// A client that does not read for so long is gone.
const WRITE_WAIT: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    inbox: BytesMut,
    outbox: BytesMut,
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The client went away or said goodbye.
    Closed,
    /// The network failed.
    Io(io::Error),
    /// The client was told why.
    Refused(Failure),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the client left"),
            Self::Io(error) => error.fmt(f),
            Self::Refused(failure) => f.write_str(&failure.message),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a connection opens with.
pub(super) enum Opening {
    /// TLS or GSS: answered with no.
    Encryption,
    /// A cancel request: a process id and a secret.
    Cancel(i32, i32),
    /// The start-up packet.
    Startup(Startup),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A connection that nothing was read from yet.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, inbox: BytesMut::new(), outbox: BytesMut::new() }
    }

    /// Reads what comes before the login. Cancel safe: what was read stays in the inbox.
    pub(super) async fn opening(&mut self) -> Result<Opening, End> {
        let mut frame = self.cut(0, STARTUP_BYTES_MAX).await?;
        if SslRequest::is_ssl_request_packet(&frame) || GssEncRequest::is_gss_enc_request_packet(&frame) {
            return Ok(Opening::Encryption);
        }
        if CancelRequest::is_cancel_request_packet(&frame) {
            let number =
                |at: usize| frame.get(at..).and_then(|rest| rest.first_chunk()).copied().map(i32::from_be_bytes);
            return number(8).zip(number(12)).map_or_else(
                || Err(malformed("invalid cancel request")),
                |(pid, secret)| Ok(Opening::Cancel(pid, secret)),
            );
        }
        match Startup::decode(&mut frame, &DecodeContext::default()) {
            Ok(Some(startup)) if frame.is_empty() => Ok(Opening::Startup(startup)),
            Ok(_) | Err(_) => Err(malformed("invalid startup packet")),
        }
    }

    /// Reads the body of one message of this type; any other type is an error, and is not decoded.
    pub(super) async fn body(&mut self, code: u8) -> Result<BytesMut, End> {
        let mut frame = self.cut(1, LOGIN_BYTES_MAX).await?;
        if frame.first() != Some(&code) {
            return Err(malformed("unexpected message during login"));
        }
        frame.advance(HEAD_BYTES);
        Ok(frame)
    }

    /// Reads one message of a session. Cancel safe.
    pub(super) async fn request(&mut self) -> Result<Request, End> {
        let mut frame = self.cut(1, SESSION_BYTES_MAX).await?;
        let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        (context.awaiting_frontend_ssl, context.awaiting_frontend_startup) = (false, false);
        match Request::decode(&mut frame, &context) {
            Ok(Some(request)) if frame.is_empty() => Ok(request),
            Ok(_) => Err(malformed("message does not fill its length")),
            Err(error) => Err(malformed(&error.to_string())),
        }
    }

    /// Cuts one frame. `code_bytes` is 1 where a type code comes before the length.
    async fn cut(&mut self, code_bytes: usize, bytes_max: usize) -> Result<BytesMut, End> {
        let head_bytes = code_bytes + 4;
        self.fill(head_bytes).await?;
        let mut head = self.inbox.get(code_bytes..head_bytes).ok_or(End::Closed)?;
        let length = usize::try_from(head.get_u32()).map_err(|_| malformed("invalid message length"))?;
        // Shorter than itself, or more than may be held: told apart for nobody.
        if length < 4 || length > bytes_max {
            return Err(malformed("invalid message length"));
        }
        self.fill(code_bytes + length).await?;
        Ok(self.inbox.split_to(code_bytes + length))
    }

    async fn fill(&mut self, bytes: usize) -> Result<(), End> {
        while self.inbox.len() < bytes {
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(End::Closed);
            }
        }
        Ok(())
    }

    /// Returns once the client has left. What it sends meanwhile is kept for later, up to a message. Cancel safe.
    pub(super) async fn gone(&mut self) -> End {
        loop {
            if self.inbox.len() >= SESSION_BYTES_MAX {
                return std::future::pending().await;
            }
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(0) => return End::Closed,
                Ok(_) => {}
                Err(error) => return End::Io(error),
            }
        }
    }

    /// Queues a reply.
    pub(super) fn put(&mut self, reply: &Reply) -> Result<(), End> {
        reply.encode(&mut self.outbox).map_err(|error| End::Io(io::Error::other(error)))
    }

    /// Queues a reply, and writes where much has gathered.
    pub(super) async fn feed(&mut self, reply: &Reply) -> Result<(), End> {
        self.put(reply)?;
        if self.outbox.len() >= REPLY_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Says no to encryption: one byte, no frame.
    pub(super) async fn decline(&mut self) -> Result<(), End> {
        self.put(&Reply::SslResponse(pgwire::messages::response::SslResponse::Refuse))?;
        self.flush().await
    }

    /// Writes what is queued.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let write = async {
            self.stream.write_all_buf(&mut self.outbox).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(WRITE_WAIT, write).await.map_err(|_| End::Closed)??;
        // A large answer's room is not kept for the rest of the connection.
        if self.outbox.capacity() > 2 * REPLY_BYTES {
            self.outbox = BytesMut::new();
        }
        Ok(())
    }

    /// Tells the client why it ends, if it still listens.
    pub(super) async fn farewell(&mut self, failure: &Failure) {
        if self.put(&fatal(failure)).is_ok() && self.flush().await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }
}

/// Type code and length.
const HEAD_BYTES: usize = 5;

fn malformed(message: &str) -> End {
    End::Refused(Failure::new("08P01", message))
}
