//! `frazil archive`: what is in the bucket, what is at risk, and is all of it whole?

use anyhow::{Result, bail};
use clap::Subcommand;

use super::reach::{Reach, ask};
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
    /// Per shard: what is archived, what would be lost with the disk, and what stopped it
    Status,
    /// Archive what is committed now, without waiting for the interval
    Flush,
    /// Compare the objects in the bucket with the manifest
    Verify {
        /// Read one object in N whole; of the others only the length is compared
        #[arg(long, default_value_t = 1, value_name = "N")]
        every: usize,
    },
}

const STATUS: &[&str] = &["shard", "objects", "runs", "bytes", "bytes_at_risk", "requests", "last_error"];
const VERIFY: &[&str] = &["shard", "objects", "read", "missing", "damaged", "ok"];

pub fn run(args: Args) -> Result<()> {
    let base = format!("http://{}/v1/archive", args.reach.admin_addr);
    match args.what {
        What::Status => {
            let answer = ask("GET", &format!("{base}/status"), "application/json", None)?.json()?;
            Rows::of(STATUS, &answer)?.print(args.reach.format);
            Ok(())
        }
        What::Flush => {
            let answer = ask("POST", &format!("{base}/flush"), "application/json", None)?.json()?;
            Rows::of(STATUS, &answer)?.print(args.reach.format);
            Ok(())
        }
        What::Verify { every } => {
            let answer = ask("POST", &format!("{base}/verify?every={every}"), "application/json", None)?.json()?;
            Rows::of(VERIFY, &answer)?.print(args.reach.format);
            match not_ok(&answer) {
                0 => Ok(()),
                n => bail!("the archives of {n} shards are not whole; bring the objects back from a copy"),
            }
        }
    }
}
