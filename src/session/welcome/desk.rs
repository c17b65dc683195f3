//! What a login decides on the way, and what it gathers.

use bytes::{Bytes, BytesMut};
use tokio::time::timeout_at;

use super::login::Host;
use super::visitor::Visitor;
use crate::client::admission::{ClientPermit, LoginPermit};
use crate::client::refuse;
use crate::server::route::Route;
use crate::session::cancel::Key;
use crate::wire::pg::greeting;
use crate::wire::pg::reply::{self, Parameter};
use crate::wire::{Refusal, Setting};

/// Room for a greeting with its key: a dozen parameters, of which few are long.
const GREETING_BYTES: usize = 768;

/// What the login decides on the way: see [`Host`].
pub(in crate::session) struct Desk<'a> {
    visitor: &'a Visitor<'a>,
    login: Option<LoginPermit>,
    pub(in crate::session) client: Option<ClientPermit>,
    pub(in crate::session) server: Option<(Route, u64)>,
    pub(in crate::session) key: Option<Key>,
    pub(in crate::session) settings: Vec<Setting>,
}

impl<'a> Desk<'a> {
    pub(in crate::session) fn new(visitor: &'a Visitor<'a>, login: LoginPermit) -> Self {
        Self { visitor, login: Some(login), client: None, server: None, key: None, settings: Vec::new() }
    }

    /// What greets a client whose login is ours to answer, up to its key: AuthenticationOk and these parameters.
    pub(in crate::session) fn greeting<'p>(&mut self, parameters: impl IntoIterator<Item = &'p Parameter>) -> BytesMut {
        let mut out = BytesMut::with_capacity(GREETING_BYTES);
        greeting::ok(&mut out);
        for parameter in parameters {
            let at = out.len();
            greeting::parameter(&parameter.name, &parameter.value, &mut out);
            self.settings.extend(out.get(at..).and_then(reply::setting));
        }
        out
    }

    /// The message that tells the client its key: that of the server's process, with a secret of ours of so many bytes.
    pub(in crate::session) fn key_of(
        &mut self,
        pid: i32,
        secret: &[u8],
        secret_bytes: usize,
    ) -> Result<Bytes, Box<Refusal>> {
        let keys = &self.visitor.house.common.keys;
        let (route, _) = self.server.clone().ok_or_else(|| Box::new(refuse::server_gone()))?;
        let key = keys.issue(route, pid, secret, secret_bytes).map_err(|_| Box::new(refuse::server_gone()))?;
        let mut message = BytesMut::new();
        greeting::key(pid, key.secret(), &mut message);
        self.key = Some(key);
        Ok(message.freeze())
    }
}

impl Host for Desk<'_> {
    async fn proven(&mut self) -> Result<(), Box<Refusal>> {
        // A server that says AuthenticationOk twice proves nothing new.
        let Some(login) = self.login.take() else { return Ok(()) };
        let proven = self.visitor.house.admission.prove(login, self.visitor.wait_until());
        let proven = self.visitor.queued("client_max_connections", proven).await;
        let permit = proven.map_err(|denied| self.visitor.denied(&denied))?;
        self.visitor.waited(permit.waited());
        self.client = Some(permit);
        Ok(())
    }

    fn key(&mut self, pid: i32, secret: &[u8]) -> Result<Bytes, Box<Refusal>> {
        self.key_of(pid, secret, secret.len())
    }

    fn setting(&mut self, setting: Setting) {
        self.settings.push(setting);
    }

    fn wants_primary(&self) -> bool {
        let nodes = &self.visitor.house.nodes;
        self.server.as_ref().is_some_and(|(_, generation)| nodes.knows_primary(*generation))
    }

    async fn another_server(&self) -> Box<Refusal> {
        if let Some((_, generation)) = &self.server {
            let another = self.visitor.house.nodes.another_server(*generation);
            drop(timeout_at(self.visitor.wait_until(), another).await);
        }
        Box::new(refuse::standby())
    }
}
