//! Which files does the log consist of, and how are they made, read and removed?

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::limits::{IO_ALIGN, IO_BYTES_MAX, SEGMENTS_OPEN_MAX};
use model::{Error, Position, Result};
use runtime::{DirEntry, Driver, LogFile};

use crate::log::LogConfig;
use crate::scan::Blocks;
use crate::segment::{DATA_START, Segment, SegmentError, file_name, number_of};
use crate::spares::remove_if_there;

/// The segments of one log, in the order of their positions.
pub(crate) struct Store<D: Driver> {
    driver: D,
    config: LogConfig,
    segments: RefCell<Vec<Segment>>,
    /// Files that were used last, the newest at the end.
    open: RefCell<VecDeque<(u64, D::Log)>>,
    /// Files that will become segments, by the number that they had.
    pub(crate) spares: RefCell<Vec<u64>>,
}

impl<D: Driver> Store<D> {
    /// The files of a folder, which is made if it is missing.
    pub async fn list(driver: &D, dir: &Path) -> Result<Vec<DirEntry>> {
        driver.create_dir(dir).await.map_err(|error| unreadable(dir, &error))?;
        driver.list(dir).await.map_err(|error| unreadable(dir, &error))
    }

    /// Finds the segments among the files of the folder. The headers of those that are `known` are not read.
    pub async fn open(driver: D, config: LogConfig, entries: &[DirEntry], known: &[Segment]) -> Result<Store<D>> {
        let mut numbered: Vec<(u64, &DirEntry)> =
            entries.iter().filter_map(|entry| Some((number_of(&entry.name)?, entry))).collect();
        numbered.sort_by_key(|(number, _)| *number);
        let (segments, open) = (RefCell::new(Vec::new()), RefCell::new(VecDeque::new()));
        let store = Store { driver, config, segments, open, spares: RefCell::default() };
        store.find_spares(entries).await?;
        for (number, entry) in numbered {
            let known = known.iter().find(|known| known.number == number && known.bytes == entry.len);
            let segment = match known {
                Some(known) => Some(*known),
                None => store.examine(number, entry.len).await?,
            };
            if let Some(segment) = segment {
                store.add(segment)?;
            }
        }
        Ok(store)
    }

    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    pub(crate) fn driver(&self) -> &D {
        &self.driver
    }

    pub fn segment_bytes(&self) -> u64 {
        self.config.segment_bytes
    }

    pub fn checkpoint_bytes(&self) -> u64 {
        self.config.checkpoint_bytes
    }

    pub fn segments(&self) -> Vec<Segment> {
        self.segments.borrow().clone()
    }

    pub fn segment_count(&self) -> usize {
        self.segments.borrow().len()
    }

    /// The segment that holds a frame at `position`.
    pub fn segment(&self, position: Position) -> Option<Segment> {
        let segments = self.segments.borrow();
        let after = segments.partition_point(|segment| segment.base <= position);
        segments.get(after.checked_sub(1)?).filter(|segment| segment.holds(position)).copied()
    }

    /// Makes the file of the segment that follows the last one. What an earlier attempt left behind goes first.
    pub async fn create(&self) -> Result<(Segment, D::Log)> {
        let last = self.segments.borrow().last().copied();
        let segment = Segment {
            shard: self.config.shard,
            number: last.map_or(1, |last| last.number + 1),
            base: last.map_or(Position(0), |last| last.end()),
            bytes: self.config.segment_bytes,
            generation: self.driver.random(),
            created_ms: self.driver.wall_ms(),
        };
        let path = self.path(segment.number);
        remove_if_there(&self.driver, &path).await.map_err(|error| uncreatable(&path, &error))?;
        if self.spares.borrow().is_empty() {
            self.make_spare(segment.number).await.map_err(|error| uncreatable(&path, &error))?;
        }
        let file = self.reuse(&segment).await.map_err(|error| uncreatable(&path, &error))?;
        self.add(segment)?;
        Ok((segment, file))
    }

    /// A handle of its own on the file of a segment.
    pub async fn open_file(&self, number: u64) -> Result<D::Log> {
        let path = self.path(number);
        self.driver.open_log(&path).await.map_err(|error| unreadable(&path, &error))
    }

    /// The file of a segment for reading, opened if it is not.
    async fn file(&self, number: u64) -> Result<D::Log> {
        let found = self.open.borrow().iter().find(|(open, _)| *open == number).map(|(_, file)| file.clone());
        if let Some(file) = found {
            return Ok(file);
        }
        let file = self.open_file(number).await?;
        let mut open = self.open.borrow_mut();
        open.push_back((number, file.clone()));
        if open.len() > SEGMENTS_OPEN_MAX {
            // Reads that are under way have their own handles; the last one closes the file.
            open.pop_front();
        }
        Ok(file)
    }

