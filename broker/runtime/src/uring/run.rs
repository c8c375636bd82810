//! How does a shard on io_uring live from its first task to its last?

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement};

use crate::clock;
use crate::common::Common;
use crate::heartbeat::BEAT_MS;
use crate::shard::{Birth, ShardOptions, ShardThread, end_by, memlock_bytes, outcome, start_thread};
use crate::uring::gate::{RingGate, pump};
use crate::uring::{Uring, os_error};

/// Never lower: glommio can park for ever with runnable tasks when this fires between two of its steps.
const PREEMPT: Duration = Duration::from_secs(10);
/// Threads for file calls that the ring is not used for, per shard.
const DISK_THREADS: usize = 2;

/// Starts a shard on io_uring, in a thread named `frazil-shard-N`, and waits until it turns. The shard ends with
/// `main`; what it spawned is cancelled then.
pub fn start_shard_uring<F, Fut>(options: ShardOptions, main: F) -> io::Result<ShardThread>
where
    F: FnOnce(Uring) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    start_thread(options, move |birth| run(birth, main))
}

/// Long enough for glommio to look at its rings once.
pub(crate) async fn pause() {
    glommio::timer::sleep(Duration::from_millis(1)).await;
}

/// An executor with the guards; it belongs to the thread that makes it, which is pinned already.
pub(crate) fn executor(ring_depth: usize, io_memory_bytes: usize) -> io::Result<glommio::LocalExecutor> {
    let builder = LocalExecutorBuilder::new(Placement::Unbound)
        .ring_depth(ring_depth)
        .io_memory(io_memory_bytes)
        .preempt_timer(PREEMPT);
    builder.make().map_err(|error| match os_error(error) {
        error if error.kind() == io::ErrorKind::OutOfMemory => io::Error::new(
            error.kind(),
            format!(
                "no memory for the rings ({error}): raise the limit of locked memory, which is {} bytes \
                 (`ulimit -l`, LimitMEMLOCK=), or run fewer shards",
                memlock_bytes()
            ),
        ),
        error => error,
    })
}

fn run<F, Fut>(birth: &Birth, main: F) -> io::Result<()>
where
    F: FnOnce(Uring) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let options = &birth.options;
    let executor = executor(options.ring_depth, options.io_memory_bytes)?;
    let gate = RingGate::default();
    let common = Common::start(options.shard, birth.cores.clone(), DISK_THREADS, Some(Box::new(gate.clone())))?;
    let common = Rc::new(common);
    let driver = Uring::new(common.clone());
    executor.run(async {
        // Whatever else happens, this timer makes the executor look around every 50 ms.
        let heartbeat = birth.heartbeat.clone();
        let ticker = glommio::spawn_local(async move {
            loop {
                heartbeat.beat();
                glommio::timer::sleep(Duration::from_millis(BEAT_MS)).await;
            }
        });
        let pump = glommio::spawn_local(pump(gate, common.registry.clone()));
        pause().await;
        let (handle, tracked) = common.registry.track_main(async move { main(driver).await });
        common.registry.start(|| drop(glommio::spawn_local(tracked).detach()));
        birth.is_ready();
        let result = common.registry.supervise(handle).await;
        common.registry.end_all(end_by(), clock::now, pause).await;
        pump.cancel().await;
        ticker.cancel().await;
        // Files that were dropped are closed by the ring: give it a turn.
        pause().await;
        outcome(result)
    })
}
