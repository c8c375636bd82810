//! Does the archive decide rightly, whenever its process dies?

use std::collections::BTreeSet;

use model::ShardId;
use proptest::prelude::*;

use super::*;
use crate::root::page_edits;
use crate::run::Run;

const OWNER: Owner = Owner { cluster: Uuid::from_u128(1), shard: ShardId(0) };
const POLICY: Policy = Policy { sizes: Sizes { segment_bytes: 1_000, own_bytes: 300 }, delete_after_ms: 100 };

fn topic(n: u128) -> TopicRef {
    TopicRef { id: TopicId(Uuid::from_u128(n)), name: format!("t{n}") }
}

fn seen(n: u128, end: i64, bytes: u64) -> Seen {
    Seen {
        topic: topic(n),
        partition: 0,
        log_start: Offset(0),
        local_start: Offset(0),
        high_watermark: Offset(end),
        archived: None,
        bytes,
        retention_ms: None,
        retention_bytes: None,
        needed_from: None,
        is_archived: true,
    }
}

/// A bucket and a log in a few lines: what the worker does, without the waiting.
#[derive(Default)]
struct World {
    pages: HashMap<Uuid, Bytes>,
    roots: BTreeMap<u64, Bytes>,
    objects: BTreeSet<Uuid>,
    told: BTreeMap<TopicId, Offset>,
    ids: u128,
    now_ms: i64,
}

impl World {
    fn id(&mut self) -> Uuid {
        self.ids += 1_000;
        Uuid::from_u128(self.ids)
    }

    fn upload(&mut self, upload: &Upload) -> Added {
        let mut position = 8;
        let now_ms = self.now_ms;
        let runs = upload.parts.iter().map(|part| {
            let bytes = part.bytes.max(1);
            position += bytes;
            run(part.topic.id, part.from.0, part.to.0, position - bytes, bytes, now_ms)
        });
        let runs = runs.collect::<Vec<_>>();
        self.added(upload.parts.iter().map(|part| part.topic.clone()).collect(), runs, position, 0)
    }

    fn added(&mut self, topics: Vec<TopicRef>, runs: Vec<Run>, bytes: u64, level: u8) -> Added {
        let id = self.id();
        self.objects.insert(id);
        let created_ms = self.now_ms;
        Added { id, name: id.to_string(), bytes, created_ms, crc: 0, level, topics, runs }
    }

    fn merge(&mut self, archive: &Archive, merge: &Merge) -> Vec<Added> {
        let mut made = Vec::new();
        for output in &merge.outputs {
            let (mut position, mut runs) = (8, Vec::<Run>::new());
            for held in output {
                match runs.last_mut() {
                    Some(last) if last.topic == held.run.topic && last.next == held.run.base => {
                        last.next = held.run.next;
                        last.bytes += held.run.bytes;
                        last.max_time = last.max_time.max(held.run.max_time);
                    }
                    _ => runs.push(Run { position, ..held.run }),
                }
                position += held.run.bytes;
            }
            let topics = archive.index().topic_refs(&runs);
            made.push(self.added(topics, runs, position, merge.level));
        }
        made
    }

    /// One round. `cut`: the process dies after that many steps.
    fn round(&mut self, archive: &mut Archive, partitions: Vec<Seen>, mut cut: usize) -> Option<Vec<Place>> {
        self.now_ms += 60;
        let mut partitions = partitions;
        for seen in &mut partitions {
            let told = self.told.get(&seen.topic.id).copied();
            seen.archived =
                Some(told.unwrap_or(Offset(archived(archive, seen.topic.id.0.as_u128()))).max(seen.log_start));
        }
        let mut trims = Vec::new();
        let mut step = || {
            cut = cut.checked_sub(1)?;
            Some(())
        };
        for effect in archive.apply(Event::Looked { now_ms: self.now_ms, due: true, partitions }) {
            step()?;
            match effect {
                Effect::Upload(upload) => {
                    let added = self.upload(&upload);
                    archive.apply(Event::Uploaded(added));
                }
                Effect::Merge(merge) => {
                    for added in self.merge(archive, &merge) {
                        archive.apply(Event::Uploaded(added));
                    }
                }
                Effect::Advance(places) => self.advance(places),
                Effect::Trim(places) => trims.extend(places),
                Effect::Delete { id, .. } => {
                    // One that died right here may have removed it already.
                    self.objects.remove(&id);
                    archive.apply(Event::Removed(id));
                }
                Effect::Clean { .. } | Effect::Report(_) => unreachable!(),
            }
        }
        step()?;
        let id = self.id();
        if let Some(write) = archive.pending(self.now_ms, id) {
            for (id, bytes) in write.pages {
                step()?;
                self.pages.insert(id, bytes);
            }
            step()?;
            assert!(self.roots.insert(write.sequence, write.root).is_none(), "a root is written once");
            step()?;
            for effect in archive.apply(Event::Written) {
                match effect {
                    Effect::Advance(places) => self.advance(places),
                    Effect::Clean { roots_below, pages } => {
                        self.roots.retain(|sequence, _| *sequence >= roots_below);
                        pages.iter().for_each(|page| drop(self.pages.remove(page)));
                    }
                    other => unreachable!("{other:?}"),
                }
            }
        }
        Some(trims)
    }

