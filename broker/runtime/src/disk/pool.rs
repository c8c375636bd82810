//! Who makes the file calls that block?
//!
//! Not tokio's pool (its threads inherit the shard's core) and not glommio's (it panics when a call outlives the
//! executor), but a few threads per shard that end with it.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use model::ShardId;
use tokio::sync::oneshot;

use crate::cores::CoreSet;

/// Calls that may wait for a thread.
const JOBS_MAX: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads for blocking calls. Dropping it waits for the calls under way.
pub(crate) struct Pool {
    jobs: Option<flume::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn start(shard: ShardId, threads: usize, cores: Arc<CoreSet>) -> io::Result<Pool> {
        let (sender, receiver) = flume::bounded::<Job>(JOBS_MAX);
        let threads = (0..threads)
            .map(|n| {
                let (receiver, cores) = (receiver.clone(), cores.clone());
                thread::Builder::new().name(format!("frazil-disk-{shard}-{n}")).spawn(move || {
                    cores.apply();
                    while let Ok(job) = receiver.recv() {
                        job();
                    }
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Pool { jobs: Some(sender), threads })
    }

    /// Runs `call` on a thread. Dropping the future does not stop the call.
    pub(crate) fn run<T, C>(&self, call: C) -> impl Future<Output = io::Result<T>> + 'static + use<T, C>
    where
        T: Send + 'static,
        C: FnOnce() -> io::Result<T> + Send + 'static,
    {
        let jobs = self.jobs.clone();
        async move {
            let (answer, result) = oneshot::channel();
            // Nobody listening any more is no error: the caller was cancelled.
            let job: Job = Box::new(move || drop(answer.send(call())));
            let jobs = jobs.ok_or_else(ended)?;
            jobs.send_async(job).await.map_err(|_| ended())?;
            drop(jobs);
            result.await.map_err(|_| ended())?
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a disk thread panicked");
            }
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the shard's disk threads have ended: the shard is shutting down")
}
