//! Does the real binary do what the documentation says? The suites lie in `python/`, the rules of the code in `tests/`.
