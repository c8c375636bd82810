//! Random Avro schemas and values, and the comparison of a value with a row of arrays.

use apache_avro::Decimal;
use apache_avro::types::Value;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use serde_json::{Value as Json, json};

/// Xorshift: the same seed makes the same schema and values.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Small, large and extreme numbers alike.
    fn long(&mut self) -> i64 {
        let shift = self.below(64);
        (self.next() as i64) >> shift
    }

    fn text(&mut self) -> String {
        let count = self.below(5);
        (0..count).map(|_| ['a', 'ß', '\u{1f9ca}', '"', '\u{0}'][self.below(5) as usize]).collect()
    }
}

#[derive(Debug)]
pub enum Shape {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(String),
    Enum(String),
    Decimal,
    Uuid,
    Date,
    TimeMillis,
    TimestampMillis,
    LocalTimestampMicros,
    Record(String, Vec<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>),
    Optional(Box<Shape>),
    /// Null, string, long or a record.
    Union(Box<Shape>),
}

impl Shape {
    pub fn record(random: &mut Random, depth: u64) -> Shape {
        let name = format!("N{}", random.next());
        let count = 1 + random.below(5);
        Shape::Record(name, (0..count).map(|_| Shape::any(random, depth)).collect())
    }

    fn any(random: &mut Random, depth: u64) -> Shape {
        let deep = if depth == 0 { 0 } else { 6 };
        match random.below(15 + deep) {
            0 => Shape::Boolean,
            1 => Shape::Int,
            2 => Shape::Long,
            3 => Shape::Float,
            4 => Shape::Double,
            5 => Shape::Bytes,
            6 => Shape::Text,
            7 => Shape::Fixed(format!("F{}", random.next())),
            8 => Shape::Enum(format!("E{}", random.next())),
            9 => Shape::Decimal,
            10 => Shape::Uuid,
            11 => Shape::Date,
            12 => Shape::TimeMillis,
            13 => Shape::TimestampMillis,
            14 => Shape::LocalTimestampMicros,
            15 => Shape::record(random, depth - 1),
            16 | 17 => Shape::List(Box::new(Shape::any(random, depth - 1))),
            18 => Shape::Map(Box::new(Shape::any(random, depth - 1))),
            19 => match Shape::any(random, depth - 1) {
                inner @ (Shape::Optional(_) | Shape::Union(_)) => inner,
                inner => Shape::Optional(Box::new(inner)),
            },
            _ => Shape::Union(Box::new(Shape::record(random, depth - 1))),
        }
    }

    pub fn text(&self) -> Json {
        match self {
            Shape::Boolean => json!("boolean"),
            Shape::Int => json!("int"),
            Shape::Long => json!("long"),
            Shape::Float => json!("float"),
            Shape::Double => json!("double"),
            Shape::Bytes => json!("bytes"),
            Shape::Text => json!("string"),
            Shape::Fixed(name) => json!({"type": "fixed", "name": name, "size": 3}),
            Shape::Enum(name) => json!({"type": "enum", "name": name, "symbols": ["A", "B", "C"]}),
            Shape::Decimal => json!({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 4}),
            Shape::Uuid => json!({"type": "string", "logicalType": "uuid"}),
            Shape::Date => json!({"type": "int", "logicalType": "date"}),
            Shape::TimeMillis => json!({"type": "int", "logicalType": "time-millis"}),
            Shape::TimestampMillis => json!({"type": "long", "logicalType": "timestamp-millis"}),
            Shape::LocalTimestampMicros => json!({"type": "long", "logicalType": "local-timestamp-micros"}),
            Shape::Record(name, fields) => {
                let fields = fields.iter().enumerate();
                let fields: Vec<Json> =
                    fields.map(|(i, field)| json!({"name": format!("f{i}"), "type": field.text()})).collect();
                json!({"type": "record", "name": name, "fields": fields})
            }
            Shape::List(element) => json!({"type": "array", "items": element.text()}),
            Shape::Map(value) => json!({"type": "map", "values": value.text()}),
            Shape::Optional(inner) => json!(["null", inner.text()]),
            Shape::Union(record) => json!(["null", "string", "long", record.text()]),
        }
    }

