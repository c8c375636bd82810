//! Which bug is planted, so that the simulator can be seen to find it?
//!
//! Production code has one seam for each, a line under `#[cfg(test)]` that passes a value through here.

use std::cell::Cell;

use model::{Offset, Position};

use crate::frame::Head;
use crate::reclaim::Renew;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A write is called durable that lies in a volatile cache: somebody skipped a flush.
    SkippedFlush,
    /// A write that failed is done again, or not at all, and called durable.
    RetriedWrite,
    /// A full disk is not noticed.
    HiddenFull,
    /// Frames are acknowledged with the write before theirs.
    AckedEarly,
    /// Frames are acknowledged although a write before theirs has not ended.
    OutOfOrder,
    /// Frames do not say what was durable when they were written.
    NoProof,
    /// Recovery ends at the first place without a frame.
    CutTooMuch,
    /// Recovery goes on at any frame behind a hole.
    CutTooLittle,
    /// Nobody compares a payload with its CRC.
    UncheckedPayload,
    /// Log starts are not written again before their segment goes.
    LostStart,
    /// Deletions are not written again before their segment goes.
    LostTomb,
    /// Nobody writes down which segments went from the middle.
    LostGap,
    /// A segment goes although its last record is needed.
    ReclaimedEarly,
    /// A lookup finds the batch behind the one that is wanted.
    OffByOne,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Runs `call` with a bug, or with none.
pub(crate) fn with<T>(bug: Option<Bug>, call: impl FnOnce() -> T) -> T {
    /// Takes the bug out again, also after a panic.
    struct Planted;
    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
    PLANTED.set(bug);
    let _planted = Planted;
    call()
}

pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

pub(crate) fn proof(durable: Position) -> Position {
    if is_planted(Bug::NoProof) { Position(0) } else { durable }
}

pub(crate) fn payload_crc(crc: u32, head: &Head) -> u32 {
    if is_planted(Bug::UncheckedPayload) { head.payload_crc } else { crc }
}

pub(crate) fn lookup(from: Offset) -> Offset {
    if is_planted(Bug::OffByOne) { from.plus(1) } else { from }
}

pub(crate) fn renew(mut renew: Renew) -> Renew {
    if is_planted(Bug::LostStart) {
        renew.starts.clear();
    }
    if is_planted(Bug::LostTomb) {
        renew.tombs.clear();
    }
    if is_planted(Bug::LostGap) {
        renew.gaps = None;
    }
    renew
}

/// Which segments have a live batch.
pub(crate) fn live(mut live: Vec<bool>) -> Vec<bool> {
    if is_planted(Bug::ReclaimedEarly)
        && let Some(first) = live.iter_mut().find(|live| **live)
    {
        *first = false;
    }
    live
}
