//! The first packet of a connection: StartupMessage, SSLRequest, GSSENCRequest or CancelRequest.
//!
//! Source: PostgreSQL manual, "Frontend/Backend Protocol", "Message Flow: Start-up" and "Message Formats".
//! The packet has no code, only a length, so it is bounded before anything is kept.

use crate::wire::Malformed;
use crate::wire::reader::Reader;

/// The most bytes that a start-up packet may have, its length field included (`MAX_STARTUP_PACKET_LENGTH`).
pub const SIZE_MAX: usize = 10_000;

/// First byte of a TLS record: a client that speaks TLS without asking first (`sslnegotiation=direct`).
pub const TLS_HANDSHAKE: u8 = 0x16;

/// How Terminate begins: a client that has changed its mind before its first packet. As a length it would be too long for any.
pub const TERMINATE: [u8; 4] = *b"X\0\0\0";

/// The answer to an encryption request: a handshake may begin.
pub const ACCEPTED: u8 = b'S';
/// The answer to an encryption request: go on without, or leave.
pub const DECLINED: u8 = b'N';
/// A request for TLS.
pub const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Parameters with such a name are for the protocol, not for the session.
const PROTOCOL_OPTION: &[u8] = b"_pq_.";

const CANCEL: u32 = 0x04d2_162e;
const SSL: u32 = 0x04d2_162f;
const GSS: u32 = 0x04d2_1630;

/// One first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// The client wants TLS; answered with one byte.
    Ssl,
    /// The client wants GSSAPI encryption; answered with one byte.
    Gss,
    /// Another connection's statement is to be cancelled.
    Cancel(Cancel),
    /// A session begins.
    Startup(Startup),
}

/// Which statement to cancel.
#[derive(Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Process id that the client was given.
    pub pid: i32,
    /// The secret that came with it: 4 bytes in protocol 3.0, up to 256 since 3.2.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancel").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// The parameters of a session, as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// The whole packet, to be forwarded as it is.
    pub packet: Vec<u8>,
    /// Protocol version that the client asks for: 3 in the upper half.
    pub version: u32,
    /// `user`.
    pub user: Vec<u8>,
    /// `database`; the user where it is not given.
    pub database: Vec<u8>,
    /// `application_name`; empty where it is not given.
    pub application_name: Vec<u8>,
    /// What the connection is for.
    pub purpose: Purpose,
}

impl Startup {
    /// What the packet sets for the session, in its order: without user, database, and options of the protocol.
    pub fn parameters(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let own: [&[u8]; 2] = [b"user", b"database"];
        self.pairs().filter(move |(name, _)| !own.contains(name) && !name.starts_with(PROTOCOL_OPTION))
    }

    /// The names of the options of the protocol that the packet asks for.
    pub fn options(&self) -> impl Iterator<Item = &[u8]> {
        self.pairs().map(|(name, _)| name).filter(|name| name.starts_with(PROTOCOL_OPTION))
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut reader = Reader::new(self.packet.get(8..).unwrap_or_default());
        std::iter::from_fn(move || {
            let name = reader.cstr().ok().filter(|name| !name.is_empty())?;
            Some((name, reader.cstr().ok()?))
        })
    }

    /// The packet with another database in the place of its own.
    pub fn packet_for(&self, database: &[u8]) -> Vec<u8> {
        let others = self.pairs().filter(|(name, _)| *name != b"database");
        let mut packet = self.packet.get(..8).unwrap_or_default().to_vec();
        for (name, value) in others.chain([(&b"database"[..], database)]) {
            packet.extend([name, b"\0", value, b"\0"].concat());
        }
        packet.push(0);
        let size = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        if let Some(length) = packet.first_chunk_mut() {
            *length = size.to_be_bytes();
        }
        packet
    }

    /// True where the session may begin with another `search_path`, or as another role, than its user has: by a
    /// parameter of that name, or in `options`.
    pub fn sets_path(&self) -> bool {
        // In `options` a hyphen is as good as an underscore.
        let letter = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
        let named = |name: &[u8]| {
            let same = |part: &[u8]| part.iter().map(letter).eq(name.iter().copied());
            self.packet.windows(name.len()).any(same)
        };
        named(b"search_path") || named(b"role=") || named(b"\0role\0")
    }
}

/// The versions of the protocol that are spoken where Floodwall answers in a server's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// That of PostgreSQL 7.4 and all since.
    V3_0,
    /// That of PostgreSQL 18: secrets of cancel keys may be longer, and nothing else.
    V3_2,
}

impl Version {
    /// The newest one that is not newer than what a client asks for. There is no 3.1.
    pub const fn for_client(asked: u32) -> Self {
        if asked < Self::V3_2.number() { Self::V3_0 } else { Self::V3_2 }
    }

    /// As messages have it.
    pub const fn number(self) -> u32 {
        match self {
            Self::V3_0 => 3 << 16,
            Self::V3_2 => 3 << 16 | 2,
        }
    }

