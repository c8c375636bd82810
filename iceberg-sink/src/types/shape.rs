//! How do the fields of a source record find their places in a struct of the table?

use std::collections::HashMap;

use iceberg::spec::{NestedFieldRef, Type};

use super::fault::Fault;
use super::kind::{Column, Kind};

/// A type of some source format, lowered and bound to the columns of a table.
pub trait Shape: Sized {
    /// The column for this type, or none when it has nothing to store (Avro's `null`).
    fn kind(&self) -> Option<Kind>;
    /// Finds the places of all fields below in the type of a table's column, by name.
    fn bind(&mut self, column: &Type) -> Result<(), Fault>;
}

/// The fields of a record in the source's order, each with its place in the struct of the table.
#[derive(Debug, Clone)]
pub struct Fields<N> {
    pub list: Vec<Field<N>>,
    /// Places in the struct that no field of this schema fills: null in every row.
    pub absent: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct Field<N> {
    pub name: String,
    /// The column's index in the struct; none when the field has nothing to store.
    pub place: Option<usize>,
    pub node: N,
}

impl<N: Shape> Fields<N> {
    pub fn new(list: Vec<(String, N)>) -> Fields<N> {
        let list = list.into_iter().map(|(name, node)| Field { name, place: None, node }).collect();
        Fields { list, absent: Vec::new() }
    }

    pub fn columns(&self) -> Vec<Column> {
        self.list.iter().filter_map(|field| Some(Column::new(&field.name, field.node.kind()?))).collect()
    }

    pub fn kind(&self) -> Kind {
        Kind::Struct(self.columns())
    }

    /// Finds the places among `columns`: those of a struct of the table.
    pub fn bind(&mut self, columns: &[NestedFieldRef]) -> Result<(), Fault> {
        let places: HashMap<&str, usize> =
            columns.iter().enumerate().map(|(place, column)| (column.name.as_str(), place)).collect();
        let mut taken = vec![false; columns.len()];
        for field in &mut self.list {
            if field.node.kind().is_none() {
                continue;
            }
            let Some(place) = places.get(field.name.as_str()).copied() else {
                return Err(Fault::new("the table has no such column yet").in_field(&field.name));
            };
            taken[place] = true;
            field.place = Some(place);
            field.node.bind(&columns[place].field_type).map_err(|fault| fault.in_field(&field.name))?;
        }
        self.absent = (0..columns.len()).filter(|place| !taken[*place]).collect();
        Ok(())
    }

    /// As `bind`, for a column that must be a struct.
    pub fn bind_struct(&mut self, column: &Type) -> Result<(), Fault> {
        match column {
            Type::Struct(fields) => self.bind(fields.fields()),
            other => Err(misfit(other)),
        }
    }
}

/// Binds the element of a list.
pub fn bind_element<N: Shape>(element: &mut N, column: &Type) -> Result<(), Fault> {
    match column {
        Type::List(list) => {
            let column = &list.element_field.field_type;
            element.bind(column).map_err(|fault| fault.in_element(None))
        }
        other => Err(misfit(other)),
    }
}

/// Binds the value of a map.
pub fn bind_entry<N: Shape>(value: &mut N, column: &Type) -> Result<(), Fault> {
    match column {
        Type::Map(map) => {
            let column = &map.value_field.field_type;
            value.bind(column).map_err(|fault| fault.in_entry(""))
        }
        other => Err(misfit(other)),
    }
}

fn misfit(column: &Type) -> Fault {
    Fault::new(format!("the table's column is of type {column}"))
}
