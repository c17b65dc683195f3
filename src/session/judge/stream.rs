//! Rows and bytes of a COPY FROM STDIN, against `stream_write`.
//!
//! Bytes are those of the data. A row is a line: drivers send one a message, or blocks of them, so ends of lines are what counts
//! in every case. A line break inside a quoted value of CSV counts too. Binary data has no lines; of it only bytes are
//! counted. Lines are counted in `warn` as well, since it costs less than a tenth of what forwarding the same bytes does.

use crate::guard::Breach;
use crate::guard::limits::StreamLimit;

/// What binary data begins with. As text, no server would take it, so nobody hides lines behind it.
const BINARY: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The COPY whose data a client is sending. Takes no memory while there is none.
#[derive(Debug, Default)]
pub struct Stream(Option<Box<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    rows: u64,
    bytes: u64,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Too little data to tell: so many bytes of [`BINARY`] came.
    Unknown(usize),
    /// Text or CSV.
    Lines,
    Binary,
    /// It went over its limit, which was told: nothing is counted any more.
    Told,
}

impl Default for Form {
    fn default() -> Self {
        Self::Unknown(0)
    }
}

impl Form {
    /// What it is once these bytes have come.
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown(seen) = self else { return self };
        let left = BINARY.get(seen..).unwrap_or_default();
        match bytes.get(..left.len()) {
            Some(bytes) if bytes == left => Self::Binary,
            None if left.starts_with(bytes) => Self::Unknown(seen.saturating_add(bytes.len())),
            Some(_) | None => Self::Lines,
        }
    }
}

impl Stream {
    /// A message of `size` bytes of data comes, of which `bytes` are here.
    pub fn begin(&mut self, bytes: &[u8], size: u64) {
        let counted = self.0.get_or_insert_default();
        counted.bytes = counted.bytes.saturating_add(size);
        counted.go_on(bytes);
    }

    /// More of that message.
    pub fn go_on(&mut self, bytes: &[u8]) {
        if let Some(counted) = &mut self.0 {
            counted.go_on(bytes);
        }
    }

    /// `Some` once in a COPY: when it has gone over its limit.
    pub fn check(&mut self, limit: &StreamLimit) -> Option<Breach> {
        self.0.as_mut()?.check(limit)
    }

    /// The data ended. Tells its rows and bytes, where there were any; lines are counted up to the limit.
    pub fn end(&mut self) -> Option<(u64, u64)> {
        let Counted { rows, bytes, .. } = *self.0.take()?;
        (bytes > 0).then_some((rows, bytes))
    }
}

impl Counted {
    fn go_on(&mut self, bytes: &[u8]) {
        self.form = self.form.after(bytes);
        if self.form == Form::Lines {
            self.rows = self.rows.saturating_add(lines(bytes));
        }
    }

    fn check(&mut self, limit: &StreamLimit) -> Option<Breach> {
        let breach = match self.form {
            Form::Told => return None,
            _ if self.rows > limit.max_rows => limit.too_many_rows(self.rows),
            _ if self.bytes > limit.max_bytes.0 => limit.too_many_bytes(self.bytes),
            _ => return None,
        };
        self.form = Form::Told;
        Some(breach)
    }
}

/// Ends of lines. Sums of bytes that cannot overflow are what a compiler makes vector instructions of.
fn lines(bytes: &[u8]) -> u64 {
    let few = |chunk: &[u8]| chunk.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>();
    bytes.chunks(usize::from(u8::MAX)).map(|chunk| u64::from(few(chunk))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Mode;
    use crate::units::ByteSize;

    const LIMIT: StreamLimit = StreamLimit { mode: Mode::Warn, max_rows: 1000, max_bytes: ByteSize(1 << 20) };

    #[test]
    fn lines_are_counted_however_they_are_cut() {
        let data = b"a\tb\n\\N\t\n\n".repeat(400);
        for cut in [1, 7, 255, 256, 4000] {
            let mut stream = Stream::default();
            data.chunks(cut).for_each(|chunk| stream.begin(chunk, chunk.len() as u64));
            let counted = stream.0.as_ref().unwrap();
            assert_eq!((counted.rows, counted.bytes), (1200, data.len() as u64));
            assert!(stream.check(&LIMIT).is_some_and(|breach| breach.measured == "1200"));
            assert!(stream.check(&LIMIT).is_none(), "told once");
        }
        assert_eq!(lines(&[b'\n'; 1000]), 1000);
    }

    #[test]
    fn binary_data_is_measured_in_bytes_alone() {
        let data = [BINARY, &[b'\n'; 5000]].concat();
        for cut in [0, 1, 6, 11, 12] {
            let mut stream = Stream::default();
            stream.begin(&data[..cut], 5011);
            stream.go_on(&data[cut..]);
            assert!(stream.check(&LIMIT).is_none());
            stream.begin(&[], 1 << 20);
            assert!(stream.check(&LIMIT).is_some_and(|breach| breach.limit == 1 << 20));
        }
    }

    #[test]
    fn the_next_copy_begins_at_zero() {
        let mut stream = Stream::default();
        stream.begin(&[b'\n'; 2000], 2000);
        assert_eq!(stream.end(), Some((2000, 2000)));
        assert!(stream.check(&LIMIT).is_none());
        stream.begin(&[b'\n'; 2000], 2000);
        assert!(stream.check(&LIMIT).is_some());
    }
}
