//! What comes of a client that is received.

use std::sync::Arc;

use tokio::time::Instant;

use super::Guest;
use super::own::Proven;
use crate::address::Endpoint;
use crate::client::proxied::Way;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::session::house::Current;

/// A client that is in, or as good as.
#[derive(Debug)]
pub enum Received {
    /// It is logged in, at the server that checked its password.
    Guest(Box<Guest>),
    /// It has proven who it is to us.
    Proven(Box<Admissible<Framed<Stream>>>),
}

/// A client that has proven who it is, with its connection.
#[derive(Debug)]
pub struct Admissible<C> {
    pub(super) client: C,
    pub(super) proven: Proven,
    pub(super) settings: Arc<Current>,
    pub(super) deadline: Instant,
    pub(super) peer: Endpoint,
    pub(super) way: Way,
}

impl<C> Admissible<C> {
    /// The same with its connection as `change` makes it.
    ///
    /// # Errors
    /// Those of `change`; the client is gone then.
    pub(super) fn carried<D, E>(self, change: impl FnOnce(C) -> Result<D, E>) -> Result<Admissible<D>, E> {
        let Self { client, proven, settings, deadline, peer, way } = self;
        Ok(Admissible { client: change(client)?, proven, settings, deadline, peer, way })
    }
}
