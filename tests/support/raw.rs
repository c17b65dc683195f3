//! A client that speaks the PostgreSQL protocol by hand: every byte it sends is the test's own choice, and
//! every message it gets is seen as it came.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Protocol version 3.0.
pub const VERSION_3_0: u32 = 3 << 16;
/// How long a peer may say nothing, or take nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its code, such as `b'Z'`.
    pub code: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an ErrorResponse or NoticeResponse: `C` SQLSTATE, `M` message, `D` detail, `H` hint, `S` severity.
    pub fn field(&self, code: u8) -> Option<String> {
        let fields = self.body.split(|byte| *byte == 0);
        let found = fields.into_iter().find(|field| field.first() == Some(&code));
        found.map(|field| String::from_utf8(field[1..].to_vec()).unwrap())
    }

    /// SQLSTATE of an ErrorResponse; empty for anything else.
    pub fn sqlstate(&self) -> String {
        if self.code == b'E' { self.field(b'C').unwrap_or_default() } else { String::new() }
    }

    /// Severity, SQLSTATE and text of an error, or the code and size of any other message.
    pub fn summary(&self) -> String {
        let field = |code| self.field(code).unwrap_or_default();
        match self.code {
            b'E' => format!("{} {} {} ({})", field(b'S'), field(b'C'), field(b'M'), field(b'H')),
            code => format!("{} [{}]", char::from(code), self.body.len()),
        }
    }

    /// Columns of a DataRow as text; NULL is "NULL".
    pub fn columns(&self) -> Vec<String> {
        assert_eq!(self.code, b'D');
        let mut rest = &self.body[2..];
        let mut columns = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*length)).ok();
            let (value, after) = length.map_or((&b"NULL"[..], after), |n| after.split_at(n));
            columns.push(String::from_utf8_lossy(value).into_owned());
            rest = after;
        }
        columns
    }
}

/// A socket and what was read from it but not yet looked at.
#[derive(Debug)]
pub struct Raw {
    /// The socket, for tests that need its own settings.
    pub stream: TcpStream,
    unread: Vec<u8>,
    /// Process id and secret from BackendKeyData.
    pub key: Option<(u32, Vec<u8>)>,
}

impl Raw {
    /// Connects and sends nothing. Reads give up after [`PATIENCE`].
    pub fn open(port: u16) -> Self {
        Self::open_at(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The same for any address.
    pub fn open_at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    /// Over a socket that is connected already.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new(), key: None }
    }

    /// Logs in as a user who needs no password. `Err` holds the server's ErrorResponse.
    pub fn login(port: u16, user: &str, database: &str) -> Result<Self, Message> {
        let mut raw = Self::open(port);
        raw.send(&startup(VERSION_3_0, &[("user", user), ("database", database)]));
        raw.finish_login()?;
        Ok(raw)
    }

    /// Reads up to the first ReadyForQuery of a login without a password.
    pub fn finish_login(&mut self) -> Result<(), Message> {
        for message in self.until(b"ZE") {
            match message.code {
                b'E' => return Err(message),
                b'K' => {
                    let pid = u32::from_be_bytes(message.body[..4].try_into().unwrap());
                    self.key = Some((pid, message.body[4..].to_vec()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Writes several messages in one go.
    pub fn send_all(&mut self, messages: &[Vec<u8>]) {
        self.send(&messages.concat());
    }

    /// One byte outside of any message, as the answer to an SSLRequest; `None` where the peer closed the connection.
    pub fn byte(&mut self) -> Option<u8> {
        let mut one = [0];
        match self.stream.read_exact(&mut one) {
            Ok(()) => Some(one[0]),
            Err(error) => {
                assert!(!would_block(&error), "neither a byte nor the end comes");
                None
            }
        }
    }

    /// The next message; `None` when the peer closed the connection in order.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.cut() {
                return Ok(Some(message));
            }
            let mut chunk = [0; 16_384];
            match self.stream.read(&mut chunk) {
                Ok(0) if self.unread.is_empty() => return Ok(None),
                Ok(0) => return Err(Error::new(ErrorKind::UnexpectedEof, "closed inside a message")),
                Ok(n) => self.unread.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next message; panics where there is none.
    pub fn message(&mut self) -> Message {
        self.read().unwrap().expect("the connection was closed")
    }

    /// Every message up to and with the first whose code is one of `codes`.
    pub fn until(&mut self, codes: &[u8]) -> Vec<Message> {
        let mut seen = Vec::new();
        loop {
            let message = self.message();
            let last = codes.contains(&message.code);
            seen.push(message);
            if last {
                return seen;
            }
        }
    }

    /// Every message until the peer closes the connection; a reset is an error.
    pub fn rest(&mut self) -> Result<Vec<Message>, Error> {
        let mut seen = Vec::new();
        while let Some(message) = self.read()? {
            seen.push(message);
        }
        Ok(seen)
    }

    /// A simple query and its whole reply, ReadyForQuery included.
    pub fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(&query(sql));
        self.until(b"Z")
    }

    /// A simple query that must not fail; its rows.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let reply = self.query(sql);
        let error = reply.iter().find(|message| message.code == b'E');
        assert!(error.is_none(), "{sql}: {}", error.unwrap().summary());
        reply.iter().filter(|message| message.code == b'D').map(Message::columns).collect()
    }

    /// Nothing more to read for `quiet`?
    pub fn is_silent(&mut self, quiet: Duration) -> bool {
        self.stream.set_read_timeout(Some(quiet)).unwrap();
        let end = Instant::now() + quiet;
        let silent = self.unread.is_empty() && matches!(self.stream.peek(&mut [0]), Err(e) if would_block(&e));
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        silent && Instant::now() + Duration::from_millis(20) >= end
    }

    fn cut(&mut self) -> Option<Message> {
        let head = self.unread.first_chunk::<5>()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let end = usize::try_from(length).unwrap() + 1;
        if self.unread.len() < end {
            return None;
        }
        let body = self.unread[5..end].to_vec();
        let code = self.unread[0];
        self.unread.drain(..end);
        Some(Message { code, body })
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Codes of messages in order, as text: `"1 2 D C Z"`.
pub fn codes(messages: &[Message]) -> String {
    let codes: Vec<String> = messages.iter().map(|message| char::from(message.code).to_string()).collect();
    codes.join(" ")
}

/// The same without what the server may say at any moment: notices, parameters, notifications.
pub fn reply_codes(messages: &[Message]) -> String {
    let reply: Vec<Message> = messages.iter().filter(|m| !b"NSA".contains(&m.code)).cloned().collect();
    codes(&reply)
}

/// SQLSTATEs of the errors in a reply.
pub fn sqlstates(messages: &[Message]) -> Vec<String> {
    messages.iter().filter(|message| message.code == b'E').map(Message::sqlstate).collect()
}

/// A message with a code.
pub fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[code], &length.to_be_bytes()[..], body].concat()
}

/// A start-up packet.
pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(cstring(name));
        body.extend(cstring(value));
    }
    body.push(0);
    untyped(&body)
}

/// SSLRequest.
pub fn ssl_request() -> Vec<u8> {
    untyped(&80_877_103_u32.to_be_bytes())
}

/// GSSENCRequest.
pub fn gss_request() -> Vec<u8> {
    untyped(&80_877_104_u32.to_be_bytes())
}

/// Has whoever has this key cancelled. Comes back once that was seen to; it is never answered.
pub fn cancel(port: u16, pid: u32, secret: &[u8]) {
    let mut request = Raw::open(port);
    request.send(&cancel_request(pid, secret));
    assert_eq!(request.byte(), None, "a cancel request is never answered");
}

/// CancelRequest with a secret of any length.
pub fn cancel_request(pid: u32, secret: &[u8]) -> Vec<u8> {
    untyped(&[&80_877_102_u32.to_be_bytes()[..], &pid.to_be_bytes(), secret].concat())
}

/// Query.
pub fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &cstring(sql))
}

/// Parse without parameter types.
pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame(b'P', &[cstring(name), cstring(sql), vec![0, 0]].concat())
}

