//! The way to the console, and who asks there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Connection, NoTls, Socket};

use super::{CONNECT_TIMEOUT, Failed, Login, refused};
use crate::config::{Config, GENERATED_ADMIN, Role};

type Connected = (Client, Connection<Socket, NoTlsStream>);

/// Connects by the socket of the state folder, or else by TCP and with a password.
pub(super) async fn connect(config: &Config, login: &Login, address: SocketAddr) -> Result<Connected, Failed> {
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
    let admin = config.admin.users.iter().find(|user| user.role == Role::Admin);
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
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_addresses_are_dialled_on_loopback() {
        for (bound, dialled) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(bound.parse().unwrap()), dialled.parse().unwrap());
        }
    }
}
