//! How is a log written on io_uring?
//!
//! With O_DIRECT and O_DSYNC: one completion says that the bytes are durable.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;

use glommio::io::{DmaFile, OpenOptions};

use crate::buffer::IoBuf;
use crate::common::about;
use crate::disk::{Fault, check_log};
use crate::driver::LogFile;
use crate::uring::os_error;

/// A log of one shard. Clones are the same.
#[derive(Clone)]
pub struct UringLog {
    open: Rc<Open>,
}

struct Open {
    /// `None` after close. Operations under way hold a clone.
    file: RefCell<Option<Rc<DmaFile>>>,
    fault: Fault,
    len: u64,
}

impl UringLog {
    pub(crate) fn open(path: &Path) -> impl Future<Output = io::Result<UringLog>> + 'static + use<> {
        let path = path.to_owned();
        async move {
            let open = async {
                // glommio adds O_DIRECT, except on tmpfs.
                let mut options = OpenOptions::new();
                options.read(true).write(true).custom_flags(libc::O_DSYNC);
                let file = options.dma_open(&path).await?;
                let len = file.file_size().await?;
                Ok((file, len))
            };
            let (file, len) = open.await.map_err(os_error).map_err(|error| {
                let refused = error.raw_os_error() == Some(libc::EINVAL);
                let advice =
                    if refused { "; if its file system has no O_DIRECT, start with --io portable" } else { "" };
                about(&path, io::Error::new(error.kind(), format!("{error}{advice}")))
            })?;
            let file = RefCell::new(Some(Rc::new(file)));
            Ok(UringLog { open: Rc::new(Open { file, fault: Fault::default(), len }) })
        }
    }
}

impl Open {
    fn file(&self) -> io::Result<Rc<DmaFile>> {
        self.file.borrow().clone().ok_or_else(closed)
    }
}

impl LogFile for UringLog {
    fn alloc(&self, len: usize) -> IoBuf {
        IoBuf::zeroed_for_ring(len)
    }

    fn write_at(&self, pos: u64, buf: IoBuf) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_log(pos, buf.len(), open.len)?;
            let file = open.file()?;
            let guard = open.fault.begin()?;
            let wanted = buf.len();
            // The ring holds on to the memory until the kernel is done, even if this future is dropped.
            let buffer = Rc::new(buf.into_ring());
            let written = file.write_rc_at(buffer.clone(), pos).await;
            guard.end(written.map_err(os_error), wanted)?;
            Ok(match Rc::try_unwrap(buffer) {
                Ok(buffer) => IoBuf::from_ring(buffer),
                Err(shared) => {
                    let mut copy = IoBuf::zeroed_for_ring(wanted);
                    copy.copy_from_slice(shared.as_bytes());
                    copy
                }
            })
        }
    }

    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_log(pos, len, open.len)?;
            let read = open.file()?.read_at_aligned(pos, len).await.map_err(os_error)?;
            if read.len() != len {
                let message = format!("only {} of {len} bytes at {pos} could be read", read.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            let mut buf = IoBuf::zeroed_for_ring(len);
            buf.copy_from_slice(&read);
            Ok(buf)
        }
    }

    fn len(&self) -> u64 {
        self.open.len
    }

    fn close(self) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let file = self.open.file.borrow_mut().take();
        async move {
            // With operations under way the last of them closes the file.
            file.ok_or_else(closed)?.close_rc().await.map(drop).map_err(os_error)
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("the log is closed")
}
