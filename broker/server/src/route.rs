//! Which shard does what is asked here: this one directly, or another one by mailbox?

use std::future::Future;
use std::rc::Rc;

use model::{Offset, ShardId};
use runtime::Driver;

use crate::errors::Fault;
use crate::message::{
    Append, Appended, Facts, Got, Look, Mark, Refused, Reply, ShardMessage, Trim, Want, by_shard, reply,
};
use crate::partition::Placed;
use crate::shard::Shard;

/// Appends that are on their way on one shard, with their places in the request.
enum Part {
    Here(Vec<usize>, Vec<Result<Placed, Refused>>),
    There(Vec<usize>, flume::Receiver<Vec<Appended>>),
}

impl<D: Driver> Shard<D> {
    /// Hands batches to their owners, in order; when this returns, none that is handed over later can overtake them.
    /// Returns only when those for this shard have their places in the log: the connection is not read meanwhile.
    /// The future yields one answer per batch, once all are durable or refused.
    pub async fn submit(
        self: &Rc<Self>,
        appends: Vec<(ShardId, Append)>,
    ) -> impl Future<Output = Vec<Appended>> + use<D> {
        let count = appends.len();
        let (mut parts, mut here) = (Vec::new(), None);
        for (owner, list) in by_shard(appends) {
            let (places, appends): (Vec<usize>, Vec<Append>) = list.into_iter().unzip();
            if owner == self.id {
                here = Some((places, self.take_up(appends)));
                continue;
            }
            let (reply, answers) = reply();
            // An owner that is gone gives no answers; "stopping" then stays in their places.
            if self.node.send(owner, ShardMessage::Append { appends, reply }).await.is_ok() {
                parts.push(Part::There(places, answers));
            }
        }
        if let Some((places, turn)) = here {
            parts.push(Part::Here(places, turn.taken().await));
        }
        let shard = self.clone();
        async move {
            let mut answers: Vec<Option<Appended>> = vec![None; count];
            for part in parts {
                match part {
                    Part::Here(places, list) => {
                        for (index, answer) in places.into_iter().zip(shard.finish_all(list).await) {
                            answers[index] = Some(answer);
                        }
                    }
                    Part::There(places, receiver) => {
                        let given = receiver.recv_async().await.unwrap_or_default();
                        for (index, answer) in places.into_iter().zip(given) {
                            answers[index] = Some(answer);
                        }
                    }
                }
            }
            // A shard that is gone gave none.
            let stopping = || Err(Fault::stopping().into());
            answers.into_iter().map(|answer| answer.unwrap_or_else(stopping)).collect()
        }
    }

    pub async fn finish_all(&self, placed: Vec<Result<Placed, Refused>>) -> Vec<Appended> {
        let mut answers = Vec::with_capacity(placed.len());
        for placed in placed {
            answers.push(self.finish_one(placed).await);
        }
        answers
    }

    async fn finish_one(&self, placed: Result<Placed, Refused>) -> Appended {
        match placed {
            Ok(placed) => self.finish(placed).await,
            Err(refused) => Err(refused),
        }
    }

    /// Each owner reads at most `bytes_max`, but at least one batch.
    pub async fn read_anywhere(
        self: &Rc<Self>,
        wants: Vec<(ShardId, Want)>,
        bytes_max: usize,
    ) -> Vec<Result<Got, Fault>> {
        let there = |wants, reply| ShardMessage::Read { wants, bytes_max, reply };
        self.scatter(wants, async |list| self.read(list, bytes_max).await, there).await
    }

    pub async fn look_anywhere(&self, questions: Vec<(ShardId, Look)>) -> Vec<Result<Facts, Fault>> {
        let there = |questions, reply| ShardMessage::Look { questions, reply };
        self.scatter(questions, async |list| self.look(list).await, there).await
    }

    pub async fn trim_anywhere(&self, trims: Vec<(ShardId, Trim)>) -> Vec<Result<Offset, Fault>> {
        let there = |trims, reply| ShardMessage::Trim { trims, reply };
        self.scatter(trims, async |list| self.trim(list).await, there).await
    }

    /// `wake` is woken as soon as one of the partitions has more than its mark.
    pub async fn watch_anywhere(&self, marks: Vec<(ShardId, Mark)>, wake: Reply<()>) {
        for (owner, list) in by_shard(marks) {
            let marks: Vec<_> = list.into_iter().map(|(_, mark)| mark).collect();
            if owner == self.id {
                self.watch(&marks, wake.clone());
            } else if self.node.send(owner, ShardMessage::Watch { marks, wake: wake.clone() }).await.is_err() {
                // The next read finds out that the owner has stopped.
                let _ = wake.try_send(());
            }
        }
    }

    /// Asks all owners at once and puts their answers into the order of the questions.
    async fn scatter<T, R>(
        &self,
        items: Vec<(ShardId, T)>,
        here: impl AsyncFn(Vec<T>) -> Vec<Result<R, Fault>>,
        there: impl Fn(Vec<T>, Reply<Vec<Result<R, Fault>>>) -> ShardMessage,
    ) -> Vec<Result<R, Fault>> {
        let mut answers: Vec<Result<R, Fault>> = items.iter().map(|_| Err(Fault::stopping())).collect();
        let (mut local, mut remote) = (None, Vec::new());
        for (owner, list) in by_shard(items) {
            let (places, list): (Vec<usize>, Vec<T>) = list.into_iter().unzip();
            if owner == self.id {
                local = Some((places, list));
                continue;
            }
            let (reply, receiver) = reply();
            if self.node.send(owner, there(list, reply)).await.is_ok() {
                remote.push((places, receiver));
            }
        }
        if let Some((places, list)) = local {
            for (index, answer) in places.into_iter().zip(here(list).await) {
                answers[index] = answer;
            }
        }
        for (places, receiver) in remote {
            for (index, answer) in places.into_iter().zip(receiver.recv_async().await.unwrap_or_default()) {
                answers[index] = answer;
            }
        }
        answers
    }
}
