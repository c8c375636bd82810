//! Does the log as a whole keep its promises, on a disk that is full, slow, torn or damaged?

pub(crate) use runtime::fake;

pub(crate) mod tools;
mod basic;
mod groups;
mod group_crash;
mod crash;
mod damage;
mod reclaim;
mod room;
mod scale;
mod drivers;
