//! `floodwall ctl`: one console command from a shell.
//!
//! It goes to the Unix socket in `state_dir`, where the same system user needs no password. Where that is not to be
//! had (another user, another machine's socket), it goes over TCP with a password.

use std::future::poll_fn;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage, Socket};

use crate::config::{Config, GENERATED_ADMIN};
use crate::units::display_bytes;

/// Why a command did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// `console = "off"`.
    #[error("the console is off: set admin.console in the configuration and restart")]
    Off,
    /// Neither the socket nor the port took the connection.
    #[error(
        "no console answers at {address}: {reason}; is Floodwall running, and with this configuration? --config names another"
    )]
    Unreachable {
        /// Where it should be.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// The TCP port wants a password and none is at hand.
    #[error("no password for the console: set {PASSWORD_VARIABLE}, or run as the user that can read {}", .0.display())]
    NoPassword(PathBuf),
    /// The console refused the login or the command.
    #[error("{0}")]
    Refused(String),
    /// No answer in time.
    #[error("no answer from the console within {} s", .0.as_secs())]
    Late(Duration),
    /// The operator did not want to wait, and not for the end of the cancelled command either.
    #[error("interrupted: the command may be done, or not")]
    Interrupted,
    /// The answer could not be written.
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

/// Who asks, and how it proves that.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// Console user; left out: the only one there is, or `admin`.
    pub user: Option<String>,
    /// The password, where the environment gives one.
    pub password: Option<String>,
}

/// Environment variable with the console password.
pub const PASSWORD_VARIABLE: &str = "FLOODWALL_CONSOLE_PASSWORD";

/// Connects to the console of `config`, runs `command` and writes its answer: tables, or a sentence that says what was done. Cancel
/// safe: dropped, it closes its connection, and a command that waits is given up.
///
/// # Errors
/// No console answers, it lets nobody in, or it refuses the command.
pub async fn run(config: &Config, login: &Login, command: &str, out: &mut impl Write) -> Result<(), Failed> {
    let address = config.admin.console.ok_or(Failed::Off)?;
    let (client, connection) = timeout(CONNECT_TIMEOUT, connect(config, login, reachable(address)))
        .await
        .map_err(|_| Failed::Late(CONNECT_TIMEOUT))??;
    let answered = async {
        let messages = ask(&client, connection, command, out).await?;
        Ok(write_answer(&messages, out)?)
    };
    match answered.await {
        // As in `ctl 'SHOW CLIENTS' | head`: whoever reads has seen enough.
        Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        answered => answered,
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the console may say nothing. RELOAD reads files; PAUSE and WAIT_CLOSE take as long as transactions do, and tell so every
/// ten seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

type Connected = (Client, Connection<Socket, NoTlsStream>);

async fn connect(config: &Config, login: &Login, address: SocketAddr) -> Result<Connected, Failed> {
    let over_socket = settings(config, login).host_path(&config.state_dir).port(address.port()).connect(NoTls).await;
    match over_socket {
        Ok(connected) => return Ok(connected),
        // The socket is for the user that runs Floodwall: whoever else it turns away may still have a password.
        Err(error) if error.code().is_some_and(|code| !is_authorization(code)) => return Err(refused(&error)),
        Err(_) => {}
    }
    let mut over_tcp = settings(config, login);
    over_tcp.host(address.ip().to_string()).port(address.port());
    // Nobody there is worth knowing before anybody looks for a password.
    probe(address).await?;
    over_tcp.password(password(config, login)?);
    over_tcp.connect(NoTls).await.map_err(|error| refused(&error))
}

/// Class 28: invalid authorization.
fn is_authorization(code: &SqlState) -> bool {
    code.code().starts_with("28")
}

fn settings(config: &Config, login: &Login) -> tokio_postgres::Config {
    let mut settings = tokio_postgres::Config::new();
    settings.user(login.user.clone().unwrap_or_else(|| default_user(config)));
    settings.dbname("floodwall").application_name("floodwall ctl").ssl_mode(SslMode::Disable);
    settings.connect_timeout(CONNECT_TIMEOUT);
    settings
}

/// The first user who may do everything; without any, the generated one.
fn default_user(config: &Config) -> String {
    let admin = config.admin.users.iter().find(|user| user.role == crate::config::Role::Admin);
    let chosen = admin.or_else(|| config.admin.users.first());
    chosen.map_or_else(|| GENERATED_ADMIN.to_owned(), |user| user.name.clone())
}

async fn probe(address: SocketAddr) -> Result<(), Failed> {
    let dialled = tokio::net::TcpStream::connect(address).await;
    dialled.map(drop).map_err(|error| Failed::Unreachable { address, reason: error.to_string() })
}

fn password(config: &Config, login: &Login) -> Result<String, Failed> {
    if let Some(password) = &login.password {
        return Ok(password.clone());
    }
    let file = config.console_password_file();
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(_) => Err(Failed::NoPassword(file)),
    }
}

/// A console on all addresses is dialled on the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Tells what the console says meanwhile, and returns its answer. The connection has to be driven while it is awaited: no task outlives
/// the command. An interrupt cancels the command, and a second one ends the wait.
async fn ask(
    client: &Client,
    mut connection: Connection<Socket, NoTlsStream>,
    command: &str,
    out: &mut impl Write,
) -> Result<Vec<SimpleQueryMessage>, Failed> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut answer = pin!(client.simple_query(command));
    let mut cancelled = false;
    loop {
        tokio::select! {
            biased;
            arrived = &mut answer => return arrived.map_err(|error| refused(&error)),
            said = poll_fn(|cx| connection.poll_message(cx)) => match said {
                Some(Ok(AsyncMessage::Notice(notice))) => tell(&display_bytes(notice.message().as_bytes()), out)?,
                Some(Ok(_)) => {}
                // SHUTDOWN answers and closes at once: what came before the end still counts.
                Some(Err(_)) | None => return answer.await.map_err(|error| refused(&error)),
            },
            _ = interrupts.recv() => {
                if cancelled {
                    return Err(Failed::Interrupted);
                }
                cancelled = true;
                drop(timeout(CONNECT_TIMEOUT, client.cancel_token().cancel_query(NoTls)).await);
            }
            () = sleep(ANSWER_TIMEOUT) => return Err(Failed::Late(ANSWER_TIMEOUT)),
        }
    }
}

