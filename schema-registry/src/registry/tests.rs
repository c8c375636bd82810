//! Placeholder until the code compiles.
