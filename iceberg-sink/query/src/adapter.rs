//! How does an expression over the table's columns become one over the columns of a file?

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};

use crate::conform::{conform, find, is_same};

/// Adapts by Iceberg field id.
#[derive(Debug)]
pub struct ByFieldId;

impl PhysicalExprAdapterFactory for ByFieldId {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        Ok(Arc::new(Adapter { table, file }))
    }
}

#[derive(Debug)]
struct Adapter {
    table: SchemaRef,
    file: SchemaRef,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        expr.transform(|expr| match expr.as_any().downcast_ref::<Column>() {
            Some(column) => Ok(Transformed::yes(self.column(column)?)),
            None => Ok(Transformed::no(expr)),
        })
        .data()
    }
}

impl Adapter {
    fn column(&self, column: &Column) -> Result<Arc<dyn PhysicalExpr>> {
        let wanted = self.table.field_with_name(column.name())?;
        let Some(at) = find(self.file.fields(), wanted) else {
            let null = ScalarValue::try_from(wanted.data_type())?;
            return Ok(Arc::new(Literal::new_with_metadata(null, None)));
        };
        let found = self.file.field(at);
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(found.name(), at));
        if found.data_type().is_floating() {
            // DataFusion prunes by expressions that it knows. NaN is greater than all numbers but left out of a file's
            // statistics, so that pruning would lose its rows; and predicates come here on other ways than as a
            // scan's filters too.
            return Ok(Arc::new(Conform { column, to: Arc::new(wanted.clone()) }));
        }
        if is_same(found.data_type(), wanted.data_type()) {
            return Ok(column);
        }
        let plain = |kind: &DataType| !kind.is_nested() && !matches!(kind, DataType::FixedSizeBinary(_));
        if plain(found.data_type()) && plain(wanted.data_type()) {
            // DataFusion knows this expression and can still prune row groups by it.
            return Ok(Arc::new(CastExpr::new(column, wanted.data_type().clone(), None)));
        }
        Ok(Arc::new(Conform { column, to: Arc::new(wanted.clone()) }))
    }
}

/// A column of the file, rebuilt as the table's field.
#[derive(Debug, Clone, Eq)]
struct Conform {
    column: Arc<dyn PhysicalExpr>,
    to: FieldRef,
}

impl PartialEq for Conform {
    fn eq(&self, other: &Conform) -> bool {
        self.column.eq(&other.column) && self.to == other.to
    }
}

impl Hash for Conform {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.to.hash(state);
    }
}

impl fmt::Display for Conform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conform({})", self.column)
    }
}

impl PhysicalExpr for Conform {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(self.to.is_nullable())
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(self.to.clone())
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        let field: &Field = &self.to;
        Ok(ColumnarValue::Array(conform(&array, field).map_err(DataFusionError::from)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let column = children.into_iter().next().unwrap_or_else(|| self.column.clone());
        Ok(Arc::new(Conform { column, to: self.to.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
