//! A world around one resource, in which time can pass.

mod answered;
mod blindness;
mod knowledge;
mod next_change;
mod random;
mod waits;

use super::*;
use crate::{
    api::{ConditionStatus, LastReached, Wish},
    qoder::{Scope, TokenProblem},
    reconcile::{
        decide::{Decision, Step, Verdict, decide},
        settle::{Kind, Settled, conclude},
    },
    remote::{
        Cache, CredentialState as Credential, End, FailedRead, LastTry, Ledger, ListProgress,
        Obstacle, Outcome, PausedBy, Trouble, Write,
    },
    resources::resource::{Request, tests::resource},
};

pub const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };
pub const STEP: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
pub const ANSWERS: [Answer; 7] = [
    Answer::Forbidden,
    Answer::NotFound,
    Answer::Archived,
    Answer::UnknownStatus,
    Answer::Active,
    Answer::Paused(PausedBy::Hand),
    Answer::Paused(PausedBy::Platform),
];

impl Snapshot {
    fn has_failed(&self) -> bool {
        self.view.entry.as_ref().is_some_and(|entry| entry.failure.is_some())
    }

    fn is_observed(&self) -> bool {
        self.view.entry.as_ref().is_some_and(|entry| entry.observed.is_some())
    }
}

/// One resource that asks for a pause, and everything around it.
#[derive(Clone)]
pub struct World {
    pub resource: Resource,
    /// An older resource of the same deployment.
    pub older: Option<Resource>,
    pub cache: Cache,
    pub ledger: Ledger,
    pub credential: Credential,
    pub obstacle: Option<Obstacle>,
    pub presumed_until: Option<Instant>,
    pub list: Option<ListProgress>,
    pub times: Times,
}

impl World {
    /// A generation that is first seen `start`; its deployment was never read.
    pub fn new(start: Instant) -> Self {
        let resource = resource(start);
        let mut cache = Cache::default();
        cache.bind(&resource.deployment, None, start);
        Self {
            resource,
            older: None,
            cache,
            ledger: Ledger::default(),
            credential: Credential { worth: Worth::Usable, epoch: 1, since: Some(start) },
            obstacle: None,
            presumed_until: None,
            list: None,
            times: TIMES,
        }
    }

    /// The same, read.
    pub fn seen(answer: Answer, start: Instant) -> Self {
        let mut world = Self::new(start);
        world.sees(answer, start);
        world
    }

    /// The same with this change.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A read that started then has this answer.
    pub fn sees(&mut self, answer: Answer, started: Instant) {
        let observed = Observed {
            answer,
            started,
            valid_from: started,
            epoch: self.credential.epoch,
            is_written: false,
        };
        self.cache.observe(&self.resource.deployment, None, observed);
    }

    /// A list that started then has come to its end, and could have shown the deployment had it changed.
    pub fn lists(&mut self, started: Instant) {
        let entry = self.cache.get(&self.resource.deployment);
        let is_active = entry
            .and_then(|entry| entry.observed)
            .is_some_and(|seen| seen.answer == Answer::Active);
        let scope = if is_active { Scope::Paused } else { Scope::Active };
        self.cache.list_ended(scope, started);
    }

    /// A read that started then fails, and is to be tried again that much later.
    pub fn fails(&mut self, started: Instant, retry: Duration) {
        let trouble = Trouble { cause: ReadFailure::Unavailable, code: "503" };
        let entry = self.cache.get(&self.resource.deployment);
        let count =
            entry.and_then(|entry| entry.failure.as_ref()).map_or(0, |failure| failure.count);
        let booked = started + retry - self.times.backoff(count, 0.0);
        let failed = FailedRead { trouble, started, ended: booked, jitter: 0.0 };
        self.cache.fail(&self.resource.deployment, failed, &self.times);
    }

    /// A write for this resource ends then.
    pub fn write_ends(&mut self, outcome: Outcome, verb: Verb, at: Instant) {
        let requester = self.resource.requester();
        self.write_ends_for(requester, (outcome, verb), false, at);
    }

