//! A client's connection: messages out, messages in, and what can become of it.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::scene::DEADLINE;
use crate::seed::Dice;
use crate::support::raw::{self, Message};

/// Why something did not come about.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection is gone, without a word or with a fatal error.
    Lost(String),
    /// An ErrorResponse that the script does not expect.
    Refused(Message),
    /// What came is not what was asked for. Never excused.
    Wrong(String),
    /// Nothing came, or nothing was taken, for longer than anybody may wait. Never excused.
    Hangs(&'static str),
}

impl Fault {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Lost(why) => format!("lost: {why}"),
            Self::Refused(message) => format!("refused: {}", message.summary()),
            Self::Wrong(why) => format!("WRONG: {why}"),
            Self::Hangs(what) => format!("HANGS: {what} for {DEADLINE:?}"),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// What came up to a ReadyForQuery.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) tags: Vec<String>,
    pub(crate) copied: Vec<u8>,
    pub(crate) suspended: bool,
    pub(crate) error: Option<Message>,
    /// Of the transaction: `I`, `T` or `E`.
    pub(crate) status: u8,
}

impl Reply {
    /// Fails where an error came.
    pub(crate) fn good(self) -> Result<Self, Fault> {
        match self.error {
            Some(error) => Err(Fault::Refused(error)),
            None => Ok(self),
        }
    }

    /// Fails unless an error with this SQLSTATE came.
    pub(crate) fn failed(self, sqlstate: &str) -> Result<Self, Fault> {
        match &self.error {
            Some(error) if error.sqlstate() == sqlstate => Ok(self),
            Some(error) => Err(Fault::Refused(error.clone())),
            None => Err(Fault::Wrong(format!("no error {sqlstate}, but {:?} {:?}", self.rows, self.tags))),
        }
    }

    /// Fails unless these are the rows.
    pub(crate) fn is(self, rows: &[&[&str]]) -> Result<Self, Fault> {
        let good = self.good()?;
        if good.rows.iter().map(Vec::as_slice).eq(rows.iter().copied()) {
            return Ok(good);
        }
        Err(Fault::Wrong(format!("{rows:?} expected, {:?} came", good.rows)))
    }
}

#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    unread: BytesMut,
    /// Process id and secret for cancels.
    pub(crate) key: (u32, Vec<u8>),
    pub(crate) parameters: HashMap<String, String>,
    /// When it last sent something. An answer proves that its server lived then; it may have died before its answer was read.
    pub(crate) sent: Instant,
    /// The longest time without a byte from the other side.
    pub(crate) longest: Duration,
}

/// What the kernel keeps for a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffers {
    Usual,
    /// The smallest that there are.
    Narrow,
}

impl Buffers {
    /// Narrow ones now and then.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        if dice.once_in(3) { Self::Narrow } else { Self::Usual }
    }
}

/// What AuthenticationCleartextPassword asks for.
pub(crate) const CLEARTEXT: [u8; 4] = [0, 0, 0, 3];

/// Size of the kernel's buffers of a narrow socket.
const NARROW: u32 = 4096;

/// The largest segment to and from it. The loopback's are 64 KiB: where the window that such a buffer leaves open is less than a segment,
/// the kernel sends no more than what its probes of the window carry, some hundred bytes in longer and longer pauses, and a reply of a
/// megabyte takes minutes, whatever stands between both sides.
const SEGMENT: u32 = 512;

/// Gives a socket that is not connected yet the smallest buffers that there are.
pub(crate) fn narrow(socket: &TcpSocket) -> io::Result<()> {
    SockRef::from(socket).set_tcp_mss(SEGMENT)?;
    socket.set_recv_buffer_size(NARROW)?;
    socket.set_send_buffer_size(NARROW)
}