    /// Bytes of the secrets that PostgreSQL gives to clients of this version (`MAX_CANCEL_KEY_LENGTH` of its 18).
    pub const fn secret_bytes(self) -> usize {
        match self {
            Self::V3_0 => 4,
            Self::V3_2 => 32,
        }
    }
}

/// What a connection is for: the `replication` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An ordinary session.
    Sql,
    /// A walsender, physical or logical.
    Replication,
}

/// How long the packet at the front of the buffer is. `None`: not enough bytes to tell.
///
/// # Errors
/// [`Malformed::Length`] below 8 bytes, [`Malformed::TooLong`] over [`SIZE_MAX`].
pub fn size(buf: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(head) = buf.first_chunk::<4>() else { return Ok(None) };
    let size = usize::try_from(u32::from_be_bytes(*head)).map_err(|_| Malformed::TooLong)?;
    match size {
        0..8 => Err(Malformed::Length),
        8..=SIZE_MAX => Ok(Some(size)),
        _ => Err(Malformed::TooLong),
    }
}

/// Reads one packet, which must be cut exactly.
///
/// # Errors
/// What a server would not accept either.
pub fn read(packet: &[u8]) -> Result<First, Malformed> {
    let mut reader = Reader::new(packet);
    reader.u32()?;
    match reader.u32()? {
        CANCEL => cancel(reader).map(First::Cancel),
        SSL => reader.end().map(|()| First::Ssl),
        GSS => reader.end().map(|()| First::Gss),
        version if version >> 16 == 3 => session(packet, version, reader).map(First::Startup),
        _ => Err(Malformed::Version),
    }
}

fn cancel(mut reader: Reader<'_>) -> Result<Cancel, Malformed> {
    let pid = reader.i32().map_err(|_| Malformed::Cancel)?;
    let secret = reader.rest();
    match secret.len() {
        4..=256 => Ok(Cancel { pid, secret: secret.to_vec() }),
        _ => Err(Malformed::Cancel),
    }
}

fn session(packet: &[u8], version: u32, mut reader: Reader<'_>) -> Result<Startup, Malformed> {
    let mut startup = Startup {
        packet: packet.to_vec(),
        version,
        user: Vec::new(),
        database: Vec::new(),
        application_name: Vec::new(),
        purpose: Purpose::Sql,
    };
    loop {
        let name = reader.cstr()?;
        if name.is_empty() {
            break;
        }
        let value = reader.cstr()?;
        match name {
            b"user" => startup.user = value.to_vec(),
            b"database" => startup.database = value.to_vec(),
            b"application_name" => startup.application_name = value.to_vec(),
            b"replication" => startup.purpose = purpose(value),
            _ => {}
        }
    }
    reader.end()?;
    if startup.user.is_empty() {
        return Err(Malformed::NoUser);
    }
    if startup.database.is_empty() {
        startup.database.clone_from(&startup.user);
    }
    Ok(startup)
}

/// The server reads `replication` as `database` or a boolean, and refuses what is neither. All that it does not read as
/// false counts as replication here, so that no spelling slips past the rule that replication must be allowed.
fn purpose(value: &[u8]) -> Purpose {
    let lower = value.to_ascii_lowercase();
    let is_false = matches!(lower.as_slice(), b"0" | b"of" | b"off")
        || (!lower.is_empty() && (b"false".starts_with(&lower[..]) || b"no".starts_with(&lower[..])));
    if is_false { Purpose::Sql } else { Purpose::Replication }
}

