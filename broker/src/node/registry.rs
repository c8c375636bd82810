//! How is the schema registry kept: in topic `_schemas`, and in a view that shards read without a lock?

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arc_swap::ArcSwap;
use model::Offset;
use model::limits::UNPACKED_BATCH_BYTES_MAX;
use schema_registry::{Admission, Outcome, Record, Registry, Request, Response, Schema, View};
use server::NodeHandle;
use tokio::sync::Mutex;
use wire::{BatchBuilder, Compression};

use super::gate;
use crate::clock::now_ms;

const TOPIC: &str = "_schemas";
const FETCH_BYTES: usize = 4 << 20;

/// One writer; readers on shards see each change once it is durable.
pub struct RegistryService {
    node: NodeHandle,
    kept: Mutex<Kept>,
    view: Arc<ArcSwap<View>>,
}

/// The registry as its topic tells it, up to a place.
struct Kept {
    registry: Registry,
    /// The first record of the topic that is not taken in.
    next: Offset,
    /// A write began and did not end well: the topic may hold more than was taken in.
    is_behind: bool,
}

impl RegistryService {
    /// Reads the topic from its beginning.
    pub async fn load(node: NodeHandle, view: Arc<ArcSwap<View>>) -> Result<RegistryService> {
        let kept = Kept { registry: Registry::new(), next: Offset::ZERO, is_behind: true };
        let service = RegistryService { node, kept: Mutex::new(kept), view };
        service.catch_up(&mut *service.kept.lock().await).await?;
        Ok(service)
    }

    /// Answers a request. A change is answered once it is durable and can be seen.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        // On a task of its own: a client that hangs up must not stop a change half-way.
        let answering = tokio::spawn(async move { self.answer(request).await });
        answering.await.unwrap_or_else(|_| Outcome::not_written("the node is stopping"))
    }

    async fn answer(&self, request: Request) -> Response {
        let mut kept = self.kept.lock().await;
        if let Err(error) = self.catch_up(&mut kept).await {
            return Outcome::not_written(&format!("{error:#}"));
        }
        match kept.registry.handle(&request, self) {
            Outcome::Answer(response) => response,
            Outcome::Write { records, then } => match self.write(&mut kept, records).await {
                Ok(()) => then,
                Err(error) => Outcome::not_written(&format!("{error:#}")),
            },
        }
    }

    /// Takes in what the topic holds beyond `next`.
    async fn catch_up(&self, kept: &mut Kept) -> Result<()> {
        if !kept.is_behind {
            return Ok(());
        }
        // The node makes the topic when the first schema is written.
        while kept.is_behind && self.node.cluster().topic(TOPIC).is_some() {
            let fetched = self.node.fetch(TOPIC, 0, kept.next, FETCH_BYTES, 0).await?;
            for batch in &fetched.batches {
                let records = wire::batch::records(batch, UNPACKED_BATCH_BYTES_MAX)?;
                for record in &records {
                    let record = record?;
                    if record.offset >= kept.next.0 {
                        kept.take(record.key.unwrap_or_default(), record.value)?;
                    }
                }
            }
            kept.is_behind = kept.next < fetched.high_watermark;
        }
        kept.is_behind = false;
        self.view.store(kept.registry.view());
        Ok(())
    }

    async fn write(&self, kept: &mut Kept, records: Vec<Record>) -> Result<()> {
        let now_ms = now_ms();
        let mut batch = BatchBuilder::new(Compression::None);
        for record in &records {
            batch.push(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        kept.is_behind = true;
        let base = self.node.produce(TOPIC, 0, batch.build()).await?;
        ensure!(base == kept.next, "topic {TOPIC} holds records that were not taken in; try again");
        for record in &records {
            kept.take(&record.key, record.value.as_deref())?;
        }
        kept.is_behind = false;
        self.view.store(kept.registry.view());
        Ok(())
    }
}

impl Kept {
    fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let taken = self.registry.replay(key, value).map_err(anyhow::Error::msg);
        taken.with_context(|| format!("record {} of topic {TOPIC}", self.next))?;
        self.next = self.next.plus(1);
        Ok(())
    }
}

impl Admission for RegistryService {
    fn admit(&self, subject: &str, schema: &Schema) -> Result<(), String> {
        gate::admit_schema(subject, schema, &self.node.cluster())
    }
}
