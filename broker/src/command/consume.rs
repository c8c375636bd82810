//! `frazil consume`: what is in a topic?

use std::io::Write;

use anyhow::{Context, Result};
use clap::ValueEnum;
use client::{Client, OffsetAt};
use model::Offset;
use model::limits::UNPACKED_BATCH_BYTES_MAX;
use serde_json::{Value, json};
use wire::RecordView;

use super::reach::{Reach, talk};
use super::typed::{Schemas, plain};
use crate::output::{Format, text};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    topic: String,
    /// One partition; by default all
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Where to begin
    #[arg(long, value_enum, default_value_t = From::End)]
    from: From,
    /// How many records to print; by default all that come, until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    Start,
    End,
}

pub fn run(args: Args) -> Result<()> {
    let mut schemas = Schemas::new(args.reach.registry_addr);
    talk(&args.reach, async |node| {
        let partitions: Vec<i32> = match args.partition {
            Some(partition) => vec![partition],
            None => node.describe_topic(&args.topic).await?.partitions.iter().map(|p| p.index).collect(),
        };
        let at = if args.from == From::Start { OffsetAt::Earliest } else { OffsetAt::Latest };
        let places = node.list_offsets(&args.topic, &partitions, at).await?;
        let mut next: Vec<(i32, Offset)> =
            places.into_iter().filter_map(|place| Some((place.partition, place.offset?))).collect();
        let mut left = args.count.unwrap_or(u64::MAX);
        while left > 0 {
            let wait_ms = (500 / next.len().max(1)) as i32;
            for (partition, offset) in &mut next {
                *offset = read(node, &args, *partition, *offset, wait_ms, &mut left, &mut schemas).await?;
            }
        }
        Ok(())
    })
}

/// Prints what has come to one partition; answers where to go on.
async fn read(
    node: &mut Client,
    args: &Args,
    partition: i32,
    mut next: Offset,
    wait_ms: i32,
    left: &mut u64,
    schemas: &mut Schemas,
) -> Result<Offset> {
    let fetched = node.fetch(&args.topic, partition, next, wait_ms, 1 << 20).await?;
    let mut out = std::io::stdout().lock();
    for batch in fetched.batches {
        let records = wire::batch::records(&batch, UNPACKED_BATCH_BYTES_MAX).context("the node sent a broken batch")?;
        if records.header().is_control() {
            next = Offset(records.header().last_offset() + 1);
            continue;
        }
        for record in &records {
            let record = record.context("the node sent a broken record")?;
            if record.offset < next.0 || *left == 0 {
                continue;
            }
            let shown = show(&record, partition, schemas)?;
            match args.reach.format {
                Format::Json => writeln!(out, "{shown}")?,
                Format::Table => writeln!(out, "{}\t{}", text(&shown["key"]), text(&shown["value"]))?,
            }
            next = Offset(record.offset + 1);
            *left -= 1;
        }
    }
    Ok(next)
}

fn show(record: &RecordView<'_>, partition: i32, schemas: &mut Schemas) -> Result<Value> {
    let mut headers = Vec::new();
    for header in record.headers() {
        let (name, value) = header.context("the node sent a broken header")?;
        headers.push(json!([plain(name), value.map(plain)]));
    }
    Ok(json!({
        "partition": partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key.map(|key| schemas.show(key)),
        "value": record.value.map(|value| schemas.show(value)),
        "headers": headers,
    }))
}
