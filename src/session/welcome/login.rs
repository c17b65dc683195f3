//! `login = "relay"`: the server checks the password, we carry the messages.
//!
//! Floodwall keeps no secrets here. It reads only what the server decides (AuthenticationOk, BackendKeyData, ReadyForQuery), and
//! changes one thing: the client is given a cancel secret of our own.
//!
//! Where the two ends don't see the same certificate, logins that are bound to a TLS channel can't work: they are not offered to the client.
//!
//! The danger of a relay is a server that asks for no password because it trusts Floodwall's host: then whoever reaches Floodwall
//! would be let in. Such logins are refused unless the client is on the same host or `allow_trust` says otherwise.

use bytes::{Bytes, BytesMut};

use crate::client::proxied::Way;
use crate::client::refuse;
use crate::net::framed::{Broken, FRAME_MAX, Framed};
use crate::net::stream::Stream;
use crate::units::display_bytes;
use crate::wire::pg::auth::{
    Authentication, authentication, backend_key, misses_channel_binding, without_channel_binding,
};
use crate::wire::pg::code::{client, server};
use crate::wire::pg::{frame, reply};
use crate::wire::{Failure, Head, Malformed, Refusal, Setting};

/// How a login failed.
#[derive(Debug)]
pub enum Failed {
    /// The server said no, and the client has read it.
    Rejected(Failure),
    /// We said no.
    Refused(Box<Refusal>),
    /// It did not prove who it is.
    Unproven {
        /// What it is told.
        refusal: Box<Refusal>,
        /// Why: for the log alone.
        why: &'static str,
    },
    /// The client left.
    ClientGone,
}

impl Failed {
    /// We said no.
    pub fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// What a login decides, by whoever runs it.
pub trait Host {
    /// The server let the client in: take the permits of its identity now. Awaited while the client waits.
    fn proven(&mut self) -> impl Future<Output = Result<(), Box<Refusal>>>;
    /// The server told its process id and secret: the same message for the client, with a secret of our own.
    ///
    /// # Errors
    /// No secret could be made.
    fn key(&mut self, pid: i32, secret: &[u8]) -> Result<Bytes, Box<Refusal>>;
    /// The server reported a setting that changes how SQL is read.
    fn setting(&mut self, setting: Setting);
    /// Is a server that says it is a standby not the one that the client is to have?
    fn wants_primary(&self) -> bool;
    /// Waits until another server is used, for as long as may be: what the client is told then. Cancel-safe.
    fn another_server(&self) -> impl Future<Output = Box<Refusal>>;
}

/// Whether a login without any password exchange is acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The client is on this host, or the operator allows it.
    Accepted,
    /// It would open the database to everybody who can reach Floodwall.
    Refused,
}

impl Trust {
    /// Clients on this host would have reached the server as we do.
    pub fn of(way: Way) -> Self {
        if way == Way::OwnHost { Self::Accepted } else { Self::Refused }
    }
}

/// The two ends of a login.
#[derive(Debug)]
pub struct Relayed<'a> {
    /// The client's end.
    pub client: &'a mut Framed<Stream>,
    /// The server's end.
    pub server: Framed<Stream>,
}

/// Where a login stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The server has asked for nothing yet.
    Unasked,
    /// The server has asked for proof at least once.
    Asked,
    /// The server is content.
    Proven,
}

