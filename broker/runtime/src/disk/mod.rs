//! What do both drivers do with files in the same way?

mod blocking;
mod fault;
mod pool;
mod range;

pub(crate) use blocking::{append, create_zeroed, list, make_dir, read_exact, remove, rename, replace};
pub(crate) use fault::Fault;
pub(crate) use pool::Pool;
pub(crate) use range::{check_bytes, check_len, check_log, pieces};

#[cfg(test)]
mod tests;
