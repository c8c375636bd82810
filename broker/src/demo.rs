//! `frazil demo`: the whole path on a node in a temporary folder, with real producers and real queries.

mod data;
mod tour;

use anyhow::Result;
use tokio::signal::ctrl_c;

use crate::node::{Node, background, init_log};
use crate::settings::{Layer, Settings};

#[derive(clap::Args)]
pub struct Args {
    /// Records per topic
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    records: u32,
    /// End after the last query instead of running on
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    node: Layer,
}

pub fn run(args: Args) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("frazil-demo-").tempdir()?;
    let flags = Layer {
        data_dir: args.node.data_dir.clone().or_else(|| Some(folder.path().to_owned())),
        log: args.node.log.clone().or_else(|| Some("warn".into())),
        ..args.node
    };
    let settings = Settings::load(flags)?;
    init_log(&settings.log)?;
    background()?.block_on(async {
        println!("Starting a node in {} …\n", settings.data_dir.display());
        let node = Node::launch(settings).await?;
        println!("{}\n", node.report());
        tour::take(&node, args.records).await?;
        if !args.exit {
            println!("\nThe node keeps running; Ctrl-C ends it and removes its folder.");
            ctrl_c().await?;
        }
        node.stop().await
    })
}
