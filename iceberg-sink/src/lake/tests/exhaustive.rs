//! Does a table stay whole whichever of its first two hundred requests fails, in whichever way?

use std::sync::Arc;

use faults::{Fault, Faults};
use object_store::memory::InMemory;
use objects::Objects;

use super::SCHEMA_ID;
use super::faults::produce;
use super::fixture::{Stand, register};
use crate::testing::Memory;

/// The requests that are struck, one after the other.
const REQUESTS: u64 = 200;
/// Of the cases, one in so many is run, so that each request and each fault has its turn; all of them with
/// `FRAZIL_TEST_EXHAUSTIVE=1`, which takes some minutes.
const SAMPLE: u64 = 5;
/// Rounds within which every fault has struck, is over, and all is committed.
const ROUNDS_MAX: usize = 60;

/// Where a sound run was before one of its rounds: each case begins at the last such place before its request.
struct Place {
    requests: u64,
    step: u8,
    rows: i64,
    dead: i64,
    source: Memory,
    store: InMemory,
}

impl Place {
    fn first() -> Place {
        let source = Memory::default();
        source.topic("t", 2, SCHEMA_ID);
        register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
        Place { requests: 0, step: 0, rows: 0, dead: 0, source, store: InMemory::new() }
    }

    fn fork(&self) -> Place {
        Place { source: self.source.fork(), store: self.store.fork(), ..*self }
    }

    fn produce(&mut self, source: &Memory) {
        let (rows, dead) = produce(source, self.step % 60);
        self.step += 1;
        self.rows += rows;
        self.dead += dead;
    }
}

/// A sound run, with a place before each of its rounds.
async fn places() -> Vec<Place> {
    let mut now = Place::first();
    let mut places = Vec::new();
    while now.requests < REQUESTS {
        let next = now.fork();
        places.push(now);
        now = next;
        let store = Arc::new(now.store.fork());
        let faults = Faults::over(store.clone(), Fault::Outage, u64::MAX);
        let source = Arc::new(now.source.fork());
        now.produce(&source);
        let stand = Stand::new(&source, &Objects::over(Arc::new(faults.clone()), "memory:///"), 1);
        stand.round("t").await.expect("nothing fails");
        now.requests += faults.requests();
        (now.source, now.store) = (source.fork(), store.fork());
    }
    places
}

/// Goes on from a place, with one request struck, until the store is sound again and all is committed.
async fn survives(mut place: Place, request: u64, fault: Fault) {
    let source = Arc::new(place.source.fork());
    let store = Arc::new(place.store.fork());
    let faults = Faults::over(store.clone(), fault, request - place.requests);
    let stand = Stand::new(&source, &Objects::over(Arc::new(faults.clone()), "memory:///"), 1);
    let mut rounds = 0;
    while !faults.is_over() {
        place.produce(&source);
        let _ = stand.round("t").await; // Whatever it says: the next one starts from the heads.
        rounds += 1;
        assert!(rounds < ROUNDS_MAX, "{fault:?} at request {request} is not over");
    }
    stand.round("t").await.unwrap_or_else(|error| panic!("{fault:?} at request {request}: {error}"));
    let after = Stand::new(&source, &Objects::over(store, "memory:///"), 1);
    assert!(!after.round("t").await.expect("looks").committed, "{fault:?} at request {request}");
    after.assert_whole("t", place.rows, place.dead).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_fault_of_any_request_leaves_the_table_whole() {
    let sample = if std::env::var_os("FRAZIL_TEST_EXHAUSTIVE").is_some() { 1 } else { SAMPLE };
    let places = Arc::new(places().await);
    let workers = (0..2u64).map(|worker| {
        let places = places.clone();
        tokio::spawn(async move {
            for request in (worker..REQUESTS).step_by(2) {
                let place = places.iter().rev().find(|place| place.requests <= request).expect("the first is at 0");
                for (number, fault) in (0..).zip(Fault::ALL) {
                    if (request * 14 + number) % sample == 0 {
                        survives(place.fork(), request, fault).await;
                    }
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("no case fails");
    }
}
