//! The operator of a world: everything that it decides and remembers is shipped code. What is written here is the order of
//! the calls, as `reconcile/driver.rs` and `remote/state.rs` have it, and the seams at which a [`Bug`] is planted.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use qoder_operator::{
    api::Wish,
    qoder::{Deployment, Scope, Verb},
    reconcile::{
        decide::{Decision, Step, decide},
        pass::{Decided, settle_each},
        settle::{Ready, Settled},
        situation::Situation,
        snapshot::Snapshot,
    },
    remote::{
        Answer, Cache, CredentialState, End, FailedRead, Observed, Outcome, ReadFailure, Trouble,
        View, Worth, Write, Writes,
    },
    resources::{Index, Progress, ReachedChange, Resource, Source},
    times::Times,
};
use tokio::time::Instant;

use crate::{
    bug::Bug,
    cluster::{ID, Object, Status, key},
    monitor::Monitor,
};

/// The times of a world: the flags' defaults.
pub const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };

/// Which token it is. Worlds have one.
const EPOCH: u32 = 1;

/// One process of the operator.
#[derive(Clone)]
pub struct Operator {
    pub index: Index,
    pub cache: Cache,
    pub writes: Writes,
    /// Until when what the leader before has sent may still take effect.
    presumed_until: Option<Instant>,
    /// A read of the remote on its way.
    pub look: Option<Look>,
    /// A fresh read (rule Q) on its way.
    pub fresh: Option<Fresh>,
    /// The write on its way.
    pub write: Option<Sending>,
    /// The statuses on their way, by the names of their resources.
    pub statuses: [Option<Publishing>; 2],
    /// When a status that has failed is tried again.
    again: Option<Instant>,
    /// Until when the write waits, because a status that has to come first waits.
    put_off: Option<Instant>,
    bug: Option<Bug>,
}

/// A read of the remote whose answer is on its way.
#[derive(Debug, Clone, Hash)]
pub struct Look {
    pub started: Instant,
    pub deployment: Deployment,
}

/// A fresh read whose answer is on its way.
#[derive(Debug, Clone, Hash)]
pub struct Fresh {
    pub resource: Arc<Resource>,
    pub name: usize,
    pub verb: Verb,
    pub object: Option<Object>,
}

/// A write on its way.
#[derive(Debug, Clone, Hash)]
pub struct Sending {
    pub write: Write,
    pub resource: Arc<Resource>,
    pub started: Instant,
    /// What was answered, once it was.
    pub answer: Option<Result<Deployment, Outcome>>,
}

/// A status on its way.
#[derive(Debug, Clone, Hash)]
pub struct Publishing {
    pub resource: Arc<Resource>,
    pub status: Status,
    /// What the server holds then, once it has answered.
    pub answer: Option<Applied>,
}

/// What became of a status apply.
#[derive(Debug, Clone, Hash)]
pub enum Applied {
    Stands(Object),
    Moved(Object),
    /// There is no such object.
    Gone,
}

impl Hash for Operator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.iter().for_each(|resource| resource.hash(state));
        self.cache.hash(state);
        self.writes.hash(state);
        self.presumed_until.hash(state);
        self.look.hash(state);
        self.fresh.hash(state);
        self.write.hash(state);
        self.statuses.hash(state);
        (self.again, self.put_off).hash(state);
    }
}

impl Operator {
    /// A process that begins, and lists what there is. `presumed_until`: the leader before has not ended clean.
    pub fn start(
        objects: &[Option<Object>; 2],
        presumed_until: Option<Instant>,
        now: Instant,
        bug: Option<Bug>,
    ) -> Self {
        let mut operator = Self {
            index: Index::default(),
            cache: Cache::default(),
            writes: Writes::default(),
            presumed_until,
            look: None,
            fresh: None,
            write: None,
            statuses: [None, None],
            again: None,
            put_off: None,
            bug,
        };
        if presumed_until.is_some() {
            operator.cache.expect_echoes(now + Times::ECHO);
        }
        let list = operator.index.mark();
        for (name, object) in objects.iter().enumerate() {
            if let Some(object) = object {
                operator.take_in(name, object, Source::List(list), now);
            }
        }
        operator
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub fn take_in(&mut self, name: usize, object: &Object, source: Source, now: Instant) {
        let resource = object.copy(name, now);
        let foreign = self.has(Bug::EveryStatusReplacesTheMemory).then(|| object.memory());
        let version = resource.version;
        self.index.apply(resource, source);
        if self.index.version_of(key(name)) != Some(version) {
            return;
        }
        if let Some(memory) = foreign {
            let uid = crate::cluster::uid(object.uid);
            if let Some(held) = self.index.held_mut(key(name), &uid) {
                Arc::make_mut(held).memory = memory;
            }
        }
        let shown = object.status.as_ref().and_then(|status| status.shown);
        self.cache.bind(&ID, shown.map(seen_as), now);
    }

    /// A watch says that the object at this name is gone.
    pub fn delete(&mut self, name: usize, now: Instant) {
        let Some(held) = self.held(name) else { return };
        self.index.remove_uid(key(name), &held.uid.clone());
        if !self.index.is_bound(&ID) {
            self.cache.unbind(&ID);
            if !self.writes.may_matter(now, &TIMES) {
                self.writes = Writes::default();
            }
        }
    }

    pub fn held(&self, name: usize) -> Option<&Resource> {
        self.index.iter().find(|held| held.key == *key(name))
    }

    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let view = View {
            entry: self.cache.get(&ID).cloned(),
            looked_at: self.cache.looked_at(&ID),
            writes: self.writes.clone(),
            credential: CredentialState { worth: Worth::Usable, epoch: EPOCH, since: None },
            obstacle: None,
            is_stuck: false,
            are_writes_closed: false,
            presumed_until: self.presumed_until.filter(|_| !self.has(Bug::NoStartRule)),
            list: None,
        };
        Snapshot::new(&ID, now, self.index.bound(&ID), view, TIMES)
    }