    pub fn value(&self, random: &mut Random) -> Value {
        match self {
            Shape::Boolean => Value::Boolean(random.below(2) == 1),
            Shape::Int => Value::Int(random.long() as i32),
            Shape::Long => Value::Long(random.long()),
            Shape::Float => Value::Float(f32::from_bits(random.next() as u32)),
            Shape::Double => Value::Double(f64::from_bits(random.next())),
            Shape::Bytes => Value::Bytes(random.text().into_bytes()),
            Shape::Text => Value::String(random.text()),
            Shape::Fixed(_) => Value::Fixed(3, random.next().to_be_bytes()[..3].to_vec()),
            Shape::Enum(_) => {
                let index = random.below(3);
                Value::Enum(index as u32, ["A", "B", "C"][index as usize].to_owned())
            }
            Shape::Decimal => Value::Decimal(Decimal::from(random.long().to_be_bytes())),
            Shape::Uuid => Value::Uuid(uuid::Uuid::from_u64_pair(random.next(), random.next())),
            Shape::Date => Value::Date(random.below(3_600_000) as i32 - 700_000),
            Shape::TimeMillis => Value::TimeMillis(random.below(86_400_000) as i32),
            Shape::TimestampMillis => Value::TimestampMillis(random.long() >> 18),
            Shape::LocalTimestampMicros => Value::LocalTimestampMicros(random.long() >> 8),
            Shape::Record(_, fields) => {
                let fields = fields.iter().enumerate();
                Value::Record(fields.map(|(i, field)| (format!("f{i}"), field.value(random))).collect())
            }
            Shape::List(element) => {
                let count = random.below(4);
                Value::Array((0..count).map(|_| element.value(random)).collect())
            }
            Shape::Map(value) => {
                let count = random.below(4);
                Value::Map((0..count).map(|i| (format!("{i}{}", random.text()), value.value(random))).collect())
            }
            Shape::Optional(inner) => match random.below(3) {
                0 => Value::Union(0, Box::new(Value::Null)),
                _ => Value::Union(1, Box::new(inner.value(random))),
            },
            Shape::Union(record) => match random.below(4) {
                0 => Value::Union(0, Box::new(Value::Null)),
                1 => Value::Union(1, Box::new(Value::String(random.text()))),
                2 => Value::Union(2, Box::new(Value::Long(random.long()))),
                _ => Value::Union(3, Box::new(record.value(random))),
            },
        }
    }

    /// The fields of a record against the columns of a struct.
    pub fn check_fields(&self, value: &Value, columns: &[ArrayRef], row: usize) {
        let (Shape::Record(_, fields), Value::Record(values)) = (self, value) else { panic!("{value:?}") };
        assert_eq!(fields.len(), columns.len());
        for ((field, (_, value)), column) in fields.iter().zip(values).zip(columns) {
            field.check(value, column, row);
        }
    }

    fn check(&self, value: &Value, array: &ArrayRef, row: usize) {
        if let Value::Union(0, _) = value {
            assert!(array.is_null(row), "{value:?}");
            return;
        }
        assert!(array.is_valid(row), "{value:?}");
        match (self, value) {
            (_, Value::Boolean(value)) => assert_eq!(array.as_boolean().value(row), *value),
            (_, Value::Int(value)) => assert_eq!(array.as_primitive::<Int32Type>().value(row), *value),
            (_, Value::Long(value)) => assert_eq!(array.as_primitive::<Int64Type>().value(row), *value),
            (_, Value::Float(value)) => {
                assert_eq!(array.as_primitive::<Float32Type>().value(row).to_bits(), value.to_bits());
            }
            (_, Value::Double(value)) => {
                assert_eq!(array.as_primitive::<Float64Type>().value(row).to_bits(), value.to_bits());
            }
            (_, Value::Bytes(value)) => assert_eq!(array.as_binary::<i64>().value(row), value),
            (_, Value::String(value) | Value::Enum(_, value)) => {
                assert_eq!(array.as_string::<i32>().value(row), value);
            }
            (_, Value::Fixed(_, value)) => assert_eq!(array.as_fixed_size_binary().value(row), value),
            (_, Value::Uuid(value)) => assert_eq!(array.as_fixed_size_binary().value(row), value.as_bytes()),
            (_, Value::Decimal(value)) => {
                let bytes = Vec::<u8>::try_from(value).unwrap();
                let wanted = i64::from_be_bytes(bytes.try_into().unwrap());
                assert_eq!(array.as_primitive::<Decimal128Type>().value(row), i128::from(wanted));
            }
            (_, Value::Date(value)) => assert_eq!(array.as_primitive::<Date32Type>().value(row), *value),
            (_, Value::TimeMillis(value)) => {
                let (second, millis) = (value / 1000, value % 1000);
                let wanted = format!("{:02}:{:02}:{:02}.{millis:03}000", second / 3600, second / 60 % 60, second % 60);
                assert_eq!(array.as_string::<i32>().value(row), wanted);
            }
            (_, Value::TimestampMillis(value)) => {
                assert_eq!(array.as_primitive::<TimestampMicrosecondType>().value(row), value * 1000);
            }
            (_, Value::LocalTimestampMicros(value)) => {
                assert_eq!(array.as_primitive::<TimestampMicrosecondType>().value(row), *value);
            }
            (Shape::Record(..), value) => self.check_fields(value, array.as_struct().columns(), row),
            (Shape::List(element), Value::Array(values)) => {
                let list = array.as_list::<i32>().value(row);
                assert_eq!(list.len(), values.len());
                values.iter().enumerate().for_each(|(index, value)| element.check(value, &list, index));
            }
            (Shape::Map(inner), Value::Map(values)) => {
                let entries = array.as_map().value(row);
                assert_eq!(entries.len(), values.len());
                for index in 0..entries.len() {
                    let key = entries.column(0).as_string::<i32>().value(index);
                    inner.check(&values[key], entries.column(1), index);
                }
            }
            (Shape::Optional(inner), Value::Union(_, value)) => inner.check(value, array, row),
            (Shape::Union(record), Value::Union(branch, value)) => {
                let columns = array.as_struct().columns();
                assert!((0..3).all(|other| columns[other].is_valid(row) == (other as u32 + 1 == *branch)));
                match value.as_ref() {
                    value @ Value::Record(_) => record.check(value, &columns[2], row),
                    value => Shape::Text.check(value, &columns[*branch as usize - 1], row),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}
