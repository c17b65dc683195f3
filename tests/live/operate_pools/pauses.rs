//! PAUSE and RESUME, of a database or of everything.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn pause_waits_for_transactions_closes_all_servers_and_loses_no_statement() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pool_pause", 3, "");
    let (busy, idle) = (pooled.site.session("app").await, pooled.site.session("app").await);
    let impatient = pooled.site.session("app").await;
    busy.batch_execute("BEGIN; CREATE TABLE paused (n int)").await.unwrap();
    one(&idle, "SELECT 1").await.unwrap();
    let pausing = pooled.console_begin(&format!("PAUSE {}", pooled.site.database));
    assert!(wait_until(SOON, || pooled.database()["paused"] == "1"));
    // Only the one that is lent is left, and its transaction goes on.
    pooled.expect_servers(1);
    let waiting = Waiting::begin(idle, "SELECT 'served'");
    let cancel = impatient.cancel_token();
    let cancelled = Waiting::begin(impatient, "SELECT 'never'");
    pooled.expect("cl_waiting", 2);
    // Whoever waits in a pause can still be cancelled.
    cancel.cancel_query(NoTls).await.unwrap();
    let (impatient, told) = cancelled.0.await.unwrap();
    assert_eq!(sqlstate(&told.unwrap_err()), "57014");
    busy.batch_execute("INSERT INTO paused VALUES (7)").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!pausing.is_finished(), "a transaction is open");
    busy.batch_execute("COMMIT").await.unwrap();
    let paused = pausing.join().unwrap();
    assert!(paused.status.success(), "{}", stderr(&paused));
    for told in ["waiting for 1 server (1 held by clients): client ", "user app, idle in transaction for "] {
        assert!(stderr(&paused).contains(told), "{told}: {}", stderr(&paused));
    }
    assert_eq!(pooled.servers(), 0, "PAUSE returns when they are closed");
    assert_eq!(pooled.server_rows().len(), 0);
    // Newcomers log in, and wait with their first statement.
    let newcomer = Waiting::begin(pooled.site.session("app").await, "SELECT n::text FROM paused");
    pooled.expect("cl_waiting", 2);
    assert!(pooled.site.proxy.console("RESUME").is_err(), "it is the pause of one database");
    pooled.console(&format!("RESUME {}", pooled.site.database));
    let (idle, served) = waiting.served().await;
    assert_eq!(served, "served");
    let (newcomer, served) = newcomer.served().await;
    assert_eq!(served, "7");
    assert_eq!(one(&impatient, "SELECT 'on'").await.unwrap(), "on");
    assert_eq!(pooled.database()["paused"], "0");
    drop((busy, idle, impatient, newcomer));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_a_pause_for_too_long_is_told_and_goes_on() {
    if direct() {
        return;
    }
    // Longer than a busy machine takes to make the first server, which the login waits for.
    let pooled = Pooled::new("pause_wait", 2, "query_wait_timeout = '5s'");
    let client = pooled.site.session("app").await;
    assert_eq!(one(&client, "SELECT 1").await.unwrap(), "1");
    pooled.console("PAUSE");
    let error = one(&client, "SELECT 2").await.unwrap_err();
    assert_eq!(sqlstate(&error), "53300");
    assert!(error.as_db_error().unwrap().message().contains("query_wait_timeout"), "{error}");
    assert!(error.as_db_error().unwrap().hint().unwrap().contains("after RESUME"), "{error:?}");
    // A client that leaves while it waits is gone at once.
    let leaving = Waiting::begin(pooled.site.session("app").await, "SELECT 3");
    pooled.expect("cl_waiting", 1);
    leaving.0.abort();
    pooled.expect("cl_waiting", 0);
    // A pause ends by itself, too.
    pooled.console("PAUSE 300ms");
    assert!(wait_until(SOON, || pooled.database()["paused"] == "0"));
    assert_eq!(one(&client, "SELECT 4").await.unwrap(), "4");
    drop(client);
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_server_keeps_a_pause_from_its_end_and_is_named() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pause_pin", 2, "");
    let (pinned, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    pinned.batch_execute("LISTEN news").await.unwrap();
    one(&other, "SELECT 1").await.unwrap();
    assert!(wait_until(SOON, || !pooled.console("SHOW PINS").is_empty()));
    let pausing = pooled.console_begin("PAUSE");
    pooled.expect_servers(1);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // It has its server, and is served until it lets go.
    assert_eq!(one(&pinned, "SELECT 'mine'").await.unwrap(), "mine");
    pinned.batch_execute("UNLISTEN news").await.unwrap();
    let paused = pausing.join().unwrap();
    assert!(paused.status.success() && stderr(&paused).contains("pinned: "), "{}", stderr(&paused));
    assert_eq!(pooled.servers(), 0);
    pooled.console("RESUME");
    assert_eq!(one(&pinned, "SELECT 1").await.unwrap(), "1");
    assert_eq!(one(&other, "SELECT 1").await.unwrap(), "1");
    drop((pinned, other));
    pooled.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_is_cancelled_is_none() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("pause_cancel", 2, "");
    let (busy, other) = (pooled.site.session("app").await, pooled.site.session("app").await);
    busy.batch_execute("BEGIN").await.unwrap();
    let Console(console) = Console::open(&pooled).await;
    let cancel = console.cancel_token();
    let pausing = tokio::spawn(async move {
        let told = console.simple_query("PAUSE").await.map(drop);
        (console, told)
    });
    assert!(wait_until(SOON, || pooled.database()["paused"] == "1"));
    let waiting = Waiting::begin(other, "SELECT 'served'");
    pooled.expect("cl_waiting", 1);
    cancel.cancel_query(NoTls).await.unwrap();
    let (console, told) = pausing.await.unwrap();
    assert_eq!(sqlstate(&told.unwrap_err()), "57014");
    let (other, served) = waiting.served().await;
    assert_eq!(served, "served");
    // The same connection may pause again, and the old cancel is no concern of that.
    busy.batch_execute("COMMIT").await.unwrap();
    console.simple_query("PAUSE; RESUME").await.unwrap();
    assert_eq!(one(&other, "SELECT 1").await.unwrap(), "1");
    drop((busy, other, console));
    pooled.finish();
}

/// `floodwall ctl` is an operator's console as well: it tells whom a pause waits for while it waits, and ^C gives the pause up.
#[tokio::test(flavor = "multi_thread")]
async fn ctl_tells_whom_a_pause_waits_for_and_gives_it_up() {
    if direct() {
        return;
    }
    let pooled = Pooled::new("ctl_pause", 1, "");
    let busy = pooled.site.session("app").await;
    busy.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let told = pooled.site.proxy.folder().join("ctl.log");
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_floodwall"));
    ctl.args(["ctl", "--config"]).arg(pooled.site.proxy.config_path()).arg("PAUSE");
    let log = std::fs::File::create(&told).unwrap();
    let mut ctl = ctl.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let said = || std::fs::read_to_string(&told).unwrap();
    let waits = wait_until(SOON, || said().contains("waiting for 1 server"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&ctl), rustix::process::Signal::INT).unwrap();
    let status = ctl.wait().unwrap();
    assert!(waits, "{}", said());
    assert!(!status.success() && said().contains("canceling statement"), "{status}: {}", said());
    assert_eq!(pooled.database()["paused"], "0");
    busy.batch_execute("COMMIT").await.unwrap();
    drop(busy);
    pooled.finish();
}
