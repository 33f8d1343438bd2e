//! What is known of each bound deployment: the last observation, and the failures since.
//! No I/O: observations are put in, with the time their request started.

use std::collections::HashMap;

use tokio::time::Instant;

use super::observation::{Answer, ReadFailure};
use super::plan::Place;
use crate::{
    api::DeploymentId,
    qoder::{Deployment, Scope},
    times::Times,
};

/// The bound deployments.
#[derive(Default)]
pub struct Cache {
    /// Behind pointers: a table has room to grow, and entries need not be what it is made of.
    entries: HashMap<DeploymentId, Box<Entry>>,
}

/// What is known of one deployment.
#[derive(Default, Clone)]
pub struct Entry {
    /// As it was seen last, in this process or, before its first look, by the status of a
    /// resource. `None`: never, or the API says that it does not exist.
    pub last_known: Option<Deployment>,
    /// The last observation of this process.
    pub observed: Option<Observed>,
    /// The failures since. Few have any.
    pub failure: Option<Box<Failure>>,
    /// A read that starts now or later is demanded since then.
    demanded: Option<Instant>,
    /// A full list did not show it since the last look: only a GET can tell why.
    is_suspect: bool,
}

/// An observation and its stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// What it says.
    pub answer: Answer,
    /// When its request started: it says nothing about what was wished later.
    pub started: Instant,
    /// From when on it counts as a look at the remote: the start of a read, the end of a write.
    pub valid_from: Instant,
}

/// Reads that failed, in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Why the last one did.
    pub cause: ReadFailure,
    /// When the first one did.
    pub first: Instant,
    /// When the last one started.
    pub started: Instant,
    /// How many.
    pub count: u32,
    /// When to try again.
    pub retry_at: Instant,
}

impl Entry {
    /// Where it is to be found.
    fn place(&self) -> Place {
        if self.is_suspect {
            return Place::Nowhere;
        }
        match self.observed.map(|seen| seen.answer) {
            Some(Answer::Active) => Place::Active,
            Some(Answer::Paused(_)) => Place::Paused,
            Some(Answer::UnknownStatus) | None => Place::Full,
            Some(Answer::Archived | Answer::NotFound | Answer::Forbidden) => Place::Nowhere,
        }
    }
}

impl Cache {
    /// Keeps track of a deployment from now on. `last_known` is what a status says of it.
    pub fn bind(&mut self, id: &DeploymentId, last_known: Option<Deployment>) {
        let entry = self.entries.entry(id.clone()).or_default();
        if entry.last_known.is_none() && entry.observed.is_none() {
            entry.last_known = last_known;
        }
    }

    /// Forgets a deployment.
    pub fn unbind(&mut self, id: &DeploymentId) {
        self.entries.remove(id);
    }

    /// What is known of a deployment.
    #[must_use]
    pub fn get(&self, id: &DeploymentId) -> Option<&Entry> {
        self.entries.get(id).map(Box::as_ref)
    }

    /// Asks for a read that starts at this time or later.
    pub fn demand(&mut self, id: &DeploymentId, newer_than: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.demanded = entry.demanded.max(Some(newer_than));
        }
    }

    /// The deployments for which a read is demanded, and where they are to be found.
    #[must_use]
    pub fn demands(&self) -> Vec<(DeploymentId, Place)> {
        let demanded = self.entries.iter().filter(|(_, entry)| entry.demanded.is_some());
        demanded.map(|(id, entry)| (id.clone(), entry.place())).collect()
    }

    /// The deployments that a full list is expected to show.
    #[must_use]
    pub fn listed(&self) -> Vec<DeploymentId> {
        let listed = self.entries.iter().filter(|(_, entry)| entry.place() != Place::Nowhere);
        listed.map(|(id, _)| id.clone()).collect()
    }

    /// Where all of them are to be found.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.entries.values().map(|entry| entry.place())
    }

    /// When the oldest of the observations was made that a poll renews.
    #[must_use]
    pub fn oldest_listed(&self) -> Option<Instant> {
        let listed = self.entries.values().filter(|entry| entry.place() != Place::Nowhere);
        listed.filter_map(|entry| entry.observed).map(|seen| seen.valid_from).min()
    }

    /// How many deployments are bound.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The deployments that a list of this scope, started at `started`, should have shown, and
    /// that were not seen since.
    #[must_use]
    pub fn unseen_since(&self, scope: Scope, started: Instant) -> Vec<DeploymentId> {
        let is_unseen = |entry: &Entry| {
            entry.place().is_in(scope)
                && entry.observed.is_none_or(|seen| seen.valid_from < started)
        };
        let unseen = self.entries.iter().filter(|(_, entry)| is_unseen(entry));
        unseen.map(|(id, _)| id.clone()).collect()
    }

    /// A list of this scope, started at `started`, is complete. What it should have shown becomes
    /// a suspect: absence from a list is not absence, each needs a look. Returns whether there
    /// are any.
    pub fn list_ended(&mut self, scope: Scope, started: Instant) -> bool {
        let suspects = self.unseen_since(scope, started);
        for id in &suspects {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.is_suspect = true;
                entry.demanded = entry.demanded.max(Some(started));
            }
        }
        !suspects.is_empty()
    }

    /// Puts an observation in. Returns whether anyone should look at it: it differs, it ends a
    /// row of failures, or it was demanded.
    pub fn observe(
        &mut self,
        id: &DeploymentId,
        deployment: Option<Deployment>,
        observed: Observed,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        if entry.observed.is_some_and(|last| last.valid_from > observed.valid_from) {
            return false;
        }
        let answers = entry.demanded.is_some_and(|since| observed.started >= since);
        let recovers =
            entry.failure.as_ref().is_some_and(|failure| failure.started <= observed.started);
        let known = match observed.answer {
            Answer::NotFound => None,
            Answer::Forbidden => entry.last_known.clone(),
            _ => deployment,
        };
        let is_another = entry.last_known != known;
        let differs = is_another || entry.observed.map(|last| last.answer) != Some(observed.answer);

        entry.observed = Some(observed);
        entry.is_suspect = false;
        if is_another {
            entry.last_known = known;
        }
        if answers {
            entry.demanded = None;
        }
        if recovers {
            entry.failure = None;
        }
        differs || recovers || answers
    }

    /// Puts a failed read in. Returns whether anyone should look at it: it is the first of its
    /// row, or the read was demanded. `jitter` is in 0..1.
    pub fn fail(
        &mut self,
        id: &DeploymentId,
        cause: ReadFailure,
        started: Instant,
        (now, times, jitter): (Instant, &Times, f64),
    ) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        if entry.observed.is_some_and(|last| last.started >= started) {
            return false;
        }
        let answers = entry.demanded.is_some_and(|since| started >= since);
        if answers {
            entry.demanded = None;
        }
        let last = entry.failure.take();
        let count = last.as_ref().map_or(0, |last| last.count);
        let news = answers || last.as_ref().map(|last| last.cause) != Some(cause);
        entry.failure = Some(Box::new(Failure {
            cause,
            first: last.map_or(now, |last| last.first),
            started,
            count: count.saturating_add(1),
            retry_at: now + times.backoff(count, jitter),
        }));
        news
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
