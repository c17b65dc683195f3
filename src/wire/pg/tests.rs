use super::provoked::names;
use super::*;
use crate::wire::Completion;
use crate::wire::Severity;

/// Feeds a conversation with `>Q` (client sends Query) and `<Z:I` (server sends ReadyForQuery, idle) and returns it.
fn after(script: &str) -> Conversation {
    let mut conversation = Conversation::default();
    play(&mut conversation, script);
    conversation
}

fn play(conversation: &mut Conversation, script: &str) {
    for event in script.split_whitespace() {
        let bytes = event.as_bytes();
        let code = bytes[1];
        if bytes[0] == b'>' {
            conversation.phase.client(code);
            continue;
        }
        let body: &[u8] = if bytes.len() > 3 { &bytes[3..4] } else { b"" };
        let frame = framed(code, body);
        Pg::server(conversation, Head { code, size: frame.len() as u64 }, &frame);
    }
}

fn framed(code: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![code];
    frame.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn refusal() -> Refusal {
    Refusal {
        severity: Severity::Error,
        sqlstate: "54000",
        rule: "bulk_write",
        message: "FLOODWALL[rule=bulk_write] too many rows".to_owned(),
        detail: String::new(),
        hint: "use smaller batches".to_owned(),
    }
}

/// What went to either side.
#[derive(Default)]
struct Sent {
    client: BytesMut,
    server: BytesMut,
}

impl Sent {
    fn out(&mut self) -> Outgoing<'_> {
        Outgoing { client: &mut self.client, server: &mut self.server }
    }
}

#[test]
fn ready_only_when_nothing_is_owed() {
    for (script, ready) in [
        ("", true),
        (">Q", false),
        (">Q <T <D <C <Z:I", true),
        (">Q >Q <Z:I", false),
        (">Q >Q <Z:I <Z:I", true),
        (">P >B >D >E", false),
        (">P >B >D >E >S <1 <2 <T <C", false),
        (">P >B >E >S <1 <2 <C <Z:I", true),
        (">P >B >E >S >P >B >E >S <Z:I", false),
        (">P >B >E >S >P >B >E >S <Z:I <Z:I", true),
        (">P >H <1", false),
        (">F <V <Z:I", true),
        (">H", true),
        // COPY IN by simple query.
        (">Q <G >d >c <C <Z:I", true),
        (">Q <G >d >f <E <Z:I", true),
        // COPY IN where the client did not wait for the response.
        (">Q >d >c <G <C <Z:I", true),
        // COPY IN by extended query: the Sync sent before the data is swallowed.
        (">P >B >E >S <1 <2 <G >d >c >S <C <Z:I", true),
        (">P >B >E >S <1 <2 <G >d >c <C", false),
        (">P >B >E <1 <2 <G >d >S >S >c >S <C <Z:I", true),
        (">P >B >E >S >d >c >S <1 <2 <G <C <Z:I", true),
        // COPY that fails at once, with the data already on its way.
        (">Q >d >c <E <Z:I", true),
        (">Q <G >d <E >c <Z:I", true),
        // COPY OUT needs nothing special.
        (">Q <H <d <d <c <C <Z:I", true),
        // Replication.
        (">Q <W >d <d >c <c <C <Z:I", true),
    ] {
        assert_eq!(Pg::ready(&after(script)), ready, "{script}");
    }
}

#[test]
fn transaction_state_is_what_the_server_last_said() {
    for (script, expected) in [
        ("", Transaction::None),
        (">Q <C <Z:T", Transaction::Open),
        (">Q <C <Z:T >Q", Transaction::Open),
        (">Q <C <Z:T >Q <E <Z:E", Transaction::Failed),
        (">Q <C <Z:T >Q <E <Z:E >Q <C <Z:I", Transaction::None),
    ] {
        assert_eq!(Pg::transaction(&after(script)), expected, "{script}");
    }
}

#[test]
fn a_query_outside_a_transaction_is_answered_here() {
    let mut conversation = Conversation::default();
    let mut sent = Sent::default();
    let frame = framed(b'Q', b"SELECT 1\0");
    Pg::refuse(&mut conversation, Head { code: b'Q', size: frame.len() as u64 }, &frame, &refusal(), &mut sent.out());
    assert!(sent.server.is_empty());
    assert_eq!(sent.client[0], b'E');
    assert!(sent.client.ends_with(b"Z\0\0\0\x05I"));
    assert!(Pg::ready(&conversation));
}

