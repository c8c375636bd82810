//! Does the reader wait for room, and does the writer get answers in order?

use bytes::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::admission::Admissions;

fn permit() -> Permit {
    Admissions::new(1 << 20).admit(0, 1).now_or_never().unwrap()
}

fn ready(text: &'static str) -> Owed {
    Owed { answer: Answer::Ready(vec![Bytes::from(text)]), permit: permit() }
}

/// An answer that is there once the sender has sent.
fn later() -> (flume::Sender<&'static str>, Owed) {
    let (sender, receiver) = flume::bounded(1);
    let answer = Box::pin(async move { Ok(vec![Bytes::from(receiver.recv_async().await.unwrap())]) });
    (sender, Owed { answer: Answer::Later(answer), permit: permit() })
}

fn text(due: Option<Due>) -> Bytes {
    due.unwrap().0.unwrap().concat().into()
}

#[test]
fn answers_leave_in_the_order_of_the_requests() {
    let (asker, answerer) = answers();
    let (first, slow) = later();
    asker.push(slow).now_or_never().unwrap().unwrap();
    asker.push(ready("second")).now_or_never().unwrap().unwrap();
    assert!(answerer.next_if_ready().now_or_never().unwrap().is_none(), "the first one is not there yet");
    first.send("first").unwrap();
    assert_eq!(text(answerer.next().now_or_never().unwrap()), "first");
    assert_eq!(text(answerer.next_if_ready().now_or_never().unwrap()), "second");
}

#[test]
fn the_reader_waits_for_room_and_goes_on_when_an_answer_has_left() {
    let (asker, answerer) = answers();
    for _ in 0..REQUESTS_IN_FLIGHT_MAX {
        asker.push(ready("one")).now_or_never().unwrap().unwrap();
    }
    let mut more = Box::pin(asker.push(ready("more")));
    assert!(more.as_mut().now_or_never().is_none());
    assert_eq!(text(answerer.next().now_or_never().unwrap()), "one");
    assert_eq!(more.now_or_never(), Some(Ok(())));
}

#[test]
fn what_is_owed_is_answered_after_the_reader_has_ended() {
    let (asker, answerer) = answers();
    asker.push(ready("last")).now_or_never().unwrap().unwrap();
    drop(asker);
    assert_eq!(text(answerer.next().now_or_never().unwrap()), "last");
    assert!(answerer.next().now_or_never().unwrap().is_none());
}

#[test]
fn a_reader_without_a_writer_is_told() {
    let (asker, answerer) = answers();
    drop(answerer);
    assert_eq!(asker.push(ready("lost")).now_or_never(), Some(Err(())));
}
