//! How a watch is: whether its first list was complete, whether a list stands still, and since when it has been
//! failing. Pure.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// A watch that has not failed for so long lives, although an idle one brings no event: a try that fails ends sooner,
/// after the silence that counts as a lost connection and the wait before it.
const ROW: Duration = Duration::from_secs(75);

/// After so long a watch that fails makes the operator unready: it is blind.
const BLIND: Duration = Duration::from_secs(60);

/// How many different errors of one row are told.
const MOST_TOLD: usize = 4;

/// How a watch is.
#[derive(Debug, Clone, Default)]
pub struct WatchHealth {
    is_listed: bool,
    /// When the list that is under way brought something last.
    list_lived: Option<Instant>,
    failures: Option<Failures>,
}

/// Failures in a row.
#[derive(Debug, Clone)]
struct Failures {
    first: Instant,
    last: Instant,
    error: String,
    /// Its first few errors, each once.
    told: BTreeSet<String>,
    is_blindness_told: bool,
}

impl Failures {
    /// How long it has failed. Nothing says when an idle watch lives again, so the time since the last failure does not
    /// count.
    fn lasted(&self) -> Duration {
        self.last - self.first
    }
}

/// What is new with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// This error.
    Error,
    /// The operator is blind by now.
    Blind,
}

impl WatchHealth {
    /// A list has begun. One that begins anew before the last one came to its end goes on with its wait.
    pub fn list_begins(&mut self, now: Instant) {
        self.list_lived.get_or_insert(now);
    }

    /// A list brings something.
    pub fn lists(&mut self, now: Instant) {
        self.list_lived = Some(now);
    }

    /// A list is complete. Returns whether the watch had failed before.
    pub fn listed(&mut self) -> bool {
        self.is_listed = true;
        self.list_lived = None;
        self.lives()
    }

    /// It brought something, or has not failed for long. Returns whether it had failed before.
    pub fn lives(&mut self) -> bool {
        self.failures.take().is_some()
    }

    /// It failed with this error, and is started again. Returns what is new.
    pub fn failed(&mut self, error: &str, now: Instant) -> News {
        let row = self.row(now).cloned();
        self.list_lived = None;
        let mut row = row.unwrap_or_else(|| Failures {
            first: now,
            last: now,
            error: String::new(),
            told: BTreeSet::new(),
            is_blindness_told: false,
        });
        row.last = now;
        let is_blind = row.lasted() >= BLIND;
        let news = if row.told.len() < MOST_TOLD && row.told.insert(error.to_owned()) {
            News::Error
        } else if is_blind && !row.is_blindness_told {
            row.is_blindness_told = true;
            News::Blind
        } else {
            News::None
        };
        self.failures = Some(Failures { error: error.to_owned(), ..row });
        news
    }

    /// When it counts as living again, if it fails no more.
    #[must_use]
    pub fn calm_at(&self) -> Option<Instant> {
        let row = self.failures.as_ref().filter(|_| self.is_listed && self.list_lived.is_none())?;
        Some(row.last + ROW)
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
        let row = self.row(now).map(Failures::lasted);
        row.max(self.stuck_since(now).map(|since| now - since))
    }

    /// Why the operator is not ready because of it, as a sentence that goes on after the name of the watch.
    #[must_use]
    pub fn fault(&self, now: Instant) -> Option<String> {
        let row = self.row(now);
        if !self.is_listed {
            return Some(row.map_or_else(
                || "its first list is not complete yet".to_owned(),
                |row| format!("its resources cannot be listed: {}", row.error),
            ));
        }
        if let Some(row) = row.filter(|row| row.lasted() >= BLIND) {
            let seconds = row.lasted().as_secs();
            return Some(format!("it has been failing for {seconds} s: {}", row.error));
        }
        let seconds = (now - self.stuck_since(now)?).as_secs();
        Some(format!("the list of its resources has brought nothing for {seconds} s"))
    }

