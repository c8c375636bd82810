//! What does an object store look like that fails at one chosen request, in one of fourteen ways?
//!
//! For tests: wraps a real store, counts requests, and strikes once, at the first request from a given one on to which
//! the kind of fault applies. Afterwards the store is sound again.

mod plan;
mod store;

pub use plan::Fault;
pub use store::Faults;
