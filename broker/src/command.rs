//! What can be asked of a running node from the command line?

pub mod reach;
pub mod typed;
pub mod topic;
pub mod produce;
pub mod consume;
pub mod group;
pub mod schema;
pub mod lake;
pub mod archive;
pub mod sql;
pub mod health;