/// A CancelRequest for the server.
pub fn cancel_request(pid: i32, secret: &[u8]) -> Vec<u8> {
    let size = u32::try_from(secret.len()).unwrap_or(u32::MAX).saturating_add(12);
    let mut packet = Vec::with_capacity(secret.len().saturating_add(12));
    packet.extend_from_slice(&size.to_be_bytes());
    packet.extend_from_slice(&CANCEL.to_be_bytes());
    packet.extend_from_slice(&pid.to_be_bytes());
    packet.extend_from_slice(secret);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(version: u32, body: &[u8]) -> Vec<u8> {
        let mut packet = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
        packet.extend_from_slice(&version.to_be_bytes());
        packet.extend_from_slice(body);
        packet
    }

    #[test]
    fn reads_the_parameters_that_matter_and_keeps_the_packet() {
        let bytes = packet(0x0003_0000, b"user\0app\0database\0shop\0application_name\0web\0options\0-c x=1\0\0");
        let Ok(First::Startup(startup)) = read(&bytes) else { panic!("not a start-up") };
        assert_eq!(startup.user, b"app");
        assert_eq!(startup.database, b"shop");
        assert_eq!(startup.application_name, b"web");
        assert_eq!(startup.purpose, Purpose::Sql);
        assert_eq!(startup.packet, bytes);
    }

    #[test]
    fn any_minor_version_of_3_is_a_session_and_others_are_not() {
        for minor in [0, 2, 9999] {
            assert!(matches!(read(&packet(0x0003_0000 | minor, b"user\0a\0\0")), Ok(First::Startup(_))), "{minor}");
        }
        assert_eq!(read(&packet(0x0002_0000, b"user\0a\0\0")), Err(Malformed::Version));
        assert_eq!(read(&packet(0x0004_0000, b"user\0a\0\0")), Err(Malformed::Version));
    }

    #[test]
    fn a_client_is_met_with_the_newest_version_that_both_know() {
        for (minor, version) in [(0, Version::V3_0), (1, Version::V3_0), (2, Version::V3_2), (9999, Version::V3_2)] {
            assert_eq!(Version::for_client(0x0003_0000 | minor), version, "{minor}");
        }
        assert_eq!([Version::V3_0.number(), Version::V3_2.number()], [0x0003_0000, 0x0003_0002]);
    }

    #[test]
    fn another_database_takes_the_place_of_the_one_that_was_named_or_of_none() {
        for body in [&b"user\0app\0database\0shop\0options\0-c x=1\0\0"[..], b"user\0app\0options\0-c x=1\0\0"] {
            let Ok(First::Startup(startup)) = read(&packet(0x0003_0002, body)) else { panic!("no start-up") };
            let Ok(First::Startup(other)) = read(&startup.packet_for(b"blog")) else { panic!("no start-up") };
            assert_eq!((&other.database[..], &other.user[..], other.version), (&b"blog"[..], &b"app"[..], 0x0003_0002));
            assert_eq!(other.parameters().collect::<Vec<_>>(), startup.parameters().collect::<Vec<_>>());
        }
    }

    #[test]
    fn database_defaults_to_the_user() {
        let Ok(First::Startup(startup)) = read(&packet(0x0003_0000, b"user\0app\0\0")) else { panic!() };
        assert_eq!(startup.database, b"app");
    }

    #[test]
    fn replication_is_recognised_in_every_spelling_that_a_server_takes_for_true() {
        for (value, expected) in [
            ("true", Purpose::Replication),
            ("database", Purpose::Replication),
            ("ON", Purpose::Replication),
            ("1", Purpose::Replication),
            ("yes", Purpose::Replication),
            ("nonsense", Purpose::Replication),
            ("false", Purpose::Sql),
            ("off", Purpose::Sql),
            ("0", Purpose::Sql),
            ("NO", Purpose::Sql),
            ("f", Purpose::Sql),
        ] {
            assert_eq!(purpose(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn requests_without_a_session_are_told_apart() {
        assert_eq!(read(&packet(SSL, b"")), Ok(First::Ssl));
        assert_eq!(packet(SSL, b""), TLS_REQUEST);
        assert_eq!(read(&packet(GSS, b"")), Ok(First::Gss));
        assert_eq!(read(&packet(SSL, b"x")), Err(Malformed::Trailing));
        let cancel = cancel_request(42, b"abcd");
        assert_eq!(read(&cancel), Ok(First::Cancel(Cancel { pid: 42, secret: b"abcd".to_vec() })));
        assert_eq!(read(&packet(CANCEL, b"\0\0\0\x01abc")), Err(Malformed::Cancel));
        assert_eq!(read(&packet(CANCEL, &[7; 261])), Err(Malformed::Cancel));
        assert!(read(&packet(CANCEL, &[7; 260])).is_ok());
    }

    #[test]
    fn a_search_path_of_its_own_is_seen() {
        let sets = |body: &str| match read(&packet(0x0003_0000, format!("user\0app\0{body}\0").as_bytes())) {
            Ok(First::Startup(startup)) => startup.sets_path(),
            other => panic!("{other:?}"),
        };
        for body in [
            "search_path\0small\0",
            "Search_Path\0small\0",
            "options\0-c search_path=small\0",
            "options\0--search-path=small\0",
            "options\0-c role=bob\0",
            "role\0bob\0",
        ] {
            assert!(sets(body), "{body}");
        }
        for body in ["", "application_name\0path\0", "options\0-c statement_timeout=5\0"] {
            assert!(!sets(body), "{body}");
        }
    }

    #[test]
    fn malformed_packets_are_named() {
        assert_eq!(read(&packet(0x0003_0000, b"user\0a\0")), Err(Malformed::Unterminated));
        assert_eq!(read(&packet(0x0003_0000, b"user\0a\0\0x")), Err(Malformed::Trailing));
        assert_eq!(read(&packet(0x0003_0000, b"\0")), Err(Malformed::NoUser));
        assert_eq!(size(&[0, 0, 0]), Ok(None));
        assert_eq!(size(&[0, 0, 0, 7]), Err(Malformed::Length));
        assert_eq!(size(&[0, 0, 0x27, 0x10]), Ok(Some(10_000)));
        assert_eq!(size(&[0, 0, 0x27, 0x11]), Err(Malformed::TooLong));
    }
}
