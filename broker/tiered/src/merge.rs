//! Which objects are put together, so that each partition lies in few pieces?

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use uuid::Uuid;

use crate::index::{Held, Index};
use crate::plan::Sizes;

/// Objects of one level that are merged at a time.
pub const MERGE_OBJECTS: usize = 16;
/// Objects of this level are not merged again: each byte is written at most this often.
pub const LEVELS_MAX: u8 = 4;

/// Objects to be made out of others.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// Of the objects that will be made.
    pub level: u8,
    /// The runs of each, sorted by topic, partition and offset.
    pub outputs: Vec<Vec<Held>>,
}

/// Chooses the oldest objects of the lowest level that has enough of them; none of `spared`.
pub fn plan(index: &Index, sizes: Sizes, spared: &HashSet<Uuid>) -> Option<Merge> {
    let mut levels: BTreeMap<u8, Vec<(i64, Uuid)>> = BTreeMap::new();
    for (id, object) in index.objects() {
        let small = object.runs > 0 && object.run_bytes < sizes.own_bytes * u64::from(object.runs);
        if small && object.level < LEVELS_MAX && !spared.contains(&id) {
            levels.entry(object.level).or_default().push((object.created_ms, id));
        }
    }
    let (level, mut objects) = levels.into_iter().find(|(_, objects)| objects.len() >= MERGE_OBJECTS)?;
    objects.sort();
    let chosen: HashSet<Uuid> = objects.into_iter().take(MERGE_OBJECTS).map(|(_, id)| id).collect();
    let outputs = cut(index.runs_of(|id| chosen.contains(&id)), sizes.segment_bytes);
    Some(Merge { level: level + 1, outputs })
}

/// Cuts sorted runs into lists of about `bytes_max`, between partitions where that is possible.
fn cut(runs: Vec<Held>, bytes_max: u64) -> Vec<Vec<Held>> {
    let mut outputs: Vec<Vec<Held>> = Vec::new();
    let mut bytes = 0;
    for part in runs.chunk_by(|a, b| (a.run.topic, a.run.partition) == (b.run.topic, b.run.partition)) {
        let more: u64 = part.iter().map(|held| held.run.bytes).sum();
        if outputs.is_empty() || bytes + more > bytes_max {
            outputs.push(Vec::new());
            bytes = 0;
        }
        for held in part {
            if bytes > 0 && bytes + held.run.bytes > bytes_max {
                outputs.push(Vec::new());
                bytes = 0;
            }
            bytes += held.run.bytes;
            outputs.last_mut().expect("begun").push(*held);
        }
    }
    outputs.retain(|output| !output.is_empty());
    outputs
}

/// The bytes of each object that an output needs: one range, since runs are sorted in both.
pub fn ranges(output: &[Held]) -> BTreeMap<Uuid, Range<u64>> {
    let mut ranges: BTreeMap<Uuid, Range<u64>> = BTreeMap::new();
    for held in output {
        let (start, end) = (held.run.position, held.run.position + held.run.bytes);
        let range = ranges.entry(held.object).or_insert(start..end);
        *range = range.start.min(start)..range.end.max(end);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use model::{Offset, Timestamp, TopicId};

    use super::*;
    use crate::edit::{Added, Edit};
    use crate::run::{Run, TopicRef};

    const TOPIC: TopicId = TopicId(Uuid::nil());
    const SIZES: Sizes = Sizes { segment_bytes: 1_000, own_bytes: 300 };

    /// A pack of the round `n` with ten records of 10 bytes in each partition.
    fn pack(n: u128, partitions: i32) -> Edit {
        let base = i64::try_from(n).unwrap() * 10;
        let run = |partition: i32| Run {
            topic: TOPIC,
            partition,
            base: Offset(base),
            next: Offset(base + 10),
            position: 8 + u64::from(partition.unsigned_abs()) * 100,
            bytes: 100,
            first_time: Timestamp(0),
            max_time: Timestamp(0),
            crc: 0,
            epoch: 1,
        };
        Edit::Add(Added {
            id: Uuid::from_u128(n),
            name: format!("{n}"),
            bytes: 1 << 20,
            created_ms: base,
            crc: 0,
            level: 0,
            topics: vec![TopicRef { id: TOPIC, name: "t".into() }],
            runs: (0..partitions).map(run).collect(),
        })
    }

    fn index(packs: u128) -> Index {
        let mut index = Index::default();
        (0..packs).for_each(|n| index.apply(&pack(n, 3)));
        index
    }

    #[test]
    fn enough_packs_become_objects_with_contiguous_partitions() {
        assert_eq!(plan(&index(15), SIZES, &HashSet::new()), None);
        let index = index(20);
        let merge = plan(&index, SIZES, &HashSet::new()).unwrap();
        let told: Vec<(i32, i64, usize)> =
            merge.outputs.iter().map(|o| (o[0].run.partition, o[0].run.base.0, o.len())).collect();
        assert_eq!(told, [(0, 0, 10), (0, 100, 6), (1, 0, 10), (1, 100, 6), (2, 0, 10), (2, 100, 6)]);
        assert_eq!(merge.level, 1);
        assert_eq!(ranges(&merge.outputs[2])[&Uuid::from_u128(3)], 108..208);
    }

    #[test]
    fn damaged_objects_and_large_runs_are_left_alone() {
        let index = index(17);
        let spared = (0..2).map(Uuid::from_u128).collect();
        assert_eq!(plan(&index, SIZES, &spared), None);
        assert_eq!(plan(&index, Sizes { own_bytes: 100, ..SIZES }, &HashSet::new()), None);
    }
}
