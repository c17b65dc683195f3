//! Ends a COPY FROM STDIN that sends too many rows or bytes.

use crate::guard::breach::Mode;
use crate::guard::limits::{Limits, StreamLimit};
use crate::guard::names::STREAM_WRITE;
use crate::guard::rule::{OnPanic, Rule, RuleDef};
use crate::guard::settings::Section;
use crate::units::ByteSize;

pub(super) const DEF: RuleDef = RuleDef {
    name: STREAM_WRITE,
    summary: "a COPY FROM STDIN of too many rows or bytes",
    mode: Mode::Warn,
    settings: &[("max_rows", "1000000"), ("max_bytes", "\"1GiB\"")],
    // It only says what to count.
    on_panic: OnPanic::Allow,
    build: |section| Box::new(StreamWrite::new(section)),
};

#[derive(Debug)]
struct StreamWrite {
    max_rows: u64,
    max_bytes: ByteSize,
}

impl StreamWrite {
    fn new(section: &mut Section<'_>) -> Self {
        Self {
            max_rows: section.count("max_rows", 1_000_000),
            max_bytes: section.size("max_bytes", ByteSize(1 << 30)),
        }
    }
}

impl Rule for StreamWrite {
    fn limit(&self, mode: Mode, limits: &mut Limits) {
        let Self { max_rows, max_bytes } = *self;
        limits.stream = Some(StreamLimit { mode, max_rows, max_bytes });
    }
}
