//! Does the index find what was put into it, in little memory?

use proptest::prelude::*;

use super::*;

/// Frames with gaps between them, in offsets and positions.
fn frames(steps: &[(u16, u16, u16, u32, i64)]) -> Vec<FrameAt> {
    let (mut offset, mut position) = (100, 8192);
    let frame = |(gap, delta, step, payload_bytes, timestamp): &(u16, u16, u16, u32, i64)| {
        let base = offset + i64::from(*gap);
        let last = base + i64::from(*delta);
        (offset, position) = (last + 1, position + 8 * (1 + u64::from(*step)));
        let (position, max_timestamp) = (Position(position), Timestamp(*timestamp));
        FrameAt { base: Offset(base), last: Offset(last), position, payload_bytes: *payload_bytes, max_timestamp }
    };
    steps.iter().map(frame).collect()
}

fn list(frames: &[FrameAt]) -> Frames {
    let mut list = Frames::default();
    frames.iter().for_each(|frame| list.push(*frame));
    list
}

proptest! {
    #[test]
    fn lookups_agree_with_a_plain_list(
        steps in prop::collection::vec((0..3u16, 0..50u16, any::<u16>(), any::<u32>(), prop_oneof![any::<i64>(), -1..100i64]), 0..300),
        from in 0..3000i64,
        at in prop_oneof![any::<i64>(), -3..100i64],
        bytes in prop_oneof![any::<u64>(), 0..400u64 << 32],
    ) {
        let (plain, from, at) = (frames(&steps), Offset(from), Timestamp(at));
        let mut list = list(&plain);
        let after: Vec<FrameAt> = plain.iter().copied().filter(|frame| frame.last >= from).collect();
        prop_assert_eq!(list.from(from).collect::<Vec<_>>(), after.clone());
        let reaching: Vec<FrameAt> = after.iter().copied().filter(|frame| frame.max_timestamp >= at).collect();
        prop_assert_eq!(list.reaching(from, at).collect::<Vec<_>>(), reaching);
        let largest = after.iter().map(|frame| frame.max_timestamp).max();
        let newest = after.iter().copied().find(|frame| Some(frame.max_timestamp) == largest);
        prop_assert_eq!(list.newest(from), newest);
        prop_assert_eq!(list.payload_bytes(from), after.iter().map(|frame| u64::from(frame.payload_bytes)).sum::<u64>());
        let young = after.iter().position(|frame| frame.max_timestamp >= at).unwrap_or(after.len());
        let older = after[..young].iter().rev().find(|frame| frame.max_timestamp.0 >= 0).map(|frame| frame.last.plus(1));
        prop_assert_eq!(list.older(from, at), older);
        let rest = |n: usize| after[n..].iter().map(|frame| u64::from(frame.payload_bytes)).sum::<u64>();
        let dropped = (1..=after.len()).rev().find(|n| rest(*n) >= bytes);
        prop_assert_eq!(list.beyond(from, bytes), dropped.map(|n| after[n - 1].last.plus(1)));
        list.drop_below(from);
        prop_assert_eq!(list.from(from).collect::<Vec<_>>(), after);
    }
}

#[test]
fn frames_cost_few_bytes() {
    let steps: Vec<_> = (0..10_000).map(|n| (0, 0, 40, 300, 1_700_000_000_000 + n)).collect();
    let list = list(&frames(&steps));
    assert!(list.memory_bytes() < 10_000 * 12, "{}", list.memory_bytes());
    let one = self::list(&frames(&steps[..1]));
    assert!(one.memory_bytes() < 512, "{}", one.memory_bytes());
}

#[test]
#[should_panic(expected = "frames are listed in order")]
fn overlapping_frames_are_refused() {
    let frames = frames(&[(0, 5, 1, 1, 1)]);
    list(&[frames[0], frames[0]]);
}
