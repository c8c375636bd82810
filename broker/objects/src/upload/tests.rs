//! Do parts make a whole, and never too many?

use object_store::memory::InMemory;

use super::*;

#[tokio::test]
async fn parts_make_a_whole() {
    let store = InMemory::new();
    for bytes in [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 7] {
        let object: Bytes = (0..bytes).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into();
        in_parts(&store, &Path::from("a"), &object).await.expect("puts");
        assert_eq!(store.get(&Path::from("a")).await.expect("is there").bytes().await.expect("reads"), object);
    }
}

#[test]
fn there_are_never_too_many_parts() {
    for bytes in [1, PART_BYTES * PARTS_MAX, PART_BYTES * PARTS_MAX + 1, PART_BYTES * PARTS_MAX * 3] {
        assert!(bytes.div_ceil(part_bytes(bytes)) <= PARTS_MAX);
        assert!(part_bytes(bytes) >= PART_BYTES);
    }
}
