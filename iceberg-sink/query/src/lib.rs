//! How are tables asked in SQL?
