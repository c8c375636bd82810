//! How does SQL find the catalog's tables?

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::table::Table;
use iceberg_sink::catalog::Catalog;
use model::{Error, Kind};
use query::Tables;

pub struct CatalogTables(pub Arc<Catalog>);

impl fmt::Debug for CatalogTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatalogTables")
    }
}

#[async_trait]
impl Tables for CatalogTables {
    async fn names(&self) -> model::Result<Vec<String>> {
        self.0.list().await
    }

    async fn load(&self, name: &str) -> model::Result<Option<Table>> {
        let head = match self.0.load(&self.0.ident(name)).await {
            Ok(head) => head,
            Err(error) if error.kind == Kind::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        let table = Table::builder()
            .identifier(head.ident.clone())
            .metadata(head.metadata.clone())
            .metadata_location(head.metadata_location.clone())
            .file_io(self.0.file_io().clone())
            .runtime(iceberg::Runtime::current())
            .build();
        Ok(Some(table.map_err(|error| Error::unknown(format!("table {name} cannot be opened: {error}")))?))
    }
}