/// It ends with a ReadyForQuery, as a query does: nobody sends a Sync behind it.
#[test]
fn a_function_call_that_is_refused_is_answered_to_its_end() {
    let frame = framed(b'F', &[0; 8]);
    let head = Head { code: b'F', size: frame.len() as u64 };
    let (mut conversation, mut sent) = (Conversation::default(), Sent::default());
    Pg::refuse(&mut conversation, head, &frame, &refusal(), &mut sent.out());
    assert!(sent.server.is_empty() && sent.client.ends_with(b"Z\0\0\0\x05I"));
    assert!(Pg::ready(&conversation));
    // In a transaction the server fails, and says that it is ready for more.
    let (mut conversation, mut sent) = (after(">Q <C <Z:T"), Sent::default());
    Pg::refuse(&mut conversation, head, &frame, &refusal(), &mut sent.out());
    assert_eq!((sent.server[0], sent.client.len()), (b'Q', 0));
    play(&mut conversation, "<E <Z:E");
    assert!(Pg::ready(&conversation));
}

#[test]
fn a_parse_outside_a_transaction_drops_its_pipeline_up_to_sync() {
    let mut conversation = Conversation::default();
    let mut sent = Sent::default();
    let frame = framed(b'P', b"s\0SELECT 1\0\0\0");
    Pg::refuse(&mut conversation, Head { code: b'P', size: frame.len() as u64 }, &frame, &refusal(), &mut sent.out());
    assert!(sent.server.is_empty());
    assert!(Pg::skipping(&conversation));
    let passage = |conversation: &mut Conversation, code| Pg::client(conversation, Head { code, size: 5 });
    for code in [b'B', b'E', b'H', b'Q', b'd', b'P'] {
        assert_eq!(passage(&mut conversation, code), Passage::Drop, "{}", char::from(code));
    }
    assert_eq!(passage(&mut conversation, b'S'), Passage::Conclude);
    assert!(Pg::ready(&conversation));
    assert_eq!(passage(&mut conversation, b'Q'), Passage::Forward);
}

#[test]
fn inside_a_transaction_the_server_fails_and_the_text_is_ours() {
    for (script, code, body) in [
        (">Q <C <Z:T", b'Q', &b"DELETE FROM t\0"[..]),
        (">P >B >E", b'P', b"name\0DELETE FROM t\0\0\0"),
        (">Q", b'Q', b"DELETE FROM t\0"),
    ] {
        let mut conversation = after(script);
        let mut sent = Sent::default();
        let frame = framed(code, body);
        Pg::refuse(&mut conversation, Head { code, size: frame.len() as u64 }, &frame, &refusal(), &mut sent.out());
        assert!(sent.client.is_empty(), "{script}");
        assert_eq!(sent.server[0], code);
        assert!(!sent.server.windows(6).any(|part| part == b"DELETE"), "{script}");
        let error = framed(b'E', b"SERROR\0C42601\0Msyntax error at or near \"floodwall_refused_bulk_write_1\"\0\0");
        let head = Head { code: b'E', size: error.len() as u64 };
        let Reply::Substitute(bytes) = Pg::server(&mut conversation, head, &error) else { panic!("{script}") };
        assert!(bytes.windows(21).any(|part| part == b"FLOODWALL[rule=bulk_w"), "{script}");
    }
}

#[test]
fn an_earlier_error_of_the_pipeline_is_left_alone() {
    let mut conversation = after(">P >B >E");
    let mut sent = Sent::default();
    let frame = framed(b'P', b"\0DELETE FROM t\0\0\0");
    Pg::refuse(&mut conversation, Head { code: b'P', size: frame.len() as u64 }, &frame, &refusal(), &mut sent.out());
    play(&mut conversation, ">S");
    let error = framed(b'E', b"SERROR\0C23505\0Mduplicate key\0\0");
    let head = Head { code: b'E', size: error.len() as u64 };
    assert_eq!(
        Pg::server(&mut conversation, head, &error),
        Reply::Failed(Failure { sqlstate: *b"23505", fatal: Severity::Error })
    );
    play(&mut conversation, "<Z:I");
    assert!(Pg::ready(&conversation));
    assert!(conversation.refusals.is_none());
}

use crate::wire::Failure;

