//! How does a start know what is in the log without reading all of it?
//!
//! A checkpoint says what recovery had found up to a position; `docs/formats/checkpoint.md` draws it. It is a shortcut:
//! where one is damaged or does not fit the log, an older one is used, and at last the log alone.

mod contents;
mod files;
mod groups;
mod load;
mod owner;
mod pages;
mod parts;
mod write;

pub(crate) use contents::Base;
pub(crate) use files::{Name, UNFINISHED, index_of};
pub(crate) use load::{Loaded, compare, load};
pub use owner::Owner;
pub(crate) use owner::Seeing;
pub(crate) use write::Marks;
