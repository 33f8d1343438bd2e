//! What is known of one deployment: the last observation, the failures since, and how old the last look is.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    observation::{Answer, Observed, ReadFailure, Trouble},
    plan::Place,
};
use crate::qoder::Deployment;

/// What is known of one deployment.
#[derive(Clone, Hash)]
pub struct Entry {
    /// As it was seen last, in this process or, before its first look, by the status of a
    /// resource. `None`: never, or the API says that it does not exist.
    pub last_known: Option<Arc<Deployment>>,
    /// The last observation of this process.
    pub observed: Option<Observed>,
    /// The failures since. Few have any.
    pub failure: Option<Box<Failure>>,
    /// Since when its first look is waited for.
    waits_since: Instant,
}

/// Reads that failed, in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Why the last one did.
    pub cause: ReadFailure,
    /// When the first one started.
    pub first: Instant,
    /// How the first one ended. Not the last one: a message that changed with each would be written again with each,
    /// ten thousand times.
    pub first_code: &'static str,
    /// When the last one started.
    pub started: Instant,
    /// How many.
    pub count: u32,
    /// When to try again.
    pub retry_at: Instant,
}

/// A read that failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailedRead {
    pub trouble: Trouble,
    pub started: Instant,
    pub ended: Instant,
    /// In 0..1: spreads the next try.
    pub jitter: f64,
}

impl Entry {
    pub(super) fn new(now: Instant) -> Self {
        Self { last_known: None, observed: None, failure: None, waits_since: now }
    }

    /// Nothing is known but what it was seen as last.
    pub(super) fn forget_looks(&mut self, now: Instant) {
        *self = Self { last_known: self.last_known.take(), ..Self::new(now) };
    }

    /// Its first look, if it had none, is waited for from now on.
    pub(super) fn begin_to_wait(&mut self, now: Instant) {
        self.waits_since = now;
    }

    /// Where it is to be found, unless a list has missed it.
    pub(super) fn place(&self) -> Place {
        match self.observed.map(|seen| seen.answer) {
            Some(Answer::Active) => Place::Active,
            Some(Answer::Paused(_)) => Place::Paused,
            Some(Answer::UnknownStatus) | None => Place::Full,
            Some(Answer::Archived | Answer::NotFound | Answer::Forbidden) => Place::Nowhere,
        }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.observed.is_some_and(|seen| seen.answer.is_stalled())
    }

    /// When it was looked at last; before the first look, since when that is waited for. A list (`listed`: the last one)
    /// has looked at all that it could have shown, until something says otherwise: a read that failed, a list that
    /// `missed` it.
    pub(super) fn looked_at(&self, listed: Option<Instant>, missed: Option<Instant>) -> Instant {
        let Some(seen) = self.observed else {
            return self.waits_since;
        };
        let doubts = [self.failure.as_ref().map(|failure| failure.first), missed];
        let listed = listed.filter(|_| !seen.answer.is_stalled());
        let listed =
            doubts.into_iter().flatten().fold(listed, |listed, doubt| listed.min(Some(doubt)));
        listed.map_or(seen.valid_from, |listed| listed.max(seen.valid_from))
    }
}
