//! Which frames of a log are live after a start, where does it end, and what is damaged?
//!
//! The rules stand in `docs/formats/core-log.md`, section "Recovery". No I/O of its own: it reads through [`Blocks`].

use model::limits::IO_ALIGN;
use model::{Offset, PartitionId, Position, Result};
use wire::batch::HEADER_BYTES;

use crate::frame::{Head, Kind};
use crate::gaps::Gaps;
use crate::scan::{Blocks, Scan};
use crate::segment::Segment;

/// A group table has at most this many bytes.
const NOTE_BYTES_MAX: usize = 1024 * 1024;

/// A part of the log that was durable once and cannot be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Positions in the log.
    pub from: Position,
    pub to: Position,
    /// The batch that stood there, if its frame still says which: partition, first and last offset.
    pub batch: Option<(PartitionId, Offset, Offset)>,
}

/// What recovery finds, in the order of the log.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A live frame with the first bytes of its payload: the batch's header, or the whole note.
    Live(&'a Head, &'a [u8]),
    /// An entry whose payload is damaged.
    Lost(&'a Head),
}

/// Where the log ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Writing goes on here, at the beginning of a block.
    pub end: Position,
    /// The last frame, 0 if there is none.
    pub last: Position,
    pub damage: Vec<Damage>,
    /// The log did not end in order.
    pub torn: bool,
}

/// What is known of the log before the place where reading begins.
#[derive(Debug)]
pub(crate) struct Known {
    /// Reading begins here.
    pub at: Position,
    /// The last frame before, and its session.
    pub last: Position,
    pub session: Position,
    /// That frame is Closed.
    pub closed: bool,
    pub gaps: Gaps,
}

/// The frame after which the next one comes.
#[derive(Debug, Clone, Copy)]
struct Chain {
    last: Position,
    session: Position,
}

/// What lies ahead of a place without a live frame.
enum Ahead {
    /// The chain goes on there.
    Chain(Position),
    /// The place was durable once; there is the first frame behind it.
    Proof(Head),
    /// Nobody was told that the place was written.
    Nothing,
}

struct Recovery<'a, B> {
    scan: Scan<'a, B>,
    /// Where the first frame may lie.
    start: Position,
    /// `None` before the first frame.
    chain: Option<Chain>,
    /// Where sessions began, once somebody had to look; leftovers of a cut tail are known by them.
    sessions: Option<Vec<Position>>,
    damage: Vec<Damage>,
    /// Damage that is none if the log was cut out there: its place in the list, the frame before, and the one that
    /// the frame behind names as the one before.
    holes: Vec<(usize, Position, Position)>,
    gaps: Gaps,
    closed: bool,
}

