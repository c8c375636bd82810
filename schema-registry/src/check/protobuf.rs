//! Are these bytes one message of a Protobuf schema?
//!
//! A message's descriptor is compiled once into an arena of messages that refer to each other by index. The walk
//! follows the wire (protobuf.dev, "Encoding") and builds no values. Unknown fields are legal and skipped, but must
//! be whole. What parsers take and change silently is refused: other wire types than the field's, numbers that do not
//! fit the field, strings that are not UTF-8 (also those of proto2), timestamps out of range.

mod compile;

use model::limits::NESTING_MAX;

use super::cursor::{Cursor, unzigzag};
use super::fault::Fault;

pub use compile::compile;

/// A compiled message with all messages it can hold.
#[derive(Debug)]
pub struct Program {
    /// The root is the first.
    messages: Vec<Message>,
}

/// A message's place in the arena.
type MessageId = u32;

#[derive(Debug, Default)]
struct Message {
    /// Ascending by number.
    fields: Vec<Field>,
    /// Places in `fields` of those that must be there.
    required: Vec<usize>,
    is_timestamp: bool,
}

#[derive(Debug)]
struct Field {
    number: u32,
    name: String,
    kind: Kind,
    /// Repeated fields and maps.
    repeated: bool,
}

/// How a field's value looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Varint(Number),
    Fixed32,
    Fixed64,
    String,
    Bytes,
    Message(MessageId),
    Group(MessageId),
}

/// What a varint stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Bool,
    /// `int32` and enums.
    Int32,
    Uint32,
    Sint32,
    /// All of 64 bits.
    Any64,
}

/// The low three bits of a tag.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const SIZED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z (google/protobuf/timestamp.proto).
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const TIMESTAMP_NANOS: std::ops::RangeInclusive<i64> = 0..=999_999_999;

impl Program {
    /// Walks one message from the first byte to the last. No bytes are a message without fields.
    pub fn check(&self, value: &[u8]) -> Result<(), Fault> {
        let mut walk = Walk { program: self, cursor: Cursor::new(value) };
        walk.message(0, None, 0)
    }
}

impl Message {
    /// The place of the field with this number; `guess` is where it lies when fields come in order.
    fn find(&self, number: u32, guess: usize) -> Option<usize> {
        match self.fields.get(guess) {
            Some(field) if field.number == number => Some(guess),
            _ => self.fields.binary_search_by_key(&number, |field| field.number).ok(),
        }
    }
}

/// A field's number and how its value is delimited.
#[derive(Clone, Copy)]
struct Tag {
    number: u32,
    wire: u8,
}

struct Walk<'a> {
    program: &'a Program,
    cursor: Cursor<'a>,
}

impl<'a> Walk<'a> {
    /// Walks a message up to the cursor's end, or, if it is a group, to the end of that group.
    fn message(&mut self, id: MessageId, group: Option<u32>, depth: usize) -> Result<(), Fault> {
        let program = self.program;
        let message = &program.messages[id as usize];
        let start = self.cursor.at();
        let mut missing = message.required.clone();
        let mut guess = 0;
        while group.is_some() || self.cursor.left() > 0 {
            let before = self.cursor.at();
            let tag = tag(&mut self.cursor)?;
            if tag.wire == GROUP_END {
                end_group(tag, group)?;
                break;
            }
            let Some(place) = message.find(tag.number, guess) else {
                skip(&mut self.cursor, tag, depth)?;
                continue;
            };
            // Elements of a list come one after the other.
            let field = &message.fields[place];
            guess = if field.repeated { place } else { place + 1 };
            if let Ok(found) = missing.binary_search(&place) {
                missing.remove(found);
            }
            self.field(field, tag, depth).map_err(|fault| self.within(fault, field, tag, start, before))?;
        }
        if let Some(first) = missing.first() {
            return Err(Fault::new("the field is required, it is missing").in_field(&message.fields[*first].name));
        }
        if message.is_timestamp {
            let end = self.cursor.at();
            timestamp(self.cursor.between(start, end))?;
        }
        Ok(())
    }

