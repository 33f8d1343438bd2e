//! `soak`: plays seed after seed until something is broken, or the days are over.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use soak::{Played, ROUND, Script, play, play_seeds, report};

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
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Do not look for the shortest script: only say what is broken.
    #[arg(long)]
    brief: bool,
    /// How many days to simulate.
    #[arg(long, default_value_t = 365)]
    days: u32,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After so many seeds it says how far it is.
const STEP: u64 = 100;

fn main() -> ExitCode {
    let Arguments { seed, log, keep, rounds, brief, days } = Arguments::parse();
    if log || keep.is_some() {
        let script = Script::of(seed, rounds);
        let script = keep.map_or_else(|| script.clone(), |kept| script.keep(&kept));
        let outcome = play(&script);
        print!("{}", outcome.log);
        return end(outcome.violation.is_none());
    }
    let began = Instant::now();
    let mut played = Played::default();
    let mut next = seed;
    while played.simulated < DAY * days {
        match play_seeds(next..next + STEP, rounds) {
            Ok(more) => played = played.and(more),
            Err(broken) => {
                let (script, outcome) = *broken;
                let property =
                    outcome.violation.as_ref().map_or("", |violation| violation.property);
                println!("seed {}: {property}", script.seed);
                if !brief {
                    eprint!("{}", report(&script, &outcome).unwrap_or_default());
                }
                return end(false);
            }
        }
        next += STEP;
        let Played { simulated, requests, statuses } = played;
        println!(
            "{} seeds of {:?}: {} days in {:.0?}, {requests} requests, {statuses} statuses: nothing is broken",
            next - seed,
            ROUND * rounds,
            simulated.as_secs() / DAY.as_secs(),
            began.elapsed()
        );
    }
    end(true)
}

fn end(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
