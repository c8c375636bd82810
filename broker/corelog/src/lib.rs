//! How does one core keep the batches of many partitions durable?
