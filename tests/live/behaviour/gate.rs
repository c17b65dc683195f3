//! What stands between the proxy and its server, and can be closed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How newcomers are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// They reach the server.
    Open,
    /// They are accepted, and nothing comes back; once it is opened, what they sent arrives.
    Silent,
    /// They are closed at once.
    Shut,
}

/// A port that leads to a server.
pub(super) struct Gate {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    through: Vec<TcpStream>,
    passed: usize,
    /// The start-up packets of those.
    began: Vec<Vec<u8>>,
}

impl Gate {
    pub(super) fn new(target: u16, manner: Manner) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { manner, through: Vec::new(), passed: 0, began: Vec::new() }));
        let seen = Arc::clone(&state);
        thread::spawn(move || {
            for client in socket.incoming().flatten() {
                let state = Arc::clone(&seen);
                thread::spawn(move || pass(client, target, &state));
            }
        });
        Self { port, state }
    }

    /// `servers` of a listener.
    pub(super) fn key(&self) -> String {
        format!("servers = ['127.0.0.1:{}']\n", self.port)
    }

    /// From now on newcomers are met like that.
    pub(super) fn set(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// How many have reached the server.
    pub(super) fn passed(&self) -> usize {
        self.state.lock().unwrap().passed
    }

    /// How many of them came as this user.
    pub(super) fn logins_of(&self, user: &str) -> usize {
        let named = [b"\0user\0", user.as_bytes(), b"\0"].concat();
        let names = |packet: &&Vec<u8>| packet.windows(named.len()).any(|part| part == named);
        self.state.lock().unwrap().began.iter().filter(names).count()
    }

    /// Closes whatever goes through.
    pub(super) fn cut(&self) {
        for stream in self.state.lock().unwrap().through.drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

fn pass(mut client: TcpStream, target: u16, state: &Mutex<State>) {
    let manner = || state.lock().unwrap().manner;
    while manner() == Manner::Silent {
        thread::sleep(Duration::from_millis(10));
    }
    if manner() == Manner::Shut {
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", target)).unwrap();
    let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
    let mut first = [0; 16_384];
    let count = client.read(&mut first).unwrap_or_default();
    let mut state = state.lock().unwrap();
    state.through.extend(ends);
    state.passed += 1;
    state.began.push(first[..count].to_vec());
    drop(state);
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || pump(back.0, &back.1));
    server.write_all(&first[..count]).ok();
    pump(client, &server);
}

/// Copies until either side ends; then both end.
fn pump(mut from: TcpStream, mut to: &TcpStream) {
    let mut chunk = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
