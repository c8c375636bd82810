//! How do committed records become Iceberg tables, exactly once?
