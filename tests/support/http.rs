//! The least HTTP client that can read `/metrics`.

use std::io::{Error, Read, Write};
use std::net::TcpStream;

use super::process::SOON;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Everything after the head.
    pub body: String,
}

/// Asks 127.0.0.1 for `path`, for as long as [`SOON`].
pub fn get(port: u16, path: &str) -> Result<Answer, Error> {
    get_with(port, path, "")
}

/// The same with further headers, each a line with its end.
pub fn get_with(port: u16, path: &str, headers: &str) -> Result<Answer, Error> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SOON))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| Error::other("no end of the head"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer { status: status.ok_or_else(|| Error::other("no status"))?, body: body.to_owned() })
}
