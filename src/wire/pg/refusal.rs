//! A refusal as ErrorResponse or NoticeResponse, and the statement that makes the server fail in its place.
//!
//! Source: PostgreSQL manual, "Frontend/Backend Protocol", "Error and Notice Message Fields".

use bytes::{BufMut, BytesMut};

use super::code::{client, server};
use crate::wire::{Refusal, Severity, Transaction};

/// Writes an ErrorResponse.
pub fn error(refusal: &Refusal, out: &mut BytesMut) {
    let severity = match refusal.severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    report(server::ERROR, severity, refusal, out);
}

/// Writes a NoticeResponse of level WARNING.
pub fn warning(refusal: &Refusal, out: &mut BytesMut) {
    report(server::NOTICE, "WARNING", refusal, out);
}

/// Writes a ReadyForQuery.
pub fn ready(transaction: Transaction, out: &mut BytesMut) {
    let status = match transaction {
        Transaction::None => b'I',
        Transaction::Open => b'T',
        Transaction::Failed => b'E',
    };
    out.put_slice(&[server::READY, 0, 0, 0, 5, status]);
}

fn report(code: u8, severity: &str, refusal: &Refusal, out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(256);
    let code_of = if code == server::NOTICE { "01000" } else { refusal.sqlstate };
    for (kind, value) in [
        (b'S', severity),
        (b'V', severity),
        (b'C', code_of),
        (b'M', refusal.message.as_str()),
        (b'D', refusal.detail.as_str()),
        (b'H', refusal.hint.as_str()),
        (b'n', refusal.rule),
    ] {
        if !value.is_empty() {
            body.put_u8(kind);
            put_text(value, &mut body);
        }
    }
    body.put_u8(0);
    message(code, &body, out);
}

/// Writes a simple Query of an unknown word, which any server fails on before it does anything else, in any state.
pub fn failing_query(word: &str, out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(word.len().saturating_add(1));
    put_text(word, &mut body);
    message(client::QUERY, &body, out);
}

/// Writes a Parse of an unknown word under the statement name that the client chose.
pub fn failing_parse(name: &[u8], word: &str, out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(name.len().saturating_add(word.len()).saturating_add(4));
    body.put_slice(name);
    body.put_u8(0);
    put_text(word, &mut body);
    body.put_u16(0);
    message(client::PARSE, &body, out);
}

/// Writes a CopyFail, whose reason the server's error repeats.
pub fn copy_fail(word: &str, out: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(word.len().saturating_add(1));
    put_text(word, &mut body);
    message(client::COPY_FAIL, &body, out);
}

fn put_text(text: &str, body: &mut BytesMut) {
    body.extend(text.bytes().filter(|&byte| byte != 0));
    body.put_u8(0);
}

pub(super) fn message(code: u8, body: &[u8], out: &mut BytesMut) {
    head(code, body.len(), out);
    out.put_slice(body);
}

/// The head of a message whose body, of so many bytes, follows.
pub(super) fn head(code: u8, body_bytes: usize, out: &mut BytesMut) {
    out.put_u8(code);
    out.put_u32(u32::try_from(body_bytes).unwrap_or(u32::MAX).saturating_add(4));
}
