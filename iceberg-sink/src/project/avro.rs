//! How does Avro's binary form become a row, without a value in between?

#[cfg(test)]
mod tests;

use crate::types::Fault;
use crate::types::avro::Node;
use crate::types::shape::Fields;

use super::budget::Budget;
use super::builder::{Builder, Put};
use super::clock;

/// Appends one value to each of `columns` (those that `fields` is bound to), from a whole payload.
pub fn walk(fields: &Fields<Node>, payload: &[u8], columns: &mut [Builder], budget: &mut Budget) -> Put {
    let mut reader = Reader { rest: payload, budget };
    reader.record(fields, columns)?;
    match reader.rest.len() {
        0 => Ok(()),
        left => Err(Fault::new(format!("{left} bytes are left behind the record: it was written with another schema"))),
    }
}

struct Reader<'a, 'b> {
    rest: &'a [u8],
    budget: &'b mut Budget,
}

impl<'a> Reader<'a, '_> {
    fn record(&mut self, fields: &Fields<Node>, columns: &mut [Builder]) -> Put {
        for field in &fields.list {
            let put = match field.place {
                Some(place) => self.value(&field.node, &mut columns[place]),
                None => self.nothing(&field.node),
            };
            put.map_err(|fault| fault.in_field(&field.name))?;
        }
        fields.absent.iter().for_each(|place| columns[*place].null());
        Ok(())
    }

    fn value(&mut self, node: &Node, column: &mut Builder) -> Put {
        match node {
            Node::Null => column.null(),
            Node::Boolean => match self.take(1)?[0] {
                0 => column.boolean(false)?,
                1 => column.boolean(true)?,
                other => return Err(Fault::new(format!("byte {other} is no boolean"))),
            },
            Node::Int => column.integer(self.int()?)?,
            Node::Long => column.integer(self.long()?)?,
            Node::Float => column.float(f32::from_le_bytes(self.array()?))?,
            Node::Double => column.double(f64::from_le_bytes(self.array()?))?,
            Node::Bytes => column.bytes(self.bytes()?)?,
            Node::Text => column.text(self.text()?)?,
            Node::Fixed(size) => column.bytes(self.take(*size)?)?,
            Node::Enum(symbols) => {
                let index = self.int()?;
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                column.text(symbol.ok_or_else(|| Fault::new(format!("the enum has no symbol number {index}")))?)?;
            }
            Node::Decimal { size, .. } => {
                let bytes = match size {
                    Some(size) => self.take(*size)?,
                    None => self.bytes()?,
                };
                column.decimal(unscaled(bytes)?)?;
            }
            Node::UuidText => {
                let text = self.text()?;
                let uuid = uuid::Uuid::try_parse(text).map_err(|_| Fault::new("the text is no UUID"))?;
                column.bytes(uuid.as_bytes())?;
            }
            Node::UuidFixed => column.bytes(self.take(16)?)?,
            Node::Date => column.date(self.int()?)?,
            Node::TimeMillis => {
                let millis = self.int()?;
                column.text(&time(millis.saturating_mul(1000))?)?;
            }
            Node::TimeMicros => column.text(&time(self.long()?)?)?,
            Node::Timestamp { micros, .. } => column.timestamp(self.long()?, *micros)?,
            Node::Duration(fields) => self.duration(fields, column)?,
            Node::Record(fields) => {
                self.record(fields, column.children()?)?;
                column.close_struct();
            }
            Node::List { element } => self.list(element, column)?,
            Node::Map { value } => self.map(value, column)?,
            Node::Optional { branches, null, inner } => match self.branch(*branches)? {
                index if Some(index) == *null => column.null(),
                _ => self.value(inner, column)?,
            },
            Node::Union { branches, fields } => self.union(branches, fields, column)?,
        }
        Ok(())
    }

    /// Reads past a value that has nothing to store.
    fn nothing(&mut self, node: &Node) -> Put {
        match node {
            Node::Optional { branches, .. } => self.branch(*branches).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn union(&mut self, branches: &[Option<usize>], fields: &Fields<Node>, column: &mut Builder) -> Put {
        let index = self.branch(branches.len())?;
        let Some(chosen) = branches[index] else {
            column.null();
            return Ok(());
        };
        let columns = column.children()?;
        for (index, field) in fields.list.iter().enumerate() {
            let Some(place) = field.place else { continue };
            match index == chosen {
                true => {
                    self.value(&field.node, &mut columns[place]).map_err(|fault| fault.in_field(&field.name))?;
                }
                false => columns[place].null(),
            }
        }
        fields.absent.iter().for_each(|place| columns[*place].null());
        column.close_struct();
        Ok(())
    }

    fn duration(&mut self, fields: &Fields<Node>, column: &mut Builder) -> Put {
        let columns = column.children()?;
        for field in &fields.list {
            let part = u32::from_le_bytes(self.array()?);
            let Some(place) = field.place else { continue };
            columns[place].integer(i64::from(part)).map_err(|fault| fault.in_field(&field.name))?;
        }
        fields.absent.iter().for_each(|place| columns[*place].null());
        column.close_struct();
        Ok(())
    }

    fn list(&mut self, element: &Node, column: &mut Builder) -> Put {
        let target = column.element()?;
        let words = target.null_words();
        let mut index = 0;
        while let Some(count) = self.block()? {
            for _ in 0..count {
                self.budget.take(words)?;
                self.value(element, target).map_err(|fault| fault.in_element(Some(index)))?;
                index += 1;
            }
        }
        column.close_list()
    }

    fn map(&mut self, value: &Node, column: &mut Builder) -> Put {
        let mut seen = std::collections::HashSet::new();
        let [keys, values] = column.entry()?;
        let words = keys.null_words() + values.null_words();
        while let Some(count) = self.block()? {
            for _ in 0..count {
                self.budget.take(words)?;
                let key = self.text()?;
                if !seen.insert(key) {
                    return Err(Fault::new("the map has this key twice").in_entry(key));
                }
                keys.text(key)?;
                self.value(value, values).map_err(|fault| fault.in_entry(key))?;
            }
        }
        column.close_list()
    }

    /// The number of items in the next block of a list or map; none at its end.
    fn block(&mut self) -> Result<Option<u64>, Fault> {
        let count = self.long()?;
        if count < 0 {
            // The block's size in bytes follows, for readers that skip it.
            self.long()?;
        }
        // Every item that is stored has at least one byte: a larger count is a lie.
        match count.unsigned_abs() {
            0 => Ok(None),
            count if count > self.rest.len() as u64 => Err(Fault::new(format!("{count} items do not fit the record"))),
            count => Ok(Some(count)),
        }
    }

    fn branch(&mut self, branches: usize) -> Result<usize, Fault> {
        let index = self.long()?;
        let found = usize::try_from(index).ok().filter(|index| *index < branches);
        found.ok_or_else(|| Fault::new(format!("the union has no branch number {index}")))
    }

    fn text(&mut self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::new("the text is not UTF-8"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.long()?;
        let len = usize::try_from(len).map_err(|_| Fault::new(format!("{len} is no length")))?;
        self.take(len)
    }

    fn int(&mut self) -> Result<i64, Fault> {
        let value = self.long()?;
        match i32::try_from(value) {
            Ok(value) => Ok(i64::from(value)),
            Err(_) => Err(Fault::new(format!("{value} does not fit 32 bits"))),
        }
    }

    /// A zigzag varint of at most ten bytes.
    fn long(&mut self) -> Result<i64, Fault> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = self.take(1)?[0];
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Fault::new("a number has more than 64 bits"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(Fault::new(format!(
                "{len} bytes are wanted, but the record has only {} left",
                self.rest.len()
            )));
        };
        self.rest = rest;
        Ok(taken)
    }
}

fn time(micros: i64) -> Result<String, Fault> {
    clock::time_text(micros).ok_or_else(|| Fault::new(format!("{micros} µs is no time within a day")))
}

/// Two's complement, big-endian, of any length as long as the value fits 128 bits; no bytes are 0.
fn unscaled(bytes: &[u8]) -> Result<i128, Fault> {
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let (extra, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut wide = [sign; 16];
    wide[16 - low.len()..].copy_from_slice(low);
    let value = i128::from_be_bytes(wide);
    let same_sign = (value < 0) == (sign == 0xff);
    match extra.iter().all(|byte| *byte == sign) && same_sign {
        true => Ok(value),
        false => Err(Fault::new("the decimal has more than 38 digits")),
    }
}
