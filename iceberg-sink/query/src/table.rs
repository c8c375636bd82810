//! How is one table scanned: which files, by how many cores?

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use futures_util::TryStreamExt;
use iceberg::arrow::schema_to_arrow_schema;
use objects::Objects;

use crate::adapter::ByFieldId;
use crate::conform::readable;

/// The name under which the node's object store is known to DataFusion.
pub const STORE_URL: &str = "frazil://objects/";

/// A table as its head was when the statement was planned.
#[derive(Debug)]
pub struct FrazilTable {
    table: iceberg::table::Table,
    objects: Objects,
    schema: SchemaRef,
}

impl FrazilTable {
    pub fn new(table: iceberg::table::Table, objects: Objects) -> Result<FrazilTable> {
        let schema = schema_to_arrow_schema(table.metadata().current_schema()).map_err(external)?;
        Ok(FrazilTable { table, objects, schema: Arc::new(readable(&schema)) })
    }

    /// The live data files of the head. Tables that we write have no delete files; if somebody added some,
    /// reading without them would show rows that are gone, so the scan is refused.
    async fn files(&self) -> Result<Vec<PartitionedFile>> {
        if self.table.metadata().current_snapshot().is_none() {
            return Ok(Vec::new());
        }
        let scan = self.table.scan().build().map_err(external)?;
        let tasks: Vec<_> = scan.plan_files().await.map_err(external)?.try_collect().await.map_err(external)?;
        tasks
            .into_iter()
            .map(|task| {
                if !task.deletes.is_empty() {
                    let message = format!("{} has delete files, which are not read here", self.table.identifier());
                    return Err(DataFusionError::NotImplemented(message));
                }
                let path = self.objects.path_of(&task.data_file_path).ok_or_else(|| {
                    DataFusionError::Execution(format!("{} lies outside the object store", task.data_file_path))
                })?;
                Ok(PartitionedFile::new(path.to_string(), task.file_size_in_bytes))
            })
            .collect()
    }
}

#[async_trait]
impl TableProvider for FrazilTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut source = ParquetSource::new(self.schema.clone());
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = datafusion::common::DFSchema::try_from(self.schema.clone())?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let groups = share(self.files().await?, state.config().target_partitions());
        let url = ObjectStoreUrl::parse(STORE_URL)?;
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit.filter(|_| filters.is_empty()))
            .with_expr_adapter(Some(Arc::new(ByFieldId)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Deals files out so that the groups have about equal bytes, the largest files first.
fn share(mut files: Vec<PartitionedFile>, groups: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut shares: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); groups.max(1).min(files.len().max(1))];
    for file in files {
        let least = shares.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("there is at least one group");
        least.0 += file.object_meta.size;
        least.1.push(file);
    }
    shares.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
