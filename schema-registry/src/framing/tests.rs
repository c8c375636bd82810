//! Is the schema of a value found in all forms of framing?

use proptest::prelude::*;

use super::*;

const GUID: [u8; 16] = [0x11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

fn open(value: &[u8], header: Option<&[u8]>, kind: SchemaType) -> Result<(SchemaRef, Vec<i32>, Vec<u8>), FramingError> {
    let framed = split(value, header)?;
    let (indexes, payload) = framed.open(kind)?;
    Ok((framed.schema, indexes.to_vec(), payload.to_vec()))
}

#[test]
fn an_id_stands_in_front() {
    let value = [0, 0, 0, 1, 2, b'{', b'}'];
    let expected = Ok((SchemaRef::Id(258), vec![], b"{}".to_vec()));
    assert_eq!(open(&value, None, SchemaType::Json), expected);
    assert_eq!(open(&value[..5], None, SchemaType::Avro), Ok((SchemaRef::Id(258), vec![], vec![])));
}

#[test]
fn a_guid_stands_in_front() {
    let value = [&[1], &GUID[..], b"xy"].concat();
    let expected = Ok((SchemaRef::Guid(Uuid::from_bytes(GUID)), vec![], b"xy".to_vec()));
    assert_eq!(open(&value, None, SchemaType::Avro), expected);
}

#[test]
fn the_header_wins_and_leaves_the_value_alone() {
    let header = [&[1], &GUID[..], &[4, 2, 0]].concat();
    let expected = Ok((SchemaRef::Guid(Uuid::from_bytes(GUID)), vec![1, 0], b"\0\0\0\0\x07".to_vec()));
    assert_eq!(open(b"\0\0\0\0\x07", Some(&header), SchemaType::Protobuf), expected);
    let expected = Ok((SchemaRef::Id(9), vec![], b"{}".to_vec()));
    assert_eq!(open(b"{}", Some(&[0, 0, 0, 0, 9]), SchemaType::Json), expected);
    assert_eq!(open(b"{}", Some(&[0, 0, 0, 0, 9, 9]), SchemaType::Json), Err(FramingError::HeaderTail));
    assert_eq!(open(b"{}", Some(b"nonsense"), SchemaType::Json), Err(FramingError::Header));
}

#[test]
fn protobuf_names_a_message() {
    let of = |indexes: &[u8]| open(&[&[0, 0, 0, 0, 1], indexes].concat(), None, SchemaType::Protobuf);
    assert_eq!(of(&[0, 7, 7]), Ok((SchemaRef::Id(1), vec![0], vec![7, 7])));
    assert_eq!(of(&[2, 0, 7]), Ok((SchemaRef::Id(1), vec![0], vec![7])));
    assert_eq!(of(&[4, 2, 6, 7]), Ok((SchemaRef::Id(1), vec![1, 3], vec![7])));
    assert_eq!(of(&[2, 0x80, 2, 7]), Ok((SchemaRef::Id(1), vec![128], vec![7])));
    for broken in [&[][..], &[1], &[2], &[2, 1], &[34], &[0xff; 12], &[2, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
        assert_eq!(of(broken), Err(FramingError::Indexes), "{broken:?}");
    }
}

#[test]
fn what_is_not_framed_says_why() {
    let sentence = |value: &[u8]| split(value, None).expect_err("not framed").to_string();
    assert_eq!(
        sentence(b"{}"),
        "no schema id stands in front, the first byte is 0x7b; write with a serializer of the schema registry"
    );
    assert_eq!(
        sentence(&[0, 0, 0]),
        "no schema id stands in front, there are only 3 bytes; write with a serializer of the schema registry"
    );
    assert_eq!(split(&[], None), Err(FramingError::Short { bytes: 0 }));
    assert_eq!(split(&[1; 16], None), Err(FramingError::Short { bytes: 16 }));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        value in prop::collection::vec(any::<u8>(), 0..40),
        header in prop::option::of(prop::collection::vec(0u8..3, 0..40)),
    ) {
        for kind in [SchemaType::Avro, SchemaType::Protobuf, SchemaType::Json] {
            let _ = open(&value, header.as_deref(), kind);
        }
    }
}
