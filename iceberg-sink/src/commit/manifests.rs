//! Which manifests does a snapshot have, and which of them are written as one?

use iceberg::TableIdent;
use iceberg::spec::{
    DataFile, FormatVersion, ManifestContentType, ManifestFile, ManifestList, ManifestWriter, ManifestWriterBuilder,
    PartitionSpec, SchemaRef,
};
use model::{Error, Kind, Result};

use crate::catalog::{Catalog, Head, from_iceberg};

/// As many manifests of about the same size are merged.
const MERGE_COUNT: usize = 16;
/// Larger manifests are left alone.
const MERGED_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// The manifests of the head's snapshot.
pub async fn of_head(catalog: &Catalog, head: &Head) -> Result<Vec<ManifestFile>> {
    let Some(snapshot) = head.metadata.current_snapshot() else { return Ok(Vec::new()) };
    let list = snapshot.manifest_list();
    let doing = format!("the manifest list of table {} cannot be read, {list}", head.ident);
    let failed = |error| from_iceberg(Kind::Damaged, &doing, error);
    let input = catalog.file_io().new_input(list).map_err(failed)?;
    let bytes = input.read().await.map_err(failed).map_err(gone_is_damage)?;
    let parsed = ManifestList::parse_with_version(&bytes, head.metadata.format_version()).map_err(failed)?;
    Ok(parsed.consume_entries().into_iter().collect())
}

/// All data files that the head's snapshot shows. `Invalid`: rows were deleted one by one by another engine, which
/// cannot be seen from the files.
pub async fn live_files(catalog: &Catalog, head: &Head) -> Result<Vec<DataFile>> {
    let mut files = Vec::new();
    for manifest in of_head(catalog, head).await? {
        if manifest.content != ManifestContentType::Data {
            return Err(Error::invalid(format!(
                "another engine has deleted single rows of table {}; compact it there first, then run this again",
                head.ident
            )));
        }
        let loaded = manifest.load_manifest(catalog.file_io()).await;
        let loaded = loaded.map_err(|error| unreadable(&head.ident, &manifest, error))?;
        let live = loaded.entries().iter().filter(|entry| entry.is_alive());
        files.extend(live.map(|entry| entry.data_file().clone()));
    }
    Ok(files)
}

/// The indexes of manifests to be written as one; empty: none.
///
/// Manifests are merged with those of about their own size (a factor of sixteen), so that each file's entry is
/// rewritten a few times in its life, not at every commit, and their number stays below sixteen per size.
pub fn to_merge(manifests: &[ManifestFile], version: FormatVersion, spec_id: i32) -> Vec<usize> {
    if version != FormatVersion::V2 {
        return Vec::new(); // In v3 a file's row ids come from its manifest's place in the list.
    }
    let mut tiers: [Vec<usize>; 8] = Default::default();
    for (index, manifest) in manifests.iter().enumerate() {
        let ours = manifest.content == ManifestContentType::Data && manifest.partition_spec_id == spec_id;
        if ours && manifest.manifest_length < MERGED_BYTES_MAX {
            tiers[tier(manifest)].push(index);
        }
    }
    tiers.into_iter().find(|tier| tier.len() >= MERGE_COUNT).unwrap_or_default()
}

/// 0: up to 15 files, 1: up to 255, 2: up to 4095 …
fn tier(manifest: &ManifestFile) -> usize {
    let files = manifest.added_files_count.unwrap_or(0) + manifest.existing_files_count.unwrap_or(0);
    (files.max(1).ilog2() / 4) as usize
}

/// Starts a manifest of data files at `uri`.
pub fn writer(
    catalog: &Catalog,
    uri: &str,
    version: FormatVersion,
    snapshot_id: i64,
    schema: SchemaRef,
    spec: &PartitionSpec,
) -> iceberg::Result<ManifestWriter> {
    let output = catalog.file_io().new_output(uri)?;
    let builder = ManifestWriterBuilder::new(output, Some(snapshot_id), schema, spec.clone());
    Ok(match version {
        FormatVersion::V1 => builder.build_v1(),
        FormatVersion::V2 => builder.build_v2_data(),
        FormatVersion::V3 => builder.build_v3_data(),
    })
}

/// Writes the live entries of several manifests as existing ones; what a file's entry says stays as it was.
pub async fn merge(
    catalog: &Catalog,
    ident: &TableIdent,
    merged: &[ManifestFile],
    mut writer: ManifestWriter,
) -> Result<ManifestFile> {
    let broken = |why: &str| Error::damaged(format!("a manifest of table {ident} has an entry without {why}"));
    let failed = |error| from_iceberg(Kind::Unknown, &format!("manifests of table {ident} cannot be merged"), error);
    for manifest in merged {
        let loaded = manifest.load_manifest(catalog.file_io()).await;
        let loaded = loaded.map_err(|error| unreadable(ident, manifest, error))?;
        for entry in loaded.entries().iter().filter(|entry| entry.is_alive()) {
            let snapshot_id = entry.snapshot_id().ok_or_else(|| broken("a snapshot"))?;
            let sequence = entry.sequence_number().ok_or_else(|| broken("a sequence number"))?;
            let file_sequence = entry.file_sequence_number.or(Some(manifest.sequence_number));
            writer
                .add_existing_file(entry.data_file().clone(), snapshot_id, sequence, file_sequence)
                .map_err(failed)?;
        }
    }
    writer.write_manifest_file().await.map_err(failed)
}

fn unreadable(ident: &TableIdent, manifest: &ManifestFile, error: iceberg::Error) -> Error {
    let doing = format!("a manifest of table {ident} cannot be read, {}", manifest.manifest_path);
    gone_is_damage(from_iceberg(Kind::Damaged, &doing, error))
}

fn gone_is_damage(error: Error) -> Error {
    match error.kind {
        Kind::Missing => Error::damaged(error.message),
        _ => error,
    }
}