impl Relayed<'_> {
    /// Carries the login from the start-up packet to the first ReadyForQuery. Not cancel-safe: drop both ends after a time-out.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn run(&mut self, startup: &[u8], trust: Trust, host: &mut impl Host) -> Result<(), Failed> {
        self.server.send(startup).await.map_err(|_| server_gone())?;
        let mut stage = Stage::Unasked;
        let mut out = BytesMut::new();
        loop {
            let Some((head, message)) = self.server.frame(frame::server_head).map_err(server_malformed)? else {
                self.flush(&mut out).await?;
                self.listen(stage).await?;
                continue;
            };
            match head.code {
                server::AUTHENTICATION => {
                    stage = self.authentication(&message, stage, trust, host).await?;
                    let offered = if self.same_channel() { None } else { without_channel_binding(&message) };
                    out.extend_from_slice(offered.as_deref().unwrap_or(&message));
                }
                server::BACKEND_KEY_DATA => {
                    let (pid, secret) = backend_key(&message).map_err(server_malformed)?;
                    out.extend_from_slice(&host.key(pid, secret).map_err(Failed::Refused)?);
                }
                server::PARAMETER_STATUS => {
                    if reply::parameter(&message).is_some_and(|it| it.tells_standby()) && host.wants_primary() {
                        return Err(self.wrong_server(host).await);
                    }
                    if let Some(setting) = reply::setting(&message) {
                        host.setting(setting);
                    }
                    out.extend_from_slice(&message);
                }
                server::ERROR => {
                    if let Some(refusal) = refuse::console_is_elsewhere(&display_bytes(reply::message(&message))) {
                        self.flush(&mut out).await?;
                        return Err(Failed::refused(refusal));
                    }
                    out.extend_from_slice(&message);
                    self.flush(&mut out).await?;
                    return Err(Failed::Rejected(reply::failure(&message)));
                }
                server::READY => {
                    out.extend_from_slice(&message);
                    self.flush(&mut out).await?;
                    return if stage == Stage::Proven { Ok(()) } else { Err(server_malformed(Malformed::Content)) };
                }
                _ => out.extend_from_slice(&message),
            }
        }
    }

    async fn authentication(
        &mut self,
        message: &[u8],
        stage: Stage,
        trust: Trust,
        host: &mut impl Host,
    ) -> Result<Stage, Failed> {
        match authentication(message).map_err(server_malformed)? {
            Authentication::Ok if stage == Stage::Unasked && trust == Trust::Refused => {
                Err(Failed::Refused(Box::new(refuse::trusted())))
            }
            Authentication::Ok => {
                // A client that leaves while it waits for a place gives its turn to the next.
                tokio::select! {
                    proven = host.proven() => proven.map_err(Failed::Refused)?,
                    () = self.client.closed() => return Err(Failed::ClientGone),
                }
                Ok(Stage::Proven)
            }
            Authentication::Challenge | Authentication::Continue | Authentication::Final => Ok(Stage::Asked),
        }
    }

    /// The client cannot be asked for its proof twice, so it has to come again: once it would meet another server.
    async fn wrong_server(&mut self, host: &mut impl Host) -> Failed {
        tokio::select! {
            refusal = host.another_server() => Failed::Refused(refusal),
            () = self.client.closed() => Failed::ClientGone,
        }
    }

    /// Waits for whichever end speaks next. A client that leaves is noticed at once, so that its place is free again.
    async fn listen(&mut self, stage: Stage) -> Result<(), Failed> {
        if stage == Stage::Asked {
            self.answer().await?;
        }
        let room = self.client.peek().len() < FRAME_MAX;
        tokio::select! {
            filled = self.server.fill() => filled.map_err(|broken| match broken {
                Broken::Malformed(why) => server_malformed(why),
                Broken::Closed | Broken::Io(_) => server_gone(),
            }),
            filled = self.client.fill(), if room => filled.map_err(client_broken),
        }
    }

    /// Carries the client's answers to the server.
    async fn answer(&mut self) -> Result<(), Failed> {
        while let Some((_, message)) = self.client.frame(password_head).map_err(client_malformed)? {
            // The server would take it for an attack, and say so in words that help nobody.
            if self.server.stream().is_tls() && !self.same_channel() && misses_channel_binding(&message) {
                return Err(Failed::refused(refuse::channel_binding()));
            }
            self.server.send(&message).await.map_err(|_| server_gone())?;
        }
        Ok(())
    }

    /// Do both ends see the same certificate? Then a login that is bound to it passes.
    fn same_channel(&self) -> bool {
        let (client, server) = (self.client.stream().channel_binding(), self.server.stream().channel_binding());
        client.is_some() && client == server
    }

    async fn flush(&mut self, out: &mut BytesMut) -> Result<(), Failed> {
        if out.is_empty() {
            return Ok(());
        }
        self.client.send(&out.split()).await.map_err(|_| Failed::ClientGone)
    }
}

/// During a login a client may only answer what it was asked.
fn password_head(buf: &[u8]) -> Result<Option<Head>, Malformed> {
    match frame::client_head(buf)? {
        Some(head) if head.code != client::PASSWORD => Err(Malformed::Code),
        head => Ok(head),
    }
}

fn client_broken(broken: Broken) -> Failed {
    match broken {
        Broken::Malformed(why) => client_malformed(why),
        Broken::Closed | Broken::Io(_) => Failed::ClientGone,
    }
}

fn client_malformed(why: Malformed) -> Failed {
    Failed::Refused(Box::new(refuse::malformed(why)))
}

fn server_malformed(why: Malformed) -> Failed {
    Failed::Refused(Box::new(refuse::server_malformed(why)))
}

fn server_gone() -> Failed {
    Failed::Refused(Box::new(refuse::server_gone()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::net::UnixStream;

    use super::*;
    use crate::wire::pg::{greeting, refusal};

    /// Counts how often it is asked whether another server is wanted.
    #[derive(Default)]
    struct Counting(Cell<u32>);

    impl Host for Counting {
        async fn proven(&mut self) -> Result<(), Box<Refusal>> {
            Ok(())
        }
        fn key(&mut self, _pid: i32, _secret: &[u8]) -> Result<Bytes, Box<Refusal>> {
            Ok(Bytes::new())
        }
        fn setting(&mut self, _setting: Setting) {}
        fn wants_primary(&self) -> bool {
            self.0.set(self.0.get() + 1);
            false
        }
        async fn another_server(&self) -> Box<Refusal> {
            Box::new(refuse::standby())
        }
    }

    /// Of several servers it is asked under a lock.
    #[tokio::test]
    async fn whether_a_primary_is_wanted_is_asked_where_a_server_says_that_it_is_a_standby_and_nowhere_else() {
        let mut host = Counting::default();
        let (client, _clients) = UnixStream::pair().unwrap();
        let (server, servers) = UnixStream::pair().unwrap();
        let mut greets = BytesMut::new();
        greeting::ok(&mut greets);
        for (name, value) in [("TimeZone", "UTC"), ("server_version", "17.0"), ("in_hot_standby", "on")] {
            greeting::parameter(name.as_bytes(), value.as_bytes(), &mut greets);
        }
        refusal::ready(crate::wire::Transaction::None, &mut greets);
        Framed::new(Stream::from(servers)).send(&greets).await.unwrap();
        let mut client = Framed::new(Stream::from(client));
        let mut relayed = Relayed { client: &mut client, server: Framed::new(Stream::from(server)) };
        relayed.run(b"", Trust::Accepted, &mut host).await.unwrap();
        assert_eq!(host.0.get(), 1);
    }
}
