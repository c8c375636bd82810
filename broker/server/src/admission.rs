//! May another request of this size come in?

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use kafka_protocol::messages::ApiKey;
use model::limits::SMALL_REQUEST_BYTES_MAX;

use crate::message::{Reply, reply};

/// Bounds the bytes of requests that a shard has read but not answered. Large requests have a room of their own:
/// clients that announce much and send nothing hold up each other, not those who ask for little. So have produce
/// requests, which wait for the disk: when it is behind, all others go on.
pub struct Admissions {
    produce: Rooms,
    other: Rooms,
}

struct Rooms {
    small: Rc<Admission>,
    large: Rc<Admission>,
}

impl Admissions {
    pub fn new(bytes_max: usize) -> Admissions {
        let rooms = || Rooms { small: Admission::new(bytes_max / 4), large: Admission::new(bytes_max / 4) };
        Admissions { produce: rooms(), other: rooms() }
    }

    /// Waits until a request of this API and size may be read.
    pub async fn admit(&self, api_key: i16, bytes: usize) -> Permit {
        let rooms = if api_key == ApiKey::Produce as i16 { &self.produce } else { &self.other };
        let room = if bytes <= SMALL_REQUEST_BYTES_MAX { &rooms.small } else { &rooms.large };
        room.admit(bytes).await
    }
}

/// One room. First come, first served.
struct Admission {
    bytes_max: usize,
    taken: Cell<usize>,
    waiting: RefCell<VecDeque<(usize, Reply<Permit>)>>,
}

/// Room for one request; given back when it is dropped.
pub struct Permit {
    admission: Rc<Admission>,
    bytes: usize,
}

impl Admission {
    fn new(bytes_max: usize) -> Rc<Admission> {
        Rc::new(Admission { bytes_max, taken: Cell::new(0), waiting: RefCell::default() })
    }

    /// Waits for room. A request that is larger than everything is let in alone.
    async fn admit(self: &Rc<Self>, bytes: usize) -> Permit {
        let bytes = bytes.min(self.bytes_max);
        if self.waiting.borrow().is_empty() && self.fits(bytes) {
            return self.take(bytes);
        }
        let (grant, granted) = reply();
        self.waiting.borrow_mut().push_back((bytes, grant));
        granted.recv_async().await.expect("the admission outlives those that wait for it")
    }

    fn fits(&self, bytes: usize) -> bool {
        self.taken.get() + bytes <= self.bytes_max
    }

    fn take(self: &Rc<Self>, bytes: usize) -> Permit {
        self.taken.set(self.taken.get() + bytes);
        Permit { admission: self.clone(), bytes }
    }

    fn grant(self: &Rc<Self>) {
        loop {
            let next = match self.waiting.borrow_mut() {
                mut waiting if waiting.front().is_some_and(|(bytes, _)| self.fits(*bytes)) => waiting.pop_front(),
                _ => None,
            };
            let Some((bytes, grant)) = next else { return };
            // Taken before it is sent: a permit that nobody fetches gives its room back by itself.
            if !grant.is_disconnected() {
                let _ = grant.try_send(self.take(bytes));
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.taken.set(self.admission.taken.get() - self.bytes);
        self.admission.clone().grant();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const FETCH: i16 = ApiKey::Fetch as i16;

    #[test]
    fn requests_wait_their_turn_and_get_in_when_others_leave() {
        let admission = Admission::new(100);
        let first = admission.admit(60).now_or_never().expect("there is room");
        let mut large = Box::pin(admission.admit(70));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = Box::pin(admission.admit(10));
        assert!(small.as_mut().now_or_never().is_none(), "nobody overtakes");
        drop(first);
        let _large = large.now_or_never().expect("there is room again");
        let _small = small.now_or_never().expect("it fits beside the large one");
        assert_eq!(admission.taken.get(), 80);
    }

    #[test]
    fn large_requests_never_hold_up_small_ones() {
        let admissions = Admissions::new(20 * SMALL_REQUEST_BYTES_MAX);
        let _large = admissions.admit(FETCH, 5 * SMALL_REQUEST_BYTES_MAX).now_or_never().expect("there is room");
        assert!(admissions.admit(FETCH, 2 * SMALL_REQUEST_BYTES_MAX).now_or_never().is_none());
        assert!(admissions.admit(FETCH, SMALL_REQUEST_BYTES_MAX).now_or_never().is_some());
    }

    #[test]
    fn produce_requests_that_wait_for_the_disk_hold_up_no_others() {
        let admissions = Admissions::new(8 * SMALL_REQUEST_BYTES_MAX);
        let produce = || admissions.admit(ApiKey::Produce as i16, SMALL_REQUEST_BYTES_MAX).now_or_never();
        let _waiting = (produce().expect("there is room"), produce().expect("there is room"));
        assert!(produce().is_none());
        assert!(admissions.admit(FETCH, SMALL_REQUEST_BYTES_MAX).now_or_never().is_some());
    }

    #[test]
    fn those_that_give_up_leave_no_trace() {
        let admission = Admission::new(100);
        let first = admission.admit(100).now_or_never().unwrap();
        let mut waiting = Box::pin(admission.admit(50));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        drop(first);
        assert_eq!(admission.taken.get(), 0);
        assert!(admission.admit(1_000_000).now_or_never().is_some(), "the largest is let in alone");
    }
}