/// Parse with the types of the first parameters.
pub fn parse_typed(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types = types.iter().flat_map(|oid| oid.to_be_bytes());
    frame(b'P', &[cstring(name), cstring(sql), count.to_vec(), types.collect()].concat())
}

/// Bind of text values to the unnamed portal, results as text.
pub fn bind(statement: &str, values: &[&str]) -> Vec<u8> {
    bind_portal("", statement, values)
}

/// Bind of text values to a portal, results as text.
pub fn bind_portal(portal: &str, statement: &str, values: &[&str]) -> Vec<u8> {
    let mut body = [cstring(portal), cstring(statement), vec![0, 0]].concat();
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 0]);
    frame(b'B', &body)
}

/// Bind of values in any form: a format code for each, `None` for NULL. Results as text.
pub fn bind_values(portal: &str, statement: &str, values: &[(u16, Option<&[u8]>)]) -> Vec<u8> {
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    let mut body = [cstring(portal), cstring(statement), count.to_vec()].concat();
    values.iter().for_each(|(format, _)| body.extend(format.to_be_bytes()));
    body.extend(count);
    for (_, value) in values {
        let size = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend(size.to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    body.extend([0, 0]);
    frame(b'B', &body)
}

/// Describe of a statement.
pub fn describe_statement(name: &str) -> Vec<u8> {
    frame(b'D', &[vec![b'S'], cstring(name)].concat())
}

/// Execute of the unnamed portal, all rows.
pub fn execute() -> Vec<u8> {
    execute_portal("", 0)
}

/// Execute of a portal, at most `rows` rows (0: all).
pub fn execute_portal(portal: &str, rows: u32) -> Vec<u8> {
    frame(b'E', &[cstring(portal), rows.to_be_bytes().to_vec()].concat())
}

/// Close of a statement.
pub fn close_statement(name: &str) -> Vec<u8> {
    frame(b'C', &[vec![b'S'], cstring(name)].concat())
}

/// Sync.
pub fn sync() -> Vec<u8> {
    frame(b'S', &[])
}

/// Flush.
pub fn flush() -> Vec<u8> {
    frame(b'H', &[])
}

/// Terminate.
pub fn terminate() -> Vec<u8> {
    frame(b'X', &[])
}

/// Parse, Bind, Execute of one statement in the unnamed slots, without Sync.
pub fn run(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", &[]), execute()].concat()
}

/// Text with a closing zero.
pub fn cstring(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn untyped(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], body].concat()
}
