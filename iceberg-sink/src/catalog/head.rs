//! What is the state of a table at one version?

use iceberg::io::FileIO;
use iceberg::spec::{TableMetadata, TableMetadataRef};
use iceberg::{MetadataLocation, TableIdent};
use model::{Error, Kind, Result};
use objects::Objects;
use uuid::Uuid;

use super::trouble::from_iceberg;

/// One version of a table: immutable.
#[derive(Debug, Clone)]
pub struct Head {
    pub ident: TableIdent,
    /// Counts the table's commits; the number in the pointer's name.
    pub version: u64,
    /// The full URI of the metadata file.
    pub metadata_location: String,
    pub metadata: TableMetadataRef,
}

impl Head {
    /// Writes `<location>/metadata/<version>-<uuid>.metadata.json`.
    pub async fn write(
        objects: &Objects,
        io: &FileIO,
        ident: &TableIdent,
        version: u64,
        metadata: TableMetadata,
    ) -> Result<Head> {
        let text = format!("{}/metadata/{version:05}-{}.metadata.json", metadata.location(), Uuid::new_v4());
        if objects.path_of(&text).is_none() {
            return Err(Error::invalid(format!("table {ident} lies outside of {}, at {text}", objects.root())));
        }
        let doing = format!("the metadata of table {ident} could not be written");
        let failed = |error| from_iceberg(Kind::Unknown, &doing, error);
        let location: MetadataLocation = text.parse().map_err(failed)?;
        let location = location.with_new_metadata(&metadata);
        metadata.write_to(io, &location).await.map_err(failed)?;
        Ok(Head { ident: ident.clone(), version, metadata_location: location.to_string(), metadata: metadata.into() })
    }

    pub async fn read(io: &FileIO, ident: &TableIdent, version: u64, location: &str) -> Result<Head> {
        let metadata = TableMetadata::read_from(io, location).await.map_err(|error| {
            from_iceberg(Kind::Damaged, &format!("the metadata of table {ident} cannot be read, {location}"), error)
        })?;
        Ok(Head { ident: ident.clone(), version, metadata_location: location.to_owned(), metadata: metadata.into() })
    }
}
