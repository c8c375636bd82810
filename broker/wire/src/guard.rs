//! Can this request body be decoded without asking for more memory than its bytes are worth?
//!
//! `kafka-protocol` reserves room for as many elements as an array claims to have: five bytes can ask for 4 GB, and a
//! process that is refused memory aborts. So this walk over the body comes first. It refuses counts that the bytes
//! left cannot hold, and adds up what the decoded message will take: elements of two bytes can become structs of
//! seventy.

use std::borrow::Cow;

use model::limits::{DECODED_BYTES_FREE, DECODED_RATIO_MAX, STRING_BYTES_MAX};

use crate::layout::{Field, Kind, Layout};
use crate::read::Reader;

/// A map of one unknown tag takes a whole node of a B-tree; its nodes are at least half full.
const TAG_MAP_BYTES: usize = 512;
const TAG_BYTES: usize = 80;

/// What is wrong with a body.
pub(crate) type Why = Cow<'static, str>;

/// Steps over a whole body; answers about how many bytes the decoded message will take besides the body's own.
pub(crate) fn walk(layout: &Layout, version: i16, body: &[u8]) -> Result<usize, Why> {
    let budget = body.len().saturating_mul(DECODED_RATIO_MAX).saturating_add(DECODED_BYTES_FREE);
    let flexible = layout.is_flexible(version);
    let mut walk = Walk { reader: Reader::new(body), version, flexible, decoded_bytes: 0, budget };
    walk.fields(layout.fields)?;
    // Bytes behind the last field are passed over, as by Kafka: librdkafka 2.16 sends some with Metadata 9 and later.
    Ok(walk.decoded_bytes)
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
    decoded_bytes: usize,
    budget: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &'static [Field]) -> Result<(), Why> {
        let version = self.version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            self.value(&field.kind, field.name)?;
        }
        if self.flexible { self.tags(fields) } else { Ok(()) }
    }

    fn value(&mut self, kind: &'static Kind, name: &'static str) -> Result<(), Why> {
        match kind {
            Kind::Fixed(bytes) => self.skip(*bytes, name),
            Kind::String | Kind::Bytes => {
                let length = self.length(kind, name)?.unwrap_or(0);
                if matches!(kind, Kind::String) && length > STRING_BYTES_MAX {
                    return Err(format!("'{name}' has {length} bytes; a string has at most {STRING_BYTES_MAX}").into());
                }
                self.skip(length, name)
            }
            Kind::Array(element) => self.array(element, name),
            Kind::Struct(fields) => self.fields(fields),
        }
    }

    fn skip(&mut self, bytes: usize, name: &'static str) -> Result<(), Why> {
        let left = self.reader.left();
        let taken = self.reader.take(bytes);
        taken.map(drop).ok_or_else(|| format!("'{name}' wants {bytes} bytes, but {left} are left").into())
    }

    /// The length or count in front of a value; `None` is null.
    fn length(&mut self, kind: &Kind, name: &'static str) -> Result<Option<usize>, Why> {
        let length = match (self.flexible, kind) {
            // Compact: one more than the length, 0 is null.
            (true, _) => self.reader.uvarint().map(|length| i64::from(length) - 1),
            (false, Kind::String) => self.reader.i16().map(i64::from),
            (false, _) => self.reader.i32().map(i64::from),
        };
        match length {
            None => Err(format!("the length of '{name}' is cut off or no number").into()),
            Some(-1) => Ok(None),
            Some(length) => match usize::try_from(length) {
                Ok(length) => Ok(Some(length)),
                Err(_) => Err(format!("the length of '{name}' is {length}").into()),
            },
        }
    }

    fn array(&mut self, element: &'static Kind, name: &'static str) -> Result<(), Why> {
        let count = self.length(&Kind::Array(element), name)?.unwrap_or(0);
        let left = self.reader.left();
        let bytes_min = element.bytes_min(self.version, self.flexible).max(1);
        let fits = count.checked_mul(bytes_min).is_some_and(|bytes| bytes <= left);
        if !fits {
            return Err(format!("'{name}' claims {count} elements, but {left} bytes are left").into());
        }
        self.charge(count.saturating_mul(element.decoded_bytes()))?;
        if let Kind::Fixed(bytes) = element {
            return self.skip(count * bytes, name);
        }
        (0..count).try_for_each(|_| self.value(element, name))
    }

    /// Tagged fields: those of the table are walked as well, the decoder reads them without looking at their size.
    fn tags(&mut self, fields: &'static [Field]) -> Result<(), Why> {
        let cut = || Why::from("its tagged fields are cut off");
        let count = self.reader.uvarint().ok_or_else(cut)?;
        let mut unknown = 0usize;
        for _ in 0..count {
            let tag = self.reader.uvarint().ok_or_else(cut)?;
            let size = self.reader.uvarint().and_then(|size| usize::try_from(size).ok()).ok_or_else(cut)?;
            let before = self.reader.left();
            match fields.iter().find(|field| field.tag == Some(tag) && field.is_in(self.version)) {
                Some(field) => {
                    self.value(&field.kind, field.name)?;
                    let taken = before - self.reader.left();
                    if taken != size {
                        return Err(format!("'{}' takes {taken} bytes, but announces {size}", field.name).into());
                    }
                }
                None => {
                    self.reader.take(size).ok_or_else(cut)?;
                    self.charge(TAG_BYTES + if unknown == 0 { TAG_MAP_BYTES } else { 0 })?;
                    unknown += 1;
                }
            }
        }
        Ok(())
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Why> {
        self.decoded_bytes = self.decoded_bytes.saturating_add(bytes);
        match self.decoded_bytes <= self.budget {
            true => Ok(()),
            false => {
                Err(format!("it would take more than {} bytes of memory; send smaller requests", self.budget).into())
            }
        }
    }
}

#[cfg(test)]
mod tests;
