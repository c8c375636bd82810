//! Is an object read as it was built, and is damage noticed?

use model::TopicId;
use wire::batch::{BatchBuilder, Compression};

use super::*;

pub fn batch(base: i64, count: i64, time: i64, epoch: i32) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for n in 0..count {
        builder.push(time + n, None, Some(&[7; 100]), &[]);
    }
    let mut bytes = builder.build().to_vec();
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
    bytes.into()
}

fn topic(n: u128) -> TopicRef {
    TopicRef { id: TopicId(Uuid::from_u128(n)), name: format!("t{n}") }
}

fn built() -> Built {
    let mut builder = ObjectBuilder::new(Uuid::from_u128(1), ShardId(3), Uuid::from_u128(2), 99);
    builder.push(&topic(1), 0, batch(5, 2, 10, 1)).unwrap();
    builder.push(&topic(1), 0, batch(7, 1, 5, 1)).unwrap();
    builder.push(&topic(1), 0, batch(8, 1, 20, 2)).unwrap();
    builder.push(&topic(1), 2, batch(0, 1, 30, 1)).unwrap();
    builder.push(&topic(2), 0, batch(0, 1, 30, 1)).unwrap();
    builder.build()
}

#[test]
fn runs_end_with_their_partition_and_their_epoch() {
    let built = built();
    let told: Vec<_> =
        built.footer.runs.iter().map(|run| (run.topic.0.as_u128(), run.partition, run.base.0, run.next.0)).collect();
    assert_eq!(told, [(1, 0, 5, 8), (1, 0, 8, 9), (1, 2, 0, 1), (2, 0, 0, 1)]);
    let first = built.footer.runs[0];
    assert_eq!((first.first_time.0, first.max_time.0, first.position, first.epoch), (10, 11, 8, 1));
    let object = built.parts.concat();
    assert_eq!((object.len() as u64, crc32c::crc32c(&object)), (built.bytes, built.crc));
    let run = &object[8..8 + first.bytes as usize];
    assert_eq!(crc32c::crc32c(run), first.crc);
    assert_eq!(Footer::of_object(&object).unwrap(), built.footer);
}

#[test]
fn marks_stand_at_the_first_batch_and_then_now_and_then() {
    let mut builder = ObjectBuilder::new(Uuid::nil(), ShardId(0), Uuid::nil(), 0);
    for n in 0..3_000 {
        builder.push(&topic(1), 0, batch(n, 1, 1_000 + n, 1)).unwrap();
    }
    let built = builder.build();
    let marks = built.footer.marks_at(8).unwrap();
    assert!(marks.len() == 2 && marks[0].offset == Offset(0) && marks[0].time == Timestamp::NONE, "{marks:?}");
    assert_eq!(marks[1].time.0, 1_000 + marks[1].offset.0 - 1, "the largest before it");
    let object = built.parts.concat();
    let there = BatchHeader::parse(&object[marks[1].position as usize..]).unwrap();
    assert_eq!(there.base_offset, marks[1].offset.0);
}

#[test]
fn a_damaged_batch_is_not_archived() {
    let mut builder = ObjectBuilder::new(Uuid::nil(), ShardId(0), Uuid::nil(), 0);
    let mut bytes = batch(0, 1, 0, 1).to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(builder.push(&topic(1), 0, bytes.into()).unwrap_err().kind, model::Kind::Damaged);
}

#[test]
fn every_flipped_byte_of_footer_and_trailer_is_noticed() {
    let object = built().parts.concat();
    let end = Trailer::parse(&object[object.len() - 32..]).unwrap().position as usize;
    for at in end..object.len() {
        let mut damaged = object.clone();
        damaged[at] ^= 0x20;
        assert!(Footer::of_object(&damaged).is_err(), "byte {at}");
    }
    for length in 0..object.len() {
        assert!(Footer::of_object(&object[..length]).is_err());
    }
}
