//! How does a log come up: what is in its folder, and what does the program know of it afterwards?

use std::cell::RefCell;
use std::rc::Rc;

use model::limits::{BATCH_BYTES_MAX, IO_ALIGN, LOG_RESERVE_BYTES};
use model::{Error, LogGroup, PartitionId, Result};
use runtime::Driver;
use wire::batch::BatchHeader;

use crate::commit::Commit;
use crate::durable::Acks;
use crate::flush;
use crate::frame::{Entry, GroupEnd, HEAD_BYTES, Kind, parse_start};
use crate::log::{CoreLog, LogConfig, Shared, State, Work};
use crate::notes::Notes;
use crate::partitions::Partitions;
use crate::recovery::{Found, recover};
use crate::segment::{DATA_START, SEGMENT_BYTES_MIN, Segment};
use crate::store::{Store, close_file};

impl<D: Driver> CoreLog<D> {
    /// Recovers the log of a folder, or begins one. `seen` is called for every live batch in the order of the log;
    /// a partition that is forgotten further on is shown as well, so ask [`CoreLog::partitions`] afterwards.
    ///
    /// `Damaged`: a segment cannot be read; `Storage`: no room for a segment; `Invalid`: the settings are impossible, or a
    /// newer version wrote the log.
    pub async fn open(
        driver: D,
        config: LogConfig,
        mut seen: impl FnMut(PartitionId, &BatchHeader),
    ) -> Result<CoreLog<D>> {
        let bytes = config.segment_bytes;
        if bytes < SEGMENT_BYTES_MIN || !bytes.is_multiple_of(IO_ALIGN as u64) {
            let least = SEGMENT_BYTES_MIN;
            return Err(Error::invalid(format!(
                "a segment has a multiple of 4096 bytes, at least {least}, not {bytes}"
            )));
        }
        let (group, tail_bytes) = (LogGroup(u32::from(config.shard.0)), config.tail_cache_bytes);
        let store = Store::open(driver.clone(), config).await?;
        if store.segment_count() == 0 {
            let (_, file) = store.create().await?;
            close_file(file).await;
        }
        let segments = store.segments();
        let (mut partitions, mut notes) = (Partitions::default(), Notes::default());
        let recovered = recover(&segments, &store, |found| {
            let (Found::Live(head, _) | Found::Lost(head)) = found;
            notes.found(head, &segments);
            list_found(&found, &mut partitions, &mut notes, &mut seen)
        })
        .await?;
        for damage in &recovered.damage {
            tracing::error!(?damage, "the log is damaged; reads of what stood there will fail");
        }
        tracing::info!(end = %recovered.end, torn = recovered.torn, segments = segments.len(), "the log is recovered");
        let active = segments.iter().rposition(|segment| segment.base < recovered.end).unwrap_or(0);
        let commit = Commit::new(recovered.end, segments[active].end(), recovered.last);
        let shared = Rc::new(Shared {
            driver: driver.clone(),
            store,
            acks: Acks::default(),
            state: RefCell::new(State::new(partitions, commit, notes, tail_bytes)),
            work: Work::default(),
            relief: Work::default(),
            reserve_bytes: LOG_RESERVE_BYTES.min(usize::try_from(bytes / 8).unwrap_or(usize::MAX)),
            group,
            payload_bytes_max: payload_bytes_max(bytes),
            damage: recovered.damage,
            on_advance: RefCell::new(Vec::new()),
        });
        CoreLog::start(shared, &segments[active..]).await
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

/// Takes over what recovery finds.
fn list_found(
    found: &Found<'_>,
    partitions: &mut Partitions,
    notes: &mut Notes,
    seen: &mut impl FnMut(PartitionId, &BatchHeader),
) -> Result<()> {
    match found {
        Found::Lost(head) => {
            let Entry { group, term, index, .. } = head.entry;
            notes.ends.insert(group, (GroupEnd { group, term, index }, head.place.position));
            partitions.recovered_damaged(&head.entry)?;
        }
        Found::Live(head, payload) => match head.entry.kind {
            Kind::Batch => {
                let Entry { partition, group, term, index, .. } = head.entry;
                let header = BatchHeader::parse(payload).map_err(|error| {
                    Error::damaged(format!("the log's frame at {} holds no batch: {error}", head.place.position))
                })?;
                partitions.recovered(&head.entry, head.place.position, head.payload_bytes)?;
                notes.ends.insert(group, (GroupEnd { group, term, index }, head.place.position));
                seen(partition, &header);
            }
            Kind::Forgotten => {
                partitions.forget(head.entry.partition);
                notes.found_note(head, payload);
            }
            Kind::LogStart => {
                let start = parse_start(payload, head.entry.base);
                partitions.recovered_start(&head.entry, start, head.place.position);
            }
            Kind::Opened | Kind::Groups | Kind::Gaps => notes.found_note(head, payload),
            Kind::Closed => {}
        },
    }
    Ok(())
}

/// The largest batch that fits in a segment.
fn payload_bytes_max(segment_bytes: u64) -> usize {
    let room = usize::try_from(segment_bytes - DATA_START).unwrap_or(usize::MAX);
    (room - HEAD_BYTES).min(BATCH_BYTES_MAX)
}
