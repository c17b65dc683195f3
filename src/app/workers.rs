//! The workers, each with what its sessions share.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::{Job, memory};
use crate::config::Config;
use crate::session::house::Common;
use crate::session::local::Local;
use crate::session::reader::analyst::Means;
use crate::session::serve::serve;
use crate::session::timing::beat::Beat;
use crate::session::welcome::anteroom::Anteroom;
use crate::worker::Workers;

/// What their threads are called, with a number.
const THREAD: &str = "worker";

/// Starts them.
///
/// # Errors
/// A thread could not be made.
pub(super) fn start(config: &Config, common: &Arc<Common>, beat: &Arc<Beat>) -> io::Result<Workers<Job>> {
    let (common, beat) = (Arc::clone(common), Arc::clone(beat));
    let cache_bytes = memory::cache_bytes(config);
    let ceiling = config.limits.guard_time;
    let anteroom = Arc::new(Anteroom::open(config.workers, &common.login_waits)?);
    Workers::start(THREAD, config.workers, move |number| {
        let (memory, prepared) = (Arc::clone(&common.memory), Arc::clone(&common.prepared));
        let means = Means { cache_bytes, ceiling, memory, prepared, metrics: common.metrics.worker(number) };
        let local = Local::start(means, Arc::clone(&common.shapes), Arc::clone(&beat))?;
        let local = Rc::new(local.of_worker(number).beside(Arc::clone(&common.login_waits), Arc::clone(&anteroom)));
        let pace = Rc::clone(&local.pace);
        let anteroom = Arc::clone(&anteroom);
        let room = async move || {
            pace.room().await;
            anteroom.room().await;
        };
        Ok((room, move |(house, arrival): Job| serve(house, Rc::clone(&local), arrival)))
    })
}
