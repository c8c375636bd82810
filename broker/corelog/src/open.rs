//! How does a log come up: what is in its folder, and what does the program know of it afterwards?

use std::cell::RefCell;
use std::rc::Rc;

use model::limits::{BATCH_BYTES_MAX, IO_ALIGN, LOG_RESERVE_BYTES};
use model::{Error, LogGroup, PartitionId, Position, Result};
use runtime::{DirEntry, Driver};
use wire::batch::BatchHeader;

use crate::checkpoint::{Base, Loaded, Marks, Name, Owner, Seeing, UNFINISHED, compare, index_of, load};
use crate::commit::Commit;
use crate::durable::Acks;
use crate::flush;
use crate::found::Takeover;
use crate::frame::{HEAD_BYTES, Kind};
use crate::log::{CoreLog, LogConfig, Shared, State, Work};
use crate::partitions::Partitions;
use crate::recovery::{Damage, Known, Recovered, recover_behind};
use crate::segment::{DATA_START, SEGMENT_BYTES_MIN, Segment};
use crate::store::{Store, close_file};

/// What a start knows about the log.
struct Recovery<D: Driver> {
    store: Store<D>,
    takeover: Takeover,
    recovered: Recovered,
    marks: Marks,
    /// The log ended in order, and so says the name of the newest checkpoint.
    clean: bool,
}

impl<D: Driver> CoreLog<D> {
    /// Recovers the log of a folder, or begins one. `seen` is called for the live batches behind the newest
    /// checkpoint, in the order of the log, and nothing is kept for the next start: [`CoreLog::open_for`] does so.
    pub async fn open(driver: D, config: LogConfig, seen: impl FnMut(PartitionId, &BatchHeader)) -> Result<CoreLog<D>> {
        open(driver, config, &Seeing(RefCell::new(seen)), None).await
    }

    /// Recovers the log of a folder, or begins one.
    ///
    /// `Damaged`: a segment cannot be read; `Storage`: no room for a segment; `Invalid`: the settings are impossible, or a
    /// newer version wrote the log.
    pub async fn open_for(driver: D, config: LogConfig, owner: Rc<dyn Owner>) -> Result<CoreLog<D>> {
        open(driver, config, &*owner, Some(owner.clone())).await
    }

    /// Begins to write: the Opened frame is durable before anything else is written.
    async fn start(shared: Rc<Shared<D>>, segments: &[Segment]) -> Result<CoreLog<D>> {
        shared.note_groups(Kind::Opened);
        let flusher = flush::Flusher::new(shared.clone(), segments).await?;
        let task = shared.driver.spawn("corelog-flush", flusher.run());
        let log = CoreLog { shared, flusher: Rc::new(RefCell::new(Some(task))) };
        log.flushed().await?;
        Ok(log)
    }
}

async fn open<D: Driver>(
    driver: D,
    config: LogConfig,
    following: &dyn Owner,
    owner: Option<Rc<dyn Owner>>,
) -> Result<CoreLog<D>> {
    let bytes = config.segment_bytes;
    if bytes < SEGMENT_BYTES_MIN || !bytes.is_multiple_of(IO_ALIGN as u64) {
        let least = SEGMENT_BYTES_MIN;
        return Err(Error::invalid(format!("a segment has a multiple of 4096 bytes, at least {least}, not {bytes}")));
    }
    let (group, tail_bytes) = (LogGroup(u32::from(config.shard.0)), config.tail_cache_bytes);
    let Recovery { store, takeover, recovered, marks, clean } = find(&driver, &config, following).await?;
    let segments = store.segments();
    for damage in &recovered.damage {
        tracing::error!(?damage, "the log is damaged; reads of what stood there will fail");
    }
    let from = marks.position;
    tracing::info!(%from, end = %recovered.end, torn = recovered.torn, clean, segments = segments.len(), "the log is recovered");
    let active = segments.iter().rposition(|segment| segment.base < recovered.end).unwrap_or(0);
    let mut commit = Commit::new(recovered.end, segments[active].end(), recovered.last);
    takeover.notes.ends.values().for_each(|(end, _)| commit.stands(end.group, end.index));
    let acks = Acks::default();
    acks.advance(takeover.sequence);
    let shared = Rc::new(Shared {
        driver: driver.clone(),
        store,
        acks,
        state: RefCell::new(State::new(takeover, commit, tail_bytes)),
        work: Work::default(),
        relief: Work::default(),
        reserve_bytes: LOG_RESERVE_BYTES.min(usize::try_from(bytes / 8).unwrap_or(usize::MAX)),
        group,
        payload_bytes_max: payload_bytes_max(bytes),
        damage: recovered.damage,
        owner,
        marks: RefCell::new(marks),
        on_advance: RefCell::new(Vec::new()),
    });
    CoreLog::start(shared, &segments[active..]).await
}

