//! Every crash state of some logs, and damage at rest: recovery must never yield a frame that was not written, never
//! lose one whose write had ended, and never cut what was durable.

use bytes::Bytes;
use futures_util::FutureExt;
use model::{LogGroup, LogIndex, ShardId, Term, Timestamp};
use runtime::IoBuf;

use super::*;
use crate::commit::{Commit, Next, WriteId};
use crate::frame::Entry;
use crate::group::Pending;
use crate::tests::tools::batch;

const SEGMENT_BYTES: u64 = 48 * 1024;
const SECTOR: usize = 512;

/// A log in memory, and the story of its writes.
struct Script {
    segments: Vec<Segment>,
    /// Zeros, before any write.
    files: Vec<Vec<u8>>,
    writes: Vec<Write>,
    /// Position and end of every frame, in order, and the write with which it is complete.
    frames: Vec<(Position, Position, usize)>,
    events: Vec<Event>,
}

#[derive(Clone)]
struct Write {
    segment: usize,
    at: usize,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Issued(usize),
    Ended(usize),
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

impl Blocks for &Vec<Vec<u8>> {
    async fn read(&mut self, segment: &Segment, at: u64, len: usize) -> Result<Bytes> {
        let at = usize::try_from(at).expect("small");
        let file = &self[usize::try_from(segment.number - 1).expect("small")];
        Ok(Bytes::copy_from_slice(&file[at..at + len]))
    }
}

fn segment(n: u64) -> Segment {
    let (shard, base) = (ShardId(0), Position(n * SEGMENT_BYTES));
    Segment { shard, number: n + 1, base, bytes: SEGMENT_BYTES, generation: 77 + n, created_ms: 0 }
}

fn pending(sequence: u64, dice: &mut Dice) -> Pending {
    if sequence == 0 {
        let entry = Entry::note(Kind::Opened, PartitionId(0), Offset(0));
        return Pending { sequence, entry, payload: Bytes::new() };
    }
    let value_bytes = [10, 300, 2_000, 20_000][dice.below(4) as usize];
    let entry = Entry {
        kind: Kind::Batch,
        group: LogGroup(0),
        term: Term(1),
        index: LogIndex(sequence),
        partition: PartitionId(1),
        base: Offset(sequence as i64 - 1),
        last_delta: 0,
        max_timestamp: Timestamp(1),
    };
    Pending { sequence, entry, payload: batch(sequence, 1, value_bytes) }
}

/// Writes `count` frames, up to three writes at a time, which end in any order.
fn script(seed: u64, count: u64) -> Script {
    let mut dice = Dice(seed);
    // One is always made ahead.
    let segments: Vec<Segment> = (0..2).map(segment).collect();
    let mut script = Script { segments, files: Vec::new(), writes: Vec::new(), frames: Vec::new(), events: Vec::new() };
    let mut commit = Commit::new(script.segments[0].data_start(), script.segments[0].end(), Position(0));
    let (mut active, mut sequence, mut in_flight) = (0, 0, Vec::<(WriteId, usize)>::new());
    while sequence < count || !commit.is_idle() {
        for _ in 0..dice.below(5).min(count - sequence) {
            commit.push(pending(sequence, &mut dice));
            sequence += 1;
        }
        match if in_flight.len() < 3 { commit.next() } else { Next::Wait } {
            Next::Segment => {
                active += 1;
                script.segments.push(segment(active as u64 + 1));
                commit.enter(script.segments[active].data_start(), script.segments[active].end());
            }
            Next::Group(group, id) => {
                let write = script.writes.len();
                let generation = script.segments[active].generation;
                let buffers = group.pack(generation, IoBuf::zeroed);
                let at = (group.start.0 - script.segments[active].base.0) as usize;
                script.writes.push(Write { segment: active, at, bytes: buffers[0].to_vec() });
                script.frames.extend(group.frames.iter().map(|placed| {
                    let bytes = crate::frame::frame_bytes(placed.pending.payload.len()) as u64;
                    (placed.position, Position(placed.position.0 + bytes), write)
                }));
                script.events.push(Event::Issued(write));
                in_flight.push((id, write));
            }
            Next::Wait => {}
        }
        if in_flight.len() == 3 || dice.below(2) == 0 && !in_flight.is_empty() {
            let (id, write) = in_flight.remove(dice.below(in_flight.len() as u64) as usize);
            script.events.push(Event::Ended(write));
            commit.ended(id);
        }
    }
    script.files = vec![vec![0; SEGMENT_BYTES as usize]; script.segments.len()];
    script
}

fn apply(files: &mut [Vec<u8>], write: &Write, sectors: impl Fn(usize) -> bool) {
    for (n, sector) in write.bytes.chunks(SECTOR).enumerate().filter(|(n, _)| sectors(*n)) {
        let at = write.at + n * SECTOR;
        files[write.segment][at..at + sector.len()].copy_from_slice(sector);
    }
}

/// Positions of the live frames, and of those whose payload is damaged.
fn recovered(segments: &[Segment], files: &Vec<Vec<u8>>) -> (Vec<Position>, Vec<Position>, Recovered) {
    let (mut live, mut lost) = (Vec::new(), Vec::new());
    let recovery = recover(segments, files, |found| {
        match found {
            Found::Live(head, _) => live.push(head.place.position),
            Found::Lost(head) => lost.push(head.place.position),
        }
        Ok(())
    });
    let recovered = recovery.now_or_never().expect("memory does not wait").expect("memory can be read");
    (live, lost, recovered)
}

/// The crash states after a prefix of the events: writes that have ended are there, of each other one a part.
fn crash_states(script: &Script, events: &[Event], mut check: impl FnMut(&Vec<Vec<u8>>)) {
    let ended = |write: usize| events.contains(&Event::Ended(write));
    let issued = events.iter().filter_map(|event| if let Event::Issued(write) = event { Some(*write) } else { None });
    let uncertain: Vec<usize> = issued.filter(|write| !ended(*write)).collect();
    let mut sure = script.files.clone();
    (0..script.writes.len())
        .filter(|write| ended(*write))
        .for_each(|write| apply(&mut sure, &script.writes[write], |_| true));
    check(&sure);
    for torn in &uncertain {
        let sectors = script.writes[*torn].bytes.len() / SECTOR;
        for others in [false, true] {
            let mut base = sure.clone();
            let rest = uncertain.iter().filter(|write| others && *write != torn);
            rest.for_each(|write| apply(&mut base, &script.writes[*write], |_| true));
            for cut in 0..=sectors {
                // A cut in the middle, then single sectors that are missing or alone.
                for pattern in 0..4 {
                    let mut files = base.clone();
                    apply(&mut files, &script.writes[*torn], |n| match pattern {
                        0 => n < cut,
                        1 => n >= cut,
                        2 => n != cut,
                        _ => n == cut,
                    });
                    check(&files);
                }
            }
        }
    }
}

#[test]
fn no_crash_state_loses_an_ended_write_or_yields_a_torn_frame() {
    let mut states = 0;
    for seed in 0..3 {
        let script = script(seed, 30);
        assert!(script.writes.last().expect("there are writes").segment > 0, "it spans segments");
        for count in (0..=script.events.len()).rev().step_by(2) {
            let events = &script.events[..count];
            let retired = (0..).take_while(|write| events.contains(&Event::Ended(*write))).count();
            let durable = script.frames.iter().filter(|(_, _, write)| *write < retired).count();
            crash_states(&script, events, |files| {
                states += 1;
                let (live, lost, recovered) = recovered(&script.segments, files);
                assert!(live.len() >= durable, "seed {seed}, {count} events: a durable frame was cut");
                let prefix = script.frames.iter().map(|(position, ..)| *position).take(live.len());
                assert!(live.iter().copied().eq(prefix), "seed {seed}, {count} events: {live:?}");
                assert_eq!(
                    (lost, recovered.damage),
                    (vec![], vec![]),
                    "seed {seed}, {count} events: nothing is damaged"
                );
            });
        }
    }
    assert!(states > 5_000, "{states} states");
}

/// The files after all writes, and where the last group begins: nothing proves that one.
fn finished(script: &Script) -> (Vec<Vec<u8>>, Position) {
    let mut files = script.files.clone();
    script.writes.iter().for_each(|write| apply(&mut files, write, |_| true));
    let last = script.writes.last().expect("there are writes");
    (files, Position(script.segments[last.segment].base.0 + last.at as u64))
}

/// A script whose last write was issued when all others had ended.
fn proven_script(seed: u64) -> Script {
    (seed..)
        .step_by(100)
        .map(|seed| script(seed, 40))
        .find(|script| {
            let last = script.writes.len() - 1;
            script.events[script.events.len() - 2..] == [Event::Issued(last), Event::Ended(last)]
        })
        .expect("one of them ends so")
}

#[test]
fn every_flipped_byte_costs_at_most_its_own_frame() {
    let script = proven_script(0);
    let (files, proven) = finished(&script);
    for (n, segment) in script.segments.iter().enumerate() {
        for at in (crate::segment::DATA_START as usize..SEGMENT_BYTES as usize).step_by(89) {
            let position = Position(segment.base.0 + at as u64);
            if position >= proven {
                break;
            }
            let mut files = files.clone();
            files[n][at] ^= 0x40;
            let (live, lost, recovered) = recovered(&script.segments, &files);
            let hit = script.frames.iter().find(|(from, to, _)| *from <= position && position < *to);
            // The zeros behind a payload are covered by no CRC, and need none.
            let hit = hit.filter(|(from, ..)| !live.contains(from));
            let intact = script.frames.iter().filter(|frame| Some(*frame) != hit).map(|(from, ..)| *from);
            assert!(live.iter().copied().eq(intact), "{position}");
            assert_eq!(recovered.damage.len(), usize::from(hit.is_some()), "{position}: {:?}", recovered.damage);
            if let Some((from, ..)) = hit {
                let damage = recovered.damage[0];
                assert!(damage.from <= *from && position < damage.to, "{position}: {damage:?}");
                let in_payload = position.0 >= from.0 + crate::frame::HEAD_BYTES as u64;
                assert_eq!(lost, if in_payload { vec![*from] } else { vec![] }, "{position}");
            }
        }
    }
}

#[test]
fn whole_blocks_that_are_gone_are_reported_and_nothing_else_is_lost() {
    let script = proven_script(5);
    let (files, proven) = finished(&script);
    for blocks in [1, 3, 9] {
        for block in 2..SEGMENT_BYTES as usize / 4096 - blocks {
            let mut files = files.clone();
            files[0][block * 4096..(block + blocks) * 4096].fill(0xA5);
            let (from, to) = (Position(block as u64 * 4096), Position((block + blocks) as u64 * 4096));
            assert!(to < proven);
            let (live, _, recovered) = recovered(&script.segments, &files);
            let outside = script.frames.iter().filter(|(start, end, _)| *end <= from || *start >= to);
            assert!(live.iter().copied().eq(outside.clone().map(|(start, ..)| *start)), "{blocks} blocks from {from}");
            assert_eq!(recovered.damage.is_empty(), outside.count() == script.frames.len());
        }
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let script = proven_script(6);
    let (files, _) = finished(&script);
    let segments: Vec<Segment> = script.segments.iter().filter(|segment| segment.number != 2).copied().collect();
    let (live, _, recovered) = recovered(&segments, &files);
    let elsewhere = script.frames.iter().map(|(from, ..)| *from).filter(|from| !script.segments[1].holds(*from));
    assert!(live.iter().copied().eq(elsewhere));
    assert_eq!(recovered.damage.len(), 1, "{:?}", recovered.damage);
}

#[test]
fn reclaimed_segments_are_no_damage() {
    let script = proven_script(7);
    let (files, _) = finished(&script);
    let (live, _, recovered) = recovered(&script.segments[1..], &files);
    let later = script.frames.iter().map(|(from, ..)| *from).filter(|from| *from >= script.segments[1].base);
    assert!(live.iter().copied().eq(later));
    assert_eq!(recovered.damage, []);
}

#[test]
fn an_empty_log_begins_at_its_first_block() {
    let script = script(1, 1);
    let (live, _, recovered) = recovered(&script.segments, &script.files);
    assert_eq!((live, recovered.end, recovered.last), (vec![], Position(8192), Position(0)));
    assert!(!recovered.torn);
}

/// Two processes one after the other: the first leaves a hole and, behind it, a group that nobody was told of; the
/// second begins at the hole and soon goes on in the next segment.
struct TwoLives {
    segments: Vec<Segment>,
    files: Vec<Vec<u8>>,
    kept: Position,
    left_over: Position,
    opened: Position,
    first: Position,
    second: Position,
}

impl TwoLives {
    fn new(opens: bool) -> TwoLives {
        let segments: Vec<Segment> = (0..3).map(segment).collect();
        let mut files = vec![vec![0; SEGMENT_BYTES as usize]; segments.len()];
        let mut commit = Commit::new(segments[0].data_start(), segments[0].end(), Position(0));
        let kept = write(&mut commit, &mut files, &segments[0], 0, 10, true);
        let hole = Position(kept.0 + 4096);
        let left_over = {
            // Two blocks of the first process are lost, its third group survives.
            let mut lost = files.clone();
            write(&mut commit, &mut lost, &segments[0], 1, 6_000, false);
            write(&mut commit, &mut files, &segments[0], 2, 10, false)
        };
        let (live, _, found) = recovered(&segments, &files);
        assert_eq!((live, found.end, found.last, found.torn), (vec![kept], hole, kept, true));
        let mut commit = Commit::new(hole, segments[0].end(), kept);
        let opened = write(&mut commit, &mut files, &segments[0], if opens { 0 } else { 3 }, 10, true);
        commit.enter(segments[1].data_start(), segments[1].end());
        let first = write(&mut commit, &mut files, &segments[1], 4, 10, true);
        let second = write(&mut commit, &mut files, &segments[1], 5, 10, true);
        TwoLives { segments, files, kept, left_over, opened, first, second }
    }

    fn destroy(&mut self, head: Position) {
        let (n, at) = (head.0 / SEGMENT_BYTES, head.0 % SEGMENT_BYTES);
        self.files[n as usize][at as usize + 20] ^= 1;
    }
}

/// One frame in a group of its own; returns where it lies. Number 0 is an Opened note.
fn write(commit: &mut Commit, files: &mut [Vec<u8>], to: &Segment, n: u64, value_bytes: usize, ends: bool) -> Position {
    let mut frame = pending(n, &mut Dice(0));
    if n > 0 {
        frame.payload = batch(n, 1, value_bytes);
        // Each in a log group of its own, whose indexes may begin anywhere.
        frame.entry.group = LogGroup(n as u32);
    }
    commit.push(frame);
    let Next::Group(group, id) = commit.next() else { panic!("there is room") };
    let bytes = group.pack(to.generation, IoBuf::zeroed)[0].to_vec();
    let (segment, at) = (to.number as usize - 1, (group.start.0 - to.base.0) as usize);
    apply(files, &Write { segment, at, bytes }, |_| true);
    if ends {
        commit.ended(id);
    }
    group.start
}

#[test]
fn what_an_earlier_process_left_behind_its_torn_tail_stays_dead() {
    let mut lives = TwoLives::new(true);
    assert_eq!(lives.left_over, Position(lives.opened.0 + 8192), "the second process has not written there");
    let (live, _, found) = recovered(&lives.segments, &lives.files);
    assert_eq!(live, [lives.kept, lives.opened, lives.first, lives.second]);
    assert_eq!(found.damage, []);
    // Damage between the sessions: the first intact frame behind it is the dead one.
    lives.destroy(lives.first);
    let (live, _, found) = recovered(&lives.segments, &lives.files);
    assert_eq!(live, [lives.kept, lives.opened, lives.second]);
    assert_eq!(found.damage.len(), 1);
    // Even the beginning of the second session is gone.
    lives.destroy(lives.opened);
    let (live, _, found) = recovered(&lives.segments, &lives.files);
    assert_eq!(live, [lives.kept, lives.second]);
    assert_eq!(found.damage.len(), 1);
}

#[test]
fn a_session_begins_with_an_opened_frame() {
    let mut lives = TwoLives::new(false);
    // Without what comes after it, which would prove that something stood there.
    lives.files[1].fill(0);
    let (live, _, found) = recovered(&lives.segments, &lives.files);
    assert_eq!((live, found.damage), (vec![lives.kept], vec![]));
}
