//! Is a frame read back as it was written, and no other bytes taken for one?

use proptest::prelude::*;

use super::*;

fn head() -> Head {
    let entry = Entry {
        kind: Kind::Batch,
        group: LogGroup(1),
        term: Term(2),
        index: LogIndex(3),
        partition: PartitionId(4),
        base: Offset(5),
        last_delta: 6,
        max_timestamp: Timestamp(-7),
    };
    let (previous, session, durable) = (Position(4096), Position(8192), Position(12288));
    let position = Position(16384);
    let place = Place { generation: 8, position, previous, session, durable, ends_group: true };
    Head { entry, place, payload_bytes: 100, payload_crc: 9 }
}

#[test]
fn a_head_comes_back_as_drawn() {
    let bytes = head().encode();
    assert_eq!(Head::parse(&bytes, 8, Position(16384)), Ok(head()));
    assert_eq!(&bytes[..8], b"FRZF\x01\x01\x01\x00");
    assert_eq!(bytes[16..24], [100, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(bytes[96..112], [6, 0, 0, 0, 0, 0, 0, 0, 249, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(head().end(), Position(16384 + 216), "100 bytes of payload and 4 of padding");
    assert_eq!(head().next(), Position(16384 + 4096), "it is the last of its group");
}

#[test]
fn every_changed_bit_is_noticed() {
    for bit in 0..HEAD_BYTES * 8 {
        let mut bytes = head().encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Head::parse(&bytes, 8, Position(16384)), Err(NoHead::Nothing), "bit {bit}");
    }
}

#[test]
fn a_head_of_another_place_or_generation_is_none() {
    let bytes = head().encode();
    assert_eq!(Head::parse(&bytes, 7, Position(16384)), Err(NoHead::Nothing));
    assert_eq!(Head::parse(&bytes, 8, Position(16392)), Err(NoHead::Nothing));
    assert_eq!(Head::parse(&[0; HEAD_BYTES], 0, Position(0)), Err(NoHead::Nothing));
}

#[test]
fn a_newer_frame_is_told_from_damage() {
    for (at, version, kind) in [(4, 2, 1), (5, 1, 77)] {
        let mut bytes = head().encode();
        bytes[at] = if at == 4 { version } else { kind };
        let crc = head_crc(&bytes);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Head::parse(&bytes, 8, Position(16384)), Err(NoHead::Newer { version, kind }));
    }
}

#[test]
fn impossible_fields_are_none_even_with_a_right_crc() {
    type Change = fn(&mut Head);
    let changes: [Change; 6] = [
        |head| head.entry.base = Offset(-1),
        |head| head.entry.last_delta = -1,
        |head| head.entry.base = Offset(i64::MAX),
        |head| head.place.previous = head.place.position,
        |head| head.place.session = Position(head.place.position.0 + 8),
        |head| head.payload_bytes = BATCH_BYTES_MAX as u32 + 1,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut head = head();
        change(&mut head);
        assert_eq!(Head::parse(&head.encode(), 8, Position(16384)), Err(NoHead::Nothing), "change {n}");
    }
}

#[test]
fn group_tables_come_back() {
    let ends = [1, 2, 3].map(|n| GroupEnd { group: LogGroup(n), term: Term(5), index: LogIndex(u64::from(n) * 10) });
    let bytes = encode_groups(ends);
    assert_eq!(parse_groups(&bytes).collect::<Vec<_>>(), ends);
    assert_eq!(parse_groups(&bytes[..50]).count(), 2, "what is cut is passed over");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::array::uniform32(any::<u8>()), seal in any::<bool>()) {
        let mut head = head().encode();
        head[12..44].copy_from_slice(&bytes);
        if seal {
            let crc = head_crc(&head);
            head[8..12].copy_from_slice(&crc.to_le_bytes());
        }
        let generation = u64::from_le_bytes(head[24..32].try_into().expect("eight bytes"));
        let position = Position(u64::from_le_bytes(head[32..40].try_into().expect("eight bytes")));
        if let Ok(parsed) = Head::parse(&head, generation, position) {
            prop_assert_eq!(parsed.encode(), head);
        }
    }
}
