//! How is a batch made?

use bytes::Bytes;

use crate::batch::{HEADER_BYTES, seal};
use crate::compress::{Compression, pack};
use crate::read::put_varlong;

/// Collects records and packs them into one batch of magic 2, base offset 0.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    codec: Compression,
    /// Records, not yet compressed.
    plain: Vec<u8>,
    /// One record without its length; kept to be filled again.
    scratch: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer: (i64, i16, i32),
}

impl BatchBuilder {
    pub fn new(codec: Compression) -> BatchBuilder {
        BatchBuilder {
            codec,
            plain: Vec::new(),
            scratch: Vec::new(),
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer: (-1, -1, -1),
        }
    }

    /// Makes the batch one of an idempotent producer (KIP-98).
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.producer = (id, epoch, base_sequence);
        self
    }

    /// Adds a record. Panics when the batch would pass 2 GiB: callers look at `plain_bytes`.
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        if self.count == 0 {
            (self.base_timestamp, self.max_timestamp) = (timestamp_ms, timestamp_ms);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        let record = &mut self.scratch;
        record.clear();
        record.push(0);
        put_varlong(record, timestamp_ms.wrapping_sub(self.base_timestamp));
        put_varlong(record, i64::from(self.count));
        put_bytes(record, key);
        put_bytes(record, value);
        put_varlong(record, length(headers.len()));
        for (name, value) in headers {
            put_bytes(record, Some(name.as_bytes()));
            put_bytes(record, *value);
        }
        put_varlong(&mut self.plain, length(record.len()));
        self.plain.extend_from_slice(record);
        length(self.plain.len());
        self.count += 1;
    }

    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of all records before compression.
    pub fn plain_bytes(&self) -> usize {
        self.plain.len()
    }

    /// The batch. Panics without a record: there are no empty batches.
    pub fn build(self) -> Bytes {
        assert!(self.count > 0, "a batch has at least one record");
        let mut batch = Vec::with_capacity(HEADER_BYTES + self.plain.len());
        batch.resize(HEADER_BYTES, 0);
        pack(self.codec, &self.plain, &mut batch);
        let batch_length = i32::try_from(batch.len() - 12).expect("a batch stays below 2 GiB");
        let (producer_id, producer_epoch, base_sequence) = self.producer;
        let mut at = 8;
        let mut put = |bytes: &[u8]| {
            batch[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&batch_length.to_be_bytes());
        put(&(-1i32).to_be_bytes()); // leader epoch: the broker's
        put(&[2]);
        put(&[0; 4]); // CRC: when all else is there
        put(&(self.codec as i16).to_be_bytes());
        put(&(self.count - 1).to_be_bytes());
        put(&self.base_timestamp.to_be_bytes());
        put(&self.max_timestamp.to_be_bytes());
        put(&producer_id.to_be_bytes());
        put(&producer_epoch.to_be_bytes());
        put(&base_sequence.to_be_bytes());
        put(&self.count.to_be_bytes());
        assert_eq!(at, HEADER_BYTES);
        seal(&mut batch);
        batch.into()
    }
}

fn put_bytes(to: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varlong(to, -1),
        Some(bytes) => {
            put_varlong(to, length(bytes.len()));
            to.extend_from_slice(bytes);
        }
    }
}

fn length(bytes: usize) -> i64 {
    i64::from(i32::try_from(bytes).expect("a batch stays below 2 GiB"))
}

#[cfg(test)]
mod tests;
