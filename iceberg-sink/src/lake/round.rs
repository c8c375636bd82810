//! What is one round of a topic: read, fill, write files, commit?

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::spec::{DataFile, Literal, SchemaRef, Struct};
use model::{Error, Offset, Result};
use objects::Path;
use schema_registry::View;
use uuid::Uuid;

use super::fill::{Fill, Sheet};
use super::supervise::Context;
use super::table::{Tables, complete};
use super::{Chunk, LakeTopic};
use crate::catalog::Head;
use crate::commit::{Ledger, Owner, Round, commit};
use crate::file::Encoded;
use crate::project::Mode;
use crate::types::dead_letter_schema;

/// Batch bytes that are asked for at once.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// What a round came to.
pub struct Outcome {
    pub committed: bool,
    /// There is more to read than one round takes.
    pub behind: bool,
    /// How far the log of each partition was.
    pub stable: BTreeMap<i32, Offset>,
}

/// One round in the making.
pub struct Work<'a> {
    context: &'a Context,
    topic: &'a LakeTopic,
    owner: &'a Owner,
    tables: &'a mut Tables,
    view: Arc<View>,
    ledger: Ledger,
    fill: Option<Fill>,
    row_files: Vec<DataFile>,
    dead_files: Vec<DataFile>,
    bytes_left: usize,
    stable: BTreeMap<i32, Offset>,
}