    /// Since when the list that is under way brings nothing, if that is for long.
    fn stuck_since(&self, now: Instant) -> Option<Instant> {
        self.list_lived.filter(|lived| now - *lived >= BLIND)
    }

    fn row(&self, now: Instant) -> Option<&Failures> {
        let is_row =
            |row: &&Failures| !self.is_listed || self.list_lived.is_some() || now - row.last <= ROW;
        self.failures.as_ref().filter(is_row)
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
            let news = if second == 0 { News::Error } else { News::None };
            assert_eq!(health.failed("403", now + second * SECOND), news, "once");
        }
        assert_eq!(health.fault(now + 59 * SECOND), None, "a moment");
        let blind = now + 60 * SECOND;
        assert_eq!(health.fault(blind), None, "it may live again");
        assert_eq!(health.failing_for(blind), Some(59 * SECOND));
        assert_eq!(health.failed("403", blind), News::Blind);
        assert!(health.fault(blind).unwrap().contains("failing for 60 s: 403"));
        assert_eq!(health.failing_for(blind), Some(60 * SECOND));
        // Nothing more is heard of an idle one that lives again.
        let calm = blind + ROW;
        assert!(health.fault(calm).is_some());
        assert_eq!(health.fault(calm + SECOND), None);
        assert_eq!(health.failing_for(calm + SECOND), None);
        assert_eq!(health.failed("403", calm + SECOND), News::Error, "another row");
        assert_eq!(health.failing_for(calm + 2 * SECOND), Some(Duration::ZERO));
        assert_eq!(health.failed("404", calm + SECOND), News::Error, "another error");
        assert_eq!(health.failed("403", calm + SECOND), News::None, "in turns");
        assert_eq!(health.failed("403", calm + 61 * SECOND), News::Blind);
        assert_eq!(health.failed("403", calm + 62 * SECOND), News::None, "once");
        assert!(health.lives() && !health.lives());
        assert_eq!(health.failing_for(calm + 2 * SECOND), None);
    }

    #[test]
    fn a_row_has_few_errors_to_tell() {
        let now = Instant::now();
        let mut health = WatchHealth::default();
        health.listed();
        let told: Vec<_> = (0..9)
            .map(|n: u32| health.failed(&n.to_string(), now))
            .filter(|news| *news == News::Error)
            .collect();
        assert_eq!(told.len(), MOST_TOLD);
        health.failed("the last", now + BLIND);
        assert!(health.fault(now + BLIND).is_some_and(|fault| fault.ends_with(": the last")));
    }

    #[test]
    fn an_idle_watch_that_fails_no_more_lives_after_a_while() {
        let now = Instant::now();
        let mut health = WatchHealth::default();
        health.failed("403", now);
        assert_eq!(health.calm_at(), None, "it has to bring its first list");
        health.listed();
        assert_eq!(health.calm_at(), None);
        health.failed("403", now);
        assert_eq!(health.calm_at(), Some(now + ROW));
        health.failed("403", now + BLIND);
        health.lists(now + BLIND);
        assert_eq!(health.calm_at(), None, "it has to bring this list");
        assert!(health.fault(now + 2 * ROW).is_some_and(|fault| fault.ends_with(": 403")));
        assert!(health.listed());
        assert_eq!((health.calm_at(), health.fault(now + 2 * ROW)), (None, None));
    }

    #[test]
    fn a_list_that_brings_nothing_for_a_minute_is_a_fault() {
        let now = Instant::now();
        let mut health = WatchHealth::default();
        health.list_begins(now);
        health.listed();
        health.list_begins(now);
        health.lists(now + 30 * SECOND);
        health.list_begins(now + 75 * SECOND);
        let blind = now + 90 * SECOND;
        assert_eq!(health.fault(blind - SECOND), None);
        assert!(health.fault(blind).is_some_and(|fault| fault.ends_with("nothing for 60 s")));
        assert_eq!(health.failing_for(blind), Some(60 * SECOND));
        health.failed("closed", blind);
        assert_eq!(health.fault(blind), None, "it is tried again");
    }
}
