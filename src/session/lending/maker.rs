//! Makes the servers of one pool: a place under the caps, a place among the logins, a connection, a login.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::greetings::Found;
use super::places::full_room;
use super::reach::reach;
use super::{Hold, Lent, accounts};
use crate::client::admission::{Denied, Party, ServerPermit};
use crate::clock;
use crate::config::Databases;
use crate::guard::caps::Over;
use crate::server::account::Account;
use crate::server::pool::{ASK_AGAIN, Key, Make, NotMade, Slot};
use crate::server::pooled::Chosen;
use crate::server::reach::LoggedIn;
use crate::session::house::House;
use crate::session::state::{Reported, Settings};
use crate::session::statements::Known;
use crate::session::timing::beat::Beat;
use crate::telemetry::Pass;

/// Makes the servers of one worker's part of a pool.
#[derive(Debug)]
pub struct Maker {
    house: Arc<House>,
    beat: Arc<Beat>,
    pool: Key,
    /// The same, for whoever counts server connections.
    party: Arc<Party>,
    /// As whom. Whoever proves it last says with what.
    account: Arc<accounts::Shared>,
    /// What servers report, that of the last first: kept once for all that report the same, so that they are told apart by address.
    reports: RefCell<Vec<Arc<Reported>>>,
}

/// Reports that are kept: applications ask for few kinds of settings.
const REPORTS_MAX: usize = 64;

impl Maker {
    /// For the servers of this account.
    pub fn new((house, beat): (&Arc<House>, &Arc<Beat>), key: &Key, account: Account) -> Self {
        Self {
            house: Arc::clone(house),
            beat: Arc::clone(beat),
            pool: key.clone(),
            party: Party::new(&key.user, &key.database),
            account: house.lending.accounts.of(key, account),
            reports: RefCell::default(),
        }
    }

    /// What the next server is logged in with.
    pub fn set_account(&self, account: Account) {
        self.account.set(account);
    }

    /// As whom servers are logged in.
    pub fn user(&self) -> String {
        self.account.get().user
    }

    /// What is wrong with the server that is used, where it does not answer.
    pub fn server_fault(&self) -> Option<String> {
        self.house.nodes.fault()
    }

    /// The cap that has no place for another server of the pool now, where there is one.
    pub fn hindrance(&self) -> Option<String> {
        self.house.admission.server_hindrance(&self.party).map(used_up)
    }

    /// How long a server may take for what is ours to do there.
    pub fn patience(&self) -> Duration {
        self.house.settings.load().listener.pool.server_connect_timeout
    }

