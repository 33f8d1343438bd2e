//! Step 1: one moment of everything that a pass decides on, and what it means for each resource. No client
//! required, no I/O; only here does time become meaning.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::situation::{Age, BeforeWrite, CredentialState, Knowledge, Reached, Situation};
use crate::{
    api::{DeploymentId, Reason, Wish},
    qoder::Verb,
    remote::{Answer, Observed, ReadFailure, Requester, View, Worth},
    resources::{Resource, owner},
    times::Times,
};

/// The least time between two instants.
const TICK: Duration = Duration::from_nanos(1);

/// One deployment and the resources that name it, at one moment.
pub struct Snapshot {
    pub id: DeploymentId,
    /// The moment.
    pub now: Instant,
    /// The resources, oldest first.
    pub bound: Vec<Arc<Resource>>,
    pub view: View,
    /// The flags' times.
    pub times: Times,
}

impl Snapshot {
    /// Puts together what is known. Where the leader before has not ended clean, what it may have sent counts as lost:
    /// both verbs, or where a status says that all is in sync just the verb that it has asked for.
    #[must_use]
    pub fn new(
        id: &DeploymentId,
        now: Instant,
        bound: Vec<Arc<Resource>>,
        mut view: View,
        times: Times,
    ) -> Self {
        if let Some(until) = view.presumed_until {
            let owner = owner(&bound).filter(|owner| owner.is_in_sync());
            for (verb, wish) in [(Verb::Pause, Wish::Paused), (Verb::Unpause, Wish::Active)] {
                if owner.is_none_or(|owner| owner.wish == wish) {
                    view.writes.presume_lost(verb, until);
                }
            }
        }
        Self { id: id.clone(), now, bound, view, times }
    }

