//! Does openraft find in the core log what it relies on?

mod group;
mod suite;
mod tools;
