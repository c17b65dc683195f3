//! The PROXY protocol: what a load balancer says of the client behind it, before the client's first byte.
//!
//! Source: "The PROXY protocol, Versions 1 & 2", haproxy.org, sections 2.1 (text) and 2.2 (binary). Version 2 with TCP over IPv4 and
//! IPv6, its extensions skipped but for the checksum; version 1 with TCP4, TCP6 and UNKNOWN.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

/// Begins every header of version 2. Read as a start-up packet it is too long for any server.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Begins every header of version 1.
const TEXT: &[u8] = b"PROXY ";
/// The most bytes that a header of version 1 may have, its end of line included.
const TEXT_MAX: usize = 107;
/// Signature, command, family and length.
const HEAD: usize = 16;
/// The most bytes of addresses and extensions that are taken. Balancers send some hundred.
const BODY_MAX: usize = 4096;

const VERSION_2: u8 = 0x20;
const LOCAL: u8 = 0x0;
const PROXY: u8 = 0x1;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// An extension: the CRC-32C of the whole header, computed with these four bytes zero.
const CHECKSUM: u8 = 0x03;

/// Who is behind the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The balancer itself, as for a health check.
    Local,
    /// A client at this address.
    Client(SocketAddr),
    /// A client whose address the balancer does not tell, or not as TCP: the connection's own address holds.
    Untold,
}

/// No header, or one that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The first bytes are of no PROXY header.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// A version or command that is not defined.
    #[error("a PROXY header of an unknown version or command")]
    Unknown,
    /// Lengths or addresses that do not fit.
    #[error("a malformed PROXY header")]
    Malformed,
    /// Longer than is taken.
    #[error("a PROXY header of more than {BODY_MAX} bytes")]
    TooLong,
    /// The checksum is of other bytes.
    #[error("a PROXY header with a wrong checksum")]
    Checksum,
}

/// Reads the header at the front of `buf`: what it says, and its length. `None`: more bytes are needed.
///
/// # Errors
/// See [`BadHeader`]; told as early as the bytes show it.
pub fn read(buf: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let begins = |with: &[u8]| buf.iter().zip(with).all(|(byte, expected)| byte == expected);
    match buf {
        [] => Ok(None),
        _ if begins(&SIGNATURE) => binary(buf),
        _ if begins(TEXT) => text(buf),
        _ => Err(BadHeader::Missing),
    }
}

fn binary(buf: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let Some(&[command, family, high, low]) = buf.get(SIGNATURE.len()..HEAD) else { return Ok(None) };
    if command & 0xf0 != VERSION_2 || command & 0x0f > PROXY {
        return Err(BadHeader::Unknown);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BODY_MAX {
        return Err(BadHeader::TooLong);
    }
    let size = HEAD.saturating_add(length);
    let Some(header) = buf.get(..size) else { return Ok(None) };
    let body = header.get(HEAD..).unwrap_or_default();
    if command & 0x0f == LOCAL {
        return Ok(Some((Header::Local, size)));
    }
    let (said, rest) = match family {
        TCP4 => split::<12>(body).map(|(part, rest)| (Header::Client(v4(part)), rest))?,
        TCP6 => split::<36>(body).map(|(part, rest)| (Header::Client(v6(part)), rest))?,
        _ => return Ok(Some((Header::Untold, size))),
    };
    extensions(header, rest)?;
    Ok(Some((said, size)))
}

fn split<const N: usize>(body: &[u8]) -> Result<(&[u8; N], &[u8]), BadHeader> {
    body.split_first_chunk::<N>().ok_or(BadHeader::Malformed)
}

/// Source address, destination address, source port, destination port.
fn v4(part: &[u8; 12]) -> SocketAddr {
    let [a, b, c, d, _, _, _, _, high, low, _, _] = *part;
    SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))
}

fn v6(part: &[u8; 36]) -> SocketAddr {
    let mut address = [0; 16];
    address.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
    let port = part.get(32..34).and_then(|port| port.try_into().ok()).map_or(0, u16::from_be_bytes);
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)).to_canonical(), port)
}

/// Walks the extensions: each is a type, a length of two bytes and so many bytes. All but the checksum are skipped.
fn extensions(header: &[u8], mut rest: &[u8]) -> Result<(), BadHeader> {
    while let Some((&[kind, high, low], behind)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, next) = behind.split_at_checked(length).ok_or(BadHeader::Malformed)?;
        if kind == CHECKSUM {
            let sent: [u8; 4] = value.try_into().map_err(|_| BadHeader::Malformed)?;
            let at = header.len().saturating_sub(behind.len());
            if checksum(header, at..at.saturating_add(4)) != u32::from_be_bytes(sent) {
                return Err(BadHeader::Checksum);
            }
        }
        rest = next;
    }
    if rest.is_empty() { Ok(()) } else { Err(BadHeader::Malformed) }
}

