//! Step 1: what the decision depends on, put together from what is held in memory. No client
//! required, no I/O; the clock is an argument, and only here does time become meaning.

use tokio::time::Instant;

use super::{
    ledger::Writes,
    resource::Resource,
    situation::{Age, CredentialState, Knowledge, Reached, Situation},
};
use crate::{
    fleet::{Answer, Entry, Observed, Worth},
    qoder::Verb,
    times::Times,
};

/// What is known besides the resource itself.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Whether another resource owns the deployment.
    pub duplicate: bool,
    /// What is known of the deployment.
    pub entry: Option<&'a Entry>,
    /// What is remembered of our writes to it.
    pub writes: &'a Writes,
    /// What the credential is worth.
    pub worth: Worth,
    /// Which token it is.
    pub epoch: u64,
    /// The flags' times.
    pub times: &'a Times,
    /// Now.
    pub now: Instant,
}

/// Puts the situation of one resource together.
#[must_use]
pub fn gather(resource: &Resource, around: Surroundings<'_>) -> Situation {
    let Surroundings { writes, now, .. } = around;
    let is_future = |time: Option<Instant>| time.is_some_and(|time| now < time);
    Situation {
        deleting: resource.deleting,
        duplicate: around.duplicate,
        credential: credential(around),
        knowledge: knowledge(resource, around),
        disabled: resource.disabled,
        wish: resource.wish,
        policy: resource.policy,
        last_reached: resource.memory.last_reached.map(|reached| Reached {
            wish: reached.wish,
            this_generation: reached.generation == resource.generation,
        }),
        reconcile_requested: resource.reconcile_requested().is_some(),
        resume_requested: resource.resume_requested().is_some(),
        foreign_write: writes.is_foreign_to(resource),
        held: is_future(writes.held_until()),
        writes_refused: is_future(writes.refused_until(resource, around.epoch)),
        backing_off: is_future(writes.backoff_end(resource)),
        pause_may_land: writes.may_land(Verb::Pause, now),
        unpause_may_land: writes.may_land(Verb::Unpause, now),
        answered: resource.is_answered(),
        overdue: now >= resource.generation_seen + Times::PROGRESS,
    }
}

fn credential(around: Surroundings<'_>) -> CredentialState {
    match around.worth {
        Worth::Usable => CredentialState::Usable,
        Worth::Missing => CredentialState::Missing,
        Worth::Rejected { since } => {
            CredentialState::Rejected(age(since, around.now, around.times))
        }
    }
}

fn age(since: Instant, now: Instant, times: &Times) -> Age {
    if now < since + times.grace() { Age::WithinGrace } else { Age::Stale }
}

fn knowledge(resource: &Resource, around: Surroundings<'_>) -> Knowledge {
    let Surroundings { now, times, writes, .. } = around;
    let Some(entry) = around.entry else {
        return Knowledge::Nothing;
    };
    if let Some(failure) = &entry.failure {
        // A try before this generation says nothing about it, and one may be due again.
        let is_due = now >= failure.retry_at || failure.started < resource.generation_seen;
        return if is_due {
            Knowledge::Nothing
        } else {
            Knowledge::Failed(failure.cause, age(failure.first, now, times))
        };
    }
    let valid = |observed: &Observed| writes.is_valid(observed.started, observed.valid_from, now);
    let Some(observed) = entry.observed.filter(valid) else {
        return Knowledge::Nothing;
    };
    let answers = |asked: Option<Instant>| asked.is_none_or(|since| observed.started >= since);
    let is_slow_look_due = is_slow_look_due(observed, around);
    let resume_in_question =
        resource.resume_requested().filter(|_| observed.answer == Answer::Active);
    Knowledge::Known {
        answer: observed.answer,
        fresh: !is_slow_look_due
            && answers(Some(resource.generation_seen))
            && answers(resource.reconcile_requested())
            && answers(resume_in_question),
    }
}

fn is_slow_look_due(observed: Observed, around: Surroundings<'_>) -> bool {
    match observed.answer {
        Answer::Forbidden | Answer::NotFound | Answer::Archived | Answer::UnknownStatus => {
            around.now >= observed.started + around.times.slow_look()
        }
        Answer::Active | Answer::Paused(_) => false,
    }
}

/// From when on a read has to have started that answers this resource. A list under way may do.
#[must_use]
pub fn newer_than(resource: &Resource, around: Surroundings<'_>) -> Instant {
    let Surroundings { entry, writes, now, .. } = around;
    let has_failed = entry.is_some_and(|entry| entry.failure.is_some());
    let observed = entry.and_then(|entry| entry.observed);
    if has_failed || observed.is_some_and(|observed| is_slow_look_due(observed, around)) {
        return now;
    }
    let since =
        [resource.reconcile_requested(), resource.resume_requested(), writes.valid_since(now)];
    since.into_iter().flatten().fold(resource.generation_seen, Instant::max)
}

#[cfg(test)]
#[path = "gather_tests.rs"]
pub(super) mod tests;
