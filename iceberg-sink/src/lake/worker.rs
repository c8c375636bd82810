//! When does a topic have its rounds, and what happens after a failure?

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::{Error, Kind, Offset, Result};
use tokio::sync::watch;

use super::LakeTopic;
use super::round::{Outcome, Work};
use super::status::PartitionStatus;
use super::supervise::Context;
use super::table::Tables;
use crate::commit::Owner;

const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Also for what only an operator can cure: looking again is cheap, and ends by itself once it is cured.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The least that can be read: only where the log ends is asked for.
const LOOK_BYTES: usize = 1;

/// The worker of one topic.
pub struct Worker {
    context: Arc<Context>,
    topic: LakeTopic,
    owner: Owner,
    tables: Option<Tables>,
    turn: i32,
    failures: u32,
}

impl Worker {
    pub fn new(context: Arc<Context>, topic: LakeTopic) -> Worker {
        let owner = context.owner(&topic);
        Worker { context, topic, owner, tables: None, turn: 0, failures: 0 }
    }

    /// Runs until `stop` says so, or its sender is gone. A round that is cut off leaves nothing half done.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let began = Instant::now();
            let pause = tokio::select! {
                outcome = self.round() => self.pause(began, outcome),
                _ = stop.wait_for(|stop| *stop) => return,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One round; what fails still notes how far the log is, so that the lag of a table that does not move shows.
    async fn round(&mut self) -> Result<Outcome> {
        let outcome = self.step().await;
        if outcome.is_err() {
            self.look().await;
        }
        outcome
    }

    async fn step(&mut self) -> Result<Outcome> {
        let _turn = self.context.rounds.acquire().await.map_err(|_| Error::busy("the lake is being stopped"))?;
        let tables = match &mut self.tables {
            Some(tables) => tables,
            None => {
                let opened = Tables::open(&self.context, &self.topic, &self.owner).await?;
                for (partition, next) in &opened.rows.ledger.next {
                    self.context.source.advanced(&self.topic.name, *partition, *next, *next).await;
                }
                self.tables.insert(opened)
            }
        };
        self.turn = self.turn.wrapping_add(1);
        Work::new(&self.context, &self.topic, &self.owner, tables).run(self.turn).await
    }

    /// Looks at the log only. Where the table is says its head, or else what was noted before; if neither is known,
    /// nothing of the log is taken to be in it.
    async fn look(&self) {
        let (name, source) = (&self.topic.name, &self.context.source);
        let noted = self.context.board.with(name, |status| status.partitions.clone());
        let mut seen = Vec::new();
        for partition in 0..self.topic.partitions {
            let noted = noted.iter().find(|noted| noted.partition == partition).map(|noted| noted.committed);
            let committed = match &self.tables {
                Some(tables) => Some(tables.rows.ledger.next_of(partition)),
                None => noted,
            };
            let chunk = match source.read(name, partition, committed.unwrap_or(Offset::ZERO), LOOK_BYTES).await {
                Ok(chunk) => chunk,
                Err(error) => {
                    tracing::debug!(topic = %name, partition, %error, "the log was not looked at");
                    continue;
                }
            };
            let committed = committed.unwrap_or(chunk.log_start);
            let last_stable = chunk.last_stable.max(committed);
            seen.push(PartitionStatus { partition, committed, last_stable });
        }
        self.context.board.with(name, |status| status.stands(seen));
    }

    /// Notes what a round came to, and says how long to wait for the next one.
    fn pause(&mut self, began: Instant, outcome: Result<Outcome>) -> Duration {
        match outcome {
            Ok(outcome) => {
                self.failures = 0;
                self.note(&outcome);
                match outcome.behind {
                    true => Duration::ZERO,
                    false => pause_for(Duration::from_millis(self.topic.settings.lake_lag_ms()), began.elapsed()),
                }
            }
            Err(error) => {
                tracing::warn!(topic = %self.topic.name, %error, "the table does not move");
                self.context.board.with(&self.topic.name, |status| status.failed(&error));
                self.tables = None; // Whatever has happened: the heads of the tables know.
                self.failures += 1;
                match error.kind {
                    Kind::Conflict | Kind::Unknown | Kind::Busy | Kind::Storage => {
                        PAUSE_MAX.min(PAUSE_AFTER_FAILURE * 2u32.pow(self.failures.min(8) - 1))
                    }
                    _ => PAUSE_MAX.min(PAUSE_AFTER_FAILURE * 8u32.pow(self.failures.min(3))),
                }
            }
        }
    }

    fn note(&self, outcome: &Outcome) {
        let Some(tables) = &self.tables else { return };
        self.context.board.with(&self.topic.name, |status| {
            status.table = tables.rows.ident.to_string();
            status.at(self.topic.partitions, &tables.rows.ledger, &outcome.stable);
            status.dead_letters = tables.dead.total_records();
            status.last_error = None;
            if outcome.committed {
                status.commits += 1;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                status.last_commit_ms = u64::try_from(now.as_millis()).ok();
            }
        });
    }
}

/// A record that comes right after a round has read waits for the next one and for that one's commit; so rounds begin
/// a lag apart, less what the last one took twice (the next may take longer), but never more often than twice a lag.
fn pause_for(lag: Duration, took: Duration) -> Duration {
    lag.saturating_sub(took * 2).max(lag / 2)
}
