//! Does the log as a whole keep its promises, on a disk that is full, slow, torn or damaged?

pub(crate) use runtime::fake;

pub(crate) mod tools;
pub(crate) mod planted;
mod basic;
mod checkpoint;
mod sim;
mod groups;
mod group_crash;
mod damage;
mod reclaim;
mod room;
mod scale;
mod drivers;