    fn advance(&mut self, places: Vec<Place>) {
        self.told.extend(places.into_iter().map(|place| (place.topic.id, place.offset)));
    }

    /// What a process that begins now reads in the bucket.
    fn load(&self) -> Archive {
        let Some((sequence, bytes)) = self.roots.last_key_value() else {
            return Archive::new(OWNER, Uuid::from_u128(3), POLICY);
        };
        let root = Root::decode(OWNER, *sequence, bytes).unwrap();
        let mut index = Index::default();
        for page in &root.pages {
            page_edits(OWNER, page, &self.pages[&page.id]).unwrap().iter().for_each(|edit| index.apply(edit));
        }
        root.edits().unwrap().iter().for_each(|edit| index.apply(edit));
        Archive::loaded(OWNER, Uuid::from_u128(3), POLICY, &root, index)
    }

    /// Nothing dangles: every run that counts lies in an object that is there.
    fn check(&self, archive: &Archive) {
        for held in archive.index().runs_of(|_| true) {
            assert!(self.objects.contains(&held.object), "{held:?} dangles");
        }
    }
}

fn run(topic: TopicId, base: i64, next: i64, position: u64, bytes: u64, time: i64) -> Run {
    let (base, next, time) = (Offset(base), Offset(next), Timestamp(time));
    Run { topic, partition: 0, base, next, position, bytes, first_time: time, max_time: time, crc: 0, epoch: 1 }
}

fn archived(archive: &Archive, n: u128) -> i64 {
    archive.index().part(topic(n).id, 0).map_or(0, |part| part.archived().0)
}

