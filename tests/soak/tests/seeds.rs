//! A month of simulated time, and that it is the same month each time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the impossible should stop there"
)]

use std::{sync::atomic::{AtomicU64, Ordering}, thread, time::Duration};

use soak::{Outcome, ROUND, Script, play, report};

const SEEDS: u64 = 500;
const ROUNDS: u32 = 5;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn nothing_is_broken_in_a_month_of_random_users_and_faults() {
    assert!(ROUND * ROUNDS * u32::try_from(SEEDS).unwrap() > 30 * DAY);
    let next = AtomicU64::new(1);
    let play_on = || {
        let mut played = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SEEDS {
                return played;
            }
            let script = Script::of(seed, ROUNDS);
            let outcome = play(&script);
            if let Some(report) = report(&script, &outcome) {
                // Nobody has to look for another one.
                next.store(SEEDS + 1, Ordering::Relaxed);
                panic!("{report}");
            }
            played.push(outcome);
        }
    };
    let played: Vec<Outcome> = thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(play_on)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let total = |count: fn(&Outcome) -> usize| played.iter().map(count).sum::<usize>();
    let simulated: Duration = played.iter().map(|outcome| outcome.simulated).sum();
    let (posts, statuses) = (total(|outcome| outcome.writes.0), total(|outcome| outcome.writes.1));
    println!("{} days, {posts} requests that change something, {statuses} statuses", simulated.as_secs() / DAY.as_secs());
    assert!(simulated > 30 * DAY, "{simulated:?}");
    assert!(posts > 5_000 && statuses > 20_000, "{posts} requests, {statuses} statuses: too little happens");
}

/// Whoever looks for a fault has to meet it again.
#[test]
fn the_same_seed_gives_the_same_log_byte_for_byte() {
    for seed in 1..=6 {
        let script = Script::of(seed, 2);
        let (once, again) = (play(&script), play(&script));
        assert!(once.log.lines().count() > 50, "seed {seed}: {}", once.log);
        assert_eq!(once, again, "seed {seed}");
    }
    assert_ne!(play(&Script::of(1, 1)).log, play(&Script::of(7, 1)).log);
}