    fn situation(&self, seen: &Snapshot, resource: &Resource) -> Situation {
        let situation = seen.situation(resource);
        self.bug.map_or(situation, |bug| bug.distort(situation))
    }

    fn judge(&self, situation: &Situation) -> Decision {
        let decision = decide(situation);
        self.bug.map_or(decision, |bug| bug.misjudge(situation, decision))
    }

    fn decide(&self, seen: &Snapshot) -> Vec<Decided> {
        let one = |resource: &Arc<Resource>| {
            let situation = self.situation(seen, resource);
            let decision = self.judge(&situation);
            Decided { resource: Arc::clone(resource), situation, decision }
        };
        seen.bound.iter().map(one).collect()
    }

    /// The write that the owner asks for.
    pub fn wanted(&self, now: Instant) -> Option<(Arc<Resource>, Verb)> {
        if self.put_off.is_some_and(|at| now < at) {
            return None;
        }
        self.decide(&self.snapshot(now)).into_iter().find_map(|one| match one.decision.step {
            Step::Write(verb) => Some((one.resource, verb)),
            Step::Nothing | Step::Observe => None,
        })
    }

    /// One pass, but for its write, which waits for a permit until then.
    pub fn pass(&mut self, now: Instant, monitor: &mut Monitor) {
        self.put_off.take_if(|at| *at <= now);
        let is_waiting = self.wanted(now).is_some();
        self.settle(is_waiting, now, monitor);
    }

    /// Steps 2, 4 and 5 of a pass.
    fn settle(&mut self, is_waiting: bool, now: Instant, monitor: &mut Monitor) {
        let seen = self.snapshot(now);
        let decided = self.decide(&seen);
        self.again = None;
        for one in decided.iter().filter(|one| one.decision.step == Step::Observe) {
            self.cache.demand(&ID, seen.newer_than(&one.resource));
        }
        for (one, settled) in settle_each(&seen, decided, is_waiting) {
            self.remember(&one, settled);
            if let Some(ready) = settled.ready {
                self.say(&seen, &one, settled, ready, monitor);
            }
        }
    }

    fn remember(&mut self, one: &Decided, settled: Settled) {
        let Decided { resource, situation, .. } = one;
        self.note(resource, settled.progress);
        if settled.progress.reached == ReachedChange::Set && resource.wish != Wish::Unmanaged {
            self.writes.reached(&resource.requester(), situation.reconcile_requested);
        }
    }

    fn note(&mut self, resource: &Resource, mut progress: Progress) {
        if let Some(bug) = self.bug {
            bug.forget(&mut progress);
        }
        if let Some(held) = self.index.held_mut(&resource.key, &resource.uid) {
            let memory = held.memory.after(progress, &resource.asked());
            Arc::make_mut(held).memory = memory;
        }
    }

