//! Which records does a batch hold?
//!
//! A record, lengths as zigzag varints, -1 for null:
//!
//! ```text
//! length | attributes i8 | timestamp delta varlong | offset delta | key length, key | value length, value
//!        | header count | per header: key length, key | value length, value
//! ```

use bytes::Bytes;

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES};
use crate::compress::unpack;
use crate::read::Reader;

/// The unpacked records of one batch; they are lent one by one, without an allocation.
#[derive(Debug, Clone)]
pub struct Records {
    header: BatchHeader,
    body: Bytes,
}

/// Unpacks the records of a batch that [`check`](crate::batch::check) accepted, to at most `unpacked_bytes_max` bytes.
/// Uncompressed ones are not copied. Control batches have records too: ask the header first.
pub fn records(batch: &Bytes, unpacked_bytes_max: usize) -> Result<Records, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let total = header.total_bytes();
    if batch.len() < total {
        return Err(BatchError::Short { have: batch.len(), want: total });
    }
    let body = unpack(header.compression(), &batch.slice(HEADER_BYTES..total), unpacked_bytes_max)?;
    Ok(Records { header, body })
}

impl Records {
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Bytes of all records, unpacked.
    pub fn unpacked_bytes(&self) -> usize {
        self.body.len()
    }

    /// All records in order. The first malformed one, or bytes behind the last one, end the list with an error.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter { header: &self.header, reader: Reader::new(&self.body), index: 0, delta_min: 0 }
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<RecordView<'a>, BatchError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// See [`Records::iter`].
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    header: &'a BatchHeader,
    reader: Reader<'a>,
    index: i32,
    /// Offsets grow: the least that the next record may have.
    delta_min: i64,
}

/// One record, as slices of the unpacked batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// In the partition, once the batch has its place.
    pub offset: i64,
    /// Milliseconds since 1970: the producer's, or that of the append under LogAppendTime.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: Headers<'a>,
}

impl<'a> RecordView<'a> {
    /// All headers in order; a key may come more than once and need not be text.
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.header.record_count {
            // Reported once: the reader is emptied with it.
            return (self.reader.left() > 0).then(|| self.fail("bytes follow the last record"));
        }
        match self.read() {
            Ok(record) => {
                self.index += 1;
                Some(Ok(record))
            }
            Err(why) => Some(self.fail(why)),
        }
    }
}

impl<'a> RecordIter<'a> {
    fn fail(&mut self, why: &'static str) -> Result<RecordView<'a>, BatchError> {
        let index = self.index;
        self.index = self.header.record_count;
        self.reader = Reader::new(&[]);
        Err(BatchError::Record { index, why })
    }

    fn read(&mut self) -> Result<RecordView<'a>, &'static str> {
        const CUT: &str = "it is cut off";
        let length = self.reader.varint().ok_or("there is none, or its length is no number")?;
        let length = usize::try_from(length).map_err(|_| "its length is negative")?;
        let mut body = Reader::new(self.reader.take(length).ok_or("it is longer than the batch")?);
        body.i8().ok_or(CUT)?;
        let timestamp_delta = body.varlong().ok_or(CUT)?;
        let offset_delta = i64::from(body.varint().ok_or(CUT)?);
        if offset_delta < self.delta_min || offset_delta > i64::from(self.header.last_offset_delta) {
            return Err("its offset delta is out of order");
        }
        self.delta_min = offset_delta + 1;
        let key = nullable(&mut body).ok_or("its key is longer than the record")?;
        let value = nullable(&mut body).ok_or("its value is longer than the record")?;
        let count = body.varint().ok_or(CUT)?;
        let count = u32::try_from(count).map_err(|_| "its count of headers is negative")?;
        Ok(RecordView {
            offset: self.header.base_offset.saturating_add(offset_delta),
            timestamp: match self.header.is_log_append_time() {
                true => self.header.max_timestamp,
                false => self.header.base_timestamp.wrapping_add(timestamp_delta),
            },
            key,
            value,
            headers: Headers { reader: body, left: count, index: self.index, done: false },
        })
    }
}

/// Length and bytes, or -1 for null. The outer `None` says that the bytes are not there.
fn nullable<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a [u8]>> {
    match reader.varint()? {
        -1 => Some(None),
        length => Some(Some(reader.take(usize::try_from(length).ok()?)?)),
    }
}

/// A header's key and value.
type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// The headers of a record: key and value. A malformed one ends the list with an error.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    reader: Reader<'a>,
    left: u32,
    index: i32,
    done: bool,
}

impl<'a> Headers<'a> {
    fn fail(&mut self, why: &'static str) -> Option<Result<Header<'a>, BatchError>> {
        self.done = true;
        Some(Err(BatchError::Record { index: self.index, why }))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.left == 0 {
            self.done = true;
            return if self.reader.left() > 0 { self.fail("bytes follow its last header") } else { None };
        }
        let Some(Some(key)) = nullable(&mut self.reader) else {
            return self.fail("a header's key is missing or longer than the record");
        };
        let Some(value) = nullable(&mut self.reader) else {
            return self.fail("a header's value is longer than the record");
        };
        self.left -= 1;
        Some(Ok((key, value)))
    }
}

#[cfg(test)]
mod tests;