    /// Done when that is over, from now on.
    pub fn loses_patience(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.beat).reach(clock::now() + self.patience())
    }

    /// What a server of this pool reports with these settings, or whose turn it is to ask one.
    pub fn greeting(&self, settings: &Arc<Settings>) -> Found<'_> {
        self.house.lending.greetings.find(&self.pool, settings)
    }

    /// What a server reports: the same copy for all that report the same.
    pub fn shared(&self, reported: Arc<Reported>) -> Arc<Reported> {
        let mut reports = self.reports.borrow_mut();
        let known = reports.iter().position(|known| *known == reported);
        let reported = known.map_or(reported, |at| reports.remove(at));
        reports.truncate(REPORTS_MAX - 1);
        reports.insert(0, Arc::clone(&reported));
        reported
    }

    /// The account as the server is to know it now. A role that all clients share stays what it was when they came, with the password that is
    /// configured now.
    fn at_server(&self, databases: &Databases) -> Account {
        let account = self.account.get();
        let role = databases.user(&account.database).filter(|user| user.name == account.user);
        let proof = role.map_or(account.proof, |user| self.house.logins.own(user.password.as_ref()));
        Account { database: databases.at_server(&account.database).to_owned(), proof, ..account }
    }

    async fn place(&self, slot: &Slot, patience: Duration) -> Result<ServerPermit, NotMade> {
        let until = clock::now() + patience;
        let admission = &self.house.admission;
        let mut place = pin!(admission.server(&self.party, until));
        if let Poll::Ready(place) = futures::poll!(place.as_mut()) {
            return place.map_err(|denied| full(&denied));
        }
        let mut placing = slot.wait_for_place(full_room(admission, &self.party)).map_err(|_| NotMade::InLine)?;
        loop {
            match timeout(ASK_AGAIN, place.as_mut()).await {
                Ok(Ok(_)) if !placing.is_next() => return Err(NotMade::InLine),
                Ok(place) => return place.map_err(|denied| full(&denied)),
                Err(_) => placing.ask_again(full_room(admission, &self.party)).map_err(|_| NotMade::InLine)?,
            }
        }
    }

    async fn log_in(&self, mut slot: Slot) -> Result<Box<Lent>, NotMade> {
        let settings = self.house.settings.load();
        let limits = self.house.lending.register.limits_of(&self.pool);
        let permit = self.place(&slot, limits.query_wait_timeout).await?;
        slot.has_place();
        let turn = self.house.lending.login().await;
        // Others may be in need by now.
        if !slot.is_due() {
            return Err(NotMade::InLine);
        }
        let deadline = clock::now() + settings.listener.pool.server_connect_timeout;
        let account = self.at_server(&settings.listener.databases);
        let LoggedIn { fresh, route, generation } = reach(&self.house, &account, deadline).await?;
        drop(turn);
        let common = &self.house.common;
        slot.logged_in(route.address(), fresh.pid.unwrap_or_default());
        let process = common.keys.backends().register(route, fresh.pid.unwrap_or_default(), &fresh.secret);
        let life = jittered(limits.lifetime, process.backend().number());
        let gauge = common.metrics.server_connected(&self.house.name);
        let known = Known::new(&self.house.lending.statements_most);
        let hold =
            Hold { permit, gauge, known, settings: Arc::default(), stained_by: None, advanced_by: None, ahead: None };
        let (stream, parameters) = (fresh.stream, self.shared(Arc::new(Reported::of(fresh.parameters))));
        let choice = Chosen { generation, current: Arc::clone(self.house.nodes.generation()) };
        Ok(Box::new(Lent { stream, process, parameters, expires: clock::now() + life, choice, slot, hold }))
    }

    fn report(&self, why: &NotMade) {
        if *why == NotMade::InLine {
            return;
        }
        let Account { user, database, .. } = self.account.get();
        if let Pass::Write { suppressed } = self.house.common.gate.pass("pool") {
            tracing::warn!(listener = &*self.house.name, user, database, %why, suppressed, "a pool got no server");
        }
    }
}

impl Make for Maker {
    type Server = Lent;

    async fn make(&self, slot: Slot) -> Result<Box<Lent>, NotMade> {
        let made = Box::pin(self.log_in(slot)).await;
        if let Err(why) = &made {
            self.report(why);
        }
        made
    }

    fn forget(&self) {
        self.house.lending.greetings.forget(&self.pool);
    }
}

fn full(denied: &Denied) -> NotMade {
    NotMade::Full(used_up(Over { rule: denied.rule, current: denied.current, limit: denied.limit }))
}

fn used_up(Over { rule, current, limit }: Over) -> String {
    format!("{rule} is used up ({current} of {limit})")
}

/// Up to a tenth more or less, so that servers that were made together do not end together.
fn jittered(life: Duration, number: u64) -> Duration {
    // A multiplicative hash: its upper bits are spread evenly.
    let share = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
    life.mul_f64(0.9 + share as f64 / 1024.0 * 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_end_apart() {
        let hour = Duration::from_secs(3600);
        let lives: Vec<_> = (2..102).map(|number| jittered(hour, number)).collect();
        assert!(lives.iter().all(|life| (hour.mul_f64(0.9)..=hour.mul_f64(1.1)).contains(life)));
        let early = lives.iter().filter(|life| **life < hour).count();
        assert!((35..65).contains(&early), "{early}");
    }
}