    fn say(
        &mut self,
        seen: &Snapshot,
        Decided { resource, .. }: &Decided,
        settled: Settled,
        ready: Ready,
        monitor: &mut Monitor,
    ) {
        let mut progress = settled.progress;
        if let Some(bug) = self.bug {
            bug.forget(&mut progress);
        }
        let known = seen.view.entry.as_ref().and_then(|entry| entry.last_known.as_deref());
        let status = Status {
            observed_generation: resource.generation,
            ready: (ready.status, ready.reason),
            shown: known.map(Answer::from),
            memory: resource.memory.after(progress, &resource.asked()),
        };
        let digest = status.digest();
        let Some(held) = self.index.held_mut(&resource.key, &resource.uid) else { return };
        if digest == held.published.digest && !held.is_sending() {
            if held.sent.as_ref().is_some_and(|sent| sent.failures() > 0)
                && let Some(sent) = Arc::make_mut(held).sent.as_mut()
            {
                sent.stand();
            }
            return;
        }
        let failed = held.sent.as_ref().and_then(|sent| sent.tried_again_at(digest, Duration::MAX));
        let again = failed.max(held.calm_at(Duration::MAX)).filter(|at| *at > seen.now);
        if again.is_some() {
            self.again = [self.again, again].into_iter().flatten().min();
            return;
        }
        if held.is_sending() {
            return;
        }
        let Some(slot) = (0..2).find(|name| *key(*name) == resource.key) else { return };
        monitor.says(resource, &status);
        Arc::make_mut(held).sent.get_or_insert_default().begin(digest);
        let publishing = Publishing { resource: Arc::clone(resource), status, answer: None };
        if let Some(place) = self.statuses.get_mut(slot) {
            *place = Some(publishing);
        }
    }

    /// The answer of the fresh read is there: decides again on it, and begins the write.
    pub fn begin(&mut self, now: Instant, monitor: &mut Monitor) {
        let Some(Fresh { resource, name, verb, object }) = self.fresh.take() else { return };
        let write = |of: &Resource, is_drift| Write {
            id: ID.clone(),
            verb,
            requester: of.requester(),
            is_drift,
        };
        let Some(object) = object else {
            self.end(&write(&resource, false), Outcome::Unread, now);
            self.pass(now, monitor);
            return;
        };
        if !self.has(Bug::ActsOnTheHeldCopy) {
            self.take_in(name, &object, Source::Read, now);
        }
        let seen = self.snapshot(now);
        let held = seen.bound.iter().find(|copy| copy.uid == resource.uid);
        let Some(held) = held else {
            self.pass(now, monitor);
            return;
        };
        let stored = Resource { memory: object.memory(), ..Resource::clone(held) };
        let situation = self.situation(&seen, held);
        let asks = |situation: &Situation| self.judge(situation).step == Step::Write(verb);
        let is_asked = asks(&situation) || self.has(Bug::DoesNotDecideAgain);
        let is_told = asks(&self.situation(&seen, &stored));
        let is_asked = is_asked || (self.has(Bug::StoredMemoryOnly) && is_told);
        if is_asked && (is_told || self.has(Bug::DoesNotDecideAgain)) {
            let write = write(held, situation.is_drift());
            monitor.sends(&seen, &write, held, &object);
            self.writes.begun(verb, now);
            if self.has(Bug::ReachedBeforeTheAct) {
                self.note(held, REACHED);
            }
            let resource = Arc::clone(held);
            self.write = Some(Sending { write, resource, started: now, answer: None });
        } else if is_asked {
            // The status comes first.
            self.settle(false, now, monitor);
            self.put_off = self.again;
            return;
        }
        self.pass(now, monitor);
    }

    /// The answer of the write is there, or none will come: books all that follows from it.
    pub fn write_ended(
        &mut self,
        result: Result<Deployment, Outcome>,
        now: Instant,
        monitor: &mut Monitor,
    ) {
        let Some(Sending { write, resource, started, .. }) = self.write.take() else { return };
        let mut outcome = match &result {
            Ok(deployment) => Outcome::of(write.verb, &Ok(deployment.clone())),
            Err(outcome) => *outcome,
        };
        monitor.ended(outcome, now);
        if let Some(bug) = self.bug {
            bug.mistake(&mut outcome);
        }
        self.end(&write, outcome, now);
        if let Ok(deployment) = result {
            monitor.looked(started, now);
            let valid_from = if self.has(Bug::AnswersCountFromTheirStart) { started } else { now };
            let is_written = outcome == Outcome::Done;
            let answer = self.answer(&deployment);
            let observed = Observed { answer, started, valid_from, epoch: EPOCH, is_written };
            self.cache.observe(&ID, Some(deployment), observed);
        }
        if outcome == Outcome::Done && write.verb == Verb::Unpause {
            self.note(&resource, REACHED);
        }
        self.pass(now, monitor);
    }

    fn end(&mut self, write: &Write, outcome: Outcome, now: Instant) {
        let end = End { outcome, code: None, at: now, epoch: EPOCH, jitter: 0.0 };
        self.writes.book(write, end, &TIMES);
    }

    fn answer(&self, deployment: &Deployment) -> Answer {
        let answer = Answer::from(deployment);
        self.bug.map_or(answer, |bug| bug.misread(answer, deployment))
    }

