//! How is the schema registry kept: in topic `_schemas`, and in a view that shards read without a lock?

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use model::Offset;
use model::limits::UNPACKED_BATCH_BYTES_MAX;
use schema_registry::{Admission, Outcome, Record, Registry, Request, Response, Schema, View};
use server::NodeHandle;
use tokio::sync::Mutex;
use wire::{BatchBuilder, Compression};

use super::gate;

const TOPIC: &str = "_schemas";
const FETCH_BYTES: usize = 4 << 20;

/// One writer; readers on shards see each change once it is durable.
pub struct RegistryService {
    node: NodeHandle,
    registry: Mutex<Registry>,
    view: Arc<ArcSwap<View>>,
}

impl RegistryService {
    /// Reads the topic from its beginning.
    pub async fn load(node: NodeHandle, view: Arc<ArcSwap<View>>) -> Result<RegistryService> {
        let mut registry = Registry::new();
        let mut next = Offset::ZERO;
        // The node makes the topic when the first schema is written.
        while node.cluster().topic(TOPIC).is_some() {
            let fetched = node.fetch(TOPIC, 0, next, FETCH_BYTES, 0).await?;
            for batch in &fetched.batches {
                let records = wire::batch::records(batch, UNPACKED_BATCH_BYTES_MAX)?;
                for record in &records {
                    let record = record?;
                    registry
                        .replay(record.key.unwrap_or_default(), record.value)
                        .map_err(anyhow::Error::msg)
                        .with_context(|| format!("record {} of topic {TOPIC}", record.offset))?;
                    next = Offset(record.offset + 1);
                }
            }
            if next >= fetched.high_watermark {
                break;
            }
        }
        view.store(registry.view());
        Ok(RegistryService { node, registry: Mutex::new(registry), view })
    }

    /// Answers a request. A change is answered once it is durable and can be seen.
    pub async fn handle(&self, request: Request) -> Response {
        let mut registry = self.registry.lock().await;
        match registry.handle(&request, self) {
            Outcome::Answer(response) => response,
            Outcome::Write { records, then } => match self.write(&mut registry, records).await {
                Ok(()) => then,
                Err(error) => Outcome::not_written(&format!("{error:#}")),
            },
        }
    }

    async fn write(&self, registry: &mut Registry, records: Vec<Record>) -> Result<()> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
        let mut batch = BatchBuilder::new(Compression::None);
        for record in &records {
            batch.push(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        self.node.produce(TOPIC, 0, batch.build()).await?;
        for record in &records {
            registry.replay(&record.key, record.value.as_deref()).map_err(anyhow::Error::msg)?;
        }
        self.view.store(registry.view());
        Ok(())
    }
}

impl Admission for RegistryService {
    fn admit(&self, subject: &str, schema: &Schema) -> Result<(), String> {
        gate::admit_schema(subject, schema, &self.node.cluster())
    }
}
