//! Threads of the data path: one current-thread runtime each, with the sessions that were handed to it.
//!
//! A session never moves, so nothing on its path needs a lock or an atomic read-modify-write. Sockets go to the worker with the
//! fewest live tasks: few long-lived connections would land unevenly if the kernel spread them by hash.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

/// Tasks that wait to be taken by a busy worker; more make the acceptor wait, and the kernel's queue takes who comes meanwhile.
const QUEUE: usize = 64;

/// All workers.
#[derive(Debug)]
pub struct Workers<J> {
    workers: Vec<Worker<J>>,
}

#[derive(Debug)]
struct Worker<J> {
    load: Arc<AtomicUsize>,
    work: mpsc::Sender<Work<J>>,
}

/// What a worker is sent.
enum Work<J> {
    /// A job, which counts.
    Job(J, Load),
    /// Something that makes a task of its own there.
    Resident(Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>),
}

/// One task of a worker's load: given back on drop.
#[derive(Debug)]
struct Load(Arc<AtomicUsize>);

impl Load {
    fn on(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<J: Send + 'static> Workers<J> {
    /// Starts `count` threads of that name. Each calls `settle` once with its number, on its own thread; the first half of what that returns waits
    /// until there is room for another job, the second turns every job into a task.
    ///
    /// # Errors
    /// A thread or a runtime could not be made.
    pub fn start<S, W, R, T>(name: &str, count: usize, settle: S) -> io::Result<Self>
    where
        S: Fn(usize) -> io::Result<(W, R)> + Clone + Send + 'static,
        W: AsyncFn() + 'static,
        R: Fn(J) -> T + 'static,
        T: Future<Output = ()> + 'static,
    {
        let start = |number| {
            let (work, queue) = mpsc::channel(QUEUE);
            let (tell, told) = std::sync::mpsc::sync_channel(1);
            let settle = settle.clone();
            let body = move || run(queue, &tell, || settle(number));
            thread::Builder::new().name(format!("{name}-{number}")).spawn(body)?;
            told.recv().map_err(|_| io::Error::other("a worker ended before it began"))??;
            Ok(Worker { load: Arc::default(), work })
        };
        Ok(Self { workers: (0..count.max(1)).map(start).collect::<io::Result<_>>()? })
    }

    /// Gives a job to the least-loaded worker; waits while its queue is full.
    ///
    /// Cancel-safe in the sense that a job that was not given is dropped.
    pub async fn give(&self, what: J) {
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else { return };
        let load = Load::on(&worker.load);
        // A worker's queue closes only when its thread is gone; the job is dropped with everything it holds.
        drop(worker.work.send(Work::Job(what, load)).await);
    }

    /// Waits until there is room in some worker's queue. Cancel-safe.
    pub async fn room(&self) {
        let Some(worker) = self.workers.iter().max_by_key(|worker| worker.work.capacity()) else { return };
        // A worker's queue closes only when its thread is gone: nobody waits for that.
        drop(worker.work.reserve().await);
    }

    /// Has the first worker run what `make` makes there, for as long as that likes. Waits while its queue is full. It is no job and does
    /// not count.
    ///
    /// Cancel-safe in the sense that what was not sent is dropped.
    pub async fn host<F: Future<Output = ()> + 'static>(&self, make: impl FnOnce() -> F + Send + 'static) {
        let resident = Work::Resident(Box::new(|| make().boxed_local()));
        if let Some(worker) = self.workers.first() {
            drop(worker.work.send(resident).await);
        }
    }

    /// Waits until the first worker gets to something new: for as long as it hangs. False where it has ended.
    ///
    /// Cancel-safe.
    pub async fn answers(&self) -> bool {
        let (tell, told) = oneshot::channel();
        self.host(async move || {
            let _ = tell.send(());
        })
        .await;
        told.await.is_ok()
    }

    /// Live tasks and jobs of all workers.
    pub fn load(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).sum()
    }
}

/// A runtime of this kind can't leave the thread that made it, so the thread tells how that went.
fn run<J, W, R, T>(
    mut queue: mpsc::Receiver<Work<J>>,
    tell: &SyncSender<io::Result<()>>,
    settle: impl FnOnce() -> io::Result<(W, R)>,
) where
    J: 'static,
    W: AsyncFn() + 'static,
    R: Fn(J) -> T + 'static,
    T: Future<Output = ()> + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let (runtime, (room, task)) = match runtime.and_then(|runtime| Ok((runtime, settle()?))) {
        Ok(made) => made,
        Err(error) => return drop(tell.send(Err(error))),
    };
    drop(tell.send(Ok(())));
    runtime.block_on(async move {
        while let Some(work) = queue.recv().await {
            match work {
                Work::Job(what, load) => {
                    room().await;
                    spawn_local(counted(task(what), load));
                }
                Work::Resident(make) => drop(spawn_local(make())),
            }
        }
    });
}

/// A task that counts until it ends. An `async` block would hold it twice, as what it has captured and as what it awaits, and each idle
/// session would take a larger block of the runtime.
fn counted(task: impl Future<Output = ()>, load: Load) -> impl Future<Output = ()> {
    task.map(move |()| drop(load))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_task_is_held_once_and_counts_until_it_ends() {
        let count = Arc::default();
        let task = tokio::time::sleep(Duration::ZERO);
        let bytes = size_of_val(&task);
        let counted = counted(task, Load::on(&count));
        assert!(size_of_val(&counted) <= bytes + 2 * size_of::<Load>(), "{} bytes", size_of_val(&counted));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        counted.await;
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_hosted_runs_on_the_first_worker_and_is_no_load() {
        let workers = Workers::start("worker", 2, |_| Ok((async || (), |_: ()| async {}))).unwrap();
        let (tell, told) = oneshot::channel();
        let stays = async move || {
            tell.send(thread::current().name().map(str::to_owned)).unwrap();
            std::future::pending::<()>().await;
        };
        workers.host(stays).await;
        assert_eq!(told.await.unwrap().as_deref(), Some("worker-0"));
        assert_eq!(workers.load(), 0);
        assert!(workers.answers().await);
    }

    #[tokio::test]
    async fn there_is_room_until_the_queue_is_full() {
        let (open, wait) = tokio::sync::watch::channel(());
        let stuck = move |_| {
            let wait = wait.clone();
            let room = async move || drop(wait.clone().changed().await);
            Ok((room, |_: usize| async {}))
        };
        let workers = Workers::start("stuck", 1, stuck).unwrap();
        // One is taken out of the queue, and waits for room.
        for job in 0..=QUEUE {
            workers.room().await;
            workers.give(job).await;
        }
        assert!(futures::poll!(std::pin::pin!(workers.room())).is_pending());
        drop(open);
        workers.room().await;
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_alone_and_its_load_comes_back() {
        let workers = Workers::start("worker", 2, |_| {
            Ok((async || (), |job: usize| async move { assert!(job != 1, "this one fails") }))
        })
        .unwrap();
        for job in 0..10 {
            workers.give(job).await;
        }
        for _ in 0..3_000 {
            if workers.load() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} tasks are left", workers.load());
    }
}
