//! What was sent of a resource's status, and is not known to stand. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How many statuses of one resource are remembered, at most, that nothing has confirmed.
const MOST_UNCONFIRMED: usize = 8;

/// How long a status waits that someone else has replaced: two who do not agree change it in turns, with a pause.
const REPLACED: Duration = Duration::from_secs(1);

/// The statuses that were sent since one stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Their digests, the last one last: their echo may come late.
    unconfirmed: Vec<u64>,
    /// The last one is on its way.
    is_under_way: bool,
    /// How many have failed in a row.
    failures: u32,
    /// When the last one failed, and how long it waits to be tried again.
    failed: Option<(Instant, Duration)>,
    /// The one that stood when someone else wrote another, and when that was seen.
    replaced: Option<(u64, Instant)>,
}

impl Sent {
    /// One of this digest is on its way.
    pub fn begin(&mut self, digest: u64) {
        self.is_under_way = true;
        self.unconfirmed.retain(|other| *other != digest);
        self.unconfirmed.push(digest);
        let too_many = self.unconfirmed.len().saturating_sub(MOST_UNCONFIRMED);
        self.unconfirmed.drain(..too_many);
    }

    /// It failed: it may stand or not, and waits for so long to be tried again.
    pub fn fail(&mut self, now: Instant, wait: Duration) {
        self.is_under_way = false;
        self.failures = self.failures.saturating_add(1);
        self.failed = Some((now, wait));
    }

    /// What is to be said stands, whatever became of the last one: the row of failures is over.
    pub fn stand(&mut self) {
        self.failures = 0;
        self.failed = None;
    }

    /// Someone else has replaced the one of this digest.
    pub fn replaced(&mut self, digest: u64, now: Instant) {
        self.replaced = Some((digest, now));
    }

    /// How many have failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When one of this digest is sent again, after `longest` at the latest: if it was the last one and failed, or if
    /// someone else has replaced it.
    #[must_use]
    pub fn tried_again_at(&self, digest: u64, longest: Duration) -> Option<Instant> {
        let failed = self.failed.filter(|_| self.is_last(digest));
        let replaced = self.replaced.filter(|(replaced, _)| *replaced == digest);
        let replaced = replaced.map(|(_, at)| (at, REPLACED));
        failed.into_iter().chain(replaced).map(|(at, wait)| at + wait.min(longest)).max()
    }

    /// Whether one of this digest was sent.
    #[must_use]
    pub fn has(&self, digest: u64) -> bool {
        self.unconfirmed.contains(&digest)
    }

    /// Whether one is on its way, beside the one of this digest that stands. Of one whose echo has come nothing more is
    /// to be expected, although its answer may be lost.
    #[must_use]
    pub fn is_under_way(&self, stands: u64) -> bool {
        self.is_under_way && !self.is_last(stands)
    }

    /// Whether the last one was of this digest.
    #[must_use]
    pub fn is_last(&self, digest: u64) -> bool {
        self.unconfirmed.last() == Some(&digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_nothing_has_confirmed_is_remembered_up_to_a_bound() {
        let mut sent = Sent::default();
        (0..20).for_each(|digest| sent.begin(digest));
        assert_eq!(sent.unconfirmed, (12..20).collect::<Vec<_>>(), "the last eight");
        sent.begin(13);
        assert_eq!(sent.unconfirmed, [12, 14, 15, 16, 17, 18, 19, 13], "each once, the last last");
        assert!(sent.has(12) && !sent.has(11));
        sent.fail(Instant::now(), SECOND);
        assert!(sent.has(13), "its echo may still come");
    }

    #[test]
    fn failures_in_a_row_are_counted_and_only_the_same_status_waits_for_them() {
        let mut sent = Sent::default();
        let now = Instant::now();
        sent.begin(1);
        assert_eq!((sent.failures(), sent.tried_again_at(1, 9 * SECOND)), (0, None));
        sent.fail(now, 2 * SECOND);
        assert_eq!(sent.tried_again_at(1, 9 * SECOND), Some(now + 2 * SECOND));
        assert_eq!(sent.tried_again_at(1, SECOND), Some(now + SECOND));
        assert_eq!(sent.tried_again_at(2, 9 * SECOND), None, "another one was not tried");
        sent.begin(2);
        sent.fail(now, 4 * SECOND);
        assert_eq!(sent.failures(), 2);
        assert_eq!(sent.tried_again_at(2, 9 * SECOND), Some(now + 4 * SECOND));
        assert_eq!(sent.tried_again_at(1, 9 * SECOND), None, "something else was tried since");
        sent.replaced(7, now);
        assert_eq!(sent.tried_again_at(7, 9 * SECOND), Some(now + REPLACED));
        assert_eq!(sent.tried_again_at(7, SECOND / 2), Some(now + SECOND / 2));
        sent.replaced(2, now);
        assert_eq!(sent.tried_again_at(2, 9 * SECOND), Some(now + 4 * SECOND), "the later one");
        sent.replaced(7, now);
        assert!(!sent.is_under_way(0));
        sent.begin(3);
        assert!(sent.is_under_way(0));
        assert!(!sent.is_under_way(3), "its echo has come");
        sent.begin(2);
        sent.stand();
        assert_eq!((sent.failures(), sent.tried_again_at(2, 9 * SECOND)), (0, None));
        assert!(sent.has(1) && sent.has(2), "their echo may still come");
    }
}
