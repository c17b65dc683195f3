//! What is much without being a long text: large values, many values, and very many small messages.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};

use super::giant;
use super::traffic::message;

/// Messages that are sent without waiting for an answer.
#[derive(Debug)]
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    /// Sent and answered first.
    before: Vec<u8>,
    messages: Vec<u8>,
    /// What the server says to the first of them; empty where it answers each as if it did nothing.
    answer: Vec<u8>,
    /// How many answers of theirs say that the server is ready.
    readies: usize,
}

const READY: &[u8] = b"Z\0\0\0\x05I";
/// Small messages, in bytes.
const SMALL: usize = 1 << 20;

impl Flood {
    /// One of each kind that costs something else.
    pub(crate) fn all() -> Vec<Self> {
        let mut all: Vec<Self> =
            [60 << 10, 70 << 10, 300 << 10, 1 << 20, 15 << 20, 18 << 20].into_iter().flat_map(Self::arrays).collect();
        all.push(Self::values());
        let rows = [parse("", "SELECT 1 LIMIT $1"), sync()].concat();
        let bind = message(b'B', b"\0\0\0\0\0\x01\0\0\0\x01\x35\0\0");
        let execute = message(b'E', b"\0\0\0\0\0");
        let small = |name, before: &[u8], message: Vec<u8>| {
            let messages = message.repeat(SMALL / message.len());
            let readies = if matches!(message[..], [b'S' | b'Q', ..]) { SMALL / message.len() } else { 1 };
            let end = if readies == 1 { sync() } else { Vec::new() };
            Self { name, before: before.to_vec(), messages: [messages, end].concat(), answer: Vec::new(), readies }
        };
        all.push(small("many Sync", b"", sync()));
        all.push(small("many Flush", b"", message(b'H', b"")));
        all.push(small("many empty Query", b"", query("")));
        all.push(small("many Query", b"", query("SELECT 1")));
        all.push(small("many Query of INSERT", b"", query("INSERT INTO t VALUES (1)")));
        all.push(small("many Parse", b"", parse("", "SELECT 1")));
        all.push(small("many Bind", &rows, bind.clone()));
        all.push(small("many Bind and Execute", &rows, [bind, execute].concat()));
        all.push(small("many Describe", &rows, message(b'D', b"S\0")));
        all.push(small("many Close", b"", message(b'C', b"Sx\0")));
        all.push(small("many Query of semicolons", b"", query(";")));
        all.push(small("many CopyData", b"", message(b'd', b"1")));
        all.push(Self::answered("many empty DataRow", message(b'D', b"\0\0")));
        all.push(Self::answered("many CopyData of the server", message(b'd', b"1")));
        all.push(Self::answered("many NoticeResponse", message(b'N', b"\0")));
        all.push(Self::answered("many CommandComplete", message(b'C', b"UPDATE 1\0")));
        all.push(Self::answered("many ParseComplete", message(b'1', b"")));
        all.push(Self::answered("many ParameterStatus", message(b'S', b"a\0b\0")));
        all
    }

    /// A query whose answer is this message, over and over.
    fn answered(name: &'static str, message: Vec<u8>) -> Self {
        let answer = [message.repeat(SMALL / message.len()), READY.to_vec()].concat();
        Self { name, before: Vec::new(), messages: query("SELECT 1"), answer, readies: 1 }
    }

    /// Bytes of the messages.
    pub(crate) fn bytes(&self) -> usize {
        self.messages.len().max(self.answer.len())
    }

    /// Arrays as text, of so many bytes: one that is written, and one that is read.
    fn arrays(bytes: usize) -> [Self; 2] {
        let items = bytes / 4;
        let array = ["{1", &",234".repeat(items), "}"].concat();
        let bound = |name, text: &str| {
            let mut body = b"\0\0\0\0\0\x01".to_vec();
            body.extend(u32::try_from(array.len()).unwrap().to_be_bytes());
            body.extend(array.as_bytes());
            body.extend(b"\0\0");
            let messages = [message(b'B', &body), message(b'E', b"\0\0\0\0\0"), sync()].concat();
            Self { name, before: [parse("", text), sync()].concat(), messages, answer: Vec::new(), readies: 1 }
        };
        [
            bound("an array to write", "DELETE FROM t WHERE id = ANY($1)"),
            bound("an array to read", "SELECT * FROM t WHERE id = ANY($1)"),
        ]
    }

    /// As many values as a Bind can have, of which the last matters.
    fn values() -> Self {
        let mut body = b"\0\0\0\0\xff\xff".to_vec();
        (0..65_535).for_each(|_| body.extend(b"\0\0\0\x015"));
        body.extend(b"\0\0");
        let messages = [message(b'B', &body), message(b'E', b"\0\0\0\0\0"), sync()].concat();
        let before = [parse("", "SELECT a FROM t WHERE b = $1 LIMIT $65535"), sync()].concat();
        Self { name: "65535 values", before, messages, answer: Vec::new(), readies: 1 }
    }
}

/// Both ends: the messages, their answers, and goodbye.
pub(crate) async fn ends(client: DuplexStream, server: DuplexStream, flood: &Flood) {
    if flood.answer.is_empty() {
        tokio::join!(self::client(client, flood), giant::server(server));
    } else {
        tokio::join!(self::client(client, flood), answering(server, &flood.answer));
    }
}

/// Answers the first message, and stays until the client is gone.
async fn answering(mut stream: DuplexStream, answer: &[u8]) {
    let mut spare = vec![0; 64 << 10];
    let (_, length) = giant::frame(&mut stream).await.unwrap();
    giant::skip(&mut stream, length, &mut spare).await;
    stream.write_all(answer).await.unwrap();
    while stream.read(&mut spare).await.is_ok_and(|count| count > 0) {}
}

async fn client(stream: DuplexStream, flood: &Flood) {
    let (mut reader, mut writer) = split(stream);
    if !flood.before.is_empty() {
        writer.write_all(&flood.before).await.unwrap();
        readies(&mut reader, 1).await;
    }
    let (sent, ()) = tokio::join!(writer.write_all(&flood.messages), readies(&mut reader, flood.readies));
    sent.unwrap();
    writer.write_all(&message(b'X', b"")).await.unwrap();
}

async fn readies(reader: &mut (impl AsyncReadExt + Unpin), mut owed: usize) {
    let mut spare = vec![0; 64 << 10];
    while owed > 0 {
        let (code, length) = giant::frame(reader).await.unwrap();
        giant::skip(reader, length, &mut spare).await;
        owed -= usize::from(code == b'Z');
    }
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}
