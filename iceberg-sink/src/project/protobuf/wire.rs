//! Where do the fields of a Protobuf message lie in its bytes?

use std::collections::HashSet;

use crate::project::budget::Budget;
use crate::types::Fault;
use crate::types::protobuf::Scalar;

/// The bytes of one occurrence of a field, by wire type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// One occurrence of a field that the schema knows.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The index that the caller gave for its number.
    pub field: usize,
    pub wire: Wire<'a>,
    /// Of this field only the last occurrence counts.
    pub once: bool,
    /// A later member of the same oneof makes it void, or a later occurrence.
    pub cleared: bool,
}

/// A map's key in the one form in which equal keys are equal.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    Number(i128),
    Text(&'a [u8]),
}

/// Groups of unknown fields may nest.
const GROUPS_MAX: usize = 100;

/// Occurrences of fields from which on those that do not count are looked for.
const TIDY_AT: usize = 4096;

/// The fields of a message in order, as far as `known` gives an index for their number, and whether only the last
/// occurrence counts; others are passed over. Each that is returned holds 1 of the budget: one of two bytes on the wire
/// takes 48 here.
pub fn fields<'a>(
    bytes: &'a [u8],
    known: impl Fn(u32) -> Option<(usize, bool)>,
    budget: &mut Budget,
) -> Result<Vec<Found<'a>>, Fault> {
    let mut reader = Reader { rest: bytes };
    let mut found: Vec<Found<'a>> = Vec::new();
    let mut tidy_at = TIDY_AT;
    while !reader.rest.is_empty() {
        let (number, wire_type) = reader.tag()?;
        let Some(wire) = reader.wire(number, wire_type, 0)? else { continue };
        let Some((field, once)) = known(number) else { continue };
        if found.len() >= tidy_at {
            let before = found.len();
            tidy(&mut found);
            budget.release(before - found.len());
            tidy_at = TIDY_AT.max(2 * found.len());
        }
        budget.hold(1)?;
        found.push(Found { field, wire, once, cleared: false });
    }
    Ok(found)
}

/// Drops what a later occurrence of the same field replaces. What that one means for a oneof covers the dropped one.
fn tidy(found: &mut Vec<Found<'_>>) {
    let mut seen = HashSet::new();
    for one in found.iter_mut().rev().filter(|one| one.once) {
        one.cleared = !seen.insert(one.field);
    }
    found.retain(|one| !one.cleared);
}

/// The elements of a packed list.
pub fn packed<'a>(
    scalar: &Scalar,
    bytes: &'a [u8],
    put: &mut dyn FnMut(Wire<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut reader = Reader { rest: bytes };
    while !reader.rest.is_empty() {
        put(match scalar {
            Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => Wire::Fixed64(u64::from_le_bytes(reader.array()?)),
            Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => Wire::Fixed32(u32::from_le_bytes(reader.array()?)),
            _ => Wire::Varint(reader.varint()?),
        })?;
    }
    Ok(())
}

/// The key of a map's entry; an entry without one has the zero of its type.
pub fn key<'a>(scalar: &Scalar, wire: Option<Wire<'a>>) -> Result<Key<'a>, Fault> {
    Ok(match (scalar, wire) {
        (Scalar::Text | Scalar::Bytes, None) => Key::Text(&[]),
        (Scalar::Text | Scalar::Bytes, Some(wire)) => Key::Text(wire.bytes()?),
        (_, None) => Key::Number(0),
        (Scalar::Bool, Some(wire)) => Key::Number(i128::from(wire.varint()? != 0)),
        (scalar, Some(wire)) => Key::Number(wire.integer(scalar)?),
    })
}

/// A key as people write it.
pub fn shown(scalar: &Scalar, wire: Option<Wire<'_>>) -> String {
    match key(scalar, wire) {
        Ok(Key::Number(number)) => number.to_string(),
        Ok(Key::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => String::new(),
    }
}

impl<'a> Wire<'a> {
    pub fn varint(self) -> Result<u64, Fault> {
        match self {
            Wire::Varint(value) => Ok(value),
            other => Err(other.misfit()),
        }
    }

    pub fn fixed64(self) -> Result<u64, Fault> {
        match self {
            Wire::Fixed64(value) => Ok(value),
            other => Err(other.misfit()),
        }
    }

    pub fn fixed32(self) -> Result<u32, Fault> {
        match self {
            Wire::Fixed32(value) => Ok(value),
            other => Err(other.misfit()),
        }
    }

    pub fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            other => Err(other.misfit()),
        }
    }

    pub fn text(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::new("the text is not UTF-8"))
    }

    /// The value of a whole number; 32-bit types take the low half of a varint, as all parsers do.
    pub fn integer(self, scalar: &Scalar) -> Result<i128, Fault> {
        Ok(match scalar {
            Scalar::Int32 => i128::from(self.varint()? as i32),
            Scalar::Int64 => i128::from(self.varint()? as i64),
            Scalar::Uint32 => i128::from(self.varint()? as u32),
            Scalar::Uint64 => i128::from(self.varint()?),
            Scalar::Sint32 => i128::from(zigzag(u64::from(self.varint()? as u32)) as i32),
            Scalar::Sint64 => i128::from(zigzag(self.varint()?)),
            Scalar::Fixed32 => i128::from(self.fixed32()?),
            Scalar::Fixed64 => i128::from(self.fixed64()?),
            Scalar::Sfixed32 => i128::from(self.fixed32()? as i32),
            Scalar::Sfixed64 => i128::from(self.fixed64()? as i64),
            _ => return Err(Fault::new("is no whole number")),
        })
    }

    fn misfit(self) -> Fault {
        let kind = match self {
            Wire::Varint(_) => "a varint",
            Wire::Fixed64(_) => "8 bytes",
            Wire::Fixed32(_) => "4 bytes",
            Wire::Bytes(_) => "a length and bytes",
        };
        Fault::new(format!("the record has {kind} here, which is another type: it was written with another schema"))
    }
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn tag(&mut self) -> Result<(u32, u8), Fault> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=0x1fff_ffff).contains(number));
        let number = number.ok_or_else(|| Fault::new("the record is no Protobuf message: a field number is wrong"))?;
        Ok((number, (tag & 7) as u8))
    }

    /// The bytes behind a tag; none for a group, which only unknown fields can be.
    fn wire(&mut self, number: u32, wire_type: u8, depth: usize) -> Result<Option<Wire<'a>>, Fault> {
        Ok(Some(match wire_type {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.varint()?;
                let len = usize::try_from(len).map_err(|_| Fault::new(format!("{len} is no length")))?;
                Wire::Bytes(self.take(len)?)
            }
            3 if depth < GROUPS_MAX => {
                loop {
                    match self.tag()? {
                        (end, 4) if end == number => break,
                        (inner, wire_type) => self.wire(inner, wire_type, depth + 1)?,
                    };
                }
                return Ok(None);
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Fault::new(format!("the record is no Protobuf message: wire type {wire_type} is wrong"))),
        }))
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = self.take(1)?[0];
            // The tenth byte has one bit that counts; parsers ignore the rest.
            value |= u64::from(byte & 0x7f).checked_shl(7 * index).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::new("a number has more than 64 bits"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were asked for"))
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
