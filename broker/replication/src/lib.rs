//! How do batches become entries of a Raft group, and when are they committed?
