//! Does the guard let pass what is whole, and stop counts that cannot be?

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::prelude::*;

use super::*;
use crate::layout::{LAYOUTS, layout};
use crate::request;
use crate::test_memory::peak_bytes;

/// What errors of the crate take (they hold a backtrace) and what an allocator rounds up.
const ERROR_BYTES: usize = 256 * 1024;

/// Writes a body by the table: every array with `elements` elements, every string and byte field with some bytes.
struct Writer {
    out: Vec<u8>,
    version: i16,
    flexible: bool,
    elements: u8,
    next: u8,
}

impl Writer {
    fn body(row: &'static Layout, version: i16, elements: u8) -> Bytes {
        let mut writer = Writer { out: vec![], version, flexible: row.is_flexible(version), elements, next: 0 };
        writer.fields(row.fields);
        writer.out.into()
    }

    fn fields(&mut self, fields: &'static [Field]) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            self.value(&field.kind);
        }
        if self.flexible {
            self.tags(fields);
        }
    }

    fn tags(&mut self, fields: &'static [Field]) {
        let present: Vec<_> = fields.iter().filter(|f| f.tag.is_some() && f.is_in(self.version)).collect();
        self.out.push(present.len() as u8);
        for field in present {
            self.out.push(field.tag.unwrap() as u8);
            let at = self.out.len();
            self.value(&field.kind);
            let size = self.out.len() - at;
            assert!(size < 128);
            self.out.insert(at, size as u8);
        }
    }

    fn value(&mut self, kind: &'static Kind) {
        self.next = self.next.wrapping_add(1);
        match kind {
            // 1 is a boolean, too; in larger numbers every byte differs from its neighbours.
            Kind::Fixed(1) => self.out.push(1),
            Kind::Fixed(bytes) => (0..*bytes).for_each(|at| self.out.push(self.next.wrapping_mul(7) ^ at as u8)),
            Kind::String | Kind::Bytes => {
                self.length(kind, self.next % 5);
                (0..self.next % 5).for_each(|at| self.out.push(b'a' + at));
            }
            Kind::Array(element) => {
                self.length(kind, self.elements);
                (0..self.elements).for_each(|_| self.value(element));
            }
            Kind::Struct(fields) => self.fields(fields),
        }
    }

    fn length(&mut self, kind: &Kind, length: u8) {
        match (self.flexible, kind) {
            (true, _) => self.out.push(length + 1),
            (false, Kind::String) => self.out.extend([0, length]),
            (false, _) => self.out.extend([0, 0, 0, length]),
        }
    }
}

/// Decodes with the crate alone, then encodes again: what it thinks the body is.
fn through_crate(api_key: i16, version: i16, body: &Bytes) -> Result<(Bytes, usize), String> {
    fn through<T: Decodable + Encodable>(version: i16, body: &Bytes) -> Result<(Bytes, usize), String> {
        let mut rest = body.clone();
        let message = T::decode(&mut rest, version).map_err(|error| error.to_string())?;
        let mut encoded = BytesMut::new();
        message.encode(&mut encoded, version).map_err(|error| error.to_string())?;
        Ok((encoded.freeze(), rest.len()))
    }
    let through = match api_key {
        0 => through::<ProduceRequest>,
        1 => through::<FetchRequest>,
        2 => through::<ListOffsetsRequest>,
        3 => through::<MetadataRequest>,
        8 => through::<OffsetCommitRequest>,
        9 => through::<OffsetFetchRequest>,
        10 => through::<FindCoordinatorRequest>,
        11 => through::<JoinGroupRequest>,
        12 => through::<HeartbeatRequest>,
        13 => through::<LeaveGroupRequest>,
        14 => through::<SyncGroupRequest>,
        15 => through::<DescribeGroupsRequest>,
        16 => through::<ListGroupsRequest>,
        18 => through::<ApiVersionsRequest>,
        19 => through::<CreateTopicsRequest>,
        20 => through::<DeleteTopicsRequest>,
        21 => through::<DeleteRecordsRequest>,
        22 => through::<InitProducerIdRequest>,
        23 => through::<OffsetForLeaderEpochRequest>,
        32 => through::<DescribeConfigsRequest>,
        33 => through::<AlterConfigsRequest>,
        35 => through::<DescribeLogDirsRequest>,
        37 => through::<CreatePartitionsRequest>,
        42 => through::<DeleteGroupsRequest>,
        44 => through::<IncrementalAlterConfigsRequest>,
        47 => through::<OffsetDeleteRequest>,
        60 => through::<DescribeClusterRequest>,
        other => panic!("no oracle for API {other}: add it here"),
    };
    through(version, body)
}

