//! The end of a login where servers are lent: the client is greeted in the name of a server that it does not have yet.

use std::rc::Rc;
use std::sync::Arc;

use tokio::time::timeout_at;

use super::desk::Desk;
use super::login::{Failed, Host as _};
use super::own::Proven;
use super::turned::Turned;
use super::visitor::{Entered, Visitor};
use super::{Back, Permits};
use crate::client::refuse;
use crate::net::framed::Framed;
use crate::net::stream::Stream;
use crate::server::account::Account;
use crate::server::pool::Key;
use crate::server::reported::Reported;
use crate::session::lending::Lender;
use crate::session::lending::fitting::{Unfit, fitted};
use crate::session::lending::greetings::{Asking, Found, Greeting};
use crate::session::lending::maker::Maker;
use crate::session::local::Local;
use crate::session::state::replay::NAME;
use crate::session::state::{Settings, options};
use crate::wire::Transaction;
use crate::wire::pg::startup::Version;
use crate::wire::pg::{NAME_MAX, greeting, refusal, reply};

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
    pub(super) async fn enter_pool(
        &self,
        worker: &Rc<Local>,
        client: &mut Framed<Stream>,
        proven: Proven,
    ) -> Result<Entered, Turned> {
        let Proven { identity, house, login, account, version, settings, .. } = proven;
        let mut desk = Desk::new(self, login);
        desk.settings = settings;
        let startup = startup(worker, &account)?;
        tokio::select! {
            proven = desk.proven() => proven.map_err(Failed::Refused)?,
            () = client.closed() => return Err(Failed::ClientGone.into()),
        }
        let permit = desk.client.take().ok_or_else(|| Failed::refused(refuse::server_gone()))?;
        let permits = Permits { client: Box::new(permit), house: Box::new(house), server: None };
        let pool = self.pool(worker, account);
        let key = unnamed(worker, &startup);
        let Greeting { server, parameters: told } = self.greeting(client, &pool, (&startup, &key)).await?;
        desk.server = Some(server);
        self.greet_for(client, &told, &mut desk, version).await?;
        Ok(self.seat(identity, Back::Pool(Box::new(Place { pool, startup, told })), permits, desk))
    }

    /// The pool of this account. What clients set at their start is replayed, so all of them share its servers.
    fn pool(&self, worker: &Rc<Local>, account: Account) -> Rc<Lender> {
        let account = Account { parameters: Vec::new(), ..account };
        let key = Key { user: account.user.clone(), database: account.database.clone() };
        let make = || Maker::new((self.house, &worker.beat), &key, account.clone());
        let pool = worker.lenders(self.house).pool(&key, make);
        pool.maker().set_account(account);
        pool
    }

    /// What a server of the pool reports to a client with these settings, of which `key` is what servers have to take. The first one waits
    /// for a server that does.
    async fn greeting(
        &self,
        client: &mut Framed<Stream>,
        pool: &Rc<Lender>,
        (startup, key): (&Arc<Settings>, &Arc<Settings>),
    ) -> Result<Greeting, Failed> {
        let mut greeting = self.learn(client, pool, startup, key).await?;
        let name = startup.value(NAME).unwrap_or_default();
        if is_plain(name) && greeting.parameters.value(NAME).is_some_and(|known| known != name) {
            let parameter = reply::Parameter { name: NAME.into(), value: name.into() };
            Arc::make_mut(&mut greeting.parameters).take(parameter);
        }
        Ok(greeting)
    }

    /// The greeting of whoever asks for `key`: known, or asked for by one of those who want the same.
    async fn learn(
        &self,
        client: &mut Framed<Stream>,
        pool: &Rc<Lender>,
        startup: &Arc<Settings>,
        key: &Arc<Settings>,
    ) -> Result<Greeting, Failed> {
        loop {
            match pool.maker().greeting(key) {
                Found::Known(greeting) => return Ok(greeting),
                Found::Asked(asked) => {
                    if let Some(answer) = self.in_time(client, asked.answer()).await? {
                        return answer.map_err(Failed::Refused);
                    }
                    // Whoever asked has gone.
                }
                Found::Unknown(asking) => return self.ask(client, pool, startup, asking).await,
            }
        }
    }

    /// Asks a server, for all who want the same. What becomes of this client alone is none of the others' business.
    async fn ask(
        &self,
        client: &mut Framed<Stream>,
        pool: &Rc<Lender>,
        startup: &Arc<Settings>,
        asking: Asking<'_>,
    ) -> Result<Greeting, Failed> {
        let fitted = self.in_time(client, fitted(pool, startup, &self.house.lending.newcomers)).await?;
        match fitted {
            Ok(greeting) => {
                asking.learnt(greeting.clone());
                Ok(greeting)
            }
            Err(Unfit::All(refusal)) => {
                asking.refused(&refusal);
                Err(Failed::refused(refusal))
            }
            Err(Unfit::One(refusal)) => Err(Failed::refused(refusal)),
        }
    }

    /// Waits for something for as long as the client does, and a login may take.
    async fn in_time<T>(&self, client: &mut Framed<Stream>, what: impl Future<Output = T>) -> Result<T, Failed> {
        tokio::select! {
            done = timeout_at(self.deadline, what) => done.map_err(|_| Failed::refused(self.late())),
            () = client.closed() => Err(Failed::ClientGone),
        }
    }

    async fn greet_for(
        &self,
        client: &mut Framed<Stream>,
        told: &Reported,
        desk: &mut Desk<'_>,
        version: Version,
    ) -> Result<(), Failed> {
        let mut out = desk.greeting(told.iter());
        let key = self.house.common.keys.invent(version).map_err(|_| Failed::refused(refuse::server_gone()))?;
        greeting::key(key.pid(), key.secret(), &mut out);
        desk.key = Some(key);
        refusal::ready(Transaction::None, &mut out);
        client.send(&out).await.map_err(|_| Failed::ClientGone)
    }
}

/// What the start-up packet sets.
fn startup(worker: &Local, account: &Account) -> Result<Arc<Settings>, Failed> {
    let given = account.parameters.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let settings =
        options::settings(given).map_err(|unfit| Failed::refused(refuse::startup_unfit(&unfit.to_string())))?;
    Ok(worker.wardrobe.borrow_mut().shared(settings))
}

/// The same settings without the client's name for itself, where every server takes that as it is.
fn unnamed(worker: &Local, startup: &Arc<Settings>) -> Arc<Settings> {
    if !startup.value(NAME).is_some_and(is_plain) {
        return Arc::clone(startup);
    }
    let others = startup.iter().filter(|setting| *setting.name != *NAME);
    let others = Settings::new(others.map(|setting| (&*setting.name, &*setting.value)));
    worker.wardrobe.borrow_mut().shared(others.unwrap_or_default())
}

/// Does a server report such a name of a client as it is?
fn is_plain(name: &[u8]) -> bool {
    name.len() <= NAME_MAX && name.iter().all(|byte| (b' '..=b'~').contains(byte))
}
