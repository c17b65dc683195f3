//! The log: text or JSON on standard error, never in the way of anything.
//!
//! What is logged carries no literals of statements and no secrets; whoever logs sees to that. Lines that a client can
//! trigger go through a [`Gate`].

use std::any::Any;
use std::fmt;
use std::io;
use std::str::FromStr;

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Writer as Line, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt as lines, reload};

use super::writer::Writer;
use super::{Gate, Pass};

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The running log. Dropping it waits a moment for the last lines.
pub struct Log {
    writer: Writer,
    level: reload::Handle<Targets, Registry>,
}

/// Why the log did not start or did not change.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no level.
    #[error("\"{0}\" is no log level: write error, warn, info, debug or trace, or target=level pairs with commas")]
    Level(String),
    /// Somebody else has set a log for the process.
    #[error("the log of this process is already set")]
    Taken,
    /// The writing thread did not start.
    #[error("the log thread did not start: {0}")]
    Thread(#[from] io::Error),
}

/// Starts the log of the process on standard error; panics are told there too. Call it once, before anything else runs.
pub fn start(format: Format, level: &str) -> Result<Log, LogError> {
    let (log, subscriber) = build(format, level, io::stderr())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Taken)?;
    tell_panics();
    Ok(log)
}

/// Tells panics in the log from now on, with their place and without what a statement may have put into their message: only a
/// message that stands in the source is shown. Each place has a rate.
fn tell_panics() {
    let gate = Gate::default();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if let Pass::Write { suppressed } = gate.pass(&place) {
            tracing::error!(
                place,
                message = of_the_source(panic.payload()),
                suppressed,
                "a fault of Floodwall's own (panic)"
            );
        }
    }));
}

/// The message of a panic, where it stands in the source as it is; one that was put together may hold anything.
fn of_the_source(payload: &dyn Any) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or_default()
}

type Built = (Log, Box<dyn Subscriber + Send + Sync>);

fn build(format: Format, level: &str, sink: impl io::Write + Send + 'static) -> Result<Built, LogError> {
    let (filter, handle) = reload::Layer::new(targets(level)?);
    let writer = Writer::start(sink)?;
    let lines = lines::layer().with_writer(writer.clone()).with_ansi(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => lines.fmt_fields(debug_fn(write_field).delimited(" ")).with_filter(filter).boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_filter(filter).boxed(),
    };
    Ok((Log { writer, level: handle }, Box::new(Registry::default().with(layer))))
}

/// The message as it is, then `name=value` as logfmt reads it: what is more than a word is in quotes, whatever its type.
fn write_field(line: &mut Line<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    if field.name() == "message" {
        return text
            .chars()
            .try_for_each(|c| if c.is_control() { write!(line, "{}", c.escape_debug()) } else { line.write_char(c) });
    }
    let is_word =
        !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='));
    match is_word || is_quoted(&text) {
        true => write!(line, "{}={text}", field.name()),
        false => write!(line, "{}={text:?}", field.name()),
    }
}

/// Is it one text in quotes, as `Debug` writes it? What only begins and ends with them may be several.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let quotes_end_early = inner.chars().any(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends || c.is_control()
    });
    !quotes_end_early && !escaped
}

impl Log {
    /// Changes the level while running. The error is that it is no level; the old one then stays.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let targets = targets(level)?;
        self.level.reload(targets).map_err(|_| LogError::Taken)
    }
}

impl Log {
    /// Waits a moment until what was logged so far is written.
    pub fn flush(&self) {
        self.writer.flush();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("writer", &self.writer).finish_non_exhaustive()
    }
}

/// `info`, or `info,floodwall::session=debug`. A misspelt level would else be read as the name of a target.
fn targets(level: &str) -> Result<Targets, LogError> {
    let bad = || LogError::Level(level.to_owned());
    let is_level = |word: &str| !word.is_empty() && tracing::metadata::LevelFilter::from_str(word).is_ok();
    let known = level.split(',').all(|part| is_level(part.rsplit('=').next().unwrap_or(part).trim()));
    if !known {
        return Err(bad());
    }
    Targets::from_str(level).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, level: &str, lines: impl FnOnce(&Log)) -> String {
        let sink = Sink::default();
        let (log, subscriber) = build(format, level, sink.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || lines(&log));
        drop(log);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_panic_tells_nothing_that_was_put_together() {
        let payload = std::panic::catch_unwind(|| panic!("no such place")).unwrap_err();
        assert_eq!(of_the_source(&*payload), "no such place");
        let secret = String::from("hunter2");
        let payload = std::panic::catch_unwind(|| panic!("no place in {secret}")).unwrap_err();
        assert_eq!(of_the_source(&*payload), "");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(Format::Json, "info", |_| {
            tracing::info!(client = "web\n\"x\"", "refused");
            tracing::debug!("not shown");
        });
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "refused");
        assert_eq!(lines[0]["client"], "web\n\"x\"");
        assert_eq!(lines[0]["level"], "INFO");
    }

    #[test]
    fn text_shows_level_and_fields() {
        let text = logged(Format::Text, "warn", |_| {
            tracing::warn!(rule = "bulk_write", "refused");
            tracing::info!("not shown");
        });
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("WARN") && text.contains("refused") && text.contains("bulk_write"), "{text}");
    }

    /// `why=` of a pool that gets no server was a sentence without quotes, and whatever stood in it could look like a field.
    #[test]
    fn every_field_can_be_told_from_the_next() {
        let text = logged(Format::Text, "info", |_| {
            let why = "no server: it said \"no\"";
            tracing::info!(%why, user = "a b", peer = %"[::1]:5432", forged = %"x\" mode=\"off", hidden = %"\"x\" mode=\"off\"", limit = 5, empty = %"", "a pool\ngot none");
        });
        let expected = r#"a pool\ngot none why="no server: it said \"no\"" user="a b" peer=[::1]:5432 forged="x\" mode=\"off" hidden="\"x\" mode=\"off\"" limit=5 empty="""#;
        assert!(text.trim_end().ends_with(expected), "{text}");
    }

    #[test]
    fn the_level_can_change() {
        let text = logged(Format::Text, "error", |log| {
            tracing::info!("before");
            log.set_level("info,other=debug").unwrap();
            tracing::info!("after");
        });
        assert!(!text.contains("before") && text.contains("after"), "{text}");
    }

    #[test]
    fn a_wrong_level_says_what_to_write() {
        for level in ["loud", "", "info,x=loud"] {
            let error = targets(level).unwrap_err().to_string();
            assert!(error.contains("debug"), "{error}");
        }
    }
}
