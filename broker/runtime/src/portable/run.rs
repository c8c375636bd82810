//! How does a shard on tokio live from its first task to its last?

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::clock;
use crate::common::Common;
use crate::heartbeat::BEAT_MS;
use crate::portable::Portable;
use crate::shard::{Birth, ShardOptions, ShardThread, end_by, outcome, start_thread};

/// Threads that read and make other file calls, per shard.
const DISK_THREADS: usize = 4;

/// Starts a shard on tokio, in a thread named `frazil-shard-N`, and waits until it turns. The shard ends with `main`;
/// what it spawned is cancelled then.
pub fn start_shard_portable<F, Fut>(options: ShardOptions, main: F) -> io::Result<ShardThread>
where
    F: FnOnce(Portable) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    start_thread(options, move |birth| run(birth, main))
}

fn run<F, Fut>(birth: &Birth, main: F) -> io::Result<()>
where
    F: FnOnce(Portable) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let common = Rc::new(Common::start(birth.options.shard, birth.cores.clone(), DISK_THREADS, None)?);
    let driver = Portable::new(common.clone());
    LocalSet::new().block_on(&runtime, async {
        let heartbeat = birth.heartbeat.clone();
        let ticker = spawn_local(async move {
            loop {
                heartbeat.beat();
                tokio::time::sleep(Duration::from_millis(BEAT_MS)).await;
            }
        });
        let (handle, tracked) = common.registry.track_main(async move { main(driver).await });
        spawn_local(tracked);
        birth.is_ready();
        let result = common.registry.supervise(handle).await;
        common.registry.end_all(end_by(), clock::now, yield_now).await;
        ticker.abort();
        outcome(result)
    })
}
