//! Which tables can a statement name?

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use objects::Objects;

use crate::table::FrazilTable;

/// The port to the catalog.
#[async_trait]
pub trait Tables: Debug + Send + Sync + 'static {
    async fn names(&self) -> model::Result<Vec<String>>;
    /// The table's head, `None` if there is no such table.
    async fn load(&self, name: &str) -> model::Result<Option<iceberg::table::Table>>;
}

/// The one namespace that tables are in.
pub const NAMESPACE: &str = "topics";

#[derive(Debug)]
pub struct Catalog(pub Arc<Namespace>);

impl CatalogProvider for Catalog {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        vec![NAMESPACE.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == NAMESPACE).then(|| self.0.clone() as Arc<dyn SchemaProvider>)
    }
}

#[derive(Debug)]
pub struct Namespace {
    pub tables: Arc<dyn Tables>,
    pub objects: Objects,
    /// DataFusion asks for the names where it cannot wait: they are as old as the last `refresh`.
    names: ArcSwap<Vec<String>>,
}

impl Namespace {
    pub fn new(tables: Arc<dyn Tables>, objects: Objects) -> Namespace {
        Namespace { tables, objects, names: ArcSwap::default() }
    }

    pub async fn refresh(&self) -> model::Result<()> {
        let mut names = self.tables.names().await?;
        names.sort();
        self.names.store(Arc::new(names));
        Ok(())
    }
}

#[async_trait]
impl SchemaProvider for Namespace {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        self.names.load().to_vec()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = self.tables.load(name).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(match table {
            Some(table) => Some(Arc::new(FrazilTable::new(table, self.objects.clone())?)),
            None => None,
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        self.names.load().iter().any(|known| known == name)
    }
}
