//! Crash after crash on a log that Raft groups share: no vote is forgotten, no tail that was cut returns.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use model::{LogGroup, LogIndex, PartitionId, Term};
use runtime::Driver;

use super::fake::{Fake, Image};
use super::tools::{batch, body, config, open, read_all, without_checkpoints};
use crate::log::{CoreLog, LogConfig};
use crate::raft::{Content, EntryId, GroupEntry, Vote};

const GROUPS: u32 = 3;

/// What a group should hold.
#[derive(Clone, Default)]
struct Expected {
    /// Every vote that was asked for, and how many of them are durable for sure.
    votes: Vec<Vote>,
    votes_durable: usize,
    /// Entries in order, from index 1 on: term and salt.
    entries: Vec<(Term, u64)>,
    /// This many are there for sure, and no others unless they were sent and not cut since.
    durable: usize,
    committed: usize,
    purged: u64,
    term: u64,
    /// Index and term of entries that were cut off, and how many of them durably so.
    dead: Vec<(usize, Term)>,
    dead_durable: usize,
}

type Model = Rc<RefCell<HashMap<LogGroup, Expected>>>;

fn small() -> LogConfig {
    LogConfig { segment_bytes: 96 * 1024, tail_cache_bytes: 32 * 1024, ..config() }
}

#[test]
fn crashes_forget_no_vote_and_bring_no_tail_back() {
    let (mut removed, mut cuts) = (false, 0);
    for seed in 0..60 {
        let model = Model::default();
        let mut image = Image::new();
        for round in 0..6 {
            let fake = Fake::new(image, seed * 100 + round);
            let steps = 20 + fake.below(1_000);
            let counted = Rc::new(RefCell::new(0));
            fake.run_for(steps, live(fake.clone(), model.clone(), counted.clone()));
            cuts += counted.take();
            image = fake.crash_image();
            removed |= !image.keys().any(|path| path.ends_with("core-0000000001.log"));
        }
        for image in [without_checkpoints(image.clone()), image] {
            let fake = Fake::new(image, seed);
            let (driver, model) = (fake.clone(), Rc::new(RefCell::new(model.borrow().clone())));
            fake.run(async move { verify(&open(driver, small()).await, &model).await });
        }
    }
    assert!(removed && cuts > 50, "the runs are long enough: {removed}, {cuts}");
}

/// One life of the process.
async fn live(fake: Fake, model: Model, cuts: Rc<RefCell<u64>>) {
    let log = open(fake.clone(), small()).await;
    assert_eq!(log.damage(), []);
    verify(&log, &model).await;
    for _ in 0..fake.below(80) {
        let group = LogGroup(fake.below(u64::from(GROUPS)) as u32);
        match fake.below(12) {
            0 => vote(&log, &fake, &model, group).await,
            1 => cut(&log, &fake, &model, group, &cuts),
            2 => purge(&log, &model, group).await,
            3 => {
                let at = fake.now().plus_ms(1_100);
                fake.sleep_until(at).await;
            }
            _ => append(&log, &fake, &model, group).await,
        }
    }
    log.close().await.expect("the disk works");
}

async fn vote(log: &CoreLog<Fake>, fake: &Fake, model: &Model, group: LogGroup) {
    let vote = {
        let mut model = model.borrow_mut();
        let expected = model.entry(group).or_default();
        expected.term += 1;
        let vote = Vote { term: Term(expected.term), node: fake.below(5), committed: fake.below(2) == 0 };
        expected.votes.push(vote);
        vote
    };
    let saved = log.save_vote(group, vote).expect("terms grow");
    if fake.below(2) == 0 {
        saved.await.expect("the disk works");
        let mut model = model.borrow_mut();
        let expected = model.get_mut(&group).expect("just made");
        expected.votes_durable = expected.votes.len();
    }
}

async fn append(log: &CoreLog<Fake>, fake: &Fake, model: &Model, group: LogGroup) {
    let partition = PartitionId(u64::from(group.0) * 10 + fake.below(2));
    let (salt, size) = (fake.below(1 << 20), [20, 500, 5_000, 20_000][fake.below(4) as usize]);
    let sent = batch(salt, 1, size);
    let mut count = 0;
    {
        let mut model = model.borrow_mut();
        let expected = model.entry(group).or_default();
        let id = EntryId { term: Term(expected.term), index: LogIndex(expected.entries.len() as u64 + 1) };
        let content = match fake.below(6) {
            0 => Content::Own(Bytes::copy_from_slice(&salt.to_le_bytes())),
            _ => Content::Batch(log.reserve(partition, &sent).expect("there is room"), sent.clone()),
        };
        let own = matches!(content, Content::Own(_));
        expected.entries.push((id.term, if own { salt } else { salt | 1 << 40 | (size as u64) << 41 }));
        count += expected.entries.len();
        log.append_entries(group, vec![GroupEntry { id, content }], Box::new(|_| {})).expect("it follows");
    }
    if fake.below(3) == 0 {
        log.flushed().await.expect("the disk works");
        let mut model = model.borrow_mut();
        let expected = model.get_mut(&group).expect("just made");
        expected.durable = expected.durable.max(count.min(expected.entries.len()));
        expected.dead_durable = expected.dead.len();
        if fake.below(2) == 0 {
            expected.committed = expected.durable;
            log.commit_group(group, LogIndex(expected.committed as u64));
        }
    }
}

