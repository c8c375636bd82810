//! With which settings is a Parquet file written?

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::row::{RowConverter, SortField};
use bytes::Bytes;
use model::Result;
use model::limits::{ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS_MAX};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::failed;

/// Level 1 packs within a few percent of level 3 at half the time.
const ZSTD_LEVEL: i32 = 1;
/// Values that are looked at to decide on a dictionary.
const SAMPLE_VALUES: usize = 4096;
/// Columns whose neighbours differ little: differences take almost no space.
const DELTA_COLUMNS: [&str; 2] = ["kafka_offset", "kafka_timestamp"];

pub struct Written {
    pub bytes: Bytes,
    /// Compressed bytes by field id.
    pub column_bytes: HashMap<i32, u64>,
    /// Where the row groups begin.
    pub split_offsets: Vec<i64>,
}

pub fn parquet(rows: &RecordBatch) -> Result<Written> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("frazil version ", env!("CARGO_PKG_VERSION")).into())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
        .set_dictionary_enabled(false);
    for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
        properties = settings(properties, vec![field.name().clone()], array);
        if DELTA_COLUMNS.contains(&field.name().as_str()) {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties.build())).map_err(failed)?;
    writer.write(rows).map_err(failed)?;
    let metadata = writer.close().map_err(failed)?;
    Ok(Written {
        bytes: Bytes::from(bytes),
        column_bytes: column_bytes(&metadata),
        split_offsets: split_offsets(&metadata),
    })
}

/// Gives each leaf below `array` a dictionary where that pays.
fn settings(properties: WriterPropertiesBuilder, path: Vec<String>, array: &ArrayRef) -> WriterPropertiesBuilder {
    let below = |name: &[&str]| path.iter().cloned().chain(name.iter().map(|name| (*name).to_owned())).collect();
    match array.data_type() {
        DataType::Struct(fields) => children(properties, fields, array.as_struct().columns(), |name| below(&[name])),
        DataType::List(field) => {
            let values = array.as_list::<i32>().values();
            settings(properties, below(&["list", field.name()]), values)
        }
        DataType::Map(field, _) => {
            let entries = array.as_map().entries();
            let DataType::Struct(fields) = field.data_type() else { return properties };
            children(properties, fields, entries.columns(), |name| below(&[field.name(), name]))
        }
        _ => properties.set_column_dictionary_enabled(ColumnPath::new(path), dictionary_pays(array)),
    }
}

fn children(
    mut properties: WriterPropertiesBuilder,
    fields: &Fields,
    arrays: &[ArrayRef],
    path: impl Fn(&str) -> Vec<String>,
) -> WriterPropertiesBuilder {
    for (field, array) in fields.iter().zip(arrays) {
        properties = settings(properties, path(Field::name(field)), array);
    }
    properties
}

/// Whether at most half of a sample of the values are distinct.
fn dictionary_pays(array: &ArrayRef) -> bool {
    if matches!(array.data_type(), DataType::Boolean) {
        return false;
    }
    let sample = array.slice(0, array.len().min(SAMPLE_VALUES));
    let converter = RowConverter::new(vec![SortField::new(sample.data_type().clone())]);
    // Rows of this form are equal as bytes when their values are equal.
    let Ok(rows) = converter.and_then(|converter| converter.convert_columns(std::slice::from_ref(&sample))) else {
        return false;
    };
    let values: Vec<_> = rows.iter().enumerate().filter(|(row, _)| sample.is_valid(*row)).map(|(_, row)| row).collect();
    let distinct: HashSet<&[u8]> = values.iter().map(AsRef::as_ref).collect();
    !values.is_empty() && distinct.len() * 2 <= values.len()
}

/// Parquet's columns carry the field ids of the table.
fn column_bytes(metadata: &ParquetMetaData) -> HashMap<i32, u64> {
    let mut bytes = HashMap::new();
    for group in metadata.row_groups() {
        for column in group.columns() {
            let info = column.column_descr().self_type().get_basic_info();
            assert!(info.has_id(), "column {} has no field id", column.column_path());
            *bytes.entry(info.id()).or_insert(0) += column.compressed_size().unsigned_abs();
        }
    }
    bytes
}

fn split_offsets(metadata: &ParquetMetaData) -> Vec<i64> {
    let first = |group: &parquet::file::metadata::RowGroupMetaData| {
        let column = group.column(0);
        column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset())
    };
    metadata.row_groups().iter().map(first).collect()
}