/// Finds out what is in the log: behind the newest checkpoint that is right, or behind none.
async fn find<D: Driver>(driver: &D, config: &LogConfig, owner: &dyn Owner) -> Result<Recovery<D>> {
    let dir = &config.dir;
    let entries = Store::list(driver, dir).await?;
    let mut names = Name::all(&entries);
    let mut useless = Vec::new();
    let recovery = loop {
        let newest = names.first().copied();
        owner.reset();
        match attempt(driver, config, newest, owner).await {
            Ok(recovery) => break recovery,
            Err(error) => {
                let Some(name) = newest else { return Err(error) };
                tracing::warn!(number = name.number, %error, "a checkpoint of the log is not used");
                useless.push(names.remove(0));
            }
        }
    };
    for name in useless {
        remove(driver, &name.path(dir)).await?;
    }
    let Recovery { mut marks, clean, .. } = recovery;
    let stale = |entry: &&DirEntry| index_of(&entry.name).is_some_and(|number| !marks.indexes.contains_key(&number));
    for entry in entries.iter().filter(|entry| entry.name == UNFINISHED).chain(entries.iter().filter(stale)) {
        remove(driver, &dir.join(&entry.name)).await?;
    }
    // From now on it is not true any more that nothing was written behind the checkpoint.
    for name in names.iter_mut().filter(|name| name.clean) {
        let marked = name.path(dir);
        name.clean = false;
        let renamed = driver.rename(&marked, &name.path(dir)).await;
        renamed.map_err(|error| Error::storage(format!("{} cannot be renamed: {error}", marked.display())))?;
    }
    marks.kept = names;
    Ok(Recovery { marks, clean, ..recovery })
}

async fn remove<D: Driver>(driver: &D, path: &std::path::Path) -> Result<()> {
    let removed = driver.remove(path).await;
    removed.map_err(|error| Error::storage(format!("{} cannot be removed: {error}", path.display())))
}

/// Recovers with the help of one checkpoint, or without any.
async fn attempt<D: Driver>(
    driver: &D,
    config: &LogConfig,
    name: Option<Name>,
    owner: &dyn Owner,
) -> Result<Recovery<D>> {
    let entries = Store::list(driver, &config.dir).await?;
    let loaded = match name {
        Some(name) => Some(load(driver, &config.dir, name, &entries, owner).await?),
        None => None,
    };
    let store = Store::open(driver.clone(), config.clone(), &entries, &trusted(loaded.as_ref())).await?;
    let Some(Loaded { base, notes, damage, partitions, covered, bytes }) = loaded else {
        return whole(store, owner).await;
    };
    let segments = store.segments();
    let clean = name.is_some_and(|name| name.clean);
    let clean = compare(&base, &segments, &store, clean).await?;
    let mut takeover = Takeover::behind(partitions, notes, covered)?;
    let Base { position, last, session, closed, indexed, .. } = base;
    let mut recovered = Recovered { end: position, last, damage: Vec::new(), torn: false };
    if !clean {
        let known = Known { at: position, last, session, closed, gaps: takeover.notes.gaps.clone() };
        recovered =
            recover_behind(&segments, &store, Some(known), |found| takeover.take(&found, &segments, owner)).await?;
    }
    takeover.finish();
    let first = segments.first().map_or(Position(0), |first| first.base);
    takeover.notes.begin_at(first);
    recovered.damage.splice(0..0, damage.into_iter().filter(|damage| damage.to > first));
    recovered.damage.extend(missing(&base, &segments, &mut takeover.partitions));
    let there = base.segments.iter().filter(|known| known.index != 0 && segments.contains(&known.segment));
    let indexes = there.map(|known| (known.segment.number, known.index)).collect();
    let marks = Marks { position, bytes, indexed, indexes, ..Marks::default() };
    Ok(Recovery { store, takeover, recovered, marks, clean })
}

/// Reads all of the log.
async fn whole<D: Driver>(store: Store<D>, owner: &dyn Owner) -> Result<Recovery<D>> {
    if store.segment_count() == 0 {
        let (_, file) = store.create().await?;
        close_file(file).await;
    }
    let mut takeover = Takeover::default();
    let segments = store.segments();
    let recovered = recover_behind(&segments, &store, None, |found| takeover.take(&found, &segments, owner)).await?;
    takeover.finish();
    Ok(Recovery { store, takeover, recovered, marks: Marks::default(), clean: false })
}

/// Segments whose headers need not be read: all that a checkpoint knows but the newest, by which it is compared.
fn trusted(loaded: Option<&Loaded>) -> Vec<Segment> {
    let Some(Loaded { base, .. }) = loaded else { return Vec::new() };
    let newest = base.newest().copied();
    base.segments.iter().map(|known| known.segment).filter(|segment| Some(*segment) != newest).collect()
}

/// Damage by segments that should be there: records that are wanted lie in them.
fn missing(base: &Base, segments: &[Segment], partitions: &mut Partitions) -> Vec<Damage> {
    let gone = base.segments.iter().map(|known| known.segment).filter(|segment| !segments.contains(segment));
    let lost = gone.flat_map(|segment| {
        let (from, to) = (segment.base, segment.end());
        partitions.lose(from, to).into_iter().map(move |batch| Damage { from, to, batch: Some(batch) })
    });
    lost.collect()
}

/// The largest batch that fits in a segment.
fn payload_bytes_max(segment_bytes: u64) -> usize {
    let room = usize::try_from(segment_bytes - DATA_START).unwrap_or(usize::MAX);
    (room - HEAD_BYTES).min(BATCH_BYTES_MAX)
}
