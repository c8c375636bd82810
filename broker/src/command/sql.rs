//! `frazil sql`: what do the tables say?

use anyhow::{Context, Result};
use serde_json::Value;

use super::reach::{Reach, ask};
use crate::output::{Format, grid, text};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// One statement; tables are called frazil.topics.NAME
    statement: String,
}

pub fn run(args: Args) -> Result<()> {
    let url = format!("http://{}/v1/sql", args.reach.admin_addr);
    let rows = ask("POST", &url, "application/json", Some(&args.statement))?.json()?;
    match args.reach.format {
        Format::Json => println!("{rows}"),
        Format::Table => println!("{}", table(&rows)?),
    }
    Ok(())
}

/// Rows as objects, drawn as a table.
pub fn table(rows: &Value) -> Result<String> {
    let rows = rows.as_array().context("rows were expected")?;
    let Some(Value::Object(first)) = rows.first() else { return Ok("no rows".into()) };
    let columns: Vec<String> = first.keys().cloned().collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| text(&row[column.as_str()])).collect());
    Ok(grid(columns.clone(), cells).to_string())
}
