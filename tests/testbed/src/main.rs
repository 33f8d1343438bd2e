//! `testbed`: a control plane on this machine, for tests and the demo.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testbed::Result;
use testbed::bench::{Bench, Plot};
use testbed::demo::{Recording, demo};
use testbed::supervise::Supervise;
use testbed::tools;
use testbed::up::up;

/// A Kubernetes control plane on this machine, for tests and the demo
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the operator at work, on a real API server and a simulated Qoder API
    Demo,
    /// Draw the picture of the README, from what the demo has printed
    Recording(Recording),
    /// Run a control plane with the shipped CRD until Ctrl-C
    Up,
    /// Measure what fleets of resources cost, beside a plain controller
    Bench(Bench),
    /// Draw the picture of the page that the bench has written
    Plot(Plot),
    /// Build what the tests need beside Rust, or find it: so that no build goes on while a test counts seconds
    Tools,
    /// Run a command that ends when standard input does
    #[command(hide = true)]
    Supervise(Supervise),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Demo => run(demo()),
        Command::Recording(recording) => recording.run().map(|()| ExitCode::SUCCESS),
        Command::Up => run(up()),
        Command::Bench(bench) => run(bench.run()),
        Command::Plot(plot) => plot.run().map(|()| ExitCode::SUCCESS),
        Command::Tools => run(tools::all()),
        Command::Supervise(supervise) => supervise.run(),
    };
    ended.unwrap_or_else(|error| {
        // Without a backtrace, which `RUST_BACKTRACE` would put between a person and the message.
        eprintln!("Error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command).map(|()| ExitCode::SUCCESS)
}
