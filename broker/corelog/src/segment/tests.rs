//! Is a segment known by its name and header?

use super::*;

fn segment() -> Segment {
    let (number, base) = (42, Position(7 * 4096));
    Segment { shard: ShardId(3), number, base, bytes: 1 << 20, generation: 0x0123_4567_89ab_cdef, created_ms: 99 }
}

fn blocks() -> Vec<u8> {
    let mut blocks = vec![0; DATA_START as usize];
    segment().encode(&mut blocks);
    blocks
}

#[test]
fn a_header_comes_back() {
    assert_eq!(Segment::parse(&blocks()), Ok(segment()));
    assert_eq!(&blocks()[16..24], &42u64.to_le_bytes(), "as drawn in docs/formats/core-log.md");
}

#[test]
fn one_bad_block_costs_nothing_two_are_noticed() {
    for byte in 0..HEADER_BYTES {
        let mut blocks = blocks();
        blocks[byte] ^= 4;
        assert_eq!(Segment::parse(&blocks), Ok(segment()), "byte {byte}");
        blocks[IO_ALIGN + byte] ^= 4;
        assert_eq!(Segment::parse(&blocks), Err(SegmentError::Damaged), "byte {byte}");
    }
    assert_eq!(Segment::parse(&[]), Err(SegmentError::Damaged));
    assert_eq!(Segment::parse(&[0; 5000]), Err(SegmentError::Damaged));
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut blocks = blocks();
    for start in [0, IO_ALIGN] {
        blocks[start + 12] = 2;
        let crc = header_crc(blocks[start..start + HEADER_BYTES].try_into().expect("a header"));
        blocks[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
    }
    assert_eq!(Segment::parse(&blocks), Err(SegmentError::Newer(2)));
}

#[test]
fn names_are_told_from_others() {
    assert_eq!(file_name(12), "core-0000000012.log");
    assert_eq!(number_of("core-0000000012.log"), Some(12));
    for other in ["core-12.log", "core-0000000012.log.tmp", "core-+000000012.log", "core-.log", "LOCK"] {
        assert_eq!(number_of(other), None, "{other}");
    }
}
