use std::time::Duration;

use super::*;
use crate::{
    api::LastReached,
    fleet::{Failure, PausedBy, ReadFailure},
    reconcile::{
        act::{Failed, note_failure},
        resource::{Request, tests::resource},
    },
};

pub(in crate::reconcile) const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };
pub(in crate::reconcile) const STEP: Duration = Duration::from_millis(1);
const ANSWERS: [Answer; 7] = [
    Answer::Forbidden,
    Answer::NotFound,
    Answer::Archived,
    Answer::UnknownStatus,
    Answer::Active,
    Answer::Paused(PausedBy::Hand),
    Answer::Paused(PausedBy::Platform),
];

/// One resource that asks for a pause, and everything around it. For the tests of `again`, too.
#[derive(Clone)]
pub(in crate::reconcile) struct World {
    pub resource: Resource,
    pub entry: Option<Entry>,
    pub writes: Writes,
    pub worth: Worth,
}

impl World {
    /// A generation that is first seen `start`; its deployment was never read.
    pub fn new(start: Instant) -> Self {
        Self {
            resource: resource(start),
            entry: Some(Entry::default()),
            writes: Writes::default(),
            worth: Worth::Usable,
        }
    }

    /// The same, read.
    pub fn seen(answer: Answer, start: Instant) -> Self {
        let mut world = Self::new(start);
        world.sees(answer, start);
        world
    }

    /// A read that started then has this answer.
    pub fn sees(&mut self, answer: Answer, started: Instant) {
        let entry = self.entry.get_or_insert_default();
        entry.observed = Some(Observed { answer, started, valid_from: started });
        entry.failure = None;
    }

    /// A read that started then fails at once, and is to be tried again that much later.
    pub fn fails(&mut self, started: Instant, retry: Duration) {
        self.entry.get_or_insert_default().failure = Some(Box::new(Failure {
            cause: ReadFailure::Unavailable,
            first: started,
            started,
            count: 1,
            retry_at: started + retry,
        }));
    }

    /// A write ends then, without success.
    pub fn write_fails(&mut self, failed: Failed, verb: Verb, now: Instant) {
        let env = (now, &TIMES, 0.0);
        note_failure(&mut self.writes, failed, (&self.resource, verb, 0), env);
    }

    /// The status answers this generation, and its wish was reached.
    pub fn reached(mut self) -> Self {
        self.resource.published.observed_generation = self.resource.generation;
        self.resource.memory.has_status = true;
        self.resource.memory.last_reached =
            Some(LastReached { wish: self.resource.wish, generation: self.resource.generation });
        self
    }

    pub fn around(&self, now: Instant) -> Surroundings<'_> {
        Surroundings {
            duplicate: false,
            entry: self.entry.as_ref(),
            writes: &self.writes,
            worth: self.worth,
            epoch: 0,
            times: &TIMES,
            now,
        }
    }

    pub fn at(&self, now: Instant) -> Situation {
        gather(&self.resource, self.around(now))
    }

    fn knowledge(&self, now: Instant) -> Knowledge {
        self.at(now).knowledge
    }

    fn newer_than(&self, now: Instant) -> Instant {
        newer_than(&self.resource, self.around(now))
    }
}

fn requested(seen: Instant) -> Request {
    Request { value: "now".into(), seen }
}

fn known(answer: Answer, fresh: bool) -> Knowledge {
    Knowledge::Known { answer, fresh }
}

/// What `f` says one step before a time, and at it.
pub(in crate::reconcile) fn around<T>(time: Instant, f: impl Fn(Instant) -> T) -> [T; 2] {
    [f(time - STEP), f(time)]
}

#[test]
fn what_was_never_read_is_not_known() {
    let start = Instant::now();
    let mut world = World::new(start);
    assert_eq!(world.knowledge(start), Knowledge::Nothing);
    world.entry = None;
    assert_eq!(world.knowledge(start), Knowledge::Nothing);
}

#[test]
fn a_failure_becomes_stale_at_the_end_of_the_grace() {
    let start = Instant::now();
    let ages = [Age::WithinGrace, Age::Stale];
    let mut world = World::new(start);
    world.fails(start, 2 * TIMES.grace());
    assert_eq!(
        around(start + TIMES.grace(), |now| world.knowledge(now)),
        ages.map(|age| Knowledge::Failed(ReadFailure::Unavailable, age))
    );
    world.worth = Worth::Rejected { since: start };
    assert_eq!(
        around(start + TIMES.grace(), |now| world.at(now).credential),
        ages.map(CredentialState::Rejected)
    );
}

#[test]
fn a_failure_says_something_until_its_retry_is_due_and_only_of_a_generation_that_was_known() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.fails(start + STEP, TIMES.poll_interval);
    let failed = Knowledge::Failed(ReadFailure::Unavailable, Age::WithinGrace);
    let due = start + STEP + TIMES.poll_interval;
    assert_eq!(around(due, |now| world.knowledge(now)), [failed, Knowledge::Nothing]);

    let of_generation_seen = |seen| {
        let resource = Resource { generation_seen: seen, ..world.resource.clone() };
        World { resource, ..world.clone() }.knowledge(due - STEP)
    };
    assert_eq!(of_generation_seen(start + STEP), failed);
    assert_eq!(of_generation_seen(start + 2 * STEP), Knowledge::Nothing);
}

