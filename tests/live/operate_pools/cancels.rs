//! Cancel requests, as the console tells them.

use super::*;

/// Stands before a server, and keeps cancel requests from it while it is closed.
struct Gatekeeper {
    port: u16,
    open: Arc<Notify>,
}

impl Gatekeeper {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keeper = Self { port: listener.local_addr().unwrap().port(), open: Arc::default() };
        let open = Arc::clone(&keeper.open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Self::pass(client, server, Arc::clone(&open)));
            }
        });
        keeper
    }

    async fn pass(mut client: TcpStream, server: u16, open: Arc<Notify>) {
        let mut head = [0; 8];
        if client.read_exact(&mut head).await.is_err() {
            return;
        }
        // CancelRequest: 16 bytes and 80877102.
        if head == [0, 0, 0, 16, 4, 210, 22, 46] {
            open.notified().await;
        }
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
        if server.write_all(&head).await.is_ok() {
            drop(copy_bidirectional(&mut client, &mut server).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_requests_are_told_while_they_are_under_way_and_hit_nobody_else() {
    if direct() {
        return;
    }
    let keeper = Gatekeeper::before(Cluster::shared().port).await;
    let pooled = Pooled::new("canceling", 1, &format!("servers = ['127.0.0.1:{}']", keeper.port));
    let (slow, next) = (pooled.site.session("app").await, pooled.site.session("app").await);
    // A cancel that gets nowhere is given up after five seconds: what is looked at meanwhile must not have to log in each time.
    let console = Console::open(&pooled).await;
    let cancel = slow.cancel_token();
    let lock = Lock::hold(pooled.site.cluster, &pooled.site.database);
    let running = Waiting::begin(slow, "SELECT 'done' FROM pg_advisory_xact_lock(1)");
    lock.is_waited_for();
    let cancelling = tokio::spawn(async move { cancel.cancel_query(NoTls).await });
    console.until([Some(1), Some(1), None, None]).await;
    // The statement ends by itself. Nobody gets its server while the cancel may still land.
    drop(lock);
    let (slow, done) = running.served().await;
    assert_eq!(done, "done");
    let waiting = Waiting::begin(next, "SELECT 'unharmed'");
    console.until([Some(1), Some(1), Some(1), Some(0)]).await;
    let servers = console.show("SHOW SERVERS").await;
    let mut states: Vec<_> = servers.iter().filter(|row| row["user"] == "app").map(|row| &*row["state"]).collect();
    states.sort_unstable();
    assert_eq!(states, ["active_cancel", "being_canceled"]);
    keeper.open.notify_one();
    let (next, served) = waiting.served().await;
    assert_eq!(served, "unharmed");
    cancelling.await.unwrap().unwrap();
    console.until([Some(0), Some(0), Some(0), Some(1)]).await;
    drop((slow, next));
    pooled.finish();
}