    /// `len` bytes at `at` of a segment's file, as [`Blocks::read`].
    pub async fn read(&self, segment: &Segment, at: u64, len: usize) -> Result<Bytes> {
        let file = self.file(segment.number).await?;
        let unreadable = |error: io::Error| {
            let path = self.path(segment.number);
            Error::storage(format!("{} cannot be read at {at}: {error}; check the disk", path.display()))
        };
        let bytes = file.read_at(at, len).await.map_err(unreadable)?;
        Ok(Bytes::from_owner(bytes))
    }

    /// Removes a segment. Its file is set aside for a later one, or removed as well.
    pub async fn remove(&self, number: u64) -> Result<()> {
        self.open.borrow_mut().retain(|(open, _)| *open != number);
        let place = self.segments.borrow().iter().position(|segment| segment.number == number);
        let Some(place) = place else { return Ok(()) };
        // Nobody may look for it while its file changes its name.
        let segment = self.segments.borrow_mut().remove(place);
        let path = self.path(number);
        let removed = if self.wants(&segment) { self.set_aside(number).await } else { self.driver.remove(&path).await };
        removed.map_err(|error| {
            let mut segments = self.segments.borrow_mut();
            segments.push(segment);
            segments.sort_by_key(|segment| segment.number);
            Error::busy(format!("{} could not be removed: {error}", path.display()))
        })
    }

    /// Closes the files that were read.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.borrow_mut());
        for (_, file) in open {
            close_file(file).await;
        }
    }

    /// The header of a file, `None` if it was never used and is removed.
    async fn examine(&self, number: u64, len: u64) -> Result<Option<Segment>> {
        let path = self.path(number);
        if len < DATA_START + IO_ALIGN as u64 {
            return self.remove_unused(&path).await;
        }
        let file = self.driver.open_log(&path).await.map_err(|error| unreadable(&path, &error))?;
        let blocks = file.read_at(0, DATA_START as usize).await.map_err(|error| unreadable(&path, &error))?;
        let segment = match Segment::parse(&blocks) {
            Ok(segment) => segment,
            Err(SegmentError::Damaged) if is_zero(&file, &path).await? => return self.remove_unused(&path).await,
            Err(error) => return Err(unusable(&path, &error.to_string())),
        };
        file.close().await.map_err(|error| unreadable(&path, &error))?;
        match segment {
            _ if segment.number != number => Err(unusable(&path, &format!("it is segment {}", segment.number))),
            _ if segment.shard != self.config.shard => {
                Err(unusable(&path, &format!("it is of shard {}", segment.shard)))
            }
            _ if segment.bytes != len => Err(unusable(&path, &format!("it has {len} bytes, not {}", segment.bytes))),
            segment => Ok(Some(segment)),
        }
    }

    async fn remove_unused(&self, path: &Path) -> Result<Option<Segment>> {
        self.driver.remove(path).await.map_err(|error| uncreatable(path, &error))?;
        Ok(None)
    }

    fn add(&self, segment: Segment) -> Result<()> {
        let mut segments = self.segments.borrow_mut();
        if segments.last().is_some_and(|last| last.end() > segment.base || last.number >= segment.number) {
            return Err(unusable(&self.path(segment.number), "it overlaps the segment before it"));
        }
        segments.push(segment);
        Ok(())
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.config.dir.join(file_name(number))
    }
}

impl<D: Driver> Blocks for &Store<D> {
    async fn read(&mut self, segment: &Segment, at: u64, len: usize) -> Result<Bytes> {
        Store::read(self, segment, at, len).await
    }
}

/// True if the whole file is zero: it was made, and nothing was ever written to it.
async fn is_zero<L: LogFile>(file: &L, path: &Path) -> Result<bool> {
    let mut at = 0;
    while at < file.len() {
        let len = usize::try_from(file.len() - at).unwrap_or(usize::MAX).min(IO_BYTES_MAX) / IO_ALIGN * IO_ALIGN;
        if len == 0 {
            break;
        }
        let bytes = file.read_at(at, len).await.map_err(|error| unreadable(path, &error))?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += len as u64;
    }
    Ok(true)
}

/// Closes a file that is no longer used.
pub(crate) async fn close_file<L: LogFile>(file: L) {
    if let Err(error) = file.close().await {
        tracing::warn!(%error, "a segment's file was not closed");
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::damaged(format!("{} cannot be read: {error}; check the disk, then start again", path.display()))
}

pub(crate) fn uncreatable(path: &Path, error: &io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on its disk",
        _ => "check its disk",
    };
    let path = path.display();
    Error::storage(format!(
        "the log cannot grow, because {path} cannot be made: {error}; {advice}, writing then goes on by itself"
    ))
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::damaged(format!("{} is no part of this log: {why}; restore it from a copy, or move it away", path.display()))
}
