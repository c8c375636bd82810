//! Are these bytes one value of an Avro schema?
//!
//! The schema is compiled once into an arena of nodes that refer to each other by index, so recursion costs nothing.
//! The walk follows the binary encoding (Avro 1.12, "Binary Encoding") and builds no values. Beyond the encoding it
//! refuses what a column of a table could not take: decimals beyond their precision, times beyond a day, instants
//! whose microseconds do not fit 64 bits.

mod compile;
mod decimal;

use model::limits::{NESTING_MAX, WIDTHLESS_ITEMS_MAX};

use super::cursor::Cursor;
use super::fault::Fault;
use decimal::Precision;

pub use compile::compile;

/// A compiled schema.
#[derive(Debug)]
pub struct Program {
    nodes: Vec<Node>,
    root: NodeId,
}

/// A node's place in the arena.
type NodeId = u32;

/// One type of the schema. Fields that take no bytes are left out of records.
#[derive(Debug)]
enum Node {
    /// No bytes at all: null, an empty fixed, a record of nothing else.
    Null,
    Boolean,
    /// `int` and `date`.
    Int,
    /// A number of 64 bits that must lie within `least..=most`; `what` names it.
    Long {
        what: &'static str,
        least: i64,
        most: i64,
    },
    TimeMillis,
    /// `float`, `double`, `fixed`, `duration`: any bytes, this many.
    Fixed(usize),
    Bytes,
    String,
    Uuid,
    DecimalBytes(Precision),
    DecimalFixed(usize, Precision),
    Enum {
        symbols: usize,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<(String, NodeId)>),
}

const MILLIS_OF_DAY: i32 = 86_400_000;
const MICROS_OF_DAY: i64 = 86_400_000_000;

impl Program {
    /// Walks one value from the first byte to the last. A schema that is plain `bytes` takes all bytes as they are:
    /// Confluent's serializers write such values without a length.
    pub fn check(&self, value: &[u8]) -> Result<(), Fault> {
        if matches!(self.node(self.root), Node::Bytes) {
            return Ok(());
        }
        let mut walk = Walk { program: self, cursor: Cursor::new(value), widthless_items_left: WIDTHLESS_ITEMS_MAX };
        walk.node(self.root, 0)?;
        match walk.cursor.left() {
            0 => Ok(()),
            1 => Err(Fault::new("1 byte is left over behind the value")),
            left => Err(Fault::new(format!("{left} bytes are left over behind the value"))),
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }
}

struct Walk<'a> {
    program: &'a Program,
    cursor: Cursor<'a>,
    /// Items without width cost no bytes; over the whole value there may be only so many.
    widthless_items_left: u64,
}

impl<'a> Walk<'a> {
    fn node(&mut self, id: NodeId, depth: usize) -> Result<(), Fault> {
        let program = self.program;
        match program.node(id) {
            Node::Null => Ok(()),
            Node::Boolean => self.boolean(),
            Node::Int => self.int().map(drop),
            Node::Long { what, least, most } => self.long(what, *least, *most),
            Node::TimeMillis => self.time_millis(),
            Node::Fixed(size) => self.cursor.take(*size).map(drop),
            Node::Bytes => self.sized("bytes").map(drop),
            Node::String => self.string().map(drop),
            Node::Uuid => self.uuid(),
            Node::DecimalBytes(precision) => {
                let unscaled = self.sized("a decimal")?;
                precision.check(unscaled)
            }
            Node::DecimalFixed(size, precision) => {
                let unscaled = self.cursor.take(*size)?;
                precision.check(unscaled)
            }
            Node::Enum { symbols } => self.index("enum", "symbol", *symbols).map(drop),
            Node::Union(branches) => {
                let nth = self.index("union", "branch", branches.len())?;
                self.node(branches[nth], depth)
            }
            Node::Record(fields) => self.record(fields, deeper(depth)?),
            Node::Array(items) => self.array(*items, deeper(depth)?),
            Node::Map(values) => self.map(*values, deeper(depth)?),
        }
    }

    fn boolean(&mut self) -> Result<(), Fault> {
        match self.cursor.byte()? {
            0 | 1 => Ok(()),
            other => Err(Fault::new(format!("a boolean is 0 or 1, found the byte {other}"))),
        }
    }

    fn int(&mut self) -> Result<i32, Fault> {
        let value = self.cursor.zigzag()?;
        i32::try_from(value).map_err(|_| Fault::new(format!("{value} does not fit an int of 32 bits")))
    }

    fn long(&mut self, what: &str, least: i64, most: i64) -> Result<(), Fault> {
        let value = self.cursor.zigzag()?;
        if least <= value && value <= most {
            return Ok(());
        }
        Err(Fault::new(format!("{what} lies between {least} and {most}, found {value}")))
    }