#[test]
fn refusal_numbers_are_not_confused_by_their_prefix() {
    assert!(names(&framed(b'E', b"Mat \"floodwall_refused_x_1\"\0\0"), "floodwall_refused_x_1"));
    assert!(!names(&framed(b'E', b"Mat \"floodwall_refused_x_11\"\0\0"), "floodwall_refused_x_1"));
    assert!(!names(&framed(b'E', b"Mat \"a_floodwall_refused_x_1\"\0\0"), "floodwall_refused_x_1"));
    assert!(!names(&framed(b'E', b"Mat floodwall_refused_x_11 floodwall_refused_x\0\0"), "floodwall_refused_x_1"));
}

#[test]
fn requests_are_read_and_malformed_ones_named() {
    let read = |code: u8, body: &[u8]| {
        let frame = framed(code, body);
        let head = Head { code, size: frame.len() as u64 };
        request::request(head, &frame).map(|request| format!("{request:?}"))
    };
    assert!(read(b'Q', b"SELECT 1\0").unwrap().contains("Run"));
    assert_eq!(read(b'Q', b"SELECT 1").unwrap_err(), Malformed::Unterminated);
    assert_eq!(read(b'Q', b"SELECT 1\0x").unwrap_err(), Malformed::Trailing);
    assert!(read(b'P', b"\0SELECT $1\0\0\x01\0\0\0\x17").unwrap().contains("Prepare"));
    assert_eq!(read(b'P', b"\0SELECT $1\0\0\x02\0\0\0\x17").unwrap_err(), Malformed::Short);
    assert_eq!(read(b'P', b"\0SELECT").unwrap_err(), Malformed::Unterminated);
    assert!(read(b'B', b"\0name\0\0\0\0\0\0\0").unwrap().contains("Bind"));
    assert!(read(b'C', b"Sname\0").unwrap().contains("Forget"));
    assert_eq!(read(b'C', b"S").unwrap_err(), Malformed::Unterminated);
}

#[test]
fn our_errors_are_read_by_an_independent_decoder() {
    use pgwire::messages::{DecodeContext, Message, ProtocolVersion, response::ErrorResponse};
    let mut bytes = BytesMut::new();
    refusal::error(&refusal(), &mut bytes);
    let decoded = ErrorResponse::decode(&mut bytes, &DecodeContext::new(ProtocolVersion::PROTOCOL3_0));
    let fields = decoded.unwrap().unwrap().fields;
    assert!(fields.contains(&(b'C', "54000".to_owned())), "{fields:?}");
    assert!(fields.contains(&(b'H', "use smaller batches".to_owned())), "{fields:?}");
    assert!(bytes.is_empty());
}

#[test]
fn errors_are_known_in_every_language_of_the_server() {
    for message in [
        "syntax error at or near \"floodwall_refused_x_1\"",
        "Syntaxfehler bei »floodwall_refused_x_1«",
        "erreur de syntaxe sur ou près de « floodwall_refused_x_1 »",
        "\"floodwall_refused_x_1\"またはその近辺で構文エラー",
        "語法錯誤 在「floodwall_refused_x_1」附近",
    ] {
        let frame = framed(b'E', format!("SERROR\0C42601\0M{message}\0\0").as_bytes());
        assert!(names(&frame, "floodwall_refused_x_1"), "{message}");
    }
}

#[test]
fn refusals_that_the_server_skips_do_not_pile_up() {
    let mut conversation = after(">P <E");
    let mut sent = Sent::default();
    let frame = framed(b'P', b"\0DELETE FROM t\0\0\0");
    for _ in 0..10_000 {
        Pg::refuse(
            &mut conversation,
            Head { code: b'P', size: frame.len() as u64 },
            &frame,
            &refusal(),
            &mut sent.out(),
        );
    }
    assert!(conversation.refusals.unwrap().queue.len() <= 256);
}

#[test]
fn the_name_of_a_statement_is_wanted_even_where_its_text_is_not() {
    let frame = framed(b'P', b"name\0SELECT 1\0\0\0");
    let head = Head { code: b'P', size: frame.len() as u64 };
    assert_eq!(request::needs(head, 0), Needs::Prefix(request::NAME_PREFIX));
}

