//! One client: it comes, takes turns of its own choice, and goes in one of many ways.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::conn::{Buffers, Conn, Fault};
use crate::deaths;
use crate::landing::Landings;
use crate::scene::{DEADLINE, Scene};
use crate::seed::Dice;
use crate::support::cluster::password;
use crate::support::raw::{VERSION_3_0, startup, terminate};
use crate::turns;

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) scene: Arc<Scene>,
    pub(crate) dice: Dice,
    pub(crate) conn: Conn,
    pub(crate) own: Own,
    /// The cancels that it asked for.
    pub(crate) cancels: Landings,
    name: String,
    tokens: u64,
}

/// What the client has left in its session, so what it must find there.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) settings: HashMap<&'static str, String>,
    pub(crate) locks: usize,
    /// Rows of its temporary table, once it has one.
    pub(crate) temporary: Option<Vec<String>>,
    /// Statements by name, with the token in their text.
    pub(crate) prepared: HashMap<String, String>,
}

impl Own {
    /// Has it what cannot be moved to another server?
    pub(crate) fn is_pinned(&self) -> bool {
        self.temporary.is_some() || self.locks > 0
    }
}

/// Comes and goes until the scene is over.
pub(crate) async fn live(scene: Arc<Scene>, id: u64) {
    for life in 0.. {
        if scene.is_over() {
            return;
        }
        let mut dice = Dice(scene.seed ^ id.wrapping_mul(0x9e37_79b9) ^ (life << 40));
        if dice.once_in(8) {
            deaths::before_login(&scene, &mut dice).await;
            continue;
        }
        let (began, name) = (Instant::now(), format!("c{id}x{life}"));
        match Client::enter(&scene, dice, name.clone()).await {
            Ok(client) => client.work().await,
            Err(fault) => {
                scene.judge(&fault, &format!("{name} at its login"), began, &Landings::default());
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Client {
    async fn enter(scene: &Arc<Scene>, mut dice: Dice, name: String) -> Result<Self, Fault> {
        let mut conn = Conn::open(scene.proxy.port, Buffers::any(&mut dice)).await?;
        let user = scene.mode.user(&mut dice);
        let parameters = [("user", user), ("database", "app"), ("application_name", &name)];
        conn.send(&startup(VERSION_3_0, &parameters)).await?;
        conn.finish_login(password(user)).await?;
        let mut own = Own::default();
        own.settings.insert("application_name", name.clone());
        Ok(Self { scene: Arc::clone(scene), dice, conn, own, cancels: Landings::default(), name, tokens: 0 })
    }

    async fn work(mut self) {
        let mut good = self.conn.sent;
        for _ in 0..=self.dice.below(40) {
            if self.scene.is_over() {
                break;
            }
            let turn = turns::pick(&mut self.dice);
            let who = format!("{} in its turn {turn:?} after {} tokens", self.name, self.tokens);
            let played = Box::pin(turns::play(turn, &mut self)).await;
            self.scene.waited(std::mem::take(&mut self.conn.longest), &who);
            match played {
                Ok(()) => self.scene.count(&format!("{turn:?}")),
                Err(fault) => return self.scene.judge(&fault, &who, good, &self.cancels),
            }
            good = self.conn.sent;
        }
        self.leave().await;
    }

    async fn leave(mut self) {
        if self.dice.once_in(3) {
            self.conn.send(&terminate()).await.ok();
            let (scene, who) = (Arc::clone(&self.scene), self.name);
            if timeout(DEADLINE, self.conn.drain()).await.is_err() {
                scene.fail(format!("{who}: not closed after its Terminate"));
            }
        } else {
            deaths::anywhere(self).await;
        }
    }

    /// A text that nobody else ever sends.
    pub(crate) fn token(&mut self) -> String {
        self.tokens += 1;
        format!("{}t{}", self.name, self.tokens)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
