//! What a client's message asks.

use memchr::memchr;

use super::code::client;
use super::frame::{HEAD, HEAD_SIZE, SMALL};
use crate::wire::reader::Reader;
use crate::wire::{Head, Malformed, Needs, Request, Values};

/// Bytes of a Bind or Parse that are looked at in any case: the names stand in front. The server takes no Execute, Describe or Close of more
/// than 10,000 bytes, so nobody has a use for a longer name: [`Malformed::Name`].
pub const NAME_PREFIX: u64 = 20_000;

/// Larger bodies are not searched between two reads: it would hold up every session of the worker.
const SEARCHED_MAX: usize = 64 << 10;

/// Bytes of a FunctionCall that are looked at: a name that it is given stands in front of what is long.
const CALL_PREFIX: u64 = 1024;

/// Bytes of the number of a function.
const OID: usize = 4;

/// Bytes of a Query or Parse that is too long to be held: its beginning tells what kind of statement it is.
pub const BEGINNING: u64 = 32 * 1024;

/// How much of a message must be at hand at first; whoever judges it may want more. Only Query and Parse carry SQL; all other bodies may stream.
pub const fn needs(head: Head, hold: u64) -> Needs {
    match head.code {
        client::QUERY | client::PARSE if head.size > hold && hold > BEGINNING => Needs::Prefix(BEGINNING),
        client::QUERY => Needs::Prefix(hold),
        client::PARSE if hold > NAME_PREFIX => Needs::Prefix(hold),
        client::PARSE => Needs::Prefix(NAME_PREFIX),
        client::BIND | client::EXECUTE | client::CLOSE => Needs::Prefix(NAME_PREFIX),
        client::FUNCTION_CALL => Needs::Prefix(CALL_PREFIX),
        _ => Needs::Head,
    }
}

/// Reads a message whose needed part is at hand.
///
/// # Errors
/// A body that the server would not accept either; only whole messages of up to 64 KiB are checked to the end. [`Malformed::Name`] of a
/// message that is otherwise sound.
pub fn request(head: Head, frame: &[u8]) -> Result<Request<'_>, Malformed> {
    let body = frame.get(HEAD..).unwrap_or_default();
    let whole = u64::try_from(frame.len()).is_ok_and(|size| size >= head.size);
    let mut reader = Reader::new(body);
    match head.code {
        client::QUERY if whole && body.len() <= SEARCHED_MAX => Ok(Request::Run { text: text(reader, Tail::Nothing)? }),
        client::QUERY => Ok(Request::Run { text: cut_text(reader) }),
        client::PARSE => {
            let name = reader.cstr().map_err(|why| if whole { why } else { Malformed::Name })?;
            is_looked_at(&[name])?;
            let text = if whole && body.len() <= SEARCHED_MAX { text(reader, Tail::Types)? } else { cut_text(reader) };
            Ok(Request::Prepare { name, text })
        }
        client::BIND => match bind(reader) {
            Some((portal, statement, values)) => {
                is_looked_at(&[portal, statement])?;
                Ok(Request::Bind { portal, statement, values })
            }
            // The server will not take it either.
            None if whole => Ok(Request::Other),
            None => Err(Malformed::Name),
        },
        client::EXECUTE | client::DESCRIBE | client::CLOSE if head.size > u64::from(SMALL).saturating_add(1) => {
            Err(Malformed::Name)
        }
        client::EXECUTE => Ok(execute(reader)),
        client::FUNCTION_CALL => Ok(Request::Call { values: Values::new(body.get(OID..).unwrap_or_default()) }),
        client::SYNC => Ok(Request::Sync),
        client::FLUSH => Ok(Request::Flush),
        client::COPY_DATA => Ok(Request::Data { bytes: body, size: head.size.saturating_sub(HEAD_SIZE) }),
        client::COPY_DONE => Ok(Request::DataEnd),
        client::COPY_FAIL => Ok(Request::DataFail),
        client::CLOSE => close(reader),
        client::TERMINATE => Ok(Request::Quit),
        _ => Ok(Request::Other),
    }
}

enum Tail {
    Nothing,
    Types,
}

fn text(mut reader: Reader<'_>, tail: Tail) -> Result<&[u8], Malformed> {
    let text = reader.cstr()?;
    if matches!(tail, Tail::Types) {
        let count = usize::from(reader.u16()?);
        reader.bytes(count.saturating_mul(4))?;
    }
    reader.end()?;
    Ok(text)
}

/// The text of a message that is larger than what was held, or too large to look for its end here.
fn cut_text(reader: Reader<'_>) -> &[u8] {
    if reader.rest().len() > SEARCHED_MAX {
        return reader.rest();
    }
    let rest = reader.rest();
    memchr(0, rest).and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// Portal, statement and values.
fn bind(mut reader: Reader<'_>) -> Option<(&[u8], &[u8], Values<'_>)> {
    let portal = reader.cstr().ok()?;
    let statement = reader.cstr().ok()?;
    Some((portal, statement, Values::new(reader.rest())))
}

/// The same of a message however it is cut: names that only come to light where more of it happens to be at hand are too long.
fn is_looked_at(names: &[&[u8]]) -> Result<(), Malformed> {
    let bytes = names.iter().fold(HEAD, |bytes, name| bytes.saturating_add(name.len()).saturating_add(1));
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= NAME_PREFIX) { Ok(()) } else { Err(Malformed::Name) }
}

/// An Execute that the server would not take either is left to it.
fn execute(mut reader: Reader<'_>) -> Request<'_> {
    let Ok(portal) = reader.cstr() else { return Request::Other };
    let Ok(rows) = reader.i32() else { return Request::Other };
    // Zero and less mean all, as in the server.
    Request::Execute { portal, rows: u32::try_from(rows).ok().filter(|&rows| rows > 0) }
}

fn close(mut reader: Reader<'_>) -> Result<Request<'_>, Malformed> {
    let kind = reader.u8()?;
    let name = reader.cstr()?;
    reader.end()?;
    Ok(if kind == b'S' { Request::Forget { statement: name } } else { Request::Other })
}
