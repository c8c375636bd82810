//! A shard on a disk in memory: one thread, its order given by a seed.
//!
//! Writes end in any order; a crash leaves any part of the sectors of those that have not ended. Tasks are polled only
//! when woken, so a forgotten wake shows as a deadlock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use runtime::{
    DirEntry, Driver, Instant, IoBuf, Listener, LogFile, ReadFile, Stream, StreamRead, StreamWrite, TaskHandle,
};

const SECTOR: usize = 512;

/// The files of a disk.
pub(crate) type Image = BTreeMap<PathBuf, Vec<u8>>;

/// What the disk refuses.
#[derive(Default)]
pub(crate) struct Faults {
    /// This many more writes succeed, then all fail.
    pub writes_left: Cell<Option<u64>>,
    pub full: Cell<bool>,
}

type Job = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone)]
pub(crate) struct Fake(Rc<World>);

struct World {
    files: RefCell<Image>,
    writes: RefCell<Vec<PendingWrite>>,
    tasks: RefCell<Vec<(Arc<Flag>, Job)>>,
    spawned: RefCell<Vec<Job>>,
    sleepers: RefCell<BTreeMap<(u64, u64), Waker>>,
    now: Cell<u64>,
    dice: Cell<u64>,
    faults: Faults,
    in_flight_most: Cell<usize>,
}

struct PendingWrite {
    act: Act,
    answer: Rc<Answer>,
}

/// What changes the disk when it ends, or perhaps when the process crashes before.
enum Act {
    Write { path: PathBuf, at: usize, buffer: IoBuf },
    Append { path: PathBuf, bytes: Bytes },
    Rename { from: PathBuf, to: PathBuf },
}

#[derive(Default)]
struct Answer {
    result: RefCell<Option<io::Result<IoBuf>>>,
    waker: Cell<Option<Waker>>,
}

impl Act {
    fn perform(&self, files: &mut Image) -> io::Result<()> {
        self.perform_sectors(files, |_| true)
    }

    /// Only those sectors of the bytes reach the disk.
    fn perform_sectors(&self, files: &mut Image, mut reaches: impl FnMut(usize) -> bool) -> io::Result<()> {
        match self {
            Act::Write { path, at, buffer } => {
                let file = files.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
                for (n, sector) in buffer.chunks(SECTOR).enumerate().filter(|(n, _)| reaches(*n)) {
                    let at = at + n * SECTOR;
                    file[at..at + sector.len()].copy_from_slice(sector);
                }
            }
            Act::Append { path, bytes } => {
                let file = files.entry(path.clone()).or_default();
                for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                    if reaches(n) { file.extend_from_slice(sector) } else { file.resize(file.len() + sector.len(), 0) }
                }
            }
            Act::Rename { from, to } => {
                if reaches(0) {
                    let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
                    files.insert(to.clone(), file);
                }
            }
        }
        Ok(())
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Fake {
    pub fn new(files: Image, seed: u64) -> Fake {
        Fake(Rc::new(World {
            files: RefCell::new(files),
            writes: RefCell::default(),
            tasks: RefCell::default(),
            spawned: RefCell::default(),
            sleepers: RefCell::default(),
            now: Cell::new(0),
            dice: Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            faults: Faults::default(),
            in_flight_most: Cell::new(0),
        }))
    }

    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub fn in_flight_most(&self) -> usize {
        self.0.in_flight_most.get()
    }

    pub fn below(&self, end: u64) -> u64 {
        self.random() % end
    }

    /// What is on the disk if nothing more happens.
    pub fn image(&self) -> Image {
        self.0.files.borrow().clone()
    }

    /// What may be on the disk after a crash now: any sectors of the writes that have not ended.
    pub fn crash_image(&self) -> Image {
        let mut files = self.image();
        for write in self.0.writes.borrow().iter() {
            let (all, none) = (self.below(4) == 0, self.below(4) == 0);
            let reaches = |_| all || (!none && self.below(2) == 0);
            write.act.perform_sectors(&mut files, reaches).expect("files that are written exist");
        }
        files
    }

    /// Damages a bit of the n-th file.
    pub fn flip(&self, n: usize, at: usize) {
        let mut files = self.0.files.borrow_mut();
        files.values_mut().nth(n).expect("there is such a file")[at] ^= 0x10;
    }

    /// Runs the shard until `main` has ended; panics if it never will.
    pub fn run<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.run_for(u64::MAX, main).expect("main has ended")
    }