/// A sentence of the console's, at once: it may be why a command takes so long.
fn tell(sentence: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{sentence}")?;
    out.flush()
}

/// The console's own words where it has spoken.
fn refused(error: &tokio_postgres::Error) -> Failed {
    let Some(answer) = error.as_db_error() else { return Failed::Refused(error.to_string()) };
    // A wrong file has many errors, a line each.
    let lines = answer.message().lines().chain(answer.detail()).chain(answer.hint());
    let lines: Vec<String> = lines.map(|line| display_bytes(line.as_bytes())).collect();
    Failed::Refused(lines.join("\n"))
}

/// Writes what the console answered: a table for each result, nothing for a command that has none.
fn write_answer(messages: &[SimpleQueryMessage], out: &mut impl Write) -> io::Result<()> {
    let mut table = None;
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                let names = columns.iter().map(|column| column.name().to_owned()).collect();
                table = Some(Table { rows: vec![names] });
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|index| cell(row.try_get(index).ok().flatten())).collect();
                table.get_or_insert_with(Table::default).rows.push(cells);
            }
            // The other kinds end a result, today and in whatever the library adds.
            _ => {
                table.take().map_or(Ok(()), |table| table.write(out))?;
            }
        }
    }
    out.flush()
}

/// What stands in a cell came from clients, and must not steer a terminal.
fn cell(text: Option<&str>) -> String {
    display_bytes(text.unwrap_or_default().as_bytes())
}

