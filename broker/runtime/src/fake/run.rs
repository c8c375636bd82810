//! How does a shard live from its first task to its last, or to a crash?

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::fake::Fake;
use crate::fake::disk::Disk;
use crate::fake::net::Net;
use crate::fake::world::World;
use crate::shard::{Birth, END_WAIT_MS, ShardOptions, ShardThread, outcome, start_thread};
use crate::tasks::yield_once;

type Panic = Box<dyn Any + Send>;

impl Fake {
    /// Runs the shard until `main` has ended, and all tasks with it; panics if it never will.
    pub fn run<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.run_for(u64::MAX, main).expect("main has ended")
    }

    /// As [`Fake::run`], but the process is killed when `steps` timers and operations of the disk have ended: `None`.
    /// [`Fake::crash_image`] then tells what may be left.
    pub fn run_for<T: 'static>(&self, mut steps: u64, main: impl Future<Output = T> + 'static) -> Option<T> {
        let world = &self.0;
        world.disk().settle();
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        let ended = world.supervise(async move {
            let result = main.await;
            *slot.borrow_mut() = Some(result);
        });
        loop {
            if let Some(end) = ended.borrow_mut().take() {
                world.end();
                end.unwrap_or_else(|panic| resume_unwind(panic));
                return result.take();
            }
            if !world.is_due() && world.run_one() {
                continue;
            }
            if steps == 0 {
                world.end();
                return None;
            }
            steps -= 1;
            assert!(world.fire_one(), "the shard sleeps for ever: no task is ready, and there is nothing to wait for");
        }
    }
}

impl World {
    /// Starts the main task. The value appears when it has ended, or any task has panicked.
    fn supervise(&self, main: impl Future<Output = ()> + 'static) -> Rc<RefCell<Option<Result<(), Panic>>>> {
        let (handle, tracked) = self.registry.track_main(main);
        let (registry, end) = (self.registry.clone(), Rc::new(RefCell::new(None)));
        let slot = end.clone();
        self.start(Box::pin(tracked));
        self.start(Box::pin(async move {
            let result = registry.supervise(handle).await;
            *slot.borrow_mut() = Some(result);
        }));
        end
    }
}

/// Starts a shard in a thread of its own, on a disk and a network that it shares with others; those outside may send
/// and wake it, so its order is that of the seed no longer. The shard ends with `main`; what it spawned is cancelled
/// then.
pub fn start_shard_fake<F, Fut>(
    options: ShardOptions,
    disk: Arc<Mutex<Disk>>,
    net: Net,
    main: F,
) -> io::Result<ShardThread>
where
    F: FnOnce(Fake) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let seed = u64::from(options.shard.0);
    start_thread(options, move |birth| live(birth, World::on(disk, net, seed), main))
}

fn live<F, Fut>(birth: &Birth, world: Rc<World>, main: F) -> io::Result<()>
where
    F: FnOnce(Fake) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let fake = Fake(world.clone());
    let ended = world.supervise(async move { main(fake).await });
    birth.is_ready();
    let turn = || {
        birth.heartbeat.beat();
        // Whoever is outside may still wake somebody.
        let turned = world.turn();
        if !turned {
            thread::park();
        }
    };
    let result = loop {
        if let Some(result) = ended.borrow_mut().take() {
            break result;
        }
        turn();
    };
    let by = world.now().plus_ms(END_WAIT_MS);
    let (ending, all_ended) = (world.clone(), Rc::new(RefCell::new(None)));
    let slot = all_ended.clone();
    world.start(Box::pin(async move {
        let left = ending.registry.end_all(by, || ending.now(), yield_once).await;
        *slot.borrow_mut() = Some(left);
    }));
    while all_ended.borrow().is_none() {
        turn();
    }
    world.end();
    outcome(result)
}
