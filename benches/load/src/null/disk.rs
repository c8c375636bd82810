//! How do batches reach the disk with the least work?

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::probe::{BLOCK_BYTES, Scratch};

const WRITE_BYTES: usize = 1024 * 1024;

/// Direct I/O wants its memory aligned.
#[repr(align(4096))]
struct Buffer([u8; WRITE_BYTES]);

/// A zeroed file that is written round and round.
pub struct Disk {
    file: File,
    _scratch: Scratch,
    bytes: u64,
    at: u64,
    buffer: Box<Buffer>,
    filled: usize,
}

impl Disk {
    pub fn create(dir: &Path, file_mib: usize) -> Result<Disk> {
        let scratch = Scratch::create(dir, file_mib.max(1))?;
        let (file, bytes) = (scratch.open()?, scratch.blocks * BLOCK_BYTES as u64);
        // SAFETY: zeroes are a value of an array of bytes.
        let buffer = unsafe { Box::<Buffer>::new_zeroed().assume_init() };
        Ok(Disk { file, _scratch: scratch, bytes, at: 0, buffer, filled: 0 })
    }

    /// Takes one batch into the next write.
    pub fn add(&mut self, mut batch: &[u8]) -> Result<()> {
        while !batch.is_empty() {
            let step = batch.len().min(WRITE_BYTES - self.filled);
            self.buffer.0[self.filled..self.filled + step].copy_from_slice(&batch[..step]);
            self.filled += step;
            batch = &batch[step..];
            if self.filled == WRITE_BYTES {
                self.write()?;
            }
        }
        Ok(())
    }

    /// What was taken is durable when this returns.
    pub fn write(&mut self) -> Result<()> {
        let len = self.filled.next_multiple_of(BLOCK_BYTES);
        if len == 0 {
            return Ok(());
        }
        if self.at + len as u64 > self.bytes {
            self.at = 0;
        }
        self.file.write_all_at(&self.buffer.0[..len], self.at).context("the null broker's log")?;
        self.at += len as u64;
        self.filled = 0;
        Ok(())
    }
}
