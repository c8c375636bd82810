//! How does everything reach object storage?
