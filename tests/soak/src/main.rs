//! `soak`: plays seed after seed until something is broken, or the days are over.

use std::{process::ExitCode, time::{Duration, Instant}};

use clap::Parser;
use soak::{ROUND, Script, play, report};

/// The operator in simulated time, with random users and every fault.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this seed, with its log.
    #[arg(long)]
    log: bool,
    /// Only these events of the seed, by their number.
    #[arg(long, value_delimiter = ',')]
    keep: Option<Vec<usize>>,
    /// How many rounds of trouble, rest and calm each seed has.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Do not look for the shortest script: only say what is broken.
    #[arg(long)]
    brief: bool,
    /// How many days to simulate.
    #[arg(long, default_value_t = 365.0)]
    days: f64,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> ExitCode {
    let Arguments { seed, log, keep, rounds, brief, days } = Arguments::parse();
    if log || keep.is_some() {
        let script = Script::of(seed, rounds);
        let script = keep.map_or_else(|| script.clone(), |kept| script.keep(&kept));
        let outcome = play(&script);
        print!("{}", outcome.log);
        return end(outcome.violation.is_none());
    }
    let (began, mut simulated) = (Instant::now(), Duration::ZERO);
    let mut next = seed;
    while simulated.as_secs_f64() < days * DAY.as_secs_f64() {
        let script = Script::of(next, rounds);
        let outcome = play(&script);
        simulated += outcome.simulated;
        if let Some(violation) = outcome.violation.as_ref().filter(|_| brief) {
            println!("seed {next}: {}", violation.property);
            return end(false);
        }
        if let Some(report) = report(&script, &outcome) {
            eprint!("{report}");
            return end(false);
        }
        next += 1;
        if next.is_multiple_of(100) {
            let days = simulated.as_secs_f64() / DAY.as_secs_f64();
            println!("{} seeds, {days:.1} days, {:.0?}", next - seed, began.elapsed());
        }
    }
    let days = simulated.as_secs_f64() / DAY.as_secs_f64();
    println!("{} seeds of {:?} each, {days:.1} days in {:.0?}: nothing was broken", next - seed, ROUND * rounds, began.elapsed());
    end(true)
}

fn end(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
