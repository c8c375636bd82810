//! Are built batches what a broker accepts?

use super::*;
use crate::batch::check;

/// One record, "k" → "v", at 1000: byte by byte.
#[test]
fn the_bytes_are_those_of_the_protocol() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1000, Some(b"k"), Some(b"v"), &[]);
    assert_eq!((builder.count(), builder.plain_bytes()), (1, 9));
    let batch = builder.build();
    let mut expected = Vec::new();
    expected.extend(0i64.to_be_bytes());
    expected.extend(58i32.to_be_bytes());
    expected.extend((-1i32).to_be_bytes());
    expected.push(2);
    expected.extend(&batch[17..21]);
    expected.extend([0, 0, 0, 0, 0, 0]);
    expected.extend(1000i64.to_be_bytes());
    expected.extend(1000i64.to_be_bytes());
    expected.extend([0xff; 14]);
    expected.extend(1i32.to_be_bytes());
    expected.extend([16, 0, 0, 0, 2, b'k', 2, b'v', 0]);
    assert_eq!(batch, expected);
    assert!(check(&batch).is_ok());
}

#[test]
#[should_panic(expected = "at least one record")]
fn an_empty_batch_is_not_built() {
    BatchBuilder::new(Compression::None).build();
}
