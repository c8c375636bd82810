//! Does the index find what was archived, by offset and by time?

use proptest::prelude::*;

use super::*;

const TOPIC: TopicId = TopicId(Uuid::from_u128(1));

pub fn run(partition: i32, base: i64, next: i64, time: i64) -> Run {
    Run {
        topic: TOPIC,
        partition,
        base: Offset(base),
        next: Offset(next),
        position: 8,
        bytes: (next - base).unsigned_abs() * 10,
        first_time: Timestamp(time),
        max_time: Timestamp(time),
        crc: 0,
        epoch: 1,
    }
}

fn add(id: u128, runs: Vec<Run>) -> Edit {
    let topics = vec![TopicRef { id: TOPIC, name: "t".into() }];
    let name = format!("{id}");
    Edit::Add(Added { id: Uuid::from_u128(id), name, bytes: 1 << 20, created_ms: 0, crc: 0, level: 0, topics, runs })
}

fn index(edits: &[Edit]) -> Index {
    let mut index = Index::default();
    edits.iter().for_each(|edit| index.apply(edit));
    index
}

fn bases(index: &Index) -> Vec<(i64, i64)> {
    let part = index.part(TOPIC, 0).unwrap();
    part.runs().iter().map(|held| (held.run.base.0, held.run.next.0)).collect()
}

#[test]
fn a_merged_object_takes_the_place_of_what_it_was_merged_from() {
    let mut index = index(&[
        add(1, vec![run(0, 0, 5, 1)]),
        add(2, vec![run(0, 5, 9, 2)]),
        add(3, vec![run(0, 9, 12, 3)]),
        add(4, vec![run(0, 0, 9, 2)]),
    ]);
    assert_eq!(bases(&index), [(0, 9), (9, 12)]);
    let left: Vec<u32> = index.objects().map(|(_, object)| object.runs).collect();
    assert_eq!((left, index.runs()), (vec![0, 0, 1, 1], 2));
    index.apply(&Edit::Deleted { object: Uuid::from_u128(1) });
    index.apply(&Edit::Deleted { object: Uuid::from_u128(3) });
    assert_eq!(index.objects().count(), 3, "one that is needed stays");
}

#[test]
fn a_run_that_does_not_fit_changes_nothing() {
    let mut index = index(&[add(1, vec![run(0, 0, 10, 1)])]);
    index.apply(&add(2, vec![run(0, 5, 15, 1)]));
    index.apply(&add(3, vec![run(0, 2, 4, 1)]));
    assert_eq!(bases(&index), [(0, 10)]);
    assert_eq!(index.object(Uuid::from_u128(2)).unwrap().runs, 0);
}

#[test]
fn what_is_deleted_is_forgotten_run_by_run() {
    let mut index = index(&[add(1, vec![run(0, 0, 5, 1)]), add(2, vec![run(0, 5, 9, 2)])]);
    index.apply(&Edit::Start { topic: TOPIC, partition: 0, offset: Offset(7) });
    assert_eq!(bases(&index), [(5, 9)]);
    assert_eq!(index.part(TOPIC, 0).unwrap().start(), Offset(7));
    index.apply(&Edit::Start { topic: TOPIC, partition: 0, offset: Offset(20) });
    assert_eq!(index.part(TOPIC, 0).unwrap().archived(), Offset(20), "deleted before it was archived");
    index.apply(&Edit::Gone { topic: TOPIC });
    assert_eq!((index.part(TOPIC, 0), index.runs()), (None, 0));
}

#[test]
fn offsets_and_times_are_found() {
    let index =
        index(&[add(1, vec![run(0, 3, 5, 10)]), add(2, vec![run(0, 8, 9, 5)]), add(3, vec![run(0, 9, 20, 30)])]);
    let part = index.part(TOPIC, 0).unwrap();
    let base = |offset| part.at(Offset(offset)).map(|held| held.run.base.0);
    assert_eq!([0, 3, 4, 5, 8, 19, 20].map(base), [Some(3), Some(3), Some(3), Some(8), Some(8), Some(9), None]);
    let reach = |from, time| part.reaching(Offset(from), Timestamp(time)).map(|held| held.run.base.0);
    assert_eq!([reach(0, 5), reach(0, 11), reach(5, 5), reach(0, 31)], [Some(3), Some(9), Some(8), None]);
    assert_eq!((part.older(Timestamp(11)), part.older(Timestamp(10))), (Some(Offset(9)), None));
    assert_eq!(
        [part.beyond(110), part.beyond(119), part.beyond(120), part.beyond(1000)],
        [Some(Offset(9)), Some(Offset(5)), Some(Offset(5)), None]
    );
}

proptest! {
    #[test]
    fn a_snapshot_says_the_same(steps in prop::collection::vec((0..4_i32, 1..20_i64, 0..8_u8), 1..60)) {
        let (mut index, mut ends, mut ids) = (Index::default(), [0_i64; 4], 0);
        for (partition, count, what) in steps {
            let end = ends[partition as usize];
            ids += 1;
            match what {
                0..=4 => {
                    index.apply(&add(ids, vec![run(partition, end, end + count, end)]));
                    ends[partition as usize] += count;
                }
                5 => index.apply(&Edit::Start { topic: TOPIC, partition, offset: Offset((end - count).max(0)) }),
                6 => index.apply(&add(ids, vec![run(partition, 0, end.max(1), end)])),
                _ => index.apply(&Edit::Deleted { object: Uuid::from_u128(ids / 2) }),
            }
            let mut again = Index::default();
            for edit in index.snapshot() {
                again.apply(&Edit::read_all(&edit.encode()).unwrap()[0]);
            }
            let told = |index: &Index| {
                let parts: Vec<_> = index.parts().filter(|(.., part)| **part != Part::default())
                    .map(|(topic, partition, part)| (topic, partition, part.clone())).collect();
                let objects: Vec<_> = index.objects().map(|(id, object)| (id, object.clone())).collect();
                (parts, objects, index.runs())
            };
            prop_assert_eq!(told(&again), told(&index));
        }
    }
}
