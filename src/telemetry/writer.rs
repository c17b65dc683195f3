//! Writes log lines from a thread of its own, so that a reader that stops reading never stops Floodwall.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::lines;

/// Lines that may wait to be written.
const LINES_MAX: usize = 4096;
/// Bytes that may wait to be written.
const BYTES_MAX: usize = 1 << 20;
/// A longer line is left out whole: half a JSON object helps nobody.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// How long the end of the process waits for the last lines.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// Hands lines to the thread; what does not fit is dropped and counted.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: SyncSender<Message>,
    waiting_bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Writer {
    /// Starts the thread. It ends when the last writer is gone.
    pub(super) fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(LINES_MAX);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&waiting_bytes);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || drain(&lines, sink, &waiting))?;
        Ok(Self { queue, waiting_bytes })
    }

    /// Waits until what was queued is written, though not for long.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH_WAIT);
        }
    }

    fn send(&self, line: &[u8]) {
        let waiting = self.waiting_bytes.fetch_add(line.len(), Ordering::Relaxed);
        let fits = line.len() <= LINE_BYTES_MAX && waiting.saturating_add(line.len()) <= BYTES_MAX;
        if !fits || self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
            lines::count_dropped();
        }
    }
}

/// The thread: one write a line, and a line that says so after some were dropped. While nothing can be written, as on a full disk, nobody
/// can be told: lines that are lost are counted, and told once there is room again.
fn drain(lines: &Receiver<Message>, mut sink: impl Write, waiting_bytes: &AtomicUsize) {
    let mut told = lines::dropped_total();
    let mut can_write = true;
    while let Ok(message) = lines.recv() {
        match message {
            Message::Line(line) => {
                can_write = sink.write_all(&line).is_ok();
                if !can_write {
                    lines::count_dropped();
                }
                waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
            }
            Message::Flush(done) => {
                let _ = sink.flush();
                let _ = done.try_send(());
            }
        }
        if can_write && waiting_bytes.load(Ordering::Relaxed) == 0 && lines::dropped_total() > told {
            tracing::warn!(
                lines = lines::dropped_total() - told,
                "log lines dropped: their reader did not keep up, or they could not be written"
            );
            told = lines::dropped_total();
        }
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// `tracing-subscriber` writes each line with one call.
impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Shows what is written once it is told to go on.
    struct Blocked {
        go: Receiver<()>,
        seen: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.go.recv();
            self.seen.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn blocked() -> (Writer, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let (send, go) = channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer::start(Blocked { go, seen: Arc::clone(&seen) }).unwrap();
        (writer, send, seen)
    }

    #[test]
    fn a_blocked_reader_blocks_nobody() {
        let (writer, go, seen) = blocked();
        let before = lines::dropped_total();
        for _ in 0..3 * LINES_MAX {
            (&writer).write_all(&[b'x'; 1000]).unwrap();
        }
        assert!(lines::dropped_total() > before);
        assert!(writer.waiting_bytes.load(Ordering::Relaxed) <= BYTES_MAX);
        drop(go);
        writer.flush();
        let seen = seen.lock().unwrap().len();
        assert!(seen > 0 && seen <= BYTES_MAX + 2000, "{seen}");
        assert_eq!(writer.waiting_bytes.load(Ordering::Relaxed), 0);
    }

    /// Fails while there is no room.
    struct Disk {
        full: Arc<std::sync::atomic::AtomicBool>,
        seen: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.seen.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// They were lost, and nothing counted them.
    #[test]
    fn lines_that_a_full_disk_did_not_take_are_counted_and_the_log_goes_on() {
        let (full, seen) = (Arc::new(true.into()), Arc::new(Mutex::new(Vec::new())));
        let writer = Writer::start(Disk { full: Arc::clone(&full), seen: Arc::clone(&seen) }).unwrap();
        let before = lines::dropped_total();
        (0..3).for_each(|_| (&writer).write_all(b"lost\n").unwrap());
        writer.flush();
        assert!(lines::dropped_total() >= before + 3);
        full.store(false, Ordering::Relaxed);
        (&writer).write_all(b"kept\n").unwrap();
        writer.flush();
        assert_eq!(*seen.lock().unwrap(), b"kept\n");
    }

    #[test]
    fn an_endless_line_is_left_out() {
        let (writer, go, seen) = blocked();
        drop(go);
        (&writer).write_all(&vec![b'x'; LINE_BYTES_MAX + 1]).unwrap();
        (&writer).write_all(b"short\n").unwrap();
        writer.flush();
        assert_eq!(*seen.lock().unwrap(), b"short\n");
    }
}
