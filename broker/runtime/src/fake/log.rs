//! How is a log written on the disk in memory?

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::buffer::IoBuf;
use crate::common::about;
use crate::disk::{Fault, check_log};
use crate::driver::LogFile;
use crate::fake::Fake;
use crate::fake::timers::Due;

/// An open log. Clones are the same.
#[derive(Clone)]
pub struct FakeLog {
    open: Rc<Open>,
}

struct Open {
    fake: Fake,
    path: PathBuf,
    number: u64,
    len: u64,
    fault: Fault,
    closed: Cell<bool>,
}

/// How a write ended, and who waits for that.
#[derive(Default)]
pub(super) struct Answer {
    result: RefCell<Option<(io::Result<()>, IoBuf)>>,
    waker: Cell<Option<Waker>>,
}

impl Answer {
    pub(super) fn give(&self, result: io::Result<()>, buffer: IoBuf) {
        *self.result.borrow_mut() = Some((result, buffer));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl FakeLog {
    pub(super) async fn open(fake: Fake, path: PathBuf) -> io::Result<FakeLog> {
        let (number, len) = fake.step("open", &path, |disk| disk.open(&path)).await?;
        let (fault, closed) = (Fault::default(), Cell::new(false));
        Ok(FakeLog { open: Rc::new(Open { fake, path, number, len, fault, closed }) })
    }
}

impl Open {
    fn check_open(&self) -> io::Result<()> {
        if self.closed.get() { Err(about(&self.path, io::Error::other("it is closed"))) } else { Ok(()) }
    }

    /// Hands a buffer to the disk, which will answer when its time has come.
    fn begin_write(&self, pos: u64, buffer: IoBuf) -> Rc<Answer> {
        let (world, answer) = (&self.fake.0, Rc::new(Answer::default()));
        let id = world.disk().begin_write(self.number, pos, buffer);
        world.answers.borrow_mut().insert(id, answer.clone());
        world.timers.add(world.operation_ends(), Due::Write(id));
        answer
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.fake.0.disk().close(self.number);
    }
}

impl LogFile for FakeLog {
    fn alloc(&self, len: usize) -> IoBuf {
        IoBuf::zeroed(len)
    }

    fn write_at(&self, pos: u64, buffer: IoBuf) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_log(pos, buffer.len(), open.len)?;
            open.check_open()?;
            let guard = open.fault.begin()?;
            let wanted = buffer.len();
            let answer = open.begin_write(pos, buffer);
            let (result, buffer) = poll_fn(|context| {
                if let Some(result) = answer.result.borrow_mut().take() {
                    return Poll::Ready(result);
                }
                answer.waker.set(Some(context.waker().clone()));
                Poll::Pending
            })
            .await;
            guard.end(result.map(|()| wanted), wanted).map(|()| buffer)
        }
    }

    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_log(pos, len, open.len)?;
            open.check_open()?;
            let world = &open.fake.0;
            world.pause().await;
            world.note_read(pos, len);
            world.faults.read().map_err(|error| about(&open.path, error))?;
            let mut buffer = IoBuf::zeroed(len);
            buffer.copy_from_slice(world.disk().bytes(open.number, pos, len));
            Ok(buffer)
        }
    }

    fn len(&self) -> u64 {
        self.open.len
    }

    fn close(self) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let open = self.open;
        async move {
            open.check_open()?;
            open.closed.set(true);
            Ok(())
        }
    }
}