    /// As `run`, but the process is stopped when `steps` writes or sleeps have ended.
    pub fn run_for<T: 'static>(&self, steps: u64, main: impl Future<Output = T> + 'static) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.0.spawned.borrow_mut().push(Box::pin(async move {
            let result = main.await;
            *slot.borrow_mut() = Some(result);
        }));
        let mut steps_left = steps;
        loop {
            while self.poll_woken() {}
            if result.borrow().is_some() {
                return result.take();
            }
            if steps_left == 0 {
                return None;
            }
            steps_left -= 1;
            assert!(self.end_a_write() || self.end_a_sleep(), "the shard sleeps for ever");
        }
    }

    fn poll_woken(&self) -> bool {
        let spawned = std::mem::take(&mut *self.0.spawned.borrow_mut());
        let mut tasks = self.0.tasks.take();
        tasks.extend(spawned.into_iter().map(|task| (Arc::new(Flag(AtomicBool::new(true))), task)));
        let mut woken = false;
        tasks.retain_mut(|(flag, task)| {
            if !flag.0.swap(false, Ordering::SeqCst) {
                return true;
            }
            woken = true;
            let waker = Waker::from(flag.clone());
            task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        *self.0.tasks.borrow_mut() = tasks;
        woken
    }

    fn end_a_write(&self) -> bool {
        let pending = self.0.writes.borrow().len() as u64;
        if pending == 0 {
            return false;
        }
        let at = usize::try_from(self.below(pending)).expect("few writes");
        let write = self.0.writes.borrow_mut().swap_remove(at);
        let faults = &self.0.faults;
        let result = match faults.writes_left.get() {
            Some(0) => Err(io::Error::other("the disk is broken")),
            left => {
                faults.writes_left.set(left.map(|left| left - 1));
                let done = write.act.perform(&mut self.0.files.borrow_mut());
                done.map(|()| match write.act {
                    Act::Write { buffer, .. } => buffer,
                    Act::Append { .. } | Act::Rename { .. } => IoBuf::zeroed(0),
                })
            }
        };
        *write.answer.result.borrow_mut() = Some(result);
        if let Some(waker) = write.answer.waker.take() {
            waker.wake();
        }
        true
    }

    fn start(&self, act: Act) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let (fake, answer) = (self.clone(), Rc::new(Answer::default()));
        let mut write = Some(PendingWrite { act, answer: answer.clone() });
        std::future::poll_fn(move |context| {
            if let Some(write) = write.take() {
                let world = &fake.0;
                world.writes.borrow_mut().push(write);
                let to_logs =
                    world.writes.borrow().iter().filter(|write| matches!(write.act, Act::Write { .. })).count();
                world.in_flight_most.set(world.in_flight_most.get().max(to_logs));
            }
            if let Some(result) = answer.result.borrow_mut().take() {
                return Poll::Ready(result);
            }
            answer.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
    }

    fn end_a_sleep(&self) -> bool {
        let first = self.0.sleepers.borrow_mut().pop_first();
        let Some(((at, _), waker)) = first else { return false };
        self.0.now.set(self.0.now.get().max(at));
        waker.wake();
        true
    }
}

impl Driver for Fake {
    type Log = FakeLog;
    type File = FakeFile;
    type Listener = Never;
    type Task<T: 'static> = FakeTask<T>;

    fn now(&self) -> Instant {
        Instant(self.0.now.get())
    }

    fn wall_ms(&self) -> i64 {
        1_700_000_000_000
    }

    fn random(&self) -> u64 {
        // SplitMix64.
        let state = self.0.dice.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.dice.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + 'static + use<> {
        let (fake, id) = (self.clone(), self.random());
        std::future::poll_fn(move |context| {
            if fake.0.now.get() >= at.0 {
                return Poll::Ready(());
            }
            fake.0.sleepers.borrow_mut().insert((at.0, id), context.waker().clone());
            Poll::Pending
        })
    }

    fn yield_now(&self) -> impl Future<Output = ()> + 'static + use<> {
        let mut woken = false;
        std::future::poll_fn(move |context| {
            if std::mem::replace(&mut woken, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    fn should_yield(&self) -> bool {
        false
    }

    fn spawn<T: 'static>(&self, _: &'static str, task: impl Future<Output = T> + 'static) -> FakeTask<T> {
        let done: FakeTask<T> = FakeTask(Rc::new(Outcome { result: RefCell::new(None), waker: Cell::new(None) }));
        let slot = done.0.clone();
        self.0.spawned.borrow_mut().push(Box::pin(async move {
            let result = task.await;
            *slot.result.borrow_mut() = Some(result);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }));
        done
    }

    fn create_log(&self, path: &Path, len: u64) -> impl Future<Output = io::Result<FakeLog>> + 'static + use<> {
        ready(match self.0.faults.full.get() {
            true => Err(io::Error::from_raw_os_error(28)),
            false if self.0.files.borrow().contains_key(path) => Err(io::ErrorKind::AlreadyExists.into()),
            false => {
                self.0.files.borrow_mut().insert(path.to_owned(), vec![0; usize::try_from(len).expect("small")]);
                Ok(FakeLog { fake: self.clone(), path: path.to_owned() })
            }
        })
    }

    fn open_log(&self, path: &Path) -> impl Future<Output = io::Result<FakeLog>> + 'static + use<> {
        ready(match self.0.files.borrow().contains_key(path) {
            true => Ok(FakeLog { fake: self.clone(), path: path.to_owned() }),
            false => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn open_read(&self, path: &Path) -> impl Future<Output = io::Result<FakeFile>> + 'static + use<> {
        ready(self.0.files.borrow().get(path).cloned().map(FakeFile).ok_or(io::ErrorKind::NotFound.into()))
    }

    fn replace_file(&self, path: &Path, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.0.files.borrow_mut().insert(path.to_owned(), bytes.to_vec());
        ready(Ok(()))
    }

    fn append_file(&self, path: &Path, bytes: Bytes) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let full = self.0.faults.full.get();
        let appended = self.start(Act::Append { path: path.to_owned(), bytes });
        async move { if full { Err(io::Error::from_raw_os_error(28)) } else { appended.await.map(drop) } }
    }

    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let renamed = self.start(Act::Rename { from: from.to_owned(), to: to.to_owned() });
        async move { renamed.await.map(drop) }
    }

    fn remove(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let removed = self.0.files.borrow_mut().remove(path);
        ready(removed.map(|_| ()).ok_or(io::ErrorKind::NotFound.into()))
    }

    fn create_dir(&self, _: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        ready(Ok(()))
    }

    fn list(&self, dir: &Path) -> impl Future<Output = io::Result<Vec<DirEntry>>> + 'static + use<> {
        let files = self.0.files.borrow();
        let entries = files.iter().filter(|(path, _)| path.parent() == Some(dir)).map(|(path, bytes)| DirEntry {
            name: path.file_name().expect("files have names").to_string_lossy().into_owned(),
            len: bytes.len() as u64,
        });
        ready(Ok(entries.collect()))
    }

    fn listen(&self, _: SocketAddr) -> io::Result<Never> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn shutdown(&self, _: Instant) -> impl Future<Output = usize> + 'static + use<> {
        ready(0)
    }
}

