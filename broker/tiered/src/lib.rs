//! How do batches of the log get into the bucket, and how are they read back from there?
