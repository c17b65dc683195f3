//! The workers, each with what its sessions share.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::reload::Reloader;
use super::{Job, memory};
use crate::config::Config;
use crate::session::analyst::Means;
use crate::session::beat::Beat;
use crate::session::house::Common;
use crate::session::local::Local;
use crate::session::serve::serve;
use crate::telemetry::{Metrics, SchedulingPolicy};
use crate::worker::{Policy, Workers};

/// Starts them.
///
/// # Errors
/// A thread could not be made.
pub(super) fn start(config: &Config, common: &Arc<Common>, beat: &Arc<Beat>) -> io::Result<Workers<Job>> {
    let (common, beat) = (Arc::clone(common), Arc::clone(beat));
    let cache_bytes = memory::cache_bytes(config);
    let ceiling = config.limits.guard_time;
    Workers::start(config.workers, move |number| {
        let (memory, prepared) = (Arc::clone(&common.memory), Arc::clone(&common.prepared));
        let means = Means { cache_bytes, ceiling, memory, prepared, metrics: common.metrics.worker(number) };
        let local = Local::start(means, Arc::clone(&common.shapes), Arc::clone(&beat))?;
        let local = Rc::new(local.of_worker(number));
        let pace = Rc::clone(&local.pace);
        let room = async move || pace.room().await;
        Ok((room, move |(house, arrival): Job| serve(house, Rc::clone(&local), arrival)))
    })
}

/// Gives busy ones the scheduling policy that suits them, as far as the configuration wants that. Never returns.
pub(super) async fn attune(workers: &Workers<Job>, reloader: &Reloader, metrics: &Metrics) {
    let wanted = || if reloader.config.load().sched_batch { Policy::Batch } else { Policy::Other };
    let tell = |number, policy| {
        let policy = match policy {
            Policy::Other => SchedulingPolicy::Usual,
            Policy::Batch => SchedulingPolicy::Batch,
        };
        metrics.worker(number).set_policy(policy);
    };
    workers.attune(wanted, tell).await;
}
