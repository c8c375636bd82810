//! Random JSON Schemas, values of them, and what the rows must say.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A schema, with a way to make values: each with the row that it must become.
#[derive(Debug, Clone)]
pub enum Shape {
    Boolean,
    Integer,
    Number,
    Text,
    DateTime,
    Nullable(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>),
    Object(Vec<Shape>),
}

impl Shape {
    pub fn any() -> impl Strategy<Value = Shape> {
        let leaf = prop_oneof![
            Just(Shape::Boolean),
            Just(Shape::Integer),
            Just(Shape::Number),
            Just(Shape::Text),
            Just(Shape::DateTime)
        ];
        let shape = leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Shape::Nullable(Box::new(inner))),
                inner.clone().prop_map(|inner| Shape::List(Box::new(inner))),
                inner.clone().prop_map(|inner| Shape::Map(Box::new(inner))),
                proptest::collection::vec(inner, 1..4).prop_map(Shape::Object),
            ]
        });
        proptest::collection::vec(shape, 1..5).prop_map(Shape::Object)
    }

    pub fn schema(&self) -> Value {
        match self {
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Integer => json!({"type": "integer"}),
            Shape::Number => json!({"type": "number"}),
            Shape::Text => json!({"type": "string"}),
            Shape::DateTime => json!({"type": "string", "format": "date-time"}),
            Shape::Nullable(inner) => json!({"oneOf": [{"type": "null"}, inner.schema()]}),
            Shape::List(element) => json!({"type": "array", "items": element.schema()}),
            Shape::Map(value) => json!({"type": "object", "additionalProperties": value.schema()}),
            Shape::Object(fields) => {
                let fields = fields.iter().enumerate();
                let fields: Map<String, Value> = fields.map(|(i, field)| (format!("f{i}"), field.schema())).collect();
                json!({"type": "object", "properties": fields, "additionalProperties": false})
            }
        }
    }

    /// A value and its row: properties that are left out are null there.
    pub fn value(&self) -> BoxedStrategy<(Value, Value)> {
        let same = |value: Value| (value.clone(), value);
        let collect = |values: Vec<(String, (Value, Value))>| -> (Value, Value) {
            let (sent, row): (Map<_, _>, Map<_, _>) =
                values.into_iter().map(|(name, (sent, row))| ((name.clone(), sent), (name, row))).unzip();
            (sent.into(), row.into())
        };
        match self {
            Shape::Boolean => any::<bool>().prop_map(move |value| same(value.into())).boxed(),
            Shape::Integer => (any::<i64>(), 0..64u32).prop_map(move |(n, shift)| same((n >> shift).into())).boxed(),
            Shape::Number => any::<i32>().prop_map(move |n| same((f64::from(n) / 8.0).into())).boxed(),
            Shape::Text => any::<String>().prop_map(move |text| same(text.into())).boxed(),
            Shape::DateTime => (1i32..9999, 1u32..=12, 1u32..=28, 0u32..24, 0u32..60)
                .prop_map(move |(y, m, d, h, s)| same(format!("{y:04}-{m:02}-{d:02}T{h:02}:00:{s:02}Z").into()))
                .boxed(),
            Shape::Nullable(inner) => prop_oneof![1 => Just((Value::Null, Value::Null)), 2 => inner.value()].boxed(),
            Shape::List(element) => proptest::collection::vec(element.value(), 0..4)
                .prop_map(|values| {
                    let (sent, row): (Vec<_>, Vec<_>) = values.into_iter().unzip();
                    (sent.into(), row.into())
                })
                .boxed(),
            Shape::Map(value) => proptest::collection::btree_map("[a-zß\"]{0,3}", value.value(), 0..4)
                .prop_map(move |values| collect(values.into_iter().collect()))
                .boxed(),
            Shape::Object(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|field| proptest::option::weighted(0.8, field.value())).collect();
                fields
                    .prop_map(|values| {
                        let (mut sent, mut row) = (Map::new(), Map::new());
                        for (index, value) in values.into_iter().enumerate() {
                            let name = format!("f{index}");
                            let (value, wanted) = value.map_or((None, Value::Null), |(value, row)| (Some(value), row));
                            sent.extend(value.map(|value| (name.clone(), value)));
                            row.insert(name, wanted);
                        }
                        (sent.into(), row.into())
                    })
                    .boxed()
            }
        }
    }
}
