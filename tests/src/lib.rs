//! Does the real binary do what the documentation says?
