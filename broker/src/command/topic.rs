//! `frazil topic`: which topics exist, and what is set for them?

use anyhow::{Context, Result};
use clap::Subcommand;
use client::{Change, Client, OffsetAt};
use serde_json::json;

use super::reach::{Reach, talk};
use crate::output::Rows;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Create a topic
    Create {
        topic: String,
        /// How many partitions; by default as the node is set
        #[arg(long, default_value_t = -1, hide_default_value = true, value_name = "N")]
        partitions: i32,
        /// A topic property, as in --set frazil.lake.mode=schema_id
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
        settings: Vec<(String, String)>,
    },
    /// All topics
    List,
    /// One topic's partitions with their offsets, or with --settings its properties
    Describe {
        topic: String,
        #[arg(long)]
        settings: bool,
    },
    /// Change a topic's properties or its number of partitions
    Alter {
        topic: String,
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
        set: Vec<(String, String)>,
        /// Back to the default
        #[arg(long, value_name = "NAME")]
        unset: Vec<String>,
        /// The new number of partitions, more than before
        #[arg(long, value_name = "N")]
        partitions: Option<i32>,
    },
    /// Delete a topic with its records and its table
    Delete { topic: String },
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub fn run(args: Args) -> Result<()> {
    let format = args.reach.format;
    talk(&args.reach, async |node| match args.what {
        What::Create { topic, partitions, settings } => {
            let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let id = node.create_topic(&topic, partitions, &settings).await?;
            let mut rows = Rows::new(&["topic", "id"]);
            rows.push(vec![json!(topic), json!(id)]);
            rows.print(format);
            Ok(())
        }
        What::List => {
            let mut rows = Rows::new(&["topic", "partitions", "internal"]);
            for topic in node.list_topics().await? {
                rows.push(vec![json!(topic.name), json!(topic.partitions.len()), json!(topic.internal)]);
            }
            rows.print(format);
            Ok(())
        }
        What::Describe { topic, settings: false } => partitions(node, &topic).await.map(|rows| rows.print(format)),
        What::Describe { topic, settings: true } => {
            let mut rows = Rows::new(&["setting", "value", "set", "meaning"]);
            for setting in node.describe_configs(&topic).await? {
                rows.push(vec![json!(setting.name), json!(setting.value), json!(setting.is_set), json!(setting.doc)]);
            }
            rows.print(format);
            Ok(())
        }
        What::Alter { topic, set, unset, partitions } => {
            let set = set.iter().map(|(name, value)| Change::Set(name, value));
            let changes: Vec<Change<'_>> = set.chain(unset.iter().map(|name| Change::Unset(name))).collect();
            if !changes.is_empty() {
                node.alter_configs(&topic, &changes).await?;
            }
            if let Some(count) = partitions {
                node.add_partitions(&topic, count).await?;
            }
            Ok(())
        }
        What::Delete { topic } => Ok(node.delete_topic(&topic).await?),
    })
}

async fn partitions(node: &mut Client, topic: &str) -> Result<Rows> {
    let described = node.describe_topic(topic).await?;
    let indexes: Vec<i32> = described.partitions.iter().map(|partition| partition.index).collect();
    let starts = node.list_offsets(topic, &indexes, OffsetAt::Earliest).await?;
    let ends = node.list_offsets(topic, &indexes, OffsetAt::Latest).await?;
    let mut rows = Rows::new(&["topic", "partition", "leader", "start", "end"]);
    for ((partition, start), end) in described.partitions.iter().zip(starts).zip(ends) {
        let start = start.offset.context("every partition has a first offset")?;
        let end = end.offset.context("every partition has a last offset")?;
        rows.push(vec![json!(topic), json!(partition.index), json!(partition.leader), json!(start), json!(end)]);
    }
    Ok(rows)
}
