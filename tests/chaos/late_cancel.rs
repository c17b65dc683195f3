//! A cancel whose connection broke before the server was seen to take it, and that lands when its statement is long over.

use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use crate::cancels::Few;
use crate::conn::Fault;
use crate::deaths::cancel_at;
use crate::support::cluster::Cluster;
use crate::support::lock::Lock;

/// The second word of a cancel request, behind its length.
const CANCEL: [u8; 4] = 80_877_102_u32.to_be_bytes();

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_lands_late_hits_nobody_else() -> Result<(), Fault> {
    let cluster = Cluster::start(&[]);
    let (broken, mut breaks) = mpsc::channel(4);
    let (landed, mut lands) = mpsc::channel(4);
    let land = Arc::new(Notify::new());
    let port = breaking(cluster.port, Cancels { broken, land: Arc::clone(&land), landed }).await;
    let few = Few::new(port, 1);
    let (mut first, mut next) = (few.client().await?, few.client().await?);
    let lock = Lock::hold(&cluster, "app");
    first.send(&Lock::waits("first")).await?;
    lock.is_waited_for();
    cancel_at(few.port(), first.key.clone()).await;
    breaks.recv().await.unwrap();
    drop(lock);
    first.reply().await?.is(&[&["first"]])?;
    let lock = Lock::hold(&cluster, "app");
    next.send(&Lock::waits("next")).await?;
    lock.is_waited_for();
    land.notify_one();
    lands.recv().await.unwrap();
    drop(lock);
    next.reply().await?.is(&[&["next"]])?;
    drop((first, next));
    few.finish(&cluster);
    Ok(())
}

/// What becomes of cancels, step by step.
#[derive(Debug, Clone)]
struct Cancels {
    /// The connection of one was broken.
    broken: mpsc::Sender<()>,
    /// It may land.
    land: Arc<Notify>,
    /// The server has taken it.
    landed: mpsc::Sender<()>,
}

/// In front of the server at `port`: the connection of a cancel is reset when its request is here, and delivered when it may land.
async fn breaking(port: u16, cancels: Cancels) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(pass(near, port, cancels.clone()));
        }
    });
    here
}

async fn pass(mut near: TcpStream, port: u16, cancels: Cancels) {
    let mut head = [0; 8];
    if near.read_exact(&mut head).await.is_err() {
        return;
    }
    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    if head[4..] != CANCEL {
        far.write_all(&head).await.ok();
        copy_bidirectional(&mut near, &mut far).await.ok();
        return;
    }
    let mut key = vec![0; usize::from(head[3]) - head.len()];
    near.read_exact(&mut key).await.unwrap();
    SockRef::from(&near).set_linger(Some(Duration::ZERO)).unwrap();
    drop(near);
    cancels.broken.send(()).await.unwrap();
    cancels.land.notified().await;
    far.write_all(&[&head[..], &key].concat()).await.unwrap();
    far.read_u8().await.ok();
    cancels.landed.send(()).await.unwrap();
}
