//! What a session does when a rule fails.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Judge;
use crate::auth::derive::Deriver;
use crate::config::{self, Config, Process};
use crate::guard::failure_tests::failing;
use crate::guard::{Guard, State};
use crate::roster::{Identity, Newcomer, Seat};
use crate::session::house::{Common, Current, House};
use crate::session::local::Local;
use crate::session::memory::Budget;
use crate::session::overseer::{Extent, Opinion};
use crate::session::policy::Policies;
use crate::session::reader::analyst::Means;
use crate::wire::Request;

fn config() -> Config {
    config::read("[[listener]]", &Process::WithoutSecrets, &|_| Vec::new()).unwrap().config
}

fn current(guard: Guard) -> Current {
    let config = config();
    Current::new(&config.listeners[0], &config.caps, Policies::all(guard), None)
}

pub(in crate::session) fn house(guard: Guard) -> Arc<House> {
    let common = Arc::new(Common::new(1, Budget::new(1 << 20), None));
    let deriver = Deriver::new(1).unwrap();
    Arc::new(House::new(&config(), current(guard), Arc::default(), &deriver, &common).unwrap())
}

pub(in crate::session) fn seat(house: &House) -> Seat {
    house.common.roster.join(Newcomer {
        identity: Identity {
            listener: "main".into(),
            user: "web".to_owned(),
            database: "shop".to_owned(),
            role: None,
            application_name: String::new(),
            address: [127, 0, 0, 1].into(),
        },
        client: "web".into(),
        peer: std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into(),
        server: std::net::SocketAddr::from(([127, 0, 0, 1], 5432)).into(),
        server_generation: Some(0),
    })
}

pub(in crate::session) fn judge(house: &Arc<House>, who: &Seat) -> Judge {
    let means = Means {
        cache_bytes: 1 << 20,
        ceiling: Duration::from_secs(1),
        memory: Arc::clone(&house.common.memory),
        prepared: Arc::clone(&house.common.prepared),
        metrics: house.common.metrics.worker(0),
    };
    let local = Local::start(means, Arc::clone(&house.common.shapes), Arc::default()).unwrap();
    Judge::new(Arc::clone(house), Rc::new(local), who)
}

async fn opinion(judge: &mut Judge, sql: &str, who: &Seat) -> Opinion {
    let (size, held) = (sql.len() as u64, sql.len() as u64);
    match judge.opinion(Request::Run { text: sql.as_bytes() }, Extent { size, held }, who) {
        Opinion::Wait => poll_fn(|cx| judge.poll_opinion(cx, who)).await,
        opinion => opinion,
    }
}

fn states(house: &House) -> Vec<State> {
    house.settings.load().policies.base().states().map(|(_, state)| state).collect()
}

#[tokio::test]
async fn a_rule_that_panics_is_counted_once_the_session_goes_on_and_reload_puts_it_back() {
    let house = house(failing());
    let metrics = Arc::clone(&house.common.metrics);
    let who = seat(&house);
    let mut judge = judge(&house, &who);
    assert!(matches!(opinion(&mut judge, "SELECT 1", &who).await, Opinion::Allow));
    assert!(!states(&house).contains(&State::Failed));
    for _ in 0..3 {
        let told = opinion(&mut judge, "INSERT INTO t VALUES (1)", &who).await;
        let Opinion::Refuse(refusal) = told else { panic!("{told:?}") };
        assert!(refusal.message.contains("rule=sound"), "{refusal:?}");
    }
    assert!(matches!(opinion(&mut judge, "SELECT 1", &who).await, Opinion::Allow));
    assert_eq!(states(&house).iter().filter(|state| **state == State::Failed).count(), 1);
    assert!(metrics.render().contains("floodwall_rule_failed_total{rule=\"lenient\"} 1\n"), "{}", metrics.render());
    assert_eq!(metrics.verdicts("sound", "enforce"), 3);
    house.settings.swap(current(Guard::build(&toml::Table::new()).unwrap()));
    assert!(!states(&house).contains(&State::Failed));
    assert!(matches!(opinion(&mut judge, "INSERT INTO t VALUES (1)", &who).await, Opinion::Allow));
}

#[tokio::test]
async fn a_number_that_is_read_is_never_mistaken_for_another() {
    let house = house(Guard::build(&toml::Table::new()).unwrap());
    let who = seat(&house);
    let mut judge = judge(&house, &who);
    for number in 11..=25 {
        for (sql, passes) in [
            (format!("DELETE FROM t WHERE a = {number}"), true),
            (format!("DELETE FROM t WHERE {number} = {number}"), false),
            (format!("DELETE FROM t WHERE {number} = 15"), number != 15),
            (format!("DELETE FROM t WHERE {number} < 15"), number >= 15),
            (format!("DELETE FROM t WHERE a = {number} OR 15 = {number}"), number != 15),
        ] {
            let told = opinion(&mut judge, &sql, &who).await;
            assert_eq!(matches!(told, Opinion::Allow), passes, "{sql}: {told:?}");
        }
    }
}
