//! Does each fault strike once, at the request that it is for?

use super::*;

const REQUESTS: [Request; 5] = [Request::Put, Request::Get, Request::Head, Request::List, Request::Delete];

/// The numbers of the requests, of ten rounds of all kinds, that do not pass.
fn struck(fault: Fault, from: u64) -> Vec<u64> {
    let mut plan = Plan::new(fault, from);
    let path = Path::from("a");
    (0..50).filter(|n| !matches!(plan.request(REQUESTS[*n as usize % 5], &path), Verdict::Pass)).collect()
}

#[test]
fn each_fault_strikes_what_it_is_for() {
    assert_eq!(struck(Fault::Unavailable, 7), [7]);
    assert_eq!(struck(Fault::LostAnswer, 6), [9]);
    assert_eq!(struck(Fault::PartialBody, 6), [10]);
    assert_eq!(struck(Fault::TruncatedGet, 6), [6]);
    assert_eq!(struck(Fault::StaleList, 6), [8, 13, 18]);
    assert_eq!(struck(Fault::WrongEtag, 8), [10]);
    assert_eq!(struck(Fault::ReadOnly, 5), [5, 9, 10]);
    assert_eq!(struck(Fault::AbsentAfterPut, 5), [6, 7]);
    assert_eq!(struck(Fault::Outage, 5).len(), 25);
}

#[test]
fn a_fault_is_over_when_the_store_is_sound_again() {
    for fault in Fault::ALL {
        let mut plan = Plan::new(fault, 0);
        assert!(!plan.is_over());
        for n in 0..50 {
            plan.request(REQUESTS[n % 5], &Path::from("a"));
        }
        assert!(plan.is_over(), "{fault:?}");
    }
}
