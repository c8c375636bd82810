//! How is a file read from the disk in memory?

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;

use crate::common::about;
use crate::disk::check_bytes;
use crate::driver::ReadFile;
use crate::fake::Fake;

/// A file that is open for reading.
pub struct FakeFile {
    open: Rc<Open>,
}

struct Open {
    fake: Fake,
    path: PathBuf,
    number: u64,
    len: u64,
}

impl FakeFile {
    pub(super) async fn open(fake: Fake, path: PathBuf) -> io::Result<FakeFile> {
        let (number, len) = fake.step("open", &path, |disk| disk.open(&path)).await?;
        Ok(FakeFile { open: Rc::new(Open { fake, path, number, len }) })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.fake.0.disk().close(self.number);
    }
}

impl ReadFile for FakeFile {
    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<Bytes>> + 'static + use<> {
        let open = self.open.clone();
        async move {
            check_bytes(pos, len, open.len)?;
            let world = &open.fake.0;
            world.pause().await;
            world.note_read(pos, len);
            world.faults.read().map_err(|error| about(&open.path, error))?;
            Ok(Bytes::copy_from_slice(world.disk().bytes(open.number, pos, len)))
        }
    }

    fn len(&self) -> u64 {
        self.open.len
    }
}