#[test]
fn only_what_no_poll_renews_is_due_for_a_slow_look() {
    let start = Instant::now();
    for answer in ANSWERS {
        let is_renewed = matches!(answer, Answer::Active | Answer::Paused(_));
        let world = World::seen(answer, start);
        assert_eq!(
            around(start + TIMES.slow_look(), |now| world.knowledge(now)),
            [known(answer, true), known(answer, is_renewed)]
        );
    }
}

#[test]
fn an_answer_is_overdue_three_seconds_after_the_generation_was_seen() {
    let start = Instant::now();
    let world = World::new(start);
    assert_eq!(around(start + Times::PROGRESS, |now| world.at(now).overdue), [false, true]);
}

#[test]
fn an_observation_answers_only_what_was_asked_before_its_request_started() {
    let start = Instant::now();
    let asked = start + 9 * STEP;
    let is_fresh = |answer, change: fn(&mut Resource, Instant)| {
        around(asked, |started| {
            let mut world = World::new(start).reached();
            world.sees(answer, started);
            change(&mut world.resource, asked);
            world.knowledge(asked) == known(answer, true)
        })
    };
    let generation = |resource: &mut Resource, asked| resource.generation_seen = asked;
    let reconcile =
        |resource: &mut Resource, asked| resource.reconcile_request = Some(requested(asked).into());
    let resume =
        |resource: &mut Resource, asked| resource.resume_request = Some(requested(asked).into());
    for answer in ANSWERS {
        assert_eq!(is_fresh(answer, generation), [false, true], "{answer:?}");
        assert_eq!(is_fresh(answer, reconcile), [false, true], "{answer:?}");
        // Only "it is active" could be said of a resume that was asked for later.
        let may_be_older = answer != Answer::Active;
        assert_eq!(is_fresh(answer, resume), [may_be_older, true], "{answer:?}");
    }
    let handled = |resource: &mut Resource, asked| {
        resource.reconcile_request = Some(requested(asked).into());
        resource.memory.reconcile_handled =
            resource.reconcile_request.as_ref().map(|request| request.value.clone());
    };
    assert_eq!(is_fresh(Answer::Active, handled), [true, true]);
}

#[test]
fn what_the_ledger_calls_void_is_not_known() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.writes.ended(&world.resource, start + STEP);
    assert_eq!(world.knowledge(start + STEP), Knowledge::Nothing);
    world.sees(Answer::Active, start + STEP);
    assert_eq!(world.knowledge(start + STEP), known(Answer::Active, true));
}

#[test]
fn what_the_ledger_holds_ends_at_its_end() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    let lost = start + TIMES.request_lifetime();
    world.write_fails(Failed::Ambiguous, Verb::Pause, start);
    assert_eq!(around(lost, |now| world.at(now).pause_may_land), [true, false]);
    assert_eq!(around(lost, |now| world.at(now).unpause_may_land), [false, false]);
    let backoff = start + Duration::from_secs(1);
    assert_eq!(around(backoff, |now| world.at(now).backing_off), [true, false]);

    world.write_fails(Failed::Refused, Verb::Pause, start);
    let refused = start + TIMES.slow_look();
    assert_eq!(around(refused, |now| world.at(now).writes_refused), [true, false]);
    let other_token = Surroundings { epoch: 1, ..world.around(start) };
    assert!(!gather(&world.resource, other_token).writes_refused);

    (0..3).for_each(|_| world.writes.corrected(start, &TIMES));
    assert_eq!(around(start + TIMES.hold(0), |now| world.at(now).held), [true, false]);
}

#[test]
fn a_read_has_to_have_started_after_everything_that_it_answers() {
    let start = Instant::now();
    let [asked, now] = [start + STEP, start + 9 * STEP];
    let base = World::seen(Answer::Active, start).reached();
    let check = |expected, change: &dyn Fn(&mut World)| {
        let mut world = base.clone();
        change(&mut world);
        assert_eq!(world.newer_than(now), expected);
        world.sees(Answer::Active, expected);
        assert_eq!(world.knowledge(now), known(Answer::Active, true), "a read that new is enough");
    };
    check(start, &|_| {});
    check(asked, &|world| world.resource.generation_seen = asked);
    check(asked, &|world| world.resource.reconcile_request = Some(requested(asked).into()));
    check(asked, &|world| world.resource.resume_request = Some(requested(asked).into()));
    check(asked, &|world| world.writes.ended(&world.resource, asked));
    check(start, &|world| world.writes.lost(Verb::Pause, asked, &TIMES));
    check(asked, &|world| {
        world.writes.lost(Verb::Pause, asked - TIMES.request_lifetime(), &TIMES);
    });
    // A list that was under way does not count as another try.
    check(now, &|world| world.fails(asked, STEP));
    check(now, &|world| world.sees(Answer::Archived, now - TIMES.slow_look()));
    check(start, &|world| world.sees(Answer::Active, now - TIMES.slow_look()));
}
