//! A cancel that meets its statement while the name of its application is on the way to a server.

use std::future::poll_fn;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

use crate::auth::Proof;
use crate::config::Listener;
use crate::guard::Guard;
use crate::net::stream::Stream;
use crate::server::account::Account;
use crate::server::pool::{Key, Lease, Pools};
use crate::server::reported::Reported;
use crate::session::cancel::{self, Cancelled};
use crate::session::house::House;
use crate::session::judge::tests::{house, seat};
use crate::session::lending::Lender;
use crate::session::lending::borrowed::Borrowed;
use crate::session::lending::kept::Kept;
use crate::session::lending::maker::Maker;
use crate::session::lending::translate::Translator;
use crate::session::state::Settings;
use crate::session::state::replay::NAME;
use crate::session::statements::Bounds;
use crate::wire::Transaction;
use crate::wire::pg::reply::Parameter;
use crate::wire::pg::startup::Version;
use crate::wire::pg::{greeting, refusal};

/// What the client calls itself.
const WEB: &[u8] = b"web";

/// Lets in who comes, as a server does whose default is no name.
async fn let_in(listener: UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(stream.read(&mut [0; 256]).await.unwrap() > 0);
    let mut out = BytesMut::new();
    greeting::ok(&mut out);
    greeting::parameter(NAME, b"", &mut out);
    greeting::key(7, b"abcd", &mut out);
    refusal::ready(Transaction::None, &mut out);
    stream.write_all(&out).await.unwrap();
    stream
}

/// A pool of the server in this folder.
fn pool_of(house: &Arc<House>, folder: &Path) -> Rc<Lender> {
    let listener = house.settings.load().listener.clone();
    house.nodes.reload(&Listener { servers: vec![format!("{}:5432", folder.display())], ..listener });
    let (user, database) = ("web".to_owned(), "shop".to_owned());
    let key = Key { user: user.clone(), database: database.clone() };
    let account = Account { user, database, parameters: Vec::new(), proof: Proof::Nothing };
    Pools::new(Arc::clone(&house.lending.register), 0)
        .pool(&key, || Maker::new((house, &Arc::default()), &key, account))
}

/// A session of that name, which no cancel wakes.
fn session(house: &Arc<House>, pool: &Rc<Lender>) -> (Borrowed, cancel::Key) {
    let key = house.common.keys.invent(Version::V3_0).unwrap();
    key.target().register(Waker::noop(), 1);
    let startup = Arc::new(Settings::new([(NAME, WEB)]).unwrap());
    let told = Arc::new(Reported::of([Parameter { name: NAME.into(), value: WEB.into() }]));
    let books = (Translator::new(Rc::default(), Bounds::default()), Kept::new(Rc::default(), startup, told));
    let entry = seat(house).entry();
    (Borrowed::new(house, Rc::clone(pool), key.target(), entry, books), key)
}

/// Writes until the system takes no more: how much that was.
fn fill(stream: &mut Stream) -> usize {
    let mut filled = 0;
    while let Some(Ok(count)) = stream.write(&[0; 65_536]).now_or_never() {
        filled += count;
    }
    filled
}

/// The name goes out together with what tells that the statement was cancelled: nobody has read the server's answer to it.
async fn is_closed_where_its_answer_is_still_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let server = spawn_local(let_in(UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap()));
    let house = house(Guard::build(&toml::Table::new()).unwrap());
    let pool = pool_of(&house, folder.path());
    let mut before = Lease::new(Rc::clone(&pool));
    poll_fn(|cx| before.poll_take(cx, |_| true)).await.unwrap();
    let mut far = server.await.unwrap();
    let filled = fill(&mut before.server().unwrap().stream);
    before.give();
    let (mut client, key) = session(&house, &pool);
    let waiting = spawn_local(async move { (poll_fn(|cx| client.poll_wait(cx)).await, client) });
    yield_now().await;
    assert_eq!(
        key.target().cancel().await,
        Cancelled::Queued,
        "the name waits for room, and the statement for the name"
    );
    far.read_exact(&mut vec![0; filled]).await.unwrap();
    let (end, client) = waiting.await.unwrap();
    assert_eq!(end.unwrap_err().sqlstate, "57014");
    assert!(client.holds_nothing());
    let mut next = Lease::new(pool);
    assert!(!next.try_take(|_| true), "whoever is next would read the answer to the name");
    let mut said = Vec::new();
    far.read_to_end(&mut said).await.unwrap();
    assert!(said.windows(NAME.len()).any(|part| part == NAME), "{said:?}");
}

#[tokio::test]
async fn a_server_whose_name_goes_out_as_the_statement_is_cancelled_goes_to_nobody_else() {
    let tasks = LocalSet::new();
    timeout(Duration::from_secs(20), tasks.run_until(is_closed_where_its_answer_is_still_to_come())).await.unwrap();
}
