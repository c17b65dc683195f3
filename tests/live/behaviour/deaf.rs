//! A server that reads nothing any more, which nobody notices before something is sent there.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{leave, one, pool};
use crate::support::cluster::Cluster;
use crate::support::floodwall::direct;
use crate::support::process::Scratch;
use crate::support::raw::{Raw, VERSION_3_0, startup};

/// Stands before a server on a Unix socket.
struct Ears {
    folder: Scratch,
    open: Arc<Mutex<Vec<UnixStream>>>,
}

impl Ears {
    fn new(target: u16) -> Self {
        let folder = Scratch::new("ears");
        let socket = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let open = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&open);
        thread::spawn(move || {
            for client in socket.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
                heard.lock().unwrap().push(client.try_clone().unwrap());
                let (back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pump(back, to));
                thread::spawn(move || pump(client, server));
            }
        });
        Self { folder, open }
    }

    /// What is sent there from now on fails at once, and nothing else tells.
    fn close(&self) {
        self.open.lock().unwrap().iter().for_each(|stream| stream.shutdown(Shutdown::Read).unwrap());
    }
}

fn pump(mut from: impl Read, mut to: impl Write) {
    let mut chunk = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    // Its server goes with Floodwall.
    std::mem::forget(to);
}

/// Its name goes ahead of the statement, to a server that is gone: another one takes its place, since nothing has run.
#[test]
fn a_server_that_takes_no_name_any_more_is_replaced_and_nobody_is_told() {
    if direct() {
        return;
    }
    let ears = Ears::new(Cluster::shared().port);
    let keys = format!("servers = ['{}:5432']\nserver_idle_timeout = '1m'\n", ears.folder.path().display());
    let pool = pool("bhv_deaf", 1, &keys);
    let login = |name: &str| {
        let mut client = Raw::open(pool.site.proxy.port);
        let parameters = [("user", "app"), ("database", pool.site.database.as_str()), ("application_name", name)];
        client.send(&startup(VERSION_3_0, &parameters));
        client.finish_login().unwrap_or_else(|error| panic!("{}", error.summary()));
        client
    };
    let (mut web, mut cron) = (login("web"), login("cron"));
    for _ in 0..3 {
        assert_eq!(one(&mut web, "SHOW application_name"), "web");
        ears.close();
        assert_eq!(one(&mut cron, "SHOW application_name"), "cron");
    }
    drop((web, cron));
    leave(&pool);
}
