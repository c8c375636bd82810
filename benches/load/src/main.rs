//! How fast does a Kafka broker answer, and how fast is the disk below it?
//!
//! Both are asked on the same fixed schedule, and latency counts from when a request was meant to leave, not from when
//! the generator came to send it: a broker that stalls cannot hide it by holding the generator up.

mod clock;
mod schedule;
mod tally;
mod cpu;
mod payload;
mod topic;
mod lane;
mod produce;
mod consume;
mod probe;
mod null;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An open-loop load generator for Kafka brokers, and a probe of the disk on the same schedule. Figures for people go
/// to the standard error, one line of JSON to the standard output.
#[derive(Parser)]
#[command(name = "frazil-load", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Produce to a broker and time its answers
    Produce(produce::Args),
    /// Consume from a broker, as fast as it gives
    Consume(consume::Args),
    /// Write 4 KiB blocks with O_DIRECT and O_DSYNC and time them
    Probe(probe::Args),
    /// Be the least that a durable broker can be, until the process is ended
    Null(null::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().what {
        What::Produce(args) => produce::run(args),
        What::Consume(args) => consume::run(args),
        What::Probe(args) => probe::run(args),
        What::Null(args) => null::run(args),
    };
    match outcome {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("frazil-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
