//! How a watch is: whether its first list was complete, and since when it has been failing. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// A watch that has not failed for so long lives, although an idle one brings no event: a try that fails ends sooner,
/// after the silence that counts as a lost connection and the wait before it.
const ROW: Duration = Duration::from_secs(75);

/// After so long a watch that fails makes the operator unready: it is blind.
const BLIND: Duration = Duration::from_secs(60);

/// How a watch is.
#[derive(Debug, Clone, Default)]
pub struct WatchHealth {
    is_listed: bool,
    failures: Option<Failures>,
}

/// Failures in a row.
#[derive(Debug, Clone)]
struct Failures {
    first: Instant,
    last: Instant,
    error: String,
}

impl WatchHealth {
    /// Its first list is complete.
    pub fn listed(&mut self) {
        self.is_listed = true;
        self.failures = None;
    }

    /// It brought something. Returns whether it had failed before.
    pub fn lives(&mut self) -> bool {
        self.failures.take().is_some()
    }

    /// It failed with this error, and is started again. Returns whether that is news.
    pub fn failed(&mut self, error: &str, now: Instant) -> bool {
        let row = self.row(now);
        let is_news = row.is_none_or(|row| row.error != error);
        let first = row.map_or(now, |row| row.first);
        self.failures = Some(Failures { first, last: now, error: error.to_owned() });
        is_news
    }

    /// Whether its first list was complete.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Whether it is known if its first list can be had.
    #[must_use]
    pub fn is_tried(&self) -> bool {
        self.is_listed || self.failures.is_some()
    }

    /// For how long it has been failing.
    #[must_use]
    pub fn failing_for(&self, now: Instant) -> Option<Duration> {
        Some(now - self.row(now)?.first)
    }

    /// Why the operator is not ready because of it, as a sentence that goes on after the name of the watch.
    #[must_use]
    pub fn fault(&self, now: Instant) -> Option<String> {
        match (self.is_listed, self.row(now)) {
            (false, None) => Some("its first list is not complete yet".to_owned()),
            (false, Some(row)) => Some(format!("its resources cannot be listed: {}", row.error)),
            (true, Some(row)) if now - row.first >= BLIND => Some(format!(
                "it has been failing for {} s: {}",
                (now - row.first).as_secs(),
                row.error
            )),
            (true, _) => None,
        }
    }

    fn row(&self, now: Instant) -> Option<&Failures> {
        self.failures.as_ref().filter(|row| !self.is_listed || now - row.last <= ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_watch_is_missed_until_it_is_listed() {
        let now = Instant::now();
        let mut health = WatchHealth::default();
        assert!(!health.is_tried());
        assert!(health.fault(now).unwrap().contains("not complete yet"));
        health.failed("403", now);
        assert!(health.is_tried() && !health.is_listed());
        assert!(health.fault(now + 3600 * SECOND).unwrap().contains("cannot be listed: 403"));
        health.listed();
        assert!(health.is_listed());
        assert_eq!((health.fault(now), health.failing_for(now)), (None, None));
    }

    #[test]
    fn a_watch_that_fails_for_a_minute_is_a_fault_until_it_lives() {
        let now = Instant::now();
        let mut health = WatchHealth::default();
        health.listed();
        for second in [0, 20, 59] {
            assert_eq!(health.failed("403", now + second * SECOND), second == 0, "news once");
        }
        assert_eq!(health.fault(now + 59 * SECOND), None, "a moment");
        let blind = now + 60 * SECOND;
        assert!(health.fault(blind).unwrap().contains("failing for 60 s: 403"));
        assert_eq!(health.failing_for(blind), Some(60 * SECOND));
        // Nothing more is heard of an idle one that lives again.
        let calm = now + 59 * SECOND + ROW;
        assert!(health.fault(calm).is_some());
        assert_eq!(health.fault(calm + SECOND), None);
        assert_eq!(health.failing_for(calm + SECOND), None);
        assert!(health.failed("403", calm + SECOND), "another row");
        assert_eq!(health.failing_for(calm + 2 * SECOND), Some(SECOND));
        assert!(health.failed("404", calm + SECOND), "another error");
        assert!(health.lives() && !health.lives());
        assert_eq!(health.failing_for(calm + 2 * SECOND), None);
    }
}
