//! `frazil group`: which consumer groups exist, and how far behind are they?

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Subcommand;
use client::{Client, OffsetAt};
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
    /// All groups
    List,
    /// A group's partitions: how far it has read, and who reads them
    Describe { group: String },
}

pub fn run(args: Args) -> Result<()> {
    let format = args.reach.format;
    talk(&args.reach, async |node| match args.what {
        What::List => {
            let mut rows = Rows::new(&["group", "state", "type"]);
            for group in node.list_groups().await? {
                rows.push(vec![json!(group.id), json!(group.state), json!(group.protocol_type)]);
            }
            rows.print(format);
            Ok(())
        }
        What::Describe { group } => describe(node, &group).await.map(|rows| rows.print(format)),
    })
}

/// One partition of a group: committed offset and reader.
type Row = (Option<i64>, Option<String>);

async fn describe(node: &mut Client, group: &str) -> Result<Rows> {
    let membership = node.describe_group(group).await?;
    let mut places: BTreeMap<(String, i32), Row> = BTreeMap::new();
    for offset in node.group_offsets(group).await? {
        places.entry((offset.topic, offset.partition)).or_default().0 = Some(offset.offset.0);
    }
    for member in membership.members {
        for (topic, partitions) in member.assigned {
            for partition in partitions {
                places.entry((topic.clone(), partition)).or_default().1 = Some(member.id.clone());
            }
        }
    }
    let mut rows = Rows::new(&["group", "state", "topic", "partition", "committed", "end", "lag", "member"]);
    for ((topic, partition), (committed, member)) in places {
        let end = node.list_offsets(&topic, &[partition], OffsetAt::Latest).await;
        let end = end.ok().and_then(|places| places.first()?.offset).map(|end| end.0);
        let lag = end.zip(committed).map(|(end, committed)| (end - committed).max(0));
        rows.push(vec![
            json!(group),
            json!(membership.state),
            json!(topic),
            json!(partition),
            json!(committed),
            json!(end),
            json!(lag),
            json!(member),
        ]);
    }
    Ok(rows)
}