/// CRC-32C (Castagnoli), with the bytes in `zeroed` taken as zero.
fn checksum(bytes: &[u8], zeroed: std::ops::Range<usize>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
    let byte = |(at, byte): (usize, &u8)| if zeroed.contains(&at) { 0 } else { *byte };
    !bytes.iter().enumerate().map(byte).fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// `PROXY TCP4 source destination sourceport destinationport`, and an end of line.
fn text(buf: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let known = buf.get(..TEXT_MAX).unwrap_or(buf);
    let Some(end) = known.windows(2).position(|two| two == b"\r\n") else {
        return if buf.len() < TEXT_MAX { Ok(None) } else { Err(BadHeader::TooLong) };
    };
    let line = buf.get(..end).and_then(|line| str::from_utf8(line).ok()).ok_or(BadHeader::Malformed)?;
    let size = end.saturating_add(2);
    let mut words = line.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        return Ok(Some((Header::Untold, size)));
    }
    let words: Vec<&str> = words.collect();
    let [source, destination, port, destination_port] = words.as_slice() else { return Err(BadHeader::Malformed) };
    let address = |text: &str| match (family, text.parse()) {
        ("TCP4", Ok(address @ IpAddr::V4(_))) | ("TCP6", Ok(address @ IpAddr::V6(_))) => Ok(address),
        _ => Err(BadHeader::Malformed),
    };
    let port_of = |text: &str| text.parse::<u16>().map_err(|_| BadHeader::Malformed);
    let (client, port) = (address(source)?, port_of(port)?);
    address(destination)?;
    port_of(destination_port)?;
    Ok(Some((Header::Client(SocketAddr::new(client.to_canonical(), port)), size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    const V4: [u8; 12] = [10, 1, 2, 3, 10, 9, 9, 9, 0x12, 0x34, 0x19, 0x20];

    fn client(text: &str) -> Header {
        Header::Client(text.parse().unwrap())
    }

    #[test]
    fn headers_say_who_is_behind_them() {
        let v6 = [&[0x20, 1, 13, 184][..], &[0; 11], &[7], &[0; 16], &[0, 80, 0, 81]].concat();
        let table = [
            (header(0x21, 0x11, &V4), client("10.1.2.3:4660")),
            (header(0x21, 0x21, &v6), client("[2001:db8::7]:80")),
            (header(0x21, 0x11, &[&V4[..], &[4, 0, 2, 9, 9, 0xe0, 0, 0]].concat()), client("10.1.2.3:4660")),
            (header(0x20, 0x00, b""), Header::Local),
            (header(0x20, 0x11, &V4), Header::Local),
            (header(0x21, 0x00, b""), Header::Untold),
            (header(0x21, 0x31, &[0; 216]), Header::Untold),
            (b"PROXY TCP4 10.1.2.3 10.9.9.9 4660 6432\r\n".to_vec(), client("10.1.2.3:4660")),
            (b"PROXY TCP6 2001:db8::7 ::1 80 81\r\n".to_vec(), client("[2001:db8::7]:80")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Header::Untold),
            (b"PROXY UNKNOWN ff f f f\r\n".to_vec(), Header::Untold),
        ];
        for (bytes, said) in table {
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Ok(None), "{said:?} cut at {cut}");
            }
            assert_eq!(read(&[&bytes[..], b"more"].concat()), Ok(Some((said, bytes.len()))));
        }
    }

    #[test]
    fn wrong_headers_are_refused_as_soon_as_they_show() {
        let table = [
            (b"\0\0\0\x08".to_vec(), BadHeader::Missing),
            (b"PROXX".to_vec(), BadHeader::Missing),
            (header(0x11, 0x11, &V4), BadHeader::Unknown),
            (header(0x22, 0x11, &V4), BadHeader::Unknown),
            (header(0x21, 0x11, &V4[..11]), BadHeader::Malformed),
            (header(0x21, 0x21, &V4), BadHeader::Malformed),
            (header(0x21, 0x11, &[&V4[..], &[4, 0, 9, 1]].concat()), BadHeader::Malformed),
            (header(0x21, 0x11, &[&V4[..], &[4, 0]].concat()), BadHeader::Malformed),
            ([&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat(), BadHeader::TooLong),
            (b"PROXY TCP4 10.1.2.3 ::1 1 2\r\n".to_vec(), BadHeader::Malformed),
            (b"PROXY TCP4 10.1.2.3 10.1.2.3 1 70000\r\n".to_vec(), BadHeader::Malformed),
            (b"PROXY TCP4 10.1.2.3\r\n".to_vec(), BadHeader::Malformed),
            ([b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat(), BadHeader::TooLong),
        ];
        for (bytes, why) in table {
            assert_eq!(read(&bytes), Err(why), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_checksum_is_checked_where_there_is_one() {
        let plain = header(0x21, 0x11, &[&V4[..], &[3, 0, 4, 0, 0, 0, 0]].concat());
        let sum = checksum(&plain, 0..0);
        let at = plain.len() - 4;
        let with = |sum: u32| [&plain[..at], &sum.to_be_bytes()].concat();
        assert_eq!(read(&with(sum)), Ok(Some((client("10.1.2.3:4660"), plain.len()))));
        assert_eq!(read(&with(sum ^ 1)), Err(BadHeader::Checksum));
        // The check value of the algorithm, from the catalogue of parametrised CRCs.
        assert_eq!(checksum(b"123456789", 0..0), 0xe306_9283);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(body in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = read(&body);
            let _ = read(&header(0x21, 0x11, &body));
            let _ = read(&[b"PROXY ", &body[..]].concat());
        }
    }
}
