//! Which values do the innermost columns of a batch really have?

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use iceberg::spec::{NestedFieldRef, PrimitiveType, Schema, Type};
use model::{Error, Result};

/// A column without children, as Parquet stores it.
pub struct Leaf {
    pub field_id: i32,
    pub kind: PrimitiveType,
    pub array: ArrayRef,
    /// Valid where the value and everything around it is.
    pub valid: Option<NullBuffer>,
    /// Below a list or map: it has no bounds, since a row has no one value.
    pub repeated: bool,
}

/// The leaves of all columns in the order of the schema. A null in a required column is a bug of ours: it would be
/// read back as zero, without an error.
pub fn leaves(rows: &RecordBatch, table: &Schema) -> Result<Vec<Leaf>> {
    let fields = table.as_struct().fields();
    if fields.len() != rows.num_columns() {
        return Err(Error::invalid("the rows have not the columns of the table"));
    }
    let mut leaves = Vec::new();
    for (field, array) in fields.iter().zip(rows.columns()) {
        collect(field, array, None, false, &mut leaves)?;
    }
    Ok(leaves)
}

fn collect(
    field: &NestedFieldRef,
    array: &ArrayRef,
    around: Option<&NullBuffer>,
    repeated: bool,
    leaves: &mut Vec<Leaf>,
) -> Result<()> {
    if field.required {
        // A required field of a struct that is null has no value, and may hold anything.
        let nulls = array.nulls().map_or(0, |own| {
            own.iter()
                .enumerate()
                .filter(|(row, valid)| !valid && around.is_none_or(|around| around.is_valid(*row)))
                .count()
        });
        assert_eq!(nulls, 0, "column '{}' is required, but has nulls", field.name);
    }
    let valid = NullBuffer::union(around, array.nulls());
    let mismatch = || Error::invalid(format!("column '{}' is not of the table's type", field.name));
    match field.field_type.as_ref() {
        Type::Primitive(kind) => {
            let leaf = Leaf { field_id: field.id, kind: kind.clone(), array: array.clone(), valid, repeated };
            leaves.push(leaf);
        }
        Type::Struct(inner) => {
            let array = array.as_struct_opt().ok_or_else(mismatch)?;
            if inner.fields().len() != array.num_columns() {
                return Err(mismatch());
            }
            for (field, array) in inner.fields().iter().zip(array.columns()) {
                collect(field, array, valid.as_ref(), repeated, leaves)?;
            }
        }
        Type::List(list) => {
            let array = array.as_list_opt::<i32>().ok_or_else(mismatch)?;
            let inner = (array.value_offsets()[0], array.value_offsets()[array.len()]);
            let values = array.values().slice(inner.0 as usize, (inner.1 - inner.0) as usize);
            collect(&list.element_field, &values, None, true, leaves)?;
        }
        Type::Map(map) => {
            let array = array.as_map_opt().ok_or_else(mismatch)?;
            let inner = (array.value_offsets()[0], array.value_offsets()[array.len()]);
            let entries = array.entries().slice(inner.0 as usize, (inner.1 - inner.0) as usize);
            collect(&map.key_field, entries.column(0), None, true, leaves)?;
            collect(&map.value_field, entries.column(1), None, true, leaves)?;
        }
    }
    Ok(())
}
