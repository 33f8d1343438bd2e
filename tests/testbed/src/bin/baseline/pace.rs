//! The pace of reconciles: at most ten a second, so that one GET and one POST of each stay within
//! what the vendor allows.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between two reconciles.
const SPACING: Duration = Duration::from_millis(100);

/// Hands out turns, evenly spaced, in the order of asking.
pub struct Pace(Mutex<Interval>);

impl Pace {
    /// The first turn is at once.
    pub fn new() -> Self {
        let mut ticks = interval(SPACING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Mutex::new(ticks))
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        self.0.lock().await.tick().await;
    }
}
