//! What must change in a table so that it can take these columns too?

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type};

use super::fault::{Conflict, Fault};
use super::kind::{Column, Kind, check};
use super::table::{COORDINATES, Ids, unnamed};

/// The schema with which a table takes `wanted` beside what it has; none when it takes them as it is.
///
/// Columns are matched by name at every level. New ones are added as optional, with ids from `last_column_id + 1` (the
/// table's, not the schema's: removed columns count); int widens to long, float to double, and a decimal gains digits
/// in front of its point. A column that the source no longer has stays. The result carries the old schema id: the
/// catalog assigns the new one.
pub fn merge(table: &Schema, last_column_id: i32, wanted: &[Column]) -> Result<Option<Schema>, Conflict> {
    check(wanted)?;
    let mut merge = Merge { ids: Ids::after(last_column_id.max(table.highest_field_id())), changed: false };
    let fields = merge.fields(table.as_struct().fields(), wanted)?;
    if !merge.changed {
        return Ok(None);
    }
    let builder = Schema::builder().with_schema_id(table.schema_id()).with_fields(fields);
    let builder = builder.with_identifier_field_ids(table.identifier_field_ids());
    builder.build().map(Some).map_err(|error| unnamed(&error))
}

struct Merge {
    ids: Ids,
    changed: bool,
}

impl Merge {
    fn fields(&mut self, have: &[NestedFieldRef], wanted: &[Column]) -> Result<Vec<NestedFieldRef>, Conflict> {
        let by_name: HashMap<&str, &Column> = wanted.iter().map(|column| (column.name.as_str(), column)).collect();
        let folded: HashMap<String, &str> =
            have.iter().map(|field| (field.name.to_lowercase(), field.name.as_str())).collect();
        let mut fields = Vec::with_capacity(have.len());
        for field in have {
            fields.push(match by_name.get(field.name.as_str()) {
                Some(column) => {
                    let kind = self.kind(&field.field_type, &column.kind);
                    let kind = kind.map_err(|fault| fault.in_field(&field.name))?;
                    self.retyped(field, kind, false)
                }
                None => field.clone(),
            });
        }
        let known: HashSet<&str> = have.iter().map(|field| field.name.as_str()).collect();
        let new: Vec<Column> = wanted.iter().filter(|column| !known.contains(column.name.as_str())).cloned().collect();
        for column in &new {
            if let Some(name) = folded.get(&column.name.to_lowercase()) {
                let why = format!("differs from the table's column '{name}' only in case: rename the field");
                return Err(Fault::new(why).in_field(&column.name));
            }
        }
        self.changed |= !new.is_empty();
        fields.extend(self.ids.columns(&new));
        Ok(fields.into_iter().map(|field| self.optional(field)).collect())
    }

    /// Source columns may be null: one that somebody made required becomes optional again. The broker's own stay.
    fn optional(&mut self, field: NestedFieldRef) -> NestedFieldRef {
        if !field.required || COORDINATES.contains(&field.name.as_str()) {
            return field;
        }
        self.changed = true;
        let mut field = Arc::unwrap_or_clone(field);
        field.required = false;
        Arc::new(field)
    }

    fn retyped(&mut self, field: &NestedFieldRef, kind: Type, required: bool) -> NestedFieldRef {
        if *field.field_type == kind && field.required == required {
            return field.clone();
        }
        self.changed = true;
        let mut field: NestedField = field.as_ref().clone();
        field.field_type = Box::new(kind);
        field.required = required;
        Arc::new(field)
    }

    fn kind(&mut self, have: &Type, wanted: &Kind) -> Result<Type, Conflict> {
        match (have, wanted) {
            (Type::Primitive(have), Kind::Scalar(wanted)) => widen(have, wanted).map(Type::Primitive),
            (Type::Struct(have), Kind::Struct(wanted)) => {
                Ok(Type::Struct(StructType::new(self.fields(have.fields(), wanted)?)))
            }
            (Type::List(have), Kind::List(wanted)) => {
                let element = &have.element_field;
                let kind = self.kind(&element.field_type, wanted).map_err(|fault| fault.in_element(None))?;
                Ok(Type::List(ListType::new(self.retyped(element, kind, false))))
            }
            (Type::Map(have), Kind::Map(key, value)) => {
                let kept = have.key_field.field_type.as_ref();
                // Iceberg forbids to change the keys of a map; narrower ones are stored as what the table has.
                if !matches!(kept, Type::Primitive(kept) if widen(kept, key).is_ok_and(|wide| wide == *kept)) {
                    return Err(Fault::new(format!(
                        "its map has keys of type {kept} in the table and {key} in the schema; keys cannot change"
                    )));
                }
                let field = &have.value_field;
                let kind = self.kind(&field.field_type, value).map_err(|fault| fault.in_entry(""))?;
                Ok(Type::Map(MapType::new(have.key_field.clone(), self.retyped(field, kind, false))))
            }
            (have, wanted) => Err(Fault::new(format!(
                "is {} in the table and {} in the schema: give the new field another name",
                noun(have),
                wanted.noun()
            ))),
        }
    }
}

/// The narrowest type that holds both.
fn widen(have: &PrimitiveType, wanted: &PrimitiveType) -> Result<PrimitiveType, Conflict> {
    use PrimitiveType::{Decimal, Double, Float, Int, Long};
    match (have, wanted) {
        _ if have == wanted => Ok(have.clone()),
        (Int, Long) | (Long, Int) => Ok(Long),
        (Float, Double) | (Double, Float) => Ok(Double),
        (Decimal { precision: a, scale }, Decimal { precision: b, scale: same }) if scale == same => {
            Ok(Decimal { precision: *a.max(b), scale: *scale })
        }
        _ => Err(Fault::new(format!(
            "is of type {have} in the table and {wanted} in the schema, and neither holds the other: give the new \
             field another name"
        ))),
    }
}

fn noun(have: &Type) -> String {
    match have {
        Type::Primitive(primitive) => format!("of type {primitive}"),
        Type::Struct(_) => "a struct".into(),
        Type::List(_) => "a list".into(),
        Type::Map(_) => "a map".into(),
    }
}

impl Kind {
    fn noun(&self) -> String {
        match self {
            Kind::Scalar(primitive) => format!("of type {primitive}"),
            Kind::Struct(_) => "a struct".into(),
            Kind::List(_) => "a list".into(),
            Kind::Map(..) => "a map".into(),
        }
    }
}
