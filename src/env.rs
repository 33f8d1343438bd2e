//! The only source of chance and of wall-clock time. A test has one of its own, and can repeat a run
//! exactly.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use fastrand::Rng;
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::{Builder, Uuid};

use crate::lock::lock;

/// Chance and the wall clock. Clones share one sequence of chance.
#[derive(Clone)]
pub struct Env(Arc<Inner>);

struct Inner {
    chance: Mutex<Rng>,
    clock: Clock,
}

enum Clock {
    /// The machine's.
    Machine,
    /// This time at that instant of tokio's clock.
    Since(Timestamp, Instant),
}

impl Env {
    /// What the operator runs with: the machine's clock, and a random seed.
    #[must_use]
    pub fn real() -> Self {
        Self::new(Rng::new(), Clock::Machine)
    }

    /// Same seed, same sequence. The wall clock begins at `epoch` and follows tokio's clock, which
    /// may be paused.
    #[must_use]
    pub fn seeded(seed: u64, epoch: Timestamp) -> Self {
        Self::new(Rng::with_seed(seed), Clock::Since(epoch, Instant::now()))
    }

    fn new(chance: Rng, clock: Clock) -> Self {
        Self(Arc::new(Inner { chance: Mutex::new(chance), clock }))
    }

    /// A number in 0..1.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        lock(&self.0.chance).f64()
    }

    /// A unique name: a UUID of version 4. It is not a secret.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let random = lock(&self.0.chance).u128(..);
        Builder::from_random_bytes(random.to_ne_bytes()).into_uuid()
    }

    /// The date and the time of day. Spans are measured with tokio's clock, not with this.
    #[must_use]
    pub fn wall_clock(&self) -> Timestamp {
        match self.0.clock {
            Clock::Machine => Timestamp::now(),
            Clock::Since(epoch, begin) => {
                epoch.checked_add(begin.elapsed()).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_sequence_and_clones_share_it() {
        let draw = |env: &Env| (env.jitter().to_bits(), env.uuid(), env.jitter().to_bits());
        let (one, same) =
            (Env::seeded(7, Timestamp::UNIX_EPOCH), Env::seeded(7, Timestamp::UNIX_EPOCH));
        assert_eq!(draw(&one), draw(&same));
        let (first, second) = (draw(&one), draw(&one.clone()));
        assert_ne!(first, second, "a clone goes on where the other stopped");
        assert_eq!((first, second), (draw(&same), draw(&same)));
        assert_ne!(draw(&Env::seeded(8, Timestamp::UNIX_EPOCH)), draw(&one));
        assert_ne!(Env::real().uuid(), Env::real().uuid());
    }

    #[test]
    fn a_uuid_is_of_version_4_and_a_jitter_is_below_1() {
        let env = Env::seeded(0, Timestamp::UNIX_EPOCH);
        for _ in 0..1000 {
            let uuid = env.uuid();
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (4, uuid::Variant::RFC4122));
            assert!((0.0..1.0).contains(&env.jitter()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_of_a_test_follows_tokios() {
        let epoch: Timestamp = "2026-07-01T02:00:00Z".parse().unwrap();
        let env = Env::seeded(0, epoch);
        assert_eq!(env.wall_clock(), epoch);
        tokio::time::sleep(Duration::from_millis(90_500)).await;
        assert_eq!(env.wall_clock().to_string(), "2026-07-01T02:01:30.5Z");
    }

    #[test]
    fn the_wall_clock_of_the_operator_is_the_machines() {
        let before = Timestamp::now();
        let seen = Env::real().wall_clock();
        assert!(before <= seen && seen <= Timestamp::now());
    }
}
