//! What does `frazil` do when it is called?

mod clock;
mod settings;
mod output;
mod node;
mod http;
mod command;
mod demo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Kafka topics that are Iceberg tables: broker, schema registry, catalog and SQL in one program.
#[derive(Parser)]
#[command(name = "frazil", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Run a node in the foreground until SIGTERM or Ctrl-C
    Start(settings::Layer),
    /// Show the whole path on a node in a temporary folder
    Demo(demo::Args),
    /// Create, list, describe, alter and delete topics
    Topic(command::topic::Args),
    /// Send lines of the standard input as records
    Produce(command::produce::Args),
    /// Print the records of a topic
    Consume(command::consume::Args),
    /// List and describe consumer groups
    Group(command::group::Args),
    /// List, get, register and check schemas
    Schema(command::schema::Args),
    /// How far the tables are, and whether each record is in them exactly once
    Lake(command::lake::Args),
    /// What is in the archive, what is at risk, and whether it is whole
    Archive(command::archive::Args),
    /// Ask the tables in SQL
    Sql(command::sql::Args),
    /// Whether each shard can write, and read what it has
    Health(command::health::Args),
}

fn main() -> ExitCode {
    abort_on_panic();
    capture_no_backtraces();
    let outcome = match Cli::parse().what {
        What::Start(layer) => node::start(layer),
        What::Demo(args) => demo::run(args),
        What::Topic(args) => command::topic::run(args),
        What::Produce(args) => command::produce::run(args),
        What::Consume(args) => command::consume::run(args),
        What::Group(args) => command::group::run(args),
        What::Schema(args) => command::schema::run(args),
        What::Lake(args) => command::lake::run(args),
        What::Archive(args) => command::archive::run(args),
        What::Sql(args) => command::sql::run(args),
        What::Health(args) => command::health::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frazil: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A shard that died while the process lives would leave its log without an owner: any panic ends the process.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Each request that cannot be decoded makes an error; with RUST_BACKTRACE set, each would walk the stack.
fn capture_no_backtraces() {
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
}
