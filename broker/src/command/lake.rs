//! `frazil lake`: how far are the tables, and is each record in them exactly once?

use anyhow::{Result, bail};
use clap::Subcommand;

use super::reach::{Reach, ask, segment};
use crate::output::{Rows, not_ok};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Per topic: its table, how far it is behind, and what stopped it
    Status,
    /// Count every offset in the live files of a topic's tables: each must be there exactly once
    Verify {
        /// A topic; all lake topics if none is given
        topic: Option<String>,
    },
}

const STATUS: &[&str] = &["topic", "table", "lag_records", "dead_letters", "commits", "last_error"];
const VERIFY: &[&str] =
    &["topic", "partition", "next", "rows", "dead_letters", "skipped", "missing", "duplicates", "beyond", "ok"];

pub fn run(args: Args) -> Result<()> {
    let base = format!("http://{}/v1/lake", args.reach.admin_addr);
    match args.what {
        What::Status => {
            let answer = ask("GET", &format!("{base}/status"), "application/json", None)?.json()?;
            Rows::of(STATUS, &answer)?.print(args.reach.format);
            Ok(())
        }
        What::Verify { topic } => {
            let query = topic.map(|topic| format!("?topic={}", segment(&topic))).unwrap_or_default();
            let answer = ask("POST", &format!("{base}/verify{query}"), "application/json", None)?.json()?;
            Rows::of(VERIFY, &answer)?.print(args.reach.format);
            match not_ok(&answer) {
                0 => Ok(()),
                n => bail!("{n} partitions are not in their tables exactly once"),
            }
        }
    }
}
