//! A month of simulated time, and that it is the same month each time.

#![allow(clippy::panic, reason = "a test that meets the impossible should stop there")]

use std::time::Duration;

use soak::{Played, Script, play, play_seeds, report};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn nothing_is_broken_in_a_month_of_random_users_and_faults() {
    let played = play_seeds(1..501, 5).unwrap_or_else(|broken| {
        panic!("{}", report(&broken.0, &broken.1).unwrap_or_default());
    });
    println!("{played:?}");
    let Played { simulated, requests, statuses } = played;
    assert!(simulated > 30 * DAY, "{simulated:?}");
    assert!(requests > 7_000 && statuses > 24_000, "{played:?}: too little happens");
}

/// Whoever looks for a fault has to meet it again.
#[test]
fn the_same_seed_gives_the_same_log_byte_for_byte() {
    for seed in 1..=40 {
        let script = Script::of(seed, 3);
        let (once, again) = (play(&script), play(&script));
        assert!(once.log.lines().count() > 50, "seed {seed}: {}", once.log);
        assert_eq!(once, again, "seed {seed}");
    }
    assert_ne!(play(&Script::of(1, 1)).log, play(&Script::of(7, 1)).log);
}
