//! What is written before a commit can be tried?

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use iceberg::spec::{FormatVersion, ManifestFile, ManifestListWriter, SchemaRef, Snapshot, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};
use model::{Error, Kind, Result};
use uuid::Uuid;

use super::{Owner, Round, manifests, plan};
use crate::catalog::{Catalog, Head, from_iceberg};

/// A commit that can be tried on one head.
pub struct Draft {
    pub requirements: Vec<TableRequirement>,
    pub updates: Vec<TableUpdate>,
    /// The files that only this draft refers to.
    pub written: Vec<String>,
}

/// Writes manifests, their list and the offsets file, all under names that no other try uses: an earlier one that is
/// still on its way must find its files as it wrote them.
pub async fn write(catalog: &Catalog, head: &Head, owner: &Owner, round: &Round) -> Result<Draft> {
    let metadata = &*head.metadata;
    plan::check_files(metadata, &round.files)?;
    let schema = plan::schema_after(metadata, round.schema.as_ref())?;
    let snapshot_id = plan::new_snapshot_id(metadata);
    let mut pen = Pen { catalog, head, schema: schema.clone(), snapshot_id, attempt: Uuid::new_v4(), written: vec![] };

    let manifests = pen.manifests(round).await?;
    let (list, row_range) = pen.list(manifests).await?;
    let offsets_file = match round.ledger.is_inline() {
        true => None,
        false => Some(pen.offsets(round.ledger.encode().into()).await?),
    };
    let summary =
        plan::summary(metadata, &schema, &round.files, owner, round.commit_id, &round.ledger, offsets_file.as_deref());
    let snapshot = Snapshot::builder()
        .with_snapshot_id(snapshot_id)
        .with_parent_snapshot_id(metadata.current_snapshot_id())
        .with_sequence_number(metadata.next_sequence_number())
        .with_timestamp_ms(now_ms().max(metadata.last_updated_ms()))
        .with_manifest_list(list)
        .with_summary(summary)
        .with_schema_id(schema.schema_id());
    let snapshot = match row_range {
        Some((first, count)) => snapshot.with_row_range(first, count).build(),
        None => snapshot.build(),
    };
    Ok(Draft {
        requirements: plan::requirements(metadata),
        updates: plan::updates(metadata, round.schema.as_ref(), snapshot)?,
        written: pen.written,
    })
}

/// Removes the files of a draft that is known to have lost.
pub async fn remove(catalog: &Catalog, written: &[String]) {
    for uri in written {
        let Some(path) = catalog.objects().path_of(uri) else { continue };
        if let Err(error) = catalog.objects().delete(&path).await {
            tracing::debug!(file = uri, %error, "a manifest that nobody refers to stays");
        }
    }
}

/// Writes the files of one draft.
struct Pen<'a> {
    catalog: &'a Catalog,
    head: &'a Head,
    schema: SchemaRef,
    snapshot_id: i64,
    attempt: Uuid,
    written: Vec<String>,
}

impl Pen<'_> {
    /// The manifests of the new snapshot: those of the head, some of them merged, and one for the new files.
    async fn manifests(&mut self, round: &Round) -> Result<Vec<ManifestFile>> {
        let metadata = &*self.head.metadata;
        let old = manifests::of_head(self.catalog, self.head).await?;
        let merging = manifests::to_merge(&old, metadata.format_version(), metadata.default_partition_spec_id());
        let (merged, mut kept): (Vec<_>, Vec<_>) =
            old.into_iter().enumerate().partition(|(index, _)| merging.contains(index));
        let merged: Vec<ManifestFile> = merged.into_iter().map(|(_, manifest)| manifest).collect();
        let mut all: Vec<ManifestFile> = kept.drain(..).map(|(_, manifest)| manifest).collect();
        if !merged.is_empty() {
            let writer = self.manifest_writer(1)?;
            all.push(manifests::merge(self.catalog, &self.head.ident, &merged, writer).await?);
        }
        if !round.files.is_empty() {
            let mut writer = self.manifest_writer(0)?;
            for file in &round.files {
                writer.add_file(file.clone(), -1).map_err(|error| self.failed(error))?;
            }
            all.push(writer.write_manifest_file().await.map_err(|error| self.failed(error))?);
        }
        Ok(all)
    }

    /// Writes the manifest list; returns its URI and, in v3, the range of row ids that it gives out.
    async fn list(&mut self, manifests: Vec<ManifestFile>) -> Result<(String, Option<(u64, u64)>)> {
        let metadata: &TableMetadata = &self.head.metadata;
        let (id, parent, sequence) =
            (self.snapshot_id, metadata.current_snapshot_id(), metadata.next_sequence_number());
        let uri = self.name(&format!("snap-{id}-{}.avro", self.attempt));
        let failed = |error| {
            from_iceberg(Kind::Unknown, &format!("the manifest list of {} cannot be written", self.head.ident), error)
        };
        let output = self.catalog.file_io().new_output(&uri).map_err(failed)?.writer().await.map_err(failed)?;
        let first_row = metadata.next_row_id();
        let mut writer = match metadata.format_version() {
            FormatVersion::V1 => ManifestListWriter::v1(output, id, parent),
            FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
            FormatVersion::V3 => ManifestListWriter::v3(output, id, parent, sequence, Some(first_row)),
        };
        writer.add_manifests(manifests.into_iter()).map_err(failed)?;
        let rows = writer.next_row_id().map(|next| (first_row, next - first_row));
        writer.close().await.map_err(failed)?;
        Ok((uri, rows))
    }

    async fn offsets(&mut self, bytes: Bytes) -> Result<String> {
        let uri = self.name(&format!("offsets-{}.json", self.attempt));
        let path = self.catalog.objects().path_of(&uri);
        let path = path.ok_or_else(|| Error::invalid(format!("{uri} lies outside of the object store")))?;
        self.catalog.objects().put(&path, bytes).await?;
        Ok(uri)
    }

    fn manifest_writer(&mut self, number: u32) -> Result<iceberg::spec::ManifestWriter> {
        let uri = self.name(&format!("{}-m{number}.avro", self.attempt));
        let metadata = &*self.head.metadata;
        manifests::writer(
            self.catalog,
            &uri,
            metadata.format_version(),
            self.snapshot_id,
            self.schema.clone(),
            metadata.default_partition_spec(),
        )
        .map_err(|error| self.failed(error))
    }

    fn name(&mut self, file: &str) -> String {
        let uri = format!("{}/metadata/{file}", self.head.metadata.location());
        self.written.push(uri.clone());
        uri
    }

    fn failed(&self, error: iceberg::Error) -> Error {
        from_iceberg(Kind::Unknown, &format!("a manifest of table {} cannot be written", self.head.ident), error)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
