//! The end of a login where servers are lent: the client is greeted in the name of a server that it does not have yet.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::{BufMut, BytesMut};
use tokio::time::timeout_at;

use super::maker::{Greeting, Maker};
use super::{Key, Lender};
use crate::client::admission::HousePermit;
use crate::client::refuse;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::roster::Identity;
use crate::server::login::Account;
use crate::server::pool::{Lease, Unserved};
use crate::session::login::{Failed, Host as _};
use crate::session::welcome::{Back, Desk, Entered, Permits, Turned, Visitor};
use crate::wire::pg::code::server::BACKEND_KEY_DATA;
use crate::wire::pg::{greeting, refusal, reply};
use crate::wire::{Refusal, Severity, Transaction};

/// A client that has proven who it is.
pub(in crate::session) struct Proven {
    pub(in crate::session) identity: Identity,
    pub(in crate::session) house: HousePermit,
    pub(in crate::session) account: Account,
}

impl Visitor<'_> {
    /// Gives a client that has proven who it is a place at its pool.
    pub(in crate::session) async fn enter_pool(
        &self,
        client: &mut Framed<Stream>,
        proven: Proven,
        mut desk: Desk<'_>,
    ) -> Result<Entered, Turned> {
        let Proven { identity, house, account } = proven;
        tokio::select! {
            proven = desk.proven() => proven.map_err(Failed::Refused)?,
            () = client.closed() => return Err(Failed::ClientGone.into()),
        }
        let permit = desk.client.take().ok_or_else(|| Failed::refused(refuse::server_gone()))?;
        let permits = Permits { client: permit, house, server: None };
        let pool = self.pool(account);
        let greeting = self.greeting(client, &pool).await?;
        desk.server = Some(greeting.server.clone());
        self.greet_for(client, &greeting, &mut desk).await?;
        Ok(self.seat(identity, Back::Pool(pool), permits, desk))
    }

    /// The pool of this account. Servers are logged in with what clients set at their start, so only those that set the same share
    /// them. A client's name for itself is no reason to keep it apart.
    fn pool(&self, account: Account) -> Rc<Lender> {
        let Account { user, database, mut parameters, proof } = account;
        parameters.retain(|(name, _)| name != "application_name");
        parameters.sort_unstable();
        let key = Key { user: user.clone(), database: database.clone(), parameters: parameters.clone() };
        let account = Account { user, database, parameters, proof };
        let pool = self.worker.lenders(self.house).pool(&key, || Maker::new(self.house, account.clone()));
        pool.maker().set_account(account);
        pool
    }

    /// What a server of the pool reports. The first client of a pool waits for the first server.
    async fn greeting(&self, client: &mut Framed<Stream>, pool: &Rc<Lender>) -> Result<Rc<Greeting>, Failed> {
        if let Some(greeting) = pool.maker().greeting() {
            return Ok(greeting);
        }
        let mut lease = Lease::new(Rc::clone(pool));
        let taken = tokio::select! {
            taken = timeout_at(self.deadline, poll_fn(|cx| lease.poll_take(cx))) => taken,
            () = client.closed() => return Err(Failed::ClientGone),
        };
        match taken {
            Ok(Ok(())) => {}
            Ok(Err(unserved)) => return Err(Failed::refused(no_server(&unserved))),
            Err(_) => return Err(Failed::refused(self.late())),
        }
        if let Some(server) = lease.server() {
            let at = (server.process.backend().server().clone(), server.choice.generation);
            pool.maker().note(at, &server.parameters);
        }
        lease.give();
        pool.maker().greeting().ok_or_else(|| Failed::refused(refuse::server_gone()))
    }

    async fn greet_for(
        &self,
        client: &mut Framed<Stream>,
        greeting: &Greeting,
        desk: &mut Desk<'_>,
    ) -> Result<(), Failed> {
        let mut out = BytesMut::new();
        greeting::ok(&mut out);
        for parameter in &greeting.parameters {
            let at = out.len();
            greeting::parameter(&parameter.name, &parameter.value, &mut out);
            desk.settings.extend(out.get(at..).and_then(reply::setting));
        }
        let key = self.house.common.keys.invent().map_err(|_| Failed::refused(refuse::server_gone()))?;
        out.put_u8(BACKEND_KEY_DATA);
        out.put_u32(u32::try_from(key.secret().len()).unwrap_or(u32::MAX).saturating_add(8));
        out.put_i32(key.pid());
        out.put_slice(key.secret());
        desk.key = Some(key);
        refusal::ready(Transaction::None, &mut out);
        client.send(&out).await.map_err(|_| Failed::ClientGone)
    }
}

fn no_server(unserved: &Unserved) -> Refusal {
    Refusal { severity: Severity::Fatal, ..super::unserved(unserved) }
}