    /// Adds the field, and which of its elements it is, to the path of a fault. Only faults pay for counting.
    fn within(&self, fault: Fault, field: &Field, tag: Tag, start: usize, before: usize) -> Fault {
        let is_element = field.repeated && !(tag.wire == SIZED && field.kind.is_packable());
        let fault = match is_element {
            true => fault.in_item(occurrences(self.cursor.between(start, before), tag.number)),
            false => fault,
        };
        fault.in_field(&field.name)
    }

    fn field(&mut self, field: &Field, tag: Tag, depth: usize) -> Result<(), Fault> {
        if tag.wire == SIZED && field.repeated && field.kind.is_packable() {
            return self.packed(field.kind);
        }
        if tag.wire != field.kind.wire() {
            return Err(Fault::new(format!(
                "the field has the wire type {}, found {}",
                wire_name(field.kind.wire()),
                wire_name(tag.wire)
            )));
        }
        match field.kind {
            Kind::Message(id) => {
                let length = length(&mut self.cursor)?;
                let end = self.cursor.narrow(length)?;
                self.message(id, None, deeper(depth)?)?;
                self.cursor.widen(end);
                Ok(())
            }
            Kind::Group(id) => self.message(id, Some(tag.number), deeper(depth)?),
            Kind::String => {
                let length = length(&mut self.cursor)?;
                let bytes = self.cursor.take(length)?;
                std::str::from_utf8(bytes)
                    .map(drop)
                    .map_err(|e| Fault::new(format!("a string is not UTF-8 from its byte {} on", e.valid_up_to())))
            }
            Kind::Bytes => {
                let length = length(&mut self.cursor)?;
                self.cursor.take(length).map(drop)
            }
            scalar => self.scalar(scalar),
        }
    }

    /// A list of numbers behind one tag.
    fn packed(&mut self, kind: Kind) -> Result<(), Fault> {
        let length = length(&mut self.cursor)?;
        let end = self.cursor.narrow(length)?;
        let mut index = 0u64;
        while self.cursor.left() > 0 {
            self.scalar(kind).map_err(|fault| fault.in_item(index))?;
            index += 1;
        }
        self.cursor.widen(end);
        Ok(())
    }

    fn scalar(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::Varint(number) => number.check(self.cursor.varint()?),
            Kind::Fixed32 => self.cursor.take(4).map(drop),
            Kind::Fixed64 => self.cursor.take(8).map(drop),
            Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_) => unreachable!("only numbers come here"),
        }
    }
}

impl Kind {
    fn wire(self) -> u8 {
        match self {
            Kind::Varint(_) => VARINT,
            Kind::Fixed32 => FIXED32,
            Kind::Fixed64 => FIXED64,
            Kind::String | Kind::Bytes | Kind::Message(_) => SIZED,
            Kind::Group(_) => GROUP_START,
        }
    }

    fn is_packable(self) -> bool {
        matches!(self, Kind::Varint(_) | Kind::Fixed32 | Kind::Fixed64)
    }
}

impl Number {
    fn check(self, value: u64) -> Result<(), Fault> {
        let (fits, what) = match self {
            Number::Any64 => (true, "64 bits"),
            Number::Bool => (value <= 1, "a bool"),
            // Negative numbers come with their sign in 64 bits, from old encoders in 32.
            Number::Int32 => {
                let signed = value.cast_signed();
                (i32::try_from(signed).is_ok() || u32::try_from(value).is_ok(), "32 bits")
            }
            Number::Uint32 => (u32::try_from(value).is_ok(), "32 bits without a sign"),
            Number::Sint32 => (u32::try_from(value).is_ok(), "32 bits"),
        };
        if fits {
            return Ok(());
        }
        let shown = match self {
            Number::Int32 => value.cast_signed().to_string(),
            Number::Sint32 => unzigzag(value).to_string(),
            Number::Bool | Number::Uint32 | Number::Any64 => value.to_string(),
        };
        Err(Fault::new(format!("{shown} does not fit {what}")))
    }
}