fn cut(log: &CoreLog<Fake>, fake: &Fake, model: &Model, group: LogGroup, cuts: &RefCell<u64>) {
    let mut model = model.borrow_mut();
    let expected = model.entry(group).or_default();
    let loose = (expected.entries.len() - expected.committed) as u64;
    let kept = expected.entries.len() - fake.below(loose + 1) as usize;
    if kept == expected.entries.len() {
        return;
    }
    let term = kept.checked_sub(1).map_or(Term(0), |last| expected.entries[last].0);
    drop(log.truncate_group(group, EntryId { term, index: LogIndex(kept as u64) }).expect("not committed"));
    *cuts.borrow_mut() += 1;
    let cut = expected.entries.drain(kept..).zip(kept + 1..).map(|((term, _), index)| (index, term));
    expected.dead.extend(cut.collect::<Vec<_>>());
    expected.durable = expected.durable.min(kept);
    // The next entries are of a later leader, so that what was cut is never taken for them.
    expected.term += 1;
}

async fn purge(log: &CoreLog<Fake>, model: &Model, group: LogGroup) {
    let id = {
        let model = model.borrow();
        let Some(expected) = model.get(&group).filter(|expected| expected.committed > 0) else { return };
        let index = expected.committed as u64;
        EntryId { term: expected.entries[expected.committed - 1].0, index: LogIndex(index) }
    };
    let state = Bytes::copy_from_slice(&id.index.0.to_le_bytes());
    let purged = log.purge_group(group, id, state).expect("it is durable");
    // A trim makes room for real.
    for partition in log.partitions().into_iter().filter(|p| p.0 / 10 == u64::from(group.0)) {
        log.set_log_start(partition, log.frontiers(partition).high_watermark());
    }
    purged.await.expect("the disk works");
    let mut model = model.borrow_mut();
    let expected = model.get_mut(&group).expect("it was there");
    expected.purged = expected.purged.max(id.index.0);
}

/// Compares the log with what was asked for, and takes over what of the uncertain survived.
async fn verify(log: &CoreLog<Fake>, model: &Model) {
    for group in (0..GROUPS).map(LogGroup) {
        let facts = log.open_group(group);
        // A crash in here leaves the model as it was.
        let mut expected = model.borrow().get(&group).cloned().unwrap_or_default();
        let votes = &expected.votes[expected.votes_durable.saturating_sub(1)..];
        let known = facts.vote.is_none() && expected.votes_durable == 0;
        assert!(known || facts.vote.is_some_and(|vote| votes.contains(&vote)), "{:?} of {votes:?}", facts.vote);
        assert!(facts.purged.index.0 >= expected.purged, "{facts:?}");
        if facts.purged.index.0 > 0 {
            assert_eq!(facts.state[..], facts.purged.index.0.to_le_bytes());
        }
        let last = facts.last.index.0 as usize;
        assert!(last >= expected.durable && last >= expected.committed, "{facts:?}, {}", expected.durable);
        let entries = log.entries(group, LogIndex(0), LogIndex(u64::MAX)).await.expect("nothing is damaged");
        assert_eq!(entries.len(), last - facts.purged.index.0 as usize);
        for (entry, index) in entries.iter().zip(facts.purged.index.0 + 1..) {
            assert_eq!(entry.id.index.0, index);
            let dead = &expected.dead[..expected.dead_durable];
            assert!(!dead.contains(&(index as usize, entry.id.term)), "entry {index} of {group} is back");
            // Entries that were cut in a life that ended before that was durable may be there, the old ones first.
            let (term, token) = expected.entries.get(index as usize - 1).copied().unwrap_or((entry.id.term, 0));
            if token == 0 || (index as usize > expected.durable && term != entry.id.term) {
                expected.entries.truncate(index as usize - 1);
                let token = token_of(&entry.content);
                expected.entries.push((entry.id.term, token));
                continue;
            }
            assert_eq!((term, token), (entry.id.term, token_of(&entry.content)), "entry {index} of {group}");
        }
        expected.entries.truncate(last);
        // What came back of the others is an entry again; the rest can never come back now.
        expected.dead.retain(|dead| !entries.iter().any(|entry| (entry.id.index.0 as usize, entry.id.term) == *dead));
        expected.dead_durable = expected.dead.len();
        (expected.durable, expected.votes_durable) = (last, expected.votes.len().min(expected.votes_durable));
        log.commit_group(group, LogIndex(last as u64));
        expected.committed = last;
        expected.term += 1;
        for partition in log.partitions().into_iter().filter(|p| p.0 / 10 == u64::from(group.0)) {
            let frontiers = log.frontiers(partition);
            assert_eq!(frontiers.high_watermark(), frontiers.log_end(), "all is committed");
            read_all(log, partition).await.expect("nothing is damaged");
        }
        model.borrow_mut().insert(group, expected);
    }
}

/// What tells one entry from another.
fn token_of(content: &Content) -> u64 {
    match content {
        Content::Own(bytes) => u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")),
        Content::Batch(_, bytes) => {
            let records = wire::batch::records(bytes, 1 << 20).expect("whole");
            let record = records.iter().next().expect("it has one").expect("intact");
            let salt = u64::from_be_bytes(record.key.expect("it has one").try_into().expect("eight bytes"));
            let size = record.value.expect("it has one").len() as u64;
            let again = batch(salt, 1, size as usize);
            assert_eq!(body(bytes), body(&again));
            salt | 1 << 40 | size << 41
        }
    }
}
