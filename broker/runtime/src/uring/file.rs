//! How is a file read on io_uring?

use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use glommio::io::BufferedFile;

use crate::common::about;
use crate::disk::{check_bytes, pieces};
use crate::driver::ReadFile;
use crate::uring::os_error;

/// An open file, read through the page cache.
pub struct UringFile {
    file: Rc<BufferedFile>,
    len: u64,
}

impl UringFile {
    pub(crate) fn open(path: &Path) -> impl Future<Output = io::Result<UringFile>> + 'static + use<> {
        let path = path.to_owned();
        async move {
            let open = async {
                let file = BufferedFile::open(&path).await?;
                let len = file.file_size().await?;
                Ok(UringFile { file: Rc::new(file), len })
            };
            open.await.map_err(|error| about(&path, os_error(error)))
        }
    }
}

impl ReadFile for UringFile {
    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<Bytes>> + 'static + use<> {
        let checked = check_bytes(pos, len, self.len);
        let file = self.file.clone();
        async move {
            checked?;
            let mut bytes = BytesMut::with_capacity(len);
            for (pos, range) in pieces(pos, len) {
                let mut from = 0;
                while from < range.len() {
                    let read = file.read_at(pos + from as u64, range.len() - from).await.map_err(os_error)?;
                    if read.is_empty() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    bytes.extend_from_slice(&read);
                    from += read.len();
                }
            }
            Ok(bytes.freeze())
        }
    }

    fn len(&self) -> u64 {
        self.len
    }
}
