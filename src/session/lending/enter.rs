//! The end of a login where servers are lent: the client is greeted in the name of a server that it does not have yet.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use tokio::time::timeout_at;

use super::dress::{Dressing, LOST_MAX};
use super::greetings::Greeting;
use super::maker::Maker;
use super::own::Fault;
use super::{Key, Lender, Lent};
use crate::client::admission::HousePermit;
use crate::client::refuse;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::roster::Identity;
use crate::server::login::Account;
use crate::server::pool::{Lease, Member as _};
use crate::server::reported::Reported;
use crate::session::desk::Desk;
use crate::session::lending::exchange::Exchange;
use crate::session::login::{Failed, Host as _};
use crate::session::state::replay::{Replay, replay};
use crate::session::state::{Settings, Stain, options};
use crate::session::turned::Turned;
use crate::session::visitor::{Entered, Visitor};
use crate::session::welcome::{Back, Permits};
use crate::wire::pg::code::server::BACKEND_KEY_DATA;
use crate::wire::pg::{greeting, refusal, reply};
use crate::wire::{Refusal, Severity, Transaction};

/// The setting that tells clients apart and nothing else.
const NAME: &[u8] = b"application_name";
/// Longer names are cut by the server.
const NAME_MAX: usize = 63;

/// A client that has proven who it is.
pub(in crate::session) struct Proven {
    pub(in crate::session) identity: Identity,
    pub(in crate::session) house: HousePermit,
    pub(in crate::session) account: Account,
}

/// A client's place at its pool.
#[derive(Debug)]
pub struct Place {
    /// The pool.
    pub pool: Rc<Lender>,
    /// What the client asked for at its start.
    pub startup: Arc<Settings>,
    /// What it was told of its parameters.
    pub told: Arc<Reported>,
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
        let startup = self.startup(&account)?;
        tokio::select! {
            proven = desk.proven() => proven.map_err(Failed::Refused)?,
            () = client.closed() => return Err(Failed::ClientGone.into()),
        }
        let permit = desk.client.take().ok_or_else(|| Failed::refused(refuse::server_gone()))?;
        let permits = Permits { client: Box::new(permit), house: Box::new(house), server: None };
        let pool = self.pool(account);
        let Greeting { server, parameters: told } = self.greeting(client, &pool, &startup).await?;
        desk.server = Some(server);
        self.greet_for(client, &told, &mut desk).await?;
        Ok(self.seat(identity, Back::Pool(Box::new(Place { pool, startup, told })), permits, desk))
    }

    /// What the start-up packet sets.
    fn startup(&self, account: &Account) -> Result<Arc<Settings>, Failed> {
        let given = account.parameters.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let settings =
            options::settings(given).map_err(|unfit| Failed::refused(refuse::startup_unfit(&unfit.to_string())))?;
        Ok(self.worker.wardrobe.borrow_mut().shared(settings))
    }

    /// The pool of this account. What clients set at their start is replayed, so all of them share its servers.
    fn pool(&self, account: Account) -> Rc<Lender> {
        let account = Account { parameters: Vec::new(), ..account };
        let key = Key { user: account.user.clone(), database: account.database.clone() };
        let pool = self
            .worker
            .lenders(self.house)
            .pool(&key, || Maker::new((self.house, &self.worker.beat), &key, account.clone()));
        pool.maker().set_account(account);
        pool
    }

    /// What a server of the pool reports to a client with these settings. The first one waits for a server that takes them.
    async fn greeting(
        &self,
        client: &mut Framed<Stream>,
        pool: &Rc<Lender>,
        startup: &Arc<Settings>,
    ) -> Result<Greeting, Failed> {
        let name = startup.value(NAME).unwrap_or_default();
        let plain = name.len() <= NAME_MAX && name.iter().all(|byte| (b' '..=b'~').contains(byte));
        let key = if plain { self.nameless(startup) } else { Arc::clone(startup) };
        if let Some(mut greeting) = pool.maker().greeting(&key) {
            if plain && greeting.parameters.value(NAME).is_some_and(|known| known != name) {
                let parameter = reply::Parameter { name: NAME.into(), value: name.into() };
                Arc::make_mut(&mut greeting.parameters).take(parameter);
            }
            return Ok(greeting);
        }
        let greeting = tokio::select! {
            greeting = timeout_at(self.deadline, fitted(pool, startup)) => greeting,
            () = client.closed() => return Err(Failed::ClientGone),
        };
        let greeting = greeting.map_err(|_| Failed::refused(self.late()))?.map_err(Failed::refused)?;
        pool.maker().note(&key, greeting.clone());
        Ok(greeting)
    }

    /// The same settings without the client's name for itself.
    fn nameless(&self, startup: &Arc<Settings>) -> Arc<Settings> {
        if startup.value(NAME).is_none() {
            return Arc::clone(startup);
        }
        let others = startup.iter().filter(|setting| *setting.name != *NAME);
        let others = Settings::new(others.map(|setting| (&*setting.name, &*setting.value)));
        self.worker.wardrobe.borrow_mut().shared(others.unwrap_or_default())
    }

    async fn greet_for(&self, client: &mut Framed<Stream>, told: &Reported, desk: &mut Desk<'_>) -> Result<(), Failed> {
        let mut out = BytesMut::new();
        greeting::ok(&mut out);
        for parameter in told.iter() {
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

/// Waits for a server that takes the settings of a client that comes, to hear what it makes of them. One that is lost meanwhile is
/// replaced by another. Cancel-safe: the server at hand is closed.
async fn fitted(pool: &Rc<Lender>, startup: &Arc<Settings>) -> Result<Greeting, Refusal> {
    let mut lease = Lease::new(Rc::clone(pool));
    let mut lost = 0;
    loop {
        poll_fn(|cx| lease.poll_take(cx)).await.map_err(|unserved| fatal(super::unserved(&unserved, pool)))?;
        let Some(server) = lease.server() else { return Err(refuse::server_gone()) };
        let fault = match try_on(pool, server, startup).await {
            Ok(()) => {
                server.parameters = pool.maker().shared(Arc::clone(&server.parameters));
                let at = (server.process.backend().route().clone(), server.choice.generation);
                let greeting = Greeting { server: at, parameters: Arc::clone(&server.parameters) };
                lease.give();
                return Ok(greeting);
            }
            Err(Fault::Raised(sqlstate)) => return Err(fatal(refuse::settings_failed(&sqlstate))),
            Err(fault @ (Fault::Gone | Fault::Late)) => fault,
        };
        if let Some(server) = lease.release() {
            server.close();
        }
        lost += 1;
        if lost >= LOST_MAX {
            return Err(fatal(refuse::servers_lost(LOST_MAX, &fault.words(pool.maker().patience()))));
        }
    }
}

/// Gives a server the settings of a client that comes.
async fn try_on(pool: &Rc<Lender>, server: &mut Lent, startup: &Arc<Settings>) -> Result<(), Fault> {
    let stain = if server.hold.stained_by.is_some() { Stain::Stained } else { Stain::None };
    let mut bytes = BytesMut::new();
    if replay(&server.hold.settings, startup, stain, &mut bytes) == Replay::Sent {
        server.hold.known.forget_unnamed();
        let mut dressing = Dressing::new(Exchange::new(bytes), Box::pin(pool.maker().loses_patience()));
        poll_fn(|cx| dressing.poll(cx, server)).await?;
    }
    server.hold.settings = Arc::clone(startup);
    server.hold.stained_by = None;
    Ok(())
}

fn fatal(refusal: Refusal) -> Refusal {
    Refusal { severity: Severity::Fatal, ..refusal }
}
