//! Is a buffer aligned, zeroed, and the same after the rings had it?

use super::*;

#[test]
fn buffers_are_zeroed_and_aligned() {
    for buf in [IoBuf::zeroed(IO_ALIGN), IoBuf::zeroed_for_ring(IO_BYTES_MAX)] {
        assert!(buf.as_ptr().addr().is_multiple_of(IO_ALIGN));
        assert!(buf.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn memory_of_the_rings_is_not_copied_and_other_memory_is() {
    let mut ring = IoBuf::zeroed_for_ring(IO_ALIGN);
    ring[7] = 7;
    let address = ring.as_ptr();
    let back = IoBuf::from_ring(ring.into_ring());
    assert_eq!((back.as_ptr(), back[7]), (address, 7));

    let mut own = IoBuf::zeroed(2 * IO_ALIGN);
    own[IO_ALIGN] = 9;
    let back = IoBuf::from_ring(own.into_ring());
    assert_eq!((back.len(), back[IO_ALIGN]), (2 * IO_ALIGN, 9));
}

#[test]
#[should_panic(expected = "no I/O has 5 bytes")]
fn an_odd_length_is_refused() {
    IoBuf::zeroed(5);
}
