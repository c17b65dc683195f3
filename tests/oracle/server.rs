//! A connection that asks a server to parse texts, and runs none of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use floodwall::sql::Strings;

/// What a server says of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// At most one statement that its grammar takes; what it means may still be an error.
    One,
    /// More than one statement.
    Several,
    /// No SQL to it.
    Unreadable(String),
}

#[derive(Debug)]
pub struct Server {
    socket: TcpStream,
}

impl Server {
    /// Logs in as the superuser of a test cluster.
    pub fn connect(port: u16, strings: Strings) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut server = Self { socket };
        let mut startup = 196_608_u32.to_be_bytes().to_vec();
        let setting = match strings {
            Strings::Standard => "on",
            Strings::Escapes => "off",
        };
        let options =
            format!("-c standard_conforming_strings={setting} -c escape_string_warning=off -c backslash_quote=on");
        for text in ["user", "postgres", "database", "postgres", "client_encoding", "UTF8", "options", &options, ""] {
            startup.extend_from_slice(text.as_bytes());
            startup.push(0);
        }
        server.socket.write_all(&framed(&startup)).unwrap();
        assert_eq!(server.until_ready(), None, "the login");
        server
    }

    /// Sends a text as one Parse. Nothing of it runs.
    pub fn parse(&mut self, text: &str) -> Answer {
        let mut message = b"P".to_vec();
        message.extend(framed(&[b"\0", text.as_bytes(), b"\0\0\0"].concat()));
        message.push(b'S');
        message.extend(framed(b""));
        self.socket.write_all(&message).unwrap();
        match self.until_ready() {
            Some((code, message)) if code == "42601" && message.contains("multiple commands") => Answer::Several,
            // Classes of errors that the server's lexer and grammar raise.
            Some((code, message)) if matches!(&code[..2], "42" | "22" | "0A") && is_of_grammar(&code) => {
                Answer::Unreadable(message)
            }
            _ => Answer::One,
        }
    }

    /// Reads up to ReadyForQuery; code and message of the error that came before it.
    fn until_ready(&mut self) -> Option<(String, String)> {
        let mut error = None;
        loop {
            let mut head = [0; 5];
            self.socket.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
            let mut body = vec![0; length - 4];
            self.socket.read_exact(&mut body).unwrap();
            match head[0] {
                b'Z' => return error,
                b'E' => error = Some((field(&body, b'C'), field(&body, b'M'))),
                _ => {}
            }
        }
    }
}

/// Syntax error, feature not supported, and errors in escapes and names.
fn is_of_grammar(code: &str) -> bool {
    matches!(code, "42601" | "0A000" | "22025" | "22019" | "22P06" | "42602" | "42622" | "42P02" | "22023" | "22021")
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], body].concat()
}

fn field(body: &[u8], kind: u8) -> String {
    let field = body.split(|&byte| byte == 0).find(|field| field.first() == Some(&kind));
    field.map(|field| String::from_utf8(field[1..].to_vec()).unwrap()).unwrap_or_default()
}
