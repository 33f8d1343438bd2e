//! The simulator's clock: it follows tokio's, so that it is virtual where that is, and can be held and moved.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

use crate::call::Now;

/// A clock that only goes forward.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Timestamp,
    /// The time that had passed at `since`.
    passed: Duration,
    /// Since when it runs; none: it is held.
    since: Option<Instant>,
}

/// What the clock shows.
#[derive(Debug, Serialize)]
pub(crate) struct Reading {
    now: Timestamp,
    held: bool,
}

impl Clock {
    /// A running clock that shows `start`, or the real time.
    pub(crate) fn new(start: Option<Timestamp>) -> Self {
        // Taken before the real time, behind which the clock is not to be.
        let since = Instant::now();
        let start = start.unwrap_or_else(Timestamp::now);
        Self { start, passed: Duration::ZERO, since: Some(since) }
    }

    /// What it showed at first.
    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }

    /// The time on the calendar, and since the start.
    pub(crate) fn now(&self) -> Now {
        let running = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        let elapsed = self.passed.saturating_add(running);
        Now { date: self.start.saturating_add(elapsed).unwrap_or(Timestamp::MAX), elapsed }
    }

    pub(crate) fn read(&self) -> Reading {
        Reading { now: self.now().date, held: self.since.is_none() }
    }

    /// Stops it, or lets it go on.
    pub(crate) fn hold(&mut self, held: bool) {
        self.passed = self.now().elapsed;
        self.since = (!held).then(Instant::now);
    }

    /// Moves it forward. The error is a text for a person.
    pub(crate) fn advance(&mut self, by: Duration) -> Result<(), String> {
        let passed = self.now().elapsed.checked_add(by);
        let is_on_the_calendar = |passed| self.start.checked_add(passed).is_ok();
        if !passed.is_some_and(is_on_the_calendar) {
            return Err("the clock ends with the year 9999".to_owned());
        }
        self.passed = self.passed.saturating_add(by);
        Ok(())
    }

    /// Moves it forward to a time. The error is a text for a person.
    pub(crate) fn advance_to(&mut self, time: Timestamp) -> Result<(), String> {
        let now = self.now().date;
        let by = SignedDuration::try_from(time.since(now).unwrap_or_default()).unwrap_or_default();
        let by = Duration::try_from(by).map_err(|_| {
            format!("the clock only goes forward, and it is {now}; a reset sets it back")
        })?;
        self.advance(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_is_held_moved_and_let_go() -> Result<(), String> {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().map_err(|_| "start")?;
        let mut clock = Clock::new(Some(start));
        let second = Duration::from_secs(1);
        let shows = |clock: &Clock, seconds: u64| {
            assert_eq!(clock.now().elapsed, Duration::from_secs(seconds));
            assert_eq!(clock.now().date, start + Duration::from_secs(seconds));
        };
        tokio::time::advance(second).await;
        shows(&clock, 1);
        clock.hold(true);
        tokio::time::advance(second).await;
        shows(&clock, 1);
        clock.advance(second * 9)?;
        shows(&clock, 10);
        clock.hold(false);
        clock.hold(false);
        tokio::time::advance(second).await;
        shows(&clock, 11);
        clock.advance_to(start + second * 60)?;
        shows(&clock, 60);
        let refused = clock.advance_to(start + second * 59);
        assert!(refused.is_err_and(|error| error.contains("2026-01-01T00:01:00Z")));
        shows(&clock, 60);
        Ok(())
    }
}
