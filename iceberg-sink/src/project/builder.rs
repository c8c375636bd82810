//! How does a column grow value by value, and shrink again when a record turns out to be bad?
//!
//! A column's length is the number of its validity bits; whatever lies behind it in its buffers and children is the
//! rest of a row that failed, and `truncate` takes it away. So a bad record needs no buffer of its own.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, LargeBinaryArray, ListArray, MapArray, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;

use crate::types::Fault;

/// One column, with its children.
#[derive(Debug)]
pub struct Builder {
    kind: DataType,
    valid: BooleanBufferBuilder,
    data: Data,
    null_words: u64,
}

#[derive(Debug)]
enum Data {
    Boolean(BooleanBufferBuilder),
    Int(Vec<i32>),
    Date(Vec<i32>),
    Long(Vec<i64>),
    Timestamp(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Decimal(Vec<i128>, u128),
    Text(Vec<i32>, Vec<u8>),
    Binary(Vec<i64>, Vec<u8>),
    Fixed(usize, Vec<u8>),
    Struct(Vec<Builder>),
    List(Vec<i32>, Box<Builder>),
    Map(Vec<i32>, Box<[Builder; 2]>),
}

impl Data {
    fn null_words(&self) -> u64 {
        match self {
            Data::Struct(children) => 1 + children.iter().map(Builder::null_words).sum::<u64>(),
            Data::Fixed(width, _) => 1 + width.div_ceil(8) as u64,
            Data::Decimal(..) => 2,
            _ => 1,
        }
    }
}

pub type Put = Result<(), Fault>;

/// 0001-01-01 to 9999-12-31: what every engine can print. In days from 1970.
pub const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;
/// The same in microseconds.
pub const MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

impl Builder {
    /// A column of a type that an Iceberg schema can have.
    pub fn new(kind: &DataType) -> Result<Builder, ArrowError> {
        let data = match kind {
            DataType::Boolean => Data::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int32 => Data::Int(Vec::new()),
            DataType::Int64 => Data::Long(Vec::new()),
            DataType::Date32 => Data::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Data::Timestamp(Vec::new()),
            DataType::Float32 => Data::Float(Vec::new()),
            DataType::Float64 => Data::Double(Vec::new()),
            DataType::Decimal128(precision, _) => Data::Decimal(Vec::new(), 10u128.pow(u32::from(*precision)) - 1),
            DataType::Utf8 => Data::Text(vec![0], Vec::new()),
            DataType::LargeBinary | DataType::Binary => Data::Binary(vec![0], Vec::new()),
            DataType::FixedSizeBinary(width) => Data::Fixed(width.unsigned_abs() as usize, Vec::new()),
            DataType::Struct(fields) => {
                Data::Struct(fields.iter().map(|field| Builder::new(field.data_type())).collect::<Result<_, _>>()?)
            }
            DataType::List(element) => Data::List(vec![0], Box::new(Builder::new(element.data_type())?)),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    let [key, value] = [0, 1].map(|index| Builder::new(fields[index].data_type()));
                    Data::Map(vec![0], Box::new([key?, value?]))
                }
                other => return Err(ArrowError::SchemaError(format!("a map of {other}"))),
            },
            other => return Err(ArrowError::NotYetImplemented(format!("a column of type {other}"))),
        };
        let null_words = data.null_words();
        Ok(Builder { kind: kind.clone(), valid: BooleanBufferBuilder::new(0), data, null_words })
    }

    /// What a null takes in memory, in words of 8 bytes, rounded up: a place in every column below this one.
    pub fn null_words(&self) -> u64 {
        self.null_words
    }

    /// Rows that are complete.
    pub fn rows(&self) -> usize {
        self.valid.len()
    }

    pub fn null(&mut self) {
        self.valid.append(false);
        match &mut self.data {
            Data::Boolean(values) => values.append(false),
            Data::Int(values) | Data::Date(values) => values.push(0),
            Data::Long(values) | Data::Timestamp(values) => values.push(0),
            Data::Float(values) => values.push(0.0),
            Data::Double(values) => values.push(0.0),
            Data::Decimal(values, _) => values.push(0),
            Data::Text(offsets, _) => offsets.push(offsets[offsets.len() - 1]),
            Data::Binary(offsets, _) => offsets.push(offsets[offsets.len() - 1]),
            Data::Fixed(width, bytes) => bytes.resize(bytes.len() + *width, 0),
            Data::Struct(children) => children.iter_mut().for_each(Builder::null),
            Data::List(offsets, _) | Data::Map(offsets, _) => offsets.push(offsets[offsets.len() - 1]),
        }
    }

    pub fn boolean(&mut self, value: bool) -> Put {
        let Data::Boolean(values) = &mut self.data else { return Err(misfit(&self.kind, "a boolean")) };
        values.append(value);
        self.valid.append(true);
        Ok(())
    }

    /// A whole number, into a column of type int or long.
    pub fn integer(&mut self, value: i64) -> Put {
        match &mut self.data {
            Data::Long(values) => values.push(value),
            Data::Int(values) => {
                let narrow = i32::try_from(value);
                values.push(narrow.map_err(|_| Fault::new(format!("{value} does not fit 32 bits")))?);
            }
            _ => return Err(misfit(&self.kind, "a whole number")),
        }
        self.valid.append(true);
        Ok(())
    }

    /// A 32-bit float, into a column of type float or double.
    pub fn float(&mut self, value: f32) -> Put {
        match &mut self.data {
            Data::Float(values) => values.push(value),
            Data::Double(values) => values.push(f64::from(value)),
            _ => return Err(misfit(&self.kind, "a float")),
        }
        self.valid.append(true);
        Ok(())
    }

    pub fn double(&mut self, value: f64) -> Put {
        let Data::Double(values) = &mut self.data else { return Err(misfit(&self.kind, "a double")) };
        values.push(value);
        self.valid.append(true);
        Ok(())
    }

    /// The digits of a decimal without its point; the scale is the column's.
    pub fn decimal(&mut self, unscaled: i128) -> Put {
        let Data::Decimal(values, max) = &mut self.data else { return Err(misfit(&self.kind, "a decimal")) };
        if unscaled.unsigned_abs() > *max {
            return Err(Fault::new(format!("the decimal has more digits than {} allows", self.kind)));
        }
        values.push(unscaled);
        self.valid.append(true);
        Ok(())
    }

    /// Days from 1970-01-01.
    pub fn date(&mut self, days: i64) -> Put {
        let Data::Date(values) = &mut self.data else { return Err(misfit(&self.kind, "a date")) };
        if !DAYS.contains(&days) {
            return Err(Fault::new(format!("{days} days from 1970 is not in the years 1 to 9999")));
        }
        values.push(days as i32);
        self.valid.append(true);
        Ok(())
    }

    /// A count of units of `unit_us` microseconds from 1970-01-01, into a timestamp with or without zone.
    pub fn timestamp(&mut self, count: i64, unit_us: i64) -> Put {
        let Data::Timestamp(values) = &mut self.data else { return Err(misfit(&self.kind, "a timestamp")) };
        let micros = count.checked_mul(unit_us).filter(|micros| MICROS.contains(micros));
        let micros = micros.ok_or_else(|| {
            Fault::new(format!("timestamp {count} (in units of {unit_us} µs) is not in the years 1 to 9999"))
        })?;
        values.push(micros);
        self.valid.append(true);
        Ok(())
    }

    pub fn text(&mut self, value: &str) -> Put {
        let Data::Text(offsets, bytes) = &mut self.data else { return Err(misfit(&self.kind, "a text")) };
        offsets.push(end(bytes.len() + value.len())?);
        bytes.extend_from_slice(value.as_bytes());
        self.valid.append(true);
        Ok(())
    }

    /// Bytes, into a column of type binary, or fixed (or uuid) of that length.
    pub fn bytes(&mut self, value: &[u8]) -> Put {
        match &mut self.data {
            Data::Binary(offsets, bytes) => {
                bytes.extend_from_slice(value);
                offsets.push(bytes.len() as i64);
            }
            Data::Fixed(width, bytes) if *width == value.len() => bytes.extend_from_slice(value),
            Data::Fixed(width, _) => {
                return Err(Fault::new(format!("has {} bytes, not {width}", value.len())));
            }
            _ => return Err(misfit(&self.kind, "bytes")),
        }
        self.valid.append(true);
        Ok(())
    }

    pub fn bytes_or_null(&mut self, value: Option<&[u8]>) -> Put {
        match value {
            Some(value) => self.bytes(value),
            None => {
                self.null();
                Ok(())
            }
        }
    }

    /// The children of a struct: each gets one value, then `close_struct` completes the row.
    pub fn children(&mut self) -> Result<&mut [Builder], Fault> {
        match &mut self.data {
            Data::Struct(children) => Ok(children),
            _ => Err(misfit(&self.kind, "a struct")),
        }
    }

    pub fn close_struct(&mut self) {
        let Data::Struct(children) = &self.data else { unreachable!("only structs are closed as such") };
        let len = self.valid.len() + 1;
        assert!(children.iter().all(|child| child.rows() == len), "every child of a struct has a value in every row");
        self.valid.append(true);
    }

    /// The element of a list: takes any number of values, then `close_list` completes the row.
    pub fn element(&mut self) -> Result<&mut Builder, Fault> {
        match &mut self.data {
            Data::List(_, element) => Ok(element),
            _ => Err(misfit(&self.kind, "a list")),
        }
    }

    /// Key and value of a map: take the same number of values each, then `close_list` completes the row.
    pub fn entry(&mut self) -> Result<&mut [Builder; 2], Fault> {
        match &mut self.data {
            Data::Map(_, entry) => Ok(entry),
            _ => Err(misfit(&self.kind, "a map")),
        }
    }

    pub fn close_list(&mut self) -> Put {
        match &mut self.data {
            Data::List(offsets, element) => offsets.push(end(element.rows())?),
            Data::Map(offsets, entry) => {
                assert_eq!(entry[0].rows(), entry[1].rows(), "every key of a map has a value");
                offsets.push(end(entry[0].rows())?);
            }
            _ => unreachable!("only lists and maps are closed as such"),
        }
        self.valid.append(true);
        Ok(())
    }

    /// Forgets all but the first `len` rows, and what an incomplete row has left behind them.
    pub fn truncate(&mut self, len: usize) {
        self.valid.truncate(len);
        match &mut self.data {
            Data::Boolean(values) => values.truncate(len),
            Data::Int(values) | Data::Date(values) => values.truncate(len),
            Data::Long(values) | Data::Timestamp(values) => values.truncate(len),
            Data::Float(values) => values.truncate(len),
            Data::Double(values) => values.truncate(len),
            Data::Decimal(values, _) => values.truncate(len),
            Data::Text(offsets, bytes) => {
                offsets.truncate(len + 1);
                bytes.truncate(offsets[len] as usize);
            }
            Data::Binary(offsets, bytes) => {
                offsets.truncate(len + 1);
                bytes.truncate(offsets[len] as usize);
            }
            Data::Fixed(width, bytes) => bytes.truncate(len * *width),
            Data::Struct(children) => children.iter_mut().for_each(|child| child.truncate(len)),
            Data::List(offsets, element) => {
                offsets.truncate(len + 1);
                element.truncate(offsets[len] as usize);
            }
            Data::Map(offsets, entry) => {
                offsets.truncate(len + 1);
                entry.iter_mut().for_each(|child| child.truncate(offsets[len] as usize));
            }
        }
    }

    /// The rows so far, leaving the column empty.
    pub fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let valid = self.valid.finish();
        let len = valid.len();
        let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
        let array: ArrayRef = match (&mut self.data, &self.kind) {
            (Data::Boolean(values), _) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            (Data::Int(values), _) => Arc::new(Int32Array::try_new(scalars(values), nulls)?),
            (Data::Date(values), _) => Arc::new(Date32Array::try_new(scalars(values), nulls)?),
            (Data::Long(values), _) => Arc::new(Int64Array::try_new(scalars(values), nulls)?),
            (Data::Float(values), _) => Arc::new(Float32Array::try_new(scalars(values), nulls)?),
            (Data::Double(values), _) => Arc::new(Float64Array::try_new(scalars(values), nulls)?),
            (Data::Timestamp(values), kind) => {
                let array = TimestampMicrosecondArray::try_new(scalars(values), nulls)?;
                Arc::new(array.with_data_type(kind.clone()))
            }
            (Data::Decimal(values, _), kind) => {
                Arc::new(Decimal128Array::try_new(scalars(values), nulls)?.with_data_type(kind.clone()))
            }
            (Data::Text(ends, bytes), _) => Arc::new(StringArray::try_new(offsets(ends), buffer(bytes), nulls)?),
            (Data::Binary(ends, bytes), DataType::Binary) => {
                let array = LargeBinaryArray::try_new(offsets(ends), buffer(bytes), nulls)?;
                Arc::new(BinaryArray::from_iter(array.iter()))
            }
            (Data::Binary(ends, bytes), _) => Arc::new(LargeBinaryArray::try_new(offsets(ends), buffer(bytes), nulls)?),
            (Data::Fixed(width, bytes), _) => {
                Arc::new(FixedSizeBinaryArray::try_new(*width as i32, buffer(bytes), nulls)?)
            }
            (Data::Struct(children), DataType::Struct(fields)) => {
                let arrays = children.iter_mut().map(Builder::take).collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), arrays, nulls, len)?)
            }
            (Data::List(ends, element), DataType::List(field)) => {
                Arc::new(ListArray::try_new(field.clone(), offsets(ends), element.take()?, nulls)?)
            }
            (Data::Map(ends, entry), DataType::Map(field, sorted)) => {
                let DataType::Struct(fields) = field.data_type() else { unreachable!("checked when it was made") };
                let arrays = entry.iter_mut().map(Builder::take).collect::<Result<Vec<_>, _>>()?;
                let entries = StructArray::try_new(fields.clone(), arrays, None)?;
                Arc::new(MapArray::try_new(field.clone(), offsets(ends), entries, nulls, *sorted)?)
            }
            (_, kind) => unreachable!("data of another kind than {kind}"),
        };
        assert_eq!(array.len(), len, "a column has as many values as validity bits");
        Ok(array)
    }
}

fn misfit(kind: &DataType, what: &str) -> Fault {
    Fault::new(format!("{what} does not fit the table's column of type {kind}"))
}

fn scalars<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    std::mem::take(values).into()
}

/// Leaves the single 0 that stands before the first row.
fn offsets<T: arrow::array::OffsetSizeTrait>(ends: &mut Vec<T>) -> OffsetBuffer<T> {
    OffsetBuffer::new(std::mem::replace(ends, vec![T::usize_as(0)]).into())
}

fn buffer(bytes: &mut Vec<u8>) -> Buffer {
    Buffer::from_vec(std::mem::take(bytes))
}

/// Arrow counts texts and elements of one batch with 32 bits.
fn end(len: usize) -> Result<i32, Fault> {
    i32::try_from(len).map_err(|_| Fault::new("the batch holds more than 2 GiB of one column"))
}