#[test]
fn frontiers_move_when_the_root_is_there_and_not_before() {
    let (mut world, mut archive) = (World::default(), World::default().load());
    let partitions = vec![seen(1, 10, 100), seen(2, 5, 50)];
    let effects = archive.apply(Event::Looked { now_ms: 1, due: true, partitions: partitions.clone() });
    let [Effect::Advance(told)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(told.iter().map(|place| place.offset.0).collect::<Vec<_>>(), [0, 0], "first the log learns what is so");
    let partitions = partitions.into_iter().map(|seen| Seen { archived: Some(Offset(0)), ..seen }).collect();
    let effects = archive.apply(Event::Looked { now_ms: 1, due: true, partitions });
    let [Effect::Upload(upload)] = &effects[..] else { panic!("{effects:?}") };
    let added = world.upload(upload);
    assert!(archive.apply(Event::Uploaded(added)).is_empty());
    assert_eq!(archived(&archive, 1), 0);
    let write = archive.pending(2, Uuid::nil()).unwrap();
    assert_eq!(archive.pending(3, Uuid::nil()), Some(write), "the same root until its fate is known");
    let effects = archive.apply(Event::Written);
    let Effect::Advance(told) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(told.iter().map(|place| place.offset.0).collect::<Vec<_>>(), [10, 5]);
    assert_eq!(archive.pending(3, Uuid::nil()), None);
}

#[test]
fn an_object_goes_after_the_manifest_forgot_it_and_a_delay() {
    let (mut world, mut archive) = (World::default(), World::default().load());
    world.round(&mut archive, vec![seen(1, 10, 100)], 99).unwrap();
    let forgotten = || Seen { log_start: Offset(10), ..seen(1, 10, 0) };
    world.round(&mut archive, vec![forgotten()], 99).unwrap();
    assert_eq!((world.objects.len(), archive.index().runs()), (1, 0));
    world.round(&mut archive, vec![forgotten()], 99).unwrap();
    world.round(&mut archive, vec![forgotten()], 99).unwrap();
    assert_eq!(world.objects.len(), 1, "not yet");
    world.round(&mut archive, vec![forgotten()], 99).unwrap();
    assert_eq!((world.objects.len(), archive.index().objects().count()), (0, 0));
    assert_eq!(archived(&world.load(), 1), 10);
}

#[test]
fn retention_counts_what_archive_and_log_have_together() {
    let (mut world, mut archive) = (World::default(), World::default().load());
    for n in 1..5 {
        world.round(&mut archive, vec![seen(1, 10 * n, 100)], 99).unwrap();
    }
    let sized = |bytes| Seen { retention_bytes: Some(bytes), archived: Some(Offset(40)), ..seen(1, 50, 100) };
    let trims = |archive: &mut Archive, seen: Seen| -> Vec<i64> {
        let effects = archive.apply(Event::Looked { now_ms: 300, due: true, partitions: vec![seen] });
        effects
            .iter()
            .flat_map(|effect| match effect {
                Effect::Trim(places) => places.iter().map(|place| place.offset.0).collect(),
                _ => Vec::new(),
            })
            .collect()
    };
    assert_eq!(trims(&mut archive, sized(500)), [0; 0]);
    assert_eq!(trims(&mut archive, sized(300)), [20]);
    assert_eq!(trims(&mut archive, Seen { needed_from: Some(Offset(15)), ..sized(300) }), [15], "the table needs it");
    let aged = Seen { retention_ms: Some(300 - 130), ..seen(1, 40, 0) };
    assert_eq!(trims(&mut archive, aged), [20], "rounds were at 60, 120, 180 and 240");
}

#[test]
fn a_deleted_topic_is_forgotten_and_an_absent_archive_switch_is_not_a_deletion() {
    let (mut world, mut archive) = (World::default(), World::default().load());
    world.round(&mut archive, vec![seen(1, 10, 100), seen(2, 10, 100)], 99).unwrap();
    world.round(&mut archive, vec![Seen { is_archived: false, ..seen(2, 20, 100) }], 99).unwrap();
    assert_eq!((archive.index().part(topic(1).id, 0), archived(&archive, 2)), (None, 10));
}

#[test]
fn the_root_stays_small_and_old_pages_go() {
    let (mut world, mut archive) = (World::default(), World::default().load());
    let mut ends = [0_i64; 400];
    for round in 0..200_u128 {
        let partitions = (0..400).map(|n| {
            ends[n] += 1;
            Seen { archived: Some(Offset(ends[n] - 1)), ..seen(n as u128, ends[n], 2) }
        });
        world.round(&mut archive, partitions.collect(), 99).unwrap();
        let root = world.roots.last_key_value().unwrap().1;
        assert!(root.len() < 128 * 1024, "round {round}: {} bytes", root.len());
    }
    assert_eq!(world.load().index(), archive.index());
    assert!(archive.index().runs() < 400 * 40, "{} runs of 400 partitions after 200 rounds", archive.index().runs());
    let needed = archive.index().written_bytes();
    let there: usize = world.pages.values().map(Bytes::len).sum();
    assert!(there < 3 * needed + 2 * OUTDATED_BYTES_MIN, "{there} bytes of pages where {needed} would do");
    assert!(world.roots.len() <= 12);
}

proptest! {
    /// A process dies anywhere; the next one goes on, and nothing is lost, counted twice or left dangling.
    #[test]
    fn dying_anywhere_loses_nothing(
        rounds in prop::collection::vec((prop::collection::vec(0..30_i64, 3), 0..12_usize, 0..6_u8), 1..40)
    ) {
        let mut world = World::default();
        let mut archive = world.load();
        let (mut ends, mut starts) = ([0_i64; 3], [0_i64; 3]);
        for (more, cut, what) in rounds {
            let mut partitions = Vec::new();
            for n in 0..3 {
                ends[n] += more[n];
                if what == 5 && n == 1 {
                    starts[1] = (starts[1] + more[0]).min(ends[1]);
                }
                // The log of a partition may only have dropped what it was told is archived.
                let told = world.told.get(&topic(n as u128).id).map_or(0, |told| told.0);
                let bytes = (ends[n] - told.max(starts[n])).unsigned_abs() * 20;
                let topic = n as u128;
                partitions.push(Seen { log_start: Offset(starts[n]), ..seen(topic, ends[n], bytes) });
            }
            if world.round(&mut archive, partitions, cut + 3).is_none() {
                archive = world.load();
            }
            world.check(&archive);
            world.check(&world.load());
            for (n, start) in starts.into_iter().enumerate() {
                let told = world.told.get(&topic(n as u128).id).map_or(0, |told| told.0);
                prop_assert!(told <= archived(&world.load(), n as u128).max(start), "told before it was so");
                let loaded = world.load();
                let mut next = start;
                for held in loaded.index().part(topic(n as u128).id, 0).map(|part| part.runs()).unwrap_or_default() {
                    prop_assert!(held.run.base.0 <= next.max(loaded.index().part(held.run.topic, 0).unwrap().start().0), "a hole");
                    next = next.max(held.run.next.0);
                }
            }
        }
    }
}

#[test]
fn a_log_that_ended_below_its_archive_is_left_alone_also_when_it_has_grown() {
    let (mut world, mut archive) = (World::default(), World::default().load());
    world.round(&mut archive, vec![seen(1, 300, 100)], 99).unwrap();
    for end in [200, 0, 310, 400] {
        let look = Event::Looked { now_ms: 1_000, due: true, partitions: vec![seen(1, end, 100), seen(2, 10, 100)] };
        let effects = archive.apply(look);
        let about = |place: &Place| (place.topic.id, place.offset.0);
        let first = effects.iter().find_map(|effect| match effect {
            Effect::Report(places) => Some(places.iter().map(about).collect::<Vec<_>>()),
            _ => None,
        });
        assert_eq!(first, Some(vec![(topic(1).id, 300)]), "a log of {end}");
        for effect in effects {
            if let Effect::Advance(places) | Effect::Trim(places) = effect {
                assert!(places.iter().all(|place| place.topic.id == topic(2).id), "{places:?}");
            } else {
                assert!(matches!(effect, Effect::Report(_)), "{effect:?}");
            }
        }
    }
}
