//! How is a log written without io_uring?
//!
//! One thread per log that is written to does `pwrite` with O_DIRECT and O_DSYNC, in order; the shard stays free.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::thread;

use tokio::sync::oneshot;

use crate::buffer::IoBuf;
use crate::common::{Common, about};
use crate::cores::CoreSet;
use crate::disk::{Fault, check_log};
use crate::driver::LogFile;

/// Writes that wait for the thread; callers keep fewer in flight.
const WRITES_MAX: usize = 16;

/// A log of one shard. Clones are the same.
#[derive(Clone)]
pub struct PortableLog {
    open: Rc<Open>,
}

struct Open {
    common: Rc<Common>,
    /// `None` after close.
    file: RefCell<Option<Arc<File>>>,
    /// Started by the first write: most logs are sealed and only read.
    writer: RefCell<Option<Writer>>,
    fault: Fault,
    len: u64,
}

struct Writer {
    writes: flume::Sender<Write>,
    ended: oneshot::Receiver<()>,
}

struct Write {
    pos: u64,
    buf: IoBuf,
    answer: oneshot::Sender<(io::Result<usize>, IoBuf)>,
}

impl PortableLog {
    pub(crate) fn open(
        common: Rc<Common>,
        path: &Path,
    ) -> impl Future<Output = io::Result<PortableLog>> + 'static + use<> {
        let opened = common.at(path, open_direct);
        async move {
            let (file, len) = opened.await?;
            let (file, writer) = (RefCell::new(Some(Arc::new(file))), RefCell::new(None));
            Ok(PortableLog { open: Rc::new(Open { common, file, writer, fault: Fault::default(), len }) })
        }
    }
}

/// With O_DIRECT where the file system has it, always with O_DSYNC.
fn open_direct(path: &Path) -> io::Result<(File, u64)> {
    static REFUSED: Once = Once::new();
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = match options.custom_flags(libc::O_DIRECT | libc::O_DSYNC).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            REFUSED.call_once(|| {
                tracing::warn!(
                    path = %path.display(),
                    "the file system refuses O_DIRECT: logs go through the page cache, still with O_DSYNC"
                );
            });
            options.custom_flags(libc::O_DSYNC).open(path)?
        }
        result => result?,
    };
    let len = file.metadata()?.len();
    Ok((file, len))
}

impl Open {
    fn file(&self) -> io::Result<Arc<File>> {
        self.file.borrow().clone().ok_or_else(closed)
    }

    /// The queue of the writer thread, which this starts if need be.
    fn writes(&self) -> io::Result<flume::Sender<Write>> {
        let file = self.file()?;
        let mut writer = self.writer.borrow_mut();
        if let Some(writer) = &*writer {
            return Ok(writer.writes.clone());
        }
        let (writes, queue) = flume::bounded(WRITES_MAX);
        let (end, ended) = oneshot::channel();
        let cores = self.common.cores.clone();
        thread::Builder::new()
            .name(format!("frazil-log-{}", self.common.shard))
            .spawn(move || write_all(&file, &queue, &cores, end))?;
        *writer = Some(Writer { writes: writes.clone(), ended });
        Ok(writes)
    }
}

/// The writer thread: ends when the log is closed or dropped, after all writes it was given.
fn write_all(file: &File, queue: &flume::Receiver<Write>, cores: &CoreSet, end: oneshot::Sender<()>) {
    cores.apply();
    while let Ok(Write { pos, buf, answer }) = queue.recv() {
        let written = file.write_at(&buf, pos);
        // Nobody listening any more is no error: the caller was cancelled.
        drop(answer.send((written, buf)));
    }
    drop(end);
}

impl LogFile for PortableLog {
    fn alloc(&self, len: usize) -> IoBuf {
        IoBuf::zeroed(len)
    }

    fn write_at(&self, pos: u64, buf: IoBuf) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_log(pos, buf.len(), open.len)?;
            let writes = open.writes()?;
            let guard = open.fault.begin()?;
            let wanted = buf.len();
            let (answer, written) = oneshot::channel();
            let sent = writes.send_async(Write { pos, buf, answer }).await;
            drop(writes);
            let (written, buf) = match (sent, written.await) {
                (Ok(()), Ok(answer)) => answer,
                _ => return guard.end(Err(closed()), wanted).and_then(|()| Err(closed())),
            };
            guard.end(written, wanted).map(|()| buf)
        }
    }

    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_log(pos, len, open.len)?;
            let file = open.file()?;
            let read = open.common.pool.run(move || {
                let mut buf = IoBuf::zeroed(len);
                file.read_exact_at(&mut buf, pos)?;
                Ok(buf)
            });
            read.await
        }
    }

    fn len(&self) -> u64 {
        self.open.len
    }

    fn close(self) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let file = self.open.file.borrow_mut().take();
        let writer = self.open.writer.borrow_mut().take();
        async move {
            if let Some(Writer { writes, ended }) = writer {
                drop(writes);
                // The thread never sends, it only lets go.
                let _ = ended.await;
            }
            file.map(drop).ok_or_else(closed)
        }
    }
}

fn closed() -> io::Error {
    about(Path::new("log"), io::Error::other("it is closed"))
}
