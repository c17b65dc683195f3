//! Statements of any size, made by repeating one part.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;

/// A statement that grows by repeating one part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Giant {
    pub(crate) name: &'static str,
    before: &'static str,
    unit: &'static str,
    after: &'static str,
}

/// How it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Query.
    Simple,
    /// Parse, then Sync.
    Extended,
    /// Query behind another whose answer is not in: settings may change how it is read.
    Doubtful,
}

impl Sent {
    pub(crate) const ALL: [Self; 3] = [Self::Simple, Self::Extended, Self::Doubtful];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Simple => "query",
            Self::Extended => "parse",
            Self::Doubtful => "behind a SET",
        }
    }
}

const fn giant(name: &'static str, before: &'static str, unit: &'static str, after: &'static str) -> Giant {
    Giant { name, before, unit, after }
}

impl Giant {
    /// One of each kind that costs something else.
    pub(crate) const fn all() -> [Self; 20] {
        [
            giant("one string", "SELECT '", "xy''", "'"),
            giant("one string with backslashes", "SELECT E'", "x\\'", "'"),
            giant("one string beyond ASCII", "SELECT '", "größe\\", "'"),
            giant("tuples", "INSERT INTO t VALUES (1)", ",(1)", ""),
            giant("tuples of strings", "INSERT INTO t VALUES (1)", ",(1,'some name','2024-01-01',3.5)", ""),
            giant("a list", "SELECT * FROM t WHERE id IN (1", ",12345", ")"),
            giant("parentheses", "SELECT ", "(", "1"),
            giant("statements of two bytes", "", "a;", ""),
            giant("statements", "", "UPDATE t SET a = 1 WHERE id = 2;", ""),
            giant("statements with limits", "", "SELECT a FROM t LIMIT 5;", ""),
            giant("statements with names", "", "SELECT a FROM \"t\" LIMIT 5;DELETE FROM u WHERE x=2;", ""),
            giant("a sum", "SELECT ", "1+", "1"),
            giant("a sum of columns", "SELECT ", "abc + ", "1 FROM t"),
            giant("columns", "SELECT a", ", \"t\".\"some_column\" AS \"some_column_name\"", " FROM t"),
            giant("joins", "SELECT * FROM t", " JOIN u ON t.id = u.id", ""),
            giant("conditions", "SELECT * FROM t WHERE a = 1", " OR (b = 2 AND c > 'x')", ""),
            giant("unions", "SELECT a FROM t", " UNION ALL SELECT b FROM u", ""),
            giant("CASEs", "SELECT ", "CASE WHEN \"größe\" = '\\' THEN f(", "1"),
            giant("comments", "SELECT 1", "/* x */", ""),
            giant("settings", "", "SET search_path = a;", ""),
        ]
    }

    /// About as many bytes as asked for, as blocks.
    fn body(&self, size: usize) -> (String, usize) {
        let unit = self.unit.repeat((64 << 10) / self.unit.len());
        let ends = self.before.len() + self.after.len();
        let room = size.saturating_sub(ends);
        if room < unit.len() {
            return (self.unit.repeat((room / self.unit.len()).max(1)), 1);
        }
        let blocks = room / unit.len();
        (unit, blocks)
    }
}

/// Turns in which a session has read what a pipe holds.
const HELD_TURNS: usize = 100;
/// Turns after which a session that could read on would have read [`HELD_MAX`].
const STALLED_TURNS: usize = 2_000;
/// What is longer goes to the server before all of it is here.
const HELD_MAX: usize = 15 << 20;

async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Both ends: one statement, its answer, and goodbye.
pub(crate) async fn ends(client: DuplexStream, server: DuplexStream, giant: &Giant, sent: Sent, size: usize) {
    let all_sent = Notify::new();
    let answers = async {
        // Until the SET is answered, the statement behind it is in doubt: its answer waits until all of that has arrived, or as
        // much of it as a session reads ahead.
        if sent == Sent::Doubtful && size <= HELD_MAX {
            tokio::select! {
                () = all_sent.notified() => turns(HELD_TURNS).await,
                () = turns(STALLED_TURNS) => {}
            }
        }
        self::server(server).await;
    };
    tokio::join!(self::client(client, giant, sent, size, &all_sent), answers);
}

async fn client(mut stream: DuplexStream, giant: &Giant, sent: Sent, size: usize, all_sent: &Notify) {
    let (block, blocks) = giant.body(size);
    let text = giant.before.len() + block.len() * blocks + giant.after.len();
    let (code, head, tail): (u8, &[u8], &[u8]) = match sent {
        Sent::Simple | Sent::Doubtful => (b'Q', b"", b"\0"),
        Sent::Extended => (b'P', b"\0", b"\0\0\0"),
    };
    let mut owed = 1;
    if sent == Sent::Doubtful {
        stream.write_all(b"Q\0\0\0\x16SET DateStyle = x\0").await.unwrap();
        owed = 2;
    }
    let length = u32::try_from(4 + head.len() + text + tail.len()).unwrap();
    stream.write_all(&[&[code], &length.to_be_bytes()[..], head, giant.before.as_bytes()].concat()).await.unwrap();
    for _ in 0..blocks {
        stream.write_all(block.as_bytes()).await.unwrap();
    }
    stream.write_all(&[giant.after.as_bytes(), tail].concat()).await.unwrap();
    all_sent.notify_one();
    if sent == Sent::Extended {
        stream.write_all(b"S\0\0\0\x04").await.unwrap();
    }
    let mut spare = vec![0; 64 << 10];
    while owed > 0 {
        let (code, length) = frame(&mut stream).await.unwrap();
        skip(&mut stream, length, &mut spare).await;
        owed -= usize::from(code == b'Z');
    }
    stream.write_all(b"X\0\0\0\x04").await.unwrap();
}

/// Answers each message as if it did nothing.
pub(crate) async fn server(mut stream: DuplexStream) {
    let mut spare = vec![0; 64 << 10];
    while let Some((code, length)) = frame(&mut stream).await {
        skip(&mut stream, length, &mut spare).await;
        match code {
            b'Q' => stream.write_all(b"I\0\0\0\x04Z\0\0\0\x05I").await.unwrap(),
            b'P' => stream.write_all(b"1\0\0\0\x04").await.unwrap(),
            b'B' => stream.write_all(b"2\0\0\0\x04").await.unwrap(),
            b'E' => stream.write_all(b"C\0\0\0\x0dSELECT 0\0").await.unwrap(),
            b'S' => stream.write_all(b"Z\0\0\0\x05I").await.unwrap(),
            _ => {}
        }
    }
}

/// The code of the next message and the length of its body; `None` at the end of the stream.
pub(crate) async fn frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, usize)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    Some((head[0], usize::try_from(length).unwrap() - 4))
}

pub(crate) async fn skip(stream: &mut (impl AsyncReadExt + Unpin), mut length: usize, spare: &mut [u8]) {
    while length > 0 {
        let part = length.min(spare.len());
        length -= stream.read(&mut spare[..part]).await.unwrap();
    }
}