fn tag(cursor: &mut Cursor<'_>) -> Result<Tag, Fault> {
    let raw = cursor.varint()?;
    let (number, wire) = (raw >> 3, (raw & 7) as u8);
    match u32::try_from(number) {
        Ok(narrow) if (1..=FIELD_NUMBER_MAX).contains(&number) && wire <= FIXED32 => Ok(Tag { number: narrow, wire }),
        _ => Err(Fault::new(format!("no field can have the number {number} and the wire type {wire}"))),
    }
}

fn end_group(tag: Tag, group: Option<u32>) -> Result<(), Fault> {
    match group {
        Some(number) if number == tag.number => Ok(()),
        Some(number) => Err(Fault::new(format!("the group {number} is open, the end of group {} comes", tag.number))),
        None => Err(Fault::new(format!("the end of group {} comes without its start", tag.number))),
    }
}

/// Passes over the value of a field that the message does not know.
fn skip(cursor: &mut Cursor<'_>, tag: Tag, depth: usize) -> Result<(), Fault> {
    let passed = match tag.wire {
        VARINT => cursor.varint().map(drop),
        FIXED64 => cursor.take(8).map(drop),
        FIXED32 => cursor.take(4).map(drop),
        GROUP_START => skip_group(cursor, tag.number, depth),
        GROUP_END => end_group(tag, None),
        _ => length(cursor).and_then(|length| cursor.take(length)).map(drop),
    };
    passed.map_err(|fault| fault.in_field(&format!("(unknown {})", tag.number)))
}

fn skip_group(cursor: &mut Cursor<'_>, number: u32, depth: usize) -> Result<(), Fault> {
    let depth = deeper(depth)?;
    loop {
        let tag = tag(cursor)?;
        match tag.wire {
            GROUP_END => return end_group(tag, Some(number)),
            _ => skip(cursor, tag, depth)?,
        }
    }
}

fn length(cursor: &mut Cursor<'_>) -> Result<usize, Fault> {
    let length = cursor.varint()?;
    usize::try_from(length).map_err(|_| Fault::new(format!("nothing can have the length {length}")))
}

/// How often a field comes in a part of a message that was walked already.
fn occurrences(passed: &[u8], number: u32) -> u64 {
    let mut cursor = Cursor::new(passed);
    let mut count = 0;
    while let Ok(tag) = tag(&mut cursor) {
        count += u64::from(tag.number == number);
        if skip(&mut cursor, tag, 0).is_err() {
            break;
        }
    }
    count
}

/// The fields of a google.protobuf.Timestamp that was walked already; of several the last one counts.
fn timestamp(passed: &[u8]) -> Result<(), Fault> {
    let mut cursor = Cursor::new(passed);
    let (mut seconds, mut nanos) = (0i64, 0i64);
    while cursor.left() > 0 {
        let tag = tag(&mut cursor)?;
        match (tag.number, tag.wire) {
            (1, VARINT) => seconds = cursor.varint()?.cast_signed(),
            // An int32: its low half counts.
            (2, VARINT) => nanos = i64::from(cursor.varint()? as u32 as i32),
            _ => skip(&mut cursor, tag, 0)?,
        }
    }
    if !TIMESTAMP_SECONDS.contains(&seconds) {
        return Err(Fault::new(format!("a timestamp lies in the years 1 to 9999, found {seconds} seconds since 1970")));
    }
    if !TIMESTAMP_NANOS.contains(&nanos) {
        return Err(Fault::new(format!("the nanoseconds of a timestamp lie between 0 and 999999999, found {nanos}")));
    }
    Ok(())
}

fn wire_name(wire: u8) -> &'static str {
    match wire {
        VARINT => "varint",
        FIXED64 => "64-bit",
        SIZED => "length-delimited",
        GROUP_START => "group",
        GROUP_END => "end of group",
        _ => "32-bit",
    }
}

fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth == NESTING_MAX {
        return Err(Fault::new(format!("the value nests deeper than {NESTING_MAX} levels")));
    }
    Ok(depth + 1)
}

#[cfg(test)]
mod tests;