/// Rows of cells, the first of them the heading.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths();
        for (index, row) in self.rows.iter().enumerate() {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(out, "{}", padded.join("  ").trim_end())?;
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                writeln!(out, "{}", rule.join("  "))?;
            }
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        (0..columns).map(|column| width(column).unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::config;

    fn printed(rows: &[&[&str]]) -> String {
        let rows = rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let mut out = Vec::new();
        Table { rows }.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = printed(&[&["id", "client"], &["1", "web"], &["12", "bäckup"], &["3", ""]]);
        assert_eq!(table, "id  client\n--  ------\n1   web\n12  bäckup\n3\n");
    }

    #[test]
    fn a_result_without_rows_shows_its_heading() {
        assert_eq!(printed(&[&["id"]]), "id\n--\n");
    }

    #[test]
    fn cells_cannot_steer_a_terminal() {
        assert_eq!(cell(Some("a\x1b[2J")), "a\\u{1b}[2J");
    }

    /// A console that says one prepared answer to whoever asks, on the socket of `config`.
    async fn answering(config: &Config, answer: &'static [u8]) -> tokio::task::JoinHandle<Vec<u8>> {
        let listener = tokio::net::UnixListener::bind(config.console_socket().unwrap()).unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let start_up = socket.read(&mut buffer).await.unwrap();
            assert!(buffer[..start_up].windows(11).any(|part| part == b"user\0admin\0"));
            socket.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
            let asked = socket.read(&mut buffer).await.unwrap();
            socket.write_all(answer).await.unwrap();
            buffer[..asked].to_vec()
        })
    }

    fn config_in(folder: &std::path::Path) -> Config {
        let text = "[admin]\nconsole = \"127.0.0.1:1\"\n[[listener]]\n";
        let mut config = config::read(text, &config::Process::WithoutSecrets, &|_| Vec::new()).unwrap().config;
        config.state_dir = folder.to_owned();
        config
    }

    async fn asked(config: &Config, command: &str) -> Result<String, Failed> {
        let mut out = Vec::new();
        run(config, &Login::default(), command, &mut out).await.map(|()| String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn a_command_goes_over_the_socket_and_prints_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let config = config_in(folder.path());
        let console = answering(
            &config,
            b"T\0\0\0\x1b\0\x01id\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
              D\0\0\0\x0c\0\x01\0\0\0\x0217C\0\0\0\x09SHOW\0Z\0\0\0\x05I",
        )
        .await;
        assert_eq!(asked(&config, "SHOW CLIENTS").await.unwrap(), "id\n--\n17\n");
        assert!(console.await.unwrap().ends_with(b"SHOW CLIENTS\0"));
    }

    #[tokio::test]
    async fn a_refused_command_fails_with_the_words_of_the_console() {
        let folder = tempfile::tempdir().unwrap();
        let config = config_in(folder.path());
        let error = b"E\0\0\0\x2eSERROR\0C42601\0Mno command SHO\0HSHOW HELP\0\0Z\0\0\0\x05I";
        let console = answering(&config, error).await;
        assert_eq!(asked(&config, "SHO").await.unwrap_err().to_string(), "no command SHO\nSHOW HELP");
        console.await.unwrap();
    }

    #[tokio::test]
    async fn a_command_without_rows_says_what_it_has_done() {
        let folder = tempfile::tempdir().unwrap();
        let config = config_in(folder.path());
        let answer = b"N\0\0\0\x1dSNOTICE\0C00000\0Mresumed\0\0C\0\0\0\x0bRESUME\0Z\0\0\0\x05I";
        let console = answering(&config, answer).await;
        assert_eq!(asked(&config, "RESUME").await.unwrap(), "resumed\n");
        console.await.unwrap();
    }

    #[tokio::test]
    async fn without_a_console_the_address_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config_in(folder.path());
        let error = asked(&config, "SHOW CLIENTS").await.unwrap_err();
        assert!(matches!(error, Failed::Unreachable { .. }), "{error}");
        config.admin.console = None;
        assert!(matches!(asked(&config, "SHOW CLIENTS").await, Err(Failed::Off)));
    }

    #[test]
    fn unspecified_addresses_are_dialled_on_loopback() {
        for (bound, dialled) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(bound.parse().unwrap()), dialled.parse().unwrap());
        }
    }
}