/// [`recover_behind`] nothing.
#[cfg(test)]
pub(crate) async fn recover<B: Blocks>(
    segments: &[Segment],
    blocks: B,
    found: impl FnMut(Found<'_>) -> Result<()>,
) -> Result<Recovered> {
    recover_behind(segments, blocks, None, found).await
}

/// Follows the frames of `segments`, which are in the order of their positions and not empty: those behind the part
/// that is known, if there is one.
pub(crate) async fn recover_behind<B: Blocks>(
    segments: &[Segment],
    blocks: B,
    known: Option<Known>,
    mut found: impl FnMut(Found<'_>) -> Result<()>,
) -> Result<Recovered> {
    let scan = Scan::new(segments, blocks);
    let start = segments.first().expect("a log has a segment").data_start();
    let mut recovery = Recovery::new(scan, start);
    let mut from = start;
    if let Some(Known { at, last, session, closed, gaps }) = known {
        from = at;
        recovery.chain = Some(Chain { last, session });
        (recovery.closed, recovery.gaps) = (closed, gaps);
    }
    let at = recovery.follow(from, &mut found).await?;
    recovery.explain_holes();
    let last = recovery.chain.map_or(Position(0), |chain| chain.last);
    let end = Position(at.0.next_multiple_of(IO_ALIGN as u64));
    let torn = !recovery.closed && recovery.chain.is_some();
    Ok(Recovered { end, last, damage: recovery.damage, torn })
}

impl<'a, B: Blocks> Recovery<'a, B> {
    fn new(scan: Scan<'a, B>, start: Position) -> Recovery<'a, B> {
        let (damage, holes, gaps) = (Vec::new(), Vec::new(), Gaps::default());
        Recovery { scan, start, chain: None, sessions: None, damage, holes, gaps, closed: false }
    }

    /// Takes back what was reported where segments were removed on purpose: their table comes later in the log.
    fn explain_holes(&mut self) {
        for (at, last, previous) in self.holes.drain(..).rev() {
            if self.gaps.explain(last, previous) {
                self.damage.remove(at);
            }
        }
    }

    /// Returns where the log ends.
    async fn follow(&mut self, mut at: Position, found: &mut impl FnMut(Found<'_>) -> Result<()>) -> Result<Position> {
        loop {
            let head = self.scan.head(at).await?.filter(|head| self.continues(head));
            if let Some(head) = head
                && self.scan.payload_is_intact(&head).await?
            {
                let bytes_max = if head.entry.kind == Kind::Batch { HEADER_BYTES } else { NOTE_BYTES_MAX };
                let payload = self.scan.payload(&head, bytes_max).await?;
                if head.entry.kind == Kind::Gaps {
                    self.gaps = Gaps::parse(&payload);
                }
                found(Found::Live(&head, &payload))?;
                at = self.pass(&head);
                continue;
            }
            // A head that is intact is passed over when looking ahead: only its payload is in question.
            let from = if head.is_some() { Position(at.0 + 1) } else { at };
            match (self.look_ahead(from, at).await?, head) {
                (Ahead::Chain(next), _) => at = next,
                (Ahead::Proof(_), Some(head)) => {
                    self.report_payload(&head, found)?;
                    at = self.pass(&head);
                }
                (Ahead::Proof(next), None) => {
                    let (from, to) = (at, next.place.position);
                    if let Some(chain) = self.chain {
                        self.holes.push((self.damage.len(), chain.last, next.place.previous));
                    }
                    self.damage.push(Damage { from, to, batch: None });
                    self.chain = Some(Chain { last: next.place.previous, session: next.place.session });
                    at = to;
                }
                (Ahead::Nothing, _) => return Ok(at),
            }
        }
    }

    /// Goes behind a frame.
    fn pass(&mut self, head: &Head) -> Position {
        self.chain = Some(Chain { last: head.place.position, session: head.place.session });
        self.closed = head.entry.kind == Kind::Closed;
        head.next()
    }

    fn report_payload(&mut self, head: &Head, found: &mut impl FnMut(Found<'_>) -> Result<()>) -> Result<()> {
        let entry = &head.entry;
        let batch = (entry.kind == Kind::Batch).then(|| (entry.partition, entry.base, entry.last()));
        self.damage.push(Damage { from: head.place.position, to: head.end(), batch });
        if entry.kind.is_entry() { found(Found::Lost(head)) } else { Ok(()) }
    }

    /// True if the frame comes next after what was read.
    fn continues(&self, head: &Head) -> bool {
        let place = &head.place;
        let begins = head.entry.kind == Kind::Opened && place.session == place.position;
        match self.chain {
            #[cfg(test)]
            Some(_) if crate::tests::planted::is_planted(crate::tests::planted::Bug::CutTooLittle) => true,
            Some(chain) => {
                let session = place.session == chain.session || (begins && place.session > chain.session);
                place.previous == chain.last && session
            }
            // What came before was reclaimed, or never was.
            None if place.previous == Position(0) => begins,
            None => place.previous < self.start,
        }
    }

    /// Looks for what tells whether the hole at `hole` was durable.
    async fn look_ahead(&mut self, from: Position, hole: Position) -> Result<Ahead> {
        let ahead = self.search(from, hole).await?;
        if matches!(ahead, Ahead::Proof(_)) && self.sessions.is_none() {
            self.sessions = Some(self.sessions_from(from).await?);
            return self.search(from, hole).await;
        }
        Ok(ahead)
    }

    async fn search(&mut self, mut from: Position, hole: Position) -> Result<Ahead> {
        #[cfg(test)]
        if crate::tests::planted::is_planted(crate::tests::planted::Bug::CutTooMuch) {
            return Ok(Ahead::Nothing);
        }
        let mut first: Option<Head> = None;
        while let Some(at) = self.scan.next_magic(from).await? {
            from = Position(at.0 + 1);
            let Some(head) = self.scan.head(at).await?.filter(|head| !self.is_leftover(head)) else { continue };
            if self.continues(&head) {
                return Ok(Ahead::Chain(at));
            }
            let first = *first.get_or_insert(head);
            if head.place.durable > hole {
                return Ok(Ahead::Proof(first));
            }
        }
        Ok(Ahead::Nothing)
    }

    /// True if the frame belongs to a tail that an earlier recovery cut.
    fn is_leftover(&self, head: &Head) -> bool {
        let place = &head.place;
        let since = |session: Position| place.session < session && session <= place.position;
        self.chain.is_some_and(|chain| since(chain.session))
            || self.sessions.iter().flatten().any(|session| since(*session))
    }

    /// The beginnings of all sessions that any frame from `from` on names.
    async fn sessions_from(&mut self, mut from: Position) -> Result<Vec<Position>> {
        let mut sessions = Vec::new();
        while let Some(at) = self.scan.next_magic(from).await? {
            from = Position(at.0 + 1);
            if let Some(head) = self.scan.head(at).await?
                && !sessions.contains(&head.place.session)
            {
                sessions.push(head.place.session);
            }
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests;
