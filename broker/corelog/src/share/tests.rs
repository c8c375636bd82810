//! Are slots never exceeded, handed on in order, and never lost?

use futures_util::FutureExt;

use super::*;

#[test]
fn those_who_wait_get_their_turn_in_order() {
    let share = Share::new(2);
    let first = share.slot().now_or_never().expect("free");
    let second = share.slot().now_or_never().expect("free");
    let (mut third, mut fourth) = (Box::pin(share.slot()), Box::pin(share.slot()));
    assert!(third.as_mut().now_or_never().is_none() && fourth.as_mut().now_or_never().is_none());
    drop(first);
    assert!(fourth.as_mut().now_or_never().is_none(), "nobody overtakes");
    let third = third.now_or_never().expect("its turn");
    drop((second, third));
    assert!(fourth.now_or_never().is_some());
    assert!(share.is_free() && share.free.get() == 2);
}

#[test]
fn those_who_give_up_lose_no_slot() {
    let share = Share::new(1);
    let first = share.slot().now_or_never().expect("free");
    let (mut waiting, mut chosen) = (Box::pin(share.slot()), Box::pin(share.slot()));
    assert!(waiting.as_mut().now_or_never().is_none() && chosen.as_mut().now_or_never().is_none());
    drop(waiting);
    drop(first);
    drop(chosen);
    assert!(share.is_free() && share.free.get() == 1);
}