    fn time_millis(&mut self) -> Result<(), Fault> {
        let value = self.int()?;
        if (0..MILLIS_OF_DAY).contains(&value) {
            return Ok(());
        }
        Err(Fault::new(format!("a time-millis lies between 0 and {}, found {value}", MILLIS_OF_DAY - 1)))
    }

    /// A length, and as many bytes.
    fn sized(&mut self, what: &str) -> Result<&'a [u8], Fault> {
        let length = self.cursor.zigzag()?;
        let length =
            usize::try_from(length).map_err(|_| Fault::new(format!("{what} cannot have the length {length}")))?;
        self.cursor.take(length)
    }

    fn string(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.sized("a string")?;
        std::str::from_utf8(bytes)
            .map_err(|e| Fault::new(format!("a string is not UTF-8 from its byte {} on", e.valid_up_to())))
    }

    fn uuid(&mut self) -> Result<(), Fault> {
        let text = self.string()?;
        match uuid::Uuid::try_parse(text) {
            Ok(_) => Ok(()),
            Err(e) => Err(Fault::new(format!("a string is no UUID: {e}"))),
        }
    }

    fn index(&mut self, what: &str, part: &str, count: usize) -> Result<usize, Fault> {
        let index = self.cursor.zigzag()?;
        match usize::try_from(index) {
            Ok(nth) if nth < count => Ok(nth),
            _ => {
                Err(Fault::new(format!("the {what} has no {part} {index}, they count from 0 to {}", count as i64 - 1)))
            }
        }
    }

    fn record(&mut self, fields: &[(String, NodeId)], depth: usize) -> Result<(), Fault> {
        for (name, node) in fields {
            self.node(*node, depth).map_err(|fault| fault.in_field(name))?;
        }
        Ok(())
    }

    fn array(&mut self, items: NodeId, depth: usize) -> Result<(), Fault> {
        let widthless = matches!(self.program.node(items), Node::Null);
        let mut index = 0u64;
        while let Some(block) = self.block(if widthless { 0 } else { 1 })? {
            if widthless {
                self.spend_widthless(block.items)?;
            } else {
                for _ in 0..block.items {
                    self.node(items, depth).map_err(|fault| fault.in_item(index))?;
                    index += 1;
                }
            }
            self.end_block(&block)?;
        }
        Ok(())
    }

    fn map(&mut self, values: NodeId, depth: usize) -> Result<(), Fault> {
        while let Some(block) = self.block(1)? {
            for _ in 0..block.items {
                let key = self.string()?;
                self.node(values, depth).map_err(|fault| fault.in_key(key))?;
            }
            self.end_block(&block)?;
        }
        Ok(())
    }

    /// The head of the next block of an array or map whose items take at least `item_bytes_min`; None: it was the last.
    fn block(&mut self, item_bytes_min: usize) -> Result<Option<Block>, Fault> {
        let count = self.cursor.zigzag()?;
        if count == 0 {
            return Ok(None);
        }
        let items = count.unsigned_abs();
        let end = if count < 0 { Some(self.block_end(items)?) } else { None };
        if items > self.cursor.left() as u64 && item_bytes_min > 0 {
            return Err(Fault::new(format!("a block of {items} items cannot lie in {} bytes", self.cursor.left())));
        }
        Ok(Some(Block { items, end }))
    }

    /// A negative count is followed by the size of the block's items in bytes.
    fn block_end(&mut self, items: u64) -> Result<usize, Fault> {
        let size = self.cursor.zigzag()?;
        match usize::try_from(size) {
            Ok(size) if size <= self.cursor.left() => Ok(self.cursor.at() + size),
            _ => Err(Fault::new(format!(
                "a block of {items} items says that it takes {size} bytes, {} are left",
                self.cursor.left()
            ))),
        }
    }

    fn end_block(&self, block: &Block) -> Result<(), Fault> {
        match block.end {
            Some(end) if end != self.cursor.at() => Err(Fault::new(format!(
                "a block of {} items ends at byte {} of the value, its size says {end}",
                block.items,
                self.cursor.at()
            ))),
            _ => Ok(()),
        }
    }

    fn spend_widthless(&mut self, items: u64) -> Result<(), Fault> {
        match self.widthless_items_left.checked_sub(items) {
            Some(left) => {
                self.widthless_items_left = left;
                Ok(())
            }
            None => Err(Fault::new(format!("more than {WIDTHLESS_ITEMS_MAX} items of no width are in the value"))),
        }
    }
}

/// A run of items of an array or map.
struct Block {
    items: u64,
    /// Where its items end, if it says so.
    end: Option<usize>,
}

fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth == NESTING_MAX {
        return Err(Fault::new(format!("the value nests deeper than {NESTING_MAX} levels")));
    }
    Ok(depth + 1)
}

#[cfg(test)]
mod tests;
