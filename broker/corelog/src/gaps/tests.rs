//! Is damage told for exactly the offsets concerned?

use model::ShardId;

use super::*;

fn segment(n: u64) -> Segment {
    let (shard, base) = (ShardId(0), Position(n * 100));
    Segment { shard, number: n + 1, base, bytes: 100, generation: n, created_ms: 0 }
}

fn gaps(segments: &[u64]) -> Gaps {
    let mut gaps = Gaps::default();
    segments.iter().for_each(|n| gaps.add(&segment(*n), Position(n * 100 - 10)));
    gaps
}

#[test]
fn adjacent_segments_make_one_gap_in_whatever_order_they_come() {
    let both = gaps(&[3, 1, 5, 2, 2]);
    assert_eq!(both, gaps(&[1, 2, 3, 5]));
    let (first, second) = (Gap { from: Position(100), to: Position(400), before: Position(90) }, gaps(&[5]).0[0]);
    assert_eq!(both.0, [first, second]);
    assert!(both.covers(&segment(2)) && !both.covers(&segment(4)) && !both.covers(&segment(0)));
    assert_eq!(Gaps::parse(&both.encode()), both);
    let mut later = both;
    later.forget_below(Position(400));
    assert_eq!(later, gaps(&[5]));
}

#[test]
fn a_gap_explains_what_is_missing_from_its_first_frame_to_its_last_and_nothing_else() {
    let gaps = gaps(&[1, 2]);
    assert!(gaps.explain(Position(90), Position(290)));
    assert!(!gaps.explain(Position(80), Position(290)), "a frame before the gap is missing as well");
    assert!(!gaps.explain(Position(90), Position(300)), "a frame behind the gap is missing as well");
    assert!(gaps.explain(Position(190), Position(290)), "the rest of a gap whose first segment is still there");
    assert!(!Gaps::default().explain(Position(90), Position(290)));
}
