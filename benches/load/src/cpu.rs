//! How much processor time has a process used?

use std::fs;

use anyhow::{Context, Result};

/// Seconds of all its threads, in user mode and in the kernel, in steps of 10 milliseconds.
pub fn of_process(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("there is no process {pid}: what is --pid?"))?;
    let ticks = ticks(&text).with_context(|| format!("{path} does not look like that of Linux"))?;
    // SAFETY: no pointer is passed.
    let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(ticks as f64 / ticks_per_s as f64)
}

/// Fields 14 and 15 of proc_pid_stat(5). The name before them, in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests;
