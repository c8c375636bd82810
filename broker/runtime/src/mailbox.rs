//! How do shards, and the world outside them, send each other messages?

use std::fmt;

/// A bounded queue between executors of any kind. `Send` on both ends.
pub fn mailbox<M>(messages_max: usize) -> (MailSender<M>, MailReceiver<M>) {
    let (sender, receiver) = flume::bounded(messages_max);
    (MailSender(sender), MailReceiver(receiver))
}

pub struct MailSender<M>(flume::Sender<M>);

pub struct MailReceiver<M>(flume::Receiver<M>);

/// Why a message could not be delivered; it comes back.
pub enum Undelivered<M> {
    Full(M),
    Closed(M),
}

impl<M> Clone for MailSender<M> {
    fn clone(&self) -> Self {
        MailSender(self.0.clone())
    }
}

impl<M> MailSender<M> {
    /// Waits for room. `Err`: the receiver is gone.
    pub async fn send(&self, message: M) -> Result<(), M> {
        self.0.send_async(message).await.map_err(|error| error.0)
    }

    pub fn try_send(&self, message: M) -> Result<(), Undelivered<M>> {
        self.0.try_send(message).map_err(|error| match error {
            flume::TrySendError::Full(message) => Undelivered::Full(message),
            flume::TrySendError::Disconnected(message) => Undelivered::Closed(message),
        })
    }
}

impl<M> MailReceiver<M> {
    /// `None`: all senders are gone.
    pub async fn recv(&self) -> Option<M> {
        self.0.recv_async().await.ok()
    }

    pub fn try_recv(&self) -> Option<M> {
        self.0.try_recv().ok()
    }
}

impl<M> fmt::Debug for MailSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailSender({} waiting)", self.0.len())
    }
}
