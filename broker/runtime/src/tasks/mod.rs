//! Which tasks live on this shard, and how do they end?
//!
//! Both drivers spawn through the [`Registry`]: it can cancel every task, so that no destructor is skipped at
//! shutdown, and it sees panics, so that no shard lives on without one of its tasks.

mod registry;
mod task;

pub(crate) use registry::{Gate, Registry};
pub use task::Task;
pub(crate) use task::yield_once;

#[cfg(test)]
mod tests;