impl<'a> Work<'a> {
    pub fn new(context: &'a Context, topic: &'a LakeTopic, owner: &'a Owner, tables: &'a mut Tables) -> Work<'a> {
        let view = context.source.registry();
        let ledger = tables.rows.ledger.clone();
        let bytes_left = context.config.round_bytes_max;
        Work {
            context,
            topic,
            owner,
            tables,
            view,
            ledger,
            fill: None,
            row_files: Vec::new(),
            dead_files: Vec::new(),
            bytes_left,
            stable: BTreeMap::new(),
        }
    }

    /// Reads what is new of all partitions, beginning with `first` (so that none starves), and commits it at once.
    pub async fn run(mut self, first: i32) -> Result<Outcome> {
        self.tables.rows.create_if_known(self.context, self.topic).await?;
        let count = self.topic.partitions;
        let mut behind = false;
        for step in 0..count {
            behind |= self.partition((first + step).rem_euclid(count)).await?;
        }
        let committed = self.ledger != self.tables.rows.ledger;
        if committed {
            self.commit().await?;
        }
        Ok(Outcome { committed, behind, stable: self.stable })
    }

    /// Reads one partition up to what is stable now, or as far as the round's bytes last (`true`).
    async fn partition(&mut self, partition: i32) -> Result<bool> {
        let mut target = None;
        loop {
            let from = self.ledger.next_of(partition);
            let chunk = self.context.source.read(&self.topic.name, partition, from, CHUNK_BYTES).await?;
            self.stable.insert(partition, chunk.last_stable);
            let target = *target.get_or_insert(chunk.last_stable);
            if chunk.log_start > from {
                let gone = chunk.log_start.0 - from.0;
                tracing::warn!(topic = %self.topic.name, partition, gone, "records were deleted before they were rows");
                self.ledger.advance(partition, chunk.log_start, gone);
                continue;
            }
            if from >= target || chunk.batches.is_empty() {
                return Ok(false);
            }
            if self.bytes_left == 0 {
                return Ok(true);
            }
            self.take(partition, chunk).await?;
            if self.ledger.next_of(partition) == from {
                return Err(Error::damaged(format!(
                    "reading topic {}, partition {partition}, from offset {from} gave batches that end before it",
                    self.topic.name
                )));
            }
        }
    }

    /// Turns a chunk into rows on a thread for such work, then writes the files that came of it.
    async fn take(&mut self, partition: i32, chunk: Chunk) -> Result<()> {
        let mut fill = match self.fill.take() {
            Some(fill) => fill,
            None => self.new_fill().await?,
        };
        let bytes: usize = chunk.batches.iter().map(bytes::Bytes::len).sum();
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        let view = self.view.clone();
        let mut ledger = std::mem::take(&mut self.ledger);
        let work = move || {
            for batch in &chunk.batches {
                let taken = fill.take(partition, ledger.next_of(partition), batch, &view)?;
                ledger.advance(partition, taken.next, taken.skipped);
            }
            Ok::<_, Error>((fill, ledger))
        };
        let (fill, ledger) = on_worker_thread(work).await?;
        (self.fill, self.ledger) = (Some(fill), ledger);
        self.write_files().await
    }

    async fn new_fill(&mut self) -> Result<Fill> {
        let (context, topic) = (self.context, self.topic);
        let head = self.tables.rows.rows_head(context, topic).await?;
        let mode = Mode::of(&topic.name, &topic.settings.lake_mode())
            .ok_or_else(|| Error::invalid(format!("topic {} has no table", topic.name)))?;
        let metadata = &head.metadata;
        let spec = metadata.default_partition_spec().clone();
        let rows = Sheet::new(metadata.current_schema().clone(), spec.clone(), mode, &context.config)?;
        let (dead_schema, dead_spec): (SchemaRef, _) = match &self.tables.dead.head {
            Some(head) => (head.metadata.current_schema().clone(), head.metadata.default_partition_spec().clone()),
            // The table will be made with exactly this, and the spec of the other one: day of the same column.
            None => (Arc::new(dead_letter_schema()), spec),
        };
        let dead = Sheet::new(dead_schema, dead_spec, Mode::DeadLetter, &context.config)?;
        Ok(Fill::new(topic, rows, dead, metadata.clone(), self.tables.known_dead.clone()))
    }

    /// Gives the encoded files names and puts them.
    async fn write_files(&mut self) -> Result<()> {
        let Some(fill) = &mut self.fill else { return Ok(()) };
        let (rows, dead) = (std::mem::take(&mut fill.rows.encoded), std::mem::take(&mut fill.dead.encoded));
        if !rows.is_empty() {
            let head = self.tables.rows.rows_head(self.context, self.topic).await?;
            put_all(self.context, &head, rows, &mut self.row_files).await?;
        }
        if !dead.is_empty() {
            let head = self.tables.dead.dead_head(self.context, self.topic).await?;
            put_all(self.context, &head, dead, &mut self.dead_files).await?;
        }
        Ok(())
    }

    /// Dead letters first: their own ledger keeps them from being written twice if the rows fail.
    async fn commit(&mut self) -> Result<()> {
        if let Some(mut fill) = self.fill.take() {
            let flush = move || {
                fill.rows.flush()?;
                fill.dead.flush()?;
                Ok(fill)
            };
            self.fill = Some(on_worker_thread(flush).await?);
        }
        self.write_files().await?;
        complete(&mut self.ledger, self.topic.partitions);
        if !self.dead_files.is_empty() {
            self.commit_dead().await?;
        }
        let head = self.tables.rows.rows_head(self.context, self.topic).await?;
        let round = Round {
            commit_id: Uuid::new_v4(),
            base: self.tables.rows.ledger.clone(),
            ledger: self.ledger.clone(),
            files: std::mem::take(&mut self.row_files),
            schema_id: head.metadata.current_schema_id(),
            schema: self.fill.take().and_then(|fill| fill.grown),
        };
        let head = commit(&self.context.catalog, &head.ident, self.owner, &round).await?;
        let before = std::mem::take(&mut self.tables.rows.ledger);
        self.tables.rows.advanced(head, round.ledger);
        let after = &self.tables.rows.ledger;
        for (partition, next) in after.next.iter().filter(|(p, next)| before.next_of(**p) != **next) {
            self.context.source.advanced(&self.topic.name, *partition, *next, *next).await;
        }
        Ok(())
    }

    async fn commit_dead(&mut self) -> Result<()> {
        let head = self.tables.dead.dead_head(self.context, self.topic).await?;
        let base = self.tables.dead.ledger.clone();
        let mut ledger = base.clone();
        for (partition, next) in &self.ledger.next {
            let next = (*next).max(ledger.next_of(*partition));
            ledger.next.insert(*partition, next);
        }
        let round = Round {
            commit_id: Uuid::new_v4(),
            base,
            ledger,
            files: std::mem::take(&mut self.dead_files),
            schema_id: head.metadata.current_schema_id(),
            schema: None,
        };
        let head = commit(&self.context.catalog, &head.ident, self.owner, &round).await?;
        self.tables.dead.advanced(head, round.ledger);
        Ok(())
    }
}

async fn put_all(context: &Context, head: &Head, encoded: Vec<Encoded>, files: &mut Vec<DataFile>) -> Result<()> {
    let metadata = &head.metadata;
    for file in encoded {
        let folder = match file.day {
            None => String::new(),
            Some(day) => {
                let value = Struct::from_iter([Some(Literal::date(day))]);
                metadata.default_partition_spec().partition_to_path(&value, metadata.current_schema().clone()) + "/"
            }
        };
        let uri = format!("{}/data/{folder}{}.parquet", metadata.location(), Uuid::new_v4());
        let path: Path = context.catalog.objects().path_of(&uri).ok_or_else(|| {
            Error::invalid(format!("table {} lies outside of {}", head.ident, context.catalog.objects().root()))
        })?;
        let data_file = file.data_file(&uri)?;
        context.catalog.objects().put(&path, file.bytes).await?;
        files.push(data_file);
    }
    Ok(())
}

async fn on_worker_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::busy(format!("the work on a round was given up: {error}")))?
}
