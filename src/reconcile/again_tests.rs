use std::time::Duration;

use super::*;
use crate::{
    fleet::{Answer, PausedBy, ReadFailure},
    qoder::Verb,
    reconcile::{
        act::Failed,
        decide::{Step, Verdict, decide},
        gather::tests::{STEP, TIMES, World, around},
        settle::{Outcome, settle},
        situation::Age,
    },
};

impl World {
    fn when(&self, again: Again, now: Instant) -> Option<Instant> {
        when(again, &self.resource, self.around(now))
    }
}

#[test]
fn each_time_to_look_again_is_the_end_of_what_it_waits_for() {
    let start = Instant::now();
    let now = start + STEP;
    let mut world = World::seen(Answer::NotFound, start);
    assert_eq!(world.when(Again::Never, now), None);
    assert_eq!(world.when(Again::Overdue, now), Some(start + Times::PROGRESS));
    assert_eq!(world.when(Again::HoldEnd, now), None);
    assert_eq!(world.when(Again::SlowLook, now), Some(start + TIMES.slow_look()));

    world.worth = Worth::Rejected { since: start };
    assert_eq!(world.when(Again::CredentialGrace, now), Some(start + TIMES.grace()));

    (0..3).for_each(|_| world.writes.corrected(start, &TIMES));
    assert_eq!(world.when(Again::HoldEnd, now), Some(start + TIMES.hold(0)));

    world.writes.refused(&world.resource, 0, start - STEP, &TIMES);
    assert_eq!(world.when(Again::SlowLook, now), Some(start - STEP + TIMES.slow_look()));
}

#[test]
fn a_failed_read_is_looked_at_when_its_retry_is_due_or_its_grace_ends() {
    let start = Instant::now();
    let [soon, late] = [STEP, 2 * TIMES.grace()];
    let mut world = World::new(start);
    assert_eq!(world.when(Again::Retry, start), None, "nothing has failed");
    world.fails(start, soon);
    assert_eq!(world.when(Again::Retry, start), Some(start + soon));
    world.fails(start, late);
    let grace_end = start + TIMES.grace();
    assert_eq!(
        around(grace_end, |now| world.when(Again::Retry, now)),
        [Some(grace_end), Some(start + late)]
    );
}

#[test]
fn a_write_that_waits_is_looked_at_when_the_first_of_its_reasons_ends() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    assert_eq!(world.when(Again::WriteFree, start), Some(start), "nothing holds it back");

    world.write_fails(Failed::NotSent, Verb::Pause, start);
    world.writes.lost(Verb::Unpause, start, &TIMES);
    let backoff = start + Duration::from_secs(1);
    let lost = start + TIMES.request_lifetime();
    assert_eq!(
        around(backoff, |now| world.when(Again::WriteFree, now)),
        [Some(backoff), Some(lost)]
    );
    assert_eq!(around(lost, |now| world.when(Again::WriteFree, now)), [Some(lost), Some(lost)]);
}

/// Worlds that wait for a time, what each waits for, and the verdict.
fn waiting_worlds(start: Instant) -> Vec<(World, Again, Verdict)> {
    let with = |mut world: World, change: &dyn Fn(&mut World)| {
        change(&mut world);
        world
    };
    let active = || World::seen(Answer::Active, start);
    let failure = Verdict::Unreadable(ReadFailure::Unavailable, Age::WithinGrace);
    let rejected = Verdict::Unreadable(ReadFailure::Unauthorized, Age::WithinGrace);
    let pending = Verdict::Pending(Verb::Pause);
    let fails = |retry| move |world: &mut World| world.fails(start, retry);
    vec![
        (World::new(start), Again::Overdue, Verdict::Observing),
        (with(World::new(start), &fails(STEP)), Again::Retry, failure),
        (with(active().reached(), &fails(2 * TIMES.grace())), Again::Retry, failure),
        (
            with(active(), &|world| world.worth = Worth::Rejected { since: start }),
            Again::CredentialGrace,
            rejected,
        ),
        (World::seen(Answer::Forbidden, start), Again::SlowLook, Verdict::Forbidden),
        (World::seen(Answer::NotFound, start), Again::SlowLook, Verdict::NotFound),
        (World::seen(Answer::Archived, start), Again::SlowLook, Verdict::Archived),
        (World::seen(Answer::UnknownStatus, start), Again::SlowLook, Verdict::UnknownStatus),
        (
            with(active(), &|world| world.write_fails(Failed::Refused, Verb::Pause, start)),
            Again::SlowLook,
            Verdict::WriteRefused,
        ),
        (
            with(active().reached(), &|world| {
                (0..3).for_each(|_| world.writes.corrected(start, &TIMES));
            }),
            Again::HoldEnd,
            Verdict::Contested,
        ),
        (
            with(active(), &|world| world.write_fails(Failed::NotSent, Verb::Pause, start)),
            Again::WriteFree,
            pending,
        ),
        (
            with(active(), &|world| world.write_fails(Failed::Ambiguous, Verb::Unpause, start)),
            Again::WriteFree,
            pending,
        ),
        (
            with(World::seen(Answer::Paused(PausedBy::Hand), start), &|world| {
                world.write_fails(Failed::Ambiguous, Verb::Unpause, start);
            }),
            // And then until the lost request can land no more.
            Again::Overdue,
            Verdict::MayStillChange,
        ),
    ]
}

/// No hot loop: whoever looks again when told to, finds something else.
#[test]
fn looking_again_when_told_to_really_changes_the_situation() {
    let start = Instant::now();
    for (world, again, verdict) in waiting_worlds(start) {
        let first = decide(&world.at(start));
        assert_eq!(first.verdict, verdict);
        assert_eq!(settle(&world.at(start), first, Outcome::NotDone).again, again);
        looks(&world, start);
    }
}

/// Looks, and looks again when told to, until there is nothing more to wait for.
fn looks(world: &World, start: Instant) {
    let mut now = start;
    for _ in 0..9 {
        let situation = world.at(now);
        let decision = decide(&situation);
        let settled = settle(&situation, decision, Outcome::NotDone);
        let Some(next) = world.when(settled.again, now) else { return };
        now = now.max(next);
        let is_news = world.at(now) != situation || decide(&world.at(now)).step != decision.step;
        assert!(is_news, "the same at {:?}, told so by {settled:?}", now - start);
        // From here on it is the business of the observer, or of the account.
        if decide(&world.at(now)).step != Step::Nothing {
            return;
        }
    }
    panic!("it is looked at again and again: {:#?}", world.at(now));
}

#[test]
fn a_refusal_that_is_over_is_nothing_to_wait_for() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.write_fails(Failed::Refused, Verb::Pause, start);
    world.sees(Answer::NotFound, start + STEP);
    let look = start + STEP + TIMES.slow_look();
    world.sees(Answer::NotFound, look);
    looks(&world, look);
}