    /// A write for any resource ends then.
    pub fn write_ends_for(
        &mut self,
        requester: Requester,
        (outcome, verb): (Outcome, Verb),
        is_drift: bool,
        at: Instant,
    ) {
        let id = self.resource.deployment.clone();
        let end = End { outcome, code: None, at, epoch: self.credential.epoch, jitter: 0.0 };
        let write = Write { id, verb, requester, is_drift };
        self.ledger.note(&write.id).book(&write, end, &self.times);
    }

    /// Drift was corrected as often as makes the deployment contested.
    pub fn is_contested(&mut self, at: Instant) {
        let requester = self.resource.requester();
        for _ in 0..3 {
            let done = (Outcome::Done, Verb::Pause);
            self.write_ends_for(requester.clone(), done, true, at);
        }
    }

    /// A write leaves.
    pub fn write_begins(&mut self, verb: Verb, at: Instant) {
        self.ledger.note(&self.resource.deployment).begun(verb, at);
    }

    /// The status answers this generation, and its wish was reached.
    pub fn reached(mut self) -> Self {
        self.resource.published.observed_generation = self.resource.generation;
        self.resource.memory.has_status = true;
        self.resource.memory.last_reached =
            Some(LastReached { desired: self.resource.wish, generation: self.resource.generation });
        self
    }

    /// A status for this reason stands, and answers this generation.
    pub fn says(mut self, status: ConditionStatus, reason: Reason) -> Self {
        self.resource.published.observed_generation = self.resource.generation;
        self.resource.published.ready = Some((status, reason));
        self
    }

    /// All of it, at one moment.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let id = &self.resource.deployment;
        let bound = self.older.iter().chain([&self.resource]).cloned().map(Arc::new).collect();
        let view = View {
            entry: self.cache.get(id).cloned(),
            looked_at: self.cache.looked_at(id),
            writes: self.ledger.get(id),
            credential: self.credential,
            obstacle: self.obstacle,
            is_stuck: true,
            are_writes_closed: false,
            presumed_until: self.presumed_until,
            list: self.list,
        };
        Snapshot::new(id, now, bound, view, self.times)
    }

    pub fn at(&self, now: Instant) -> Situation {
        self.snapshot(now).situation(&self.resource)
    }

    pub fn knowledge(&self, now: Instant) -> Knowledge {
        self.at(now).knowledge
    }

    pub fn newer_than(&self, now: Instant) -> Instant {
        self.snapshot(now).newer_than(&self.resource)
    }

    /// One pass at that time; `is_waiting`: its write gets no permit.
    pub fn pass(&self, now: Instant, is_waiting: bool) -> (Decision, Settled) {
        let seen = self.snapshot(now);
        let situation = seen.situation(&self.resource);
        let decision = decide(&situation);
        let action = seen.action(&self.resource, is_waiting);
        (decision, conclude(&situation, decision, action))
    }

    /// What was settled is remembered; and if it `is_published`, stands.
    pub fn after(&self, settled: Settled, is_published: bool) -> Self {
        let mut after = self.clone();
        after.resource.memory =
            self.resource.memory.after(settled.progress, &self.resource.asked());
        if let Some(ready) = settled.ready.filter(|_| is_published) {
            after = after.says(ready.status, ready.reason);
        }
        after
    }

    /// When time alone changes something next, for a resource that has its status.
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        self.snapshot(now).next_change(&self.resource, true)
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a resource has room for")]
pub fn requested(seen: Instant) -> Option<Box<Request>> {
    Some(Box::new(Request { value: "now".into(), seen }))
}

pub fn known(answer: Answer, fresh: bool) -> Knowledge {
    Knowledge::Known { answer, fresh }
}

pub fn failed(age: Age, due: bool) -> Knowledge {
    Knowledge::Failed { cause: ReadFailure::Unavailable, age, due }
}

/// What `f` says one step before a time, and at it.
pub fn around<T>(time: Instant, f: impl Fn(Instant) -> T) -> [T; 2] {
    [f(time - STEP), f(time)]
}
