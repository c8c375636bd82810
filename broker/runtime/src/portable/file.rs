//! How is a file read without io_uring?

use std::fs::File;
use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::common::Common;
use crate::disk::{check_bytes, read_exact};
use crate::driver::ReadFile;

/// An open file, read by the shard's disk threads through the page cache.
pub struct PortableFile {
    common: Rc<Common>,
    file: Arc<File>,
    len: u64,
}

impl PortableFile {
    pub(crate) fn open(
        common: Rc<Common>,
        path: &Path,
    ) -> impl Future<Output = io::Result<PortableFile>> + 'static + use<> {
        let opened = common.at(path, |path| {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            Ok((Arc::new(file), len))
        });
        async move {
            let (file, len) = opened.await?;
            Ok(PortableFile { common, file, len })
        }
    }
}

impl ReadFile for PortableFile {
    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<Bytes>> + 'static + use<> {
        let checked = check_bytes(pos, len, self.len);
        let file = self.file.clone();
        let read = self.common.pool.run(move || read_exact(&file, pos, len));
        async move {
            checked?;
            read.await.map(Bytes::from)
        }
    }

    fn len(&self) -> u64 {
        self.len
    }
}
