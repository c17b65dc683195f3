//! `floodwall ctl`: one console command from a shell.
//!
//! It goes to the Unix socket in `state_dir`, where the same system user needs no password. Where that is not to be
//! had (another user, another machine's socket), it goes over TCP with a password.
//!
//! ```text
//! reach  finds the console and proves who asks
//! table  what the answer looks like
//! ```

mod reach;
mod table;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage, Socket};

use self::reach::{connect, reachable};
use crate::config::Config;
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

/// What is asked of the console.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The command, as in `SHOW CLIENTS`.
    pub command: &'a str,
    /// What its tables look like.
    pub layout: Layout,
}

/// What a table looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A line for each row.
    Table,
    /// A line for each column of each row.
    Expanded,
}

/// Environment variable with the console password.
pub const PASSWORD_VARIABLE: &str = "FLOODWALL_CONSOLE_PASSWORD";

/// Connects to the console of `config`, runs the command and writes its answer: tables, or a sentence that says what was done. Cancel
/// safe: dropped, it closes its connection, and a command that waits is given up.
///
/// # Errors
/// No console answers, it lets nobody in, or it refuses the command.
pub async fn run(config: &Config, login: &Login, order: Order<'_>, out: &mut impl Write) -> Result<(), Failed> {
    let address = config.admin.console.ok_or(Failed::Off)?;
    let (client, connection) = timeout(CONNECT_TIMEOUT, connect(config, login, reachable(address)))
        .await
        .map_err(|_| Failed::Late(CONNECT_TIMEOUT))??;
    let answered = async {
        let messages = ask(&client, connection, order.command, out).await?;
        Ok(table::write(&messages, order.layout, out)?)
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
