//! Which batches go into which objects?

use model::Offset;

use crate::run::TopicRef;

/// Batches of one partition that are committed and not archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    pub topic: TopicRef,
    pub partition: i32,
    pub from: Offset,
    pub to: Offset,
    pub bytes: u64,
}

/// An object to be made: of one partition, or of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub parts: Vec<Behind>,
    /// About how many bytes it may take; a batch is never cut.
    pub bytes_max: u64,
}

/// From which sizes on what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of an object.
    pub segment_bytes: u64,
    /// A partition with this much gets an object of its own.
    pub own_bytes: u64,
}

/// `due`: everything goes, at the end of an interval; before that only what fills an object.
pub fn plan(mut behind: Vec<Behind>, sizes: Sizes, due: bool) -> Vec<Upload> {
    behind.retain(|part| part.from < part.to);
    behind.sort_by_key(|part| (part.topic.id, part.partition));
    let own_min = if due { sizes.own_bytes } else { sizes.segment_bytes };
    let (own, shared): (Vec<Behind>, Vec<Behind>) = behind.into_iter().partition(|part| part.bytes >= own_min);
    let bytes_max = sizes.segment_bytes;
    let mut uploads: Vec<Upload> = own.into_iter().map(|part| Upload { parts: vec![part], bytes_max }).collect();
    let (mut pack, mut bytes) = (Vec::new(), 0);
    for part in shared {
        if bytes + part.bytes > sizes.segment_bytes && !pack.is_empty() {
            uploads.push(Upload { parts: std::mem::take(&mut pack), bytes_max });
            bytes = 0;
        }
        bytes += part.bytes;
        pack.push(part);
    }
    // What is left over fills no object.
    if due && !pack.is_empty() {
        uploads.push(Upload { parts: pack, bytes_max });
    }
    uploads
}

#[cfg(test)]
mod tests {
    use model::TopicId;
    use uuid::Uuid;

    use super::*;

    const SIZES: Sizes = Sizes { segment_bytes: 100, own_bytes: 40 };

    fn behind(partition: i32, bytes: u64) -> Behind {
        let topic = TopicRef { id: TopicId(Uuid::nil()), name: "t".into() };
        let to = Offset(i64::try_from(bytes).unwrap());
        Behind { topic, partition, from: Offset(0), to, bytes }
    }

    fn told(uploads: &[Upload]) -> Vec<Vec<i32>> {
        uploads.iter().map(|upload| upload.parts.iter().map(|part| part.partition).collect()).collect()
    }

    #[test]
    fn quiet_partitions_share_and_busy_ones_have_their_own() {
        let list = vec![behind(3, 30), behind(1, 39), behind(2, 500), behind(0, 40), behind(4, 39), behind(5, 0)];
        assert_eq!(told(&plan(list.clone(), SIZES, true)), [vec![0], vec![2], vec![1, 3], vec![4]]);
        assert_eq!(told(&plan(list, SIZES, false)), [vec![2], vec![0, 1]]);
    }

    #[test]
    fn objects_do_not_grow_in_number_with_partitions() {
        let list: Vec<Behind> = (0..20_000).map(|partition| behind(partition, 1)).collect();
        assert_eq!(plan(list, Sizes { segment_bytes: 10_000, own_bytes: 1_000 }, true).len(), 2);
    }
}
