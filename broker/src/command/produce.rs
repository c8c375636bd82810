//! `frazil produce`: lines of the standard input become records.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::BufRead;

use anyhow::{Context, Result};
use client::{Acks, Client};
use wire::{BatchBuilder, Compression};

use super::reach::{Reach, talk};
use super::typed::{Schemas, encode};
use crate::clock::now_ms;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    topic: String,
    /// What parts a line into key and value; without it lines are values
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Lines are JSON and sent as values of this schema: `latest`, a version, or an id
    #[arg(long, value_name = "WHICH")]
    schema: Option<String>,
    /// The partition; by default by key, or one after the other
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Records of one batch
    #[arg(long, default_value_t = 500, value_name = "N")]
    batch: usize,
}

/// A line's key and value.
type Record = (Option<Vec<u8>>, Vec<u8>);

pub fn run(args: Args) -> Result<()> {
    let schema = match &args.schema {
        Some(choice) => {
            let mut schemas = Schemas::new(args.reach.registry_addr);
            Some(schemas.choose(&format!("{}-value", args.topic), choice)?)
        }
        None => None,
    };
    let record = |number: usize, line: &str| -> Result<Record> {
        let (key, text) = match args.key_separator.as_deref().and_then(|separator| line.split_once(separator)) {
            Some((key, text)) => (Some(key.as_bytes().to_vec()), text),
            None => (None, line),
        };
        let value = match &schema {
            Some((id, schema)) => encode(*id, schema, text).with_context(|| format!("line {}", number + 1))?,
            None => text.as_bytes().to_vec(),
        };
        Ok((key, value))
    };
    talk(&args.reach, async |node| {
        let partitions = node.describe_topic(&args.topic).await?.partitions.len();
        let mut waiting: Vec<Vec<Record>> = vec![Vec::new(); partitions];
        let mut sent = 0;
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let (key, value) = record(number, &line.context("the standard input")?)?;
            let at = match (args.partition, &key) {
                (Some(partition), _) => usize::try_from(partition).context("a partition is 0 or more")?,
                (None, Some(key)) => place(key, partitions),
                (None, None) => number / args.batch.max(1) % partitions,
            };
            let batch = waiting.get_mut(at).with_context(|| format!("the topic has {partitions} partitions"))?;
            batch.push((key, value));
            if batch.len() >= args.batch {
                sent += send(node, &args.topic, at, std::mem::take(batch)).await?;
            }
        }
        for (at, batch) in waiting.into_iter().enumerate() {
            sent += send(node, &args.topic, at, batch).await?;
        }
        eprintln!("{sent} records stored");
        Ok(())
    })
}

fn place(key: &[u8], partitions: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % partitions as u64) as usize
}

async fn send(node: &mut Client, topic: &str, partition: usize, records: Vec<Record>) -> Result<usize> {
    if records.is_empty() {
        return Ok(0);
    }
    let now_ms = now_ms();
    let mut batch = BatchBuilder::new(Compression::Lz4);
    for (key, value) in &records {
        batch.push(now_ms, key.as_deref(), Some(value), &[]);
    }
    node.produce(topic, i32::try_from(partition)?, batch.build(), Acks::All).await?;
    Ok(records.len())
}