#[derive(Clone)]
pub(crate) struct FakeLog {
    fake: Fake,
    path: PathBuf,
}

impl LogFile for FakeLog {
    fn alloc(&self, len: usize) -> IoBuf {
        IoBuf::zeroed(len)
    }

    fn write_at(&self, pos: u64, buffer: IoBuf) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let at = usize::try_from(pos).expect("small");
        assert!(at.is_multiple_of(4096) && at + buffer.len() <= usize::try_from(self.len()).expect("small"));
        self.fake.start(Act::Write { path: self.path.clone(), at, buffer })
    }

    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let (files, at) = (self.fake.0.files.borrow(), usize::try_from(pos).expect("small"));
        ready(match files.get(&self.path).and_then(|file| file.get(at..at + len)) {
            Some(bytes) => {
                let mut buffer = IoBuf::zeroed(len);
                buffer.copy_from_slice(bytes);
                Ok(buffer)
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    }

    fn len(&self) -> u64 {
        self.fake.0.files.borrow().get(&self.path).map_or(0, Vec::len) as u64
    }

    fn close(self) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        ready(Ok(()))
    }
}

pub(crate) struct FakeFile(Vec<u8>);

impl ReadFile for FakeFile {
    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<Bytes>> + 'static + use<> {
        let at = usize::try_from(pos).expect("small");
        ready(self.0.get(at..at + len).map(Bytes::copy_from_slice).ok_or(io::ErrorKind::UnexpectedEof.into()))
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

pub(crate) struct FakeTask<T>(Rc<Outcome<T>>);

/// The result of a task, and who waits for it.
struct Outcome<T> {
    result: RefCell<Option<T>>,
    waker: Cell<Option<Waker>>,
}

impl<T: 'static> Future for FakeTask<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(result) = self.0.result.borrow_mut().take() {
            return Poll::Ready(Some(result));
        }
        self.0.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl<T: 'static> TaskHandle<T> for FakeTask<T> {
    fn cancel(self) {}
}

/// The log has no network.
pub(crate) enum Never {}

impl Listener for Never {
    type Stream = Never;

    async fn accept(&self) -> io::Result<(Never, SocketAddr)> {
        match *self {}
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match *self {}
    }
}

impl Stream for Never {
    type Read = Never;
    type Write = Never;

    fn split(self) -> (Never, Never) {
        match self {}
    }
}

impl StreamRead for Never {
    async fn read(&mut self, _: &mut BytesMut) -> io::Result<usize> {
        match *self {}
    }
}

impl StreamWrite for Never {
    async fn write_all(&mut self, _: &[Bytes]) -> io::Result<()> {
        match *self {}
    }

    fn close(&mut self) {
        match *self {}
    }
}
