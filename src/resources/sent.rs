//! What was sent of a resource's status, and is not known to stand. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How many statuses of one resource are remembered, at most, that nothing has confirmed.
const MOST_UNCONFIRMED: usize = 8;

/// The statuses that were sent since one stood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Their digests, the last one last, and whether each was told of: their echo may come late.
    unconfirmed: Vec<(u64, bool)>,
    /// The last one is on its way.
    is_under_way: bool,
    /// How many have failed in a row.
    failures: u32,
    /// When the last one failed, and how long it waits to be tried again.
    failed: Option<(Instant, Duration)>,
}

impl Sent {
    /// One of this digest is on its way.
    pub fn begin(&mut self, digest: u64) {
        self.is_under_way = true;
        self.unconfirmed.retain(|(other, _)| *other != digest);
        self.unconfirmed.push((digest, false));
        let too_many = self.unconfirmed.len().saturating_sub(MOST_UNCONFIRMED);
        self.unconfirmed.drain(..too_many);
    }

    /// It failed: it may stand or not, and waits for so long to be tried again.
    pub fn fail(&mut self, now: Instant, wait: Duration) {
        self.is_under_way = false;
        self.failures = self.failures.saturating_add(1);
        self.failed = Some((now, wait));
    }

    /// The last one has ended, and was of this digest: nothing that was sent before is on its way any more. What has
    /// stood before it and was not told of stays, for its own answer. Returns whether anything does.
    pub fn end(&mut self, digest: u64) -> bool {
        self.unconfirmed.retain(|(sent, is_told)| *sent != digest && !is_told);
        self.is_under_way = false;
        self.stand();
        !self.unconfirmed.is_empty()
    }

    /// What is to be said stands, whatever became of the last one: the row of failures is over.
    pub fn stand(&mut self) {
        self.failures = 0;
        self.failed = None;
    }

    /// How many have failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// If the last one failed and was of this digest: when it is tried again, after `longest` at the latest.
    #[must_use]
    pub fn tried_again_at(&self, digest: u64, longest: Duration) -> Option<Instant> {
        let (failed, wait) = self.failed.filter(|_| self.is_last(digest))?;
        Some(failed + wait.min(longest))
    }

    /// Whether one of this digest was sent.
    #[must_use]
    pub fn has(&self, digest: u64) -> bool {
        self.unconfirmed.iter().any(|(sent, _)| *sent == digest)
    }

    /// Whether one of this digest was sent, and nobody was told that it stands.
    #[must_use]
    pub fn has_untold(&self, digest: u64) -> bool {
        self.unconfirmed.contains(&(digest, false))
    }

    /// It is told that the one of this digest stands, or has stood.
    pub fn tell(&mut self, digest: u64) {
        let told = self.unconfirmed.iter_mut().filter(|(sent, _)| *sent == digest);
        told.for_each(|(_, is_told)| *is_told = true);
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
        self.unconfirmed.last().is_some_and(|(sent, _)| *sent == digest)
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
        let digests =
            |sent: &Sent| sent.unconfirmed.iter().map(|(digest, _)| *digest).collect::<Vec<_>>();
        assert_eq!(digests(&sent), (12..20).collect::<Vec<_>>(), "the last eight");
        sent.begin(13);
        assert_eq!(digests(&sent), [12, 14, 15, 16, 17, 18, 19, 13], "each once, the last last");
        assert!(sent.has_untold(13) && !sent.has_untold(11));
        sent.tell(13);
        assert!(sent.has(13) && !sent.has_untold(13) && sent.has_untold(12));
        assert!(sent.has(12) && !sent.has(11));
        sent.fail(Instant::now(), SECOND);
        assert!(sent.has(13), "its echo may still come");
    }

    #[test]
    fn what_has_stood_and_was_not_told_of_outlives_the_end_of_a_later_one() {
        let mut sent = Sent::default();
        (1..4).for_each(|digest| sent.begin(digest));
        sent.tell(2);
        sent.fail(Instant::now(), SECOND);
        assert!(sent.end(3) && sent.failures() == 0 && !sent.is_under_way(0));
        assert!(sent.has_untold(1) && !sent.has(2) && !sent.has(3));
        assert!(!sent.end(1));
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