#[test]
fn of_a_short_notice_no_more_is_wanted_than_there_is() {
    for text in ["x", "a text that is longer than what has to be at hand of it, to know of what kind it is"] {
        let frame = framed(b'N', format!("SLOG\0VLOG\0C00000\0M{text}\0\0").as_bytes());
        let size = frame.len() as u64;
        let Needs::Prefix(bytes) = reply::needs(Head { code: b'N', size }) else {
            panic!("{text}: its kind is not looked at")
        };
        assert!(bytes <= size, "{bytes} of {size}");
    }
}

#[test]
fn names_are_too_long_or_not_however_their_message_is_cut() {
    let most = usize::try_from(request::NAME_PREFIX).unwrap();
    let named = |code: u8, long: usize| {
        let name = "n".repeat(long);
        let body = match code {
            b'P' => format!("{name}\0SELECT 1\0\0\0"),
            b'B' => format!("\0{name}\0\0\0\0\0\0\0"),
            b'E' => format!("{name}\0\0\0\0\0"),
            _ => format!("S{name}\0"),
        };
        framed(code, body.as_bytes())
    };
    // The longest that passes in front of what is looked at, and one more.
    for (code, fits) in [(b'P', most - 6), (b'B', most - 7), (b'E', 9_991), (b'D', 9_994), (b'C', 9_994)] {
        for (long, expected) in [(fits, None), (fits + 1, Some(Malformed::Name)), (70_000, Some(Malformed::Name))] {
            let frame = named(code, long);
            let head = Pg::client_head(&frame).unwrap().unwrap();
            for at_hand in [most.min(frame.len()), (most + 1).min(frame.len()), frame.len()] {
                let found = Pg::request(head, &frame[..at_hand]).err();
                assert_eq!(found, expected, "{}: {long} bytes, {at_hand} at hand", char::from(code));
            }
        }
    }
}

#[test]
fn the_tail_tells_what_a_cancel_could_hit() {
    for (script, tail) in [
        ("", Tail::Idle),
        (">Q", Tail::Closed),
        (">Q >Q", Tail::Buried),
        (">Q >Q <Z:I", Tail::Closed),
        (">P >B >E", Tail::Open),
        (">P >B >E >S", Tail::Closed),
        (">P >B >E >S >P", Tail::Buried),
        (">P >B >E >S >P <Z:I", Tail::Open),
        (">Q <G", Tail::Copy),
        (">Q <G >d >c", Tail::Closed),
        (">P >B >E >S <G >d >c", Tail::Open),
        (">Q <G >d >S <E <Z:I", Tail::Lost),
    ] {
        assert_eq!(Pg::tail(&after(script)), tail, "{script}");
    }
}

#[test]
fn a_completion_tells_how_many_rows_were_changed() {
    let completion = |tag: &[u8]| {
        let frame = framed(b'C', &[tag, b"\0"].concat());
        Pg::server(&mut Conversation::default(), Head { code: b'C', size: frame.len() as u64 }, &frame)
    };
    for (tag, expected) in [
        (&b"INSERT 0 17"[..], Completion::Changed(17)),
        (b"UPDATE 0", Completion::Changed(0)),
        (b"DELETE 400000", Completion::Changed(400_000)),
        (b"MERGE 3", Completion::Changed(3)),
        (b"SELECT 5", Completion::Other),
        (b"COPY 5", Completion::Other),
        (b"UPDATE", Completion::Other),
        (b"UPDATE 99999999999999999999", Completion::Other),
        (b"", Completion::Other),
    ] {
        assert_eq!(completion(tag), Reply::Completed(expected), "{}", tag.escape_ascii());
    }
}

#[test]
fn what_is_ours_counts_as_owed() {
    for (errand, codes, tail) in [
        (Errand::Begin, "Q", Tail::Closed),
        (Errand::Flush, "H", Tail::Idle),
        (Errand::Fail("write_budget"), "Q", Tail::Closed),
        (Errand::FailPipeline("write_budget"), "PH", Tail::Open),
    ] {
        let mut conversation = Conversation::default();
        let mut out = BytesMut::new();
        Pg::send(&mut conversation, errand, &mut out);
        let mut sent = String::new();
        let mut rest = &out[..];
        while let Some(head) = Pg::client_head(rest).unwrap() {
            sent.push(char::from(head.code));
            rest = &rest[head.size as usize..];
        }
        assert_eq!((sent.as_str(), rest.len()), (codes, 0));
        assert_eq!(Pg::tail(&conversation), tail, "{errand:?}");
    }
}
