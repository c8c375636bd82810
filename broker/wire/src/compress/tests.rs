//! Does each codec give back what it was given, and never more than the bound?

use proptest::prelude::*;

use super::*;
use crate::test_memory::peak_bytes;

fn packed(codec: Compression, plain: &[u8]) -> Bytes {
    let mut out = Vec::new();
    pack(codec, plain, &mut out);
    out.into()
}

#[test]
fn a_bomb_is_an_error_that_names_the_limit_and_costs_no_more_than_it() {
    let plain = vec![0; 64 << 20];
    for codec in Compression::ALL {
        let bomb = packed(codec, &plain);
        let (unpacked, peak) = peak_bytes(|| unpack(codec, &bomb, 1 << 20));
        assert_eq!(unpacked, Err(BatchError::TooLarge { limit: 1 << 20 }), "{codec}");
        assert!(peak < 6 << 20, "{codec}: {peak} bytes");
    }
    assert!(BatchError::TooLarge { limit: 1 << 20 }.to_string().contains("1048576"));
}

#[test]
fn exactly_the_limit_is_allowed() {
    for codec in Compression::ALL {
        let bytes = packed(codec, &[7; 5000]);
        assert_eq!(unpack(codec, &bytes, 5000).expect("at the limit"), vec![7; 5000], "{codec}");
        assert_eq!(unpack(codec, &bytes, 4999), Err(BatchError::TooLarge { limit: 4999 }), "{codec}");
    }
}

#[test]
fn raw_snappy_is_read_and_its_claim_is_not_believed() {
    let raw = Bytes::from(snap::raw::Encoder::new().compress_vec(b"raw, as some clients send it").unwrap());
    assert_eq!(unpack(Compression::Snappy, &raw, 1 << 20).unwrap(), &b"raw, as some clients send it"[..]);
    // A varint that claims 2^28 bytes and then nothing.
    let claim = Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x01]);
    let (refused, peak) = peak_bytes(|| unpack(Compression::Snappy, &claim, usize::MAX));
    assert!(matches!(refused, Err(BatchError::Packed { .. })));
    assert!(peak < 1 << 10, "{peak}");
}

#[test]
fn snappy_expands_no_more_than_the_bound_that_is_believed() {
    let plain = vec![0; 1 << 20];
    let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    assert_eq!(unpack(Compression::Snappy, &raw.into(), 1 << 20).unwrap(), plain);
}

#[test]
fn truncated_data_is_refused() {
    let plain: Vec<u8> = (0..2000u32).flat_map(|n| (n * n).to_be_bytes()).collect();
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let whole = packed(codec, &plain);
        for length in 0..whole.len() {
            let unpacked = unpack(codec, &whole.slice(..length), 1 << 20);
            let refused = unpacked.is_err();
            // Snappy's framing does not tell that no block follows, and LZ4 has an end mark behind all data.
            let harmless = unpacked.is_ok_and(|bytes| bytes.is_empty() || bytes == plain);
            assert!(refused || harmless, "{codec} cut at {length}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), number in 1..5i16) {
        let codec = Compression::of(number).unwrap();
        let bytes = Bytes::from(bytes);
        let (_, peak) = peak_bytes(|| unpack(codec, &bytes, 1 << 16));
        prop_assert!(peak < 10 << 20, "{} bytes", peak);
    }
}
