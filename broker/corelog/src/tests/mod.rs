//! Does the log as a whole keep its promises, on a disk that is full, slow, torn or damaged?

mod basic;
pub(crate) mod fake;
pub(crate) mod tools;
