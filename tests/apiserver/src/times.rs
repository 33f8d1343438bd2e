//! The server's clock: tokio's, from a fixed day on. Under a paused clock it shows the same each run.

use std::time::Duration;

use k8s_openapi::jiff::{Timestamp, ToSpan as _};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z.
const DAY: i64 = 1_767_225_600;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the server was made.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// As `metav1.Time`: to the second.
    pub fn timestamp(self) -> String {
        let seconds = i64::try_from(self.elapsed().as_secs()).unwrap_or_default();
        let day = Timestamp::from_second(DAY).unwrap_or_default();
        day.checked_add(seconds.seconds()).unwrap_or_default().to_string()
    }
}
