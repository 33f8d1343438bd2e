//! Many seeds, on all cores.

use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{Outcome, Script, play};

/// What was played without anything being broken.
#[derive(Debug, Default, Clone, Copy)]
pub struct Played {
    /// How much time was simulated.
    pub simulated: Duration,
    /// How many requests were sent to change the remote.
    pub requests: usize,
    /// How many statuses were applied.
    pub statuses: usize,
}

impl Played {
    /// Counts another one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            simulated: self.simulated + other.simulated,
            requests: self.requests + other.requests,
            statuses: self.statuses + other.statuses,
        }
    }
}

/// Plays these seeds.
///
/// # Errors
/// In the first of them that breaks something, what came of it.
pub fn play_seeds(seeds: Range<u64>, rounds: u32) -> Result<Played, Box<(Script, Outcome)>> {
    let (next, broken) = (AtomicU64::new(seeds.start), Mutex::new(None::<Box<(Script, Outcome)>>));
    let played = Mutex::new(Played::default());
    let play_on = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let script = Script::of(seed, rounds);
            let outcome = play(&script);
            if outcome.violation.is_some() {
                // All that come before are played, or on their way.
                next.store(seeds.end, Ordering::Relaxed);
                let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                if broken.as_ref().is_none_or(|other| seed < other.0.seed) {
                    *broken = Some(Box::new((script, outcome)));
                }
                return;
            }
            let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
            let (requests, statuses) = outcome.writes;
            *played = played.and(Played { simulated: outcome.simulated, requests, statuses });
        }
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(play_on))));
    let broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.map_or_else(|| Ok(played.into_inner().unwrap_or_else(PoisonError::into_inner)), Err)
}
