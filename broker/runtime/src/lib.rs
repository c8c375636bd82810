//! How does a shard reach clock, disk, network and other shards?

mod buffer;
mod driver;
mod mailbox;

pub use buffer::IoBuf;
pub use driver::{DirEntry, Driver, Instant, Listener, LogFile, ReadFile, Stream, StreamRead, StreamWrite, TaskHandle};
pub use mailbox::{MailReceiver, MailSender, Undelivered, mailbox};
