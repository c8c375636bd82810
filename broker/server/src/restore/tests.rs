//! Does the controller know afterwards what it must?

use model::{TopicName, TopicSettings};

use super::*;
use crate::cluster::Place;

fn topic(name: &str, id: u128, partitions: &[(u64, u16)]) -> Topic {
    Topic {
        name: TopicName::new(name).expect("is legal"),
        id: TopicId(Uuid::from_u128(id)),
        partitions: partitions
            .iter()
            .map(|(id, shard)| Place { id: PartitionId(*id), shard: ShardId(*shard) })
            .collect(),
        settings: TopicSettings::default(),
        created_ms: 5,
    }
}

fn created(topic: &Topic) -> Record {
    Record::TopicCreated {
        name: topic.name.clone(),
        id: topic.id,
        first_partition: topic.partitions[0].id,
        shards: topic.partitions.iter().map(|place| place.shard).collect(),
        settings: topic.settings.clone(),
        created_ms: topic.created_ms,
    }
}

fn logged(records: &[Record]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    records.iter().for_each(|record| builder.push(1, None, Some(&record.encode()), &[]));
    builder.build()
}

#[test]
fn topics_younger_than_the_archived_records_come_back_and_deleted_ones_do_not() {
    let cluster = Uuid::from_u128(9);
    let (old, gone) = (topic("old", 1, &[(1, 0)]), topic("gone", 2, &[(2, 0)]));
    let young = topic("young", 3, &[(3, 1), (4, 0), (9, 1), (10, 1)]);
    let mut known = Known::default();
    let records =
        [Record::Cluster { id: cluster }, created(&old), created(&gone), Record::TopicDeleted { id: gone.id }];
    known.read(&logged(&records)).expect("reads");
    for topic in [&old, &gone, &young, &topic("old", 4, &[(11, 0)])] {
        known.topic(topic);
    }
    let mut controller = known.controller.clone();
    let missing = known.missing(cluster);
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert!(matches!(missing[2], Record::ProducerIds { next } if next > PRODUCER_IDS_AHEAD));
    missing.iter().skip(2).for_each(|record| controller.apply(record));
    let found = controller.cluster().topic("young").expect("is back");
    assert_eq!((&found.partitions, found.id), (&young.partitions, young.id));
    assert!(controller.cluster().topic("gone").is_none());
    assert_eq!(controller.cluster().topic("old").expect("is there").id, old.id);
}

#[test]
fn a_cluster_without_archived_records_is_made_of_its_state() {
    let mut known = Known::default();
    known.topic(&topic("a", 1, &[(1, 0)]));
    let cluster = Uuid::from_u128(9);
    let mut controller = Controller::default();
    known.missing(cluster).iter().for_each(|record| controller.apply(record));
    assert_eq!(controller.cluster().id(), cluster);
    assert!(controller.cluster().topic("a").is_some());
}
