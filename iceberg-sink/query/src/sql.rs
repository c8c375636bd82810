//! What does a statement answer?

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use futures_util::StreamExt;
use model::limits::{SQL_MEMORY_BYTES_MAX, SQL_RESULT_BYTES_MAX};
use model::{Error, Result};
use objects::Objects;

use crate::table::STORE_URL;
use crate::tables::{Catalog, NAMESPACE, Namespace, Tables};

/// The built-in SQL: reads tables, changes nothing.
pub struct Sql {
    context: SessionContext,
    namespace: Arc<Namespace>,
}

impl Sql {
    /// Scans with `cores` tasks at once.
    pub fn new(tables: Arc<dyn Tables>, objects: Objects, cores: usize) -> Result<Sql> {
        let config = SessionConfig::new()
            .with_target_partitions(cores.max(1))
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema("frazil", NAMESPACE);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(SQL_MEMORY_BYTES_MAX, 1.0)
            .build_arc()
            .map_err(|error| advice(&error))?;
        let url = STORE_URL.parse().map_err(|error| Error::invalid(format!("{STORE_URL}: {error}")))?;
        runtime.register_object_store(&url, objects.store());
        let context = SessionContext::new_with_config_rt(config, runtime);
        let namespace = Arc::new(Namespace::new(tables, objects));
        context.register_catalog("frazil", Arc::new(Catalog(namespace.clone())));
        Ok(Sql { context, namespace })
    }

    /// Runs one statement; the whole answer is held in memory, within a bound.
    pub async fn run(&self, statement: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let lists = statement.to_ascii_lowercase();
        if lists.contains("information_schema") || lists.contains("show") {
            self.namespace.refresh().await?;
        }
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = self.context.sql_with_options(statement, reading).await.map_err(|error| advice(&error))?;
        let mut stream = frame.execute_stream().await.map_err(|error| advice(&error))?;
        let (schema, mut batches, mut bytes) = (stream.schema(), Vec::new(), 0);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| advice(&error))?;
            bytes += batch.get_array_memory_size();
            if bytes > SQL_RESULT_BYTES_MAX {
                let most = SQL_RESULT_BYTES_MAX >> 20;
                return Err(Error::invalid(format!("the answer has more than {most} MiB; add a LIMIT, or aggregate")));
            }
            batches.push(batch);
        }
        Ok((schema, batches))
    }
}

/// DataFusion's message without what only its developers can use; what went wrong inside is not the asker's fault.
fn advice(error: &DataFusionError) -> Error {
    let message = error.strip_backtrace();
    match error.find_root() {
        DataFusionError::Plan(_)
        | DataFusionError::SQL(..)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::ArrowError(..)
        | DataFusionError::Execution(_)
        | DataFusionError::Diagnostic(..) => Error::invalid(message),
        DataFusionError::ResourcesExhausted(_) => Error::busy(message),
        _ => Error::unknown(message),
    }
}

#[cfg(test)]
mod tests;
