//! What a cancel hits, and what it lets be.

use super::*;
use crate::address::Endpoint;
use crate::session::cancel::Keys;
use crate::wire::pg::startup::Version;

fn server() -> Endpoint {
    "127.0.0.1:5432".parse::<std::net::SocketAddr>().unwrap().into()
}

#[tokio::test]
async fn a_key_leads_to_what_its_session_has_at_the_moment() {
    let keys = Arc::new(Keys::default());
    let key = keys.invent(Version::V3_0).unwrap();
    let target = key.target();
    assert!(key.pid() > 0);
    assert_eq!(target.cancel().await, Cancelled::Idle);
    target.waits();
    assert_eq!(target.cancel().await, Cancelled::Queued);
    assert!(target.take_cancelled() && !target.take_cancelled());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let process = keys.backends().register(Endpoint::from(listener.local_addr().unwrap()).into(), 7, b"abcd");
    target.waits();
    assert_eq!(target.cancel().await, Cancelled::Queued);
    assert!(!target.takes(process.backend()), "the wait that was cancelled is this one");
    assert!(!target.take_cancelled(), "and no later one");
    assert!(!target.lets_go());
    target.waits();
    assert_eq!(target.cancel().await, Cancelled::Queued);
    assert!(target.lets_go() && !target.lets_go(), "who loses a server while it waits still hears of it, once");
    assert!(target.takes(process.backend()));
    let cancel = tokio::spawn({
        let target = Arc::clone(&target);
        async move { target.cancel().await }
    });
    let (socket, _) = listener.accept().await.unwrap();
    // It is on its way: whoever gives the process back has to wait.
    assert!(!target.lets_go());
    assert!(process.backend().is_cancelled());
    let mut quiet = std::pin::pin!(process.backend().quiet());
    assert!(futures::poll!(quiet.as_mut()).is_pending());
    drop(socket);
    quiet.await;
    assert!(matches!(cancel.await.unwrap(), Cancelled::Forwarded | Cancelled::Unreachable));
    assert_eq!(target.cancel().await, Cancelled::Idle);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_hits_what_an_idle_session_has_not_seen_yet_and_nothing_that_comes_later() {
    let keys = Arc::new(Keys::default());
    let key = keys.invent(Version::V3_0).unwrap();
    let target = key.target();
    target.register(Waker::noop(), 7);
    let process = keys.backends().register(server().into(), 7, b"abcd");
    type Answer = fn(&Target, &Backend);
    let answers: [(Answer, Cancelled); 3] = [
        (|target, _| target.has_nothing(), Cancelled::Idle),
        (|target, _| target.waits(), Cancelled::Queued),
        (|target, _| assert!(!target.lets_go()), Cancelled::Idle),
    ];
    for (answer, outcome) in answers {
        let mut cancel = pin!(target.cancel());
        assert!(futures::poll!(cancel.as_mut()).is_pending() && target.is_asked());
        assert_eq!(target.cancel().await, Cancelled::Idle, "one is enough");
        answer(&target, process.backend());
        assert_eq!(cancel.await, outcome);
        target.lets_go();
        assert!(target.takes(process.backend()), "what comes later is not hit");
        target.lets_go();
    }
    // A session that does not look holds nobody up for ever, and one that has ended nobody at all.
    assert_eq!(target.cancel().await, Cancelled::Idle);
    assert!(!target.is_asked());
    // One that has begun to look in time hits what came before, however late that is read.
    let mut cancel = pin!(target.cancel());
    assert!(futures::poll!(cancel.as_mut()).is_pending());
    target.seeks();
    assert_eq!(cancel.await, Cancelled::Idle);
    assert!(target.is_asked());
    target.waits();
    assert!(target.take_cancelled() && !target.is_asked());
    let began = tokio::time::Instant::now();
    let mut cancel = pin!(target.cancel());
    assert!(futures::poll!(cancel.as_mut()).is_pending());
    target.looks_no_more();
    assert_eq!((cancel.await, target.cancel().await), (Cancelled::Idle, Cancelled::Idle));
    assert_eq!(began.elapsed(), Duration::ZERO);
    target.waits();
    assert!(!target.take_cancelled());
}

/// Its statement was read before the cancel came, and goes to the server at the same moment.
#[tokio::test]
async fn a_cancel_that_meets_a_session_as_it_takes_a_server_goes_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let keys = Arc::new(Keys::default());
    let key = keys.invent(Version::V3_0).unwrap();
    let target = key.target();
    target.register(Waker::noop(), 7);
    let process = keys.backends().register(Endpoint::from(listener.local_addr().unwrap()).into(), 7, b"abcd");
    for (found, expected) in [(Found::Work, Cancelled::Forwarded), (Found::Nothing, Cancelled::Idle)] {
        let mut cancel = pin!(target.cancel());
        assert!(futures::poll!(cancel.as_mut()).is_pending() && target.is_asked());
        assert!(target.takes(process.backend()));
        assert!(futures::poll!(cancel.as_mut()).is_pending() && target.begins_to_look());
        target.has_looked(found);
        let lands = async {
            if found == Found::Work {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
            }
        };
        assert_eq!(futures::join!(cancel, lands).0, expected);
        assert!(!target.lets_go());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_with_a_process_says_what_runs_there_before_the_cancel_goes_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Endpoint::from(listener.local_addr().unwrap());
    let keys = Arc::new(Keys::default());
    let key = keys.issue(place, 7, b"abcd", 4).unwrap();
    let target = key.target();
    target.register(Waker::noop(), 7);
    // Nothing runs, so nothing is sent.
    let mut cancel = pin!(target.cancel());
    assert!(futures::poll!(cancel.as_mut()).is_pending() && target.is_asked_for_work());
    assert!(target.begins_to_look() && !target.begins_to_look());
    target.has_looked(Found::Nothing);
    assert_eq!(cancel.await, Cancelled::Idle);
    assert!(!target.is_asked_for_work());
    // Who asks later wants to know of what came later.
    let (mut first, mut second) = (pin!(target.cancel()), pin!(target.cancel()));
    assert!(futures::poll!(first.as_mut()).is_pending() && target.begins_to_look());
    assert!(futures::poll!(second.as_mut()).is_pending());
    target.has_looked(Found::Nothing);
    assert!(futures::poll!(first.as_mut()).is_pending() && futures::poll!(second.as_mut()).is_pending());
    assert!(target.begins_to_look());
    target.has_looked(Found::Nothing);
    assert_eq!((first.await, second.await), (Cancelled::Idle, Cancelled::Idle));
    // A statement that has not gone to the server is hit though nobody has looked yet.
    let mut cancel = pin!(target.cancel());
    assert!(futures::poll!(cancel.as_mut()).is_pending());
    target.has_looked(Found::Struck);
    assert_eq!(cancel.await, Cancelled::Queued);
    // Nor is one that comes when nobody waits for the answer any more.
    let cancel = tokio::spawn(cancelled(Arc::clone(&target)));
    let (mut socket, _) = listener.accept().await.unwrap();
    assert!(!target.is_asked_for_work());
    tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
    assert_eq!(cancel.await.unwrap(), Cancelled::Forwarded);
    // What runs is hit; so is a session that does not answer, or has ended.
    let answers: [fn(&Target); 3] = [
        |target| {
            assert!(target.begins_to_look());
            target.has_looked(Found::Work);
        },
        |_| (),
        Target::looks_no_more,
    ];
    for answer in answers {
        let cancel = tokio::spawn(cancelled(Arc::clone(&target)));
        while !target.is_asked_for_work() {
            yield_now().await;
        }
        answer(&target);
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
        assert_eq!(cancel.await.unwrap(), Cancelled::Forwarded);
    }
}

async fn cancelled(target: Arc<Target>) -> Cancelled {
    target.cancel().await
}
