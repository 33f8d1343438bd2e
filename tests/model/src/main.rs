//! `model [SECONDS]`: checks every world, small and large, each for at most so long, and prints how far it came. With `bugs`, it looks
//! for a world that refutes each planted bug.

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use model::{Bug, LARGE, SMALL, check};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let seconds = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(300);
    let limit = Duration::from_secs(seconds);
    let bugs: &[Option<Bug>] = &Bug::ALL.map(Some);
    let bugs = if arguments.iter().any(|text| text == "bugs") { bugs } else { &[None] };
    let mut is_right = true;
    let names = |bug: &Option<Bug>| bug.map(|bug| format!("{bug:?}"));
    let is_named =
        |bug: &Option<Bug>| arguments.iter().any(|text| Some(text) == names(bug).as_ref());
    let only: Vec<_> = bugs.iter().copied().filter(is_named).collect();
    for bug in if only.is_empty() { bugs } else { &only } {
        for named in SMALL.iter().chain(LARGE.iter().filter(|_| bug.is_none())) {
            let began = Instant::now();
            let checked = check(named.begin(*bug), *bug, limit, 2);
            let end = if checked.is_exhausted { "exhausted" } else { "cut off" };
            let (unique, seconds) = (checked.unique, began.elapsed().as_secs());
            if let Some((property, path)) = checked.broken.first() {
                println!(
                    "{bug:?}: {}: {property} is broken after {} steps ({seconds} s): {path:?}",
                    named.name,
                    path.len()
                );
                is_right = false;
                break;
            }
            if bug.is_none() {
                println!("{}: {unique} worlds in {seconds} s, {end}", named.name);
            }
        }
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
