//! Does another process already run on this data folder?

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Held as long as the node lives; the kernel lets it go when the process ends, however it ends.
pub struct DataLock(#[expect(dead_code, reason = "the lock is held by the open file")] File);

impl DataLock {
    pub fn take(data_dir: &Path) -> Result<DataLock> {
        std::fs::create_dir_all(data_dir).with_context(|| format!("the data folder {}", data_dir.display()))?;
        let path = data_dir.join("lock");
        let file = File::create(&path).with_context(|| format!("the lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock(file)),
            Err(TryLockError::WouldBlock) => bail!(
                "another frazil runs on the data folder {}; stop it, or set data_dir to another folder",
                data_dir.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }
}
