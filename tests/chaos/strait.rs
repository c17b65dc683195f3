//! What stands between the proxy and its server: small buffers, and connections that freeze or break.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::conn::NARROW;

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
    passages: Arc<Mutex<Vec<watch::Sender<Tide>>>>,
}

impl Strait {
    /// In front of the server at `port`; ends with the runtime.
    pub(crate) async fn open(port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Sockets that are accepted have the buffers of the one that listens.
        narrow(&socket);
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let strait = Self { port: listener.local_addr().unwrap().port(), passages: Arc::default() };
        tokio::spawn(strait.clone().serve(listener, ([127, 0, 0, 1], port).into()));
        strait
    }

    /// Cuts one connection with a reset, wherever it is in a message.
    pub(crate) fn cut(&self, which: usize) {
        self.change(which, Tide::Cut);
    }

    /// One connection falls silent for so long and is cut then.
    pub(crate) async fn freeze(&self, which: usize, time: Duration) {
        let passage = self.change(which, Tide::Frozen);
        tokio::time::sleep(time).await;
        if let Some(passage) = passage {
            passage.send_replace(Tide::Cut);
        }
    }

    fn change(&self, which: usize, tide: Tide) -> Option<watch::Sender<Tide>> {
        let mut passages = self.passages.lock().unwrap();
        passages.retain(|passage| !passage.is_closed());
        let passage = passages.get(which.checked_rem(passages.len())?)?;
        passage.send_replace(tide);
        Some(passage.clone())
    }

    async fn serve(self, listener: TcpListener, server: SocketAddr) {
        while let Ok((near, _)) = listener.accept().await {
            let (passage, tide) = watch::channel(Tide::Flows);
            self.passages.lock().unwrap().push(passage);
            tokio::spawn(pass(near, server, tide));
        }
    }
}

async fn pass(near: TcpStream, server: SocketAddr, tide: watch::Receiver<Tide>) {
    let socket = TcpSocket::new_v4().unwrap();
    narrow(&socket);
    let Ok(far) = socket.connect(server).await else { return };
    near.set_nodelay(true).ok();
    far.set_nodelay(true).ok();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::join!(flow(near_in, far_out, tide.clone()), flow(far_in, near_out, tide));
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

fn narrow(socket: &TcpSocket) {
    socket.set_recv_buffer_size(NARROW).unwrap();
    socket.set_send_buffer_size(NARROW).unwrap();
}
