//! What stands between the proxy and its server: small buffers, and connections that freeze or break.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::conn::narrow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tide {
    Flows,
    Frozen,
    Cut,
}

/// Accepts for a server and passes on what comes, a little at a time.
#[derive(Debug, Clone)]
pub(crate) struct Strait {
    pub(crate) port: u16,
    passages: Arc<Mutex<Vec<Passage>>>,
    broken: Arc<Mutex<HashSet<u16>>>,
}

#[derive(Debug, Clone)]
struct Passage {
    tide: watch::Sender<Tide>,
    /// Where the server sees it come from.
    port: u16,
    /// All that the server said has passed, its end as well.
    ended: Arc<AtomicBool>,
}

impl Strait {
    /// In front of the server at `port`; ends with the runtime.
    pub(crate) async fn open(port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Sockets that are accepted have the buffers of the one that listens.
        narrow(&socket).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let strait =
            Self { port: listener.local_addr().unwrap().port(), passages: Arc::default(), broken: Arc::default() };
        tokio::spawn(strait.clone().serve(listener, ([127, 0, 0, 1], port).into()));
        strait
    }

    /// Cuts one connection with a reset, wherever it is in a message. Its port as the server sees it, where there is one.
    pub(crate) fn cut(&self, which: usize) -> Option<u16> {
        self.change(which, Tide::Cut).map(|passage| passage.port)
    }

    /// One connection falls silent for so long and is cut then. Its port as the server sees it, where there is one.
    pub(crate) async fn freeze(&self, which: usize, time: Duration) -> Option<u16> {
        let passage = self.change(which, Tide::Frozen)?;
        tokio::time::sleep(time).await;
        passage.tide.send_replace(Tide::Cut);
        Some(passage.port)
    }

    /// The connections of this moment, by the port that the server sees.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.passages.lock().unwrap().iter().map(|passage| passage.port).collect()
    }

    /// Has all passed that the server said on these connections, their end as well? A server that is gone may leave a megabyte behind,
    /// and buffers of 4 KiB take their time.
    pub(crate) fn have_ended(&self, ports: &[u16]) -> bool {
        let passages = self.passages.lock().unwrap();
        passages.iter().all(|passage| !ports.contains(&passage.port) || passage.ended.load(Ordering::Relaxed))
    }

    /// Was that connection, by the port that the server sees, frozen or cut here? The server learns of it when it next reads or writes.
    pub(crate) fn has_broken(&self, port: u16) -> bool {
        self.broken.lock().unwrap().contains(&port)
    }

    fn change(&self, which: usize, tide: Tide) -> Option<Passage> {
        let mut passages = self.passages.lock().unwrap();
        passages.retain(|passage| !passage.tide.is_closed());
        let passage = passages.get(which.checked_rem(passages.len())?)?;
        passage.tide.send_replace(tide);
        self.broken.lock().unwrap().insert(passage.port);
        Some(passage.clone())
    }

    async fn serve(self, listener: TcpListener, server: SocketAddr) {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(self.clone().pass(near, server));
        }
    }

    async fn pass(self, near: TcpStream, server: SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        narrow(&socket).unwrap();
        let Ok(far) = socket.connect(server).await else { return };
        near.set_nodelay(true).ok();
        far.set_nodelay(true).ok();
        let Ok(port) = far.local_addr().map(|address| address.port()) else { return };
        let (tide, turns) = watch::channel(Tide::Flows);
        self.broken.lock().unwrap().remove(&port);
        let ended = Arc::new(AtomicBool::new(false));
        self.passages.lock().unwrap().push(Passage { tide, port, ended: Arc::clone(&ended) });
        let (near_in, near_out) = near.into_split();
        let (far_in, far_out) = far.into_split();
        let down = async {
            flow(far_in, near_out, turns.clone()).await;
            ended.store(true, Ordering::Relaxed);
        };
        tokio::join!(flow(near_in, far_out, turns.clone()), down);
    }
}

/// One direction, until it ends, breaks or is cut.
async fn flow(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut tide: watch::Receiver<Tide>) {
    let mut piece = [0; 1500];
    loop {
        let now = *tide.borrow_and_update();
        match now {
            Tide::Cut => {
                SockRef::from(to.as_ref()).set_linger(Some(Duration::ZERO)).ok();
                return;
            }
            Tide::Frozen => {
                tide.changed().await.ok();
                continue;
            }
            Tide::Flows => {}
        }
        tokio::select! {
            biased;
            _ = tide.changed() => {}
            moved = one(&mut from, &mut to, &mut piece) => if !moved {
                to.shutdown().await.ok();
                return;
            },
        }
    }
}

/// Where the tide turns while this writes, what is left is lost: only a frozen connection goes on, and that one is cut at its end.
async fn one(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, piece: &mut [u8]) -> bool {
    match from.read(piece).await {
        Ok(0) | Err(_) => false,
        Ok(n) => to.write_all(&piece[..n]).await.is_ok(),
    }
}