    /// The process ends: what was done is told now, or never.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.view.are_writes_closed
    }

    /// Who owns the deployment.
    #[must_use]
    pub fn owner(&self) -> Option<&Arc<Resource>> {
        owner(&self.bound)
    }

    /// What the decision about one of the resources depends on.
    #[must_use]
    pub fn situation(&self, resource: &Resource) -> Situation {
        let writes = &self.view.writes;
        let requester = resource.requester();
        let is_future = |time: Option<Instant>| time.is_some_and(|time| self.now < time);
        let is_due = |time: Option<Instant>| time.is_some_and(|time| self.now >= time);
        Situation {
            deleting: resource.deleting,
            duplicate: self.is_duplicate(resource),
            credential: self.credential(),
            knowledge: self.knowledge(resource),
            disabled: resource.disabled,
            wish: resource.wish,
            policy: resource.policy,
            last_reached: resource.memory.last_reached.map(|reached| Reached {
                wish: reached.desired,
                this_generation: reached.generation == resource.generation,
            }),
            reconcile_requested: resource.reconcile_requested().is_some(),
            resume_requested: resource.resume_requested().is_some(),
            foreign_write: writes.is_foreign_to(&requester),
            held: is_future(writes.held_until()),
            writes_refused: is_future(self.refused_until(resource, &requester)),
            before_write: match writes.under_way_since() {
                Some(_) => BeforeWrite::UnderWay,
                None if is_future(writes.backoff_end(&requester, self.view.credential.epoch)) => {
                    BeforeWrite::Backoff
                }
                None => BeforeWrite::Nothing,
            },
            pause_may_land: writes.may_land(Verb::Pause, self.now),
            unpause_may_land: writes.may_land(Verb::Unpause, self.now),
            answered: !self.is_ending() && self.is_answered(resource),
            overdue: self.is_ending() || is_due(self.overdue_at(resource)),
        }
    }

    fn is_duplicate(&self, resource: &Resource) -> bool {
        let is_owner = self.owner().is_some_and(|owner| owner.uid == resource.uid);
        resource.wants_to_own() && !is_owner
    }

    fn refused_until(&self, resource: &Resource, requester: &Requester) -> Option<Instant> {
        let epoch = self.view.credential.epoch;
        self.view.writes.refused_until(requester, epoch, resource.reconcile_requested())
    }

    /// The status in place answers this generation, and still holds as far as one can tell without a look.
    fn is_answered(&self, resource: &Resource) -> bool {
        resource.is_answered() && self.refuted_since(resource).is_none()
    }

    /// Since when the status in place says something that is known to be false; at the latest now.
    fn refuted_since(&self, resource: &Resource) -> Option<Instant> {
        let (_, reason) = resource.published.ready?;
        let credential = self.view.credential;
        let is_refuted = match reason {
            Reason::CredentialMissing => !matches!(credential.worth, Worth::Missing(_)),
            Reason::CredentialRejected => !matches!(credential.worth, Worth::Rejected { .. }),
            Reason::DuplicateOwner => !self.is_duplicate(resource),
            Reason::ReconcileDisabled => !resource.disabled,
            _ => false,
        };
        let since = match reason {
            Reason::CredentialMissing | Reason::CredentialRejected => credential.since,
            // Of another change of the resource only a request tells when it came, also one that is handled by now.
            _ => resource.reconcile_request.as_ref().map(|request| request.seen),
        };
        is_refuted.then_some(since.unwrap_or(resource.generation_seen))
    }

    /// When a resource that no status answers has waited for one long enough.
    fn overdue_at(&self, resource: &Resource) -> Option<Instant> {
        if self.is_answered(resource) {
            return None;
        }
        let refuted = self.refuted_since(resource).filter(|_| resource.is_answered());
        let since = [refuted, self.first_look_stands_still(resource)].into_iter().flatten();
        Some(since.fold(resource.generation_seen, Instant::max) + Times::PROGRESS)
    }

    /// Since when the first look at the deployment has not come nearer: since it is waited for, or since the
    /// last page of the list that is to be that look. To wait for its turn in a list that moves is no news.
    fn first_look_stands_still(&self, resource: &Resource) -> Option<Instant> {
        let entry = self.view.entry.as_ref()?;
        let is_first = entry.observed.is_none() && entry.failure.is_none();
        let bound = self.view.looked_at.filter(|_| is_first)?;
        let list = self.view.list.filter(|list| list.started >= self.newer_than(resource));
        Some(list.map_or(bound, |list| list.moved.max(bound)))
    }

    fn credential(&self) -> CredentialState {
        match self.view.credential.worth {
            Worth::Usable => CredentialState::Usable,
            Worth::Missing(_) => CredentialState::Missing,
            Worth::Rejected { since } => {
                CredentialState::Rejected(self.age(since + self.times.grace()))
            }
        }
    }

    fn age(&self, end: Instant) -> Age {
        if self.now < end { Age::WithinGrace } else { Age::Stale }
    }

    /// Until when what the last look has shown may stand.
    fn sight_end(&self) -> Option<Instant> {
        let blindness = if self.is_stalled() {
            self.times.slow_look() + self.times.grace()
        } else {
            self.times.longest_blindness()
        };
        self.view.entry.as_ref()?;
        Some(self.view.looked_at? + blindness)
    }

    /// The deployment is looked at slowly.
    fn is_stalled(&self) -> bool {
        let observed = self.view.entry.as_ref().and_then(|entry| entry.observed);
        observed.is_some_and(|seen| seen.answer.is_stalled())
    }

    fn knowledge(&self, resource: &Resource) -> Knowledge {
        let Some(entry) = &self.view.entry else {
            return Knowledge::Nothing;
        };
        let age = self.sight_end().map_or(Age::WithinGrace, |end| self.age(end));
        if let Some(failure) = &entry.failure {
            // A try before this generation, or before the request to look, says nothing about it.
            let is_older = |asked: Instant| failure.started < asked;
            let says_nothing = is_older(resource.generation_seen);
            if says_nothing && age == Age::WithinGrace {
                return Knowledge::Nothing;
            }
            let is_asked_anew = resource.reconcile_requested().is_some_and(is_older);
            let due = says_nothing || is_asked_anew || self.now >= failure.retry_at;
            return Knowledge::Failed { cause: failure.cause, age, due };
        }
        if age == Age::Stale {
            return Knowledge::Failed { cause: ReadFailure::Unavailable, age, due: true };
        }
        let Some(observed) = self.observed() else {
            return Knowledge::Nothing;
        };
        let answers = |asked: Option<Instant>| asked.is_none_or(|since| observed.started >= since);
        let is_slow_look_due = self.slow_look_at(observed).is_some_and(|at| self.now >= at);
        Knowledge::Known {
            answer: observed.answer,
            fresh: !is_slow_look_due
                && answers(Some(resource.generation_seen))
                && answers(resource.reconcile_requested())
                && answers(resume_in_question(resource, observed)),
        }
    }

    /// What was seen last, unless a write of ours has made it void.
    #[must_use]
    pub fn observed(&self) -> Option<Observed> {
        let observed = self.view.entry.as_ref()?.observed?;
        let Observed { started, valid_from, .. } = observed;
        self.view.writes.is_valid(started, valid_from, self.now).then_some(observed)
    }

    /// When a stalled deployment is looked at again: after a while, or with another token.
    fn slow_look_at(&self, observed: Observed) -> Option<Instant> {
        if !observed.answer.is_stalled() {
            return None;
        }
        let credential = self.view.credential;
        if observed.epoch != credential.epoch {
            return credential.since.or(Some(self.now));
        }
        Some(observed.started + self.times.slow_look())
    }

    /// From when on a read that answers this resource has to have started. A list under way may be one.
    #[must_use]
    pub fn newer_than(&self, resource: &Resource) -> Instant {
        let entry = self.view.entry.as_ref();
        let observed = entry.and_then(|entry| entry.observed);
        let failed =
            entry.and_then(|entry| entry.failure.as_ref()).map(|failure| failure.started + TICK);
        let blind = self.sight_end().filter(|end| self.now >= *end);
        let blind = blind.and(self.view.looked_at).map(|looked_at| looked_at + TICK);
        let since = [
            resource.reconcile_requested(),
            observed.and_then(|seen| resume_in_question(resource, seen)),
            self.view.writes.valid_since(self.now),
            observed.and_then(|seen| self.slow_look_at(seen)).filter(|at| self.now >= *at),
            failed,
            blind,
        ];
        since.into_iter().flatten().fold(resource.generation_seen, Instant::max)
    }

    /// When the mere passing of time changes something for this resource next. `is_told`: its status answers it
    /// by now. What a poll should have renewed, and did not, is told by the remote.
    #[must_use]
    pub fn next_change(&self, resource: &Resource, is_told: bool) -> Option<Instant> {
        let entry = self.view.entry.as_ref();
        let failure = entry.and_then(|entry| entry.failure.as_ref());
        let writes = &self.view.writes;
        let requester = resource.requester();
        let rejected = match self.view.credential.worth {
            Worth::Rejected { since } => Some(since + self.times.grace()),
            Worth::Usable | Worth::Missing(_) => None,
        };
        let times = [
            self.overdue_at(resource).filter(|_| !is_told),
            writes.under_way_since().map(|since| since + Times::STANDSTILL),
            failure.map(|failure| failure.retry_at),
            self.sight_end().filter(|_| failure.is_some() || self.is_stalled()),
            entry.and_then(|entry| entry.observed).and_then(|seen| self.slow_look_at(seen)),
            writes.held_until(),
            self.refused_until(resource, &requester),
            writes.backoff_end(&requester, self.view.credential.epoch),
            writes.lands_until(self.now),
            rejected,
        ];
        times.into_iter().flatten().filter(|at| *at > self.now).min()
    }
}

/// When the resume was requested that seeing the deployment active would satisfy.
fn resume_in_question(resource: &Resource, observed: Observed) -> Option<Instant> {
    let may_be_met = resource.wish == Wish::Active && observed.answer == Answer::Active;
    resource.resume_requested().filter(|_| may_be_met)
}

#[cfg(test)]
#[path = "snapshot_tests/mod.rs"]
mod tests;