fn all_versions() -> impl Iterator<Item = (&'static Layout, i16)> {
    LAYOUTS.iter().flat_map(|row| (row.first..=row.last).map(move |version| (row, version)))
}

#[test]
fn table_and_crate_agree_on_every_byte_of_every_version() {
    for (row, version) in all_versions() {
        for elements in [0, 1, 3] {
            let body = Writer::body(row, version, elements);
            let theirs = through_crate(row.api_key, version, &body);
            assert_eq!(theirs, Ok((body.clone(), 0)), "{} {version} with {elements} elements", row.name);
            let walked = walk(row, version, &body);
            assert!(walked.is_ok(), "{} {version}: {walked:?}", row.name);
        }
    }
}

#[test]
fn every_truncation_is_refused_and_extra_bytes_are_passed_over() {
    for (row, version) in all_versions() {
        let body = Writer::body(row, version, 3);
        for length in 0..body.len() {
            assert!(walk(row, version, &body[..length]).is_err(), "{} {version} cut at {length}", row.name);
        }
        assert!(walk(row, version, &[&body[..], &[0]].concat()).is_ok(), "{} {version}", row.name);
    }
}

#[test]
fn requests_filled_by_hand_are_accepted_with_their_tagged_fields() {
    use fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
    let partition = FetchPartition::default().with_replica_directory_id(uuid::Uuid::from_u128(5));
    let partition = partition.with_unknown_tagged_field(9, Bytes::from_static(b"later"));
    let topic = FetchTopic::default().with_topic_id(uuid::Uuid::from_u128(6)).with_partitions(vec![partition; 3]);
    let forgotten = ForgottenTopic::default().with_topic_id(uuid::Uuid::from_u128(7)).with_partitions(vec![1, 2]);
    let state = ReplicaState::default().with_replica_id(4.into()).with_replica_epoch(8);
    let request = FetchRequest::default()
        .with_cluster_id(Some(StrBytes::from_static_str("c")))
        .with_replica_state(state)
        .with_topics(vec![topic; 2])
        .with_forgotten_topics_data(vec![forgotten; 2])
        .with_rack_id(StrBytes::from_static_str("rack"))
        .with_unknown_tagged_field(100, Bytes::from_static(b""));
    let mut body = BytesMut::new();
    request.encode(&mut body, 17).unwrap();
    assert!(walk(layout(1).unwrap(), 17, &body).is_ok());
    assert_eq!(request::decode::<FetchRequest>(1, 17, body.freeze()), Ok(request));
}

#[test]
fn the_five_bytes_that_ask_for_four_gigabytes_are_refused() {
    for version in 0..=13 {
        let body = Bytes::from_static(&[0x03, 0x3c, 0x0c, 0x00, 0xb6]);
        let (decoded, peak) = peak_bytes(|| request::decode::<MetadataRequest>(3, version, body));
        assert!(decoded.is_err(), "{version}");
        assert!(peak < 1 << 12, "{version}: {peak} bytes");
    }
    let why = walk(layout(3).unwrap(), 0, &[0x03, 0x3c, 0x0c, 0x00, 0xb6]).unwrap_err();
    assert_eq!(why, "'topics' claims 54266880 elements, but 1 bytes are left");
}

