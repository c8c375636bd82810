//! `frazil health`: can each shard write, and read what it has?

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::reach::{Reach, ask};
use crate::output::Rows;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
}

const COLUMNS: &[&str] = &["shard", "state", "lost_ranges", "reason"];

/// Fails if a shard needs somebody's help.
pub fn run(args: Args) -> Result<()> {
    let url = format!("http://{}/v1/health", args.reach.admin_addr);
    // A node with a fenced shard answers with status 503 and the same rows.
    let body = ask("GET", &url, "application/json", None)?.body;
    let answer: Value = serde_json::from_str(&body).with_context(|| format!("rows were expected, not: {body}"))?;
    let found = answer.as_array().with_context(|| format!("rows were expected, not: {body}"))?;
    let mut rows = Rows::new(COLUMNS);
    for row in found {
        rows.push(COLUMNS.iter().map(|column| row[*column].clone()).collect());
    }
    rows.print(args.reach.format);
    match found.iter().filter(|row| row["state"] != json!("ok")).count() {
        0 => Ok(()),
        n => bail!("{n} shards need help; the reasons are above"),
    }
}