    /// The answer of the read of the remote is there.
    pub fn looked(&mut self, now: Instant, monitor: &mut Monitor) {
        let Some(Look { started, deployment }) = self.look.take() else { return };
        monitor.looked(started, started);
        let started = if self.has(Bug::ReadsCountFromTheirAnswer) { now } else { started };
        let answer = self.answer(&deployment);
        let observed =
            Observed { answer, started, valid_from: started, epoch: EPOCH, is_written: false };
        self.cache.observe(&ID, Some(deployment), observed);
        self.pass(now, monitor);
    }

    /// The read of the remote fails.
    pub fn look_failed(&mut self, now: Instant, monitor: &mut Monitor) {
        let Some(Look { started, .. }) = self.look.take() else { return };
        let trouble = Trouble { cause: ReadFailure::Unavailable, code: "500" };
        self.cache.fail(&ID, FailedRead { trouble, started, ended: now, jitter: 0.0 }, &TIMES);
        self.pass(now, monitor);
    }

    /// A list has ended, and does not show the deployment.
    pub fn missed(&mut self, started: Instant, scope: Scope, now: Instant, monitor: &mut Monitor) {
        if self.has(Bug::AbsenceIsNotFound) {
            let answer = Answer::NotFound;
            let observed =
                Observed { answer, started, valid_from: started, epoch: EPOCH, is_written: false };
            self.cache.observe(&ID, None, observed);
        } else {
            self.cache.list_ended(scope, started);
        }
        self.pass(now, monitor);
    }

    /// The answer of a status is there, or none will come (`None`).
    pub fn published(&mut self, name: usize, is_lost: bool, now: Instant, monitor: &mut Monitor) {
        let Some(Publishing { resource, status, answer }) =
            self.statuses.get_mut(name).and_then(Option::take)
        else {
            return;
        };
        let digest = status.digest();
        let is_ended = match answer.filter(|_| !is_lost) {
            Some(Applied::Stands(object)) => {
                self.take_in(name, &object, Source::Apply, now);
                true
            }
            Some(Applied::Moved(object)) => {
                self.take_in(name, &object, Source::Read, now);
                self.held(name).is_none_or(|held| held.version != resource.version)
            }
            Some(Applied::Gone) | None => false,
        };
        if let Some(held) = self.index.held_mut(&resource.key, &resource.uid) {
            let held = Arc::make_mut(held);
            let failures = held.sent.as_ref().map_or(0, |sent| sent.failures());
            match held.sent.as_mut() {
                Some(sent) if is_ended => {
                    let is_over = sent.is_last(digest) && !sent.end(digest);
                    held.sent.take_if(|_| is_over);
                }
                Some(sent) => {
                    if sent.is_last(digest) {
                        sent.fail(now, TIMES.backoff(failures, 0.0));
                    }
                    sent.tell(digest);
                }
                None => {}
            }
        }
        self.pass(now, monitor);
    }

    /// When the mere passing of time changes something next.
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        let seen = self.snapshot(now);
        let is_stalled = seen.observed().is_some_and(|observed| observed.answer.is_stalled());
        let of_resources = seen
            .bound
            .iter()
            .filter_map(|held| seen.next_change(held, held.is_answered()).filter(|_| !is_stalled));
        let demand = self.cache.next_demand(now);
        of_resources
            .chain([demand, self.again, self.put_off].into_iter().flatten())
            .filter(|at| *at > now)
            .min()
    }

    /// A read of the remote would tell something.
    pub fn wants_to_look(&self, remote: Answer, now: Instant) -> bool {
        let is_demanded = !self.cache.demands(now).is_empty();
        let is_demanded_later = self.cache.next_demand(now).is_some();
        let entry = self.cache.get(&ID);
        is_demanded
            || !is_demanded_later
                && entry.is_some_and(|entry| {
                    let observed = entry.observed.map(|observed| observed.answer);
                    let is_due =
                        entry.failure.as_ref().is_none_or(|failure| now >= failure.retry_at);
                    let is_blind = entry.failure.is_some() || observed != Some(remote);
                    is_due && is_blind
                })
    }
}

/// What is noted when an unpause has succeeded (`note_done` in `reconcile/act.rs`).
const REACHED: Progress = Progress {
    reached: ReachedChange::Set,
    resume_handled: true,
    reconcile_handled: false,
    is_told: false,
};

/// A deployment that would be read so.
fn seen_as(answer: Answer) -> Deployment {
    use crate::remote::Remote;
    let states = [Remote::Active, Remote::Paused, Remote::Failed, Remote::Archived];
    let remote = states.into_iter().find(|remote| remote.answer() == answer);
    remote.unwrap_or(Remote::Active).deployment()
}