impl Conn {
    /// Connects and says nothing.
    pub(crate) async fn open(port: u16, buffers: Buffers) -> Result<Self, Fault> {
        let socket = TcpSocket::new_v4()?;
        if buffers == Buffers::Narrow {
            narrow(&socket)?;
        }
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            unread: BytesMut::new(),
            key: (0, Vec::new()),
            parameters: HashMap::new(),
            sent: Instant::now(),
            longest: Duration::ZERO,
        })
    }

    /// Answers what the server asks, up to the first ReadyForQuery.
    pub(crate) async fn finish_login(&mut self, password: &str) -> Result<(), Fault> {
        loop {
            let message = self.message().await?;
            match message.code {
                b'R' if message.body == CLEARTEXT => {
                    self.send(&raw::frame(b'p', &raw::cstring(password))).await?;
                }
                b'R' if message.body != [0; 4] => return Err(Fault::Wrong(format!("asked for {:?}", message.body))),
                b'K' => {
                    let (pid, secret) = message.body.split_first_chunk::<4>().unwrap();
                    self.key = (u32::from_be_bytes(*pid), secret.to_vec());
                }
                b'E' => return Err(Fault::Refused(message)),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.sent = Instant::now();
        let written = timeout(DEADLINE, self.stream.write_all(bytes)).await;
        Ok(written.map_err(|_| Fault::Hangs("nothing was taken"))??)
    }

    /// The next message that is no notice. A fatal error is a fault.
    pub(crate) async fn message(&mut self) -> Result<Message, Fault> {
        loop {
            let Some(message) = self.cut() else {
                if self.hear().await? == 0 {
                    return Err(Fault::Lost("closed".to_owned()));
                }
                continue;
            };
            match message.code {
                b'N' => {}
                b'S' => self.note(&message),
                b'E' if message.field(b'S').is_some_and(|severity| severity != "ERROR") => {
                    return Err(Fault::Lost(message.summary()));
                }
                _ => return Ok(message),
            }
        }
    }

    /// More bytes; none where the other side has closed. Each wait has a deadline of its own: a reply may have to wait for its server, and
    /// a long one trickles through buffers that are narrow.
    async fn hear(&mut self) -> Result<usize, Fault> {
        let began = Instant::now();
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.unread)).await;
        self.longest = self.longest.max(began.elapsed());
        Ok(read.map_err(|_| Fault::Hangs("nothing came"))??)
    }

    /// Everything up to ReadyForQuery.
    pub(crate) async fn reply(&mut self) -> Result<Reply, Fault> {
        let mut reply = Reply::default();
        self.continue_reply(&mut reply).await?;
        Ok(reply)
    }

    /// The same, into what a call that was given up has left.
    pub(crate) async fn continue_reply(&mut self, reply: &mut Reply) -> Result<(), Fault> {
        loop {
            let message = self.message().await?;
            match message.code {
                b'D' => reply.rows.push(message.columns()),
                b'C' => reply.tags.push(text(&message.body)),
                b'd' => reply.copied.extend(&message.body),
                b's' => reply.suspended = true,
                b'E' => reply.error = reply.error.take().or(Some(message)),
                b'Z' => {
                    reply.status = message.body.first().copied().unwrap_or_default();
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// A simple query and its reply.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Reply, Fault> {
        self.send(&raw::query(sql)).await?;
        self.reply().await
    }

    /// Messages in one go and the reply to them.
    pub(crate) async fn ask(&mut self, messages: &[Vec<u8>]) -> Result<Reply, Fault> {
        self.send(&messages.concat()).await?;
        self.reply().await
    }

    /// Reads until the other side closes.
    pub(crate) async fn drain(mut self) {
        while self.stream.read_buf(&mut self.unread).await.is_ok_and(|n| n > 0) {
            self.unread.clear();
        }
    }

    /// Nothing more will be sent; what comes is still read.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.ok();
    }

    /// Ends with a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).ok();
    }

    fn note(&mut self, message: &Message) {
        let words: Vec<String> = message.body.split(|byte| *byte == 0).map(text).collect();
        self.parameters.insert(words[0].clone(), words[1].clone());
    }

    fn cut(&mut self) -> Option<Message> {
        let head = self.unread.first_chunk::<5>()?;
        let (code, length) = (head[0], u32::from_be_bytes(head[1..].try_into().unwrap()) as usize);
        if self.unread.len() <= length {
            return None;
        }
        self.unread.advance(5);
        let body = self.unread.split_to(length - 4).to_vec();
        Some(Message { code, body })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