#[test]
fn elements_that_fit_but_would_grow_too_much_are_refused() {
    // A million topics with names of no letters: 2 bytes each, 72 decoded.
    let body = [&1_000_000i32.to_be_bytes()[..], &vec![0; 2_000_000]].concat();
    let why = walk(layout(3).unwrap(), 0, &body).unwrap_err();
    assert!(why.contains("more than 33048640 bytes"), "{why}");
    // The same in one tagged section: a thousand tags of two bytes each, in each of a thousand topics.
    let mut body = vec![0xe9, 0x07];
    for _ in 0..1000 {
        body.extend([1, 0xe8, 0x07]);
        (0..1000).for_each(|_| body.extend([1, 0]));
    }
    body.extend([0, 0, 0]);
    assert!(walk(layout(3).unwrap(), 9, &body).unwrap_err().contains("of memory"));
}

#[test]
fn a_tagged_field_that_lies_about_its_size_is_refused() {
    let row = layout(1).unwrap();
    let good = Writer::body(row, 17, 1);
    assert!(walk(row, 17, &good).is_ok());
    // The cluster id stands last but one: tag 0, size, compact string; then the replica state with tag 1.
    let at = good.len() - 1 - 12 - 2 - 1;
    let cluster_id = (0..good.len()).rev().find(|at| good[*at..].starts_with(&[2, 0])).expect("two tagged fields");
    assert!(cluster_id < at);
    let mut bad = good.to_vec();
    bad[cluster_id + 2] += 1;
    let why = walk(row, 17, &bad).unwrap_err();
    assert!(why.starts_with("'cluster_id' takes"), "{why}");
}

fn any_version() -> impl Strategy<Value = (&'static Layout, i16)> {
    let all: Vec<_> = all_versions().collect();
    proptest::sample::select(all)
}

/// The crate decodes what the guard accepts without a panic and within what the guard has counted.
fn decodes_within_the_count(row: &'static Layout, version: i16, body: &Bytes) -> Result<(), TestCaseError> {
    let (walked, peak) = peak_bytes(|| walk(row, version, body));
    prop_assert!(peak < 1 << 12, "the walk itself took {} bytes", peak);
    let Ok(counted) = walked else { return Ok(()) };
    let (_, peak) = peak_bytes(|| through_crate(row.api_key, version, body));
    // Encoding again takes at most twice the body, for growth by doubling.
    let bound = counted + 4 * body.len() + ERROR_BYTES;
    prop_assert!(peak <= bound, "{} {}: {} bytes, {} counted", row.name, version, peak, counted);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damaged_bodies_never_panic_nor_ask_for_much(
        (row, version) in any_version(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut body = Writer::body(row, version, 2).to_vec();
        if !body.is_empty() {
            damage.into_iter().for_each(|(at, byte)| body[at.index(Writer::body(row, version, 2).len())] = byte);
        }
        decodes_within_the_count(row, version, &body.into())?;
    }

    #[test]
    fn arbitrary_bodies_never_panic_nor_ask_for_much(
        (row, version) in any_version(),
        body in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), any::<u8>()], 0..80),
    ) {
        decodes_within_the_count(row, version, &body.into())?;
    }
}

#[test]
fn the_count_covers_what_large_arrays_really_take() {
    for (row, version) in all_versions() {
        let body = Writer::body(row, version, 40);
        let counted = walk(row, version, &body).unwrap();
        let (_, peak) = peak_bytes(|| request::guard(row.api_key, version, &body));
        assert_eq!(peak, 0, "walking allocates nothing");
        let (decoded, peak) = peak_bytes(|| through_crate(row.api_key, version, &body));
        decoded.unwrap();
        assert!(peak <= counted + 4 * body.len() + 1024, "{} {version}: {peak}, {counted} counted", row.name);
    }
}

#[test]
fn compact_strings_are_no_longer_than_classic_ones() {
    // FindCoordinator 3: one compact string, then its kind and no tags.
    let body = |length: usize| {
        let mut body = BytesMut::new();
        let mut left = length + 1;
        while left >= 0x80 {
            body.extend_from_slice(&[(left % 0x80) as u8 | 0x80]);
            left /= 0x80;
        }
        body.extend_from_slice(&[left as u8]);
        body.resize(body.len() + length, b'g');
        body.extend_from_slice(&[0, 0]);
        body
    };
    assert!(walk(layout(10).unwrap(), 3, &body(32_767)).is_ok());
    assert!(walk(layout(10).unwrap(), 3, &body(32_768)).unwrap_err().contains("at most 32767"));
}
