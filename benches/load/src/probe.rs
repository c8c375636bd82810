//! What does the disk below a broker give, on the same schedule?
//!
//! 4 KiB are written to a file that is allocated and zeroed beforehand, past the page cache (O_DIRECT) and durably
//! (O_DSYNC): the least that an acknowledged batch can cost.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::clock::{now_ns, seconds, sleep_until, wake_on_time};
use crate::schedule::{Pace, Slots, Times, Window};
use crate::tally::{Latencies, Tally};

pub const BLOCK_BYTES: usize = 4096;
const MIB: usize = 1024 * 1024;
const WRITERS_MAX: usize = 64;
const FILE_MIB_MAX: usize = 64 * 1024;

#[derive(clap::Args)]
pub struct Args {
    /// A folder on the disk to probe; the file in it is removed at the end
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[arg(long, value_name = "RATE")]
    writes_per_s: f64,
    /// Writes that may be under way at a time
    #[arg(long, default_value_t = 1, value_name = "N")]
    writers: usize,
    /// Size of the file; writes go round in it
    #[arg(long, default_value_t = 64, value_name = "MIB")]
    file_mib: usize,
    #[command(flatten)]
    times: Times,
}

/// Direct I/O wants its memory aligned.
#[repr(align(4096))]
struct Block([u8; BLOCK_BYTES]);

/// What one writer saw.
struct Seen {
    tally: Tally,
    /// The write alone, without what it waited for the one before.
    write: Latencies,
}

/// The file, gone when dropped.
pub struct Scratch {
    path: PathBuf,
    pub blocks: u64,
}

/// Runs and answers the figures.
pub fn run(args: Args) -> Result<Value> {
    args.times.check()?;
    ensure!((1..=WRITERS_MAX).contains(&args.writers), "--writers: 1 to {WRITERS_MAX}");
    ensure!((1..=FILE_MIB_MAX).contains(&args.file_mib), "--file-mib: 1 to {FILE_MIB_MAX}");
    ensure!((0.001..=1_000_000.0).contains(&args.writes_per_s), "--writes-per-s: 0.001 to 1,000,000");
    let scratch = Scratch::create(&args.dir, args.file_mib)?;
    let file = scratch.open()?;
    let (seen, window) = drive(&args, &file, scratch.blocks)?;
    eprintln!("latency: {}", seen.tally.latency.line());
    eprintln!("write alone: {}", seen.write.line());
    let measured_s = seconds(window.end_ns - window.measured_ns);
    Ok(json!({
        "what": "probe",
        "dir": args.dir,
        "pace": { "batches_per_s": args.writes_per_s },
        "writers": args.writers,
        "block_bytes": BLOCK_BYTES,
        "measured_s": measured_s,
        "latency_us": seen.tally.latency.figures(),
        "delay_us": seen.tally.delay.figures(),
        "write_us": seen.write.figures(),
        "acked_batches": seen.tally.answered,
        "acked_batches_per_s": seen.tally.answered as f64 / measured_s,
        "late": seen.tally.late,
        "failed": 0,
    }))
}

fn drive(args: &Args, file: &File, blocks: u64) -> Result<(Seen, Window)> {
    let pace = Pace::Open { per_s: args.writes_per_s };
    let window = args.times.window();
    let mut all = Seen { tally: Tally::new(), write: Latencies::new() };
    thread::scope(|scope| {
        let writer = |hand| {
            let slots = Slots::new(pace, window, hand, args.writers);
            scope.spawn(move || write_on_schedule(file, blocks, slots))
        };
        let writers: Vec<_> = (0..args.writers).map(writer).collect();
        for writer in writers {
            let seen = writer.join().expect("a writer returns its errors")?;
            all.tally.add(seen.tally);
            all.write.add(&seen.write);
        }
        Ok((all, window))
    })
}

fn write_on_schedule(file: &File, blocks: u64, mut slots: Slots) -> Result<Seen> {
    wake_on_time();
    let (window, block) = (slots.window(), Box::new(Block([0xA5; BLOCK_BYTES])));
    let mut seen = Seen { tally: Tally::new(), write: Latencies::new() };
    while let Some(due_ns) = slots.due_ns(now_ns()) {
        let slot = slots.take();
        sleep_until(due_ns);
        let begun_ns = now_ns();
        if begun_ns >= window.give_up_ns {
            seen.tally.late(window, due_ns, begun_ns);
            continue;
        }
        seen.tally.sent(window, due_ns, begun_ns);
        file.write_all_at(&block.0, slot % blocks * BLOCK_BYTES as u64).context("the probe's file")?;
        let done_ns = now_ns();
        seen.tally.answered(window, due_ns, done_ns);
        if due_ns >= window.measured_ns {
            seen.write.record(done_ns - begun_ns);
        }
    }
    Ok(seen)
}

impl Scratch {
    pub fn create(dir: &Path, file_mib: usize) -> Result<Scratch> {
        let path = dir.join(format!("frazil-load-probe-{}", std::process::id()));
        let scratch = Scratch { path, blocks: (file_mib * MIB / BLOCK_BYTES) as u64 };
        let fill = || {
            let mut file = File::create_new(&scratch.path)?;
            let zeroes = vec![0; MIB];
            for _ in 0..file_mib {
                file.write_all(&zeroes)?;
            }
            file.sync_all()
        };
        fill().with_context(|| format!("{} cannot be made", scratch.path.display()))?;
        Ok(scratch)
    }

    pub fn open(&self) -> Result<File> {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC).open(&self.path);
        file.with_context(|| format!("{} takes no direct writes: choose --dir on a disk", self.path.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // When it was never made there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
