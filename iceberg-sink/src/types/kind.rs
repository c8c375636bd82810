//! What is a column, before a table has given it an id?

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use iceberg::spec::PrimitiveType;
use model::limits::{COLUMN_NESTING_MAX, SCHEMA_FIELDS_MAX};

use super::fault::{Fault, Refused};
use super::table::{COORDINATES, PARTITION};

/// A name and a type. Every column of a schema is optional: records with an older schema lack it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// The type of a column. Elements and map values are optional, map keys are required.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Scalar(PrimitiveType),
    Struct(Vec<Column>),
    List(Box<Kind>),
    Map(PrimitiveType, Box<Kind>),
}

impl Column {
    pub fn new(name: impl Into<String>, kind: Kind) -> Column {
        Column { name: name.into(), kind }
    }
}

/// Checks what no single field of a schema shows: names, number and depth of the columns of a whole table.
pub fn check(columns: &[Column]) -> Result<(), Refused> {
    for column in columns {
        let folded = column.name.to_lowercase();
        if COORDINATES.contains(&folded.as_str()) {
            let why = "this name belongs to a column that the broker itself writes: rename the field";
            return Err(Fault::new(why).in_field(&column.name));
        }
        if folded == PARTITION {
            let why = "this name belongs to the table's partitions by day: rename the field";
            return Err(Fault::new(why).in_field(&column.name));
        }
    }
    let mut count = 0;
    check_fields(columns, 1, &mut count)
}

fn check_fields(columns: &[Column], depth: usize, count: &mut usize) -> Result<(), Refused> {
    let mut seen: HashMap<String, &str> = HashMap::with_capacity(columns.len());
    for column in columns {
        check_name(&column.name)?;
        if let Some(other) = seen.insert(column.name.to_lowercase(), &column.name) {
            let why = format!("differs from field '{other}' only in case, and query engines fold case: rename one");
            return Err(Fault::new(why).in_field(&column.name));
        }
        check_kind(&column.kind, depth, count).map_err(|fault| fault.in_field(&column.name))?;
    }
    Ok(())
}

fn check_kind(kind: &Kind, depth: usize, count: &mut usize) -> Result<(), Refused> {
    *count += 1;
    if *count > SCHEMA_FIELDS_MAX {
        return Err(Fault::new(format!("the schema has more than {SCHEMA_FIELDS_MAX} fields")));
    }
    if depth > COLUMN_NESTING_MAX {
        return Err(Fault::new(format!("columns nest deeper than {COLUMN_NESTING_MAX} levels")));
    }
    match kind {
        Kind::Scalar(_) => Ok(()),
        Kind::Struct(columns) if columns.is_empty() => {
            Err(Fault::new("a record without fields has no columns: add a field, or remove it"))
        }
        Kind::Struct(columns) => check_fields(columns, depth + 1, count),
        Kind::List(element) => check_kind(element, depth + 1, count).map_err(|fault| fault.in_element(None)),
        Kind::Map(_, value) => check_kind(value, depth + 1, count).map_err(|fault| fault.in_entry("")),
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    let why = match name {
        "" => "a field without a name cannot be a column",
        _ if name.chars().any(char::is_control) => "a name with control characters cannot be a column",
        _ if name.len() > 255 => "a name of more than 255 bytes cannot be a column",
        _ => return Ok(()),
    };
    Err(Fault::new(why).in_field(name))
}
