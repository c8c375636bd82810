//! Which parts were removed from the middle of the log?

use bytes::Bytes;
use model::Position;

use crate::segment::Segment;

const GAP_BYTES: usize = 24;

/// Segments, one behind the other, that are gone or may be gone at any time: nothing live lies in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub from: Position,
    pub to: Position,
    /// The last frame before it.
    pub before: Position,
}

/// All gaps, in the order of their positions; between two of them there is a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gaps(Vec<Gap>);

impl Gaps {
    /// Gaps in the order of their positions.
    pub fn of(gaps: Vec<Gap>) -> Gaps {
        Gaps(gaps)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add(&mut self, segment: &Segment, before: Position) {
        if self.covers(segment) {
            return;
        }
        self.0.push(Gap { from: segment.base, to: segment.end(), before });
        self.0.sort_by_key(|gap| gap.from);
        self.0.dedup_by(|next, gap| {
            let follows = next.from <= gap.to;
            if follows {
                gap.to = gap.to.max(next.to);
            }
            follows
        });
    }

    pub fn covers(&self, segment: &Segment) -> bool {
        self.0.iter().any(|gap| gap.from <= segment.base && segment.end() <= gap.to)
    }

    /// True if nothing but a gap lies between a frame at `last` and one that names the frame before it `previous`.
    pub fn explain(&self, last: Position, previous: Position) -> bool {
        let holds = |gap: &Gap, at: Position| gap.from <= at && at < gap.to;
        self.0.iter().any(|gap| (gap.before == last || holds(gap, last)) && holds(gap, previous))
    }

    /// The log begins here now.
    pub fn forget_below(&mut self, start: Position) {
        self.0.retain(|gap| gap.to > start);
    }

    pub fn encode(&self) -> Bytes {
        let numbers = self.0.iter().flat_map(|gap| [gap.from, gap.to, gap.before]);
        numbers.flat_map(|position| position.0.to_le_bytes()).collect()
    }

    /// Reads what [`Gaps::encode`] wrote; bytes that make no whole gap are passed over.
    pub fn parse(payload: &[u8]) -> Gaps {
        let gaps = payload.chunks_exact(GAP_BYTES).map(|bytes| {
            let at = |at: usize| Position(u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")));
            Gap { from: at(0), to: at(8), before: at(16) }
        });
        Gaps(gaps.collect())
    }
}

#[cfg(test)]
mod tests;
