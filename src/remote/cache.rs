//! What is known of each bound deployment, and which reads are demanded. No I/O: observations are put in,
//! with the time their request started.

mod demands;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use tokio::time::Instant;

use self::demands::demand;
use super::{
    entry::{Entry, FailedRead, Failure},
    observation::{Answer, Observed, Trouble},
    plan::{Place, Wanted},
};
use crate::{
    api::DeploymentId,
    qoder::{Deployment, Schedule, Scope},
    times::Times,
};

/// The bound deployments.
#[derive(Default, Clone, Hash)]
pub struct Cache {
    /// Behind pointers: a table keeps spare room, and that should not be as large as entries are.
    entries: BTreeMap<DeploymentId, Box<Entry>>,
    /// The schedules, each kept once: most deployments share theirs with others.
    schedules: BTreeSet<Arc<Schedule>>,
    /// When the last list that came to its end began: it has looked at all that it could have shown.
    listed: Option<Instant>,
    // What few have at a time has maps of its own.
    /// From when on a read that is demanded has to start.
    demands: BTreeMap<DeploymentId, Instant>,
    /// When the list that should have shown it, and did not, began: only a GET can tell why.
    missed: BTreeMap<DeploymentId, Instant>,
    /// Until when a read that says the opposite of our own last write is taken for one that lags.
    echoes: BTreeMap<DeploymentId, Instant>,
    /// The same for a first look that says the opposite of what a status says: the leader before may have written.
    echoes_until: Option<Instant>,
    /// Where all of them are to be found, as it was counted last. `None`: that has changed since.
    places: Option<Wanted>,
}

impl Cache {
    /// Keeps track of a deployment from now on. `last_known` is what a status says of it.
    pub fn bind(&mut self, id: &DeploymentId, last_known: Option<Deployment>, now: Instant) {
        let entry = self.entries.entry(id.clone()).or_insert_with(|| {
            self.places = None;
            Box::new(Entry::new(now))
        });
        if entry.observed.is_none()
            && let Some(last_known) = last_known
        {
            entry.last_known = Some(kept(&mut self.schedules, last_known));
        }
    }

    pub fn unbind(&mut self, id: &DeploymentId) {
        self.places = None;
        self.entries.remove(id);
        for few in [&mut self.demands, &mut self.missed, &mut self.echoes] {
            few.remove(id);
        }
    }

    /// All are bound that are named. Each waits for its first look from now on, and one that began before and contradicts
    /// a status is not enough.
    pub fn all_are_bound(&mut self, now: Instant) {
        self.build_anew();
        self.entries.values_mut().for_each(|entry| entry.begin_to_wait(now));
        self.expect_echoes(now);
    }

    /// What came in its order, as a list does, has left the nodes of the tree half empty.
    fn build_anew(&mut self) {
        self.entries = mem::take(&mut self.entries).into_iter().collect();
    }

    /// Forgets all that was looked at and demanded, and keeps track of the same deployments.
    pub fn forget_looks(&mut self, now: Instant) {
        let Self { entries, schedules, .. } = mem::take(self);
        self.entries = entries;
        self.build_anew();
        self.schedules = schedules;
        self.entries.values_mut().for_each(|entry| entry.forget_looks(now));
    }

    /// Who led before may have written right before this.
    pub fn expect_echoes(&mut self, until: Instant) {
        self.echoes_until = Some(until);
    }

    /// Forgets what is over.
    pub fn tidy(&mut self, now: Instant) {
        self.echoes.retain(|_, end| now < *end);
        self.schedules.retain(|schedule| Arc::strong_count(schedule) > 1);
    }

    /// Whether a resource names this deployment.
    #[must_use]
    pub fn is_bound(&self, id: &DeploymentId) -> bool {
        self.entries.contains_key(id)
    }

    /// What is known of a deployment.
    #[must_use]
    pub fn get(&self, id: &DeploymentId) -> Option<&Entry> {
        self.entries.get(id).map(Box::as_ref)
    }

    /// When a deployment was looked at last; before the first look, since when that is waited for.
    #[must_use]
    pub fn looked_at(&self, id: &DeploymentId) -> Option<Instant> {
        Some(self.look(id, self.entries.get(id)?))
    }

    fn look(&self, id: &DeploymentId, entry: &Entry) -> Instant {
        entry.looked_at(self.listed, self.missed.get(id).copied())
    }

    /// When each deployment was looked at last, except those that are looked at slowly.
    pub fn looks(&self) -> impl Iterator<Item = (&DeploymentId, Instant)> {
        let looks = self.entries.iter().filter(|(_, entry)| !entry.is_stalled());
        looks.map(|(id, entry)| (id, self.look(id, entry)))
    }

    /// When the one was looked at that was not looked at for longest, of those that polls look at.
    #[must_use]
    pub fn oldest_look(&self) -> Option<Instant> {
        self.looks().map(|(_, looked_at)| looked_at).min()
    }

    /// Any of those that are bound.
    #[must_use]
    pub fn first(&self) -> Option<&DeploymentId> {
        self.entries.keys().next()
    }

