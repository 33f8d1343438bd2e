//! `testbed`: a control plane on this machine, for tests and the demo.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testbed::Result;
use testbed::supervise::Supervise;

/// A Kubernetes control plane on this machine, for tests and the demo
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a command that ends when standard input does
    #[command(hide = true)]
    Supervise(Supervise),
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Supervise(supervise) => supervise.run(),
    }
}