    /// Where all of them are to be found. Each poll asks, so they are counted anew only after a change.
    pub fn places(&mut self) -> Wanted {
        let places =
            self.places.unwrap_or_else(|| self.placed().map(|(.., place)| place).collect());
        self.places = Some(places);
        places
    }

    fn placed(&self) -> impl Iterator<Item = (&DeploymentId, &Entry, Place)> {
        self.entries.iter().map(|(id, entry)| (id, &**entry, place(&self.missed, id, entry)))
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
        let is_unseen = |entry: &Entry| entry.observed.is_none_or(|seen| seen.valid_from < started);
        let unseen =
            self.placed().filter(|(_, entry, place)| place.is_in(scope) && is_unseen(entry));
        unseen.map(|(id, ..)| id.clone()).collect()
    }

    /// A list of this scope, started at `started`, is complete. What it should have shown is missed:
    /// absence from a list is not absence, each needs a look. Returns whether there are any.
    pub fn list_ended(&mut self, scope: Scope, started: Instant) -> bool {
        self.listed = self.listed.max(Some(started));
        let mut missed = self.unseen_since(scope, started);
        // What it has shown, and was not believed, needs a later look, which may be the next list.
        missed.retain(|id| self.demands.get(id).is_none_or(|since| *since <= started));
        if !missed.is_empty() {
            self.places = None;
        }
        for id in &missed {
            self.missed.insert(id.clone(), started);
            demand(&mut self.demands, id, started);
        }
        !missed.is_empty()
    }

    /// Puts an observation in. Returns whether anyone should look at it: it differs, it ends a
    /// row of failures, or it was demanded.
    ///
    /// What counts as the later look wins. But the answer of our own write outweighs a read that started
    /// within [`Times::ECHO`] of it and says the opposite: the API may serve reads that lag. That is a
    /// reason to look again.
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
        let (last, echo_end) = match entry.observed {
            Some(last) => (Some(last.answer), self.echoes.get(id).copied()),
            None => (entry.last_known.as_deref().map(Answer::from), self.echoes_until),
        };
        let lags =
            !observed.is_written && last.is_some_and(|last| observed.answer.is_opposite_of(last));
        if let Some(end) = echo_end.filter(|end| lags && observed.started < *end) {
            demand(&mut self.demands, id, end);
            return false;
        }
        let answers = self.demands.get(id).is_some_and(|since| observed.started >= *since);
        let is_later = |failure: &Failure| failure.started <= observed.valid_from;
        let recovers = entry.failure.as_deref().is_some_and(is_later);
        let known = match observed.answer {
            Answer::Forbidden => entry.last_known.clone(),
            // One that does not exist shows none.
            _ => deployment.map(|deployment| kept(&mut self.schedules, deployment)),
        };
        let is_another = entry.last_known != known;
        let differs = is_another || entry.observed.map(|last| last.answer) != Some(observed.answer);
        let before = place(&self.missed, id, entry);

        entry.observed = Some(observed);
        if observed.is_written {
            // Also a read that confirms it leaves this: the next one may be answered elsewhere.
            self.echoes.insert(id.clone(), observed.valid_from + Times::ECHO);
        }
        self.missed.remove(id);
        if entry.place() != before {
            self.places = None;
        }
        if is_another {
            entry.last_known = known;
        }
        if answers {
            self.demands.remove(id);
        }
        if recovers {
            entry.failure = None;
        }
        differs || recovers || answers
    }

    /// Puts a failed read in. Returns whether anyone should look at it: it is the first of its
    /// row, or the read was demanded. A failed read that started before what is
    /// known became valid says nothing.
    pub fn fail(
        &mut self,
        id: &DeploymentId,
        FailedRead { trouble: Trouble { cause, code }, started, ended, jitter }: FailedRead,
        times: &Times,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        if entry.observed.is_some_and(|last| last.valid_from >= started) {
            return false;
        }
        let answers = self.demands.get(id).is_some_and(|since| started >= *since);
        if answers {
            self.demands.remove(id);
        }
        let last = entry.failure.take();
        let count = last.as_ref().map_or(0, |last| last.count);
        let news = answers || last.as_ref().map(|last| last.cause) != Some(cause);
        entry.failure = Some(Box::new(Failure {
            cause,
            first: last.as_ref().map_or(started, |last| last.first),
            first_code: last.map_or(code, |last| last.first_code),
            started,
            count: count.saturating_add(1),
            retry_at: ended + times.backoff(count, jitter),
        }));
        news
    }
}

/// A deployment as it is kept: with the schedule of others, where that is the same.
fn kept(schedules: &mut BTreeSet<Arc<Schedule>>, mut deployment: Deployment) -> Arc<Deployment> {
    deployment.share_schedule(schedules);
    Arc::new(deployment)
}

/// Where a deployment is to be found.
fn place(missed: &BTreeMap<DeploymentId, Instant>, id: &DeploymentId, entry: &Entry) -> Place {
    if missed.contains_key(id) { Place::Nowhere } else { entry.place() }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "looks_tests.rs"]
mod looks_tests;
